"""Schemas for callers: what they let in the border reads, and what a model is told is true."""

from __future__ import annotations

import copy
import importlib.util
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policylang.facts.factset import FactSet
from policylang.facts.forms import to_json
from policylang.facts.json_schema import (
    anthropic_tool,
    domain_schema,
    fact_schema,
    openai_tool,
    request_schema,
)
from policylang.facts.pydantic_source import pydantic_source
from policylang.facts.reading import reader
from policylang.facts.types import DecimalType, Domain, EnumType
from tests.facts.domains import DOMAINS, values
from tests.facts.shop import BORDER, CUSTOMER, REFUND, REQUEST, SCHEMA, accepted, request

REFUND_SCHEMA = request_schema(SCHEMA, REFUND.name)
CHECKED = jsonschema.Draft202012Validator(
    REFUND_SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


@given(st.data())
def test_every_form_is_valid(data: st.DataObject) -> None:
    """The JSON form of every value of every domain is valid under the domain's schema."""
    domain = data.draw(DOMAINS)
    form = to_json(data.draw(values(domain)), domain.type)
    schema = domain_schema(domain)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(form, schema)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("args__amount", "$48.00"),
        ("args__amount", "1.234"),
        ("args__amount", True),
        ("args__amount", None),
        ("args__color", "blue"),
        ("args__extra", 1),
        ("args__customer_id", ...),
        ("facts__customer__age_days", -1),
        ("facts__customer__age_days", 1.5),
        ("facts__customer", ...),
        ("facts__linked", {"a": "b"}),
        ("facts__nobody", {}),
        ("agent", ...),
        ("agent__scopes", "refunds:write"),
        ("now", "2026-11-22T10:00:00"),
        ("action", "refnd"),
        ("decisions", ["quue"]),
        ("facts__customer", {"value": REQUEST["facts"]["customer"], "source": "oracle"}),
    ],
)
def test_what_the_border_refuses_its_schema_refuses(path: str, value: Any) -> None:
    """A schema for requests refuses wrong types, names, nulls, bounds and lacking facts too."""
    assert not CHECKED.is_valid(request(**{path: value}))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"args__amount": 48},
        {"args__reason": None},
        {"facts__customer": {"value": REQUEST["facts"]["customer"], "source": "tool"}},
        {"facts__seen": {"order": "x"}, "decisions": ["queue"]},
        {"approvals": [{"by": "m", "id": "1", "time": "2026-11-22T09:00:00+02:00"}]},
        {"now": ...},
    ],
)
def test_what_the_schema_lets_in_the_border_reads(changes: dict[str, Any]) -> None:
    """A request in strict forms is valid for its schema and for the border alike."""
    assert CHECKED.is_valid(request(**changes))
    accepted(request(**changes))


def test_only_what_is_read_is_required() -> None:
    """With the relations that a decision reads, the schema requires their facts alone."""
    found = request_schema(SCHEMA, REFUND.name, {"refunds.agent.scopes"})
    assert found["required"] == ["action", "args", "agent"]


def test_a_fact_has_a_schema_of_its_own() -> None:
    """The schema of a fact has its fields, those it requires, and the defaults of the others."""
    found = fact_schema(CUSTOMER)
    assert found["required"] == ["id", "tier", "age_days"]
    assert found["properties"]["flagged"] == {"type": "boolean", "default": False}
    assert found["properties"]["tier"] == {"type": "string", "enum": ["free", "pro", "enterprise"]}
    assert found["properties"]["token"] == {"type": ["string", "null"]}


