"""Random small requests to the retail policy: calls that are right, and calls that are wrong in every way."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from tests.examples.retail_oracle import ARGUMENTS, SWAPS, WRITES

NOW = "2026-11-22T12:00:00Z"
USERS = ("ada", "ben")
STATUSES = (
    "pending",
    "pending (item modified)",
    "processed",
    "delivered",
    "cancelled",
    "return requested",
    "exchange requested",
)
METHODS = {
    "ada_card": ("ada", "credit_card"),
    "ada_paypal": ("ada", "paypal"),
    "ada_gift": ("ada", "gift_card"),
    "ada_small_gift": ("ada", "gift_card"),
    "ben_card": ("ben", "credit_card"),
    "ben_gift": ("ben", "gift_card"),
}
VARIANTS = {
    f"{product}_{colour}": (product, Decimal(price))
    for product, prices in {
        "mug": ("9.99", "12.50", "40.00"),
        "tea": ("3.05", "3.10", "3.10"),
    }.items()
    for colour, price in zip(("red", "blue", "gold"), prices, strict=True)
}


def request(random: Random) -> dict[str, Any]:
    """One request; about a third of those that a random shop gives are permitted."""
    action = random.choice(sorted(ARGUMENTS) if random.random() < 0.1 else sorted(WRITES))
    order = _order(random, action)
    arguments = {name: _argument(random, name, order) for name in ARGUMENTS[action]}
    if "new_item_ids" in arguments and random.random() < 0.7:
        arguments["new_item_ids"] = [_other(random, old) for old in arguments["item_ids"]]
    return {
        "action": action,
        "args": arguments,
        "facts": {
            "lookup": _lookups(random),
            "order": [order],
            "payment_method": [_method(random, key) for key in METHODS],
            "variant": [_variant(random, key) for key in VARIANTS if random.random() < 0.95],
        },
        "approvals": [{"by": "customer", "id": "yes", "time": NOW}],
        "history": _history(random, order),
        "now": NOW,
    }


def _order(random: Random, action: str) -> dict[str, Any]:
    fitting = "pending" if "pending" in action else "delivered"
    items = random.choices(sorted(VARIANTS), k=random.randint(1, 4))
    methods = [key for key, (owner, _) in METHODS.items() if owner == "ada"]
    kinds = random.choice(
        [["payment"], ["payment"], ["payment", "payment", "refund"], ["payment", "refund"]]
    )
    return {
        "id": "W1",
        "user_id": "ada" if random.random() < 0.9 else "ben",
        "status": fitting if random.random() < 0.8 else random.choice(STATUSES),
        "items": [
            {"item_id": key, "product_id": VARIANTS[key][0], "price": str(VARIANTS[key][1])}
            for key in items
        ],
        "payments": [
            {"kind": kind, "method_id": random.choice(methods), "amount": "12.50"} for kind in kinds
        ],
    }


def _argument(random: Random, name: str, order: dict[str, Any]) -> Any:
    held = [item["item_id"] for item in order["items"]]
    match name:
        case "order_id":
            return "W1" if random.random() < 0.95 else "W2"
        case "user_id":
            return "ada" if random.random() < 0.8 else "ben"
        case "payment_method_id":
            return random.choice([*METHODS, "no_card"])
        case "item_ids":
            return random.sample(
                held, random.randint(int(random.random() > 0.15), len(held))
            ) + _stray(random, held)
        case "new_item_ids":
            return random.choices([*VARIANTS, "no_item"], k=random.randint(0, 3))
        case "reason":
            return random.choice(["no longer needed", "ordered by mistake", "too dear"])
        case _:
            return "any"


def _stray(random: Random, held: list[str]) -> list[str]:
    return [random.choice([*held, *VARIANTS])] if random.random() < 0.2 else []


def _other(random: Random, old: str) -> str:
    """Mostly another variant of the same product."""
    product = VARIANTS[old][0]
    same = [key for key in VARIANTS if key.startswith(product) and key != old]
    return random.choice(same if random.random() < 0.9 else sorted(VARIANTS))


def _lookups(random: Random) -> list[dict[str, Any]]:
    found = random.choices(USERS, weights=(6, 1), k=random.choice([0, 1, 1, 1, 1, 2, 2]))
    rows = [
        {"turn": turn, "method": random.choice(["email", "name_and_zip"]), "user_id": user}
        for turn, user in enumerate(found, start=1)
    ]
    random.shuffle(rows)
    return rows


def _method(random: Random, key: str) -> dict[str, Any]:
    owner, source = METHODS[key]
    balance = {"balance": random.choice(["0.00", "0.05", "2.51", "30.00", "500.00"])}
    return {"id": key, "user_id": owner, "source": source} | (
        balance if source == "gift_card" else {}
    )


def _variant(random: Random, key: str) -> dict[str, Any]:
    product, price = VARIANTS[key]
    return {
        "item_id": key,
        "product_id": product,
        "price": str(price),
        "available": random.random() < 0.85,
    }


def _history(random: Random, order: dict[str, Any]) -> list[dict[str, Any]]:
    if random.random() < 0.8:
        return []
    swap = {
        "order_id": random.choice(["W1", "W1", "W3"]),
        "item_ids": [order["items"][0]["item_id"]],
        "new_item_ids": ["mug_gold"],
        "payment_method_id": "ada_card",
    }
    outcome = random.choice(["executed", "failed"])
    action = random.choice(sorted(SWAPS))
    return [{"action": action, "args": swap, "time": "2026-11-22T11:59:00Z", "outcome": outcome}]
