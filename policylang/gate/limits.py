"""Limits over calls that were made: what they counted is kept in the state, and taken up before a call runs.

A call takes its place in every limit that counts it before it runs (a reservation), and keeps the place once it has run;
where it fails or is not made it gives the place back. Whoever dies in between gives it back after the time of the reservation.

A decision reads the calls that its limits count without holding anybody up. Only where it allows is the state taken, and then what
was read is compared with what is there: where another call came in between, the call is decided again while nobody else can.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from policylang.decide.json import typed
from policylang.facts.describe import describe
from policylang.facts.forms import write_datetime
from policylang.facts.history import CallsMade
from policylang.facts.schema import LimitHistory
from policylang.facts.types import Field
from policylang.facts.values import Missing, Value
from policylang.gate.recounting import earlier_calls
from policylang.trace.identity import Identities
from policylang.trace.state import Reading, Transaction, tables
from policylang.trace.store import TraceStore

KEPT: Final = dt.timedelta(days=400)
"""How long calls are kept past the window of their limit: a window may be made longer."""

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)

tables(
    "limits",
    # One row for each limit that counts a call. `expires` is null once the call has run. Keys are hashes: whose calls were
    # counted cannot be read from here, and no text of a customer's lies outside of the traces.
    """CREATE TABLE counted (
        counter TEXT NOT NULL, key BLOB NOT NULL, at INTEGER NOT NULL, call TEXT NOT NULL,
        cells TEXT NOT NULL, expires INTEGER, PRIMARY KEY (counter, key, at, call)) WITHOUT ROWID""",
    "CREATE INDEX counted_call ON counted (call)",
    # The counters that are in use, so that one which is new can count what was done before it.
    "CREATE TABLE counters (counter TEXT PRIMARY KEY, name TEXT NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID",
)

_FIND: Final = """
    SELECT call, at, cells FROM counted
    WHERE counter = ? AND key = ? AND at > ? AND (expires IS NULL OR expires > ?)"""
_PRUNE: Final = "DELETE FROM counted WHERE counter = ? AND key = ? AND at < ?"
_TAKE: Final = (
    "INSERT INTO counted (counter, key, at, call, cells, expires) VALUES (?, ?, ?, ?, ?, ?)"
)


def microseconds(moment: dt.datetime) -> int:
    """A moment as a number that SQLite orders and holds exactly."""
    return (moment - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call stands in one limit: the counter, the key it is counted by, and what is added up of it.

    `since` is the moment after which calls count, `beside` the calls that were counted when it was read.
    """

    counter: str
    key: bytes
    since: int
    cells: str
    beside: frozenset[str]


class Calls(CallsMade):
    """The calls that a request's limits count, looked up once each: the `history` of a request of the gate.

    Reads the state as it is, or inside of a transaction. What was read is kept in `places`.
    """

    def __init__(self, limits: Limits, moment: int, inside: Reading | None = None) -> None:
        self._limits = limits
        self._moment = moment
        self._inside = inside
        self._found: dict[tuple[str, bytes], list[tuple[str, int, str]]] = {}
        self.places: dict[tuple[str, bytes], Place] = {}

    def of(
        self,
        history: LimitHistory,
        columns: tuple[Field, ...],
        own: tuple[Value | Missing, ...],
        now: dt.datetime,
    ) -> Iterable[Sequence[Any]]:
        """The calls that a limit counts beside the one that is asked for. Raises `StateUnavailableError`."""
        cells = [_form(value, column) for value, column in zip(own, columns, strict=False)]
        key = _key([cells[i] for i in history.keys])
        counter = counter_of(history, columns)
        found = self._found.get((counter, key))
        if found is None:
            if self._inside is None:
                self._limits.recount(counter, history, columns, now)
            since = _since(history, now)
            found = self._look_up(counter, key, since)
            self._found[counter, key] = found
            self.places[counter, key] = Place(
                counter,
                key,
                since,
                _without_keys(history, cells),
                frozenset(call for call, _, _ in found),
            )
        # The key is what the limit asks for, so it is that of the asked call; the rest is the earlier call's own.
        for _, at, text in found:
            theirs = json.loads(text)
            both = [cells[i] if i in history.keys else cell for i, cell in enumerate(theirs)]
            yield (*both, write_datetime(_EPOCH + at * _MICROSECOND))

    def _look_up(self, counter: str, key: bytes, since: int) -> list[tuple[str, int, str]]:
        if self._inside is not None:
            return _read(self._inside, counter, key, since, self._moment)
        with self._limits.state.read() as reading:
            return _read(reading, counter, key, since, self._moment)


def _read(
    reading: Reading, counter: str, key: bytes, since: int, moment: int
) -> list[tuple[str, int, str]]:
    rows = reading.execute(_FIND, (counter, key, since, moment))
    return [(row[0], row[1], row[2]) for row in rows]