def test_a_tool_for_models() -> None:
    """An action is a tool in the strict dialect: all fields required, null where one may be missing."""
    function = openai_tool(SCHEMA, REFUND)["function"]
    assert function["name"] == "refund"
    assert function["strict"] is True
    assert function["parameters"] == anthropic_tool(SCHEMA, REFUND)["input_schema"]
    assert function["parameters"] == {
        "type": "object",
        "properties": {
            "customer_id": {"type": "string", "description": "String"},
            "amount": {
                "type": "string",
                "pattern": r"^-?(0|[1-9][0-9]{0,35})(\.[0-9]{1,2})?$",
                "description": "Decimal(2) between 0.00 and 1_000_000.00",
            },
            "color": {
                "type": "string",
                "enum": ["red", "green"],
                "description": "Color (red, green); usually red",
            },
            "reason": {
                "type": ["string", "null"],
                "description": "String; null where there is none",
            },
        },
        "required": ["customer_id", "amount", "color", "reason"],
        "additionalProperties": False,
    }


def test_a_call_of_the_tool_is_a_valid_request() -> None:
    """Arguments as a model gives them for the tool are arguments that the border reads."""
    args = {"customer_id": "c1", "amount": "5.00", "color": "green", "reason": None}
    jsonschema.validate(args, openai_tool(SCHEMA, REFUND)["function"]["parameters"])
    accepted(request(args=args))


def test_the_ends_of_an_enum() -> None:
    """A bounded enum lists the members within its bounds."""
    tiers = Domain(
        EnumType("m.E", SCHEMA.relations[CUSTOMER.name].columns[1].domain.type.members), low="pro"
    )  # type: ignore[union-attr]
    assert domain_schema(tiers)["enum"] == ["pro", "enterprise"]


def test_a_bound_no_float_holds_is_left_to_the_border() -> None:
    """A bound is a number in the schema only where JSON readers will have it exact."""
    domain = Domain(DecimalType(2), low=Decimal("0.10"), high=Decimal("8.25"))
    schema = domain_schema(domain)
    assert schema.get("maximum") == 8.25
    assert "minimum" not in schema
    assert reader(domain)("0.10") == Decimal("0.10")


# --- a module for callers with static types -------------------------------------------------------------


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The generated module of the shop's schema, imported."""
    path: Path = tmp_path_factory.mktemp("generated") / "shop_requests.py"
    path.write_text(pydantic_source(SCHEMA))
    spec = importlib.util.spec_from_file_location("shop_requests", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["shop_requests"] = module
    spec.loader.exec_module(module)
    return module


def test_generated_models_make_valid_requests(generated: ModuleType) -> None:
    """A request built from the generated models is read as it is, as its dump and as its JSON."""
    built = generated.RefundRequest(
        args=generated.Refund(customer_id="c1", amount=Decimal("48.00")),
        agent=generated.Agent(id="bot-7", scopes=frozenset({"refunds:write", "orders:read"})),
        facts=generated.RefundFacts(
            customer=generated.Customer(id="c1", tier=generated.Tier.pro, age_days=400),
            linked=[generated.Linked(a="c1", b="c9")] * 2,
            order=[
                generated.Order(
                    id="o1",
                    customer="c1",
                    lines=[{"sku": "a", "price": "1.00", "tags": ["x"]}],
                )
            ],
        ),
        now="2026-11-22T10:00:00Z",
    )
    facts = accepted(built)
    assert accepted(built.model_dump(mode="json", by_alias=True)).rows == facts.rows
    assert accepted(built.model_dump_json(by_alias=True)).rows == facts.rows
    plain = copy.deepcopy(REQUEST)
    assert isinstance(BORDER.validate(plain), FactSet)
    assert (
        facts.of("refunds.customer")[0].values == accepted(plain).of("refunds.customer")[0].values
    )


def test_generated_models_refuse_what_the_policy_refuses(generated: ModuleType) -> None:
    """The generated models hold bounds, places, lengths and unknown fields."""
    for wrong in ({"amount": "-1"}, {"amount": "1.234"}, {"colour": "red"}, {"color": "blue"}):
        with pytest.raises(ValueError, match="validation error"):
            generated.Refund(**({"customer_id": "c1", "amount": "1"} | wrong))
