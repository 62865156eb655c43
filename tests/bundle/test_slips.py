"""One slip is one diagnostic: what follows from a mistake is not reported beside it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policylang.bundle.loading import check_sources
from policylang.diagnostics import Severity, Source
from policylang.syntax.lexer import read_tokens

TEXT = """module refunds version "1.4.0"
use std.approvals
enum Tier normalize trim, lower { free, pro ("professional"), enterprise }
type Usd = Decimal(2) in 0.00 .. 1_000_000.00 normalize currency
fact agent { id: String key, scopes: Set[String], role: String? }
fact customer {
  id:       String
  tier:     Tier
  age_days: Int in 0 ..
  flagged:  Bool = false
}
facts linked   { a: String, b: String }
facts reported { customer: String, by: String }
action refund { customer_id: String, amount: Usd, reason: String? }
param auto_limit: Usd = 200.00
table refund_cap (tier: Tier, cap: Usd) {
  | free       |    50.00 |
  | enterprise | 5_000.00 |
}
define suspicious(C) if reported(customer: C)
define suspicious(C) if linked(C, D) and suspicious(D)
rule small_refund: allow refund
  if agent.scopes has "refunds:write"
  and refund.amount <= auto_limit
  and refund_cap(tier: customer.tier, cap: Cap) and refund.amount <= Cap
  because "a refund of {refund.amount} is within {auto_limit}"
rule large_refund: require approval(by: "manager", within: 4 hours) for refund
  if agent.scopes has "refunds:write" and refund.amount > auto_limit
rule fraud: deny refund
  if suspicious(refund.customer_id) or customer.flagged
rule board_exception: allow refund
  if approvals.granted("board") overrides fraud
limit weekly_refunds: refund to 3 per refund.customer_id in 7 days
never pay_a_flagged_customer: allow refund if customer.flagged and not approvals.granted("board")
decision queue: String default "general"
rule vip: set queue = "vip" if customer.tier == enterprise priority 2
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

LEFT_OUT_IN_PLACES = {"enterprise", "C"}
"""What can be left out so that several places disagree: a member that is named elsewhere, an argument."""


def _errors(text: str) -> list[str]:
    found = check_sources([Source("refunds.policy", text)]).diagnostics
    return [str(d) for d in found if d.severity is Severity.ERROR]


def _left_out(start: int, end: int) -> str:
    return TEXT[:start] + TEXT[end:]


def _odd_before(start: int, _end: int) -> str:
    return f"{TEXT[:start]}§ {TEXT[start:]}"


def test_the_module_has_no_errors() -> None:
    """The text that slips are made in has none."""
    assert _errors(TEXT) == []


@pytest.mark.parametrize("slip", [_left_out, _odd_before])
def test_a_slip_is_reported_once(slip: Callable[[int, int], str]) -> None:
    """A word or mark that is left out, and one that no part of the language uses, give at most one error: every third place is tried."""
    several = {}
    for token in read_tokens(Source("refunds.policy", TEXT)).tokens[::3]:
        found = _errors(slip(token.span.start, token.span.end))
        if len(found) > 1 and token.text not in LEFT_OUT_IN_PLACES:
            several[str(token.span), token.text] = found
    assert several == {}