class Limits:
    """The counters of a store. Thread-safe, and safe across processes.

    Every method raises `StateUnavailableError` where the state cannot be read or changed.
    """

    def __init__(self, store: TraceStore, *, hold: dt.timedelta) -> None:
        self._store = store
        self.state: Final = store.state
        self._hold = hold // _MICROSECOND
        self._identities = Identities()
        self._known: set[str] = set()

    def calls(self, now: dt.datetime) -> Calls:
        """What a request at `now` is to be decided with."""
        return Calls(self, microseconds(now))

    def recount(
        self, counter: str, history: LimitHistory, columns: tuple[Field, ...], now: dt.datetime
    ) -> None:
        """Let a counter that is new to the store count the calls that were made before it, as their records say.

        Once a store. Raises `TraceUnavailableError` where the records cannot be read.
        """
        if counter in self._known:
            return
        with self.state.read() as reading:
            is_new = not reading.execute("SELECT 1 FROM counters WHERE counter = ?", (counter,))
        if is_new:
            found = earlier_calls(self._store, history, columns, now)
            with self.state.transaction() as tx:
                name = history.relation.removesuffix(".history")
                sql = "INSERT OR IGNORE INTO counters (counter, name, since) VALUES (?, ?, ?)"
                if tx.change(sql, (counter, name, microseconds(now))):
                    for call in found:
                        key = _key([call.cells[i] for i in history.keys])
                        rest = _without_keys(history, call.cells)
                        row = (counter, key, microseconds(call.at), call.decision, rest, None)
                        tx.execute(_TAKE, row)
        self._known.add(counter)

    def reserve(self, calls: Calls, now: dt.datetime, again: Callable[[Calls], bool]) -> str | None:
        """Take the places that a decision to allow has read, and return the name of the reservation.

        Where other calls came in between, `again` decides anew with what is counted now, and says whether it
        still allows; None where it does not. Nobody else takes a place meanwhile.
        """
        name, moment = self._identities.new(), microseconds(now)
        with self.state.transaction() as tx:
            if not _is_unchanged(tx, calls, moment):
                calls = Calls(self, moment, tx)
                if not again(calls):
                    return None
            for place in calls.places.values():
                _take(tx, place, name, moment, moment + self._hold)
        return name

    def settle(self, reservation: str) -> None:
        """Keep the places of a call that has run, for as long as its limits count it."""
        with self.state.transaction() as tx:
            tx.execute("UPDATE counted SET expires = NULL WHERE call = ?", (reservation,))

    def release(self, reservation: str) -> None:
        """Give back the places of a call that has not run, or has failed."""
        with self.state.transaction() as tx:
            tx.execute("DELETE FROM counted WHERE call = ?", (reservation,))


def _is_unchanged(tx: Transaction, calls: Calls, moment: int) -> bool:
    """Whether the same calls are counted as when the decision was made."""
    return all(
        frozenset(call for call, _, _ in _read(tx, place.counter, place.key, place.since, moment))
        == place.beside
        for place in calls.places.values()
    )


def _take(tx: Transaction, place: Place, name: str, moment: int, expires: int) -> None:
    tx.execute(_PRUNE, (place.counter, place.key, place.since - KEPT // _MICROSECOND))
    tx.execute(_TAKE, (place.counter, place.key, moment, name, place.cells, expires))


@lru_cache(maxsize=1_024)
def counter_of(history: LimitHistory, columns: tuple[Field, ...]) -> str:
    """What tells counters apart: the limit's name, what it counts, and what it is counted by.

    A limit goes on counting where it was when its maximum or its window changes, and starts anew when its keys do.
    """
    reads = [
        [read.relation, read.column, describe(column.domain), i in history.keys]
        for i, (read, column) in enumerate(zip(history.reads, columns, strict=False))
    ]
    form = json.dumps([history.relation, sorted(history.actions), reads])
    return hashlib.sha256(form.encode()).hexdigest()[:16]


def _key(cells: list[Any]) -> bytes:
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).digest()[:16]


def _without_keys(history: LimitHistory, cells: Sequence[Any]) -> str:
    """What is kept of a call: what is added up. Its keys are those of whoever asks."""
    return json.dumps([None if i in history.keys else cell for i, cell in enumerate(cells)])


def _form(value: Value | Missing, column: Field) -> Any:
    return None if isinstance(value, Missing) else typed(value, column.domain.type)


def _since(history: LimitHistory, now: dt.datetime) -> int:
    """The moment after which calls count. Without a window of constant length every call is read."""
    if history.window is None:
        return -(1 << 62)
    return microseconds(now) - history.window // _MICROSECOND
