"""Reference data: rows that a bundle holds for all requests, loaded once and named by content digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from policylang.facts.factset import Row
from policylang.facts.forms import to_json
from policylang.facts.schema import Relation, Schema
from policylang.facts.unfold import Unfolding
from policylang.facts.values import MISSING, Missing, Value


@dataclass(frozen=True, slots=True)
class ReferenceRelation:
    """The rows of one reference relation.

    `digest` names their content, whatever file or object they came from. `items` are the rows of
    the relations that unfold their lists and sets. `keys` are the values of the key column, if one is declared.
    """

    relation: Relation
    rows: tuple[Row, ...]
    digest: str
    keys: frozenset[Value | Missing]
    items: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReferenceData:
    """All reference relations of a bundle, by qualified name; replaced as a whole when refreshed."""

    relations: Mapping[str, ReferenceRelation] = field(default_factory=dict)

    @property
    def digests(self) -> Mapping[str, str]:
        """The content digests by relation, as a fact set names them."""
        return {name: held.digest for name, held in self.relations.items()}

    @property
    def rows(self) -> Mapping[str, tuple[Row, ...]]:
        """The rows of every reference relation and of those that unfold their lists."""
        found: dict[str, tuple[Row, ...]] = {}
        for name, held in self.relations.items():
            found[name] = held.rows
            found.update(held.items)
        return found

    def replaced(self, *relations: ReferenceRelation) -> ReferenceData:
        """The same data with these relations in place of older ones."""
        return ReferenceData({**self.relations, **{r.relation.name: r for r in relations}})


def hold(relation: Relation, rows: Iterable[Row], schema: Schema) -> ReferenceRelation:
    """Rows that were read and validated, as a reference relation with its digest.

    The digest is the SHA-256 of the declared columns and the rows in their order, each as JSON.
    """
    kept = tuple(rows)
    items: dict[str, tuple[Row, ...]] = {}
    Unfolding(relation, schema.relations)(kept, items)
    key = relation.key
    keys = frozenset() if key is None else frozenset(row.values[key] for row in kept)
    return ReferenceRelation(relation, kept, _digest(relation, kept), keys, items)


def _digest(relation: Relation, rows: tuple[Row, ...]) -> str:
    columns = [(column.name, str(column.domain.type)) for column in relation.columns]
    found = hashlib.sha256(json.dumps([relation.name, columns]).encode())
    types = [column.domain.type for column in relation.columns]
    for row in rows:
        cells = [
            None if value is MISSING else to_json(value, type_)
            for value, type_ in zip(row.values, types, strict=True)
        ]
        found.update(json.dumps(cells, ensure_ascii=True).encode() + b"\n")
    return found.hexdigest()
