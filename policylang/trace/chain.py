"""Records as they are written: canonical bytes, chained by hash.

A record is one JSON object. `writer`, `sequence` and `previous` place it in the chain of the process that wrote it; its hash is the
SHA-256 of its canonical bytes, which hold all three, and so cover everything written before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from policylang.decide.json import canonical
from policylang.trace.sealing import Keyring, opened

RECORD_FORM: Final = 1
"""The version of the form of a record."""

FIRST: Final = "0" * 64
"""The `previous` of the first record of a chain."""

_PLACES: Final = ("form", "kind", "id", "at", "writer", "sequence", "previous", "body")


@dataclass(frozen=True, slots=True)
class Record:
    """One record, with its place in the chain of its writer.

    `at` is the writer's clock in UTC; the order of a chain is that of `sequence` (from 1), whatever clocks say.
    `text` is the canonical text that `digest` is the hash of. It alone is what was recorded.
    """

    kind: str
    id: str
    at: str
    writer: str
    sequence: int
    previous: str
    digest: str
    text: str
    keyring: Keyring | None = field(default=None, compare=False, repr=False)
    """Where the keys of personal values are found; without it they stay sealed."""

    @property
    def body(self) -> dict[str, Any]:
        """What the record says, read from its text; numbers stay exact.

        Personal values are put back where their keys are known; `(erased)` stands for those that were erased.
        """
        body: dict[str, Any] = json.loads(self.text)["body"]
        return body if self.keyring is None or "sealed" not in body else opened(body, self.keyring)


def put_back(record: Record, body: Mapping[str, Any]) -> Record:
    """The record with another body in its text: one with personal values in it, to be shown and not to be stored."""
    form = {**json.loads(record.text), "body": body}
    return replace(record, text=canonical(form).decode())


class BrokenRecordError(ValueError):
    """Text that is no record, or whose hash is another; its argument says what is wrong."""


def digest_of(text: bytes) -> str:
    """The hash of a record's canonical bytes."""
    return hashlib.sha256(text).hexdigest()


def chained(
    kind: str, id_: str, at: str, writer: str, sequence: int, previous: str, body: Mapping[str, Any]
) -> Record:
    """A new record in its place."""
    values = (RECORD_FORM, kind, id_, at, writer, sequence, previous, body)
    content = canonical(dict(zip(_PLACES, values, strict=True)))
    return Record(kind, id_, at, writer, sequence, previous, digest_of(content), content.decode())


def read_record(text: str, digest: str) -> Record:
    """The record of a canonical text, if its hash is that one. Raises `BrokenRecordError`."""
    if digest_of(text.encode("utf-8", "surrogatepass")) != digest:
        raise BrokenRecordError("its hash is not that of its content")
    return placed(text, digest)


_END: Final = re.compile(
    r',"form":1,"id":"([^"\\]+)","kind":"(decision)","previous":"([0-9a-f]{64})",'
    r'"sequence":([1-9][0-9]{0,17}),"writer":"([^"\\]+)"\}\Z'
)
_START: Final = re.compile(r'\{"at":"([-0-9T:.]{26}Z)","body":\{')
_LONGEST_END: Final = 600


def placed(text: str, digest: str) -> Record:
    """A record of a text whose hash is known to be that one. Raises `BrokenRecordError` where it is none."""
    start = _START.match(text)
    end = _END.search(text, max(0, len(text) - _LONGEST_END))
    if start is None or end is None:
        return _parsed(text, digest)
    # A decision is long, and its canonical text has its place at its ends: no need to read what is between.
    id_, kind, previous, sequence, writer = end.groups()
    return Record(kind, id_, start[1], writer, int(sequence), previous, digest, text)


def _parsed(text: str, digest: str) -> Record:
    try:
        form = json.loads(text)
        record = Record(
            kind=form["kind"],
            id=form["id"],
            at=form["at"],
            writer=form["writer"],
            sequence=form["sequence"],
            previous=form["previous"],
            digest=digest,
            text=text,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenRecordError(f"it is no record: {error}") from error
    if form.get("form") != RECORD_FORM:
        raise BrokenRecordError(f"its form is {form.get('form')}, and {RECORD_FORM} is known")
    return record
