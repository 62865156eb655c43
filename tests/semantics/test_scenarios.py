"""Tests and fixtures of policies, as what they ask for."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from policylang.facts.schema import Source
from policylang.facts.values import MISSING
from policylang.semantics.scenario import (
    ExpectObligation,
    ExpectOutcome,
    ExpectValue,
    ExpectViolated,
    Scenario,
)
from policylang.syntax.tree import EarlierOutcome, ExpectedOutcome
from tests.semantics.checking import checked

POLICY = """module m
enum Tier { free, pro }
fact customer { id: String, tier: Tier, spent: Decimal(2) = 0.00 }
facts order { id: String key, placed: Date, items: List[{ sku: String, qty: Int }], tags: Set[String] }
action refund { amount: Decimal(2), wait: Duration? }
param most: Decimal(2) = 9.50
decision tier: Tier default free
rule small: allow refund if refund.amount < most and customer.spent < 3 and not order(tags: []) and refund.wait is missing
rule up: set tier = pro if customer.tier == free
rule tell: oblige tell(tier: customer.tier) on refund
never no: allow refund if refund.amount > 100.00
fixture base {
  customer { id: "c1", tier: free }
  order { id: "o1", placed: 2026-11-20, items: [{ sku: "s", qty: 2 }], tags: ["a", "b"] }
}
"""


def scenario(body: str) -> Scenario:
    """The one test of a policy."""
    expect = "" if "expect" in body else " expect allow"
    result = checked(POLICY + 'test "it" {' + body + expect + "}")
    assert [d for d in result.diagnostics if d.severity == "error"] == []
    (found,) = result.scenarios
    return found


def test_a_fixture_gives_its_rows_and_a_later_row_changes_fields() -> None:
    """What a test gives of a single fact is laid over what its fixture gives; rows of `facts` are added."""
    found = scenario(
        'given { use base customer from user { tier: pro } order { id: "o2" } } when refund { amount: most }'
    )
    assert [(r.relation, dict(r.fields), r.source) for r in found.rows] == [
        ("m.customer", {"id": "c1", "tier": "pro"}, Source.USER),
        (
            "m.order",
            {
                "id": "o1",
                "placed": "2026-11-20",
                "items": [{"sku": "s", "qty": 2}],
                "tags": ["a", "b"],
            },
            None,
        ),
        ("m.order", {"id": "o2"}, None),
    ]
    assert dict(found.args) == {"amount": "9.50"}


def test_a_later_row_may_come_from_any_source() -> None:
    """A source that is said of a later row is the row's, the model too; where none is said the first one stays."""
    rows = [
        scenario(f"given {{ {given} }} when refund {{ amount: most }}").rows[0].source
        for given in (
            "customer { tier: free } customer from model { tier: pro }",
            "customer from user { tier: free } customer { tier: pro }",
        )
    ]
    assert rows == [Source.MODEL, Source.USER]


def test_values_are_given_as_a_request_gives_them() -> None:
    """Numbers stay exact, durations are text."""
    found = scenario("when refund { amount: 48.10, wait: 4 hours }")
    assert dict(found.args) == {"amount": Decimal("48.10"), "wait": "PT4H"}


def test_time_approvals_and_earlier_calls() -> None:
    """The time, the approvals and the calls before are those that were written."""
    found = scenario("""
      given {
        now = 2026-11-20T10:00:00Z
        approved("board") at 2026-11-20T09:00:00Z
        earlier refund { amount: 1.00 } at 2026-11-19T09:00:00Z failed
        earlier refund { amount: 2.00 } at 2026-11-19T10:00:00Z
      }
      when refund { amount: 1.00 }
    """)
    assert found.now == dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)
    assert [(a.by, a.at) for a in found.approvals] == [
        ("board", dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC))
    ]
    assert [e.outcome for e in found.earlier] == [EarlierOutcome.FAILED, EarlierOutcome.EXECUTED]


def test_expectations_are_resolved_and_typed() -> None:
    """Rules and decisions are named in full, values are of the decision's type."""
    found = scenario("""
      when refund { amount: 1.00 }
      expect deny by small, no
      expect tier = pro
      expect tier = missing
      expect oblige tell(tier: pro)
      expect oblige tell
      expect violated no
    """)
    first, value, nothing, duty, any_duty, violated = found.expectations
    assert isinstance(first, ExpectOutcome)
    assert (first.outcome, first.rules) == (ExpectedOutcome.DENY, ("m.small", "m.no"))
    assert isinstance(value, ExpectValue)
    assert (value.decision, value.value) == ("m.tier", "pro")
    assert isinstance(nothing, ExpectValue)
    assert nothing.value is MISSING
    assert isinstance(duty, ExpectObligation)
    assert duty.arguments == (("tier", "pro"),)
    assert isinstance(any_duty, ExpectObligation)
    assert any_duty.arguments is None
    assert isinstance(violated, ExpectViolated)
    assert violated.never == "m.no"


def test_a_test_of_a_refusal_may_give_what_is_wrong() -> None:
    """Where a request is expected to be refused, wrong fields and members are what is tested."""
    found = scenario("""
      given { use base customer { tier: purple, foo: 1 } }
      when refund { amount: "$4" }
      expect refused at args.amount
    """)
    assert dict(found.args) == {"amount": "$4"}
    (expected,) = found.expectations
    assert isinstance(expected, ExpectOutcome)
    assert expected.at == "args.amount"
