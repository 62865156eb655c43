"""A gate over a small shop, with a clock that a test moves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policylang import loads
from policylang.gate.gate import Gate
from policylang.gate.point import GateSettings
from policylang.trace.audit import audit
from policylang.trace.reading import Filter
from policylang.trace.store import TraceStore

POLICY = """
module shop version "1.0.0"

fact agent { id: String }
optional fact fraud { score: Int }
fact customer { id: String, tier: String }

type Usd = Decimal(2) in 0.00 .. 10_000.00 normalize currency

action refund { customer_id: String normalize trim, amount: Usd }
action ship { order: String, pieces: Int = 1, note: String? }
action pay { to: String, lines: List[{sku: String, count: Int}], tags: Set[String] }

limit weekly: refund to 3 per refund.customer_id in 7 days
limit spent: sum(refund.amount) to 500.00 per agent.id in 1 day

rule small: allow refund if refund.amount <= 200.00 and not fraud.score > 50
rule large: require approval(by: "manager") for refund if refund.amount > 200.00
rule shipped: allow ship if ship.pieces < 5
rule paid: allow pay
rule risky: deny refund if customer.tier == "blocked"
"""

START = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)


class Shop:
    """A store, a gate over the policy, and what was run."""

    def __init__(self, path: Path, policy: str = POLICY, **options: Any) -> None:
        self.now = START
        self.path = path
        options.setdefault("sources", None)
        sources = options.pop("sources")
        settings = GateSettings(clock=lambda: self.now, **options)
        self.bundle = loads(policy, clock=lambda: self.now)
        self.gate = Gate.open(self.bundle, store=path, sources=sources, settings=settings)
        self.ran: list[Any] = []

    @property
    def store(self) -> TraceStore:
        """The store of the gate."""
        return self.gate.store

    def later(self, **by: float) -> None:
        """Let time go by."""
        self.now += dt.timedelta(**by)

    def refund(self, amount: str = "10.00", customer: str = "c1", agent: str = "bot-7") -> Any:
        """Decide a refund, and run it where it is allowed: the verdict."""
        verdict = self.gate.decide(
            "refund",
            {"customer_id": customer, "amount": amount},
            agent=agent,
            facts={"customer": {"id": customer, "tier": "free"}},
        )
        if verdict.allowed:
            self.gate.run(verdict, self.ran.append)
        return verdict

    def kinds(self) -> list[str]:
        """Why the last decision was made so: the kinds of its reasons."""
        record = self.records("decision")[-1]
        return [reason["kind"] for reason in record["decision"]["reasons"]]

    def records(self, kind: str) -> list[Mapping[str, Any]]:
        """The bodies of the records of a kind, in their order."""
        return [record.body for record in self.store.records(Filter(kind=kind))]

    def outcomes(self) -> list[tuple[str, str]]:
        """The status and the detail of every outcome that is recorded."""
        return [(body["status"], body.get("detail", "")) for body in self.records("outcome")]

    def audit(self, name: str) -> list[Any]:
        """The rows that an audit finds."""
        found = audit(name)
        with self.store.view() as view:
            return view.query(found.sql, dict(found.params))[1]

    def close(self) -> None:
        """Close what is open."""
        self.gate.close()
