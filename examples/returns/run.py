"""Proposals of an agent in a shop that sells in several currencies, decided by a gate. No money is really moved.

usage: python run.py               by the folder policies/
       python run.py --published   by what is active in the store, with its rollouts
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from policylang import Gate, Refused, load
from policylang.bundle.settings import find_settings
from policylang.facts.sources import Lookup
from policylang.gate.answer import Answer

HERE = Path(__file__).parent
ORDERS, CUSTOMERS, RATES = (
    json.loads((HERE / "data" / f"{name}.json").read_text())
    for name in ("orders", "customers", "rates")
)


def ago(**much: int) -> str:
    """The time that was so long ago."""
    return (dt.datetime.now(dt.UTC) - dt.timedelta(**much)).isoformat()


def purchase(id_: str) -> list[dict[str, Any]]:
    """An order, as the shop's records have it."""
    order = ORDERS.get(id_)
    if order is None:
        return []
    row = {name: order[name] for name in ("customer", "kind", "amount", "progress")}
    return [{"id": id_, **row, "bought_at": ago(days=order["days"])}]


def amount(id_: str) -> list[dict[str, Any]]:
    """What an order came to, in its currency."""
    order = ORDERS.get(id_)
    return [{"id": id_, "value": order["amount"], "currency": order["currency"]}] if order else []


def rates(_: str) -> list[dict[str, Any]]:
    """The rates of the bank, each as old as it is."""
    return [
        {"from_currency": name, "to_currency": "EUR", "rate": rate, "fixed_at": ago(hours=hours)}
        for name, (rate, hours) in RATES.items()
    ]


def identity(customer: str) -> list[dict[str, Any]]:
    """How the customer showed who they are, ten minutes ago."""
    proof = CUSTOMERS[customer]
    return [{"customer": customer, "proof": proof, "at_time": ago(minutes=10)}]


SOURCES = {
    "std.customers.purchase": Lookup(purchase, ("args", "purchase")),
    "std.money.amount": Lookup(amount, ("args", "purchase")),
    "std.money.rate": Lookup(rates, ("args", "purchase")),
    "std.customers.identity_check": Lookup(identity, ("facts", "customer", "id")),
}


def opened(stack: ExitStack) -> Gate:
    """The gate, over the folder or over what is published."""
    settings = find_settings(HERE)
    assert settings.store is not None
    if "--published" in sys.argv:
        return stack.enter_context(Gate.open(store=settings.store, sources=SOURCES))
    bundle = stack.enter_context(load(*settings.policies, reference=settings.reference))
    return stack.enter_context(Gate.open(bundle, store=settings.store, sources=SOURCES))


def propose(gate: Gate, customer: str, action: str, args: Mapping[str, Any]) -> str:
    """What becomes of a proposal."""
    facts = {"customer": {"id": customer}}
    try:
        return gate.call(action, args, lambda _: "done", agent="returns-bot", facts=facts)
    except Refused as refused:
        return _told(refused.answer)


def _told(answer: Answer) -> str:
    problems = [f"{problem.path} is {problem.received}" for problem in answer.problems]
    said = problems or [ground.message for ground in answer.grounds]
    return f"{answer.outcome.value}: {'; '.join(said)}"


def main() -> None:
    """Propose everything, in order."""
    with ExitStack() as stack:
        gate = opened(stack)
        for line in (HERE / "proposals.jsonl").read_text().splitlines():
            asked = json.loads(line)
            args = " ".join(asked["args"].values())
            print(f"{asked['customer']:4} {asked['action']:6} {args:12} {propose(gate, **asked)}")


if __name__ == "__main__":
    main()
