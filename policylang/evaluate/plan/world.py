"""The world of a plan: a list in which every relation, definition and index has its slot.

The code of a plan reads slots by number. `Layout` gives the numbers out while code is made; at run time the
world is a plain list, copied for each request from one that already holds what no request changes.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, TypeAlias

from policylang.evaluate.firings import Limits
from policylang.facts.factset import Row
from policylang.facts.schema import Cardinality, RelationKind
from policylang.facts.types import Type
from policylang.facts.values import MISSING
from policylang.semantics.program import Program

World: TypeAlias = list[Any]

Index: TypeAlias = Container[Any]
"""Rows or atoms by values: a mapping, or what finds them when it is asked (`AskedIndex`)."""

STEPS: Final = 0
"""Slot of the number of steps before the clock is looked at again."""
DEADLINE: Final = 1
"""Slot of the time at which to stop."""
FAILED: Final = 2
"""Slot of the positions of rules that failed."""
MEMORY: Final = 3
"""Slot of the bytes that an evaluation may use."""
CHECKS: Final = 4
"""Slot of how often the clock was looked at, and the blocks of memory in use when it first was."""
GIVEN: Final = 5
"""Slot of the rows of the request."""
RESERVED: Final = 6

STEPS_BETWEEN_CHECKS: Final = 4096
CHECKS_BETWEEN_COUNTS: Final = 32
"""Counting blocks takes longer than looking at the clock."""
BYTES_OF_BLOCK: Final = 128
"""What a block of memory stands for: that of a small tuple, and its share of the sets and lists it is in."""


class SlotKind(enum.Enum):
    """What a slot holds."""

    ONE = "one"
    """The values of the one row of a relation, or None."""
    ROW = "row"
    """That row itself, for its source."""
    ROWS = "rows"
    """The rows of a relation."""
    ATOMS = "atoms"
    """The atoms of a definition, in the order of their derivation."""
    SEEN = "seen"
    """The same atoms as a set."""
    INDEX = "index"
    """Rows or atoms by their values at some positions; None until first asked for."""
    FOUND = "found"
    """The bindings under which a recursive rule fired."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot: what it holds, of which relation or definition (or rule), by which positions."""

    kind: SlotKind
    name: str
    positions: tuple[int, ...] = ()


class TimeLimitError(Exception):
    """The time of an evaluation is over."""


class MemoryLimitError(Exception):
    """The memory of an evaluation is used up."""


class Layout:
    """The slots of a world, by what they hold."""

    def __init__(
        self, program: Program, reference: Mapping[str, Sequence[Row]], dynamic: Iterable[str] = ()
    ) -> None:
        self.program = program
        self.reference = reference
        self.dynamic = frozenset(dynamic)
        self.settled: frozenset[str] = frozenset()
        """Definitions that depend on tables and reference data alone."""
        self.slots: list[Slot] = []
        self._numbers: dict[Slot, int] = {}

    def number(self, kind: SlotKind, name: str, positions: tuple[int, ...] = ()) -> int:
        """The number of a slot, a new one where it is first asked for."""
        slot = Slot(kind, name, positions)
        number = self._numbers.get(slot)
        if number is None:
            number = self._numbers[slot] = RESERVED + len(self.slots)
            self.slots.append(slot)
        return number

    def slot(self, number: int) -> Slot:
        """The slot of a number."""
        return self.slots[number - RESERVED]

    def numbers(self, kind: SlotKind, name: str | None = None) -> list[tuple[int, Slot]]:
        """The slots of a kind (and of a name) that were asked for so far."""
        return [
            (number, slot)
            for slot, number in self._numbers.items()
            if slot.kind is kind and name in (None, slot.name)
        ]

    def is_derived(self, name: str) -> bool:
        """Whether a name is a definition's."""
        return name in self.program.predicates

    def is_given_once(self, name: str) -> bool:
        """Whether the rows of a relation are a table or reference data that no request adds to."""
        given = name in self.program.tables or name in self.reference
        return given and name not in self.dynamic

    def is_ready(self, name: str) -> bool:
        """Whether an index of a relation or definition is there before a request comes."""
        return self.is_given_once(name) or name in self.settled

    def is_single(self, name: str) -> bool:
        """Whether a request gives at most one row of a relation."""
        relation = self.program.schema.relations.get(name)
        if relation is None or name in self.reference or name in self.program.tables:
            return False
        if relation.kind in (RelationKind.ACTION, RelationKind.GROUP):
            return True
        return relation.cardinality is not Cardinality.MANY

    def optional(self, name: str, position: int) -> bool:
        """Whether a column may be missing."""
        relation = self.program.schema.relations.get(name)
        return relation is None or relation.columns[position].optional

    def types(self, name: str) -> tuple[Type, ...]:
        """The types of the columns of a relation or of the arguments of a definition."""
        predicate = self.program.predicates.get(name)
        if predicate is not None:
            return predicate.types
        return tuple(column.domain.type for column in self.program.schema.relations[name].columns)

    def given(self, name: str) -> Sequence[Row]:
        """The rows of a table or of reference data."""
        table = self.program.tables.get(name)
        if table is not None:
            return tuple(Row(i, values) for i, values in enumerate(table))
        return self.reference.get(name, ())


def indexed(
    rows: Iterable[Any], positions: tuple[int, ...], *, derived: bool
) -> dict[Any, list[Any]]:
    """Rows or atoms by their values at some positions, leaving out those where one is missing."""
    index: dict[Any, list[Any]] = {}
    single = positions[0] if len(positions) == 1 else None
    for row in rows:
        values = row if derived else row.values
        if single is not None:
            key = values[single]
            if key is MISSING:
                continue
        else:
            key = tuple([values[position] for position in positions])
            if MISSING in key:
                continue
        found = index.get(key)
        if found is None:
            index[key] = [row]
        else:
            found.append(row)
    return index


def started(template: World, limits: Limits, rows: Mapping[str, Sequence[Row]]) -> World:
    """The world of one request, with its limits and its rows."""
    world = template.copy()
    world[:RESERVED] = (
        STEPS_BETWEEN_CHECKS,
        perf_counter() + limits.seconds,
        [],
        limits.memory,
        None,
        rows,
    )
    return world


def tick(world: World) -> None:
    """Look at the clock, and now and then at the memory; raises where a limit is reached."""
    world[STEPS] = STEPS_BETWEEN_CHECKS
    if perf_counter() > world[DEADLINE]:
        raise TimeLimitError
    checks, before = world[CHECKS] or (0, sys.getallocatedblocks())
    world[CHECKS] = (checks + 1, before)
    if checks % CHECKS_BETWEEN_COUNTS == CHECKS_BETWEEN_COUNTS - 1:
        used = (sys.getallocatedblocks() - before) * BYTES_OF_BLOCK
        if used > world[MEMORY]:
            raise MemoryLimitError
