"""What every operator and function of the language takes and gives.

`result_type` is the whole of it: an operation and the types of its arguments in, the type of the value
or a `Mismatch` out. How values are calculated stands in `policylang.evaluate.calculate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policylang.facts.types import (
    BOOL,
    CIDR,
    DATE,
    DATETIME,
    DURATION,
    INT,
    IP,
    MAX_DIGITS,
    STRING,
    TIME,
    DecimalType,
    EnumType,
    ListType,
    RecordType,
    SetType,
    Type,
    base,
    is_number,
)
from policylang.semantics.program import Operation


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why an operation does not take these types: the argument (from 0) and what it should be.

    `argument` is None where the arguments do not go together, and `expected` then says what would.
    """

    argument: int | None
    expected: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function that policies call by name.

    `forms` are its argument lists as documentation and hints write them.
    """

    name: str
    operation: Operation
    fewest: int
    most: int
    forms: tuple[str, ...]


def _functions(*functions: Function) -> Mapping[str, Function]:
    return {function.name: function for function in functions}


FUNCTIONS: Final[Mapping[str, Function]] = _functions(
    Function("min", Operation.MIN, 2, 2, ("min(A, B)", "min(E for CONDITION)")),
    Function("max", Operation.MAX, 2, 2, ("max(A, B)", "max(E for CONDITION)")),
    Function("abs", Operation.ABS, 1, 1, ("abs(NUMBER)", "abs(DURATION)")),
    Function("round", Operation.ROUND, 1, 2, ("round(NUMBER)", "round(NUMBER, PLACES)")),
    Function("floor", Operation.FLOOR, 1, 1, ("floor(NUMBER)",)),
    Function("ceil", Operation.CEIL, 1, 1, ("ceil(NUMBER)",)),
    Function("len", Operation.LEN, 1, 1, ("len(STRING)", "len(SET)", "len(LIST)")),
    Function("lower", Operation.LOWER, 1, 1, ("lower(STRING)",)),
    Function("upper", Operation.UPPER, 1, 1, ("upper(STRING)",)),
    Function("starts_with", Operation.STARTS_WITH, 2, 2, ("starts_with(STRING, START)",)),
    Function("ends_with", Operation.ENDS_WITH, 2, 2, ("ends_with(STRING, END)",)),
    Function("before", Operation.BEFORE, 2, 2, ("before(STRING, SEPARATOR)",)),
    Function("after", Operation.AFTER, 2, 2, ("after(STRING, SEPARATOR)",)),
    Function("date", Operation.DATE, 2, 2, ('date(DATETIME, "Europe/Paris")',)),
    Function("time", Operation.TIME, 2, 2, ('time(DATETIME, "Europe/Paris")',)),
    Function("weekday", Operation.WEEKDAY, 2, 2, ('weekday(DATETIME, "Europe/Paris")',)),
)

COMPARISONS: Final = frozenset(
    {
        Operation.EQ,
        Operation.NE,
        Operation.LT,
        Operation.LE,
        Operation.GT,
        Operation.GE,
    }
)


def same_kind(left: Type, right: Type) -> bool:
    """Whether values of the two types compare: numbers with numbers, else equal types.

    A reference counts as its key; an enum is the same by its qualified name.
    """
    return unify(left, right) is not None


def unify(left: Type, right: Type) -> Type | None:
    """The type that holds the values of both, or None where they are of different kinds.

    Of numbers it is the wider: `Decimal` over `Int`, the greater scale over the lesser. A reference
    stays one only where both refer to the same fact.
    """
    if left == right:
        return left
    left, right = base(left), base(right)
    match left, right:
        case EnumType(), EnumType():
            return left if left.name == right.name else None
        case SetType(), SetType():
            return left if same_kind(left.element.type, right.element.type) else None
        case ListType(), ListType():
            return left if same_kind(left.element.type, right.element.type) else None
        case RecordType(), RecordType():
            return left if _same_fields(left, right) else None
        case _ if is_number(left) and is_number(right):
            return widest(left, right)
        case _:
            return left if left == right else None


def _same_fields(left: RecordType, right: RecordType) -> bool:
    return len(left.fields) == len(right.fields) and all(
        a.name == b.name and same_kind(a.domain.type, b.domain.type)
        for a, b in zip(left.fields, right.fields, strict=True)
    )


def scale(number: Type) -> int | None:
    """The places that values of a number type may have; None where that is not known."""
    return number.scale if isinstance(number, DecimalType) else 0


def widest(left: Type, right: Type) -> Type:
    """The number type that holds the values of two number types."""
    if left is INT and right is INT:
        return INT
    a, b = scale(left), scale(right)
    return DecimalType(None if a is None or b is None else max(a, b))


def is_ordered(type_: Type) -> bool:
    """Whether `<` is defined on values of the type."""
    kind = base(type_)
    return (
        is_number(kind)
        or isinstance(kind, EnumType)
        or kind in (STRING, DATE, DATETIME, TIME, DURATION)
    )


ORDERED_WORDS: Final = "a number, a date, a time, a duration, a string or an enum"


def result_type(
    operation: Operation, arguments: Sequence[Type], places: int | None = None
) -> Type | Mismatch:
    """The type of `operation` on values of these types.

    `places` is the constant second argument of `round`, where there is one: it is the scale of what
    comes out. The number of arguments has been checked before.
    """
    kinds = [base(argument) for argument in arguments]
    if operation is Operation.ROUND:
        return _round(kinds, places)
    return _RULES[operation](kinds)


_Rule = Callable[[Sequence[Type]], "Type | Mismatch"]


def _equality(kinds: Sequence[Type]) -> Type | Mismatch:
    return BOOL if same_kind(*kinds) else Mismatch(1, str(kinds[0]))


def _ordering(kinds: Sequence[Type]) -> Type | Mismatch:
    for i, kind in enumerate(kinds):
        if not is_ordered(kind):
            return Mismatch(i, ORDERED_WORDS)
        if not same_kind(kinds[0], kind):
            return Mismatch(i, str(kinds[0]))
    return BOOL


def _extreme(kinds: Sequence[Type]) -> Type | Mismatch:
    ordered = _ordering(kinds)
    if isinstance(ordered, Mismatch):
        return ordered
    return unify(*kinds) or Mismatch(1, str(kinds[0]))


def _member(kinds: Sequence[Type]) -> Type | Mismatch:
    element, collection = kinds
    if not isinstance(collection, SetType | ListType):
        return Mismatch(1, f"a set or a list of {element}")
    if not same_kind(collection.element.type, element):
        return Mismatch(0, str(collection.element.type))
    return BOOL


def _has(kinds: Sequence[Type]) -> Type | Mismatch:
    collection, element = kinds
    if not isinstance(collection, SetType | ListType):
        return Mismatch(0, "a set or a list")
    if not same_kind(collection.element.type, element):
        return Mismatch(1, str(collection.element.type))
    return BOOL


def _has_several(kinds: Sequence[Type]) -> Type | Mismatch:
    left, right = kinds
    if not isinstance(left, SetType):
        return Mismatch(0, "a set")
    if not isinstance(right, SetType) or not same_kind(left, right):
        return Mismatch(1, str(left))
    return BOOL


def _exactly(result: Type, *expected: Type) -> _Rule:
    def rule(kinds: Sequence[Type]) -> Type | Mismatch:
        for i, (kind, wanted) in enumerate(zip(kinds, expected, strict=True)):
            if kind != wanted:
                return Mismatch(i, str(wanted))
        return result

    return rule


_SUMS: Final[Mapping[tuple[Type, Type], Type]] = {
    (STRING, STRING): STRING,
    (DATETIME, DURATION): DATETIME,
    (DURATION, DATETIME): DATETIME,
    (DATE, DURATION): DATE,
    (DURATION, DATE): DATE,
    (DURATION, DURATION): DURATION,
}
_DIFFERENCES: Final[Mapping[tuple[Type, Type], Type]] = {
    (DATETIME, DATETIME): DURATION,
    (DATE, DATE): DURATION,
    (DATETIME, DURATION): DATETIME,
    (DATE, DURATION): DATE,
    (DURATION, DURATION): DURATION,
}


def _add(kinds: Sequence[Type]) -> Type | Mismatch:
    left, right = kinds
    if is_number(left) and is_number(right):
        return widest(left, right)
    return _either(_SUMS, left, right, "a number, a string, a date or a duration")


def _subtract(kinds: Sequence[Type]) -> Type | Mismatch:
    left, right = kinds
    if is_number(left) and is_number(right):
        return widest(left, right)
    return _either(_DIFFERENCES, left, right, "a number, a date or a duration")


def _either(
    forms: Mapping[tuple[Type, Type], Type], left: Type, right: Type, words: str
) -> Type | Mismatch:
    """The form for two kinds of values; else what the right one should be beside the left one."""
    if not is_number(left) and not any(left == a for a, _ in forms):
        return Mismatch(0, words)
    for (a, b), result in forms.items():
        if (left, right) == (a, b):
            return result
    if is_number(left):
        return Mismatch(1, "a number")
    return Mismatch(1, " or ".join(dict.fromkeys(str(b) for a, b in forms if a == left)))


def _multiply(kinds: Sequence[Type]) -> Type | Mismatch:
    left, right = kinds
    if is_number(left) and is_number(right):
        if left is INT and right is INT:
            return INT
        a, b = scale(left), scale(right)
        if a is None or b is None or a + b > MAX_DIGITS:
            return DecimalType(None)
        return DecimalType(a + b)
    for i, (one, other) in enumerate(((left, right), (right, left))):
        if one is DURATION:
            return DURATION if is_number(other) else Mismatch(1 - i, "a number")
    return Mismatch(0 if not is_number(left) else 1, "a number or a Duration")


def _divide(kinds: Sequence[Type]) -> Type | Mismatch:
    left, right = kinds
    if is_number(left):
        return DecimalType(None) if is_number(right) else Mismatch(1, "a number")
    if left is not DURATION:
        return Mismatch(0, "a number or a Duration")
    if right is DURATION:
        return DecimalType(None)
    return DURATION if is_number(right) else Mismatch(1, "a number or a Duration")


def _number_or_duration(kinds: Sequence[Type]) -> Type | Mismatch:
    (kind,) = kinds
    return kind if is_number(kind) or kind is DURATION else Mismatch(0, "a number or a Duration")


def _to_int(kinds: Sequence[Type]) -> Type | Mismatch:
    return INT if is_number(kinds[0]) else Mismatch(0, "a number")


def _round(kinds: Sequence[Type], places: int | None) -> Type | Mismatch:
    if not is_number(kinds[0]):
        return Mismatch(0, "a number")
    if len(kinds) == 1:
        return INT
    if kinds[1] is not INT:
        return Mismatch(1, "Int")
    return DecimalType(places if places is not None and places >= 0 else None)


def _fit(kinds: Sequence[Type]) -> Type | Mismatch:
    return kinds[0] if is_number(kinds[0]) else Mismatch(0, "a number")


def _length(kinds: Sequence[Type]) -> Type | Mismatch:
    (kind,) = kinds
    if kind is STRING or isinstance(kind, SetType | ListType):
        return INT
    return Mismatch(0, "a string, a set or a list")


_RULES: Final[Mapping[Operation, _Rule]] = {
    Operation.EQ: _equality,
    Operation.NE: _equality,
    Operation.LT: _ordering,
    Operation.LE: _ordering,
    Operation.GT: _ordering,
    Operation.GE: _ordering,
    Operation.BETWEEN: _ordering,
    Operation.IN: _member,
    Operation.IN_NETWORK: _exactly(BOOL, IP, CIDR),
    Operation.HAS: _has,
    Operation.HAS_ALL: _has_several,
    Operation.HAS_ANY: _has_several,
    Operation.LIKE: _exactly(BOOL, STRING, STRING),
    Operation.STARTS_WITH: _exactly(BOOL, STRING, STRING),
    Operation.ENDS_WITH: _exactly(BOOL, STRING, STRING),
    Operation.ADD: _add,
    Operation.SUB: _subtract,
    Operation.MUL: _multiply,
    Operation.DIV: _divide,
    Operation.NEG: _number_or_duration,
    Operation.ABS: _number_or_duration,
    Operation.MIN: _extreme,
    Operation.MAX: _extreme,
    Operation.FLOOR: _to_int,
    Operation.CEIL: _to_int,
    Operation.FIT: _fit,
    Operation.LEN: _length,
    Operation.LOWER: _exactly(STRING, STRING),
    Operation.UPPER: _exactly(STRING, STRING),
    Operation.BEFORE: _exactly(STRING, STRING, STRING),
    Operation.AFTER: _exactly(STRING, STRING, STRING),
    Operation.DATE: _exactly(DATE, DATETIME, STRING),
    Operation.TIME: _exactly(TIME, DATETIME, STRING),
    Operation.WEEKDAY: _exactly(INT, DATETIME, STRING),
}
