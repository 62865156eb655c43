"""The rules of `examples/retail_support` in plain Python: what the policy is held to.

Written from the prose, not from the policy, as directly as Python lets one: it reads the same
requests, and names the rules that should determine each outcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

PENDING = {
    "cancel_pending_order",
    "modify_pending_order_address",
    "modify_pending_order_items",
    "modify_pending_order_payment",
}
DELIVERED = {"return_delivered_order_items", "exchange_delivered_order_items"}
SWAPS = {"modify_pending_order_items", "exchange_delivered_order_items"}
WRITES = PENDING | DELIVERED | {"modify_user_address"}
READS = {"get_order_details", "get_user_details"}
REASONS = {"no longer needed", "ordered by mistake"}
ADDRESS = {"address1", "address2", "city", "state", "country", "zip"}

ARGUMENTS = {
    "cancel_pending_order": {"order_id", "reason"},
    "modify_pending_order_address": {"order_id"} | ADDRESS,
    "modify_pending_order_items": {"order_id", "item_ids", "new_item_ids", "payment_method_id"},
    "modify_pending_order_payment": {"order_id", "payment_method_id"},
    "modify_user_address": {"user_id"} | ADDRESS,
    "return_delivered_order_items": {"order_id", "item_ids", "payment_method_id"},
    "exchange_delivered_order_items": {"order_id", "item_ids", "new_item_ids", "payment_method_id"},
    "get_order_details": {"order_id"},
    "get_user_details": {"user_id"},
    "find_user_id_by_email": {"email"},
    "find_user_id_by_name_zip": {"first_name", "last_name", "zip"},
    "get_product_details": {"product_id"},
    "get_item_details": {"item_id"},
    "list_all_product_types": set(),
    "calculate": {"expression"},
    "transfer_to_human_agents": {"summary"},
}


@dataclass(frozen=True)
class Question:
    """A request, with the parts that the rules ask for."""

    request: Mapping[str, Any]

    @property
    def action(self) -> str:
        return str(self.request["action"])

    @property
    def args(self) -> Mapping[str, Any]:
        return self.request["args"]

    def rows(self, name: str) -> list[Mapping[str, Any]]:
        return self.request["facts"].get(name, [])

    @cached_property
    def order(self) -> Mapping[str, Any] | None:
        wanted = self.args.get("order_id")
        return next((row for row in self.rows("order") if row["id"] == wanted), None)

    @cached_property
    def customer(self) -> str | None:
        found = sorted(self.rows("lookup"), key=lambda row: row["turn"])
        return found[0]["user_id"] if found else None

    @cached_property
    def subject(self) -> str:
        return self.order["user_id"] if self.order else self.args["user_id"]

    @cached_property
    def method(self) -> Mapping[str, Any] | None:
        wanted = self.args.get("payment_method_id")
        return next((row for row in self.rows("payment_method") if row["id"] == wanted), None)

    def variant(self, item_id: str) -> Mapping[str, Any] | None:
        return next((row for row in self.rows("variant") if row["item_id"] == item_id), None)

    @cached_property
    def held(self) -> Mapping[str, Mapping[str, Any]]:
        assert self.order is not None
        return {item["item_id"]: item for item in self.order["items"]}

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        return list(zip(self.args["item_ids"], self.args["new_item_ids"], strict=False))


def decide(request: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    """The outcome, and the names of the rules that determine it."""
    question = Question(request)
    if not _valid(question):
        return "refused", frozenset()
    if question.action not in WRITES | READS:
        return "allow", frozenset({"shop_information"})
    denials = frozenset(_denials(question))
    if denials:
        return "deny", denials
    return "allow", frozenset({"confirmed_change" if question.action in WRITES else "own_records"})


def _valid(question: Question) -> bool:
    args = question.args
    if set(args) != ARGUMENTS[question.action]:
        return False
    if "order_id" in args and question.order is None:
        return False
    return "reason" not in args or args["reason"] in REASONS


def _denials(question: Question) -> Iterator[str]:
    if question.customer is None:
        yield "not_identified"
    elif question.customer != question.subject:
        yield "another_customer"
    if question.order is None or question.action in READS:
        return
    yield from _wrong_state(question)
    if question.action in SWAPS | DELIVERED:
        yield from _wrong_items(question)
    if question.action in SWAPS:
        yield from _wrong_swaps(question)
    if "payment_method_id" in question.args:
        yield from _wrong_payment(question)


def _wrong_state(question: Question) -> Iterator[str]:
    assert question.order is not None
    status = question.order["status"]
    if question.action in PENDING and status != "pending":
        yield "only_pending"
    if question.action in DELIVERED and status != "delivered":
        yield "only_delivered"
    swapped_before = any(
        entry["action"] in SWAPS
        and entry["outcome"] == "executed"
        and entry["args"]["order_id"] == question.args["order_id"]
        for entry in question.request["history"]
    )
    if question.action in SWAPS and swapped_before:
        yield "items_changed_once"


def _wrong_items(question: Question) -> Iterator[str]:
    assert question.order is not None
    asked = Counter(question.args["item_ids"])
    if not asked:
        yield "no_items"
    if not asked <= Counter(item["item_id"] for item in question.order["items"]):
        yield "more_than_held"


def _wrong_swaps(question: Question) -> Iterator[str]:
    if len(question.args["item_ids"]) != len(question.args["new_item_ids"]):
        yield "unpaired_items"
    for old, new in question.pairs:
        variant = question.variant(new)
        if old == new:
            yield "same_item"
        if variant is not None and not variant["available"]:
            yield "not_available"
        if old in question.held and (
            variant is None or variant["product_id"] != question.held[old]["product_id"]
        ):
            yield "another_product"


def _difference(question: Question) -> Decimal:
    prices = [
        (Decimal(question.held[old]["price"]), Decimal(variant["price"]))
        for old, new in question.pairs
        if old in question.held and (variant := question.variant(new)) is not None
    ]
    return sum((after - before for before, after in prices), Decimal())


def _wrong_payment(question: Question) -> Iterator[str]:
    assert question.order is not None
    method, payments = question.method, question.order["payments"]
    original = bool(payments) and payments[0]["method_id"] == question.args["payment_method_id"]
    if method is None or method["user_id"] != question.order["user_id"]:
        yield "unknown_payment_method"
    balance = Decimal(method["balance"]) if method is not None and "balance" in method else None
    if question.action in SWAPS and balance is not None and _difference(question) > balance:
        yield "difference_not_covered"
    if question.action == "modify_pending_order_payment":
        total = sum((Decimal(item["price"]) for item in question.order["items"]), Decimal())
        if balance is not None and total > balance:
            yield "total_not_covered"
        if original:
            yield "same_payment_method"
        if sum(line["kind"] == "payment" for line in payments) > 1:
            yield "payment_changed_before"
    elsewhere = method is not None and method["source"] != "gift_card" and not original
    if question.action == "return_delivered_order_items" and elsewhere:
        yield "refund_elsewhere"
