"""The exact calculation of every `Operation` on runtime values.

The one place that says what `+`, `like` or `weekday` compute, for every evaluator, for messages and for proofs.
What has no value is an answer here, never an exception:

* `MISSING` where an argument is missing, and where an operation says so (`before` without its separator);
* a `CalculationFailure` where an operation fails, or an argument already did. A failure beside a missing argument
  is a failure: a literal with a failing operation is neither true nor false.

Numbers are exact: an `Int` has any size, a Decimal at most 38 digits on both sides of its point together. Messages of
failures hold no values, since a value may be secret.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache, lru_cache
from math import gcd
from typing import Any, Final, NoReturn, TypeAlias, TypeVar, assert_never

from policylang.errors import InternalError
from policylang.evaluate.exact import (
    WIDE,
    CalculationFailure,
    FailedError,
    conformed,
    decimal_of,
    exactly,
    quotient,
    round_half_even,
    rounded,
)
from policylang.evaluate.firings import FailureKind
from policylang.facts.order import value_key
from policylang.facts.types import (
    DURATION,
    INT,
    EnumType,
    ListType,
    RecordType,
    SetType,
    Type,
    base,
)
from policylang.facts.values import MISSING, Missing, Record, Value
from policylang.semantics.program import (
    AggregateKind,
    Apply,
    Constant,
    Expression,
    Operation,
    Variable,
)

Calculated: TypeAlias = "Value | Missing | CalculationFailure"


def value_of(expression: Expression, environment: Mapping[str, Calculated]) -> Calculated:
    """The value of an expression where `environment` holds the value of each of its variables, by name."""
    match expression:
        case Constant():
            return expression.value
        case Variable():
            return environment[expression.name]
        case Apply():
            arguments = [value_of(argument, environment) for argument in expression.arguments]
            types = [argument.type for argument in expression.arguments]
            return apply(expression.operation, types, arguments, expression.type)
        case _:
            assert_never(expression)


def apply(
    operation: Operation,
    types: Sequence[Type],
    arguments: Sequence[Calculated],
    result: Type,
) -> Calculated:
    """The value of an operation: `types` are those of its arguments, `result` that of its value.

    `InternalError` where the arguments are not of types that the operation takes.
    """
    for argument in arguments:
        if argument is MISSING or isinstance(argument, CalculationFailure):
            return worst(arguments)
    try:
        return _OPERATIONS[operation](types, arguments, result)
    except FailedError as failed:
        return failed.failure
    except OverflowError:
        return _out_of_range(result)
    except (TypeError, AttributeError) as problem:
        names = ", ".join(str(type_) for type_ in types)
        raise InternalError(f"`{operation.value}` was given ({names})") from problem


def worst(values: Iterable[Calculated]) -> Missing | CalculationFailure:
    """What an operation is where an argument has no value: the first failure by code, else missing."""
    failures = [value for value in values if isinstance(value, CalculationFailure)]
    if not failures:
        return MISSING
    return min(failures, key=lambda failure: (failure.kind.value, failure.message))


def aggregate(
    kind: AggregateKind, values: Iterable[Calculated], type_: Type, result: Type
) -> Calculated:
    """The count, sum, least or greatest of the values (of type `type_`) of the matches of an aggregate.

    Missing values are skipped (a `count` without a value counts matches: give it anything present for each);
    `min` and `max` of none are missing. Only the whole sum has to fit 38 digits, since the order of adding must
    not be seen.
    """
    present = [value for value in values if value is not MISSING]
    for value in present:
        if isinstance(value, CalculationFailure):
            return worst(present)
    try:
        return _aggregate(kind, present, type_, result)
    except FailedError as failed:
        return failed.failure
    except OverflowError:
        return _out_of_range(result)


def _aggregate(
    kind: AggregateKind, values: Sequence[Any], type_: Type, result: Type
) -> Value | Missing:
    match kind:
        case AggregateKind.SUM:
            return _sum(values, result)
        case AggregateKind.MIN | AggregateKind.MAX:
            if not values:
                return MISSING
            choose: Callable[..., Any] = min if kind is AggregateKind.MIN else max
            return conformed(choose(values, key=lambda value: order_key(value, type_)), result)
        case AggregateKind.COUNT:
            return len(values)
        case _:
            assert_never(kind)


def _sum(values: Sequence[Any], result: Type) -> Value:
    if base(result) is DURATION:
        return _duration(sum(map(_microseconds, values)))
    if base(result) is INT:
        # An Int may come as the Decimal that it is equal to, and Python would round its sums.
        return sum(map(int, values))
    numerators: dict[int, int] = {}
    for value in values:
        numerator, denominator = value.as_integer_ratio()
        numerators[denominator] = numerators.get(denominator, 0) + numerator
    # Denominators divide a power of ten, so adding by denominator first leaves a handful to bring together.
    numerator, denominator = 0, 1
    for each, added in numerators.items():
        numerator, denominator = numerator * each + added * denominator, denominator * each
        shared = gcd(numerator, denominator)
        numerator, denominator = numerator // shared, denominator // shared
    return conformed(quotient(numerator, denominator), result)


def conform(value: Value, type_: Type) -> Calculated:
    """The value as its type writes it: an `int` for Int, a Decimal with the places of its scale.

    A Decimal without a scale has no trailing zeros. Equal numbers of one type so print alike, whoever
    calculated them. Fails where the number has more digits or places than its type holds.
    """
    try:
        return conformed(value, type_)
    except FailedError as failed:
        return failed.failure


def order_key(value: Value | Missing, type_: Type) -> Any:
    """A sort key in the policy's own order: enums as declared, strings by code point, numbers by value."""
    type_ = base(type_)
    if isinstance(value, Missing):
        return (0,)
    match type_:
        case EnumType():
            return _positions(type_)[_text(value)]
        case ListType() if isinstance(value, tuple):
            return [order_key(item, type_.element.type) for item in value]
        case SetType() if isinstance(value, frozenset):
            return sorted(order_key(item, type_.element.type) for item in value)
        case RecordType() if isinstance(value, Record):
            return [
                (1, order_key(item, field.domain.type)) if item is not MISSING else (0,)
                for item, field in zip(value.values, type_.fields, strict=True)
            ]
        case _:
            return value if isinstance(value, _PLAINLY_ORDERED) else value_key(value)


