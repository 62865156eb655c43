"""The border: valid requests become exact facts, others are refused before any rule, and told why."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import BaseModel

from policylang.facts.compile import compile_border
from policylang.facts.factset import Cell, Change, FactSet
from policylang.facts.rejection import Rejection, RejectionKind
from policylang.facts.schema import Source
from policylang.facts.values import MISSING, Record
from tests.facts.shop import (
    BORDER,
    NOW,
    REQUEST,
    SCHEMA,
    accepted,
    only_problem,
    rejected,
    request,
    values,
)


def test_a_valid_request_becomes_exact_facts() -> None:
    """Each relation holds the declared columns in their order, with exact values."""
    facts = accepted(REQUEST)
    assert facts.action == "refunds.refund"
    assert facts.now == NOW
    assert values(facts, "refunds.refund") == [("c1", Decimal("48.00"), "red", MISSING)]
    assert values(facts, "refunds.customer") == [("c1", "pro", 400, False, MISSING)]
    assert values(facts, "refunds.linked") == [("c1", "c9"), ("c1", "c9")]
    assert values(facts, "now") == [(NOW,)]
    assert values(facts, "refunds.money") == [(Decimal("48.00"),)]


def test_text_bytes_and_objects_are_one() -> None:
    """A request as text, bytes, a dict or another mapping has the same facts."""
    text = json.dumps(REQUEST)
    wholes = [text, text.encode(), bytearray(text.encode()), REQUEST, MappingProxyType(REQUEST)]
    assert all(accepted(whole) == accepted(REQUEST) for whole in wholes)


def test_json_numbers_are_read_from_their_text() -> None:
    """`50.88` and a large Int arrive exact, and 38 digits do too."""
    text = json.dumps(request(args__amount="AMOUNT", facts__customer__age_days=9612497925))
    facts = accepted(text.replace('"AMOUNT"', "50.88"))
    assert values(facts, "refunds.refund")[0][1] == Decimal("50.88")
    assert values(facts, "refunds.customer")[0][2] == 9612497925


def test_where_rows_come_from() -> None:
    """Facts are the system's and arguments the model's, where the request does not say otherwise."""
    facts = accepted(REQUEST)
    assert facts.of("refunds.customer")[0].source is Source.SYSTEM
    assert facts.of("refunds.agent")[0].source is Source.SYSTEM
    assert facts.of("refunds.refund")[0].source is Source.MODEL
    assert facts.of("refunds.money")[0].source is Source.MODEL


def test_a_row_may_say_where_it_comes_from() -> None:
    """`{"value": ..., "source": ...}` is the row with its source, for one fact, many, and arguments."""
    given = request(
        args={"value": REQUEST["args"], "source": "user"},
        facts__linked=[{"a": "x", "b": "y"}, {"value": {"a": "p", "b": "q"}, "source": "tool"}],
        facts__customer={"value": REQUEST["facts"]["customer"], "source": "tool"},
    )
    facts = accepted(given)
    assert [row.source for row in facts.of("refunds.linked")] == [Source.SYSTEM, Source.TOOL]
    assert facts.of("refunds.customer")[0].source is Source.TOOL
    assert facts.of("refunds.refund")[0].source is Source.USER


def test_a_lesser_source_than_declared_is_refused() -> None:
    """What the model says of a fact that is declared `from tool` reaches no rule."""
    given = request(facts__customer={"value": REQUEST["facts"]["customer"], "source": "model"})
    problem = only_problem(given)
    assert (problem.code, problem.path) == ("PL0621", "customer")
    assert "from tool" in problem.message
    assert problem.hint == "a row has to come from tool or system"


def test_an_unknown_source_is_refused() -> None:
    """A source that is none of the four is told with the four."""
    given = request(facts__linked=[{"value": {"a": "p", "b": "q"}, "source": "oracle"}])
    assert only_problem(given).expected == "one of model, user, tool, system"


def test_defaults_are_applied_and_marked() -> None:
    """A field that is not given has its default, and the facts say that it was not given."""
    facts = accepted(REQUEST)
    assert facts.defaults == (
        Cell("refunds.customer", 0, "flagged"),
        Cell("refunds.refund", 0, "color"),
    )
    assert accepted(request(args__color="red", facts__customer__flagged=False)).defaults == ()


def test_changes_keep_what_was_received() -> None:
    """A normalized value is kept with the text it came from and the normalizers that changed it."""
    facts = accepted(request(args__amount=" $4,800.00", facts__customer__tier=" PRO"))
    assert facts.changes == (
        Change(Cell("refunds.customer", 0, "tier"), "", " PRO", "pro", ("trim", "lower")),
        Change(
            Cell("refunds.refund", 0, "amount"), "", " $4,800.00", Decimal("4800.00"), ("currency",)
        ),
    )
    assert accepted(request(args__amount="48", facts__customer__tier="pro")).changes == ()


def test_another_spelling_is_a_change() -> None:
    """Another spelling of an enum's member is told as such."""
    (change,) = accepted(request(facts__customer__tier="Professional")).changes
    assert change.by == ("lower", "spelling")


