"""Types and values of generated programs: few enough to meet, nasty enough to matter."""

from __future__ import annotations

import datetime as dt
import ipaddress
from decimal import Decimal

from policylang.facts.types import (
    BOOL,
    CIDR,
    DATE,
    DATETIME,
    DURATION,
    INT,
    IP,
    STRING,
    TIME,
    DecimalType,
    Domain,
    EnumType,
    Field,
    ListType,
    Member,
    RecordType,
    RefType,
    SetType,
    Type,
    base,
)
from policylang.facts.values import MISSING, Missing, Record, Value
from tests.reference.draws import Draws, chance, some

COLOUR = EnumType("m.Colour", (Member("red"), Member("green"), Member("blue")))
LEVEL = EnumType("m.Level", (Member("low"), Member("high"), Member("constructor")))
PAYMENT = RecordType(
    (
        Field("id", Domain(STRING)),
        Field("amount", Domain(DecimalType(2))),
        Field("note", Domain(STRING), optional=True),
    )
)

TYPES: tuple[Type, ...] = (
    INT,
    STRING,
    DecimalType(2),
    BOOL,
    COLOUR,
    DATE,
    DATETIME,
    TIME,
    DURATION,
    DecimalType(0),
    DecimalType(18),
    IP,
    CIDR,
    LEVEL,
    SetType(Domain(STRING)),
    SetType(Domain(INT)),
    ListType(Domain(INT)),
    ListType(Domain(STRING)),
    ListType(Domain(PAYMENT)),
    SetType(Domain(COLOUR)),
    RefType("m.keyed", INT),
)

WRITABLE_TYPES = tuple(
    type_
    for type_ in TYPES
    if not isinstance(type_, RefType) and type_ != ListType(Domain(PAYMENT))
)
"""The types whose values a policy can write, and that need no other rows."""

_SCALARS: dict[Type, tuple[Value, ...]] = {
    BOOL: (False, True),
    INT: (
        *(0, 1, 2, 3, -1, 10, -7, 100, 999_999_999, 10**9, 2**31 - 1, 2**31, -(2**31) - 1),
        *(2**32, 2**63, -(2**63), 2**64 + 1, 10**18, 10**27 + 1, 10**38 - 1, 10**40, -(10**40)),
    ),
    STRING: (
        *("a", "b", "", "ab", "a*b", "*", 'say "a"', "a\\b", "\\", "a\nb", "A", "é", "e\u0301"),
        *("ß", "İ", "ﬁ", "𝔘", "\u202eb", "a b", " a", "a:b", "10", "9", "\U0010ffff", "\x7f\x01"),
        *("\ufeff", "not", "%s{}", "x" * 300, "'); --", "\u2028", "Ω"),
    ),
    DATE: tuple(
        dt.date.fromisoformat(text)
        for text in ("2026-11-20", "2026-11-21", "2024-02-29", "0001-01-01", "9999-12-31")
    ),
    DATETIME: tuple(
        dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
        for text in (
            "2026-11-20T09:00:00",
            "2026-11-20T09:00:00.000001",
            "2026-03-29T01:30:00",
            "2026-10-25T00:30:00",
            "0001-01-01T00:00:00",
            "9999-12-31T23:59:59.999999",
        )
    ),
    TIME: tuple(
        dt.time.fromisoformat(text)
        for text in ("09:30:00", "00:00:00", "23:59:59.999999", "09:30:00.000001")
    ),
    DURATION: (
        dt.timedelta(hours=4),
        dt.timedelta(days=1),
        dt.timedelta(0),
        dt.timedelta(microseconds=1),
        dt.timedelta(days=-1, microseconds=7),
        dt.timedelta(days=7),
        dt.timedelta.max,
    ),
    IP: tuple(
        ipaddress.ip_address(text) for text in ("10.0.0.1", "10.0.0.2", "192.168.1.1", "::1")
    ),
    CIDR: tuple(
        ipaddress.ip_network(text) for text in ("10.0.0.0/8", "0.0.0.0/0", "::/0", "10.0.0.0/31")
    ),
    COLOUR: COLOUR.member_names,
    LEVEL: LEVEL.member_names,
}

_UNSCALED = (
    0,
    1,
    2,
    5,
    10,
    100,
    -1,
    250,
    333,
    4800_00,
    2**31,
    2**64 + 1,
    10**18,
    10**38 - 1,
    -(10**38) + 1,
)

ZONES = ("UTC", "Europe/Paris", "America/New_York", "Pacific/Kiritimati")


def decimal(unscaled: int, scale: int) -> Decimal:
    """The Decimal of so many units of its last place."""
    digits = tuple(int(digit) for digit in str(abs(unscaled)))
    return Decimal((int(unscaled < 0), digits, -scale))


def value(draws: Draws, type_: Type) -> Value:
    """A value of a type: most often one of the first three of its kind, so that values meet."""
    kind = base(type_)
    match kind:
        case SetType():
            return frozenset(some(draws, 3, lambda: value(draws, kind.element.type)))
        case ListType():
            return tuple(some(draws, 3, lambda: value(draws, kind.element.type)))
        case RecordType():
            return Record(tuple(field_value(draws, field) for field in kind.fields))
        case DecimalType():
            scale = 2 if kind.scale is None else kind.scale
            whole = (0, 10**scale, 2 * 10**scale)
            return decimal(_mostly_first(draws, (*whole, *_UNSCALED)), scale)
        case _:
            return _mostly_first(draws, _SCALARS[kind])


def field_value(draws: Draws, field: Field) -> Value | Missing:
    """A value of a field, which may be missing where it is optional."""
    if field.optional and chance(draws, 35):
        return MISSING
    return value(draws, field.domain.type)


def _mostly_first(draws: Draws, options: tuple[Value, ...]) -> Value:
    return options[draws.below(len(options) if chance(draws, 25) else min(3, len(options)))]
