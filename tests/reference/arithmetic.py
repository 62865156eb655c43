"""What operations compute, by the shortest way that is obviously right: numbers are fractions.

Nothing here is shared with `policylang.evaluate.calculate`, which has to agree with it.
"""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from policylang.errors import InternalError
from policylang.evaluate.firings import FailureKind
from policylang.facts.types import (
    DURATION,
    INT,
    MAX_DIGITS,
    QUOTIENT_PLACES,
    DecimalType,
    EnumType,
    Type,
    base,
)
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics.program import Operation

MICROSECOND = dt.timedelta(microseconds=1)
DAY = dt.timedelta(days=1)


class Fails(Exception):
    """An operation failed, with these codes."""

    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__(*codes)
        self.codes = frozenset(codes)


def failed(kind: FailureKind) -> Fails:
    """The failure of one kind."""
    return Fails({kind.value})


# --- numbers ---------------------------------------------------------------------------------------------


def fraction(value: Value) -> Fraction:
    """A number or a duration (in microseconds) as a fraction."""
    if isinstance(value, dt.timedelta):
        return Fraction(value // MICROSECOND)
    assert isinstance(value, int | Decimal)
    return Fraction(value)


def places(number: Fraction) -> int | None:
    """How many places after the point a fraction has, or None where it never ends."""
    count = {2: 0, 5: 0}
    rest = number.denominator
    for prime in count:
        while rest % prime == 0:
            count[prime] += 1
            rest //= prime
    return max(count.values()) if rest == 1 else None


def number(exact: Fraction, type_: Type) -> Value:
    """A number as a value of its type: an Int of any size, a Decimal of at most 38 digits."""
    if base(type_) is INT:
        if exact.denominator != 1:
            raise InternalError("a fraction where an Int was expected")
        return exact.numerator
    assert isinstance(type_, DecimalType)
    after_point = places(exact)
    if after_point is None:
        raise InternalError("a number that does not end")
    if type_.scale is not None and after_point > type_.scale:
        raise failed(FailureKind.TOO_MANY_PLACES)
    shown = after_point if type_.scale is None else type_.scale
    whole = abs(exact.numerator) // exact.denominator
    before_point = len(str(whole)) if whole else 0
    if before_point + shown > MAX_DIGITS:
        raise failed(FailureKind.TOO_MANY_DIGITS)
    unscaled = exact * 10**shown
    assert unscaled.denominator == 1
    digits = tuple(int(digit) for digit in str(abs(unscaled.numerator)))
    return Decimal((int(exact < 0), digits, -shown))


def quotient(above: Fraction, below: Fraction) -> Fraction:
    """The exact quotient where it ends, else the nearest with 18 places."""
    if below == 0:
        raise failed(FailureKind.DIVISION_BY_ZERO)
    exact = above / below
    return exact if places(exact) is not None else nearest(exact, QUOTIENT_PLACES)


def nearest(exact: Fraction, to_places: int) -> Fraction:
    """The nearest number with so many places, half to even (which is what `round` does)."""
    unit = Fraction(10) ** to_places
    return round(exact * unit) / unit


def duration(microseconds: Fraction) -> dt.timedelta:
    """The duration nearest to so many microseconds."""
    whole = round(microseconds)
    days, rest = divmod(whole, DAY // MICROSECOND)
    if abs(days) > 10**9:
        raise failed(FailureKind.OUT_OF_RANGE)
    try:
        return dt.timedelta(days=days, microseconds=rest)
    except OverflowError:
        raise failed(FailureKind.OUT_OF_RANGE) from None


def total(values: Sequence[Value], type_: Type) -> Value:
    """The exact sum, which alone has to fit its type."""
    added = sum((fraction(value) for value in values), Fraction(0))
    return duration(added) if base(type_) is DURATION else number(added, type_)


# --- order -------------------------------------------------------------------------------------------------


def comparable(value: Value, type_: Type) -> Any:
    """What to compare: the position of an enum's member, else the value itself."""
    kind = base(type_)
    if isinstance(kind, EnumType):
        return kind.member_names.index(str(value))
    return value


# --- operations ----------------------------------------------------------------------------------------------


def apply(
    operation: Operation,
    values: Sequence[Value | Missing],
    types: Sequence[Type],
    type_: Type,
) -> Value | Missing:
    """The value of an operation, missing where an argument is; `Fails` where it fails."""
    present = [value for value in values if not isinstance(value, Missing)]
    if len(present) < len(values):
        return MISSING
    if operation in _COMPARISONS or operation in (Operation.MIN, Operation.MAX):
        return _compared(operation, present, types, type_)
    if operation in _CALCULATIONS:
        return _calculated(operation, present, type_)
    if operation in (Operation.DATE, Operation.TIME, Operation.WEEKDAY):
        return _of_datetime(operation, *present)
    return _tested(operation, *present)


_COMPARISONS = {
    Operation.EQ,
    Operation.NE,
    Operation.LT,
    Operation.LE,
    Operation.GT,
    Operation.GE,
    Operation.BETWEEN,
}

_CALCULATIONS = {
    Operation.ADD,
    Operation.SUB,
    Operation.MUL,
    Operation.DIV,
    Operation.NEG,
    Operation.ABS,
    Operation.ROUND,
    Operation.FLOOR,
    Operation.CEIL,
    Operation.FIT,
}


def _compared(
    operation: Operation, values: Sequence[Value], types: Sequence[Type], type_: Type
) -> Value:
    if operation is Operation.EQ:
        return values[0] == values[1]
    if operation is Operation.NE:
        return values[0] != values[1]
    a, b, *others = (comparable(value, t) for value, t in zip(values, types, strict=True))
    match operation:
        case Operation.LT:
            return a < b
        case Operation.LE:
            return a <= b
        case Operation.GT:
            return a > b
        case Operation.GE:
            return a >= b
        case Operation.BETWEEN:
            return b <= a and a <= others[0]
        case Operation.MIN:
            return retyped(values[0] if a <= b else values[1], type_)
        case Operation.MAX:
            return retyped(values[0] if a >= b else values[1], type_)
    raise InternalError(f"{operation} is no comparison")


def retyped(value: Value, type_: Type) -> Value:
    """A number with the digits of a type, which it has to fit; any other value itself."""
    if base(type_) is INT or isinstance(base(type_), DecimalType):
        return number(fraction(value), base(type_))
    return value


def shown(value: Value, type_: Type) -> Value:
    """A value as its type writes it: `1` and `1.00` are equal, and a trace has to show the same one always."""
    try:
        return retyped(value, type_)
    except Fails:
        return value


def _calculated(operation: Operation, values: Sequence[Value], type_: Type) -> Value:
    first = values[0]
    if isinstance(first, str):
        return "".join(str(value) for value in values)
    if any(isinstance(value, dt.date) for value in values):
        return _moved(operation, *values)
    if base(type_) is DURATION:
        return duration(_fraction_of(operation, values))
    return number(_fraction_of(operation, values), base(type_))


def _fraction_of(operation: Operation, values: Sequence[Value]) -> Fraction:
    a, *others = (fraction(value) for value in values)
    match operation:
        case Operation.ADD:
            return a + others[0]
        case Operation.SUB:
            return a - others[0]
        case Operation.MUL:
            return a * others[0]
        case Operation.DIV if isinstance(values[0], dt.timedelta) and not isinstance(
            values[1], dt.timedelta
        ):
            if others[0] == 0:
                raise failed(FailureKind.DIVISION_BY_ZERO)
            return a / others[0]
        case Operation.DIV:
            return quotient(a, others[0])
        case Operation.NEG:
            return -a
        case Operation.ABS:
            return abs(a)
        case Operation.ROUND:
            return nearest(a, int(others[0]) if others else 0)
        case Operation.FLOOR:
            return Fraction(a // 1)
        case Operation.CEIL:
            return Fraction(-(-a // 1))
        case Operation.FIT:
            if (places(a) or 0) > others[0]:
                raise failed(FailureKind.TOO_MANY_PLACES)
            return a
    raise InternalError(f"{operation} is no calculation")


def _moved(operation: Operation, left: Any, right: Any) -> Value:
    """A date or a moment moved by a duration, or the duration between two."""
    by = right if isinstance(right, dt.timedelta) else left
    of_dates = any(type(value) is dt.date for value in (left, right))
    if isinstance(by, dt.timedelta) and of_dates and by % DAY:
        raise failed(FailureKind.OUT_OF_RANGE)
    try:
        moved = left - right if operation is Operation.SUB else left + right
    except OverflowError:
        raise failed(FailureKind.OUT_OF_RANGE) from None
    assert isinstance(moved, dt.date | dt.timedelta)
    return moved


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _of_datetime(operation: Operation, moment: Value, zone: Value) -> Value:
    assert isinstance(moment, dt.datetime)
    if zone not in _zones() or zone == "localtime":
        raise failed(FailureKind.UNKNOWN_ZONE)
    try:
        local = moment.astimezone(zoneinfo.ZoneInfo(str(zone)))
    except OverflowError:
        raise failed(FailureKind.OUT_OF_RANGE) from None
    if operation is Operation.DATE:
        return local.date()
    return local.time() if operation is Operation.TIME else local.isoweekday()


def _tested(operation: Operation, *values: Any) -> Value | Missing:
    a = values[0]
    match operation, values[-1]:
        case Operation.IN | Operation.IN_NETWORK, b:
            return a in b
        case Operation.HAS, b:
            return b in a
        case Operation.HAS_ALL, b:
            return all(item in a for item in b)
        case Operation.HAS_ANY, b:
            return any(item in a for item in b)
        case Operation.LEN, _:
            return len(a)
        case _, b:
            assert isinstance(a, str)
            assert isinstance(b, str)
            return _of_text(operation, a, b)


def _of_text(operation: Operation, text: str, other: str) -> Value | Missing:
    match operation:
        case Operation.LOWER:
            return text.lower()
        case Operation.UPPER:
            return text.upper()
        case Operation.STARTS_WITH:
            return text[: len(other)] == other
        case Operation.ENDS_WITH:
            return text[len(text) - len(other) :] == other if len(other) <= len(text) else False
        case Operation.LIKE:
            return like(text, other)
        case Operation.BEFORE | Operation.AFTER:
            for i in range(len(text) - len(other) + 1):
                if text[i : i + len(other)] == other:
                    return text[:i] if operation is Operation.BEFORE else text[i + len(other) :]
            return MISSING
    raise InternalError(f"{operation} has no meaning in the reference")


def like(text: str, pattern: str) -> bool:
    r"""Whether a pattern matches a whole text: `*` any text, `\*` a star, `\\` a backslash, else itself."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(like(text[i:], pattern[1:]) for i in range(len(text) + 1))
    if pattern.startswith(("\\*", "\\\\")):
        return text[:1] == pattern[1] and like(text[1:], pattern[2:])
    return text[:1] == pattern[0] and like(text[1:], pattern[1:])
