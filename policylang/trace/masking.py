"""Values of fields declared `secret` in records that are shown: `(secret)` stands in their place.

Deciding again and proving need them, and whoever may read personal values need not see these.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from policylang.decide.secrets import secrets_of
from policylang.decide.wording import SECRET_WORD
from policylang.semantics.program import Program
from policylang.trace.archive import Archive, Supply
from policylang.trace.chain import Record
from policylang.trace.personal import Personal
from policylang.trace.programs import NotReplayableError
from policylang.trace.sealing import ERASED, Pointer

_UNKNOWN: Final[tuple[Pointer, ...]] = (
    ("facts", "rows"),
    ("facts", "changes"),
    ("firings",),
    ("received", "text"),
    ("decision", "reasons"),
    ("decision", "rejection"),
    ("decision", "requires"),
    ("decision", "obligations"),
    ("decision", "values"),
)
"""What is masked of a decision whose program cannot be made again: nobody knows what of it is secret."""


_KNOWN: Final = frozenset({"decision", "program", "reference", "outcome"})
"""Kinds of records of which it is known what in them may be secret."""


class Masks:
    """Masks what records say. Programs are looked up once.

    `columns` are the secret columns (relation and name) of every program in the store: records that name no program are
    masked wherever a name of theirs is that of a secret one.
    """

    def __init__(self, supply: Supply, columns: frozenset[tuple[str, str]]) -> None:
        self._archive = Archive(supply)
        self._columns = columns
        self._names = frozenset(name for _, name in columns)
        self._secret: dict[str, Personal | None] = {}

    def body(self, record: Record) -> dict[str, Any]:
        """What a record says, personal values put back where that is possible, secret ones masked."""
        if self._columns and record.kind not in _KNOWN:
            # Nobody knows which of what is sealed in it is secret, and which personal.
            sealed: dict[str, Any] = json.loads(record.text)["body"]
            return sealed
        return self.masked(record.kind, record.body)

    def masked(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """A body of a kind, masked in place. What was decided again has the form of a decision."""
        if self._columns:
            for pointer in self._places(kind, body):
                _mask(body, pointer)
        return body

    def _places(self, kind: str, body: Mapping[str, Any]) -> Iterable[Pointer]:
        match kind:
            case "decision":
                secret = self._of(body["decision"]["program"]["digest"])
                return _UNKNOWN if secret is None else secret.places(body) if secret else ()
            case "reference":
                names = [name for of, name in self._columns if of == body["relation"]]
                rows = range(len(body["rows"]))
                return (("rows", i, "values", name) for i in rows for name in names)
            case "outcome":
                return (("detail",), *(("arguments", name) for name in self._names))
            case _:
                return ()

    def _of(self, digest: str) -> Personal | None:
        """Where records of a program are secret; None where the program cannot be made again, so that nobody knows."""
        if digest not in self._secret:
            try:
                program = self._archive.program(digest)
            except NotReplayableError:
                self._secret[digest] = None
            else:
                self._secret[digest] = secret_of(program)
        return self._secret[digest]


def secret_of(program: Program) -> Personal:
    """What of a program's records is secret."""
    return Personal(program, secrets_of(program))


def mask_decision(program: Program, form: dict[str, Any]) -> dict[str, Any]:
    """The JSON form of a decision of a program with its secret values masked, in place: it is to be shown."""
    secret = secret_of(program)
    for pointer in secret.places({"decision": form}) if secret else ():
        if pointer[0] == "decision":
            _mask(form, pointer[1:])
    return form


def _mask(body: Any, pointer: Pointer) -> None:
    *steps, last = pointer
    for step in steps:
        match body, step:
            case dict(), str() if step in body:
                body = body[step]
            case list(), int() if step < len(body):
                body = body[step]
            case _:
                return
    if isinstance(body, dict) and last in body and body[last] != ERASED:
        body[last] = SECRET_WORD