_PLAINLY_ORDERED: Final = (bool, int, Decimal, str, dt.date, dt.time, dt.timedelta)


@cache
def _positions(type_: EnumType) -> dict[str, int]:
    return {name: position for position, name in enumerate(type_.member_names)}


# --- operations ------------------------------------------------------------------------------------

_Types: TypeAlias = Sequence[Type]
_Arguments: TypeAlias = Sequence[Any]
_Calculation: TypeAlias = "Callable[[_Types, _Arguments, Type], Value | Missing]"

_OPERATIONS: dict[Operation, _Calculation] = {}

_Decorated = TypeVar("_Decorated", bound=_Calculation)


def _calculates(*operations: Operation) -> Callable[[_Decorated], _Decorated]:
    def register(calculation: _Decorated) -> _Decorated:
        for operation in operations:
            if operation in _OPERATIONS:
                raise InternalError(f"`{operation.value}` is calculated twice")
            _OPERATIONS[operation] = calculation
        return calculation

    return register


@_calculates(Operation.EQ)
def _equal(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return bool(arguments[0] == arguments[1])


@_calculates(Operation.NE)
def _different(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return bool(arguments[0] != arguments[1])


@_calculates(Operation.LT)
def _less(types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return bool(order_key(arguments[0], types[0]) < order_key(arguments[1], types[1]))


@_calculates(Operation.LE)
def _at_most(types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return bool(order_key(arguments[0], types[0]) <= order_key(arguments[1], types[1]))


@_calculates(Operation.GT)
def _greater(types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return bool(order_key(arguments[0], types[0]) > order_key(arguments[1], types[1]))


@_calculates(Operation.GE)
def _at_least(types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return bool(order_key(arguments[0], types[0]) >= order_key(arguments[1], types[1]))


@_calculates(Operation.BETWEEN)
def _between(types: _Types, arguments: _Arguments, _result: Type) -> Value:
    value, low, high = map(order_key, arguments, types)
    return bool(low <= value <= high)


@_calculates(Operation.IN)
def _in(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return arguments[0] in arguments[1]


@_calculates(Operation.IN_NETWORK)
def _in_network(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return arguments[0] in arguments[1]


@_calculates(Operation.HAS)
def _has(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return arguments[1] in arguments[0]


@_calculates(Operation.HAS_ALL)
def _has_all(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return frozenset(arguments[0]).issuperset(arguments[1])


@_calculates(Operation.HAS_ANY)
def _has_any(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return not frozenset(arguments[0]).isdisjoint(arguments[1])


@_calculates(Operation.ADD)
def _add(_types: _Types, arguments: _Arguments, result: Type) -> Value:
    left, right = arguments
    if isinstance(left, str):
        return left + _text(right)
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return conformed(exactly(WIDE.add, left, right), result)
    if isinstance(left, int):
        return conformed(left + right, result)
    if _is_date(left):
        return left + _whole_days(right)  # type: ignore[no-any-return]
    if _is_date(right):
        return right + _whole_days(left)  # type: ignore[no-any-return]
    return left + right  # type: ignore[no-any-return]


@_calculates(Operation.SUB)
def _subtract(_types: _Types, arguments: _Arguments, result: Type) -> Value:
    left, right = arguments
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return conformed(exactly(WIDE.subtract, left, right), result)
    if isinstance(left, int):
        return conformed(left - right, result)
    if _is_date(left) and isinstance(right, dt.timedelta):
        return left - _whole_days(right)  # type: ignore[no-any-return]
    return left - right  # type: ignore[no-any-return]


@_calculates(Operation.MUL)
def _multiply(_types: _Types, arguments: _Arguments, result: Type) -> Value:
    left, right = arguments
    if isinstance(left, dt.timedelta) or isinstance(right, dt.timedelta):
        duration, number = (left, right) if isinstance(left, dt.timedelta) else (right, left)
        numerator, denominator = number.as_integer_ratio()
        return _duration(round_half_even(_microseconds(duration) * numerator, denominator))
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return conformed(exactly(WIDE.multiply, left, right), result)
    return conformed(left * right, result)


@_calculates(Operation.DIV)
def _divide(_types: _Types, arguments: _Arguments, result: Type) -> Value:
    left, right = arguments
    above, below = _ratio(left)
    other_above, other_below = _ratio(right)
    numerator, denominator = above * other_below, below * other_above
    if isinstance(right, dt.timedelta) or not isinstance(left, dt.timedelta):
        return conformed(quotient(numerator, denominator), result)
    if denominator == 0:
        raise FailedError(FailureKind.DIVISION_BY_ZERO)
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    return _duration(round_half_even(numerator, denominator))


def _ratio(value: int | Decimal | dt.timedelta) -> tuple[int, int]:
    return (
        (_microseconds(value), 1) if isinstance(value, dt.timedelta) else value.as_integer_ratio()
    )


@_calculates(Operation.NEG)
def _negative(_types: _Types, arguments: _Arguments, result: Type) -> Value:
    (value,) = arguments
    if isinstance(value, Decimal):
        return conformed(value.copy_negate(), result)
    return conformed(-value, result)


@_calculates(Operation.ABS)
def _absolute(_types: _Types, arguments: _Arguments, result: Type) -> Value:
    (value,) = arguments
    if isinstance(value, Decimal):
        return conformed(value.copy_abs(), result)
    return conformed(abs(value), result)


@_calculates(Operation.MIN)
def _least(types: _Types, arguments: _Arguments, result: Type) -> Value:
    left, right = map(order_key, arguments, types)
    return conformed(arguments[0] if left <= right else arguments[1], result)


@_calculates(Operation.MAX)
def _greatest(types: _Types, arguments: _Arguments, result: Type) -> Value:
    left, right = map(order_key, arguments, types)
    return conformed(arguments[0] if left >= right else arguments[1], result)


@_calculates(Operation.ROUND)
def _rounded(_types: _Types, arguments: _Arguments, result: Type) -> Value:
    places = arguments[1] if len(arguments) > 1 else 0
    return conformed(rounded(arguments[0], places), result)


@_calculates(Operation.FLOOR)
def _floor(_types: _Types, arguments: _Arguments, result: Type) -> Value:
    numerator, denominator = arguments[0].as_integer_ratio()
    return conformed(numerator // denominator, result)


@_calculates(Operation.CEIL)
def _ceiling(_types: _Types, arguments: _Arguments, result: Type) -> Value:
    numerator, denominator = arguments[0].as_integer_ratio()
    return conformed(-(-numerator // denominator), result)


@_calculates(Operation.FIT)
def _fit(_types: _Types, arguments: _Arguments, result: Type) -> Value:
    number, scale = arguments
    return conformed(decimal_of(number, scale), result)


# --- text, sets, lists -------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a string was expected, not {type(value).__name__}")
    return value


@_calculates(Operation.LEN)
def _length(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return len(arguments[0])


@_calculates(Operation.LOWER)
def _lower(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return _text(arguments[0]).lower()


@_calculates(Operation.UPPER)
def _upper(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return _text(arguments[0]).upper()


@_calculates(Operation.STARTS_WITH)
def _starts_with(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return _text(arguments[0]).startswith(_text(arguments[1]))


@_calculates(Operation.ENDS_WITH)
def _ends_with(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return _text(arguments[0]).endswith(_text(arguments[1]))


@_calculates(Operation.BEFORE)
def _before(_types: _Types, arguments: _Arguments, _result: Type) -> Value | Missing:
    text, separator = map(_text, arguments)
    found = text.find(separator)
    return MISSING if found < 0 else text[:found]


@_calculates(Operation.AFTER)
def _after(_types: _Types, arguments: _Arguments, _result: Type) -> Value | Missing:
    text, separator = map(_text, arguments)
    found = text.find(separator)
    return MISSING if found < 0 else text[found + len(separator) :]


@_calculates(Operation.LIKE)
def _like(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return is_like(_text(arguments[0]), _text(arguments[1]))


def is_like(text: str, pattern: str) -> bool:
    r"""Whether the whole text matches a pattern: `*` any text, `\*` a star, `\\` a backslash, else itself.

    Takes time linear in both: with `*` alone, the leftmost place for each piece between stars is always
    good enough, so nothing is ever tried again.
    """
    first, *others = _pieces(pattern) if len(pattern) <= 200 else _split(pattern)
    if not others:
        return text == first
    *middle, last = others
    position, end = len(first), len(text) - len(last)
    if end < position or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in middle:
        position = text.find(piece, position, end)
        if position < 0:
            return False
        position += len(piece)
    return True


def _split(pattern: str) -> list[str]:
    """The literal texts between the stars of a pattern."""
    pieces, start = [""], 0
    for star in _STAR.finditer(pattern):
        pieces[-1] += pattern[start : star.start()]
        start = star.end()
        if star.group() == "*":
            pieces.append("")
        else:
            pieces[-1] += star.group()[1]
    pieces[-1] += pattern[start:]
    return pieces


_STAR: Final = re.compile(r"\\[\\*]|\*")
_pieces: Final = lru_cache(maxsize=256)(_split)


# --- dates and times -----------------------------------------------------------------------------------

_MICROSECOND: Final = dt.timedelta(microseconds=1)
_DAY: Final = dt.timedelta(days=1)


def _microseconds(duration: dt.timedelta) -> int:
    return duration // _MICROSECOND


def _duration(microseconds: int) -> dt.timedelta:
    # In two parts, since a count of microseconds alone goes through a C integer.
    days, rest = divmod(microseconds, 86_400_000_000)
    return dt.timedelta(days=days, microseconds=rest)


def _is_date(value: object) -> bool:
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


def _whole_days(duration: dt.timedelta) -> dt.timedelta:
    """The duration that moves a Date. Python would drop the hours of it in silence."""
    if duration % _DAY:
        raise FailedError(FailureKind.OUT_OF_RANGE, "a Date moves by whole days only")
    return duration


def _out_of_range(result: Type) -> CalculationFailure:
    return CalculationFailure(FailureKind.OUT_OF_RANGE, f"a {result} is out of range")


def _unknown_zone() -> NoReturn:
    raise FailedError(FailureKind.UNKNOWN_ZONE)


# Names that stand for whatever zone a machine is set to.
_OF_THE_MACHINE: Final = frozenset({"localtime", "posixrules"})


def _zone(name: str) -> zoneinfo.ZoneInfo:
    if name in _OF_THE_MACHINE:
        _unknown_zone()
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        _unknown_zone()


def _local(arguments: _Arguments) -> dt.datetime:
    moment, zone = arguments
    local: dt.datetime = moment.astimezone(_zone(_text(zone)))
    return local


@_calculates(Operation.DATE)
def _date(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return _local(arguments).date()


@_calculates(Operation.TIME)
def _time(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return _local(arguments).time()


@_calculates(Operation.WEEKDAY)
def _weekday(_types: _Types, arguments: _Arguments, _result: Type) -> Value:
    return _local(arguments).isoweekday()


if _missing := set(Operation) - set(_OPERATIONS):
    raise InternalError(f"nothing calculates {sorted(operation.name for operation in _missing)}")
