"""Recorded facts as another version's declarations see them.

A value that the new declarations do not take is a request that the new version would refuse. What they ask for and
the record does not hold is not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policylang.facts import codes
from policylang.facts.describe import shown
from policylang.facts.factset import FactSet, Row
from policylang.facts.forms import Unfit, read_datetime
from policylang.facts.reading import strict_reader
from policylang.facts.rejection import Problem, Rejection, RejectionKind, problem
from policylang.facts.schema import Cardinality, Relation, RelationKind, Schema, Source
from policylang.facts.types import Field, base
from policylang.facts.unfold import Unfolding
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics.program import Program
from policylang.semantics.slicing import slice_for
from policylang.trace.programs import NotReplayableError

_AS_RECORDED: Final = frozenset({RelationKind.HISTORY, RelationKind.BUILTIN})
"""Relations that are read as they stand: nothing else in a record could tell their rows."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """How one relation of the new version is filled: from the rows of `source`, by position its columns' readers."""

    relation: Relation
    source: str
    columns: tuple[tuple[Field, Callable[[Any], Any]], ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a decision about one action reads of recorded facts."""

    readings: tuple[_Reading, ...]
    unfoldings: tuple[tuple[str, Unfolding], ...]


class Carrier:
    """Carries recorded facts over to a program; `held` are the relations that it has as reference data of its own."""

    def __init__(self, program: Program, held: frozenset[str]) -> None:
        self._program = program
        self._held = held
        self._asked: dict[str, _Asked] = {}

    def carry(self, form: Mapping[str, Any], then: Schema) -> FactSet | Rejection:
        """The facts of a record as this program sees them, or what it refuses of them.

        `then` is the schema they were recorded with. Raises `NotReplayableError` where they lack something.
        """
        action = form.get("action", "")
        if action not in self._program.actions:
            raise NotReplayableError(f"the candidate has no action {action}")
        recorded = form.get("rows", {})
        rows: dict[str, tuple[Row, ...]] = {}
        problems: list[Problem] = []
        asked = self._asked_of(action)
        for reading in asked.readings:
            name = reading.relation.name
            if name in self._held or name in form.get("reference", {}):
                continue
            given = recorded.get(reading.source, ())
            _check(reading.relation, given, then)
            found = tuple(_rows(reading, given, problems))
            if found:
                rows[name] = found
        if problems:
            return Rejection(RejectionKind.INVALID_FACTS, action, tuple(problems))
        for root, unfold in asked.unfoldings:
            unfold(rows.get(root, ()), rows)
        wanted = self._program.schema.decisions
        names = tuple(name for name in form.get("asked", ()) if name in wanted)
        return FactSet(action, read_datetime(form["now"]), rows, asked=names)

    def _asked_of(self, action: str) -> _Asked:
        asked = self._asked.get(action)
        if asked is None:
            asked = self._asked[action] = self._looked_up(action)
        return asked

    def _looked_up(self, action: str) -> _Asked:
        relations = self._program.schema.relations
        read = slice_for(self._program, action).relations & relations.keys()
        roots = {_root(relations[name], relations) for name in read}
        readings = [
            _reading(relations[name], action)
            for name in sorted({action, "now", *roots} & relations.keys())
            if relations[name].kind is not RelationKind.TABLE and name not in self._held
        ]
        unfoldings = [(name, Unfolding(relations[name], relations, read)) for name in sorted(roots)]
        return _Asked(tuple(readings), tuple(pair for pair in unfoldings if pair[1]))


def _root(relation: Relation, relations: Mapping[str, Relation]) -> str:
    """The relation whose rows are unfolded to those of this one; itself where it is none of items."""
    while relation.kind is RelationKind.ITEMS and relation.parent is not None:
        relation = relations[relation.parent]
    return relation.name


def _reading(relation: Relation, action: str) -> _Reading:
    # The row of a group holds what its members declare alike: the arguments of the asked one.
    source = action if relation.kind is RelationKind.GROUP else relation.name
    columns = tuple((column, strict_reader(column.domain)) for column in relation.columns)
    return _Reading(relation, source, columns)


def _check(relation: Relation, given: Any, then: Schema) -> None:
    """Refuse to guess: rows that nobody was asked for, or that a limit has not counted."""
    was = then.relations.get(relation.name)
    if given or relation.kind is RelationKind.GROUP:
        return
    if relation.kind in _AS_RECORDED:
        if relation.kind is RelationKind.HISTORY and (was is None or was != relation):
            raise NotReplayableError(f"{relation.name} was not recorded")
    elif was is None or relation.cardinality is Cardinality.ONE:
        raise NotReplayableError(f"the fact {relation.name} was not recorded")


def _rows(reading: _Reading, given: Any, problems: list[Problem]) -> Iterator[Row]:
    least = reading.relation.minimum_source
    for number, form in enumerate(given):
        source = Source[form.get("source", "system").upper()]
        if source < least:
            problems.append(_lesser(reading.relation, source))
        values = tuple(
            _cell(reading.relation, column, read, form["values"], problems)
            for column, read in reading.columns
        )
        yield Row(number, values, source)


def _cell(
    relation: Relation,
    column: Field,
    read: Callable[[Any], Any],
    given: Mapping[str, Any],
    problems: list[Problem],
) -> Value | Missing:
    if column.name not in given:
        if column.default is MISSING and not column.optional:
            raise NotReplayableError(f"{relation.name}.{column.name} was not recorded")
        return column.default
    try:
        value: Value = read(given[column.name])
    except Unfit as unfit:
        problems.append(_unfit(relation, column, given[column.name], unfit))
        return MISSING
    return value


def _unfit(relation: Relation, column: Field, given: object, unfit: Unfit) -> Problem:
    return problem(
        unfit.code,
        f"{relation.bare_name}.{column.name}",
        "",
        received=shown(given, secret=column.secret),
        expected=str(base(column.domain.type)),
        detail=unfit.detail,
        hint=unfit.hint,
    )


def _lesser(relation: Relation, source: Source) -> Problem:
    return problem(
        codes.LESSER_SOURCE,
        relation.bare_name,
        "",
        received=source.word,
        expected=f"`from {relation.minimum_source.word}`",
    )
