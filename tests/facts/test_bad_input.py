"""Inputs of bad shape or bad size, and the ways in which other gates let wrong values through."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policylang.bundle.loading import check_sources
from policylang.diagnostics import Severity, Source
from policylang.facts.compile import compile_border
from policylang.facts.rejection import Rejection, RejectionKind
from policylang.facts.schema import Cardinality, Relation, RelationKind, Schema
from policylang.facts.types import DecimalType, Domain, Field
from tests.facts.shop import BORDER, NOW, REQUEST, only_problem, rejected, request

TEXT = json.dumps(REQUEST)

# --- the first failure of other gates: `amount > 500 -> deny`, and everything else allowed ---------------

PLAIN = compile_border(
    Schema(
        {
            "pay.pay": Relation(
                "pay.pay",
                "pay",
                RelationKind.ACTION,
                Cardinality.ONE,
                (Field("amount", Domain(DecimalType(2), low=Decimal("0.00"))),),
            )
        },
        {},
        {},
    ),
    clock=lambda: NOW,
)


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ('"$4,800.00"', "PL0610"),
        ('"4,800"', "PL0610"),
        ("null", "PL0617"),
        ("NaN", "PL0601"),
        ('"NaN"', "PL0625"),
        ("Infinity", "PL0601"),
        ("1e400", "PL0613"),
        ("true", "PL0609"),
        ("[4800]", "PL0609"),
        ('{"amount": 4800}', "PL0609"),
    ],
)
def test_failure_1_an_amount_that_is_no_number_reaches_no_rule(amount: str, code: str) -> None:
    """What slips past `amount > 500` elsewhere is refused here before any rule, with its path."""
    answer = PLAIN.validate(f'{{"action": "pay", "args": {{"amount": {amount}}}}}')
    assert isinstance(answer, Rejection)
    (problem,) = answer.problems
    assert problem.code == code
    assert problem.path == ("" if code == "PL0601" else "pay.amount")


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), Decimal("NaN"), None, "4,800"])
def test_failure_1_as_python_objects(amount: Any) -> None:
    """The same values as Python objects are refused as well."""
    answer = PLAIN.validate({"action": "pay", "args": {"amount": amount}})
    assert isinstance(answer, Rejection)
    assert answer.at("pay.amount")


def test_failure_1_an_undeclared_field_is_refused() -> None:
    """A field that no declaration knows is told, and not ignored in silence."""
    answer = PLAIN.validate({"action": "pay", "args": {"amount": 1, "ammount": 9999}})
    assert isinstance(answer, Rejection)
    (problem,) = answer.problems
    assert (problem.code, problem.path) == ("PL0606", "pay.ammount")
    assert problem.hint == "did you mean `amount`?"


def test_failure_1_a_rule_over_an_undeclared_field_is_no_policy() -> None:
    """A rule over a field that does not exist never matches elsewhere; here it is an error of the policy."""
    checked = check_sources(
        [
            Source(
                "pay.policy",
                "module pay\naction pay { amount: Decimal(2) }\n"
                "rule small: allow pay\nrule large: deny pay if pay.amont > 500\n",
            )
        ]
    )
    assert checked.result.program is None or checked.has_errors
    (error,) = [d for d in checked.diagnostics if d.severity is Severity.ERROR]
    assert "amont" in error.message
    assert error.hint == "did you mean `amount`?"


# --- text that is no request ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("  \n", "it is empty"),
        ("{", "EOF"),
        ("nonsense", "expected"),
        (TEXT[:-1], "EOF"),
        (TEXT + TEXT, "trailing"),
        ("\ufeff" + TEXT, "byte order mark"),
        ('{"action": "a", "action": "b"}', 'key is given twice: "action"'),
        ('{"a": {"b": [{"c": 1, "c": 2}]}}', 'key is given twice: "c"'),
        ("[" * 100_000, "more than 200 levels"),
        ('{"a":' * 100_000, "more than 200 levels"),
        (f'{{"action": {"1" * 100_000}}}', "out of range"),
        ('{"action": 1e999999999999999999999}', "out of range"),
        ('{"action": "\\ud800"}', "hex escape"),
        ("\ud800", "surrogate"),
        (b"\xff\xfe", "expected"),
    ],
)
def test_text_that_is_no_json(text: str | bytes, said: str) -> None:
    """Text that is no strict JSON is a bad request, and the message says what and where."""
    answer = BORDER.validate(text)
    assert isinstance(answer, Rejection)
    assert answer.kind is RejectionKind.BAD_REQUEST
    assert said in answer.text()


@pytest.mark.parametrize("given", ["[]", "1", "null", '"refund"', [], None, 7, object(), {1, 2}])
def test_what_is_no_object_is_no_request(given: Any) -> None:
    """JSON that is no object, and Python objects that are no mapping, are bad requests."""
    assert only_problem(given, RejectionKind.BAD_REQUEST).code == "PL0603"


@pytest.mark.parametrize("action", [None, 1, [], {}, True])
def test_an_action_is_a_name(action: Any) -> None:
    """An action that is no string is a bad request."""
    assert only_problem({"action": action}, RejectionKind.BAD_REQUEST).path == "action"
    assert only_problem({}, RejectionKind.BAD_REQUEST).received == "nothing"


# --- Python objects of any shape ------------------------------------------------------------------------


def _cycle() -> list[Any]:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


def _cyclic_dict() -> dict[str, Any]:
    cycle: dict[str, Any] = {}
    cycle["value"] = cycle
    cycle["source"] = "user"
    return cycle


def _nested(depth: int) -> Any:
    nested: Any = 1
    for _ in range(depth):
        nested = [nested]
    return nested


@pytest.mark.parametrize(
    "junk",
    [_cycle(), _cyclic_dict(), _nested(100_000), 10**1500, float("nan"), "\ud800", object(), print],
    ids=["cycle", "cyclic dict", "deep", "huge", "nan", "surrogate", "object", "function"],
)
@pytest.mark.parametrize(
    "place",
    [
        "args",
        "args__amount",
        "agent",
        "agent__scopes",
        "facts",
        "facts__customer",
        "facts__linked",
        "facts__order",
        "now",
        "history",
        "approvals",
        "decisions",
    ],
)
def test_no_object_raises(junk: Any, place: str) -> None:
    """Cyclic, deep, huge and foreign objects are refused wherever they stand."""
    found = rejected(request(**{place: junk}))
    assert found.text()
    assert len(json.dumps(found.to_json())) < 10_000


def test_an_int_too_long_to_write_is_refused() -> None:
    """An Int that Python itself would not write out is refused, and shown by its number of digits."""
    problem = only_problem(request(args__amount=10**100_000))
    assert problem.code == "PL0613"
    assert problem.received == "a number of some 100001 digits"


def test_problems_are_listed_up_to_a_limit() -> None:
    """A request with very many problems lists the first thousand and counts the others."""
    found = rejected(request(facts__linked=[{}] * 5_000))
    assert len(found.problems) == 1_000
    assert found.more == 9_000
    assert "and 9000 more" in found.text()


# --- sizes ----------------------------------------------------------------------------------------------

LONG: dict[str, Callable[[int], Any]] = {
    "string": lambda n: request(args__reason="x" * n),
    "string for a number": lambda n: request(args__amount="1" * n),
    "string for an amount": lambda n: request(args__amount="$" + "1," * (n // 2)),
    "string for an enum": lambda n: request(facts__customer__tier="p" * n),
    "string for a time": lambda n: request(now="2026-11-22T10:00:00" + "0" * n),
    "string as text": lambda n: json.dumps(request(args__reason="é" * (n // 2))),
    "digits as text": lambda n: TEXT.replace('"48.00"', "9" * n),
    "places as text": lambda n: TEXT.replace('"48.00"', "0." + "9" * n),
    "nesting": lambda n: TEXT.replace('"48.00"', "[" * n),
    "rows": lambda n: request(facts__linked=[{"a": "x", "b": "y"}] * (n // 100)),
    "wrong rows": lambda n: request(facts__linked=[{"a": 1, "b": "y"}] * (n // 100)),
    "unknown fields": lambda n: request(args={f"f{i}": 1 for i in range(n // 100)}),
    "unknown facts": lambda n: request(facts={f"f{i}": 1 for i in range(n // 100)}),
    "scopes": lambda n: request(agent__scopes=[str(i) for i in range(n // 100)]),
    "history": lambda n: request(history=[{}] * (n // 100)),
}


@pytest.mark.parametrize("build", LONG.values(), ids=LONG.keys())
def test_time_is_linear(build: Callable[[int], Any]) -> None:
    """Four times the input takes not much more than four times the time, for inputs of megabytes."""
    small, large = (_seconds(build(n)) for n in (500_000, 2_000_000))
    # What is quadratic in half a million would take hours; the slack is for a busy machine.
    assert large < 10 * small + 2


@pytest.mark.slow
@pytest.mark.parametrize("build", LONG.values(), ids=LONG.keys())
def test_ten_megabytes_are_answered(build: Callable[[int], Any]) -> None:
    """An input of ten megabytes is answered within seconds."""
    assert _seconds(build(10_000_000)) < 5


def _seconds(given: Any) -> float:
    start = time.process_time()
    BORDER.validate(given)
    return time.process_time() - start
