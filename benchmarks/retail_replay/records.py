"""The records of the shop: frozen rows, read exactly, and written back in their recorded form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

CENT = Decimal("0.01")

#: What a tool adds to an order that it changes, absent until then.
CHANGES = (
    "cancel_reason",
    "exchange_items",
    "exchange_new_items",
    "exchange_payment_method_id",
    "exchange_price_difference",
    "return_items",
    "return_payment_method_id",
)


def exact_json(text: str) -> Any:
    """Parse JSON with each fraction as the decimal that is written, never as a float."""
    return json.loads(text, parse_float=Decimal)


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an order, at the price it was bought for."""

    name: str
    product_id: str
    item_id: str
    price: Decimal
    options: Mapping[str, str]

    def recorded(self) -> dict[str, Any]:
        """The item in the form that the recorded tools answer with."""
        return {
            "name": self.name,
            "product_id": self.product_id,
            "item_id": self.item_id,
            "price": self.price,
            "options": dict(self.options),
        }


@dataclass(frozen=True, slots=True)
class Payment:
    """One line of an order's payment history: a `payment` or a `refund`."""

    kind: str
    amount: Decimal
    method_id: str

    def recorded(self) -> dict[str, Any]:
        """The line in the form that the recorded tools answer with."""
        return {
            "transaction_type": self.kind,
            "amount": self.amount,
            "payment_method_id": self.method_id,
        }


@dataclass(frozen=True, slots=True)
class Order:
    """One order; `changes` holds what the tools have added to it."""

    order_id: str
    user_id: str
    address: Mapping[str, str]
    items: tuple[Item, ...]
    status: str
    fulfillments: tuple[Mapping[str, Any], ...]
    payments: tuple[Payment, ...]
    changes: Mapping[str, Any]

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """The order of one row of the records."""
        return cls(
            order_id=row["order_id"],
            user_id=row["user_id"],
            address=row["address"],
            items=tuple(Item(**item) for item in row["items"]),
            status=row["status"],
            fulfillments=tuple(row["fulfillments"]),
            payments=tuple(
                Payment(line["transaction_type"], line["amount"], line["payment_method_id"])
                for line in row["payment_history"]
            ),
            changes={name: row[name] for name in CHANGES if row.get(name) is not None},
        )

    def recorded(self) -> dict[str, Any]:
        """The order in the form that the recorded tools answer with."""
        return {
            "order_id": self.order_id,
            "user_id": self.user_id,
            "address": dict(self.address),
            "items": [item.recorded() for item in self.items],
            "status": self.status,
            "fulfillments": [dict(one) for one in self.fulfillments],
            "payment_history": [payment.recorded() for payment in self.payments],
        } | {name: self.changes.get(name) for name in CHANGES}


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """One way a user pays; only a gift card has a balance."""

    method_id: str
    source: str
    balance: Decimal | None
    details: Mapping[str, Any]

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """The payment method of one row; a balance may be written without a fraction."""
        balance = Decimal(row["balance"]) if "balance" in row else None
        return cls(row["id"], row["source"], balance, row)

    def credited(self, amount: Decimal) -> PaymentMethod:
        """The method after a refund of `amount` (a charge where it is negative)."""
        return self if self.balance is None else replace(self, balance=self.balance + amount)

    def recorded(self) -> dict[str, Any]:
        """The method in the form that the recorded tools answer with."""
        balance = {} if self.balance is None else {"balance": self.balance}
        return dict(self.details) | balance


@dataclass(frozen=True, slots=True)
class User:
    """One customer with the payment methods by id."""

    user_id: str
    name: Mapping[str, str]
    address: Mapping[str, str]
    email: str
    methods: Mapping[str, PaymentMethod]
    orders: tuple[str, ...]

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """The user of one row of the records."""
        methods = {key: PaymentMethod.read(one) for key, one in row["payment_methods"].items()}
        return cls(
            row["user_id"],
            row["name"],
            row["address"],
            row["email"],
            methods,
            tuple(row["orders"]),
        )

    def credited(self, method_id: str, amount: Decimal) -> User:
        """The user after a refund of `amount` to one of the methods."""
        method = self.methods[method_id].credited(amount)
        return replace(self, methods={**self.methods, method_id: method})

    def recorded(self) -> dict[str, Any]:
        """The user in the form that the recorded tools answer with."""
        return {
            "user_id": self.user_id,
            "name": dict(self.name),
            "address": dict(self.address),
            "email": self.email,
            "payment_methods": {key: one.recorded() for key, one in self.methods.items()},
            "orders": list(self.orders),
        }


@dataclass(frozen=True, slots=True)
class Variant:
    """One thing on the shelf: a product in one choice of its options."""

    item_id: str
    product_id: str
    options: Mapping[str, str]
    available: bool
    price: Decimal

    def recorded(self) -> dict[str, Any]:
        """The variant in the form that the recorded tools answer with."""
        return {
            "item_id": self.item_id,
            "options": dict(self.options),
            "available": self.available,
            "price": self.price,
        }


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The products that are sold: it never changes during a conversation."""

    names: Mapping[str, str]
    variants: Mapping[str, Variant]

    @classmethod
    def read(cls, products: Mapping[str, Any]) -> Self:
        """The catalogue of the `products` of the records; an item id names one variant."""
        variants = {
            item_id: Variant(product_id=product_id, **row)
            for product_id, product in products.items()
            for item_id, row in product["variants"].items()
        }
        return cls({key: product["name"] for key, product in products.items()}, variants)

    def variant(self, item_id: str, product_id: str) -> Variant | None:
        """The variant `item_id` where it is one of `product_id`, else nothing."""
        found = self.variants.get(item_id)
        return found if found is not None and found.product_id == product_id else None

    def recorded(self, product_id: str) -> dict[str, Any] | None:
        """A product in the form that the recorded tools answer with."""
        if product_id not in self.names:
            return None
        variants = {
            key: one.recorded()
            for key, one in self.variants.items()
            if one.product_id == product_id
        }
        return {"name": self.names[product_id], "product_id": product_id, "variants": variants}


@dataclass(slots=True)
class Records:
    """Users and orders as one conversation sees them; its writes stay its own."""

    users: dict[str, User]
    orders: dict[str, Order]
    catalogue: Catalogue

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read `db.json`. Raises OSError where it is not there."""
        raw = exact_json(path.read_text(encoding="utf-8"))
        users = {key: User.read(row) for key, row in raw["users"].items()}
        orders = {key: Order.read(row) for key, row in raw["orders"].items()}
        return cls(users, orders, Catalogue.read(raw["products"]))

    def fresh(self) -> Records:
        """A copy that can be changed without changing this one; rows are frozen and shared."""
        return Records(dict(self.users), dict(self.orders), self.catalogue)
