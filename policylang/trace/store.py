"""`TraceStore`: where decisions are recorded and found again.

A store is a DuckDB file and, beside it, a folder of segments: `traces.duckdb` and `traces.duckdb.segments`. Every
process records into segments of its own; `fold` moves them into the file. A reader sees both as one.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias

from policylang.bundle.case import Case
from policylang.trace.chain import Record
from policylang.trace.decisions import Circumstances, decision_body
from policylang.trace.identity import Identities
from policylang.trace.keys import KEYS, KeyFile
from policylang.trace.outcomes import Status, outcome_body
from policylang.trace.programs import program_body, reference_body
from policylang.trace.sealer import Sealer
from policylang.trace.state import MARK, STATE, State
from policylang.trace.store_keeping import StoreKeeping
from policylang.trace.writer import Durability, SegmentWriter, TraceUnavailableError

SEGMENTS: Final = ".segments"
"""What the name of a store's folder ends in, after the name of its file."""

MOST_GAP_IDS: Final = 1_000
"""Identities that the record of a gap lists; the others are counted."""

OnFailure: TypeAlias = Literal["closed", "open"]
"""Whether a decision that cannot be recorded is refused (`closed`), or goes on with a record of the gap (`open`)."""

_log = logging.getLogger("policylang.trace")


