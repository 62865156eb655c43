"""Which variables of rules and arguments of definitions hold values of fields declared `secret`.

Found once a program, by following values through matches, calculations and heads. What is said to people shows
`(secret)` in their place; nothing else of a decision depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from policylang.evaluate.scopes import expression_variables
from policylang.facts.schema import Relation
from policylang.facts.types import Field, ListType, RecordType, SetType, Type, base
from policylang.semantics.program import (
    Aggregate,
    AggregateKind,
    Bind,
    Body,
    Derive,
    Each,
    Expression,
    Match,
    Not,
    Or,
    Program,
    Rule,
    Test,
    Variable,
)

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Secrets:
    """The places (relation or definition, and position) and variables (by rule) that hold secrets."""

    places: frozenset[Place] = frozenset()
    variables: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def hides(self, expression: Expression, rule: str, *reads: Match) -> bool:
        """Whether the value of an expression of a rule, or of a blank with these reads, is not to be shown."""
        if not self.places:
            return False
        hidden = self.variables.get(rule, frozenset()) | {
            name for match in reads for name in _matched(match, self.places)
        }
        return not hidden.isdisjoint(expression_variables(expression))


def secrets_of(program: Program) -> Secrets:
    """The secrets of a program; none where no field is declared secret."""
    places = {
        (relation.name, position)
        for relation in program.schema.relations.values()
        for position in _secret_columns(relation)
    }
    if not places:
        return Secrets()
    variables: dict[str, frozenset[str]] = {}
    size = -1
    while size != len(places):
        size = len(places)
        for rule in program.rules:
            names = variables[rule.name] = _secret_variables(rule, places)
            places.update(_secret_arguments(rule, names))
    return Secrets(frozenset(places), variables)


def _secret_columns(relation: Relation) -> Iterator[int]:
    return (i for i, column in enumerate(relation.columns) if _is_secret(column))


def _is_secret(column: Field) -> bool:
    return column.secret or _holds_secret(column.domain.type)


def _holds_secret(type_: Type) -> bool:
    type_ = base(type_)
    if isinstance(type_, SetType | ListType):
        return _holds_secret(type_.element.type)
    return isinstance(type_, RecordType) and any(map(_is_secret, type_.fields))


def _secret_arguments(rule: Rule, names: frozenset[str]) -> Iterator[Place]:
    if isinstance(rule.head, Derive):
        for position, term in enumerate(rule.head.arguments):
            if isinstance(term, Variable) and term.name in names:
                yield rule.head.predicate, position


def _secret_variables(rule: Rule, places: set[Place]) -> frozenset[str]:
    names: set[str] = set()
    size = -1
    while size != len(names):
        size = len(names)
        names.update(_carried(rule.body, names, places))
    return frozenset(names)


def _carried(body: Body, names: set[str], places: set[Place]) -> Iterator[str]:
    """The variables of a body that a secret place or a variable among `names` gives its value to."""

    def reads(expression: Expression | None) -> bool:
        return expression is not None and any(n in names for n in expression_variables(expression))

    for literal in body:
        match literal:
            case Match():
                yield from _matched(literal, places)
            case Each() if reads(literal.collection) and isinstance(literal.element, Variable):
                yield literal.element.name
            case Bind() if reads(literal.value):
                yield literal.variable.name
            case Not():
                yield from _carried(literal.body, set(names), places)
            case Or():
                for branch in literal.branches:
                    yield from _carried(branch, set(names), places)
            case Aggregate():
                yield from _carried(literal.body, set(names), places)
                if literal.kind is not AggregateKind.COUNT and reads(literal.value):
                    yield literal.result.name
            case Each() | Bind() | Test():
                pass
            case _:
                assert_never(literal)


def _matched(match: Match, places: set[Place] | frozenset[Place]) -> Iterator[str]:
    for position, argument in enumerate(match.arguments):
        if isinstance(argument, Variable) and (match.name, position) in places:
            yield argument.name
