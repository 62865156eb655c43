"""Values in words: as a sentence shows them, and as a policy writes them.

A Decimal has the places of its type and no grouping (`5000.00`), so that it can be copied into a request. A duration
is `4 hours` or `1 day 30 minutes`, a time stamp `2026-11-22T10:00:00Z`, a set or list `[a, b]`, a record `{id: a}`.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Final, TypeAlias

from policylang.evaluate.calculate import conform
from policylang.evaluate.exact import CalculationFailure
from policylang.facts.order import value_key
from policylang.facts.types import (
    STRING,
    DecimalType,
    EnumType,
    ListType,
    RecordType,
    SetType,
    Type,
    base,
)
from policylang.facts.values import Missing, Record, Value

MISSING_WORD: Final = "(missing)"
"""What a sentence shows for a value that is missing."""
FAILED_WORD: Final = "(no value)"
"""What a sentence shows for a value that could not be calculated."""
SECRET_WORD: Final = "(secret)"
"""What a sentence shows for a value of a secret field."""

Writer: TypeAlias = "Callable[[Value | Missing | CalculationFailure, Type], str]"


def said(value: Value | Missing | CalculationFailure, type_: Type) -> str:
    """The value as a sentence shows it: strings bare."""
    if isinstance(value, str):
        return value
    return _written(value, type_, said)


def written(value: Value | Missing | CalculationFailure, type_: Type) -> str:
    """The value as a policy writes it: strings quoted, members of enums bare."""
    if isinstance(value, str):
        return value if isinstance(base(type_), EnumType) else quoted(value)
    if isinstance(value, ipaddress.IPv4Address | ipaddress.IPv6Address):
        return f"ip({quoted(str(value))})"
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return f"cidr({quoted(str(value))})"
    return _written(value, type_, written)


def quoted(text: str) -> str:
    """A string with the quotes and escapes of the language, which are those of JSON."""
    return json.dumps(text, ensure_ascii=False)


def _written(value: Value | Missing | CalculationFailure, type_: Type, writer: Writer) -> str:
    match value:
        case Missing():
            return MISSING_WORD
        case CalculationFailure():
            return FAILED_WORD
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return number(value, type_)
        case dt.datetime():
            return timestamp(value)
        case dt.timedelta():
            return duration(value)
        case dt.date() | dt.time():
            return value.isoformat()
        case Record():
            return _record(value, type_, writer)
        case tuple() | frozenset():
            items = value if isinstance(value, tuple) else sorted(value, key=value_key)
            return "[" + ", ".join(writer(item, _element(type_)) for item in items) + "]"
        case _:
            return str(value)


def _element(type_: Type) -> Type:
    type_ = base(type_)
    return type_.element.type if isinstance(type_, SetType | ListType) else STRING


def _record(value: Record, type_: Type, writer: Writer) -> str:
    type_ = base(type_)
    fields = type_.fields if isinstance(type_, RecordType) else ()
    shown = (
        f"{field.name}: {writer(item, field.domain.type)}"
        for field, item in zip(fields, value.values, strict=False)
        if not isinstance(item, Missing)
    )
    return "{" + ", ".join(shown) + "}"


def number(value: int | Decimal, type_: Type) -> str:
    """A number with the places of its type, without exponent or grouping."""
    if isinstance(type_, DecimalType) and isinstance(value, Decimal):
        text = str(
            value
        )  # As it stands where it has the places of its type, as it nearly always does.
        if len(text.partition(".")[2]) == type_.scale and "E" not in text:
            return text
    held = conform(value, type_)
    exact = held if isinstance(held, int | Decimal) else value
    # Python refuses to print an int of thousands of digits; a Decimal of any length it prints.
    return format(Decimal(exact), "f")


def timestamp(value: dt.datetime) -> str:
    """A DateTime in UTC, as ISO 8601 writes it; microseconds only where there are any."""
    return value.astimezone(dt.UTC).replace(tzinfo=None).isoformat() + "Z"


_UNITS: Final = (("day", 86_400_000_000), ("hour", 3_600_000_000), ("minute", 60_000_000))


def duration(value: dt.timedelta) -> str:
    """A duration in the words of the language: `4 hours`, `1 day 30 minutes`, `-2.5 seconds`, `0 seconds`."""
    rest = abs(value) // dt.timedelta(microseconds=1)
    parts = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(_counted(str(count), unit))
    if rest or not parts:
        parts.append(_counted(_seconds(rest), "second"))
    return ("-" if value < dt.timedelta(0) else "") + " ".join(parts)


def _seconds(microseconds: int) -> str:
    whole, fraction = divmod(microseconds, 1_000_000)
    return f"{whole}.{fraction:06}".rstrip("0") if fraction else str(whole)


def _counted(count: str, unit: str) -> str:
    return f"{count} {unit}" if count == "1" else f"{count} {unit}s"


def in_words(name: str) -> str:
    """A qualified name as words of a sentence: `refunds.small_refund` is "small refund"."""
    return bare(name).replace("_", " ")


def bare(name: str) -> str:
    """A qualified name without its module."""
    return name.rpartition(".")[2]
