"""Values on their whole way: from JSON through the border and an evaluator, and back to JSON."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policylang import Bundle, loads
from policylang.bundle.evaluators import EvaluatorName
from policylang.facts.forms import to_json
from policylang.facts.types import Field
from tests.facts.domains import values

TYPES = (
    "Bool",
    "Int",
    "Decimal(0)",
    "Decimal(2)",
    "Decimal(18)",
    "String",
    "Date",
    "DateTime",
    "Time",
    "Duration",
    "Ip",
    "Cidr",
    "Tier",
    "Set[String]",
    "Set[Duration]",
    "List[Int]",
    "List[Decimal(2)]",
    "List[{ a: Int, b: String? }]",
)


@lru_cache
def bundle(type_: str, evaluator: EvaluatorName) -> Bundle:
    """A policy of which one rule binds a field of a type."""
    return loads(
        'module m version "1"\nenum Tier { free, pro, enterprise }\n'
        f"facts held {{ value: {type_} }}\naction go\n"
        "rule shows: allow go if held(value: X)\n",
        evaluator=evaluator,
    )


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("evaluator", ["asp", "plan"])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_value_comes_back_as_it_went_in(
    evaluator: EvaluatorName, type_: str, data: st.DataObject
) -> None:
    """A value of any type is bound by a rule exactly as it was given, and its JSON is the same again."""
    policy = bundle(type_, evaluator)
    column: Field = policy.program.schema.relations["m.held"].columns[0]
    given_value: Any = data.draw(values(column.domain))
    form = to_json(given_value, column.domain.type)
    decision = policy.decide(
        json.dumps({"action": "go", "facts": {"held": [{"value": form}]}}, ensure_ascii=False)
    )
    ((came_back,),) = [firing.bindings for firing in decision.firings]
    assert came_back == given_value
    assert type(came_back) is type(given_value)
    assert to_json(came_back, column.domain.type) == form
