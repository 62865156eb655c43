"""Seals what is personal in records before they are written. Where no field is declared so, nothing is done."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policylang.bundle.case import Case
from policylang.facts.factset import Row
from policylang.semantics.program import Program
from policylang.trace.chain import Record
from policylang.trace.keys import KeyFile, Subject
from policylang.trace.personal import personal_of
from policylang.trace.sealing import Group, Key, Pointer, handles_of, sealed

_MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class About:
    """What a record that names a decision has to know of it.

    `handles` are of the keys that the decision is sealed with, `clear` the arguments that it holds in clear;
    `is_plain` where its program has nothing personal.
    """

    handles: tuple[str, ...] = ()
    clear: frozenset[str] = frozenset()
    is_plain: bool = False


class Sealer:
    """Seals with the keys of a store. Thread-safe.

    `find` looks a decision up that another process recorded.
    """

    def __init__(self, keys: KeyFile, find: Callable[[str], Record | None]) -> None:
        self._keys = keys
        self._find = find
        self._lock = threading.Lock()
        self._about: OrderedDict[str, About] = OrderedDict()

    def decision(self, case: Case, body: dict[str, Any]) -> tuple[dict[str, Any], About]:
        """The body of a decision as it may be stored. Raises `KeysUnavailableError`."""
        personal = personal_of(case.program)
        if not personal:
            return body, About(is_plain=True)
        subjects = (
            personal.subjects_received(_read(body.get("received", {}).get("text")))
            if case.facts is None
            else personal.subjects(case.facts)
        )
        made = self._sealed(body, tuple(personal.places(body)), subjects)
        return made, _about(made)

    def remember(self, id_: str, about: About) -> None:
        """Keep what is known of a decision for the records that will name it."""
        with self._lock:
            self._about[id_] = about
            if len(self._about) > _MOST_REMEMBERED:
                self._about.popitem(last=False)

    def reference(
        self, program: Program, rows: Sequence[Row], body: dict[str, Any]
    ) -> dict[str, Any]:
        """The body of a record of reference data: each row is sealed for its own subjects."""
        personal = personal_of(program)
        columns = personal.row_places(body["relation"])
        if not columns:
            return body
        groups = []
        for i, row in enumerate(rows):
            pointers: tuple[Pointer, ...] = tuple(("rows", i, "values", name) for name in columns)
            keys = self._keys_of(personal.row_subjects(body["relation"], row))
            groups.append(Group(keys, pointers))
        return sealed(body, groups)

    def naming(self, decision: str, body: dict[str, Any], members: Iterable[str]) -> dict[str, Any]:
        """A body that names a decision, with these of its members sealed as the decision is.

        Of the arguments of the action, those stay that stand in the decision in clear. Raises `KeysUnavailableError`.
        """
        held = [name for name in members if name in body]
        about = self._known(decision) if held else None
        if about is None or about.is_plain:
            return body
        keys = self._keys_of_handles(about.handles) or (self._keys.loose(),)
        pointers = tuple(p for name in held for p in _inside(name, body[name], about.clear))
        return sealed(body, [Group(keys, pointers)])

    # --- keys ---

    def _sealed(
        self, body: dict[str, Any], pointers: tuple[Pointer, ...], subjects: Iterable[Subject]
    ) -> dict[str, Any]:
        there = tuple(pointer for pointer in pointers if _leads(body, pointer))
        return sealed(body, [Group(self._keys_of(subjects), there)]) if there else body

    def _keys_of(self, subjects: Iterable[Subject]) -> tuple[Key, ...]:
        asked = tuple(subjects)
        return self._keys.of(asked) if asked else (self._keys.loose(),)

    def _keys_of_handles(self, handles: Sequence[str]) -> tuple[Key, ...]:
        """The keys of a decision; none where one of them was erased meanwhile."""
        known = self._keys.known(handles)
        found = tuple(Key(h, key) for h in handles if (key := known.get(h)) is not None)
        return found if len(found) == len(handles) else ()

    # --- decisions that others name ---

    def _known(self, decision: str) -> About | None:
        """What is known of a decision; None where nothing is sealed in this store."""
        with self._lock:
            about = self._about.get(decision)
        if about is not None or not self._keys.exists:
            return about
        record = self._find(decision)
        return About() if record is None else _about(json.loads(record.text)["body"])


def _about(body: Mapping[str, Any]) -> About:
    """What a stored decision says of itself. Arguments that it lacks are not taken for clear."""
    hidden = {place for group in body.get("sealed", ()) for place in group["at"]}
    action = body["decision"].get("action", "")
    rows = body.get("facts", {}).get("rows", {}).get(action, ())
    start = f"/facts/rows/{action}/0/values/"
    clear = frozenset(name for row in rows for name in row["values"] if start + name not in hidden)
    return About(tuple(handles_of(body)), clear)


def _inside(name: str, value: object, clear: frozenset[str]) -> Iterable[Pointer]:
    if name == "arguments" and isinstance(value, dict):
        return [(name, argument) for argument in value if argument not in clear]
    return [(name,)]


def _leads(body: Any, pointer: Pointer) -> bool:
    for step in pointer:
        match body, step:
            case dict(), _ if step in body:
                body = body[step]
            case list(), int() if step < len(body):
                body = body[step]
            case _:
                return False
    return True


def _read(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