class TraceStore(StoreKeeping):
    """A store that is open for recording and reading. Thread-safe, and safe to use after a fork.

    Made by `open`; `close` (or leaving a `with` block) seals what was recorded.

    >>> import tempfile
    >>> from policylang import loads
    >>> bundle = loads("module shop action ship rule all: allow ship")
    >>> with tempfile.TemporaryDirectory() as folder, TraceStore.open(f"{folder}/traces.duckdb") as store:
    ...     id_ = store.record(bundle.case({"action": "ship"}), agent="bot-7")
    ...     store.why(id_).decision.determining
    ('shop.all',)
    """

    def __init__(self, path: Path, writer: SegmentWriter, on_failure: OnFailure) -> None:
        super().__init__(path, segments_of(path), writer, KeyFile(Path(fspath(path) + KEYS)))
        self._on_failure = on_failure
        self._known: set[tuple[str, str]] = set()
        self._sealer = Sealer(self._keys, self.get)
        self._identities = Identities()
        self._lost: list[str] = []
        mark = segments_of(path) / MARK
        self._state = State(Path(fspath(path) + STATE), mark, publish=self._publish)

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        *,
        durability: Durability | Literal["durable", "buffered"] = Durability.DURABLE,
        on_failure: OnFailure = "closed",
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Open the store at `path`, and make it where there is none.

        `durable` acknowledges a record once it is on disk; `buffered` once the system has it, so that a crash of
        the system may lose the last quarter of a second. Raises `OSError` where the folder cannot be made.
        """
        chosen = Path(path)
        folder = segments_of(chosen)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        writer = SegmentWriter(folder, Durability(durability), clock=clock)
        store = cls(chosen, writer, on_failure)
        try:
            store.publish_events()
            store.record_erasures()
        except TraceUnavailableError as error:
            # Recording and reading do without a state; what needs it will say so.
            _log.error("events of the state are not in the chain yet: %s", error)
        return store

    @property
    def state(self) -> State:
        """What processes agree on at once: approvals, limits, stops, stages."""
        return self._state

    def publish_events(self) -> int:
        """Write the events of the state that wait into the chain, and return how many were written.

        Each is written at least once, under one identity; views show it once. Raises `TraceUnavailableError`.
        """
        return self._state.publish()

    def record(
        self,
        case: Case,
        *,
        agent: str | None = None,
        stage: str = "active",
        bucket: int | None = None,
        duration: dt.timedelta | None = None,
        rollouts: Sequence[Mapping[str, Any]] = (),
    ) -> str:
        """Record a decision with everything it was decided on, and return its identity.

        `rollouts` says where the request fell in the rollouts that concern it. What it needs to be decided again (the program, reference data) is recorded before it. Raises
        `TraceUnavailableError` where it cannot be recorded and the store fails closed: the action must not run.
        """
        around = Circumstances(agent, stage, bucket, duration, rollouts)
        return self._acknowledged(lambda: self._decision(case, around))

    def outcome(
        self,
        decision: str,
        status: Status | Literal["executed", "failed", "skipped", "compensated"],
        *,
        action: str | None = None,
        arguments: Mapping[str, object] | None = None,
        detail: str = "",
    ) -> str:
        """Record what became of the action that a decision was about, and return the record's identity.

        `action` and `arguments` are what was really called; the audit `executed_otherwise` compares them with what
        was decided. Raises as `record` does.
        """
        body = outcome_body(decision, Status(status), action, arguments, detail)
        return self.write("outcome", body, about=decision, hide=("arguments", "detail"))

    def write(
        self, kind: str, body: dict[str, Any], *, about: str = "", hide: Sequence[str] = ()
    ) -> str:
        """Record something else about decisions, such as an outcome; see `record` for what may be raised.

        The members `hide` of the body are sealed as the decision `about` is: they may hold personal values.
        """
        return self._acknowledged(
            lambda: self._writer.write(kind, self._sealer.naming(about, body, hide))
        )

    def sealed(self, body: dict[str, Any], *, about: str, hide: Sequence[str]) -> dict[str, Any]:
        """A body for an event of the state, with the members `hide` sealed as the decision `about` is.

        Raises `TraceUnavailableError` where the keys cannot be read.
        """
        return self._sealer.naming(about, body, hide)

    def write_all(
        self, kind: str, bodies: Sequence[dict[str, Any]], *, hide: Sequence[str] = ()
    ) -> None:
        """Record several things about decisions with one sync. Raises `TraceUnavailableError` where they cannot be.

        The members `hide` of each body are sealed as the decision is that its member `decision` names.
        """
        self._writer.write_all(
            kind, [self._sealer.naming(body["decision"], body, hide) for body in bodies]
        )

    def keep(self, case: Case) -> None:
        """Record what a case needs to be decided again, and not the case: its program and reference data.

        For candidates, whose answers are no decisions. Raises `TraceUnavailableError` where they cannot be.
        """
        self._needed(case)

    def close(self) -> None:
        """Seal what was recorded; recording after that raises. Idempotent."""
        self._writer.close()
        self._state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.close()
        return False

    # --- recording ---

    def _publish(self, kind: str, body: dict[str, Any], id_: str) -> None:
        self._writer.write(kind, body, id_)

    def _decision(self, case: Case, around: Circumstances) -> Record:
        self._needed(case)
        body, about = self._sealer.decision(case, decision_body(case, around))
        record = self._writer.write("decision", body)
        self._sealer.remember(record.id, about)
        return record

    def _needed(self, case: Case) -> None:
        self._once(case.program.digest, "program", lambda: program_body(case.program))
        if case.facts is not None:
            for relation, digest in case.facts.reference.items():
                self._reference(case, relation, digest)

    def _reference(self, case: Case, relation: str, digest: str) -> None:
        rows = case.reference.get(relation, ())
        self._once(
            f"{relation}={digest}",
            "reference",
            lambda: self._sealer.reference(
                case.program, rows, reference_body(relation, digest, rows, case.program.schema)
            ),
        )

    def _once(self, digest: str, kind: str, body: Callable[[], dict[str, Any]]) -> None:
        """Record what a digest stands for, unless this chain has it: each chain can be read alone."""
        key = (self._writer.chain, digest)
        if key not in self._known:
            record = self._writer.write(kind, body())
            # INVARIANT: known only once it is safe. A second thread that writes it too does no harm.
            self._known.add((record.writer, digest))

    def _acknowledged(self, write: Callable[[], Record]) -> str:
        try:
            if self._lost:
                self._record_gap()
            return write().id
        except TraceUnavailableError as error:
            if self._on_failure == "closed":
                raise
            id_ = self._identities.new()
            self._lost.append(id_)
            _log.error("a record could not be written, and goes on without: %s", error)
            return id_

    def _record_gap(self) -> None:
        """Say in the chain what is not in it. Where this fails too, the gap goes on."""
        lost = tuple(self._lost)
        self._writer.write("gap", {"count": len(lost), "lost": list(lost[:MOST_GAP_IDS])})
        del self._lost[: len(lost)]


def segments_of(path: Path) -> Path:
    """The folder of segments of the store whose file is at `path`."""
    return Path(fspath(path) + SEGMENTS)
