"""What a plan has to know about a body before it orders it: flat bodies, what is read, and what can fail."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, assert_never

from policylang.evaluate.scopes import body_variables, expression_variables
from policylang.facts.types import DURATION, INT, STRING, DecimalType, Type, base
from policylang.semantics.program import (
    Aggregate,
    AggregateKind,
    Apply,
    Bind,
    Body,
    Constant,
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
from policylang.semantics.slicing import matches

MOST_BRANCHES: Final = 128
"""Flat bodies that one body may become; beyond it the program is left to another evaluator."""


class UnplannableError(Exception):
    """A plan cannot take this program, for the reason that `str()` gives."""


def flattened(
    body: Body, outer: Collection[str], recursive: Collection[str] = (), *, counted: bool = False
) -> tuple[Body, ...]:
    """The flat bodies of a body: one branch in the place of each `Or` that is more than a test.

    An `Or` that binds nothing, cannot fail, reads nothing that may have failed and matches nothing of
    the recursion at hand stays: whether one of its branches holds is all that matters. Where matches are
    `counted`, an `Or` that matches rows is more than a test too.
    """
    sure = _sure(body, outer)
    bodies: list[Body] = [()]
    for literal in body:
        if isinstance(literal, Or) and not (
            _is_test(literal, body, sure, recursive) and not (counted and _matches_rows(literal))
        ):
            choices = [
                flat
                for branch in literal.branches
                for flat in flattened(branch, sure, recursive, counted=counted)
            ]
        else:
            choices = [(literal,)]
        bodies = [head + tail for head in bodies for tail in choices]
        if len(bodies) > MOST_BRANCHES:
            raise UnplannableError(f"its `or`s multiply to more than {MOST_BRANCHES} cases")
    return tuple(bodies)


def _is_test(literal: Or, body: Body, sure: Collection[str], recursive: Collection[str]) -> bool:
    if literal.binds or can_fail(literal):
        return False
    for branch in literal.branches:
        if any(match.name in recursive for match in matches(branch)):
            return False
    return reads(literal, bound_by(body)) <= set(sure)


def _matches_rows(literal: Or) -> bool:
    return any(
        isinstance(each, Match) or (isinstance(each, Or) and _matches_rows(each))
        for branch in literal.branches
        for each in branch
    )


def _sure(body: Body, outer: Collection[str]) -> set[str]:
    """The variables that have a value whatever fails: bound by what cannot fail."""
    around = {*outer, *bound_by(body)}
    sure = set(outer)
    before = -1
    while before < len(sure):
        before = len(sure)
        for literal in body:
            if isinstance(literal, Or) or can_fail(literal):
                continue
            if reads(literal, around) <= sure:
                sure.update(binds(literal))
    return sure


def binds(literal: Literal) -> Iterator[str]:
    """The variables that a literal can give a value."""
    match literal:
        case Match():
            yield from (a.name for a in literal.arguments if isinstance(a, Variable))
        case Each():
            yield from (a.name for a in (literal.element, literal.index) if isinstance(a, Variable))
        case Bind():
            yield literal.variable.name
        case Aggregate():
            yield literal.result.name
        case Or():
            yield from (variable.name for variable in literal.binds)
        case Test() | Not():
            pass
        case _:
            assert_never(literal)


def bound_by(body: Body) -> set[str]:
    """The variables that the literals of a body can give a value."""
    return {name for literal in body for name in binds(literal)}


def mentions(literal: Literal) -> Iterator[str]:
    """The variables that a literal needs before it can be looked at, and those local to it."""
    match literal:
        case Match():
            pass
        case Each():
            yield from expression_variables(literal.collection)
        case Bind():
            yield from expression_variables(literal.value)
        case Test():
            yield from expression_variables(literal.condition)
        case Not():
            yield from body_variables(literal.body)
        case Aggregate():
            yield from body_variables(literal.body)
            if literal.value is not None:
                yield from expression_variables(literal.value)
        case Or():
            for branch in literal.branches:
                yield from body_variables(branch)
        case _:
            assert_never(literal)


def reads(literal: Literal, around: Collection[str]) -> set[str]:
    """The variables of the body around it that a literal has to know; `around` are all there are."""
    return {variable for variable in mentions(literal) if variable in around}


# --- failure -------------------------------------------------------------------------------------------


def can_fail(literal: Literal) -> bool:
    """Whether a literal holds an operation that may fail."""
    match literal:
        case Match():
            return False
        case Each():
            return expression_can_fail(literal.collection)
        case Bind():
            return expression_can_fail(literal.value)
        case Test():
            return expression_can_fail(literal.condition)
        case Not():
            return any(map(can_fail, literal.body))
        case Or():
            return any(can_fail(each) for branch in literal.branches for each in branch)
        case Aggregate():
            return _aggregate_can_fail(literal)
        case _:
            assert_never(literal)


def _aggregate_can_fail(literal: Aggregate) -> bool:
    if literal.kind is AggregateKind.SUM and base(literal.result.type) is not INT:
        return True
    if literal.kind is not AggregateKind.COUNT and is_decimal(literal.result.type):
        return True
    if literal.value is not None and expression_can_fail(literal.value):
        return True
    return any(map(can_fail, literal.body))


def expression_can_fail(expression: Expression) -> bool:
    """Whether an operation of an expression may fail on values of its types."""
    match expression:
        case Variable() | Constant():
            return False
        case Apply():
            if any(map(expression_can_fail, expression.arguments)):
                return True
            if expression.operation in _NEVER_FAIL:
                return False
            safe = _NEVER_FAIL_ON.get(base(expression.type), _EXTREMES)
            if any(is_decimal(argument.type) for argument in expression.arguments):
                return True
            return expression.operation not in safe
        case _:
            assert_never(expression)


def is_present(expression: Expression) -> bool:
    """Whether an expression has a value wherever its variables have and it does not fail."""
    match expression:
        case Variable() | Constant():
            return True
        case Apply():
            if expression.operation in (Operation.BEFORE, Operation.AFTER):
                return False
            return all(map(is_present, expression.arguments))
        case _:
            assert_never(expression)


def is_decimal(type_: Type) -> bool:
    """Whether values of the type are Decimals."""
    return isinstance(base(type_), DecimalType)


def is_duration(type_: Type) -> bool:
    """Whether values of the type are Durations."""
    return base(type_) is DURATION


_NEVER_FAIL: Final = frozenset(
    {
        Operation.EQ,
        Operation.NE,
        Operation.LT,
        Operation.LE,
        Operation.GT,
        Operation.GE,
        Operation.BETWEEN,
        Operation.IN,
        Operation.IN_NETWORK,
        Operation.HAS,
        Operation.HAS_ALL,
        Operation.HAS_ANY,
        Operation.LIKE,
        Operation.STARTS_WITH,
        Operation.ENDS_WITH,
        Operation.LEN,
        Operation.LOWER,
        Operation.UPPER,
        Operation.BEFORE,
        Operation.AFTER,
    }
)
_EXTREMES: Final = frozenset({Operation.MIN, Operation.MAX})
_NEVER_FAIL_ON: Final[dict[Type, frozenset[Operation]]] = {
    INT: _EXTREMES | {Operation.ADD, Operation.SUB, Operation.MUL, Operation.NEG, Operation.ABS},
    STRING: _EXTREMES | {Operation.ADD},
}
