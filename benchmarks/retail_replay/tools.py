"""The tools of the recorded agent, as far as they read or change the records.

Written from the observable behaviour of tau2-bench's retail domain (MIT), and held to it: the
replay compares every recorded result with the one computed here. Money is exact where the
recorded tools use floats, so a recorded amount is compared after rounding to cents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from .records import Item, Order, Payment, PaymentMethod, Records, User, Variant

Arguments = Mapping[str, Any]

CANCEL_REASONS = frozenset({"no longer needed", "ordered by mistake"})
ADDRESS_FIELDS = ("address1", "address2", "city", "state", "country", "zip")


class ToolError(Exception):
    """The tool answers with an error and changes nothing."""


def call(records: Records, name: str, arguments: Arguments) -> Any:
    """What the tool answers, in its recorded form; a write changes `records`.

    Raises ToolError where the tool would answer with an error, KeyError for an unknown tool.
    """
    return TOOLS[name](records, arguments)


def _order(records: Records, arguments: Arguments) -> Order:
    try:
        return records.orders[arguments["order_id"]]
    except KeyError:
        raise ToolError("no such order") from None


def _user(records: Records, user_id: str) -> User:
    try:
        return records.users[user_id]
    except KeyError:
        raise ToolError("no such user") from None


def _method(records: Records, order: Order, method_id: str) -> PaymentMethod:
    try:
        return _user(records, order.user_id).methods[method_id]
    except KeyError:
        raise ToolError("the owner of the order has no such payment method") from None


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ToolError(message)


def _stored(records: Records, order: Order) -> dict[str, Any]:
    records.orders[order.order_id] = order
    return order.recorded()


def _credit(records: Records, user_id: str, method_id: str, amount: Decimal) -> None:
    records.users[user_id] = records.users[user_id].credited(method_id, amount)


def _held(order: Order, item_ids: Sequence[str]) -> None:
    asked, there = Counter(item_ids), Counter(item.item_id for item in order.items)
    _require(asked <= there, "the order does not hold these items")


def _swaps(records: Records, order: Order, arguments: Arguments) -> list[tuple[Item, Variant]]:
    old_ids, new_ids = arguments["item_ids"], arguments["new_item_ids"]
    _held(order, old_ids)
    _require(len(old_ids) == len(new_ids), "the lists differ in length")
    first = {item.item_id: item for item in reversed(order.items)}
    return [
        (first[old_id], _available(records, first[old_id], new_id))
        for old_id, new_id in zip(old_ids, new_ids, strict=True)
    ]


def _available(records: Records, item: Item, new_id: str) -> Variant:
    variant = records.catalogue.variant(new_id, item.product_id)
    if variant is None or not variant.available:
        raise ToolError("the new item is not an available variant of the same product")
    return variant


def _difference(swaps: Sequence[tuple[Item, Variant]]) -> Decimal:
    return sum((new.price - old.price for old, new in swaps), Decimal())


def _cancel(records: Records, arguments: Arguments) -> Any:
    order = _order(records, arguments)
    _require(order.status == "pending", "the order is not pending")
    _require(arguments["reason"] in CANCEL_REASONS, "not a reason to cancel")
    refunds = tuple(replace(payment, kind="refund") for payment in order.payments)
    for refund in refunds:
        _credit(records, order.user_id, refund.method_id, refund.amount)
    changes = {**order.changes, "cancel_reason": arguments["reason"]}
    payments = order.payments + refunds
    return _stored(records, replace(order, status="cancelled", payments=payments, changes=changes))


def _modify_address(records: Records, arguments: Arguments) -> Any:
    order = _order(records, arguments)
    _require("pending" in order.status, "the order is not pending")
    address = {name: arguments[name] for name in ADDRESS_FIELDS}
    return _stored(records, replace(order, address=address))


def _modify_user_address(records: Records, arguments: Arguments) -> Any:
    user = _user(records, arguments["user_id"])
    address = {name: arguments[name] for name in ADDRESS_FIELDS}
    records.users[user.user_id] = replace(user, address=address)
    return records.users[user.user_id].recorded()


def _modify_payment(records: Records, arguments: Arguments) -> Any:
    order, new_id = _order(records, arguments), arguments["payment_method_id"]
    _require("pending" in order.status, "the order is not pending")
    method = _method(records, order, new_id)
    _require([one.kind for one in order.payments] == ["payment"], "not exactly one payment")
    first = order.payments[0]
    _require(first.method_id != new_id, "the payment method is the same")
    _require(method.balance is None or method.balance >= first.amount, "the balance is too low")
    _credit(records, order.user_id, new_id, -first.amount)
    _credit(records, order.user_id, first.method_id, first.amount)
    moved = (replace(first, method_id=new_id), replace(first, kind="refund"))
    return _stored(records, replace(order, payments=order.payments + moved))


def _modify_items(records: Records, arguments: Arguments) -> Any:
    order, method_id = _order(records, arguments), arguments["payment_method_id"]
    _require(order.status == "pending", "the order is not pending")
    swaps = _swaps(records, order, arguments)
    _require(all(old.item_id != new.item_id for old, new in swaps), "the new item is the same")
    difference = _difference(swaps)
    _covered(_method(records, order, method_id), difference)
    _credit(records, order.user_id, method_id, -difference)
    line = Payment("payment" if difference > 0 else "refund", abs(difference), method_id)
    return _stored(
        records,
        replace(
            order,
            status="pending (item modified)",
            items=_swapped(order.items, swaps),
            payments=(*order.payments, line),
        ),
    )


def _covered(method: PaymentMethod, difference: Decimal) -> None:
    enough = method.balance is None or method.balance >= difference
    _require(enough, "the balance of the gift card is too low")


def _swapped(items: Sequence[Item], swaps: Sequence[tuple[Item, Variant]]) -> tuple[Item, ...]:
    """The items after the swaps, as recorded.

    The recorded tool gives every swapped item the price and the options of the last new item. The
    order's status ends every further change, so no decision ever reads them.
    """
    swapped = list(items)
    for old, new in swaps:
        at = next(i for i, item in enumerate(swapped) if item.item_id == old.item_id)
        last = swaps[-1][1]
        swapped[at] = replace(
            swapped[at], item_id=new.item_id, price=last.price, options=last.options
        )
    return tuple(swapped)


def _return(records: Records, arguments: Arguments) -> Any:
    order, method_id = _order(records, arguments), arguments["payment_method_id"]
    _require(order.status == "delivered", "the order is not delivered")
    method = _method(records, order, method_id)
    original = order.payments[0].method_id == method_id
    _require(original or method.source == "gift_card", "not the original payment method")
    _held(order, arguments["item_ids"])
    changes = {
        **order.changes,
        "return_items": sorted(arguments["item_ids"]),
        "return_payment_method_id": method_id,
    }
    return _stored(records, replace(order, status="return requested", changes=changes))


def _exchange(records: Records, arguments: Arguments) -> Any:
    order, method_id = _order(records, arguments), arguments["payment_method_id"]
    _require(order.status == "delivered", "the order is not delivered")
    difference = _difference(_swaps(records, order, arguments))
    _covered(_method(records, order, method_id), difference)
    changes = {
        **order.changes,
        "exchange_items": sorted(arguments["item_ids"]),
        "exchange_new_items": sorted(arguments["new_item_ids"]),
        "exchange_payment_method_id": method_id,
        "exchange_price_difference": difference,
    }
    return _stored(records, replace(order, status="exchange requested", changes=changes))


def _find_by_email(records: Records, arguments: Arguments) -> Any:
    email = arguments["email"].casefold()
    return _only(user.user_id for user in records.users.values() if user.email.casefold() == email)


def _find_by_name(records: Records, arguments: Arguments) -> Any:
    asked = (arguments["first_name"].casefold(), arguments["last_name"].casefold())
    return _only(
        user.user_id
        for user in records.users.values()
        if user.address["zip"] == arguments["zip"]
        and (user.name["first_name"].casefold(), user.name["last_name"].casefold()) == asked
    )


def _only(found: Any) -> str:
    for user_id in found:
        return str(user_id)
    raise ToolError("no such user")


def _product(records: Records, arguments: Arguments) -> Any:
    product = records.catalogue.recorded(arguments["product_id"])
    _require(product is not None, "no such product")
    return product


TOOLS: Mapping[str, Callable[[Records, Arguments], Any]] = {
    "cancel_pending_order": _cancel,
    "modify_pending_order_address": _modify_address,
    "modify_pending_order_items": _modify_items,
    "modify_pending_order_payment": _modify_payment,
    "modify_user_address": _modify_user_address,
    "return_delivered_order_items": _return,
    "exchange_delivered_order_items": _exchange,
    "get_order_details": lambda records, arguments: _order(records, arguments).recorded(),
    "get_user_details": lambda records, a: _user(records, a["user_id"]).recorded(),
    "get_product_details": _product,
    "find_user_id_by_email": _find_by_email,
    "find_user_id_by_name_zip": _find_by_name,
}

LOOKUPS = frozenset({"find_user_id_by_email", "find_user_id_by_name_zip"})
READS = frozenset({"get_order_details", "get_user_details"})
WRITES = frozenset(
    {
        "cancel_pending_order",
        "modify_pending_order_address",
        "modify_pending_order_items",
        "modify_pending_order_payment",
        "modify_user_address",
        "return_delivered_order_items",
        "exchange_delivered_order_items",
    }
)
