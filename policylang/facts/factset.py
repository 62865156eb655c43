"""A validated set of facts: what rules see, and all they see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

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
class FactSet:
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
