"""Exact numbers: what Int and Decimal calculations share, and how a calculation fails.

An Int has any size. A Decimal has at most 38 digits on both sides of its point together; what would have more
fails, it is never rounded in silence. Quotients and roundings go through integers, so no context rounds them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal, Inexact
from functools import cache
from math import gcd
from typing import Any, Final

from policylang.errors import InternalError
from policylang.evaluate.firings import FailureKind
from policylang.facts.types import INT, MAX_DIGITS, QUOTIENT_PLACES, DecimalType, Type, base
from policylang.facts.values import Value


@dataclass(frozen=True, slots=True)
class CalculationFailure:
    """An operation that has no value: why, and in words without values."""

    kind: FailureKind
    message: str


_MESSAGES: Final = {
    FailureKind.DIVISION_BY_ZERO: "division by zero",
    FailureKind.TOO_MANY_DIGITS: f"a number has more than {MAX_DIGITS} digits",
    FailureKind.UNKNOWN_ZONE: "unknown time zone",
}


class FailedError(Exception):
    """Carries a failure out of a calculation; `policylang.evaluate.calculate` makes a value of it."""

    def __init__(self, kind: FailureKind, message: str | None = None) -> None:
        super().__init__(kind)
        self.failure = CalculationFailure(kind, message or _MESSAGES[kind])


# Wide enough for any two Decimals to add, subtract or multiply without a loss; what is lost beyond it has
# more than 38 digits. An Int operand may be longer: operands are not rounded, only results are.
WIDE: Final = Context(
    prec=2 * MAX_DIGITS + 4, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[Inexact]
)
_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)


def decimal_of(number: int | Decimal, scale: int | None) -> Decimal:
    """The number as a Decimal of that scale, or without trailing zeros; at most 38 digits."""
    value = Decimal(number) if isinstance(number, int) else number
    stripped = _stripped(value)
    places = -_exponent(stripped)
    digits = max(stripped.adjusted() + 1, 0) if stripped else 0
    if scale is not None and places > scale:
        raise FailedError(FailureKind.TOO_MANY_PLACES, _too_many_places(scale))
    if digits + max(places if scale is None else scale, 0) > MAX_DIGITS:
        raise FailedError(FailureKind.TOO_MANY_DIGITS)
    if scale is None:
        return stripped if places >= 0 else WIDE.quantize(stripped, _ONE)
    return WIDE.quantize(stripped, _unit(scale))


def _stripped(value: Decimal) -> Decimal:
    try:
        return WIDE.normalize(value) if value else _ZERO
    except Inexact:
        raise FailedError(FailureKind.TOO_MANY_DIGITS) from None


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    if isinstance(exponent, str):
        raise InternalError("a number that is not finite reached a calculation")
    return exponent


@cache
def _unit(places: int) -> Decimal:
    return _ONE.scaleb(-places)


def _too_many_places(scale: int) -> str:
    return f"a number has more places than Decimal({scale}) holds; `round` it"


def conformed(value: Any, type_: Type) -> Value:
    """The value as its type writes it; anything but a number is itself. Raises `FailedError`."""
    type_ = base(type_)
    if type_ is INT:
        return _integer(value)
    if isinstance(type_, DecimalType):
        return decimal_of(value, type_.scale)
    return value  # type: ignore[no-any-return]


def _integer(number: int | Decimal) -> int:
    if isinstance(number, Decimal) and number != number.to_integral_value():
        raise InternalError("a fraction reached a place of type Int")
    return int(number)


def exactly(
    calculate: Callable[[Decimal, Decimal], Decimal], left: int | Decimal, right: int | Decimal
) -> Decimal:
    """A sum, difference or product of the wide context, which fails before it loses a digit."""
    try:
        return calculate(Decimal(left), Decimal(right))
    except Inexact:
        raise FailedError(FailureKind.TOO_MANY_DIGITS) from None


def quotient(numerator: int, denominator: int) -> Decimal:
    """The exact quotient, or where it does not end that rounded half to even at 18 places."""
    if denominator == 0:
        raise FailedError(FailureKind.DIVISION_BY_ZERO)
    shared = gcd(numerator, denominator)
    numerator, denominator = numerator // shared, denominator // shared
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    places = _places_of_fraction(denominator)
    if places is None:
        places = QUOTIENT_PLACES
        return _shifted(round_half_even(numerator * 10**places, denominator), places)
    if places > MAX_DIGITS:
        raise FailedError(FailureKind.TOO_MANY_DIGITS)
    return _shifted(numerator * 10**places // denominator, places)


def _places_of_fraction(denominator: int) -> int | None:
    """After how many places a reduced fraction ends: it does where only 2 and 5 divide its denominator."""
    twos = (denominator & -denominator).bit_length() - 1
    rest, fives = denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None


def _shifted(unscaled: int, places: int) -> Decimal:
    if abs(unscaled) >= 10 ** (MAX_DIGITS + places):
        raise FailedError(FailureKind.TOO_MANY_DIGITS)
    return WIDE.scaleb(Decimal(unscaled), -places)


def round_half_even(numerator: int, denominator: int) -> int:
    """The quotient as the nearest integer; `denominator` is positive."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return whole + (twice > denominator or (twice == denominator and whole % 2 == 1))


def rounded(number: int | Decimal, places: int) -> int | Decimal:
    """The number rounded half to even at a number of places; negative ones are tens, hundreds, ..."""
    numerator, denominator = number.as_integer_ratio()
    if places >= MAX_DIGITS or (denominator == 1 and places >= 0):
        return number
    if places >= 0:
        return _shifted(round_half_even(numerator * 10**places, denominator), places)
    # 10 to the power of a great number of places is not calculated where the answer is 0 without it.
    if -places > abs(numerator).bit_length():
        return 0
    unit: int = 10**-places
    return round_half_even(numerator, denominator * unit) * unit
