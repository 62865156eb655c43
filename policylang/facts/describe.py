"""Domains and values in the words of the policy, and what was received, made short and safe to show."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any, Final

from policylang.facts.forms import to_json
from policylang.facts.order import value_key
from policylang.facts.types import (
    DecimalType,
    Domain,
    EnumType,
    Field,
    ListType,
    RecordType,
    RefType,
    ScalarType,
    SetType,
    Type,
)
from policylang.facts.values import MISSING, Missing, Value

LONGEST_SHOWN: Final = 60
_MOST_MEMBERS: Final = 8


def describe(domain: Domain) -> str:
    """What a domain accepts, in the terms of the policy: `Decimal(2) between 0.00 and 1_000_000.00`."""
    return _type_words(domain.type) + _length_words(domain) + _bound_words(domain)


def _type_words(type_: Type) -> str:
    match type_:
        case EnumType():
            return f"{type_} ({_some(type_.member_names)})"
        case RefType():
            return f"key of {type_.relation.rpartition('.')[2]} ({_type_words(type_.key)})"
        case SetType(element):
            return f"Set of {describe(element)}"
        case ListType(element):
            return f"List of {describe(element)}"
        case RecordType(fields):
            return "{" + ", ".join(f"{f.name}: {f.domain.type}" for f in fields) + "}"
        case _:
            return str(type_)


def _some(names: tuple[str, ...]) -> str:
    shown = names[:_MOST_MEMBERS]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def _length_words(domain: Domain) -> str:
    if domain.max_length is None:
        return ""
    is_text = not isinstance(domain.type, SetType | ListType)
    return f" of at most {domain.max_length} {'characters' if is_text else 'elements'}"


def _bound_words(domain: Domain) -> str:
    low = None if domain.low is None else literal(domain.low, domain.type)
    high = None if domain.high is None else literal(domain.high, domain.type)
    if low is not None and high is not None:
        return f" between {low} and {high}"
    if low is not None:
        return f" of at least {low}"
    return f" up to {high}" if high is not None else ""


def literal(value: Value | Missing, type_: Type) -> str:
    """A value as a policy would write it: `1_000_000.00`, `"c1"`, `pro`, `[1, 2]`."""
    match type_:
        case _ if value is MISSING:
            return "(missing)"
        case ScalarType.BOOL:
            return "true" if value else "false"
        case ScalarType.INT:
            return f"{value:_}"
        case DecimalType():
            return _grouped(to_json(value, type_))
        case ScalarType.STRING | ScalarType.DURATION:
            return json.dumps(to_json(value, type_), ensure_ascii=False)
        case RefType(key=key):
            return literal(value, key)
        case SetType(element) | ListType(element):
            items: Any = sorted(value, key=value_key) if isinstance(type_, SetType) else value  # type: ignore[arg-type]
            return "[" + ", ".join(literal(item, element.type) for item in items) + "]"
        case RecordType(fields):
            parts = zip(fields, value.values, strict=True)  # type: ignore[union-attr]
            return "{" + ", ".join(f"{f.name}: {literal(v, f.domain.type)}" for f, v in parts) + "}"
        case _:
            return str(to_json(value, type_))


def _grouped(text: str) -> str:
    sign = "-" if text.startswith("-") else ""
    whole, point, fraction = text.removeprefix("-").partition(".")
    return f"{sign}{int(whole):_}{point}{fraction}"


def field_words(field: Field) -> str:
    """A field's declaration in one line: `amount: Decimal(2) between 0.00 and 1_000_000.00`."""
    mark = ", may be missing" if field.optional else ""
    if field.default is not MISSING:
        mark = f", {literal(field.default, field.domain.type)} where it is not given"
    return f"{field.name}: {describe(field.domain)}{mark}"


def shown(given: object, *, secret: bool = False) -> str:
    """What was received, in a few words that cost no more than a look at it.

    A `secret` value is masked: only its kind is shown.
    """
    if secret and given is not None:
        return f"{_kind(given)} (secret)"
    match given:
        case str():
            return _quoted(given)
        case bool():
            return "true" if given else "false"
        case None:
            return "null"
        case int():
            return _whole(given)
        case float() | Decimal():
            return _shortened(repr(given) if isinstance(given, float) else str(given))
        case _:
            return _kind(given)


def _quoted(text: str) -> str:
    cut = text[: LONGEST_SHOWN + 1]
    if len(text) <= LONGEST_SHOWN:
        return _printable(json.dumps(cut, ensure_ascii=not cut.isprintable()))
    head = json.dumps(cut[: LONGEST_SHOWN - 15], ensure_ascii=not cut.isprintable())
    return f"{_printable(head)}... ({len(text)} characters)"


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _whole(number: int) -> str:
    # Python refuses to write very long ints, and writing them takes more than linear time.
    bits = number.bit_length()
    if bits <= 190:
        return str(int(number))
    return f"a number of some {math.ceil(bits * math.log10(2))} digits"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def _kind(given: object) -> str:
    match given:
        case None:
            return "null"
        case bool():
            return "a truth value"
        case str():
            return "a string"
        case int() | float() | Decimal():
            return "a number"
        case dict():
            return "an object"
        case list() | tuple():
            return "a list"
        case set() | frozenset():
            return "a set"
        case _:
            return f"a Python `{_shortened(type(given).__name__)}`"