def test_null_is_missing_where_a_field_may_be() -> None:
    """An optional field given as null is missing; null for any other is refused."""
    assert values(accepted(request(args__reason=None)), "refunds.refund")[0][3] is MISSING
    assert only_problem(request(args__amount=None)).code == "PL0617"
    assert only_problem(request(args__color=None)).code == "PL0617"


ORDERS = [
    {
        "id": "o1",
        "customer": "c1",
        "lines": [
            {"sku": "a", "price": "1.00", "tags": ["x", "b"]},
            {"sku": "b", "price": "$2", "note": None},
        ],
    },
    {"id": "o2", "customer": "c1", "lines": [], "paid": "2026-01-02"},
]


def test_lists_and_sets_are_unfolded() -> None:
    """A list of records is rows beside the key and position, a set inside it rows beside both."""
    facts = accepted(request(facts__order=ORDERS))
    assert values(facts, "refunds.order.lines") == [
        ("o1", 1, "a", Decimal("1.00"), MISSING, frozenset({"x", "b"})),
        ("o1", 2, "b", Decimal("2.00"), MISSING, frozenset()),
    ]
    assert values(facts, "refunds.order.lines.tags") == [("o1", 1, "b"), ("o1", 1, "x")]
    assert values(facts, "refunds.agent.scopes") == [
        ("bot-7", "orders:read"),
        ("bot-7", "refunds:write"),
    ]
    line = values(facts, "refunds.order")[0][2][1]
    assert line == Record(("b", Decimal("2.00"), MISSING, frozenset()))
    (change,) = facts.changes
    assert (change.cell, change.place) == (Cell("refunds.order", 0, "lines"), "[1].price")


def test_a_path_into_a_list_is_exact() -> None:
    """A problem inside a list of records names row, position and field, and points into the request."""
    orders = json.loads(json.dumps(ORDERS))
    orders[0]["lines"][1]["price"] = "two"
    orders[1]["lines"] = [{"sku": 1, "price": 1, "colour": 2}]
    found = rejected(request(facts__order=orders)).problems
    assert [(p.path, p.pointer, p.code) for p in found] == [
        ("order[0].lines[1].price", "/facts/order/0/lines/1/price", "PL0610"),
        ("order[1].lines[0].sku", "/facts/order/1/lines/0/sku", "PL0609"),
        ("order[1].lines[0].colour", "/facts/order/1/lines/0/colour", "PL0606"),
    ]


def test_references_name_rows_that_are_there() -> None:
    """A `ref` to a row that did not come with the request is refused; `ref NAME?` may dangle."""
    orders = [{"id": "o1", "customer": "c2", "lines": []}]
    problem = only_problem(request(facts__order=orders))
    assert (problem.code, problem.path) == ("PL0620", "order[0].customer")
    assert problem.pointer == "/facts/order/0/customer"
    assert values(accepted(request(facts__seen={"order": "gone"})), "refunds.seen") == [("gone",)]


def test_keys_are_unique() -> None:
    """Two rows of a fact with one key are refused."""
    problem = only_problem(request(facts__order=[ORDERS[1], ORDERS[1]]))
    assert (problem.code, problem.path) == ("PL0619", "order[1].id")


