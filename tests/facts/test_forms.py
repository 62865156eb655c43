"""Forms: what is read as which value, exactly, and how it is written."""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
from decimal import Decimal
from typing import Any

import pytest

from policylang.facts.forms import Unfit, to_json
from policylang.facts.reading import from_json, reader
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
    ListType,
    SetType,
    Type,
)
from tests.facts.shop import COLOR, TIER


class Text(str):
    """A string of a caller's own class."""


class Level(enum.IntEnum):
    """A number of a caller's own class."""

    HIGH = 3


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (BOOL, True, True),
        (INT, 9612497925, 9612497925),
        (INT, -(10**40), -(10**40)),
        (INT, Level.HIGH, 3),
        (DecimalType(2), "48.00", Decimal("48.00")),
        (DecimalType(2), "48", Decimal("48.00")),
        (DecimalType(2), 48, Decimal("48.00")),
        (DecimalType(2), Decimal("50.88"), Decimal("50.88")),
        (DecimalType(2), Decimal("1E+2"), Decimal("100.00")),
        (DecimalType(2), 50.88, Decimal("50.88")),
        (DecimalType(2), "-0.00", Decimal("0.00")),
        (DecimalType(2), Text("48.5"), Decimal("48.50")),
        (DecimalType(0), "7", Decimal("7")),
        (DecimalType(18), "1." + "1" * 18, Decimal("1." + "1" * 18)),
        (DecimalType(2), "9" * 36 + ".99", Decimal("9" * 36 + ".99")),
        (STRING, "ü\n\"'\\", "ü\n\"'\\"),
        (STRING, Text("a"), "a"),
        (TIER, "professional", "pro"),
        (DATE, "2026-11-20", dt.date(2026, 11, 20)),
        (TIME, "09:30", dt.time(9, 30)),
        (TIME, "09:30:00.5", dt.time(9, 30, 0, 500_000)),
        (DATETIME, "2026-11-20T09:00:00+02:00", dt.datetime(2026, 11, 20, 7, tzinfo=dt.UTC)),
        (DATETIME, "2026-11-20T09:00Z", dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)),
        (DURATION, "PT4H", dt.timedelta(hours=4)),
        (DURATION, "4 hours", dt.timedelta(hours=4)),
        (DURATION, "1 day 4 hours", dt.timedelta(days=1, hours=4)),
        (DURATION, "-P1DT0.5S", -dt.timedelta(days=1, microseconds=500_000)),
        (DURATION, "P2W", dt.timedelta(weeks=2)),
        (IP, "10.0.0.1", ipaddress.ip_address("10.0.0.1")),
        (CIDR, "10.0.0.0/8", ipaddress.ip_network("10.0.0.0/8")),
        (SetType(Domain(INT)), [1, 2, 1], frozenset({1, 2})),
        (ListType(Domain(INT)), (1, 2, 1), (1, 2, 1)),
    ],
)
def test_what_is_read(kind: Type, given: Any, value: Any) -> None:
    """Each strict form is read as exactly its value, of exactly the declared class."""
    read = from_json(given, kind)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "given", "code"),
    [
        (BOOL, 1, "PL0609"),
        (BOOL, "true", "PL0609"),
        (INT, True, "PL0609"),
        (INT, "1", "PL0609"),
        (INT, 1.0, "PL0609"),
        (INT, Decimal("1.0"), "PL0609"),
        (INT, 10**1001, "PL0613"),
        (DecimalType(2), True, "PL0609"),
        (DecimalType(2), "$4,800.00", "PL0610"),
        (DecimalType(2), "4,800", "PL0610"),
        (DecimalType(2), float("nan"), "PL0625"),
        (DecimalType(2), float("inf"), "PL0625"),
        (DecimalType(2), Decimal("sNaN"), "PL0625"),
        (DecimalType(2), "NaN", "PL0625"),
        (DecimalType(2), "1e400", "PL0610"),
        (DecimalType(2), Decimal("1E+400"), "PL0613"),
        (DecimalType(2), Decimal("1E+999999"), "PL0613"),
        (DecimalType(2), Decimal("1E-999999"), "PL0612"),
        (DecimalType(2), "1.234", "PL0612"),
        (DecimalType(2), "1.000", "PL0612"),
        (DecimalType(2), 0.1 + 0.2, "PL0627"),
        (DecimalType(2), "9" * 37, "PL0613"),
        (DecimalType(2), [10**5000], "PL0609"),
        (DecimalType(2), "048.00", "PL0610"),
        (DecimalType(2), "٤٨", "PL0610"),
        (DecimalType(2), " 48", "PL0610"),
        (DecimalType(2), "48\n", "PL0610"),
        (STRING, 1, "PL0609"),
        (STRING, "a\0b", "PL0616"),
        (STRING, "\ud800", "PL0616"),
        (STRING, b"a", "PL0609"),
        (COLOR, "RED", "PL0615"),
        (COLOR, 1, "PL0609"),
        (TIER, "gold", "PL0615"),
        (DATE, "20261120", "PL0610"),
        (DATE, "2026-02-30", "PL0610"),
        (DATE, dt.datetime(2026, 1, 1), "PL0609"),  # noqa: DTZ001
        (TIME, "9:30", "PL0610"),
        (TIME, "24:00", "PL0610"),
        (DATETIME, "2026-11-20T09:00:00", "PL0610"),
        (DATETIME, "2026-W47-7T10:00:00Z", "PL0610"),
        (DATETIME, "2026-11-20T24:00:00Z", "PL0610"),
        (DATETIME, "2026-11-20T09:00:60Z", "PL0610"),
        (DATETIME, "2026-11-20T09:00:00.1234567Z", "PL0610"),
        (DATETIME, "0001-01-01T00:00:00+14:00", "PL0611"),
        (DATETIME, dt.datetime(2026, 1, 1), "PL0610"),  # noqa: DTZ001
        (DATETIME, 1700000000, "PL0609"),
        (DURATION, "P1Y", "PL0610"),
        (DURATION, "P", "PL0610"),
        (DURATION, "PT", "PL0610"),
        (DURATION, "4", "PL0610"),
        (DURATION, "4 fortnights", "PL0610"),
        (DURATION, "P999999999W", "PL0611"),
        (IP, "10.0.0.256", "PL0610"),
        (IP, "fe80::1%eth0", "PL0610"),
        (CIDR, "10.0.0.1/8", "PL0610"),
        (CIDR, "10.0.0.1", "PL0610"),
        (SetType(Domain(INT)), "12", "PL0609"),
        (SetType(Domain(INT)), {1: 2}, "PL0609"),
        (SetType(Domain(INT)), [None], "PL0617"),
        (ListType(Domain(INT)), {1, 2}, "PL0609"),
        (ListType(Domain(STRING)), ["a", 1], "PL0609"),
    ],
)
def test_what_is_refused(kind: Type, given: Any, code: str) -> None:
    """What is no strict form of its type is refused, with the code that says why."""
    with pytest.raises(Unfit) as caught:
        from_json(given, kind)
    assert caught.value.code.id == code


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (DecimalType(2), Decimal(48), "48.00"),
        (DecimalType(None), Decimal("1.500"), "1.5"),
        (DecimalType(None), Decimal("1E+2"), "100"),
        (INT, 2**70, 2**70),
        (DATETIME, dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC), "2026-11-20T09:00:00Z"),
        (DATETIME, dt.datetime(2026, 11, 20, 9, 0, 0, 5, dt.UTC), "2026-11-20T09:00:00.000005Z"),
        (DURATION, dt.timedelta(days=1, seconds=3661), "P1DT1H1M1S"),
        (DURATION, dt.timedelta(), "PT0S"),
        (DURATION, -dt.timedelta(microseconds=1), "-PT0.000001S"),
        (DURATION, dt.timedelta.min, "-P999999999D"),
        (SetType(Domain(STRING)), frozenset("cab"), ["a", "b", "c"]),
    ],
)
def test_what_is_written(kind: Type, value: Any, written: Any) -> None:
    """One value has one form in JSON, whatever its object looks like inside."""
    assert to_json(value, kind) == written
    assert from_json(written, kind) == value


def test_bounds_are_inclusive() -> None:
    """Both ends of a range belong to it, and an open end has no limit."""
    read = reader(Domain(INT, low=1, high=3))
    assert [read(n) for n in (1, 3)] == [1, 3]
    for outside in (0, 4):
        with pytest.raises(Unfit):
            read(outside)
    assert reader(Domain(INT, low=0))(10**30) == 10**30
