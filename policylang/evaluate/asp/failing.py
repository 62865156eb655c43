"""Which expressions can fail at all, so that rules about failures are written only where they can matter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policylang.facts.types import DATE, DATETIME, DURATION, DecimalType, Type, base
from policylang.semantics.program import (
    Aggregate,
    AggregateKind,
    Apply,
    Bind,
    Body,
    Each,
    Expression,
    Literal,
    Match,
    Not,
    Operation,
    Or,
    Test,
    Variable,
)

_ALWAYS: Final = frozenset(
    {Operation.DIV, Operation.FIT, Operation.DATE, Operation.TIME, Operation.WEEKDAY}
)
_BY_RESULT: Final = frozenset(
    {Operation.ADD, Operation.SUB, Operation.MUL, Operation.ROUND, Operation.NEG, Operation.ABS}
)
_EXTREMES: Final = frozenset({Operation.MIN, Operation.MAX})
_BOUNDED: Final = frozenset({DATE, DATETIME, DURATION})


def can_fail(expression: Expression) -> bool:
    """Whether an operation in the expression can fail for some values of its types."""
    if not isinstance(expression, Apply):
        return False
    return _operation_can_fail(expression) or any(map(can_fail, expression.arguments))


def _operation_can_fail(expression: Apply) -> bool:
    operation, result = expression.operation, base(expression.type)
    if operation in _ALWAYS:
        return True
    if operation in _BY_RESULT:
        return isinstance(result, DecimalType) or result in _BOUNDED
    if operation in _EXTREMES:
        return _may_not_fit(result)
    return False


def _may_not_fit(result: Type) -> bool:
    """Whether a value may have too many digits for a type: a variable of a Decimal type may hold an Int of any size."""
    return isinstance(base(result), DecimalType)


def literal_can_fail(literal: Literal) -> bool:
    """Whether some instance of the literal can fail."""
    match literal:
        case Match():
            return False
        case Each():
            return can_fail(literal.collection)
        case Bind():
            return can_fail(literal.value)
        case Test():
            return can_fail(literal.condition)
        case Not():
            return body_can_fail(literal.body)
        case Or():
            return any(map(body_can_fail, literal.branches))
        case Aggregate():
            return body_can_fail(literal.body) or total_can_fail(literal)


def body_can_fail(body: Body) -> bool:
    """Whether some instance of the body can fail."""
    return any(map(literal_can_fail, body))


def total_can_fail(literal: Aggregate) -> bool:
    """Whether the arithmetic of an aggregate can fail, that of its value included."""
    if literal.value is None:
        return False
    if can_fail(literal.value):
        return True
    match literal.kind:
        case AggregateKind.COUNT:
            return False
        case AggregateKind.SUM:
            result = base(literal.result.type)
            return isinstance(result, DecimalType) or result in _BOUNDED
        case AggregateKind.MIN | AggregateKind.MAX:
            return _may_not_fit(literal.result.type)


def variables_of(expression: Expression) -> Iterator[Variable]:
    """The variables of an expression, each as often as it occurs."""
    if isinstance(expression, Variable):
        yield expression
    elif isinstance(expression, Apply):
        for argument in expression.arguments:
            yield from variables_of(argument)
