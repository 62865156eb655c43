"""Arithmetic on Decimals of a known scale, as exact as `policylang.evaluate.calculate` and raising where that fails.

A sum, difference or product of two Decimals is exact in a context that is wide enough (`WIDE` raises where it is
not). It fits its type where it is below a power of ten, since its places cannot be more than those of its type.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, TypeAlias

from policylang.evaluate.exact import WIDE, CalculationFailure, FailedError, decimal_of
from policylang.evaluate.firings import FailureKind
from policylang.facts.types import MAX_DIGITS

_SCALES: Final = range(MAX_DIGITS + 1)
_HIGH: Final = tuple(Decimal((0, (1,), MAX_DIGITS - scale)) for scale in _SCALES)
_LOW: Final = tuple(Decimal((1, (1,), MAX_DIGITS - scale)) for scale in _SCALES)
_UNITS: Final = tuple(Decimal((0, (1,), -scale)) for scale in _SCALES)
_ZEROS: Final = tuple(Decimal((0, (0,), -scale)) for scale in _SCALES)

Number: TypeAlias = int | Decimal

FAILS: Final = (ArithmeticError, FailedError)
"""What is raised where an operation fails (`OverflowError` and decimal's `Inexact` are arithmetic errors)."""


def plus(left: Number, right: Number, scale: int) -> Decimal:
    """The sum; as many digits as it comes with."""
    value = WIDE.add(left, right)
    return value if _LOW[scale] < value < _HIGH[scale] else _too_many()


def minus(left: Number, right: Number, scale: int) -> Decimal:
    """The difference; as many digits as it comes with."""
    value = WIDE.subtract(left, right)
    return value if _LOW[scale] < value < _HIGH[scale] else _too_many()


def times(left: Number, right: Number, scale: int) -> Decimal:
    """The product; as many digits as it comes with."""
    value = WIDE.multiply(left, right)
    return value if _LOW[scale] < value < _HIGH[scale] else _too_many()


def plus_shown(left: Number, right: Number, scale: int) -> Decimal:
    """The sum with the digits of its type."""
    return _shown(plus(left, right, scale), scale)


def minus_shown(left: Number, right: Number, scale: int) -> Decimal:
    """The difference with the digits of its type."""
    return _shown(minus(left, right, scale), scale)


def times_shown(left: Number, right: Number, scale: int) -> Decimal:
    """The product with the digits of its type."""
    return _shown(times(left, right, scale), scale)


def _shown(value: Decimal, scale: int) -> Decimal:
    return WIDE.quantize(value, _UNITS[scale]) if value else _ZEROS[scale]


def _too_many() -> Decimal:
    raise FailedError(FailureKind.TOO_MANY_DIGITS)


def shown(value: Number, scale: int | None) -> Number:
    """A number with the digits of a type; itself where it does not fit that type."""
    try:
        return decimal_of(value, scale)
    except FailedError:
        return value


def between(value: Any, low: Any, high: Any) -> bool:
    """Whether a value is within both ends."""
    return bool(low <= value <= high)


def sure(value: Any) -> Any:
    """A value that is no failure; raises where it is one, or None."""
    if value is None or value.__class__ is CalculationFailure:
        raise FailedError(FailureKind.EVALUATOR, "an operation failed")
    return value


def summed(values: list[Any], scale: int) -> Decimal | None:
    """The sum of Decimals with the digits of its type; None where it has too many."""
    try:
        value = _ZEROS[scale]
        for each in values:
            value = WIDE.add(value, each)
        return _shown(plus(value, 0, scale), scale)
    except FAILS:
        return None
