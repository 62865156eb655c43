"""The JSON form of decisions and fact sets: documented, without floats, the same bytes for equal things."""

from __future__ import annotations

import dataclasses
import datetime as dt
import ipaddress
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from policylang.decide.decide import Authorizer, decide, refuse
from policylang.decide.decision import Assignment
from policylang.decide.json import (
    canonical,
    decision_to_json,
    facts_to_json,
    firings_to_json,
    plain,
)
from policylang.decide.text import Role, render
from policylang.errors import InternalError
from policylang.evaluate.firings import Failure, Firing
from policylang.facts.rejection import NeededFact, Problem, Rejection, RejectionKind
from policylang.facts.schema import DecisionDeclaration, Source
from policylang.facts.types import STRING, Domain
from policylang.facts.values import MISSING, Record, Value
from tests.decide.building import NOW, decided, facts
from tests.decide.refunds import REFUNDS, request
from tests.reference.evaluator import evaluate
from tests.reference.generator import Case, cases

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"
DECISION = jsonschema.Draft202012Validator(
    json.loads((SCHEMAS / "decision.schema.json").read_text(encoding="utf-8"))
)

FAILED = decide(REFUNDS, request(), Failure("refunds.fraud", "PL0701", "division by zero"))
REFUSED = refuse(
    REFUNDS,
    Rejection(
        RejectionKind.NEEDS_FACTS,
        "refunds.refund",
        (Problem("PL0608", "customer", "/facts/customer", "the request lacks this fact"),),
        (NeededFact("refunds.customer", ("id: String",)),),
    ),
)
APPROVED: dict[str, Any] = {"approval": [("board", "a1", NOW), ("manager", "a2", NOW)]}

EVERY_KIND = {
    "allow": decided(REFUNDS, request()),
    "nothing allows": decided(REFUNDS, request(scopes=())),
    "forbidden": decided(REFUNDS, request(flagged=True)),
    "approval": decided(REFUNDS, request("300.00")),
    "approved": decided(REFUNDS, request("300.00", flagged=True, **APPROVED)),
    "failed": FAILED,
    "refused": REFUSED,
    "conflict": dataclasses.replace(
        decided(REFUNDS, request()),
        values={"refunds.queue": Assignment("refunds.queue", None, ("refunds.a",), True)},
    ),
}


def _has_nothing_empty(form: object) -> bool:
    if isinstance(form, dict):
        return all(
            value not in (None, "", [], {}) and _has_nothing_empty(value) for value in form.values()
        )
    return all(map(_has_nothing_empty, form)) if isinstance(form, list) else True


@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_form_is_the_documented_one(name: str) -> None:
    """Every kind of decision is valid by the schema, and what is absent is left out."""
    form = decision_to_json(EVERY_KIND[name])
    DECISION.validate(form)
    assert _has_nothing_empty(form)
    assert json.loads(canonical(form)) == form


def test_the_form_of_an_allow() -> None:
    """An allow says its reason, its rule, its duties and its values."""
    assert decision_to_json(EVERY_KIND["allow"]) == {
        "form": 1,
        "action": "refunds.refund",
        "outcome": "allow",
        "reasons": [
            {
                "kind": "allowed",
                "rule": "refunds.small_refund",
                "message": "a refund of 48.00 is within 500.00",
            }
        ],
        "determining": ["refunds.small_refund"],
        "obligations": [{"name": "log", "arguments": {"level": "info"}, "rule": "refunds.log"}],
        "values": {"refunds.queue": {"value": "fast", "rules": ["refunds.fast_queue"]}},
        "program": {
            "digest": "p1",
            "modules": [{"name": "refunds", "version": "1.4.0", "digest": "d1", "meaning": "m1"}],
        },
    }


def test_the_form_of_a_failure_and_of_a_refusal() -> None:
    """A failed evaluation adds its error, a refused request its problems."""
    assert decision_to_json(FAILED)["error"] == {
        "code": "PL0701",
        "message": "division by zero",
        "rule": "refunds.fraud",
    }
    assert decision_to_json(REFUSED)["rejection"]["needs"] == [
        {"fact": "refunds.customer", "fields": ["id: String"]}
    ]


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (True, True),
        (9612497925, 9612497925),
        (Decimal("48.00"), "48.00"),
        (Decimal("1E+3"), "1000"),
        ("é\n", "é\n"),
        (dt.date(2026, 11, 20), "2026-11-20"),
        (NOW, "2026-11-22T10:00:00Z"),
        (dt.time(9, 30), "09:30:00"),
        (dt.timedelta(hours=4), "PT4H"),
        (ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
        (ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8"),
        (frozenset({"b", "a"}), ["a", "b"]),
        ((2, 1), [2, 1]),
        (Record(("a", MISSING)), ["a", None]),
    ],
)
def test_each_value_has_one_form(value: Value, form: object) -> None:
    """A value is written exactly, never through a float."""
    assert plain(value) == form


