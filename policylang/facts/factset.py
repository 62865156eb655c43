"""A validated set of facts: what rules see, and all they see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from policylang.facts.schema import Source
from policylang.facts.values import Missing, Value


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an input relation.

    `id` is unique in the relation and counts from 0 in the order given; two equal rows are two rows.
    `values[i]` belongs to the relation's `columns[i]`.
    """

    id: int
    values: tuple[Value | Missing, ...]
    source: Source = Source.SYSTEM


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

    def of(self, relation: str) -> tuple[Row, ...]:
        """The rows of a relation."""
        return self.rows.get(relation, ())
