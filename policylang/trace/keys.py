"""The keys that personal and secret values of traces are sealed with: one for each subject, in a file of their own.

`traces.duckdb.keys` is a SQLite file beside the store. Who destroys a key makes everything sealed with it unreadable, in
whatever copy of the traces it stands. So the file has to be backed up apart from the traces, in backups that expire.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policylang.trace.sealing import Key
from policylang.trace.segments import sync_folder
from policylang.trace.writer import TraceUnavailableError

KEYS: Final = ".keys"
"""What the name of a store's key file ends in, after the name of its file."""

_BYTES: Final = 32
_RESERVED: Final = 64
"""Keys without a subject that are made at once."""
_BUSY_SECONDS: Final = 10.0
_MOST_REMEMBERED: Final = 10_000

# Where SQLite's file format keeps `user_version`, big-endian: it counts erasures, and is read without opening the file.
_ERASURES: Final = slice(60, 64)

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS keys (
    handle TEXT PRIMARY KEY, subject TEXT UNIQUE, key BLOB, named INTEGER NOT NULL, is_told INTEGER NOT NULL DEFAULT 1)
"""


class KeysUnavailableError(TraceUnavailableError):
    """The key file could not be read or written. What would have to be sealed cannot be recorded."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom values are about: `refunds.customer=c-17`. `is_named` says that records may hold this name in clear."""

    name: str
    is_named: bool = True


@dataclass(frozen=True, slots=True)
class Destroyed:
    """A key that is no more. `subject` is empty where its name may not stand in a record."""

    handle: str
    subject: str = ""


