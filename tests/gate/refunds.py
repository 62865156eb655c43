"""A shop with refunds that people approve, for the tests of the gate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policylang import Bundle, loads
from policylang.bundle.case import Case
from policylang.gate.approving import Approvals, ApprovalSettings
from policylang.rollout.deciding import SingleBundle
from policylang.trace.store import TraceStore

NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)

REFUNDS = """
module refunds version "1.0.0"

fact agent { id: String key, scopes: Set[String] }
fact approver { id: String key, roles: Set[String] }
fact customer { id: String, flagged: Bool = false }

## Pay money back.
action refund { customer_id: String, amount: Decimal(2) in 0.01 .. 100_000.00, note: String? secret }

## Answer for somebody else's refund.
action approve_refund { by: String, amount: Decimal(2), requested_by: String }

param auto_limit: Decimal(2) = 200.00

rule small: allow refund
  if agent.scopes has "refunds:write" and refund.amount <= auto_limit
  because "{refund.amount} is within {auto_limit}"

rule large: require approval(by: "manager", within: 4 hours) for refund
  if agent.scopes has "refunds:write" and refund.amount > auto_limit
  because "{refund.amount} is above {auto_limit}"

rule huge: require approval(by: "board", count: 2) for refund
  if refund.amount > 5_000.00
  because "{refund.amount} is for the board"

rule flagged: deny refund if customer.flagged because internal "a fraud check runs"

rule has_role: allow approve_refund if approver.roles has approve_refund.by
rule not_ones_own: deny approve_refund if approver.id == approve_refund.requested_by
"""

BOT: dict[str, Any] = {"id": "bot-7", "scopes": ["refunds:write"]}
MANAGER = {"approver": {"roles": ["manager"]}}
BOARD = {"approver": {"roles": ["board"]}}


class Desk:
    """A store, a bundle and its approvals under a clock that a test moves: what a gate does, step by step."""

    def __init__(
        self, path: Path, text: str = REFUNDS, settings: ApprovalSettings | None = None
    ) -> None:
        self.now = NOW
        self.store = TraceStore.open(path)
        self.bundle: Bundle = loads(text, clock=lambda: self.now)
        self.settings = settings
        self.approvals = self._made()

    def _made(self) -> Approvals:
        return Approvals(
            self.store, SingleBundle(self.bundle), self.settings, clock=lambda: self.now
        )

    def change_policy(self, text: str) -> None:
        """Go on with another policy over the same store."""
        self.bundle = loads(text, clock=lambda: self.now)
        self.approvals = self._made()

    def call(
        self,
        amount: str,
        ticket: str | None = None,
        *,
        agent: Mapping[str, Any] = BOT,
        customer: Mapping[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Ask for a refund, with a ticket where there is one: the answer."""
        case = self.case(amount, ticket, agent=agent, customer=customer, **args)
        id_ = self.store.record(case, agent=agent["id"])
        return self.approvals.answer(case, id_, agent=agent["id"], ticket=ticket)

    def case(
        self,
        amount: str,
        ticket: str | None = None,
        *,
        agent: Mapping[str, Any] = BOT,
        customer: Mapping[str, Any] | None = None,
        **args: Any,
    ) -> Case:
        """A refund as it is decided, with the votes of a ticket."""
        return self.bundle.case(
            {
                "action": "refund",
                "args": {"customer_id": "c1", "amount": amount, **args},
                "agent": dict(agent),
                "facts": {"customer": {"id": "c1", **(customer or {})}},
                "approvals": self.approvals.rows(ticket),
            }
        )

    def close(self) -> None:
        """Close what is open."""
        self.store.close()
        self.bundle.close()
