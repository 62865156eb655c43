"""A scripted agent: it proposes refunds, and the gate decides and records each of them.

usage: python agent.py               by refunds.policy
       python agent.py --published   by what is active in the store, with its rollouts
"""

import sys
from decimal import Decimal

from policylang import Gate, Refused
from policylang.gate.answer_text import for_model

AGENT = {"id": "bot-7", "scopes": ["refunds:write"]}
CUSTOMERS = {
    "c1": {"id": "c1", "tier": "pro"},
    "c2": {"id": "c2", "tier": "free"},
    "c3": {"id": "c3", "tier": "enterprise", "flagged": True},
}
PROPOSED = [("c1", "48.00"), ("c1", "250.00"), ("c2", "60.00"), ("c3", "20.00"), ("c1", "$20")]


def refund(customer_id: str, amount: Decimal) -> str:
    """The tool. It runs only when it was allowed, with what was decided."""
    return f"{amount} paid to {customer_id}"


def main() -> None:
    """Propose every refund, and show what came of it."""
    policies = None if "--published" in sys.argv else "refunds.policy"
    with Gate.open(policies, store="traces.duckdb") as gate:
        tools = gate.guard_tools({"refund": refund})
        for customer_id, amount in PROPOSED:
            with gate.session(agent=AGENT, facts={"customer": CUSTOMERS[customer_id]}):
                try:
                    print(tools["refund"](customer_id=customer_id, amount=amount))
                except Refused as refused:
                    print(for_model(refused.answer))


if __name__ == "__main__":
    main()
