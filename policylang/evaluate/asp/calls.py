"""What clingo asks Python while it grounds: one function for each call of a program."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias, assert_never

import clingo

from policylang.errors import InternalError
from policylang.evaluate.asp.failing import can_fail
from policylang.evaluate.asp.held import Held
from policylang.evaluate.asp.terms import (
    CallSpec,
    Elements,
    Expected,
    Fails,
    Given,
    Lookup,
    MayHold,
    Note,
    Total,
    Values,
)
from policylang.evaluate.asp.values import ONE_SYMBOL, Encoding
from policylang.evaluate.calculate import Calculated, aggregate, apply, worst
from policylang.evaluate.exact import CalculationFailure
from policylang.facts.types import (
    DATE,
    DATETIME,
    DURATION,
    INT,
    STRING,
    TIME,
    DecimalType,
    base,
)
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics.program import Apply, Constant, Expression, Operation, Variable

Answer: TypeAlias = Sequence[clingo.Symbol]
_Symbols: TypeAlias = tuple[clingo.Symbol, ...]
_Values: TypeAlias = Sequence["Value | Missing"]
_Expression: TypeAlias = Callable[[_Values], Calculated]
OfValues: TypeAlias = Callable[["Asked", _Values], Answer]
OfSymbols: TypeAlias = Callable[..., Answer]

NOTHING: Answer = ()
_YES: Answer = (ONE_SYMBOL,)


class Asked:
    """One evaluation as clingo's context: the functions of its calls, by name.

    Holds what calls leave for each other: the values met, the failures, and the matches of aggregates. `given` is
    what calls of that kind answer.
    """

    def __init__(self, encoding: Encoding, held: Mapping[str, Held], functions: Functions) -> None:
        self.encoding = encoding
        self.held = held
        self.noted: dict[int, dict[_Symbols, dict[_Symbols, Calculated]]] = {}
        self.given: Mapping[str, Answer] = {}
        self._functions = functions

    def __getattr__(self, name: str) -> Callable[..., Answer]:
        calculated = self._functions.of_values.get(name)
        if calculated is not None:
            return partial(self._calculated, calculated)
        return partial(self._functions.of_symbols[name], self)

    def answers(self, call: str, symbols: _Symbols, values: _Values | None = None) -> Answer:
        """What a call answers; `values` are those of the symbols, where they are at hand."""
        calculated = self._functions.of_values.get(call)
        if calculated is None:
            return self._functions.of_symbols[call](self, *symbols)
        return calculated(self, self.values(symbols) if values is None else values)

    def values(self, symbols: Sequence[clingo.Symbol]) -> list[Value | Missing]:
        """The values of arguments."""
        return [self.encoding.value(symbol) for symbol in symbols]

    def _calculated(self, function: OfValues, *symbols: clingo.Symbol) -> Answer:
        return function(self, self.values(symbols))


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions of a program's calls by name: of what symbols stand for, or of symbols."""

    of_values: Mapping[str, OfValues]
    of_symbols: Mapping[str, OfSymbols]


def functions(calls: Mapping[str, CallSpec]) -> Functions:
    """The functions of a program's calls, made once."""
    of_values: dict[str, OfValues] = {}
    of_symbols: dict[str, OfSymbols] = {}
    for name, spec in calls.items():
        match spec:
            case Values() | Elements() | Fails() | MayHold():
                of_values[name] = _of_values(spec)
            case Note() | Total() | Lookup() | Given():
                of_symbols[name] = _of_symbols(spec)
            case _:
                assert_never(spec)
    return Functions(of_values, of_symbols)


def _of_values(spec: Values | Elements | Fails | MayHold) -> OfValues:
    expression = compiled(spec.expression, spec.parameters)
    match spec:
        case Values():
            return partial(_values, expression, can_fail(spec.expression))
        case Elements():
            return partial(_elements, expression, can_fail(spec.expression), spec.indexed)
        case Fails():
            return partial(_fails, expression)
        case MayHold():
            return partial(_may_hold, expression, spec.expected)
        case _:
            assert_never(spec)


def _of_symbols(spec: Note | Total | Lookup | Given) -> OfSymbols:
    match spec:
        case Note():
            expression = None if spec.expression is None else compiled(spec.expression, spec.names)
            return partial(_note, spec, expression)
        case Total():
            return partial(_total, spec)
        case Lookup():
            return partial(_looked_up, spec)
        case Given():
            return partial(_given, spec.name)
        case _:
            assert_never(spec)


