"""A scripted agent against the tools of a shop, with a gate between: offline, and the same every time.

usage: python run.py [STORE]      STORE is kept; without it the traces are thrown away
"""

from __future__ import annotations

import datetime as dt
import logging
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shop import Shop, order

from policylang import Gate, Refused, load
from policylang.facts.sources import Lookup
from policylang.gate.answer_text import for_customer, for_model
from policylang.gate.approvals import ApprovalStatus
from policylang.gate.point import GateSettings
from policylang.trace.reading import Filter
from policylang.trace.runs import compare

HERE = Path(__file__).parent
AGENT = {"id": "support-bot", "scopes": ["orders:read", "refunds:write", "accounts:write"]}
MARIA = {"approver": {"roles": ["manager"]}}


class Clock:
    """A clock that goes on when it is told to, so that every run is the same."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        """The time."""
        return self.now

    def tick(self) -> None:
        """Let a minute go by."""
        self.now += dt.timedelta(minutes=1)


class Scene:
    """The gate, the tools behind it, and what is told of each call."""

    def __init__(self, gate: Gate, shop: Shop, clock: Clock) -> None:
        self.gate, self.clock = gate, clock
        # Who asks is said once, by the program: a model cannot say it.
        self.tools = {
            "look_up_order": shop.look_up_order,
            "refund": shop.refund,
            "close_account": shop.close_account,
            "wire_money": shop.wire_money,
        }
        self.tickets: dict[str, str] = {}

    def propose(self, tool: str, **arguments: Any) -> None:
        """What the model proposes, what the gate says, and what became of it."""
        self.clock.tick()
        print(f"agent    {tool}({', '.join(f'{k}={v!r}' for k, v in arguments.items())})")

        def run(decided: Mapping[str, Any]) -> str:
            return self.tools[tool](**decided)

        try:
            print(f"tool     {self.gate.call(tool, arguments, run, agent=AGENT)}")
        except Refused as refused:
            self._told("gate", for_model(refused.answer))
            self._told("customer", for_customer(refused.answer))
        except ConnectionError as error:
            print(f"tool     failed: {error}")
        print()

    def answer(self, *, granted: bool, by: str = "maria") -> None:
        """A person looks at what waits, and answers."""
        self.clock.tick()
        (waiting,) = self.gate.approvals.all(ApprovalStatus.PENDING)
        asked = ", ".join(f"{name} {value}" for name, value in waiting.shown["arguments"].items())
        vote = self.gate.approvals.grant if granted else self.gate.approvals.refuse
        voted = vote(waiting.id, by=by, facts=MARIA if by == "maria" else {})
        word = "grants" if granted else "refuses"
        if voted.problem is not None:
            word = f"may not answer ({voted.problem.code}):"
        print(f"{by:8} {word} {waiting.action.rpartition('.')[2]}: {asked}\n")

    def _told(self, who: str, text: str) -> None:
        for ticket in (each.id for each in self.gate.approvals.all()):
            number = self.tickets.setdefault(ticket, f"ticket-{len(self.tickets) + 1}")
            text = text.replace(ticket, number)
        for i, line in enumerate(text.splitlines()):
            print(f"{who if i == 0 else '':8} {line}")


def play(scene: Scene, gate: Gate, shop: Shop) -> None:
    """The script."""
    print("# allowed: what is within the rules runs at once\n")
    scene.propose("look_up_order", order_id="o1")
    scene.propose("refund", order_id="o1", amount="48.00")

    print("# approval: above the limit a person is asked, and the same call runs once\n")
    scene.propose("refund", order_id="o1", amount="480.00")
    scene.answer(granted=True, by="carl")
    scene.answer(granted=True)
    scene.propose("refund", order_id="o1", amount="480.01")
    gate.approvals.withdraw(gate.approvals.all(ApprovalStatus.PENDING)[0].id)
    scene.propose("refund", order_id="o1", amount="480.00")

    print("# denied: more than was paid, goods that are not back, a tool that nobody declared\n")
    scene.propose("refund", order_id="o1", amount="4800.00")
    scene.propose("refund", order_id="o2", amount="55.00")
    scene.propose("wire_money", account="DE00 1234", amount="9000.00")

    print("# invalid: values that are none reach no rule; the agent corrects them\n")
    scene.propose("refund", order_id="o3", amount="about 20")
    scene.propose("refund", order_id="o3", amout="20.00")
    scene.propose("refund", order_id="o3", amount="$20.00")

    print("# missing: an order that does not exist\n")
    scene.propose("refund", order_id="o9", amount="20.00")

    print("# failed: what did not happen does not count\n")
    shop.is_bank_open = False
    scene.propose("refund", order_id="o1", amount="10.00")
    shop.is_bank_open = True

    print("# limit: three refunds a week\n")
    scene.propose("refund", order_id="o1", amount="10.00")
    scene.propose("refund", order_id="o1", amount="11.00")

    print("# refused: a person's no is final\n")
    scene.propose("close_account", customer_id="c1")
    scene.answer(granted=False)
    scene.propose("close_account", customer_id="c1")

    print("# stopped: the kill switch\n")
    gate.stop("support-bot", who="ops", why="an incident")
    scene.propose("look_up_order", order_id="o1")
    gate.stops.lift("support-bot", who="ops")
    scene.propose("look_up_order", order_id="o1")


def report(gate: Gate, shop: Shop) -> None:
    """What is in the record, and whether it can be made again."""
    print("# the record\n")
    with gate.store.view() as view:
        for what, sql in (
            ("decisions", "SELECT outcome, count(*) FROM decisions GROUP BY 1 ORDER BY 1"),
            ("outcomes", "SELECT status, count(*) FROM outcomes GROUP BY 1 ORDER BY 1"),
        ):
            found = ", ".join(f"{count} {word}" for word, count in view.query(sql)[1])
            print(f"{what:9} {found}")
        again = list(compare(view, view.records(Filter(kind="decision"))))
    verdicts = sorted({each.verdict.value for each in again})
    print(f"replay    {len(again)} decisions: {', '.join(verdicts)}")
    print(f"the shop  {', '.join(f'{amount} for {id_}' for id_, amount in shop.paid_back)}")


def main(store: Path) -> None:
    """Play the script over a store."""
    logging.getLogger("policylang.gate").setLevel(logging.CRITICAL)
    clock, shop = Clock(), Shop()
    with Gate.open(
        load(HERE / "policies", clock=clock),
        store=store,
        sources={"order": Lookup(order, ("args", "order_id"))},
        settings=GateSettings(clock=clock),
    ) as gate:
        play(Scene(gate, shop, clock), gate, shop)
        report(gate, shop)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder) / "traces.duckdb")
