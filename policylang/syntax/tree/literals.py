"""Literals, with their exact values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TypeAlias

from policylang.syntax.tree.base import Node


@dataclass(frozen=True, slots=True, eq=False)
class BoolLiteral(Node):
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True, eq=False)
class IntLiteral(Node):
    """A whole number. A minus before it is part of the literal: `-1` is one node, `-X` a `Negate`."""

    value: int
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class DecimalLiteral(Node):
    """A number with a decimal point, of at most 38 digits; the scale is as written (`5.00` has 2)."""

    value: Decimal
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class StringLiteral(Node):
    """A string: `value` with its escapes resolved, `text` as written with its quotes."""

    value: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class DateLiteral(Node):
    """`2026-11-20`."""

    value: date


@dataclass(frozen=True, slots=True, eq=False)
class TimeLiteral(Node):
    """`09:30`, `09:30:00` or `09:30:00.250`, without a zone."""

    value: time
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class DateTimeLiteral(Node):
    """`2026-11-20T09:00:00Z`: `value` is aware and in UTC, whatever the zone that was written."""

    value: datetime
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class DurationLiteral(Node):
    """`4 hours`: a number and a unit, exact to the microsecond; `text` is as written."""

    value: timedelta
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class PercentLiteral(Node):
    """`2%` or `0.5%`, in criteria of rollouts: `value` is the share, 0.02 or 0.005; `text` is as written."""

    value: Decimal
    text: str


Number: TypeAlias = IntLiteral | DecimalLiteral
Literal: TypeAlias = (
    BoolLiteral
    | IntLiteral
    | DecimalLiteral
    | StringLiteral
    | DateLiteral
    | TimeLiteral
    | DateTimeLiteral
    | DurationLiteral
)
