"""State: what processes must agree on at once, in a SQLite file beside the traces.

Records of traces are appended by each process on its own. That an approval is used once, a limit holds, and a stop is
seen takes one place that everybody asks: `traces.duckdb.state`. Every change is one transaction. What is worth a record is
put into an outbox by the same transaction, and moved into the chain afterwards: at least once, under the same identity.

The file must not get lost while its traces are kept: limits would count from zero. A line in the folder of segments
says which state belongs to them; without it, or with another, everything that needs a state is refused.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias
from weakref import WeakSet

from policylang.decide.json import canonical
from policylang.errors import InternalError
from policylang.trace.identity import Identities
from policylang.trace.segments import sync_folder
from policylang.trace.writer import TraceUnavailableError

STATE: Final = ".state"
"""What the name of a store's state ends in, after the name of its file."""

MARK: Final = "state"
"""The file in the folder of segments that holds the identity of the state that belongs to them."""

BUSY_SECONDS: Final = 10.0
"""How long a transaction waits for those of others."""

_CLAIM_SECONDS: Final = 10.0
_PAUSE: Final = 0.01
_IDLE: Final = 4

Value: TypeAlias = "str | int | float | bytes | None"
"""What a cell holds. Integers above 64 bits and decimals are texts."""

Publish: TypeAlias = Callable[[str, dict[str, Any], str], object]
"""Writes an event into the chain: its kind, its body, its identity."""

_log = logging.getLogger("policylang.trace")

_TABLES: dict[str, tuple[str, ...]] = {}

_OWN: Final = (
    "CREATE TABLE identity (id TEXT NOT NULL)",
    """CREATE TABLE outbox (
        position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, kind TEXT NOT NULL,
        body TEXT NOT NULL, claimed REAL NOT NULL DEFAULT 0, claim TEXT)""",
)


class StateUnavailableError(TraceUnavailableError):
    """The state could not be read or changed; nothing of the change is left. The action it is about must not run."""


def tables(area: str, *statements: str) -> None:
    """Declare the tables of an area, when its module is imported: statements that are run once each, in order.

    Later versions append statements and change none. Raises `InternalError` where an area is declared twice.
    """
    if _TABLES.get(area, statements) != statements:
        raise InternalError(f"the tables of `{area}` are declared twice")
    _TABLES[area] = statements


tables("state", *_OWN)


