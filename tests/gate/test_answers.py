"""Answers: what stood in the way, what would be allowed, when to ask again; and nothing internal to customers."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policylang import loads
from policylang.bundle.case import Case
from policylang.gate.answer import AnswerKind, Retry, When, refused
from policylang.gate.answer_allowed import instead_of, later
from policylang.gate.answer_json import answer_to_json
from policylang.gate.answer_making import answer_of
from policylang.gate.answer_text import for_customer, for_model

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"
ANSWER = jsonschema.Draft202012Validator(
    json.loads((SCHEMAS / "answer.schema.json").read_text(encoding="utf-8"))
)

SHOP = loads("""
module shop
fact agent { id: String key, scopes: Set[String] }
fact customer { id: String, tier: String, age_days: Int in 0 .., pin: String? secret }
action refund { customer_id: String, amount: Decimal(2) in 0.01 .. 10_000.00, parts: Int in 1 .. 12 = 1 }
action ship { pieces: Int }
param auto_limit: Decimal(2) = 200.00
table cap (tier: String, most: Decimal(2)) { | "free" | 50.00 | | "pro" | 500.00 | }

rule small: allow refund
  if agent.scopes has "refunds:write" and refund.amount <= auto_limit
  and cap(tier: customer.tier, most: M) and refund.amount <= M
  because "a refund of {refund.amount} is within {auto_limit}"
rule large: require approval(by: "manager", within: 4 hours) for refund
  if refund.amount > auto_limit and refund.amount <= 1_000.00
  because "{refund.amount} is above {auto_limit}"
rule young: deny refund if customer.age_days < 30 because internal "the account is younger than the fraud window"
rule secret_pin: deny refund if customer.pin > "8"
limit weekly: refund to 3 per refund.customer_id in 7 days because "three refunds a week are enough"
limit budget: sum(refund.amount) to 1_000.00 per refund.customer_id in 1 day

