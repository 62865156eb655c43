"""List and set fields as relations of their own: one row an element, beside the key of where it belongs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policylang.facts.factset import Row
from policylang.facts.order import value_key
from policylang.facts.schema import Relation, RelationKind, Source
from policylang.facts.types import ListType, RecordType, SetType
from policylang.facts.values import MISSING


@dataclass(frozen=True, slots=True)
class _Level:
    """How one ITEMS relation unfolds its parent's elements, and the relations below it."""

    name: str
    is_wanted: bool
    column: int
    is_list: bool
    is_record: bool
    below: tuple[_Level, ...]


class Unfolding:
    """The compiled unfolding of one root relation: its rows -> the rows of its ITEMS relations."""

    __slots__ = ("_key", "_levels")

    def __init__(
        self,
        root: Relation,
        relations: Mapping[str, Relation],
        wanted: Collection[str] | None = None,
    ) -> None:
        """Where `wanted` is given, only the relations that it names are filled."""
        self._key = root.key
        self._levels = tuple(_levels(root.name, root, relations, wanted))

    def __bool__(self) -> bool:
        return bool(self._levels)

    def __call__(self, rows: Iterable[Row], into: dict[str, tuple[Row, ...]]) -> None:
        """Add the ITEMS rows of these rows; ids count over all rows of the root, in their order."""
        found: dict[str, list[Row]] = {}
        for row in rows:
            values = row.values
            leading = () if self._key is None else (values[self._key],)
            for level in self._levels:
                value = values[level.column]
                if value and value is not MISSING:
                    _unfold(level, value, leading, row.source, found)
        for name, items in found.items():
            into[name] = tuple(items)


def _levels(
    parent: str,
    root: Relation,
    relations: Mapping[str, Relation],
    wanted: Collection[str] | None,
) -> Iterator[_Level]:
    columns = relations[parent].columns
    own = _own_columns(parent, root, relations)
    for relation in relations.values():
        if relation.kind is not RelationKind.ITEMS or relation.parent != parent:
            continue
        column = next(
            i for i, c in enumerate(columns) if c.name == relation.parent_field and i >= own
        )
        kind = columns[column].domain.type
        assert isinstance(kind, ListType | SetType)
        below = tuple(_levels(relation.name, root, relations, wanted))
        is_wanted = wanted is None or relation.name in wanted
        if not below and not is_wanted:
            continue
        yield _Level(
            name=relation.name,
            is_wanted=is_wanted,
            column=column - own,
            is_list=isinstance(kind, ListType),
            is_record=isinstance(kind.element.type, RecordType),
            below=below,
        )


def _own_columns(name: str, root: Relation, relations: Mapping[str, Relation]) -> int:
    """The position of the first field of a relation's own, after key, outer positions and index."""
    if name == root.name:
        return 0
    relation = relations[name]
    parent = relations[relation.parent or ""]
    kind = next(
        c.domain.type
        for c in reversed(parent.columns)
        if c.name == relation.parent_field and isinstance(c.domain.type, ListType | SetType)
    )
    assert isinstance(kind, ListType | SetType)
    element = kind.element.type
    own = len(element.fields) if isinstance(element, RecordType) else 1
    return len(relation.columns) - own


def _unfold(
    level: _Level,
    value: Any,
    leading: tuple[Any, ...],
    source: Source,
    found: dict[str, list[Row]],
) -> None:
    rows = found.setdefault(level.name, []) if level.is_wanted else []
    items = value if level.is_list or len(value) == 1 else sorted(value, key=value_key)
    for index, item in enumerate(items, 1):
        own = item.values if level.is_record else (item,)
        position = (index,) if level.is_list else ()
        rows.append(Row(len(rows), (*leading, *position, *own), source))
        for below in level.below:
            inner = own[below.column]
            if inner and inner is not MISSING:
                _unfold(below, inner, (*leading, index), source, found)
