"""Values that stand in a policy, as ASP terms that a reader recognizes."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Hashable
from decimal import Decimal
from typing import Final

from policylang.evaluate.asp.terms import AspTerm, Function, Number, Text
from policylang.facts.order import value_key
from policylang.facts.values import Record, Value

MISSING_TERM: Final = Function("missing")
TRUE_TERM: Final = Function("true")
FALSE_TERM: Final = Function("false")
ABSENT_TERM: Final = Function("absent")
"""Stands in the columns of a relation of which a request of a batch has no row. No value has this term."""


def identity(value: Value) -> Hashable:
    """What two values share exactly if they are equal as values of one type.

    A number is itself whether Int or Decimal. Python takes `True` for 1, alone and in containers; this does not.
    """
    if isinstance(value, bool):
        return TRUE_TERM if value else FALSE_TERM
    if isinstance(value, tuple | frozenset | Record):
        return value_key(value)
    return value


class Constants:
    """Gives each value that a program names one term."""

    def __init__(self) -> None:
        self._terms: dict[Hashable, tuple[Value, AspTerm]] = {
            identity(True): (True, TRUE_TERM),
            identity(False): (False, FALSE_TERM),
        }

    def term(self, value: Value) -> AspTerm:
        """The term of a value; equal values have the same."""
        key = identity(value)
        known = self._terms.get(key)
        if known is None:
            term = _written(value) or Function("value", (Number(len(self._terms)),))
            known = self._terms[key] = (value, term)
        return known[1]

    def all(self) -> tuple[tuple[Value, AspTerm], ...]:
        """Every value and its term, in the order of their first use."""
        return tuple(self._terms.values())


def _written(value: Value) -> AspTerm | None:
    """A term that reads like the value; None where clingo could not hold it, or it would not be told apart."""
    match value:
        case str():
            return Text(value) if value.isprintable() else None
        case int() if abs(value) < 10**38:
            return Function("number", (Text(str(value)),))
        case Decimal():
            return Function("number", (Text(_plain(value)),))
        case dt.datetime():
            return Function("datetime", (Text(value.isoformat()),))
        case dt.date():
            return Function("date", (Text(value.isoformat()),))
        case dt.time():
            return Function("time", (Text(value.isoformat()),))
        case dt.timedelta():
            return Function("duration", (Text(str(value)),))
        case ipaddress.IPv4Address() | ipaddress.IPv6Address():
            return Function("ip", (Text(str(value)),))
        case ipaddress.IPv4Network() | ipaddress.IPv6Network():
            return Function("cidr", (Text(str(value)),))
        case _:
            return None


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
