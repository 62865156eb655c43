"""Random well-typed expressions over the variables in scope."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from policylang.errors import InternalError
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
    ListType,
    SetType,
    Type,
    base,
    is_number,
)
from policylang.semantics.operations import Mismatch, is_ordered, result_type, unify
from policylang.semantics.program import Apply, Constant, Expression, Operation, Variable
from tests.reference.draws import Draws, chance, pick
from tests.reference.pools import TYPES, WRITABLE_TYPES, ZONES, value

ANY_NUMBER = DecimalType(None)
"""As a wanted type: a number of whatever type."""

LONGEST = 10**38
"""Longer integers are not written as constants of a policy."""

COLLECTIONS: tuple[Type, ...] = tuple(t for t in TYPES if isinstance(t, SetType | ListType))

_O = Operation
_Form = tuple[Operation, tuple[Type, ...]]

_INT_FORMS: tuple[_Form, ...] = (
    (_O.ADD, (INT, INT)),
    (_O.SUB, (INT, INT)),
    (_O.MUL, (INT, INT)),
    (_O.NEG, (INT,)),
    (_O.ABS, (INT,)),
    (_O.MIN, (INT, INT)),
    (_O.MAX, (INT, INT)),
    (_O.LEN, (STRING,)),
    (_O.LEN, (COLLECTIONS[0],)),
    (_O.FLOOR, (ANY_NUMBER,)),
    (_O.CEIL, (ANY_NUMBER,)),
    (_O.ROUND, (ANY_NUMBER,)),
    (_O.WEEKDAY, (DATETIME, STRING)),
)
_NUMBER_FORMS: tuple[_Form, ...] = (
    (_O.ADD, (ANY_NUMBER, ANY_NUMBER)),
    (_O.SUB, (ANY_NUMBER, ANY_NUMBER)),
    (_O.MUL, (ANY_NUMBER, ANY_NUMBER)),
    (_O.NEG, (ANY_NUMBER,)),
    (_O.ABS, (ANY_NUMBER,)),
    (_O.MIN, (ANY_NUMBER, ANY_NUMBER)),
    (_O.MAX, (ANY_NUMBER, ANY_NUMBER)),
    (_O.ROUND, (ANY_NUMBER, INT)),
)
_FORMS: dict[Type, tuple[_Form, ...]] = {
    INT: _INT_FORMS,
    STRING: (
        (_O.ADD, (STRING, STRING)),
        (_O.LOWER, (STRING,)),
        (_O.UPPER, (STRING,)),
        (_O.BEFORE, (STRING, STRING)),
        (_O.AFTER, (STRING, STRING)),
        (_O.MIN, (STRING, STRING)),
    ),
    DATE: ((_O.MAX, (DATE, DATE)), (_O.DATE, (DATETIME, STRING))),
    DATETIME: ((_O.MIN, (DATETIME, DATETIME)), (_O.MAX, (DATETIME, DATETIME))),
    TIME: ((_O.MIN, (TIME, TIME)), (_O.TIME, (DATETIME, STRING))),
    DURATION: ((_O.SUB, (DATETIME, DATETIME)), (_O.SUB, (DATE, DATE))),
}
_FALLIBLE_FORMS: dict[Type, tuple[_Form, ...]] = {
    ANY_NUMBER: (
        (_O.DIV, (ANY_NUMBER, ANY_NUMBER)),
        (_O.FIT, (ANY_NUMBER, INT)),
        (_O.MUL, (DecimalType(18), DecimalType(18))),
        (_O.DIV, (DURATION, DURATION)),
    ),
    DATE: ((_O.ADD, (DATE, DURATION)), (_O.SUB, (DATE, DURATION)), (_O.ADD, (DURATION, DATE))),
    DATETIME: ((_O.ADD, (DATETIME, DURATION)), (_O.SUB, (DATETIME, DURATION))),
    DURATION: (
        (_O.ADD, (DURATION, DURATION)),
        (_O.SUB, (DURATION, DURATION)),
        (_O.MUL, (DURATION, ANY_NUMBER)),
        (_O.MUL, (ANY_NUMBER, DURATION)),
        (_O.DIV, (DURATION, ANY_NUMBER)),
        (_O.NEG, (DURATION,)),
        (_O.ABS, (DURATION,)),
    ),
}
_ZONED = (_O.DATE, _O.TIME, _O.WEEKDAY)
_EQUALITIES = (_O.EQ, _O.NE)
_COMPARISONS = (_O.EQ, _O.LE, _O.GT, _O.NE, _O.LT, _O.GE, _O.BETWEEN)
_TEXT_TESTS = (_O.LIKE, _O.STARTS_WITH, _O.ENDS_WITH)


def fits(wanted: Type, given: Type) -> bool:
    """Whether a value of the given type can stand where the wanted type is."""
    if wanted == ANY_NUMBER:
        return is_number(base(given))
    unified = unify(wanted, given)
    return unified is not None and base(unified) == base(wanted)


class Expressions:
    """Makes expressions from choices; with `fallible` also ones that may fail often."""

    def __init__(self, draws: Draws, *, fallible: bool, writable: bool = False) -> None:
        self._draws = draws
        self._fallible = fallible
        self._writable = writable
        self.types = WRITABLE_TYPES if writable else TYPES
        self.collections = tuple(t for t in COLLECTIONS if t in self.types)

    def constant(self, type_: Type) -> Constant:
        """A constant of the type (an Int or a Decimal(2) where any number is wanted)."""
        if type_ == ANY_NUMBER:
            type_ = pick(self._draws, (INT, DecimalType(2)))
        constant = value(self._draws, type_)
        if self._writable and isinstance(constant, int) and abs(constant) >= LONGEST:
            constant = 0
        return Constant(constant, base(type_))

    def term(self, type_: Type, scope: Sequence[Variable]) -> Variable | Constant:
        """A variable in scope of that type if there is one, or a constant."""
        found = [variable for variable in scope if fits(type_, variable.type)]
        if found and not chance(self._draws, 25):
            return pick(self._draws, found)
        return self.constant(type_)

    def expression(self, type_: Type, scope: Sequence[Variable], depth: int) -> Expression:
        """An expression whose type fits the wanted one."""
        forms = self._forms(type_)
        if depth == 0 or not forms or not chance(self._draws, 70 if self._fallible else 35):
            return self.term(type_, scope)
        return self._apply(pick(self._draws, forms), scope, depth - 1)

    def _forms(self, type_: Type) -> tuple[_Form, ...]:
        kind = base(type_)
        if self._fallible and kind in _FALLIBLE_FORMS and chance(self._draws, 60):
            return _FALLIBLE_FORMS[kind]
        if kind == ANY_NUMBER:
            return (*_NUMBER_FORMS, *_INT_FORMS)
        if isinstance(kind, EnumType):
            return ((_O.MIN, (kind, kind)), (_O.MAX, (kind, kind)))
        return _FORMS.get(kind, ())

    def _apply(self, form: _Form, scope: Sequence[Variable], depth: int) -> Apply:
        operation, wanted = form
        if operation is _O.FIT and self._writable:
            operation = _O.ROUND
        arguments = [self.expression(type_, scope, depth) for type_ in wanted]
        if operation is _O.DIV and chance(self._draws, 30):
            arguments[1] = self._nothing(wanted[1])
        if operation in _ZONED:
            arguments[1] = Constant(self._zone(), STRING)
        if operation in (_O.ROUND, _O.FIT) and len(arguments) == 2:
            places = pick(self._draws, (2, 0, 1, 18) if operation is _O.FIT else (2, 0, 5, -1, 20))
            arguments[1] = Constant(places, INT)
            if operation is _O.FIT:
                return Apply(operation, tuple(arguments), DecimalType(places))
            return _typed(operation, arguments, places)
        return _typed(operation, arguments)

    def _nothing(self, type_: Type) -> Constant:
        return Constant(dt.timedelta(0), DURATION) if type_ is DURATION else Constant(0, INT)

    def _zone(self) -> str:
        if self._fallible and not self._writable and chance(self._draws, 20):
            return "Nowhere/Land"
        return pick(self._draws, ZONES)

    def condition(self, scope: Sequence[Variable], depth: int) -> Expression:
        """An expression of type Bool."""
        draws = self._draws
        match draws.below(8):
            case 0 | 1 | 2 | 3:
                return self._comparison(self._subject(scope), scope, depth)
            case 4:
                return self._membership(scope, depth)
            case 5:
                collection = pick(draws, [t for t in self.collections if isinstance(t, SetType)])
                both = [self.term(collection, scope) for _ in range(2)]
                return _typed(pick(draws, (_O.HAS_ALL, _O.HAS_ANY)), both)
            case 6:
                both = [self.expression(STRING, scope, depth) for _ in range(2)]
                return _typed(pick(draws, _TEXT_TESTS), both)
            case _:
                if chance(draws, 50):
                    return self.term(BOOL, scope)
                return _typed(_O.IN_NETWORK, [self.term(IP, scope), self.term(CIDR, scope)])

    def _subject(self, scope: Sequence[Variable]) -> Type:
        if self._fallible and chance(self._draws, 50):
            return pick(self._draws, tuple(_FALLIBLE_FORMS))
        types = [base(variable.type) for variable in scope]
        return pick(self._draws, types) if types else pick(self._draws, self.types)

    def _comparison(self, type_: Type, scope: Sequence[Variable], depth: int) -> Expression:
        type_ = ANY_NUMBER if is_number(base(type_)) else type_
        operation = pick(self._draws, _COMPARISONS if is_ordered(type_) else _EQUALITIES)
        count = 3 if operation is _O.BETWEEN else 2
        return _typed(operation, [self.expression(type_, scope, depth) for _ in range(count)])

    def _membership(self, scope: Sequence[Variable], depth: int) -> Expression:
        collection = self.term(pick(self._draws, self.collections), scope)
        kind = base(collection.type)
        assert isinstance(kind, SetType | ListType)
        element = self.expression(kind.element.type, scope, depth)
        if chance(self._draws, 50):
            return _typed(_O.IN, [element, collection])
        return _typed(_O.HAS, [collection, element])


def _typed(
    operation: Operation, arguments: Sequence[Expression], places: int | None = None
) -> Apply:
    type_ = result_type(operation, [argument.type for argument in arguments], places)
    if isinstance(type_, Mismatch):
        raise InternalError(f"the generator made {operation} of {arguments}")
    return Apply(operation, tuple(arguments), type_)


def element_type(collection: Expression) -> Type:
    """The type of the elements of a set or list."""
    kind = base(collection.type)
    assert isinstance(kind, SetType | ListType)
    domain: Domain = kind.element
    return domain.type