class Reading:
    """A consistent view of the state, for as long as its block lasts."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(
        self, sql: str, values: Sequence[Value] | Mapping[str, Value] = ()
    ) -> list[tuple[Any, ...]]:
        """The rows that a statement gives. Raises `StateUnavailableError`."""
        with _told():
            return self._connection.execute(sql, values).fetchall()


class Transaction(Reading):
    """Changes that happen together or not at all. Nobody else changes the state meanwhile."""

    def __init__(self, connection: sqlite3.Connection, identities: Identities) -> None:
        super().__init__(connection)
        self._identities = identities
        self.has_events = False

    def change(self, sql: str, values: Sequence[Value] | Mapping[str, Value] = ()) -> int:
        """Run a statement that changes rows; how many it changed."""
        with _told():
            return self._connection.execute(sql, values).rowcount

    def event(self, kind: str, body: Mapping[str, Any]) -> str:
        """Commit an event with the change: a record of that kind will be in the chain. Its identity."""
        id_ = self._identities.new()
        text = canonical(dict(body)).decode()
        self.execute("INSERT INTO outbox (id, kind, body) VALUES (?, ?, ?)", (id_, kind, text))
        self.has_events = True
        return id_


class State:
    """The state of a store. Thread-safe, and safe to use after a fork.

    The file is made when it is first needed. `publish` gets each event after its transaction, and may be called
    again by another process where this one dies in between.
    """

    def __init__(
        self,
        path: Path,
        mark: Path | None = None,
        *,
        publish: Publish | None = None,
        wait: float = BUSY_SECONDS,
    ) -> None:
        self.path = path
        self._mark = mark
        self._publish = publish
        self._wait = wait
        self._identities = Identities()
        self._begin()
        _STATES.add(self)

    def _begin(self) -> None:
        """Start without a connection, as a child made by fork does."""
        self._process = os.getpid()
        self._turn = threading.Condition()
        self._idle: list[sqlite3.Connection] = []
        self._busy = 0
        self._watch: sqlite3.Connection | None = None
        self._watching = threading.Lock()
        self._file: tuple[int, int] | None = None
        self._prepared = 0
        self._preparing = threading.RLock()
        self._is_closed = False
        self._own = threading.local()

    @property
    def exists(self) -> bool:
        """Whether there is a state yet. Where there is none, nothing was ever put into it."""
        return self.path.exists() or (self._mark is not None and self._mark.exists())

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Change the state; what the block does is committed when it ends, and undone where it raises.

        Raises `StateUnavailableError` where the state cannot be changed, and then nothing of it is. A transaction cannot
        be begun inside of another on the same thread.
        """
        if getattr(self._own, "depth", 0):
            raise InternalError("a transaction was begun inside of another")
        with self._connected() as connection:
            changes = Transaction(connection, self._identities)
            with _told(), _in(connection, "BEGIN IMMEDIATE", self._check):
                yield changes
        if changes.has_events and self._publish is not None:
            self._publish_quietly()

    @contextmanager
    def read(self) -> Iterator[Reading]:
        """Read what is committed, all as of one moment. Raises `StateUnavailableError`."""
        with self._connected() as connection, _told(), _in(connection, "BEGIN", self._check):
            yield Reading(connection)

    def version(self) -> tuple[int, int]:
        """Something that is another after every change, whoever made it: a look takes microseconds.

        Raises `StateUnavailableError`.
        """
        self._prepare()
        with self._watching, _told():
            self._check()
            if self._watch is None:
                self._watch = self._connect()
            row = self._watch.execute("PRAGMA data_version").fetchone()
            return self._process, int(row[0])

    def events(self) -> int:
        """How many events wait to be moved into the chain. Raises `StateUnavailableError`."""
        if not self.exists:
            return 0
        with self.read() as reading:
            return int(reading.execute("SELECT count(*) FROM outbox")[0][0])

    def publish(self) -> int:
        """Move the events that wait into the chain, and return how many were moved.

        Events that another process is moving are left to it for some seconds. Raises `TraceUnavailableError` where
        one cannot be written; it stays in the outbox then.
        """
        if self._publish is None or not self.exists:
            return 0
        claim = secrets.token_hex(8)
        claimed = self._claimed(claim)
        for position, id_, kind, body in claimed:
            self._publish(kind, json.loads(body), id_)
            with self.transaction() as tx:
                tx.execute("DELETE FROM outbox WHERE position = ?", (position,))
        return len(claimed)

    def close(self) -> None:
        """Close what is open; using the state after that raises. Idempotent."""
        with self._turn:
            self._is_closed = True
            self._close_idle()

    # --- events ---

    def _claimed(self, claim: str) -> list[tuple[int, str, str, str]]:
        now = time.time()
        with self.transaction() as tx:
            tx.execute(
                "UPDATE outbox SET claim = ?, claimed = ? WHERE claimed < ? OR claimed > ?",
                (claim, now, now - _CLAIM_SECONDS, now + _CLAIM_SECONDS),
            )
            found = "SELECT position, id, kind, body FROM outbox WHERE claim = ? ORDER BY position"
            return [(row[0], row[1], row[2], row[3]) for row in tx.execute(found, (claim,))]

    def _publish_quietly(self) -> None:
        """The change is committed and stands: what cannot be recorded now is recorded by whoever comes next."""
        try:
            self.publish()
        except TraceUnavailableError as error:
            _log.error("events wait in %s: they cannot be recorded now: %s", self.path.name, error)

    # --- connections ---

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else uses meanwhile."""
        self._prepare()
        with self._turn:
            if self._is_closed:
                raise StateUnavailableError("the state is closed")
            self._busy += 1
            self._own.depth = getattr(self._own, "depth", 0) + 1
            connection = self._idle.pop() if self._idle else None
        try:
            with _told():
                self._check()
                if connection is None:
                    connection = self._connect()
            yield connection
        finally:
            with self._turn:
                self._busy -= 1
                self._own.depth -= 1
                self._put_back(connection)
                self._turn.notify_all()

    def _put_back(self, connection: sqlite3.Connection | None) -> None:
        if connection is None:
            return
        if self._is_closed or connection.in_transaction or len(self._idle) >= _IDLE:
            _close(connection)
        else:
            self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path.absolute().as_uri() + "?mode=rw",
            uri=True,
            timeout=self._wait,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA trusted_schema = OFF")
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self) -> None:
        """Refuse where the file is another one than at the beginning, or gone: changes would be lost."""
        try:
            found = os.stat(self.path)  # noqa: PTH116 - on the path of every decision, and twice as fast
        except OSError as error:
            raise StateUnavailableError(f"{self.path.name} has vanished: {error}") from error
        if (found.st_dev, found.st_ino) != self._file:
            raise StateUnavailableError(f"{self.path.name} was replaced by another file")

    def _close_idle(self) -> None:
        while self._idle:
            _close(self._idle.pop())
        if self._watch is not None:
            _close(self._watch)
            self._watch = None

    # --- making it ---

    def _prepare(self) -> None:
        """Make the file where there is none, and the tables of every area. Once a process."""
        if self._prepared == len(_TABLES):
            return
        with self._preparing, _told():
            declared = dict(_TABLES)
            self._make()
            found = os.stat(self.path)  # noqa: PTH116 - the same as `_check`
            self._file = (found.st_dev, found.st_ino)
            connection = self._connect()
            try:
                identity = self._migrate(connection, declared)
            finally:
                _close(connection)
            self._belong(identity)
            self._prepared = len(declared)

    def _make(self) -> None:
        if self.path.exists():
            return
        if self._mark is not None and self._mark.exists():
            raise StateUnavailableError(
                f"{self.path.name} has vanished: restore it; what it held of limits and approvals is not known"
            )
        try:
            number = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.close(number)
            sync_folder(self.path.parent)
        except OSError as error:
            raise StateUnavailableError(f"cannot make {self.path.name}: {error}") from error

    def _migrate(
        self, connection: sqlite3.Connection, declared: Mapping[str, tuple[str, ...]]
    ) -> str:
        """Run what was not run yet, and return the identity of the state."""
        self._use_log(connection)
        with _in(connection, "BEGIN IMMEDIATE", self._check):
            connection.execute(
                "CREATE TABLE IF NOT EXISTS areas (name TEXT PRIMARY KEY, statements INTEGER NOT NULL)"
            )
            done = dict(connection.execute("SELECT name, statements FROM areas").fetchall())
            for area, statements in declared.items():
                if done.get(area, 0) > len(statements):
                    raise StateUnavailableError(f"{self.path.name} is of a newer version")
                for statement in statements[done.get(area, 0) :]:
                    connection.execute(statement)
                if done.get(area) != len(statements):
                    entry = (area, len(statements))
                    connection.execute("INSERT OR REPLACE INTO areas VALUES (?, ?)", entry)
            return self._identity(connection)

    def _use_log(self, connection: sqlite3.Connection) -> None:
        """Switch to a write-ahead log. SQLite does not wait by itself where two switch at once."""
        until = time.monotonic() + self._wait
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE)

    def _identity(self, connection: sqlite3.Connection) -> str:
        row = connection.execute("SELECT id FROM identity").fetchone()
        if row is not None:
            return str(row[0])
        made = secrets.token_hex(16)
        connection.execute("INSERT INTO identity VALUES (?)", (made,))
        return made

    def _belong(self, identity: str) -> None:
        """Write down that the traces have this state, or make sure that they have no other."""
        if self._mark is None:
            return
        try:
            if not self._mark.exists():
                new = self._mark.with_name(f"{MARK}.{secrets.token_hex(4)}")
                new.write_text(identity, encoding="ascii")
                with contextlib.suppress(FileExistsError):
                    os.link(new, self._mark)
                new.unlink()
                sync_folder(self._mark.parent)
            known = self._mark.read_text(encoding="ascii")
        except OSError as error:
            raise StateUnavailableError(
                f"cannot write to {self._mark.parent.name}: {error}"
            ) from error
        if known != identity:
            raise StateUnavailableError(f"{self.path.name} is not the state of these traces")

    # --- forks ---

    def _before_fork(self) -> None:
        """Close every connection: SQLite's locks go wrong in a child that inherits one.

        Waits for the transactions of other threads. One that the forking thread itself is in cannot be waited
        for; the child then has no state.
        """
        self._turn.acquire()
        own = getattr(self._own, "depth", 0)
        self._turn.wait_for(lambda: self._busy <= own, timeout=self._wait + 1)
        self._preparing.acquire()
        self._watching.acquire()
        self._close_idle()

    def _after_fork(self) -> None:
        self._watching.release()
        self._preparing.release()
        self._turn.release()

    def _in_child(self) -> None:
        was_used = self._busy > 0
        self._begin()
        self._is_closed = was_used


@contextmanager
def _told() -> Iterator[None]:
    """What SQLite raises, as what callers know."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError) as error:
        raise InternalError(f"a statement on the state is wrong: {error}") from error
    except sqlite3.Error as error:
        raise StateUnavailableError(f"the state cannot be used: {error}") from error


@contextmanager
def _in(connection: sqlite3.Connection, begin: str, check: Callable[[], None]) -> Iterator[None]:
    """A transaction of SQLite's around the block. The file is looked for again before its end."""
    connection.execute(begin)
    try:
        yield
        check()
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise


def _close(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        connection.close()


_STATES: WeakSet[State] = WeakSet()
_held: list[State] = []


def _before_fork() -> None:
    for state in list(_STATES):
        state._before_fork()
        _held.append(state)


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop()._after_fork()


def _after_fork_in_child() -> None:
    while _held:
        _held.pop()._in_child()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
