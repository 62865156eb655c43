"""What the names in the code of a plan stand for, as comments in front of it: for people who read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from policylang.evaluate.plan.world import RESERVED, Layout, Slot, SlotKind

_WORDS: Final = {
    SlotKind.ONE: "the row of {name}",
    SlotKind.ROW: "the row of {name}, with its source",
    SlotKind.ROWS: "the rows of {name}",
    SlotKind.ATOMS: "the atoms of {name}",
    SlotKind.SEEN: "the atoms of {name}, as a set",
    SlotKind.INDEX: "{name} by {columns}",
    SlotKind.FOUND: "what {name} fired under",
}
_SHOWN: Final = (bool, int, str, Decimal, dt.date, dt.time, dt.timedelta, frozenset, tuple)
_WIDEST: Final = 90


def slots_legend(layout: Layout) -> Iterator[str]:
    """A comment for each slot of a world."""
    for number, slot in enumerate(layout.slots, RESERVED):
        words = _WORDS[slot.kind].format(name=slot.name, columns=_columns(layout, slot))
        yield f"# w[{number}]: {words}"


def _columns(layout: Layout, slot: Slot) -> str:
    relation = layout.program.schema.relations.get(slot.name)
    if relation is None:
        return " and ".join(f"argument {position + 1}" for position in slot.positions)
    return " and ".join(relation.columns[position].name for position in slot.positions)


def rows_legend(names: Sequence[str]) -> Iterator[str]:
    """A comment for each row that straight code reads."""
    for number, name in enumerate(names):
        yield f"# one_{number}: the row of {name}"


def constants_legend(values: Mapping[str, object]) -> Iterator[str]:
    """A comment for each constant that is a plain value."""
    for name, value in values.items():
        if isinstance(value, _SHOWN) and name.startswith("k"):
            text = repr(value)
            yield f"# {name}: {text if len(text) <= _WIDEST else text[:_WIDEST] + '...'}"
