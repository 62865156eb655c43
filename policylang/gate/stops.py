"""The kill switch: calls of an agent, of an action, or all of them are refused until somebody lifts the stop.

A stop lies in the state, where every worker sees it at its next decision: a look whether the state has changed at all takes
microseconds. Who stopped what, when and why is recorded in the chain.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from policylang.facts.border import utc_now
from policylang.facts.forms import read_datetime, write_datetime
from policylang.trace.state import Reading, State, tables

ALL: Final = "all"
"""The stop of everything."""

AGENT: Final = "agent:"
ACTION: Final = "action:"
"""What a name starts with that is to mean agents only, or actions only."""

tables(
    "stops",
    """CREATE TABLE stop (
        name TEXT PRIMARY KEY, id TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL,
        at TEXT NOT NULL) WITHOUT ROWID""",
)


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop that is on. `id` is the record of it in the chain.

    `name` is `all`, or the name of an agent or an action (qualified or bare), which may start with `agent:` or `action:`.
    """

    name: str
    who: str
    why: str
    at: dt.datetime
    id: str = ""

    @property
    def says(self) -> str:
        """The stop in a sentence, without who and why: they are for people who may know."""
        if self.name == ALL:
            return "all calls are stopped"
        for kind in (AGENT, ACTION):
            if self.name.startswith(kind):
                return (
                    f"calls of {kind.removesuffix(':')} {self.name.removeprefix(kind)} are stopped"
                )
        return f"calls of {self.name} are stopped"

    def stops(self, action: str, agent: str) -> bool:
        """Whether it is on for an action (its qualified name) of an agent."""
        if self.name == ALL:
            return True
        actions = (action, action.rpartition(".")[2])
        if self.name.startswith(AGENT):
            return self.name.removeprefix(AGENT) == agent
        if self.name.startswith(ACTION):
            return self.name.removeprefix(ACTION) in actions
        return self.name == agent or self.name in actions

    def to_json(self) -> dict[str, Any]:
        """The form of the command line."""
        return {
            "stop": self.name,
            "who": self.who,
            "why": self.why,
            "at": write_datetime(self.at),
            "record": self.id,
        }


class Stops:
    """The stops of a store. Thread-safe, and safe across processes.

    Every method raises `StateUnavailableError` where the state cannot be read or changed: nothing may run then.
    """

    def __init__(self, state: State, *, clock: Callable[[], dt.datetime] = utc_now) -> None:
        self._state = state
        self._clock = clock
        self._seen: tuple[object, tuple[Stop, ...]] = (None, ())

    def all(self) -> tuple[Stop, ...]:
        """The stops that are on, as of now, by name."""
        version = self._state.version()
        seen, stops = self._seen
        if seen != version:
            with self._state.read() as reading:
                stops = _read(reading)
            # INVARIANT: the version is older than what was read, so that a change in between is read again.
            self._seen = version, stops
        return stops

    def on(self, action: str, agent: str) -> Stop | None:
        """The stop that is on for an action of an agent, or None."""
        return next((stop for stop in self.all() if stop.stops(action, agent)), None)

    def stop(self, name: str, *, who: str, why: str = "") -> Stop:
        """Stop an agent, an action or `all`. Stopping again says anew who and why.

        Raises `ValueError` for an empty name, or where nobody is named.
        """
        if not name.removeprefix(AGENT).removeprefix(ACTION) or not who:
            raise ValueError("a stop names what is stopped, and by whom")
        now = self._clock()
        with self._state.transaction() as tx:
            id_ = tx.event("stop", {"event": "stopped", "scope": name, "by": who, "why": why})
            tx.execute(
                "INSERT OR REPLACE INTO stop (name, id, who, why, at) VALUES (?, ?, ?, ?, ?)",
                (name, id_, who, why, write_datetime(now)),
            )
        return Stop(name, who, why, now, id_)

    def lift(self, name: str, *, who: str, why: str = "") -> Stop | None:
        """Lift the stop of that very name, and return it; None where there was none."""
        with self._state.transaction() as tx:
            found = next((stop for stop in _read(tx) if stop.name == name), None)
            if found is not None:
                tx.execute("DELETE FROM stop WHERE name = ?", (name,))
                tx.event("stop", {"event": "lifted", "scope": name, "by": who, "why": why})
        return found


def _read(reading: Reading) -> tuple[Stop, ...]:
    rows = reading.execute("SELECT name, who, why, at, id FROM stop ORDER BY name")
    return tuple(Stop(row[0], row[1], row[2], read_datetime(row[3]), row[4]) for row in rows)
