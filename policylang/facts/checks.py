"""References of a request have to be kept: each names a row that is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from policylang.facts.diagnose import dangling
from policylang.facts.factset import Row
from policylang.facts.plans import FactEntry, Surroundings
from policylang.facts.refs import Reference
from policylang.facts.rows import Findings
from policylang.facts.schema import Cardinality, Relation, RelationKind


def check_references(
    entries: Iterable[FactEntry],
    rows: Mapping[str, tuple[Row, ...]],
    around: Surroundings,
    found: Findings,
) -> None:
    """Refuse every reference in these rows to a row that came neither with them nor as reference data."""
    keys: dict[str, Collection[Any]] = {}
    for entry in entries:
        own = rows.get(entry.relation.name)
        if own:
            for reference in entry.references:
                target = reference.target
                if target not in keys:
                    keys[target] = _keys(target, rows, around)
                _check(entry.relation, reference, own, keys[target], found)


def _keys(
    target: str, rows: Mapping[str, tuple[Row, ...]], around: Surroundings
) -> Collection[Any]:
    held = around.reference.relations.get(target)
    if held is not None:
        return held.keys
    key = around.schema.relations[target].key
    return () if key is None else {row.values[key] for row in rows.get(target, ())}


def _check(
    relation: Relation,
    reference: Reference,
    rows: tuple[Row, ...],
    known: Collection[Any],
    found: Findings,
) -> None:
    place = "/args" if relation.kind is RelationKind.ACTION else f"/facts/{relation.bare_name}"
    single = relation.cardinality is not Cardinality.MANY
    target = reference.target.rpartition(".")[2]
    for row in rows:
        for value, at in reference.of(row.values):
            if value not in known:
                path = relation.bare_name if single else f"{relation.bare_name}[{row.id}]"
                pointer = place if single else f"{place}/{row.id}"
                steps = at.replace("[", ".").replace("]", "").replace(".", "/")
                full, pointed = f"{path}.{at}", f"{pointer}/{steps}"
                found.refuse(dangling(value, reference.field, target, full, pointed))
