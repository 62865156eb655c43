"""The writer of one process: appends records to its segment, and says when they are safe.

Group commit without a thread of its own: a caller adds its record and, where nobody is writing, writes and syncs
everything that has been added meanwhile; the others wait for that. One caller alone waits for one sync and no timer.
"""

from __future__ import annotations

import enum
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self

from policylang.errors import PolicyError
from policylang.trace.chain import FIRST, Record, chained
from policylang.trace.identity import Identities
from policylang.trace.segments import OPEN, frame, seal, sync_content, sync_folder

SEGMENT_BYTES: Final = 16 << 20
"""The size at which a segment is sealed and the next one begun."""

SEGMENT_SECONDS: Final = 3600.0
"""The age at which the next record begins another segment, so that what a slow writer records can be folded and dropped."""

_AT_A_TIME: Final = 16
_NAP_SECONDS: Final = 0.000_05

LOSS_WINDOW: Final = 0.25
"""Seconds after which a buffered record is synced, at the latest."""


class Durability(enum.Enum):
    """When a record counts as written."""

    DURABLE = "durable"
    """Once it is on disk: it survives the process, the system and the power."""
    BUFFERED = "buffered"
    """Once the system has it: it survives the process at once, a crash of the system after `LOSS_WINDOW`."""


class TraceUnavailableError(PolicyError):
    """A record could not be written; nothing of it is left. The action it is about must not run.

    >>> import tempfile
    >>> from policylang import TraceStore, loads
    >>> bundle = loads("module shop action ship rule all: allow ship")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = TraceStore.open(f"{folder}/traces.duckdb")
    ...     store.close()
    ...     try:
    ...         store.record(bundle.case({"action": "ship"}))
    ...     except TraceUnavailableError as unavailable:
    ...         print(unavailable)
    the trace is closed
    """


