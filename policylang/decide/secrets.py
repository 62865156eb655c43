"""Which variables of rules and arguments of definitions hold values of fields declared `secret`, or `personal`.

Found once a program, by following values through matches, calculations, equalities and heads. What is said to people shows
`(secret)` in the place of secrets, and traces keep both apart; nothing else of a decision depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from policylang.evaluate.scopes import expression_variables
from policylang.facts.schema import Relation, Schema
from policylang.facts.types import Field, ListType, RecordType, RefType, SetType, Type, base
from policylang.semantics.program import (
    Aggregate,
    AggregateKind,
    Apply,
    Bind,
    Body,
    Derive,
    Each,
    Expression,
    Match,
    Not,
    Operation,
    Or,
    Program,
    Rule,
    Test,
    Variable,
)

Place = tuple[str, int]
Marked = Callable[[Field], bool]
"""Whether a field is declared so that its values are to be followed."""

_EQUATING = frozenset({Operation.EQ, Operation.IN, Operation.HAS})
"""Tests whose sides hold the same value where they hold, or one that is in the other."""


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
    return _followed(program, lambda field: field.secret)


def erasable_of(program: Program) -> Secrets:
    """Where a program has values of fields declared secret or personal, which traces can erase."""
    return _followed(program, lambda field: field.secret or field.personal)


def _followed(program: Program, marked: Marked) -> Secrets:
    places = set(_places(program.schema, marked))
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


def _places(schema: Schema, marked: Marked) -> Iterator[Place]:
    for relation in schema.relations.values():
        inherited = _inherits(relation, schema, marked)
        for position, column in enumerate(relation.columns):
            if _is_marked(column, schema, marked) or (
                inherited and not _is_place(position, column)
            ):
                yield relation.name, position


def _is_marked(column: Field, schema: Schema, marked: Marked) -> bool:
    return marked(column) or _holds_marked(column.domain.type, schema, marked)


def _holds_marked(type_: Type, schema: Schema, marked: Marked) -> bool:
    if isinstance(type_, RefType):
        meant = schema.relations.get(type_.relation)
        # What refers to a row holds its key.
        return meant is not None and meant.key is not None and marked(meant.columns[meant.key])
    type_ = base(type_)
    if isinstance(type_, SetType | ListType):
        return _holds_marked(type_.element.type, schema, marked)
    return isinstance(type_, RecordType) and any(
        _is_marked(field, schema, marked) for field in type_.fields
    )


def _inherits(relation: Relation, schema: Schema, marked: Marked) -> bool:
    """Whether the rows of a relation are unfolded from a field, here or further up, that is marked as a whole."""
    while relation.parent is not None and relation.parent in schema.relations:
        parent = schema.relations[relation.parent]
        if any(c.name == relation.parent_field and marked(c) for c in parent.columns):
            return True
        relation = parent
    return False


def _is_place(position: int, column: Field) -> bool:
    """Whether a column of unfolded rows says where an element stands, and nothing of what it is."""
    is_owner = position == 0 and column.name != "value"
    return column.name == "index" or (is_owner and isinstance(column.domain.type, RefType))


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
            case Test() if reads(literal.condition) and _equates(literal.condition):
                yield from expression_variables(literal.condition)
            case Each() | Bind() | Test():
                pass
            case _:
                assert_never(literal)


def _equates(condition: Expression) -> bool:
    return isinstance(condition, Apply) and condition.operation in _EQUATING


def _matched(match: Match, places: set[Place] | frozenset[Place]) -> Iterator[str]:
    for position, argument in enumerate(match.arguments):
        if isinstance(argument, Variable) and (match.name, position) in places:
            yield argument.name
