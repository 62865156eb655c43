"""What lints look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policylang.facts.schema import Cardinality, Relation
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
    Program,
    Rule,
    Test,
    Variable,
)
from policylang.semantics.world import World


@dataclass(frozen=True, slots=True)
class LintedBundle:
    """A checked bundle. `modules` are those to speak of: what was loaded from elsewhere is not linted."""

    world: World
    program: Program
    modules: frozenset[str]

    def own(self, name: str) -> bool:
        """Whether a qualified name is declared in a module that is linted."""
        return any(name.startswith(module + ".") for module in self.modules)

    def rules(self) -> Iterator[Rule]:
        """The rules and clauses of the modules that are linted."""
        return (rule for rule in self.program.rules if self.own(rule.name))

    def relation(self, match: Match) -> Relation | None:
        """The relation that a match reads; None for a definition."""
        return self.program.schema.relations.get(match.name)

    def single(self, match: Match) -> Relation | None:
        """The relation that a match reads where that has at most one row."""
        relation = self.relation(match)
        if relation is None or relation.cardinality is Cardinality.MANY:
            return None
        return relation


def literals(body: Body) -> Iterator[Literal]:
    """Every literal of a body, nested ones after the one they stand in."""
    for literal in body:
        yield literal
        for inner in nested(literal):
            yield from literals(inner)


def nested(literal: Literal) -> tuple[Body, ...]:
    """The bodies inside a literal."""
    match literal:
        case Not() | Aggregate():
            return (literal.body,)
        case Or():
            return literal.branches
        case Match() | Each() | Bind() | Test():
            return ()


def expressions(literal: Literal) -> Iterator[Expression]:
    """The expressions of a literal itself, terms of matches among them."""
    match literal:
        case Match():
            yield from (a for a in literal.arguments if isinstance(a, Variable | Constant))
        case Each():
            yield literal.collection
            ends = (literal.element, literal.index)
            yield from (a for a in ends if isinstance(a, Variable | Constant))
        case Bind():
            yield literal.value
        case Test():
            yield literal.condition
        case Aggregate() if literal.value is not None:
            yield literal.value
        case Not() | Or() | Aggregate():
            pass


def parts(expression: Expression) -> Iterator[Expression]:
    """An expression and all inside it."""
    yield expression
    if isinstance(expression, Apply):
        for argument in expression.arguments:
            yield from parts(argument)
