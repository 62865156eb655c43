"""Drafts of declarations: valid policies that read the data they were made from."""

from __future__ import annotations

import json
import random
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from policylang.bundle.loading import check_sources
from policylang.diagnostics import Source
from policylang.facts.compile import compile_border
from policylang.facts.drafts import KEYWORDS, Sample, draft_from_schema
from policylang.facts.factset import FactSet
from policylang.facts.json_schema import openai_tool
from policylang.facts.json_text import read_json
from policylang.facts.schema import RelationKind, Schema
from tests.facts.shop import REFUND, SCHEMA


def checked(text: str) -> Schema:
    """The schema of a draft, which has to be free of errors."""
    found = check_sources([Source("draft.policy", text)])
    assert not found.has_errors, "\n".join([text, *map(str, found.diagnostics)])
    assert found.result.program is not None
    return found.result.program.schema


def drafted(rows: list[Any], fact: str = "row") -> str:
    """The draft made from a sample."""
    sample = Sample(fact)
    for row in rows:
        sample.add(row)
    return sample.draft("draft", "rows.jsonl")


def messy_requests(count: int = 60) -> list[dict[str, Any]]:
    """Requests as they come from a careless caller."""
    pick = random.Random(7)
    return [
        {
            "action": "refund",
            "args": {
                "customer_id": f"c{i % 40}",
                "amount": pick.choice(["$4,800.00", "48.00", "12", f"{i}.50"]),
                "urgent": pick.choice(["yes", "No", "y"]),
                "limit": i,
            },
            "facts": {
                "customer": {
                    "id": f"c{i % 40}",
                    "tier": pick.choice(["pro", "Pro", " PRO", "free", "enterprise"]),
                    "since": "20 Nov 2020",
                    "note": pick.choice(["N/A", "", f"called {i} times, angry"]),
                    "seen": "2026-11-20T09:00:00Z",
                },
                "linked": [{"a": f"c{i}", "b": "c1", "share": 0.5}],
            },
        }
        for i in range(count)
    ]


def test_a_draft_of_messy_requests() -> None:
    """Normalizers, enums, optional fields and ranges are guessed, each with its grounds beside it."""
    text = drafted(messy_requests())
    for line in (
        "enum Tier normalize trim, lower { enterprise, free, pro }",
        "amount: Decimal(2) normalize currency,",
        "urgent: Bool normalize boolean,",
        "limit: Int in 0 ..,",
        "since: Date normalize human_date,",
        "seen: DateTime,",
        "tier: Tier,",
        "share: Decimal(2) in 0.00 ..,",
        "action refund {",
        "facts linked {",
    ):
        assert line in text, text
    assert "note: String? normalize nulls," in text
    assert "# 0 to 59 in 60 values" in text


def test_a_draft_reads_its_sample() -> None:
    """Every request of the sample is valid for the draft that was made from it."""
    rows = messy_requests()
    border = compile_border(checked(drafted(rows)))
    for row in rows:
        answer = border.validate(json.dumps(row))
        assert isinstance(answer, FactSet), answer.text()


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12), st.sampled_from(["yes", "N/A", "$5.00", "2026-11-20", "12%", "limit"]),
    st.lists(st.integers() | st.text(max_size=3), max_size=3),
    st.lists(st.dictionaries(st.text(max_size=4), st.integers(), max_size=2), max_size=2),
)  # fmt: skip


@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=5), ODD, max_size=4), max_size=8))
def test_any_sample_gives_a_draft(rows: list[Any]) -> None:
    """Whatever the rows are, the draft is text, and says of how many rows it is made."""
    assert f"from {len(rows)} rows" in drafted(rows)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "type", "limit", "camelCase", "x-y"]), ODD, max_size=4
        ),
        min_size=1,
        max_size=8,
    )
)
def test_a_draft_of_named_fields_is_a_policy(rows: list[Any]) -> None:
    """Rows with any values in fields whose names can be written make a draft without errors."""
    checked(drafted(rows))


def test_few_values_are_an_enum_and_many_are_not() -> None:
    """Values that come again and again are members; a field of ever new values stays a String."""
    rows = [{"state": ["open", "closed"][i % 2], "id": f"x{i}"} for i in range(30)]
    text = drafted(rows)
    assert "enum State { closed, open }" in text
    assert "id: String," in text


def test_other_spellings_are_kept() -> None:
    """A value that is no name becomes a member with its text as another spelling."""
    text = drafted([{"state": s} for s in ["in transit", "2nd try", "done"] * 5])
    assert 'value_2nd_try ("2nd try")' in text
    assert 'in_transit ("in transit")' in text


def test_identifiers_of_digits_are_text() -> None:
    """Digits with leading zeros are no numbers: a draft that made them Int would lose the zeros."""
    text = drafted([{"zip": f"0{i:04}"} for i in range(40)])
    assert "zip: String," in text


# --- from schemas and models ----------------------------------------------------------------------------


class Line(BaseModel):
    """One line."""

    sku: str
    price: float


class Order(BaseModel):
    """An order of a shop."""

    id: str = Field(max_length=20, description="The number of the order")
    state: Literal["open", "closed"]
    total: float = Field(ge=0)
    count: int = Field(ge=1, le=99)
    lines: list[Line]
    note: str | None = None
    type: str = "web"


def test_a_draft_of_a_pydantic_model() -> None:
    """A model's fields, bounds, choices, lists of models and optional fields are taken over."""
    text = draft_from_schema(Order.model_json_schema(), "order", "Order", "fact")
    schema = checked(text)
    for line in (
        "enum State { open, closed }",
        "id: String max 20,",
        "# The number of the order",
        "total: Decimal(2) in 0.00 ..,",
        "count: Int in 1 .. 99,",
        "lines: List[{",
        "note: String?,",
    ):
        assert line in text, text
    assert schema.relations["order.order"].kind is RelationKind.FACT


def test_a_draft_of_our_own_tool() -> None:
    """A tool that was made from an action gives back the action's fields."""
    text = draft_from_schema(openai_tool(SCHEMA, REFUND), "tools", "refund.json")
    columns = checked(text).relations["tools.refund"].columns
    assert [(c.name, str(c.domain.type), c.optional) for c in columns] == [
        ("customer_id", "String", False),
        ("amount", "Decimal(2)", False),
        ("color", "Color", False),
        ("reason", "String", True),
    ]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"properties": {"a": {"$ref": "#/nowhere"}}},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"properties": {"a": True, "b": {"type": []}, "c": {"anyOf": []}}},
    ],
)
def test_odd_schemas_give_a_draft(schema: dict[str, Any]) -> None:
    """Schemas without types, with loops or with references to nowhere give placeholders."""
    assert "action" in draft_from_schema(schema, "odd", "odd.json")


def test_the_keywords_are_the_languages() -> None:
    """The words put in backticks are those that the grammar keeps for itself."""
    for word in sorted(KEYWORDS):
        checked(draft_from_schema({"title": word, "properties": {}}, "m", "x.json"))


def test_numbers_are_looked_at_exactly() -> None:
    """Places are counted on the digits of the text, not on binary floats."""
    rows = [read_json('{"rate": 0.1234567890123}')] * 3
    assert "rate: Decimal(13)" in drafted(rows)
