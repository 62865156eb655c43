"""Safety of lowered rules: every literal can be looked at with the values of those before it."""

from __future__ import annotations

from collections.abc import Iterator

from policylang.diagnostics import Diagnostic
from policylang.semantics import codes
from policylang.semantics.program import (
    Aggregate,
    Apply,
    Bind,
    Body,
    Each,
    Expression,
    Literal,
    Match,
    Not,
    Or,
    Rule,
    Test,
    Variable,
)


def circular(rule: Rule) -> Iterator[Diagnostic]:
    """Report the literals of a rule that need a variable which only they, in a circle, can bind.

    That every variable is bound somewhere has been seen to before.
    """
    yield from _circular(rule.body, frozenset())


def _circular(body: Body, outer: frozenset[str]) -> Iterator[Diagnostic]:
    here = frozenset(name for literal in body for name in bound_by(literal))
    for stuck, names in _stuck(body, here, outer):
        written = sorted({name.partition("'")[0] for name in names if name[0].isupper()})
        named = " or ".join(f"`{name}`" for name in written) or "what it needs"
        yield codes.CIRCULAR_BINDING.at(
            stuck.origin.span, what=f"`{stuck.origin.text}`", names=named
        )
        return
    for literal in body:
        yield from _inside(literal, outer | here)


def _stuck(
    body: Body, here: frozenset[str], outer: frozenset[str]
) -> Iterator[tuple[Literal, frozenset[str]]]:
    """The literals that wait for themselves, and the variables that each waits for.

    Each literal is looked at once for each that it needs.
    """
    needs = [set(_needs(literal, here | outer) - outer) for literal in body]
    readers: dict[str, list[int]] = {}
    for i, names in enumerate(needs):
        for name in names:
            readers.setdefault(name, []).append(i)
    ready = [i for i, names in enumerate(needs) if not names]
    done: set[int] = set()
    while ready:
        i = ready.pop()
        done.add(i)
        for name in bound_by(body[i]):
            for j in readers.pop(name, ()):
                needs[j].discard(name)
                if not needs[j]:
                    ready.append(j)
    for i, literal in enumerate(body):
        if i not in done:
            yield literal, frozenset(needs[i])


def _inside(literal: Literal, known: frozenset[str]) -> Iterator[Diagnostic]:
    match literal:
        case Not() | Aggregate():
            yield from _circular(literal.body, known - frozenset(bound_by(literal)))
        case Or():
            for branch in literal.branches:
                yield from _circular(branch, known - frozenset(bound_by(literal)))
        case Match() | Each() | Bind() | Test():
            pass


def bound_by(literal: Literal) -> Iterator[str]:
    """The names of the variables that a literal binds for the body it stands in."""
    match literal:
        case Match():
            yield from (a.name for a in literal.arguments if isinstance(a, Variable))
        case Each():
            yield from (a.name for a in (literal.element, literal.index) if isinstance(a, Variable))
        case Bind():
            yield literal.variable.name
        case Or():
            yield from (variable.name for variable in literal.binds)
        case Aggregate():
            yield literal.result.name
        case Not() | Test():
            pass


def _needs(literal: Literal, bindable: frozenset[str]) -> frozenset[str]:
    """The variables that have to be known before a literal, of those that can be."""
    match literal:
        case Match():
            return frozenset()
        case Each():
            return frozenset(names_in(literal.collection))
        case Bind():
            return frozenset(names_in(literal.value))
        case Test():
            return frozenset(names_in(literal.condition))
        case Not() | Or() | Aggregate():
            used = frozenset(names_of(literal)) & bindable
            return used - frozenset(bound_by(literal)) - frozenset(_locals(literal))


def _locals(literal: Not | Or | Aggregate) -> Iterator[str]:
    if not isinstance(literal, Or):
        yield from (variable.name for variable in literal.locals)


def names_of(literal: Literal) -> Iterator[str]:
    """The names of the variables that a literal reads, those of nested bodies included."""
    match literal:
        case Match() | Each():
            yield from bound_by(literal)
            if isinstance(literal, Each):
                yield from names_in(literal.collection)
        case Bind():
            yield literal.variable.name
            yield from names_in(literal.value)
        case Test():
            yield from names_in(literal.condition)
        case Not() | Aggregate():
            for inner in literal.body:
                yield from names_of(inner)
            if isinstance(literal, Aggregate) and literal.value is not None:
                yield from names_in(literal.value)
        case Or():
            for branch in literal.branches:
                for inner in branch:
                    yield from names_of(inner)


def names_in(value: Expression) -> Iterator[str]:
    """The names of the variables of an expression."""
    if isinstance(value, Variable):
        yield value.name
    elif isinstance(value, Apply):
        for argument in value.arguments:
            yield from names_in(argument)
