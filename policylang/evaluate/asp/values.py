"""Values as clingo symbols, and back.

SOLVER: clingo never frees a symbol. A value of a request becomes a small number, counted from where those of the program
and of its reference data end, and the next evaluation uses the same numbers again: 200,000 decisions with
fresh strings leave no more behind than the largest of them. Equal values get one number, so that joins and `=` are
exact for any size, scale and text; order and arithmetic are left to `policylang.evaluate.calculate`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterable
from decimal import Decimal
from typing import Final

import clingo

from policylang.errors import InternalError
from policylang.evaluate.asp.constants import MISSING_TERM, identity
from policylang.evaluate.asp.terms import AspTerm, Function, Number, Text
from policylang.evaluate.calculate import conform
from policylang.evaluate.exact import CalculationFailure
from policylang.facts.types import (
    INT,
    DecimalType,
    ListType,
    RecordType,
    SetType,
    Type,
    base,
)
from policylang.facts.values import MISSING, Missing, Value

_ANY_SCALE: Final = DecimalType(None)

_ITSELF: Final = frozenset({str, int, Decimal, dt.datetime})
"""Types of values that are their own identity, as most are: to ask for the type is faster than to ask what it is one of."""

_numbers: list[clingo.Symbol] = []


def number(value: int) -> clingo.Symbol:
    """The symbol of a small number."""
    while value >= len(_numbers):
        _numbers.append(clingo.Number(len(_numbers)))
    return _numbers[value]


def symbol_of(term: AspTerm) -> clingo.Symbol:
    """The symbol of a term without variables."""
    match term:
        case Number():
            return clingo.Number(term.value)
        case Text():
            return clingo.String(term.text)
        case Function():
            return clingo.Function(term.name, [symbol_of(a) for a in term.arguments])
        case _:
            raise InternalError("a term with variables is no symbol")


MISSING_SYMBOL: Final = symbol_of(MISSING_TERM)
ONE_SYMBOL: Final = clingo.Number(1)


class Table:
    """Values that stay: those of a program, and of reference data. Not changed once evaluations read it."""

    def __init__(self, constants: Iterable[tuple[Value, AspTerm]]) -> None:
        self.symbols: dict[Hashable, clingo.Symbol] = {}
        self.values: dict[clingo.Symbol, Value | Missing] = {MISSING_SYMBOL: MISSING}
        for value, term in constants:
            symbol = symbol_of(term)
            self.symbols[identity(value)] = symbol
            self.values[symbol] = value
        self.next = 0

    def add(self, value: Value | Missing) -> clingo.Symbol:
        """The symbol of a value, which is given the next number where it has none."""
        if isinstance(value, Missing):
            return MISSING_SYMBOL
        key = identity(value)
        symbol = self.symbols.get(key)
        if symbol is None:
            symbol = self.symbols[key] = number(self.next)
            self.values[symbol] = value
            self.next += 1
        return symbol

    def has(self, constant: tuple[Value, AspTerm]) -> bool:
        """Whether a constant of a program stands here by its term."""
        value, term = constant
        return self.symbols.get(identity(value)) == symbol_of(term)


class Encoding:
    """The values of one evaluation: those of the table, and its own."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known = table.symbols
        self._symbols: dict[Hashable, clingo.Symbol] = {}
        self._values: dict[clingo.Symbol, Value | Missing] = {}
        self._next = table.next
        self.failures: list[CalculationFailure] = []

    def symbol(self, value: Value | Missing) -> clingo.Symbol:
        """The symbol of a value."""
        if isinstance(value, Missing):
            return MISSING_SYMBOL
        key = value if type(value) in _ITSELF else identity(value)
        symbol = self._known.get(key)
        if symbol is None:
            symbol = self._symbols.get(key)
            if symbol is None:
                symbol = self._symbols[key] = number(self._next)
                self._values[symbol] = value
                self._next += 1
        return symbol

    def known(self, term: AspTerm | None) -> clingo.Symbol | None:
        """The symbol of a constant term: the object that calls answer with, where there is one."""
        if term is None:
            return None
        symbol = symbol_of(term)
        own = (ONE_SYMBOL, *(self.symbol(truth) for truth in (True, False)))
        return next((known for known in own if known == symbol), symbol)

    def value(self, symbol: clingo.Symbol) -> Value | Missing:
        """The value of a symbol that this encoding gave."""
        value = self._values.get(symbol)
        return self._table.values[symbol] if value is None else value

    def failure(self, failure: CalculationFailure) -> clingo.Symbol:
        """The symbol of a failure, which stands in places of its own."""
        if failure not in self.failures:
            self.failures.append(failure)
        return number(self.failures.index(failure))


def written(value: Value | Missing, type_: Type) -> Value:
    """The value as its type writes it, whichever of its equals was met first."""
    kind = base(type_)
    match kind:
        case DecimalType():
            return _conformed(value, kind)
        case SetType() if isinstance(value, frozenset):
            return frozenset(written(item, kind.element.type) for item in value)
        case ListType() if isinstance(value, tuple):
            return tuple(written(item, kind.element.type) for item in value)
        case _ if kind is INT:
            return value if type(value) is int else _conformed(value, kind)
        case _ if isinstance(value, Missing):
            raise InternalError("a variable of a firing is missing")
        case _:
            return value


def is_written_plainly(type_: Type) -> bool:
    """Whether equal values of the type are written alike anyway."""
    kind = base(type_)
    return not (kind is INT or isinstance(kind, DecimalType | SetType | ListType | RecordType))


def _conformed(value: Value | Missing, type_: Type) -> Value:
    if isinstance(value, Missing):
        raise InternalError("a variable of a firing is missing")
    conformed = conform(value, type_)
    if isinstance(conformed, CalculationFailure | Missing):
        # It was equal to a number of a type with fewer places, and has more digits than this type writes.
        return value if type_ == _ANY_SCALE else _conformed(value, _ANY_SCALE)
    return conformed
