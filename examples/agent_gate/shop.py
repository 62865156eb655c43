"""The shop behind the agent: its records, and the tools that change them. Nothing here knows of policies."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

ORDERS = {
    "o1": {"id": "o1", "customer": "c1", "paid": "900.00", "state": "returned"},
    "o2": {"id": "o2", "customer": "c2", "paid": "55.00", "state": "open"},
    "o3": {"id": "o3", "customer": "c3", "paid": "80.00", "state": "returned"},
}


class Shop:
    """Keeps what was done to it."""

    def __init__(self) -> None:
        self.paid_back: list[tuple[str, Decimal]] = []
        self.is_bank_open = True

    def look_up_order(self, order_id: str) -> str:
        """The state of an order."""
        order = ORDERS[order_id]
        return f"order {order_id}: {order['paid']} paid, {order['state']}"

    def refund(self, order_id: str, amount: Decimal) -> str:
        """Pay money back."""
        if not self.is_bank_open:
            raise ConnectionError("the bank does not answer")
        self.paid_back.append((order_id, amount))
        return f"{amount} paid back for order {order_id}"

    def close_account(self, customer_id: str) -> str:
        """Close an account for good."""
        raise AssertionError(f"the account of {customer_id} must not be closed")

    def wire_money(self, account: str, amount: str) -> str:
        """A tool that nobody declared."""
        raise AssertionError(f"{amount} must not be sent to {account}")


def order(order_id: str) -> dict[str, Any] | None:
    """The row of an order, for the gate."""
    return ORDERS.get(order_id)
