"""What is compiled for the requests of each action, once a program."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from policylang.facts.factset import Row
from policylang.facts.history import HistoryReader
from policylang.facts.reference import ReferenceData
from policylang.facts.refs import Reference
from policylang.facts.rows import RelationReader
from policylang.facts.schema import Relation, Schema, Source
from policylang.facts.unfold import Unfolding

Clock = Callable[[], dt.datetime]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every request meets besides the plan of its action."""

    schema: Schema
    reference: ReferenceData
    digests: Mapping[str, str]
    approval: RelationReader | None
    clock: Clock


@dataclass(frozen=True, slots=True)
class FactEntry:
    """What a request may give under one name: a fact, with all that is compiled for it."""

    relation: Relation
    reader: RelationReader
    unfolding: Unfolding
    references: tuple[Reference, ...]
    many: bool
    default_source: Source


@dataclass(frozen=True, slots=True)
class GroupView:
    """How the row of an action is seen as one of a group: the positions of the group's columns in it."""

    name: str
    positions: tuple[int, ...]
    unfolding: Unfolding

    def add(self, row: Row, rows: dict[str, tuple[Row, ...]]) -> None:
        """Add the group's row, and those that unfold its lists."""
        own = (Row(0, tuple([row.values[i] for i in self.positions]), row.source),)
        rows[self.name] = own
        if self.unfolding:
            self.unfolding(own, rows)


@dataclass(frozen=True, slots=True)
class ActionPlan:
    """All that is compiled for the requests of one action.

    `facts` holds the entries by every name they go by; `ambiguous` the names that several go by.
    """

    action: FactEntry
    facts: Mapping[str, FactEntry]
    ambiguous: Mapping[str, tuple[str, ...]]
    needed: tuple[Relation, ...]
    groups: tuple[GroupView, ...]
    histories: tuple[HistoryReader, ...]
    referring: tuple[FactEntry, ...]
