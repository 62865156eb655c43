"""A call of the agent as a request to the policy, with the current records as its facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .conversations import Call
from .records import Order, Records, User

METHODS = {"find_user_id_by_email": "email", "find_user_id_by_name_zip": "name_and_zip"}


@dataclass(slots=True)
class Earlier:
    """What happened so far in one conversation: lookups that found somebody, and calls."""

    lookups: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)

    def found(self, method: str, user_id: str) -> None:
        """Note that a lookup found this user."""
        turn = len(self.lookups) + 1
        self.lookups.append({"turn": turn, "method": method, "user_id": user_id})

    def executed(self, call: Call, done: bool) -> None:
        """Note that a call was made, and whether the tool did what it says."""
        self.history.append(
            {
                "action": call.name,
                "args": dict(call.arguments),
                "time": timestamp(call.time),
                "outcome": "executed" if done else "failed",
            }
        )


def timestamp(time: datetime) -> str:
    """A time in UTC as a request writes it."""
    return time.isoformat().replace("+00:00", "Z")


def build(records: Records, earlier: Earlier, call: Call) -> dict[str, Any]:
    """The request that an enforcement point would make before the call.

    The customer's confirmation is taken as given: whether the words of a conversation amount to a yes
    is not for a policy to say, so the replay decides what remains.
    """
    order = records.orders.get(call.arguments.get("order_id", ""))
    request: dict[str, Any] = {
        "action": call.name,
        "args": dict(call.arguments),
        "facts": {"lookup": list(earlier.lookups)},
        "approvals": [{"by": "customer", "id": "yes", "time": timestamp(call.time)}],
        "history": list(earlier.history),
        "now": timestamp(call.time),
    }
    if order is not None:
        request["facts"] |= {
            "order": [_order(order)],
            "payment_method": _methods(records.users[order.user_id]),
            "variant": _variants(records, call.arguments),
        }
    return request


def _order(order: Order) -> dict[str, Any]:
    return {
        "id": order.order_id,
        "user_id": order.user_id,
        "status": order.status,
        "items": [
            {"item_id": item.item_id, "product_id": item.product_id, "price": str(item.price)}
            for item in order.items
        ],
        "payments": [
            {"kind": line.kind, "method_id": line.method_id, "amount": str(line.amount)}
            for line in order.payments
        ],
    }


def _methods(user: User) -> list[dict[str, Any]]:
    return [
        {"id": one.method_id, "user_id": user.user_id, "source": one.source}
        | ({} if one.balance is None else {"balance": str(one.balance)})
        for one in user.methods.values()
    ]


def _variants(records: Records, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The asked new items that exist, each once."""
    asked = dict.fromkeys(arguments.get("new_item_ids", ()))
    found = (records.catalogue.variants[key] for key in asked if key in records.catalogue.variants)
    return [
        {
            "item_id": one.item_id,
            "product_id": one.product_id,
            "price": str(one.price),
            "available": one.available,
        }
        for one in found
    ]