def compiled(expression: Expression, parameters: tuple[str, ...]) -> _Expression:
    """The expression as a function of the values of its parameters."""
    match expression:
        case Constant():
            value = expression.value
            return lambda _: value
        case Variable():
            position = parameters.index(expression.name)
            return lambda values: values[position]
        case Apply() if _is_plain_comparison(expression):
            compare = _COMPARISONS[expression.operation]
            left, right = (compiled(argument, parameters) for argument in expression.arguments)
            return partial(_compared, compare, left, right)
        case Apply():
            operation, result = expression.operation, expression.type
            types = [argument.type for argument in expression.arguments]
            parts = [compiled(argument, parameters) for argument in expression.arguments]
            return lambda values: apply(operation, types, [part(values) for part in parts], result)
        case _:
            assert_never(expression)


_COMPARISONS: Final = {
    Operation.EQ: operator.eq,
    Operation.NE: operator.ne,
    Operation.LT: operator.lt,
    Operation.LE: operator.le,
    Operation.GT: operator.gt,
    Operation.GE: operator.ge,
}
_ORDERED_AS_IN_PYTHON: Final = frozenset({INT, STRING, DATE, DATETIME, TIME, DURATION})


def _is_plain_comparison(expression: Apply) -> bool:
    """Whether an operation compares values whose order is Python's own, as most comparisons do."""
    kinds = [base(argument.type) for argument in expression.arguments]
    return expression.operation in _COMPARISONS and all(
        isinstance(kind, DecimalType) or kind in _ORDERED_AS_IN_PYTHON for kind in kinds
    )


def _compared(
    compare: Callable[[Any, Any], bool],
    left: _Expression,
    right: _Expression,
    values: Sequence[Value | Missing],
) -> Calculated:
    a, b = left(values), right(values)
    if isinstance(a, Missing | CalculationFailure) or isinstance(b, Missing | CalculationFailure):
        return worst((a, b))
    return compare(a, b)


def _values(expression: _Expression, expected: bool, asked: Asked, values: _Values) -> Answer:
    value = expression(values)
    if isinstance(value, Missing | CalculationFailure):
        return _without_value(value, expected)
    return (asked.encoding.symbol(value),)


def _without_value(value: Calculated, expected: bool) -> Answer:
    """No answer. INVARIANT: a failure is told by a rule of its own, which only stands where one is expected."""
    if isinstance(value, CalculationFailure) and not expected:
        raise InternalError(f"a calculation failed that cannot: {value.message}")
    return NOTHING


def _elements(
    expression: _Expression, expected: bool, indexed: bool, asked: Asked, values: _Values
) -> Answer:
    collection = expression(values)
    if not isinstance(collection, tuple | frozenset):
        return _without_value(collection, expected)
    symbol = asked.encoding.symbol
    if not indexed:
        return [symbol(element) for element in collection]
    return [
        clingo.Function("", [symbol(element), symbol(index)])
        for index, element in enumerate(collection, start=1)
    ]


def _fails(expression: _Expression, asked: Asked, values: _Values) -> Answer:
    value = expression(values)
    return (asked.encoding.failure(value),) if isinstance(value, CalculationFailure) else NOTHING


def _may_hold(expression: _Expression, expected: Expected, _: Asked, values: _Values) -> Answer:
    value = expression(values)
    if isinstance(value, CalculationFailure):
        return _YES
    match expected:
        case Expected.TRUE:
            holds = value is True
        case Expected.PRESENT:
            holds = value is not MISSING
        case Expected.EQUAL:
            holds = value == values[-1]
    return _YES if holds else NOTHING


def _note(
    spec: Note, expression: _Expression | None, asked: Asked, *symbols: clingo.Symbol
) -> Answer:
    context, match = symbols[: spec.context], symbols[spec.context :]
    value: Calculated = True
    if expression is not None:
        first = len(symbols) - 1 - len(spec.names)
        value = expression(asked.values(symbols[first:-1]))
    asked.noted.setdefault(spec.aggregate, {}).setdefault(context, {})[match] = value
    return _YES


def _total(spec: Total, asked: Asked, *context: clingo.Symbol) -> Answer:
    matches = asked.noted.get(spec.aggregate, {}).get(context, {})
    value = aggregate(spec.kind, matches.values(), spec.value_type, spec.result_type)
    if isinstance(value, CalculationFailure) and spec.fails:
        return (asked.encoding.failure(value),)
    if isinstance(value, CalculationFailure):
        return _without_value(value, spec.can_fail)
    if spec.fails or isinstance(value, Missing):
        return NOTHING
    return (asked.encoding.symbol(value),)


def _looked_up(spec: Lookup, asked: Asked, *known: clingo.Symbol) -> Answer:
    found = asked.held[spec.name].looked_up(spec.bound, spec.free, known)
    if spec.negated:
        return NOTHING if found else _YES
    return found


def _given(name: str, asked: Asked) -> Answer:
    return asked.given[name]
