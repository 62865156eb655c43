"""The module that shows the whole language."""

from __future__ import annotations

from policylang.semantics.program import Allow, Deny, Derive, Never, NeverEffect, RequireApproval
from tests.semantics.checking import program_of

REFUNDS = """
module refunds version "1.4.0"

use std.approvals

enum Tier normalize trim, lower { free, pro ("professional"), enterprise }
type Usd = Decimal(2) in 0.00 .. 1_000_000.00 normalize currency

## The agent that proposes the action.
fact agent { id: String key, scopes: Set[String], role: String? }

## The customer the action is about.
fact customer {
  id:       String
  tier:     Tier
  age_days: Int in 0 ..
  flagged:  Bool = false
}

facts linked   { a: String, b: String }
facts reported { customer: String, by: String }

## Pay money back to a customer.
action refund { customer_id: String, amount: Usd, reason: String? }

param auto_limit: Usd = 200.00

table refund_cap (tier: Tier, cap: Usd) {
  | free       |    50.00 |
  | pro        |   500.00 |
  | enterprise | 5_000.00 |
}

define suspicious(C) reads "customer {C} is under suspicion"
  if reported(customer: C)
define suspicious(C) if linked(C, D) and suspicious(D)

## Small refunds pay out at once.
rule small_refund: allow refund
  if agent.scopes has "refunds:write"
  and refund.amount <= auto_limit
  and refund_cap(tier: customer.tier, cap: Cap) and refund.amount <= Cap
  because "a refund of {refund.amount} is within {auto_limit}"

rule large_refund: require approval(by: "manager", within: 4 hours) for refund
  if agent.scopes has "refunds:write" and refund.amount > auto_limit
  because "{refund.amount} is above {auto_limit}"

rule fraud: deny refund
  if suspicious(refund.customer_id) or customer.flagged
  because "customer {refund.customer_id} is under review"

rule board_exception: allow refund
  if approvals.granted("board") overrides fraud

limit weekly_refunds: refund to 3 per refund.customer_id in 7 days

never pay_a_flagged_customer: allow refund if customer.flagged and not approvals.granted("board")

fixture support_bot {
  agent { id: "bot-7", scopes: ["refunds:write"] }
  customer { id: "c1", tier: pro, age_days: 400 }
}

test "a small refund pays out" {
  given { use support_bot }
  when refund { customer_id: "c1", amount: 48.00 }
  expect allow by small_refund
}
"""


def test_its_rules_have_the_effects_that_were_written() -> None:
    """Every statement that decides becomes one rule with its effect, in the order of writing."""
    program = program_of(REFUNDS)
    own = [rule for rule in program.rules if rule.name.startswith("refunds.")]
    assert [(rule.name, type(rule.head)) for rule in own] == [
        ("refunds.suspicious/1", Derive),
        ("refunds.suspicious/2", Derive),
        ("refunds.small_refund", Allow),
        ("refunds.large_refund", RequireApproval),
        ("refunds.fraud", Deny),
        ("refunds.board_exception", Allow),
        ("refunds.weekly_refunds", Deny),
        ("refunds.pay_a_flagged_customer", Never),
    ]
    assert "std.approvals.granted/1" in {rule.name for rule in program.rules[len(own) :]}
    assert program.rules[7].head == Never(NeverEffect.ALLOW)
    assert program.rules[5].overrides == ("refunds.fraud",)


def test_a_standard_module_is_found_by_its_use() -> None:
    """A module that is used and not given is asked of the loader, and is part of the program."""
    program = program_of(REFUNDS)
    assert [m.name for m in program.modules] == ["refunds", "std.approvals"]
    assert program.modules[0].version == "1.4.0"
