"""Which requests a canary decides: a documented hash of a salt and a key of the request.

    bucket = first 8 bytes of SHA-256(salt + "/" + key), as a big-endian number, * 10000 >> 64

A canary of S per mille decides the buckets below S * 10. The salt belongs to one rollout and never changes while it
goes on, so that a slice that grows keeps everyone who was in it, and the slices of two rollouts are independent. (The
method is that of hash-based traffic splitting as in Tang et al., Overlapping Experiment Infrastructure, KDD 2010.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from policylang.diagnostics import Diagnostic
from policylang.facts.factset import FactSet
from policylang.facts.forms import to_json
from policylang.facts.schema import Cardinality, Relation, RelationKind, Schema
from policylang.facts.types import ListType, RecordType, SetType, Type
from policylang.facts.values import MISSING
from policylang.rollout import codes
from policylang.semantics.suggest import did_you_mean

ALGORITHM: Final = 1
"""The version of the hash, as traces name it."""

BUCKETS: Final = 10_000
"""The number of buckets; a step of 0.1 percent is ten of them."""

WHOLE: Final = 1_000
"""The share of a slice that holds every request: shares are counted per mille."""

_PER_SHARE: Final = BUCKETS // WHOLE
_PERCENT: Final = re.compile(r"\s*([0-9]{1,3})(?:\.([0-9]))?\s*%?\s*")
_KINDS: Final = (RelationKind.ACTION, RelationKind.GROUP, RelationKind.FACT)


def bucket_of(salt: str, key: str) -> int:
    """The bucket of a key, from 0 to 9999.

    >>> bucket_of("refunds/1", "c1"), bucket_of("refunds/2", "c1")
    (37, 4349)
    """
    text = f"{salt}/{key}".encode("utf-8", "surrogatepass")
    return int.from_bytes(sha256(text).digest()[:8], "big") * BUCKETS >> 64


def is_inside(bucket: int, share: int) -> bool:
    """Whether a bucket is in a slice of that many per mille."""
    return bucket < share * _PER_SHARE


def read_share(text: str) -> int | Diagnostic:
    """The share, per mille, of a percentage such as `5%` or `0.1`.

    >>> read_share("2.5%"), read_share("100")
    (25, 1000)
    """
    found = _PERCENT.fullmatch(text)
    share = 0 if found is None else int(found[1]) * 10 + int(found[2] or 0)
    if not 0 < share <= WHOLE:
        return codes.BAD_SLICE.at(None, text=text)
    return share


def percent(share: int) -> str:
    """A share as people write it.

    >>> percent(25), percent(1000)
    ('2.5%', '100%')
    """
    whole, tenths = divmod(share, 10)
    return f"{whole}.{tenths}%" if tenths else f"{whole}%"


@dataclass(frozen=True, slots=True)
class Key:
    """A field of requests that a slice is told by: a relation with one row, and the position of a column."""

    relation: str
    position: int
    type: Type

    def text(self, facts: FactSet) -> str | None:
        """What is hashed for a request: a string as it is, another value in its JSON form; None where it is missing."""
        rows = facts.values_of(self.relation)
        value = rows[0][self.position] if rows else MISSING
        if value is MISSING:
            return None
        return value if isinstance(value, str) else str(to_json(value, self.type))


def key_text(keys: Sequence[Key], facts: FactSet) -> str | None:
    """The text of the first key that a request has, or None."""
    for key in keys:
        text = key.text(facts)
        if text is not None:
            return text
    return None


def read_key(text: str, schema: Schema, module: str) -> Key | Diagnostic:
    """The key that a path such as `refund.customer_id` names, as `module` reads it."""
    name, dot, column = text.rpartition(".")
    found = schema.named(name, *_KINDS) if dot else ()
    own = [relation for relation in found if relation.module == module]
    meant = own if len(own) == 1 else found
    if len(meant) == 1:
        return _column(text, meant[0], column)
    if meant:
        several = " or ".join(f"`{relation.name}.{column}`" for relation in meant)
        said = f"several modules declare it: {several}"
    else:
        known = [r.bare_name for r in schema.relations.values() if r.kind in _KINDS]
        said = _with_nearest("no such action or fact is declared", name, known)
    return codes.BAD_KEY.at(None, text=text, reason=said)


def _with_nearest(reason: str, name: str, known: Sequence[str]) -> str:
    """A reason with the name that was probably meant: guards tell reasons, and no hints."""
    hint = did_you_mean(name, known)
    return f"{reason}; {hint}" if hint else reason


def _column(text: str, relation: Relation, column: str) -> Key | Diagnostic:
    if relation.cardinality is Cardinality.MANY:
        return codes.BAD_KEY.at(None, text=text, reason=f"{relation.bare_name} has many rows")
    try:
        position = relation.position(column)
    except KeyError:
        reason = f"{relation.bare_name} has no field {column}"
        reason = _with_nearest(reason, column, [c.name for c in relation.columns])
        return codes.BAD_KEY.at(None, text=text, reason=reason)
    type_ = relation.columns[position].domain.type
    if isinstance(type_, SetType | ListType | RecordType):
        return codes.BAD_KEY.at(None, text=text, reason=f"a {type_} is no single value")
    return Key(relation.name, position, type_)
