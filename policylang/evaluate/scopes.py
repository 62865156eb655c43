"""Which variables the literals of a body read, bind, and need to know before they can be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from policylang.semantics.program import (
    Aggregate,
    Apply,
    Bind,
    Body,
    Constant,
    Each,
    Expression,
    Literal,
    Match,
    Not,
    Or,
    Test,
    Variable,
)


def needs_of(body: Body) -> tuple[frozenset[str], ...]:
    """The names of the variables that each literal of a body has to know before it can be looked at.

    A match needs none. A nested body waits for the variables that a literal beside it binds, since a
    name stands for one variable in a rule; an `Or` may bind those of its `binds` itself.
    """
    bound = [frozenset(_binds(literal)) for literal in body]
    return tuple(
        _needed(literal, frozenset().union(*bound[:i], *bound[i + 1 :]))
        for i, literal in enumerate(body)
    )


def _needed(literal: Literal, beside: frozenset[str]) -> frozenset[str]:
    match literal:
        case Match():
            return frozenset()
        case Each():
            return frozenset(expression_variables(literal.collection))
        case Bind():
            return frozenset(expression_variables(literal.value))
        case Test():
            return frozenset(expression_variables(literal.condition))
        case Or():
            return beside.intersection(variables_of(literal)).difference(_binds(literal))
        case Not() | Aggregate():
            return beside.intersection(_read_inside(literal))
        case _:
            assert_never(literal)


def _read_inside(literal: Not | Aggregate) -> Iterator[str]:
    yield from body_variables(literal.body)
    if isinstance(literal, Aggregate) and literal.value is not None:
        yield from expression_variables(literal.value)


def _binds(literal: Literal) -> Iterator[str]:
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
            yield from (v.name for v in literal.binds)
        case Test() | Not():
            pass
        case _:
            assert_never(literal)


def variables_of(literal: Literal) -> Iterator[str]:
    """The names of all variables of a literal, those of nested bodies included."""
    match literal:
        case Match():
            yield from (a.name for a in literal.arguments if isinstance(a, Variable))
        case Each():
            yield from expression_variables(literal.collection)
            yield from (a.name for a in (literal.element, literal.index) if isinstance(a, Variable))
        case Bind():
            yield literal.variable.name
            yield from expression_variables(literal.value)
        case Test():
            yield from expression_variables(literal.condition)
        case Not():
            yield from _read_inside(literal)
        case Or():
            for branch in literal.branches:
                yield from body_variables(branch)
        case Aggregate():
            yield literal.result.name
            yield from _read_inside(literal)
        case _:
            assert_never(literal)


def body_variables(body: Body) -> Iterator[str]:
    """The names of all variables of a body, those of nested bodies included."""
    for literal in body:
        yield from variables_of(literal)


def expression_variables(expression: Expression) -> Iterator[str]:
    """The names of the variables of an expression."""
    match expression:
        case Variable():
            yield expression.name
        case Apply():
            for argument in expression.arguments:
                yield from expression_variables(argument)
        case Constant():
            pass
        case _:
            assert_never(expression)