def _portions(bodies: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Bodies some at a time; other threads go on in between."""
    for start in range(0, len(bodies), _AT_A_TIME):
        if start:
            time.sleep(_NAP_SECONDS)
        yield bodies[start : start + _AT_A_TIME]


@dataclass(slots=True)
class _Batch:
    """Records that are written together. `done` is set once they are safe or `error` says why they are not."""

    lines: list[bytes] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    error: TraceUnavailableError | None = None


@dataclass(slots=True)
class _Segment:
    """The open segment: its file, its path, and how many bytes of it are safe to keep."""

    number: int
    path: Path
    size: int = 0
    begun: float = field(default_factory=time.monotonic)


class SegmentWriter:
    """Appends records to the segments of one process in `folder`. Thread-safe.

    A child made by fork must not write to the segment of its parent: the first record of a child begins a
    writer, and so a chain, of its own.
    """

    def __init__(
        self,
        folder: Path,
        durability: Durability = Durability.DURABLE,
        *,
        identities: Identities | None = None,
        clock: Callable[[], float] = time.time,
        most_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._folder = folder
        self._durability = durability
        self._identities = identities or Identities(clock)
        self._most_bytes = most_bytes
        self._begin()

    def _begin(self) -> None:
        """Start the chain of this process."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._batch = _Batch()
        self._name = self._identities.new()
        self._sequence = 0
        self._digest = FIRST
        self._segment: _Segment | None = None
        self._segments = 0
        self._closed = False
        self._unsynced = False
        self._syncer: threading.Thread | None = None

    @property
    def chain(self) -> str:
        """The name of the chain that the next record stands in. A child made by fork has one of its own."""
        if self._process != os.getpid():
            self._begin()
        return self._name

    @property
    def head(self) -> tuple[int, str]:
        """The sequence and the hash of the last record that was given out."""
        with self._lock:
            return self._sequence, self._digest

    def write(self, kind: str, body: Mapping[str, Any], id_: str | None = None) -> Record:
        """Record `body`, and return when it is safe by the durability of the writer.

        Raises `TraceUnavailableError` where it cannot be: the caller has to refuse what the record is about.
        """
        if self._process != os.getpid():
            self._begin()
        with self._lock:
            if self._closed:
                raise TraceUnavailableError("the trace is closed")
            record = self._next(kind, body, id_)
            batch = self._batch
            batch.lines.append(frame(record))
        self._commit(batch)
        if batch.error is not None:
            raise TraceUnavailableError(str(batch.error)) from batch.error
        return record

    def write_all(self, kind: str, bodies: Sequence[Mapping[str, Any]]) -> None:
        """Record several bodies, with one sync where nobody else records meanwhile; see `write`. Where it raises, not all
        of them are safe."""
        if self._process != os.getpid():
            self._begin()
        batches: list[_Batch] = []
        for some in _portions(bodies):
            # Who records a decision meanwhile does not wait for all of them.
            with self._lock:
                if self._closed:
                    raise TraceUnavailableError("the trace is closed")
                batch = self._batch
                batch.lines.extend([frame(self._next(kind, body, None)) for body in some])
            if not batches or batches[-1] is not batch:
                batches.append(batch)
        for batch in batches:
            self._commit(batch)
            if batch.error is not None:
                raise TraceUnavailableError(str(batch.error)) from batch.error

    def rotate(self) -> None:
        """Seal the segment, so that it can be folded; the next record begins another in the same chain."""
        if self._process == os.getpid():
            with self._writing:
                self._seal()

    def close(self) -> None:
        """Seal the segment. Idempotent; what was recorded stays."""
        if self._process != os.getpid():
            return
        with self._writing, self._lock:
            self._closed = True
            self._seal()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.close()
        return False

    # --- the chain ---

    def _next(self, kind: str, body: Mapping[str, Any], id_: str | None) -> Record:
        made = self._identities.new()
        record = chained(
            kind,
            id_ or made,
            self._identities.timestamp(),
            self._name,
            self._sequence + 1,
            self._digest,
            body,
        )
        self._sequence, self._digest = record.sequence, record.digest
        return record

    # --- writing ---

    def _commit(self, batch: _Batch) -> None:
        """Write the batch, or wait for the one who does."""
        with self._writing:
            if batch.done.is_set():
                return
            with self._lock:
                self._batch = _Batch()
            try:
                self._append(b"".join(batch.lines))
            except BaseException as error:
                # INVARIANT: whatever came in between, an interrupt too, none of these records counts as safe:
                # others wait for them.
                what = (
                    error
                    if isinstance(error, OSError)
                    else f"interrupted by {type(error).__name__}"
                )
                batch.error = TraceUnavailableError(f"cannot record: {what}")
                self._abandon()
                if not isinstance(error, OSError):
                    raise
            finally:
                batch.done.set()

    def _append(self, content: bytes) -> None:
        segment = self._segment
        if segment is None or self._is_full(segment):
            self._seal()
            segment = self._segment = self._opened()
        view = memoryview(content)
        while view:
            view = view[os.write(segment.number, view) :]
        if self._durability is Durability.DURABLE:
            sync_content(segment.number)
        else:
            self._unsynced = True
            self._sync_later()
        segment.size += len(content)

    def _is_full(self, segment: _Segment) -> bool:
        is_old = time.monotonic() - segment.begun >= SEGMENT_SECONDS
        return segment.size >= self._most_bytes or is_old

    def _opened(self) -> _Segment:
        self._segments += 1
        path = self._folder / f"{self._name}-{self._segments:06d}{OPEN}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        number = os.open(path, flags, 0o600)
        fcntl.flock(number, fcntl.LOCK_EX)
        sync_folder(self._folder)
        return _Segment(number, path)

    def _seal(self) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        try:
            seal(segment.path, segment.number)
        finally:
            os.close(segment.number)

    def _abandon(self) -> None:
        """After a failed write: cut off what was not acknowledged, and begin a chain anew.

        Records that others added meanwhile follow ones that are not there, so they fail too: their batch
        is told, and the next record starts a chain of its own.
        """
        segment, self._segment = self._segment, None
        if segment is not None:
            try:
                os.ftruncate(segment.number, segment.size)
                seal(segment.path, segment.number)
            except OSError:
                # The reader passes over a torn line; a whole one that was not acknowledged may stay.
                pass
            finally:
                os.close(segment.number)
        with self._lock:
            waiting, self._batch = self._batch, _Batch()
            waiting.error = TraceUnavailableError("cannot record: a record before could not be")
            waiting.done.set()
            self._name = self._identities.new()
            self._sequence, self._digest, self._segments = 0, FIRST, 0

    # --- buffered records ---

    def _sync_later(self) -> None:
        if self._syncer is None or not self._syncer.is_alive():
            self._syncer = threading.Thread(
                target=self._sync_until_idle, name="policylang-trace-sync", daemon=True
            )
            self._syncer.start()

    def _sync_until_idle(self) -> None:
        while True:
            time.sleep(LOSS_WINDOW)
            with self._writing:
                if not self._unsynced or self._segment is None:
                    self._syncer = None
                    return
                self._unsynced = False
                try:
                    sync_content(self._segment.number)
                except OSError:
                    # What was lost cannot be told from what was not: the next record begins anew.
                    self._abandon()
