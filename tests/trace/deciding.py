"""A small policy with everything that a trace has to keep, and requests to it."""

from __future__ import annotations

from typing import Any

from policylang.bundle.bundle import Bundle
from policylang.bundle.loading import loads

POLICY = """
module refunds version "1.2.0"
type Money = Decimal(2) in 0.00 ..
enum Tier { free, pro }
param auto_limit: Money = 50.00
fact customer { tier: Tier, name: String?, card: String? secret }
facts banned { name: String }
action refund { amount: Money }
define listed(N) if banned(name: N)
rule small: allow refund if refund.amount <= auto_limit because "{refund.amount} is small"
rule blocked: deny refund if customer.name == N and listed(N) because "{N} is banned"
"""


def bundle(policy: str = POLICY, **options: Any) -> Bundle:
    """The bundle of the policy, over one banned customer."""
    options.setdefault("reference", {"banned": [{"name": "eve"}]})
    return loads(policy, name="refunds.policy", **options)


def request(amount: str = "12.50", **customer: str) -> dict[str, Any]:
    """A refund of so much."""
    return {
        "action": "refund",
        "now": "2026-11-20T09:00:00Z",
        "args": {"amount": amount},
        "facts": {"customer": {"tier": "pro", **customer}},
    }