class _Turns:
    """One lock for every key file that a process has open.

    INVARIANT: the system's locks that SQLite takes are of the process: whoever closes the file lifts those of other threads in
    the midst of a transaction, and a key could get lost. So nobody opens the file while another thread has it open.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self.lock = threading.RLock()


_TURNS: Final = _Turns()


class KeyFile:
    """The keys of a store. Thread-safe, and safe to use after a fork: no connection outlives a call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._forget()

    @property
    def _lock(self) -> threading.RLock:
        """The lock of this process; in a child made by fork nothing is remembered."""
        if self._process != os.getpid():
            self._begin()
        return _TURNS.lock

    def _forget(self) -> None:
        self._seen = b""
        self._of_subjects: dict[str, Key] = {}
        self._of_handles: dict[str, bytes | None] = {}
        self._loose: deque[Key] = deque()

    def __reduce__(self) -> tuple[type[KeyFile], tuple[Path]]:
        """As a path: another process opens the file itself."""
        return KeyFile, (self._path,)

    @property
    def exists(self) -> bool:
        """Whether anything was ever sealed."""
        return self._path.exists()

    def of(self, subjects: Iterable[Subject]) -> tuple[Key, ...]:
        """The key of each subject, made where there is none yet, and safe on disk. Raises `KeysUnavailableError`."""
        asked = sorted(set(subjects), key=lambda subject: subject.name)
        with self._lock:
            self._refresh()
            if len(self._of_subjects) > _MOST_REMEMBERED:
                self._of_subjects.clear()
                self._of_handles.clear()
            unknown = [subject for subject in asked if subject.name not in self._of_subjects]
            if unknown:
                self._make(unknown)
            return tuple(self._of_subjects[subject.name] for subject in asked)

    def loose(self) -> Key:
        """A key of its own for what belongs to no subject. Raises `KeysUnavailableError`."""
        with self._lock:
            self._refresh()
            if not self._loose:
                made = [_new() for _ in range(_RESERVED)]
                with self._changing() as connection:
                    connection.executemany(
                        "INSERT INTO keys (handle, key, named) VALUES (?, ?, 0)",
                        [(key.handle, key.secret) for key in made],
                    )
                self._loose.extend(made)
            return self._loose.popleft()

    def known(self, handles: Sequence[str]) -> Mapping[str, bytes | None]:
        """The keys of handles: None where one was destroyed. A handle that the file does not know is left out.

        Raises `KeysUnavailableError`.
        """
        if not self.exists:
            return {}
        with self._lock:
            self._refresh()
            unknown = [handle for handle in handles if handle not in self._of_handles]
            for handle, key in self._rows("SELECT handle, key FROM keys WHERE handle = ?", unknown):
                self._of_handles[handle] = key
            return {h: self._of_handles[h] for h in handles if h in self._of_handles}

    def destroy(self, subject: str) -> tuple[Destroyed, ...]:
        """Destroy the keys of a subject, named with its module or without; empty where there is none.

        Raises `KeysUnavailableError`.
        """
        fact, equals, key = subject.partition("=")
        if not equals:
            return ()
        # A name of a module may hold dots, and so may a key: the fact is what stands before the first `=`.
        return self._destroy(
            "substr('.' || substr(subject, 1, instr(subject, '=') - 1), -length(?1)) = ?1"
            " AND substr(subject, instr(subject, '=') + 1) = ?2",
            [f".{fact}", key],
        )

    def destroy_loose(self, handles: Sequence[str]) -> tuple[Destroyed, ...]:
        """Destroy keys that belong to no subject; those that do stay. Raises `KeysUnavailableError`."""
        return tuple(
            gone
            for handle in handles
            for gone in self._destroy(
                "handle = ?1 AND subject IS NULL AND key IS NOT NULL", [handle]
            )
        )

    def untold(self) -> tuple[str, ...]:
        """The handles of destroyed keys whose erasure is not on record yet."""
        if not self.exists:
            return ()
        return tuple(row[0] for row in self._rows("SELECT handle FROM keys WHERE is_told = ?", "0"))

    def told(self, handles: Iterable[str]) -> None:
        """Note that an erasure is on record."""
        with self._changing() as connection:
            connection.executemany(
                "UPDATE keys SET is_told = 1 WHERE handle = ?", [(handle,) for handle in handles]
            )

    # --- the file ---

    def _make(self, subjects: Sequence[Subject]) -> None:
        with self._changing() as connection:
            for subject in subjects:
                new = _new()
                connection.execute(
                    "INSERT INTO keys (handle, subject, key, named) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (subject) DO NOTHING",
                    (new.handle, subject.name, new.secret, subject.is_named),
                )
            found = [
                connection.execute(
                    "SELECT handle, key FROM keys WHERE subject = ?", (subject.name,)
                ).fetchone()
                for subject in subjects
            ]
        for subject, row in zip(subjects, found, strict=True):
            self._of_subjects[subject.name] = Key(*row)

    def _rows(self, query: str, values: Iterable[str]) -> list[tuple[Any, ...]]:
        """The rows that a query gives for each of the values."""
        with self._connected() as connection:
            connection.execute(_TABLE)
            return [row for value in values for row in connection.execute(query, (value,))]

    def _destroy(self, condition: str, values: list[str]) -> tuple[Destroyed, ...]:
        if not self.exists:
            return ()
        with self._lock, self._changing() as connection:
            rows = connection.execute(
                f"SELECT handle, subject, named FROM keys WHERE {condition}", values
            ).fetchall()
            connection.executemany(
                "UPDATE keys SET key = NULL, subject = NULL, is_told = 0 WHERE handle = ?",
                [(row[0],) for row in rows],
            )
            if rows:
                (erasures,) = connection.execute("PRAGMA user_version").fetchone()
                connection.execute(f"PRAGMA user_version = {erasures + 1:d}")
        return tuple(Destroyed(handle, name if named else "") for handle, name, named in rows)

    def _refresh(self) -> None:
        """Forget what is remembered where something was erased since."""
        try:
            with self._path.open("rb") as file:
                seen = file.read(_ERASURES.stop)[_ERASURES]
        except FileNotFoundError:
            seen = b""
        except OSError as error:
            raise KeysUnavailableError(f"cannot read {self._path.name}: {error}") from error
        if seen != self._seen:
            loose = self._loose
            self._forget()
            self._seen = seen
            if seen:
                self._loose = loose

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        if not self.exists:
            self._create()
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE)
            yield connection
            connection.execute("COMMIT")

    def _create(self) -> None:
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            sync_folder(self._path.parent)
        except OSError as error:
            raise KeysUnavailableError(f"cannot make {self._path.name}: {error}") from error

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection for one call. What it overwrites is overwritten in the file, and no log keeps a copy."""
        try:
            with (
                self._lock,
                closing(
                    sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
                ) as connection,
            ):
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("PRAGMA synchronous = EXTRA")
                connection.execute("PRAGMA secure_delete = ON")
                yield connection
        except sqlite3.Error as error:
            raise KeysUnavailableError(f"the keys cannot be used: {error}") from error


def _new() -> Key:
    return Key(secrets.token_hex(16), secrets.token_bytes(_BYTES))