def test_every_problem_is_told_at_once() -> None:
    """One rejection holds every problem of the request, each with its path."""
    found = rejected(
        {
            "action": "refund",
            "args": {"customer_id": 7, "amount": "4,800", "reson": "x"},
            "agent": {"id": "a", "scopes": ["x", None]},
            "facts": {
                "customer": {"id": "c", "tier": "gold", "age_days": -1},
                "linked": [{"a": "b"}, 3],
                "custmer": {},
            },
            "now": "yesterday",
            "when": 1,
        }
    )
    at = {problem.path: problem.code for problem in found.problems}
    assert at == {
        "when": "PL0606",
        "now": "PL0610",
        "refund.customer_id": "PL0609",
        "refund.reson": "PL0606",
        "agent.scopes[1]": "PL0617",
        "customer.tier": "PL0615",
        "customer.age_days": "PL0611",
        "linked[0].b": "PL0607",
        "linked[1]": "PL0603",
        "custmer": "PL0605",
    }


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("$4,800.00", True),
        ("4,800", True),
        ("4800", True),
        (None, False),
        ("1.234", False),
        (True, False),
        ({"amount": 1}, False),
        ([], False),
    ],
)
def test_what_currency_lets_in(amount: Any, expected: bool) -> None:
    """With `normalize currency` the written amounts are read, and everything else is refused still."""
    answer = BORDER.validate(request(args__amount=amount))
    assert isinstance(answer, FactSet) is expected


def test_missing_facts_are_told_apart() -> None:
    """A valid request that lacks a fact needs it: which one, and of what type."""
    found = rejected(request(facts__customer=...), RejectionKind.NEEDS_FACTS)
    (need,) = found.needs
    assert need.name == "refunds.customer"
    assert "tier: Tier (free, pro, enterprise)" in need.fields
    assert "flagged: Bool, false where it is not given" in need.fields
    (problem,) = found.problems
    assert (problem.code, problem.path) == ("PL0608", "customer")


def test_a_wrong_fact_is_not_a_missing_one() -> None:
    """A fact that is given and wrong makes the facts invalid; nothing is needed but a right one."""
    found = rejected(request(facts__customer={"id": "c"}))
    assert found.needs == ()


def test_only_what_is_read_is_needed() -> None:
    """With the slices of the actions given, a fact is needed only by the actions that read it."""
    reads = {"refunds.close": frozenset({"refunds.agent.scopes"})}
    border = compile_border(SCHEMA, reads=reads, clock=lambda: NOW)
    answer = border.validate({"action": "close"})
    assert isinstance(answer, Rejection)
    assert [need.name for need in answer.needs] == ["refunds.agent"]


def test_an_unknown_action_is_told_apart() -> None:
    """An action that no module declares is named, with the nearest that one does."""
    problem = only_problem({"action": "refnd"}, RejectionKind.UNKNOWN_ACTION)
    assert problem.hint == "did you mean `refund`?"


@pytest.mark.parametrize("name", ["refund", "refunds.refund"])
def test_names_may_be_qualified(name: str) -> None:
    """Actions and facts go by their qualified names as well as by their bare ones."""
    given = request(action=name, facts__linked=...)
    given["facts"]["refunds.linked"] = [{"a": "1", "b": "2"}]
    assert values(accepted(given), "refunds.linked") == [("1", "2")]


def test_a_fact_given_twice_is_refused() -> None:
    """One fact under two names, or beside `agent`, is given twice."""
    given = request()
    given["facts"]["refunds.linked"] = []
    given["facts"]["agent"] = REQUEST["agent"]
    assert {p.code for p in rejected(given).problems} == {"PL0628"}


def test_one_row_is_one_row() -> None:
    """A fact that is exactly one row takes a list of one, and refuses a list of two."""
    row = REQUEST["facts"]["customer"]
    assert accepted(request(facts__customer=[row])) == accepted(REQUEST)
    assert only_problem(request(facts__customer=[row, row])).code == "PL0618"


def test_the_clock_is_read_where_now_is_left_out() -> None:
    """Without `now` the border's own clock gives it, and the facts record it."""
    assert accepted(request(now=...)).now == NOW


def test_now_is_kept_in_utc() -> None:
    """A `now` with another offset is the same moment in UTC."""
    facts = accepted(request(now="2026-11-22T12:30:00+02:30"))
    assert facts.now == NOW
    assert facts.now.tzinfo is dt.UTC


def test_approvals_are_rows() -> None:
    """Granted approvals stand in the relation that rules read them from."""
    facts = accepted(
        request(approvals=[{"by": "manager", "id": "a1", "time": "2026-11-22T09:00:00Z"}])
    )
    assert values(facts, "approval") == [("manager", "a1", NOW - dt.timedelta(hours=1))]
    wrong = rejected(request(approvals=[{"by": "manager"}])).problems
    assert [p.path for p in wrong] == ["approvals[0].id", "approvals[0].time"]
    assert only_problem(request(approvals={})).expected == "a list of approvals"


