"""A validated set of facts: what rules see, and all they see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from policylang.facts.deferred import Deferred
from policylang.facts.schema import Source
from policylang.facts.values import Missing, Value


class Row(NamedTuple):
    """One row of an input relation. (Made for every fact of every request: a dataclass takes twice as long.)

    `id` is unique in the relation and counts from 0 in the order given; two equal rows are two rows.
    `values[i]` belongs to the relation's `columns[i]`.
    """

    id: int
    values: tuple[Value | Missing, ...]
    source: Source = Source.SYSTEM


class Cell(NamedTuple):
    """One column of one row of a relation."""

    relation: str
    row: int
    column: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a normalizer, or another spelling of an enum's member, made of a text that was given.

    `place` is where in the cell (`[2].note`; empty for the cell itself). `became` is `MISSING`
    where the text stands for nothing. `received` of a secret field is as secret as the cell.
    """

    cell: Cell
    place: str
    received: str
    became: Value | Missing
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One relation of a `Shape`: where its rows are all of one source, and whether there may be many."""

    relation: str
    source: Source
    many: bool = False


class Shape:
    """What the requests of one action hold in which order, where nothing in them is out of the ordinary.

    Told apart by identity: an evaluator makes code for each that it meets.
    """

    __slots__ = ("action", "parts", "single")

    def __init__(self, action: str, parts: tuple[Part, ...]) -> None:
        self.action = action
        self.parts = parts
        self.single = {part.relation: i for i, part in enumerate(parts) if not part.many}
        """The places of the relations of one row."""


class Taken(NamedTuple):
    """What was read of a request: the fields of a `FactSet` follow from it.

    `parts[i]` belongs to `shape.parts[i]`: the values of its one row, or its rows where there may be many, or None
    where the request gives none. The first is `now`. `more` are the rows that follow from these.
    """

    shape: Shape
    parts: tuple[Any, ...]
    reference: Mapping[str, str]
    changes: tuple[Change, ...]
    defaults: tuple[Cell, ...]
    more: Mapping[str, tuple[Row, ...]]


@dataclass(frozen=True, slots=True)
class FactSet(Deferred):
    """The facts of one request, by qualified relation name; a relation without rows may be absent.

    Holds everything but tables and reference data, which belong to the program and the bundle:
    the action's row and its groups' rows, facts, items, histories, `now` and `approval`.
    `now` is the request's time in UTC; `action` is the qualified name of the asked action.
    """

    action: str
    now: dt.datetime
    rows: Mapping[str, tuple[Row, ...]]
    reference: Mapping[str, str] = field(default_factory=dict)
    """The content digests of the reference relations it is to be read with, by relation."""
    changes: tuple[Change, ...] = ()
    """Every text that became something else on its way in, in the order of the relations."""
    defaults: tuple[Cell, ...] = ()
    """Every cell that holds its declared default because the request does not give it."""
    asked: tuple[str, ...] = ()
    """The qualified names of the `decisions` that the request asks for."""

    def of(self, relation: str) -> tuple[Row, ...]:
        """The rows of a relation."""
        return self.rows.get(relation, ())

    def told(self) -> tuple[str, dt.datetime]:
        """The action and the time; nothing else is made for them."""
        taken: Taken | None = self.origin
        if taken is not None:
            return taken.shape.action, taken.parts[0][0]
        return self.action, self.now

    def values_of(self, relation: str) -> Sequence[tuple[Value | Missing, ...]]:
        """The values of the rows of a relation."""
        taken: Taken | None = self.origin
        if taken is not None:
            place = taken.shape.single.get(relation)
            if place is not None:
                values = taken.parts[place]
                return () if values is None else (values,)
        return [row.values for row in self.of(relation)]

    def _make(self, origin: Any) -> None:
        taken: Taken = origin
        _SET_ACTION(self, taken.shape.action)
        _SET_NOW(self, taken.parts[0][0])
        _SET_ROWS(self, {**rows_of(taken.shape, taken.parts), **taken.more})
        _SET_REFERENCE(self, taken.reference)
        _SET_CHANGES(self, taken.changes)
        _SET_DEFAULTS(self, taken.defaults)
        _SET_ASKED(self, ())


def rows_of(shape: Shape, parts: Iterable[Any]) -> dict[str, tuple[Row, ...]]:
    """The rows of what was read of a request, by relation."""
    rows: dict[str, tuple[Row, ...]] = {}
    for part, given in zip(shape.parts, parts, strict=True):
        if given is not None:
            row = (0, given, part.source)
            rows[part.relation] = given if part.many else (_NEW_ROW(Row, row),)
    return rows


_NEW_ROW: Final = tuple.__new__
_SLOTS: Final[Any] = vars(FactSet)
_SET_ACTION: Final = _SLOTS["action"].__set__
_SET_NOW: Final = _SLOTS["now"].__set__
_SET_ROWS: Final = _SLOTS["rows"].__set__
_SET_REFERENCE: Final = _SLOTS["reference"].__set__
_SET_CHANGES: Final = _SLOTS["changes"].__set__
_SET_DEFAULTS: Final = _SLOTS["defaults"].__set__
_SET_ASKED: Final = _SLOTS["asked"].__set__
_SET_ORIGIN: Final[Callable[[FactSet, Taken], None]] = vars(Deferred)["origin"].__set__
_NEW: Final = object.__new__


def taken_facts(taken: Taken) -> FactSet:
    """The fact set of what was read of a request; its fields are made when they are asked for."""
    facts = _NEW(FactSet)
    _SET_ORIGIN(facts, taken)
    return facts
