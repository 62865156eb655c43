"""One total order over values: the order in which sets, bindings and firings are listed."""

from __future__ import annotations

import datetime as dt
import ipaddress
from decimal import Decimal
from typing import Any

from policylang.facts.values import Missing, Record, Value


def value_key(value: Value | Missing) -> tuple[Any, ...]:
    """A sort key for any value: kinds apart, numbers by value, strings by code point.

    An enum value is a string here; its declared order matters for `<` in a policy, not for listing.
    """
    match value:
        case Missing():
            return (0,)
        case bool():
            return (1, value)
        case int() | Decimal():
            return (2, value)
        case str():
            return (3, value)
        case dt.datetime():
            return (5, value)
        case dt.date():
            return (4, value)
        case dt.time():
            return (6, value)
        case dt.timedelta():
            return (7, value)
        case ipaddress.IPv4Address() | ipaddress.IPv6Address():
            return (8, value.version, int(value))
        case ipaddress.IPv4Network() | ipaddress.IPv6Network():
            return (9, value.version, int(value.network_address), value.prefixlen)
        case Record():
            return (10, tuple(value_key(item) for item in value.values))
        case tuple():
            return (11, tuple(value_key(item) for item in value))
        case frozenset():
            return (12, tuple(sorted(value_key(item) for item in value)))


def bindings_key(values: tuple[Value, ...]) -> tuple[tuple[Any, ...], ...]:
    """A sort key for a tuple of values."""
    return tuple(value_key(value) for value in values)