def test_an_int_of_any_length_can_be_written() -> None:
    """An Int past what Python prints is written digit by digit, as a string."""
    assert plain(10**5000) == "1" + "0" * 5000


def test_canonical_bytes_have_one_order_and_no_escapes() -> None:
    """Keys are sorted by code point, text is UTF-8, and there is no space."""
    assert (
        canonical({"b": 1, "a": {"é": [True, "\u2028"]}})
        == '{"a":{"é":[true,"\u2028"]},"b":1}'.encode()
    )


def test_a_float_never_reaches_canonical_bytes() -> None:
    """A float anywhere in a form is a bug."""
    with pytest.raises(InternalError, match="float"):
        canonical({"a": [1, {"b": 0.5}]})


def test_equal_numbers_give_equal_bytes() -> None:
    """Firings whose numbers are equal but written differently have the same canonical bytes."""
    rule = "refunds.small_refund"
    forms = [
        canonical({"f": firings_to_json([Firing(rule, (number,))], REFUNDS)})
        for number in (Decimal("500"), Decimal("500.00"), Decimal("5E+2"), 500)
    ]
    assert len(set(forms)) == 1
    assert b'"Cap":"500.00"' in forms[0]


def test_the_form_of_a_fact_set() -> None:
    """A fact set is written row by row, missing columns left out, lesser sources named."""
    asked = facts(
        "refunds.refund",
        {"refunds.linked": Source.USER},
        refunds__refund=[("c1", Decimal("48.00"), MISSING)],
        refunds__linked=[("c1", "c9")],
    )
    assert facts_to_json(asked, REFUNDS.schema) == {
        "form": 1,
        "action": "refunds.refund",
        "now": "2026-11-22T10:00:00Z",
        "rows": {
            "now": [{"values": {"now": "2026-11-22T10:00:00Z"}}],
            "refunds.linked": [{"values": {"a": "c1", "b": "c9"}, "source": "user"}],
            "refunds.refund": [{"values": {"customer_id": "c1", "amount": "48.00"}}],
        },
    }


@settings(max_examples=60)
@given(cases())
def test_every_decision_and_fact_set_has_canonical_bytes(found: Case) -> None:
    """Whatever is decided can be written by the schema, and written again to the same bytes."""
    declared = DecisionDeclaration("m.queue", Domain(STRING), "normal")
    schema = dataclasses.replace(found.program.schema, decisions={"m.queue": declared})
    policy = dataclasses.replace(found.program, schema=schema)
    authorizer = Authorizer(policy, found.reference)
    for asked in found.requests:
        form = decision_to_json(authorizer.decide(asked, evaluate(policy, found.reference, asked)))
        DECISION.validate(form)
        for written in (form, facts_to_json(asked, schema)):
            assert canonical(json.loads(canonical(written))) == canonical(written)


# --- text ---------------------------------------------------------------------------------------------


def test_the_text_of_a_decision() -> None:
    """A decision reads as its outcome, its reasons, and a line for each other thing it says."""
    assert render(EVERY_KIND["approved"]).splitlines() == [
        "allow refund",
        "  refund has the approval by manager that it needs (large_refund)",
        "  refund is allowed by the rule board_exception (board_exception)",
        "  suppressed fraud by board_exception",
        "  requires approval by manager within 4 hours (granted), by large_refund",
        "  obliges log(level: info), by log",
        "  sets queue to fast, by fast_queue",
    ]


def test_the_text_of_what_did_not_go_well() -> None:
    """Conflicts, defaults and failures each read as what they are."""
    assert "sets queue to nothing: rules conflict, by a" in render(EVERY_KIND["conflict"])
    assert "sets queue to normal (default)" in render(decided(REFUNDS, request(tier="free")))
    assert "error PL0701: division by zero" in render(FAILED)


@pytest.mark.parametrize("name", EVERY_KIND)
def test_a_style_changes_no_text(name: str) -> None:
    """A style only dresses the text: without the dress it is the plain text."""

    def dressed(role: Role, text: str) -> str:
        return f"<{role}>{text}</{role}>"

    text = render(EVERY_KIND[name], dressed)
    for role in ("allow", "deny", "needs_approval", "rule", "label", "quiet"):
        text = text.replace(f"<{role}>", "").replace(f"</{role}>", "")
    assert text == render(EVERY_KIND[name])
