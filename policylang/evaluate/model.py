"""`Model`: what holds for one request once its evaluation is finished, indexed for matching.

The rows of the request, the tables of the program and the reference data, and the atoms that the firings of
clauses derive. Nothing is built before it is asked for: a decision without a message to fill in costs nothing here.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from policylang.errors import InternalError
from policylang.evaluate.firings import Firing
from policylang.evaluate.scopes import needs_of
from policylang.facts.factset import FactSet, Row
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics.program import (
    ABSENT,
    PRESENT,
    Body,
    Constant,
    Derive,
    Match,
    Program,
    Rule,
    Term,
    Variable,
)

Reference: TypeAlias = Mapping[str, Sequence[Row]]
"""The rows of reference facts, by qualified relation name; no request gives rows of these."""


class Given(enum.Enum):
    """Where an input row comes from."""

    REQUEST = "request"
    TABLE = "table"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Atom:
    """A row or a derived atom, told apart from every other one of the model.

    `id` is the row's own, and for an atom of a definition its place among them by first firing.
    """

    name: str
    id: int


class Model:
    """The finished model of one request. Not to be changed once made; indexes are built when first needed.

    `derived` are the atoms of definitions, by name, whose firings are not among `firings`.
    """

    def __init__(
        self,
        program: Program,
        facts: FactSet,
        firings: Sequence[Firing] = (),
        reference: Reference | None = None,
        derived: Mapping[str, Iterable[tuple[Value, ...]]] | None = None,
    ) -> None:
        self.program = program
        self.facts = facts
        self.firings = firings
        self._reference: Reference = reference or {}
        self._given_atoms = derived or {}
        self._rows: dict[str, tuple[Row, ...]] = {}
        self._indexes: dict[
            tuple[str, tuple[int, ...]], dict[tuple[Value | Missing, ...], list[Row]]
        ] = {}
        self._needs: dict[int, tuple[Body, tuple[frozenset[str], ...]]] = {}

    @cached_property
    def rules(self) -> Mapping[str, Rule]:
        """The rules of the program by name."""
        return {rule.name: rule for rule in self.program.rules}

    def rows(self, name: str) -> tuple[Row, ...]:
        """The rows of a relation, or the atoms of a definition as rows; empty where there are none."""
        rows = self._rows.get(name)
        if rows is None:
            rows = self._rows[name] = self._collected(name)
        return rows

    def _collected(self, name: str) -> tuple[Row, ...]:
        if name in self.program.predicates:
            given = self._given_atoms.get(name)
            derived = self._derived.get(name, {}) if given is None else dict.fromkeys(given)
            return tuple(Row(id=i, values=values) for i, values in enumerate(derived))
        table = self.program.tables.get(name)
        if table is not None:
            return tuple(Row(id=i, values=values) for i, values in enumerate(table))
        reference = self._reference.get(name)
        return self.facts.of(name) if reference is None else tuple(reference)

    @cached_property
    def _derived(self) -> Mapping[str, dict[tuple[Value, ...], list[Firing]]]:
        atoms: dict[str, dict[tuple[Value, ...], list[Firing]]] = {}
        for firing in self.firings:
            rule = self.rules[firing.rule]
            if isinstance(rule.head, Derive):
                values = read_off(rule, rule.head.arguments, firing)
                atoms.setdefault(rule.head.predicate, {}).setdefault(values, []).append(firing)
        return atoms

    def deriving(self, predicate: str, values: tuple[Value | Missing, ...]) -> Sequence[Firing]:
        """The firings that derive an atom of a definition, in their order; none where it does not hold."""
        found: Mapping[tuple[Value | Missing, ...], Sequence[Firing]]
        found = self._derived.get(predicate, {})  # type: ignore[assignment]
        return found.get(values, ())

    def row(self, atom: Atom) -> Row:
        """The row or atom of that identity."""
        rows = self.rows(atom.name)
        if atom.id < len(rows) and rows[atom.id].id == atom.id:
            return rows[atom.id]
        for row in rows:
            if row.id == atom.id:
                return row
        raise InternalError(f"`{atom.name}` has no row {atom.id}")

    def given(self, relation: str) -> Given:
        """Where the rows of a relation come from."""
        if relation in self.program.tables:
            return Given.TABLE
        return Given.REFERENCE if relation in self._reference else Given.REQUEST

    def candidates(self, name: str, bound: Sequence[tuple[int, Value | Missing]]) -> Sequence[Row]:
        """The rows of `name` that hold each of the values at its position, in their order."""
        if not bound:
            return self.rows(name)
        positions = tuple(position for position, _ in bound)
        index = self._indexes.get((name, positions))
        if index is None:
            index = {}
            for row in self.rows(name):
                index.setdefault(tuple(row.values[p] for p in positions), []).append(row)
            self._indexes[name, positions] = index
        return index.get(tuple(value for _, value in bound), ())

    def needs(self, body: Body) -> tuple[frozenset[str], ...]:
        """What `policylang.evaluate.scopes.needs_of` says of a body of the program, found once."""
        # Kept by identity, since hashing a body goes through all of it; the body is kept alive beside it.
        known = self._needs.get(id(body))
        if known is None:
            known = self._needs[id(body)] = (body, needs_of(body))
        return known[1]

    def matching(self, match: Match, known: Mapping[str, Value]) -> Iterable[Row]:
        """The rows that a match may be matched with where `known` holds values of variables, by name."""
        bound: list[tuple[int, Value | Missing]] = []
        present: list[int] = []
        for position, argument in enumerate(match.arguments):
            if isinstance(argument, Constant):
                bound.append((position, argument.value))
            elif isinstance(argument, Variable):
                if argument.name in known:
                    bound.append((position, known[argument.name]))
                else:
                    present.append(position)
            elif argument is ABSENT:
                bound.append((position, MISSING))
            elif argument is PRESENT:
                present.append(position)
        rows: Iterable[Row] = self.candidates(match.name, bound)
        if match.source is not None:
            source = match.source
            rows = (row for row in rows if row.source >= source)
        if present:
            rows = (row for row in rows if all(row.values[p] is not MISSING for p in present))
        return rows


def read_off(rule: Rule, terms: Iterable[Term], firing: Firing) -> tuple[Value, ...]:
    """The values of head terms of a rule under a firing of it.

    `InternalError` where a term is a variable that `Rule.variables` does not list.
    """
    values = {v.name: value for v, value in zip(rule.variables, firing.bindings, strict=True)}
    try:
        return tuple(t.value if isinstance(t, Constant) else values[t.name] for t in terms)
    except KeyError as unlisted:
        raise InternalError(
            f"the head of `{rule.name}` reads {unlisted}, which is not bound"
        ) from None


def extended(match: Match, row: Row, known: Mapping[str, Value]) -> dict[str, Value] | None:
    """`known` with the variables of a match bound to the values of a row; `None` where they disagree."""
    values = dict(known)
    for argument, value in zip(match.arguments, row.values, strict=True):
        if isinstance(argument, Variable) and not isinstance(value, Missing):
            if argument.name not in values:
                values[argument.name] = value
            elif values[argument.name] != value:
                return None
    return values