def test_a_key_that_no_request_has_is_told_with_those_that_one_has() -> None:
    """A key beside those of a request is refused, with the nearest, with its place under `facts`, or with all."""
    assert only_problem(request(agnt={})).hint == "did you mean `agent`?"
    assert (
        only_problem(request(linked=[])).hint == 'put it under `facts`: {"facts": {"linked": ...}}'
    )
    assert "`decisions`" in (only_problem(request(whatever=1)).hint or "")


def test_decisions_asked_for_are_declared() -> None:
    """Decisions are asked for by their names, bare or qualified."""
    assert accepted(request(decisions=["queue"])).asked == ("refunds.queue",)
    assert only_problem(request(decisions=["qeue"])).hint == "did you mean `queue`?"
    assert only_problem(request(decisions="queue")).code == "PL0603"


@dataclasses.dataclass
class Customer:
    """A caller's own class."""

    id: str
    tier: str
    age_days: int


class Linked(BaseModel):
    """A caller's own model."""

    a: str
    b: str


def test_python_objects_are_rows() -> None:
    """Dataclasses, pydantic models and mappings are read by their fields."""
    given = request(
        facts__customer=Customer("c1", "pro", 400),
        facts__linked=[Linked(a="c1", b="c9"), MappingProxyType({"a": "c1", "b": "c9"})],
    )
    assert accepted(given) == accepted(REQUEST)


def test_a_secret_is_masked() -> None:
    """What was received for a secret field is not repeated, nor is a hint made from it."""
    text = rejected(request(facts__customer__token=["hunter2", 1])).text()
    assert "hunter2" not in text
    assert "a list (secret)" in text
    assert "hunter2" not in rejected(request(facts__customer__token="hunter2\0")).text()


def test_the_text_for_people() -> None:
    """A rejection reads as one line a problem, with what may help."""
    found = rejected(request(args__color="RED", args__amount=-1))
    assert found.text().splitlines() == [
        "the request is refused before any rule (2 problems)",
        "  refund.amount: -1 is no Decimal(2) between 0.00 and 1_000_000.00 [PL0611]",
        '  refund.color: "RED" is no Color (red, green) [PL0615]',
        "    = hint: declare `normalize lower` to accept this form",
    ]


def test_the_text_for_models() -> None:
    """A model is told what it got wrong and what is expected, and nothing of codes."""
    brief = rejected(request(args__amount="many")).brief()
    assert brief.splitlines() == [
        "`refund` was not run: some values are not valid. Correct them, and do not guess.",
        '- refund.amount: got "many". Expected Decimal(2) between 0.00 and 1_000_000.00.',
    ]


def test_a_model_is_told_how_to_write_a_value_and_not_how_to_write_a_policy() -> None:
    """Of hints a model gets the member that is near and the form to write, and nothing about declarations."""
    near = rejected(request(args__color="rde")).brief()
    assert "Did you mean `red`?" in near
    assert "declare" not in rejected(request(args__color="RED")).brief()
    zoneless = rejected(request(now="2026-11-22 10:00")).brief()
    assert zoneless.endswith("Write its zone, as in 2026-11-20T09:00:00Z.")


def test_the_form_for_programs() -> None:
    """A rejection is plain JSON with a version, kind, action, problems and needs."""
    form = rejected(request(args__amount="many")).to_json()
    assert json.loads(json.dumps(form)) == {
        "form": 1,
        "kind": "invalid_facts",
        "action": "refunds.refund",
        "problems": [
            {
                "code": "PL0610",
                "path": "refund.amount",
                "pointer": "/args/amount",
                "message": '"many" is no Decimal(2) between 0.00 and 1_000_000.00: `many` is no currency',
                "received": '"many"',
                "expected": "Decimal(2) between 0.00 and 1_000_000.00",
            }
        ],
    }


def test_a_path_covers_what_is_below_it() -> None:
    """`at` asks for a place, with or without positions, and for everything below it."""
    found = rejected(request(facts__linked=[{"a": "b"}]))
    assert all(found.at(path) for path in ("linked", "linked.b", "linked[0]", "linked[0].b", ""))
    assert not any(found.at(path) for path in ("link", "linked.a", "linked[1]"))
