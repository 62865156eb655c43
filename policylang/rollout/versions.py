"""Versions of modules as they are published: immutable, named, and complete in the store.

A version is a module's text with what belongs to it: values of params that were overridden, and the rows of its
reference data. Tables are part of the text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from policylang.diagnostics import Diagnostic
from policylang.errors import PolicyInvalid
from policylang.rollout import codes
from policylang.semantics.suggest import did_you_mean
from policylang.trace.state import Reading, tables

MODULE: Final = "module"
"""The kind of the records that hold published versions."""

tables(
    "versions",
    """CREATE TABLE versions (
        position INTEGER PRIMARY KEY AUTOINCREMENT, module TEXT NOT NULL, version TEXT NOT NULL,
        digest TEXT NOT NULL, meaning TEXT NOT NULL, content TEXT NOT NULL, file TEXT NOT NULL,
        text TEXT NOT NULL, params TEXT NOT NULL, reference TEXT NOT NULL, published_at TEXT NOT NULL,
        published_by TEXT NOT NULL, UNIQUE (module, version))""",
    """CREATE TABLE version_rows (
        relation TEXT NOT NULL, digest TEXT NOT NULL, rows TEXT NOT NULL,
        PRIMARY KEY (relation, digest))""",
)

_COLUMNS: Final = (
    "module, version, digest, meaning, file, text, params, reference, published_at, published_by"
)


@dataclass(frozen=True, slots=True)
class Version:
    """One published version of one module.

    `digest` is the SHA-256 of its text, `meaning` that of its syntax tree without comments and layout. `params` are
    the values that were overridden, by qualified name, in the forms of requests; `reference` are the digests of its
    reference data by relation.
    """

    module: str
    version: str
    digest: str
    meaning: str
    file: str
    text: str
    params: Mapping[str, Any]
    reference: Mapping[str, str]
    published_at: str = ""
    published_by: str = ""

    @property
    def name(self) -> str:
        """What commands call it: `refunds@1.4.0`."""
        return f"{self.module}@{self.version}"

    @property
    def content(self) -> str:
        """The SHA-256 of everything that is part of the version: text, params, reference data."""
        return _digest([self.digest, dict(self.params), dict(self.reference)])

    @property
    def is_unaltered(self) -> bool:
        """Whether its text is the one that its digest is of."""
        text = self.text.encode("utf-8", "surrogatepass")
        return hashlib.sha256(text).hexdigest() == self.digest

    @property
    def effect(self) -> str:
        """As `content`, with the meaning in place of the text: equal where no decision can differ."""
        return _digest([self.meaning, dict(self.params), dict(self.reference)])

    def to_json(self) -> dict[str, Any]:
        """The form of records and of `--json`; what is empty is left out."""
        form = {
            "module": self.module,
            "version": self.version,
            "digest": self.digest,
            "meaning": self.meaning,
            "content": self.content,
            "file": self.file,
            "text": self.text,
            "params": dict(self.params),
            "reference": dict(self.reference),
            "published_at": self.published_at,
            "by": self.published_by,
        }
        return {name: value for name, value in form.items() if value not in ("", {})}

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> Self:
        """The version that a row of the state holds."""
        module, version, digest, meaning, file, text, params, reference, at, by = row
        return cls(
            module=module,
            version=version,
            digest=digest,
            meaning=meaning,
            file=file,
            text=text,
            params=json.loads(params),
            reference=json.loads(reference),
            published_at=at,
            published_by=by,
        )


def _digest(value: object) -> str:
    form = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(form.encode()).hexdigest()


def find_version(reading: Reading, module: str, version: str) -> Version | None:
    """The published version of that name, or None."""
    query = f"SELECT {_COLUMNS} FROM versions WHERE module = ? AND version = ?"
    rows = reading.execute(query, (module, version))
    return Version.of_row(rows[0]) if rows else None


def all_versions(reading: Reading, module: str | None = None) -> tuple[Version, ...]:
    """Every published version, or those of one module, in the order of their publishing."""
    query = f"SELECT {_COLUMNS} FROM versions WHERE ?1 IS NULL OR module = ?1 ORDER BY position"
    return tuple(Version.of_row(row) for row in reading.execute(query, (module,)))


def the_version(reading: Reading, name: str) -> Version:
    """The version of a name such as `refunds@1.4.0`. Raises `PolicyInvalid` where there is none."""
    module, at, version = name.partition("@")
    if not (module and at and version):
        raise PolicyInvalid([codes.BAD_NAME.at(None, text=name)])
    found = find_version(reading, module, version)
    if found is None:
        raise PolicyInvalid([_unknown(reading, module, version)])
    return found


def known_module(reading: Reading, module: str) -> str:
    """The name itself, where a version of that module is published. Raises `PolicyInvalid` where none is."""
    if not reading.execute("SELECT 1 FROM versions WHERE module = ? LIMIT 1", (module,)):
        raise PolicyInvalid([_unknown(reading, module, None)])
    return module


_MOST_NAMED: Final = 8


def _unknown(reading: Reading, module: str, version: str | None) -> Diagnostic:
    known = {v.module: v for v in all_versions(reading)}
    if version is None or module not in known:
        published = ", ".join(f"`{name}`" for name in sorted(known)[:_MOST_NAMED])
        listed = f"published are {published}" if known else "nothing is published yet"
        hint = did_you_mean(module, list(known)) or listed
        return codes.UNKNOWN_MODULE.at(None, name=module, hint=hint)
    published = ", ".join(v.version for v in all_versions(reading, module))
    return codes.UNKNOWN_VERSION.at(
        None, name=module, version=version, hint=f"published are {published}"
    )


def rows_of(reading: Reading, digests: Iterable[tuple[str, str]]) -> dict[str, list[Any]]:
    """The rows of reference relations by their digests, in the form of requests."""
    found: dict[str, list[Any]] = {}
    for relation, digest in digests:
        query = "SELECT rows FROM version_rows WHERE relation = ? AND digest = ?"
        found[relation] = json.loads(reading.execute(query, (relation, digest))[0][0])
    return found