rule broken: allow ship if 10 / (ship.pieces - ship.pieces) > 1
""")
NOW = "2026-11-22T10:00:00Z"


def asked(amount: str = "480.00", **changes: Any) -> Case:
    """A refund that is asked for; `changes` are made to the request."""
    customer = {"id": "c1", "tier": "pro", "age_days": 400, **changes.pop("customer", {})}
    args = {"customer_id": "c1", "amount": amount, **changes.pop("args", {})}
    return SHOP.case(
        {
            "action": "refund",
            "args": args,
            "agent": {"id": "bot-7", "scopes": ["refunds:write"]},
            "facts": {"customer": customer},
            "now": NOW,
            **changes,
        }
    )


def earlier(amount: str, day: int, hour: int = 9) -> dict[str, Any]:
    """An earlier refund of the same customer."""
    args = {"customer_id": "c1", "amount": amount}
    return {"action": "refund", "args": args, "time": f"2026-11-{day:02}T{hour:02}:00:00Z"}


THREE = [earlier("1.00", day) for day in (18, 19, 20)]
EVERY_KIND = {
    "allow": asked("48.00"),
    "needs approval": asked(),
    "nothing allows": asked("150.00", customer={"tier": "free"}),
    "forbidden": asked(customer={"age_days": 3}),
    "secret": asked(customer={"pin": "9999"}),
    "limit of calls": asked("5.00", history=THREE),
    "limit of a sum": asked("100.00", history=[earlier("950.00", 22)]),
    "out of range": asked("20000.00"),
    "invalid": asked("$480.00"),
    "lacks facts": asked(facts={}),
    "no such action": asked(action="refnd"),
    "no request": SHOP.case("[]"),
    "failed": SHOP.case({"action": "ship", "args": {"pieces": 3}}),
}


@pytest.mark.parametrize("name", EVERY_KIND)
@pytest.mark.parametrize("internal", [True, False])
def test_the_form_is_the_documented_one(name: str, internal: bool) -> None:
    """Every kind of answer is valid by the schema, with and without what is internal."""
    ANSWER.validate(answer_to_json(answer_of(EVERY_KIND[name], "d-1", "t-1"), internal=internal))


def test_an_answer_of_the_gate_has_the_same_form() -> None:
    """What the gate refuses by itself is an answer like any other."""
    for kind in AnswerKind:
        ANSWER.validate(answer_to_json(refused("shop.refund", kind, "no", retry=Retry(When.NEVER))))


def test_a_bound_has_the_value_and_the_limit() -> None:
    """The comparison that blocked a call is named with what came and what may be, and where that stands."""
    (bound,) = answer_of(EVERY_KIND["needs approval"]).bounds
    assert (bound.path, bound.operator, bound.value, bound.limit) == (
        "refund.amount", "<=", "480.00", "200.00",
    )  # fmt: skip
    assert (bound.rule, bound.param, bound.says) == (
        "shop.large",
        "shop.auto_limit",
        "at most 200.00",
    )


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("nothing allows", [("refund.amount", "at most 50.00", "150.00")]),
        ("limit of calls", [("weekly", "at most 3", 4)]),
        ("limit of a sum", [("budget", "at most 1000.00", "1050.00")]),
        ("out of range", [("refund.amount", "at most 10000.00", "20000.00")]),
        ("forbidden", [("customer.age_days", "at least 30", 3)]),
        ("secret", [("customer.pin", 'at most "8"', None)]),
    ],
)
def test_every_kind_of_bound(name: str, bounds: list[tuple[str, str, object]]) -> None:
    """Conditions that failed, limits with this call counted, declared ranges, and denials turned round; secrets masked."""
    found = answer_of(EVERY_KIND[name]).bounds
    assert [(bound.path, bound.says, bound.value) for bound in found] == bounds


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("needs approval", [("refund.amount", "at most 200.00")]),
        ("nothing allows", [("refund.amount", "at most 50.00")]),
        ("limit of a sum", [("refund.amount", "at most 50.00")]),
        ("forbidden", []),
        ("limit of calls", []),
        ("out of range", []),
    ],
)
def test_what_would_be_allowed(name: str, instead: list[tuple[str, str]]) -> None:
    """The range of values that get through, where one does: the free rest of a budget, too."""
    found = answer_of(EVERY_KIND[name]).instead
    assert [(each.path, each.says) for each in found] == instead


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("allow", None),
        ("needs approval", When.APPROVED),
        ("nothing allows", When.CHANGED),
        ("forbidden", When.NEVER),
        ("invalid", When.CORRECTED),
        ("lacks facts", When.FACTS),
        ("no such action", When.NEVER),
        ("failed", When.NEVER),
    ],
)
def test_when_to_ask_again(name: str, when: When | None) -> None:
    """Whether asking again makes sense follows from why the call was refused."""
    retry = answer_of(EVERY_KIND[name]).retry
    assert (None if retry is None else retry.when) is when


def test_a_limit_says_when_it_is_free_again() -> None:
    """A call that a limit stops may be tried when the oldest of those that count leaves the window: then it is allowed."""
    retry = answer_of(EVERY_KIND["limit of calls"]).retry
    assert retry is not None
    assert retry.after == dt.datetime(2026, 11, 25, 9, tzinfo=dt.UTC)
    for minutes, outcome in ((0, "allow"), (-1, "deny")):
        at = retry.after + dt.timedelta(minutes=minutes)
        again = asked("5.00", history=THREE, now=at.isoformat())
        assert again.decision.outcome.value == outcome


def test_bounds_point_to_what_is_allowed() -> None:
    """Of a rule with two ends, only the bound towards what gets through is named."""
    says = [bound.says for bound in answer_of(EVERY_KIND["needs approval"]).bounds]
    assert says == ["at most 200.00"]


@pytest.mark.parametrize(
    ("rules", "when"),
    [
        ('rule hours: deny act if weekday(now, "Europe/Berlin") >= 6', When.LATER),
        ("rule old: deny act if act.x > 5", When.CHANGED),
        ("rule never_so: deny act if act.x * act.x > 25", When.NEVER),
        ("define closed if now < 2026-12-01T00:00:00Z rule shut: deny act if closed", When.LATER),
        (
            'rule other: deny act if act.x * act.x > 25 rule hours: oblige log() on act if weekday(now, "UTC") > 5',
            When.NEVER,
        ),
    ],
)
def test_never_is_said_where_no_time_helps(rules: str, when: When) -> None:
    """Where a rule in the way reads the time, a call may be tried later, at a time where that can be found; else never."""
    bundle = loads(f"module m action act {{ x: Int in 0 .. 9 }} rule all: allow act {rules}")
    case = bundle.case({"action": "act", "args": {"x": 9}, "now": NOW})
    retry = answer_of(case).retry
    assert retry is not None
    assert retry.when is when
    assert (retry.after is not None) == ("closed" in rules)


def test_nothing_internal_reaches_a_model_or_a_customer() -> None:
    """Reasons marked internal, their rules and their bounds are in neither text, nor in the JSON for others."""
    answer = answer_of(EVERY_KIND["forbidden"])
    texts = [
        for_model(answer),
        for_customer(answer),
        json.dumps(answer_to_json(answer, internal=False)),
    ]
    for text in texts:
        assert "fraud" not in text
        assert "young" not in text
        assert "age_days" not in text
    assert "fraud window" in json.dumps(answer_to_json(answer))


@pytest.mark.parametrize("name", EVERY_KIND)
def test_a_customer_reads_no_names(name: str) -> None:
    """The text for a customer holds no name of a rule, fact, field, or code."""
    text = for_customer(answer_of(EVERY_KIND[name], "d-1", "t-1"))
    for word in ("shop", "refund.", "_", "PL0", "weekly", "t-1", "d-1", "manager"):
        assert word not in text


def test_the_texts_for_a_model() -> None:
    """What a model reads is short and says what to do."""
    assert for_model(answer_of(EVERY_KIND["needs approval"], "d-1", "t-1")) == (
        "`refund` was not run yet: a person has to approve it.\n"
        "- 480.00 is above 200.00\n"
        "- refund.amount would have to be at most 200.00 (got 480.00).\n"
        "An approval by manager is asked for under t-1. Do not call it again until it is granted."
        " Without one it would be possible with refund.amount at most 200.00."
    )
    assert for_model(answer_of(EVERY_KIND["limit of calls"])).endswith(
        "Do not try it again before 2026-11-25T09:00:00Z."
    )
    assert for_customer(answer_of(EVERY_KIND["limit of calls"])) == (
        "This cannot be done. Three refunds a week are enough. Please try again later."
    )


# --- exactness -----------------------------------------------------------------------------------------

NUMBERS = st.integers(0, 12)
CONDITIONS = st.sampled_from(
    [
        "act.x {op} {n}", "act.x in {n} .. {m}", "not (act.x {op} {n})", "act.x + k.a {op} {n}",
        "k.a - act.x {op} {n}", "(act.x {op} {n} or act.y == {m})", "cap(a: k.a, most: M) and act.x {op} M",
        "bigger(k.a) and act.x {op} {n}", "steep", "act.x {op} k.a", "D == act.x - k.a and D {op} {n}",
        "count(row(v: V) and V < act.x) {op} {n}", "row(v: W) and act.x {op} W", "act.x * 2 {op} {n}", "row(v: act.x)",
    ]
)  # fmt: skip
OPERATORS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
EFFECTS = st.sampled_from(["allow act", "deny act", 'require approval(by: "m") for act'])


@st.composite
def rules(draw: st.DrawFn) -> str:
    """A rule about `act` with one or two conditions."""
    conditions = [
        draw(CONDITIONS).format(op=draw(OPERATORS), n=draw(NUMBERS), m=draw(NUMBERS))
        for _ in range(draw(st.integers(1, 2)))
    ]
    return f"{draw(EFFECTS)} if {' and '.join(conditions)}"


WORLD = """module m
fact k {{ a: Int }}
facts row {{ v: Int }}
action act {{ x: Int in 0 .. 12, y: Int = 0 }}
table cap (a: Int, most: Int) {{ | 1 | 4 | | 1 | 7 | | 2 | 9 | }}
define bigger(A) if cap(a: A, most: M) and M > 5
define steep if act.x > 6 and k.a < 3
rule r0: {}
rule r1: {}
rule r2: {}
"""


@settings(max_examples=80)
@given(
    st.tuples(rules(), rules(), rules()),
    st.integers(0, 12),
    st.integers(0, 3),
    st.lists(NUMBERS, max_size=3),
)
def test_what_is_said_to_be_allowed_is_exactly_what_is(
    written: tuple[str, str, str], x: int, a: int, row: list[int]
) -> None:
    """Deciding every value of an argument gives the outcome that was said inside the range, and another right beside it."""
    bundle = loads(WORLD.format(*written))

    def case(value: int) -> Case:
        facts = {"k": {"a": a}, "row": [{"v": v} for v in row]}
        return bundle.case({"action": "act", "args": {"x": value}, "facts": facts, "now": NOW})

    asked_for = case(x)
    assume(asked_for.decision.outcome.value != "allow")
    for each in instead_of(asked_for):
        if each.path != "act.x":
            continue
        low, high = (0 if each.low is None else each.low), (12 if each.high is None else each.high)
        for value in range(13):
            got = case(value).decision.outcome.value == each.outcome.value
            if low <= value <= high:  # type: ignore[operator]
                assert got
            elif value in (low - 1, high + 1):  # type: ignore[operator]
                assert not got


@pytest.mark.parametrize(
    "condition",
    [
        "act.x * act.x <= 9",
        "row(v: act.x)",
        "count(row(v: V) and V + act.x < 9) == 0 and round(act.x / 2) <= 3",
        "through(act.x)",
    ],
)
def test_nothing_is_said_where_it_cannot_be_proved(condition: str) -> None:
    """Where a rule does more with a value than compare it, no range is named, though some value would get through."""
    bundle = loads(
        "module m facts row { v: Int } action act { x: Int in 0 .. 99 } "
        "define through(X) if row(v: X) and X < 5 "
        f"rule r: allow act if {condition}"
    )
    case = bundle.case(
        {"action": "act", "args": {"x": 50}, "facts": {"row": [{"v": 1}]}, "now": NOW}
    )
    assert case.decision.outcome.value == "deny"
    assert instead_of(case) == ()


@given(
    st.lists(st.tuples(st.integers(16, 22), st.integers(0, 9)), min_size=3, max_size=6),
    st.decimals(1, 400, places=2),
)
@settings(max_examples=40)
def test_the_time_to_ask_again_is_the_first_that_is_not_denied(
    calls: list[tuple[int, int]], amount: Decimal
) -> None:
    """Just before the time that is named the call is still denied, and at it no longer."""
    history = [earlier("300.00", day, hour) for day, hour in calls]
    now = asked(str(amount), history=history)
    assume(now.decision.outcome.value == "deny")
    moment = later(now)
    assert moment is not None
    outcomes = [
        asked(str(amount), history=history, now=at.isoformat()).decision.outcome.value
        for at in (moment - dt.timedelta(microseconds=1), moment)
    ]
    assert outcomes[0] == "deny"
    assert outcomes[1] != "deny"
