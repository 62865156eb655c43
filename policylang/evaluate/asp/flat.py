"""Bodies without `Or`, and what their literals read and bind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias, assert_never

from policylang.evaluate.asp.failing import variables_of
from policylang.semantics.program import (
    Aggregate,
    Bind,
    Body,
    Each,
    Literal,
    Match,
    Not,
    Or,
    Test,
    Variable,
)

FlatLiteral: TypeAlias = Match | Each | Bind | Test | Not | Aggregate


def flats(body: Body) -> Iterator[tuple[FlatLiteral, ...]]:
    """The bodies that a body stands for: each with one branch in the place of each `Or`."""
    waiting: list[tuple[tuple[FlatLiteral, ...], Body]] = [((), body)]
    while waiting:
        done, rest = waiting.pop()
        for i, literal in enumerate(rest):
            if isinstance(literal, Or):
                waiting.extend(
                    (done, (*branch, *rest[i + 1 :])) for branch in reversed(literal.branches)
                )
                break
            done = (*done, literal)
        else:
            yield done


def binds(literal: FlatLiteral) -> tuple[str, ...]:
    """The variables that a literal can give a value."""
    match literal:
        case Match():
            return tuple(a.name for a in literal.arguments if isinstance(a, Variable))
        case Each():
            return tuple(
                a.name for a in (literal.element, literal.index) if isinstance(a, Variable)
            )
        case Bind():
            return (literal.variable.name,)
        case Aggregate():
            return (literal.result.name,)
        case Test() | Not():
            return ()
        case _:
            assert_never(literal)


def reads(literal: FlatLiteral) -> frozenset[str]:
    """The variables whose values a literal needs, and of nested bodies those that only they bind."""
    match literal:
        case Match():
            return frozenset()
        case Each():
            return frozenset(v.name for v in variables_of(literal.collection))
        case Bind():
            return frozenset(v.name for v in variables_of(literal.value))
        case Test():
            return frozenset(v.name for v in variables_of(literal.condition))
        case Not():
            return frozenset(v.name for v in mentions(literal.body))
        case Aggregate():
            value = () if literal.value is None else variables_of(literal.value)
            return frozenset(v.name for v in (*mentions(literal.body), *value))
        case _:
            assert_never(literal)


def mentions(body: Body) -> Iterator[Variable]:
    """The variables of a body, nested ones included, in the order of writing, as often as they occur."""
    for literal in body:
        yield from mentioned(literal)


def mentioned(literal: Literal) -> Iterator[Variable]:
    """The variables of a literal, nested ones included."""
    match literal:
        case Match():
            yield from (a for a in literal.arguments if isinstance(a, Variable))
        case Each():
            yield from variables_of(literal.collection)
            yield from (a for a in (literal.element, literal.index) if isinstance(a, Variable))
        case Bind():
            yield literal.variable
            yield from variables_of(literal.value)
        case Test():
            yield from variables_of(literal.condition)
        case Not():
            yield from mentions(literal.body)
        case Or():
            for branch in literal.branches:
                yield from mentions(branch)
        case Aggregate():
            yield from mentions(literal.body)
            if literal.value is not None:
                yield from variables_of(literal.value)
            yield literal.result
        case _:
            assert_never(literal)
