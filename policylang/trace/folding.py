"""Folding: segments of writers that are done become rows of the DuckDB file.

One process folds at a time: it holds a lease, an exclusive lock on a file that the system lifts when the process dies.
A segment, its rows and its line in the ledger are one transaction, so that a kill at any moment leaves all
of it or nothing; what the ledger holds is never folded again.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

import duckdb

from policylang.trace.chain import FIRST, Record
from policylang.trace.migrations import prepare
from policylang.trace.segments import (
    FOLDED,
    OPEN,
    Damage,
    read_lines,
    seal_abandoned,
    segment_paths,
    sync_folder,
)
from policylang.trace.tables import insert_file, insert_records, is_whole, record_ledger
from policylang.trace.views import keep_views
from policylang.trace.writer import TraceUnavailableError

LEASE: Final = "lease"
"""The file in the folder of segments that whoever folds holds a lock on."""

_CHECKPOINT: Final = "256MB"
"""How long the write-ahead log of a folding may grow. DuckDB's own 16 MB are less than one segment and its rows: each
would have the last rows of the file compressed again, which took as long as all else and left a third more bytes."""

_PAUSE: Final = 0.05
_GLOB: Final = frozenset("*?[")
"""Characters that DuckDB takes for a pattern in a path."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What a folding did: segments and records that are in the file now, and what could not be read.

    Segments with damage stay where they are; readers go on reading what is readable of them.
    """

    segments: int
    records: int
    damages: tuple[Damage, ...]


def fold(path: Path, folder: Path, *, wait: float = 10.0) -> Folded:
    """Move every segment whose writer is done with it into the DuckDB file at `path`.

    Raises `TraceUnavailableError` where another process folds, or holds the file, for longer than `wait` seconds, and
    where the file cannot be written.
    """
    until = time.monotonic() + wait
    with leased(folder, until):
        for segment in segment_paths(folder):
            if segment.suffix == OPEN:
                seal_abandoned(segment)
        try:
            if not path.exists():
                _make(path)
            with opened(path, until) as database:
                database.execute(f"SET checkpoint_threshold = '{_CHECKPOINT}'")
                done = _fold_all(database, [p for p in segment_paths(folder) if p.suffix != OPEN])
            sync_folder(folder)
        except (duckdb.Error, OSError) as error:
            # Segments stay until the file has them: nothing is lost.
            raise TraceUnavailableError(f"cannot fold into {path.name}: {error}") from error
        return done


def _make(path: Path) -> None:
    """Make the file. It appears whole: a kill while DuckDB makes one leaves a file that it cannot open."""
    new = make_store(path)
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    new.rename(path)
    sync_folder(path.parent)


def make_store(path: Path) -> Path:
    """Make an empty file beside the one at `path`, to take its place. The caller holds the lease."""
    new = path.with_name(path.name + ".new")
    for left in (new, new.with_name(new.name + ".wal")):
        left.unlink(missing_ok=True)
    with duckdb.connect(str(new)) as database:
        prepare(database)
        database.execute("CHECKPOINT")
    # DuckDB makes files as the umask says; what is in the segments is their owner's alone, and stays so.
    new.chmod(0o600)
    return new


def _fold_all(database: duckdb.DuckDBPyConnection, segments: list[Path]) -> Folded:
    prepare(database)
    known = {row[0] for row in database.execute("SELECT segment FROM base.ledger").fetchall()}
    damages: list[Damage] = []
    folded: list[Path] = []
    count = 0
    for segment in segments:
        if segment.stem in known:
            _put_away(segment)
            continue
        records = _fold_file(database, segment)
        if records is None:
            read, found = read_segment(segment)
            damages.extend(found)
            if found:
                continue
            records = len(read)
            _fold_one(
                database, segment, partial(insert_records, database, "base", segment.stem, read)
            )
        folded.append(segment)
        count += records
    keep_views(database)
    # Only what a checkpoint wrote into the file itself may lose its segment: a write-ahead log can be lost.
    database.execute("CHECKPOINT")
    for segment in folded:
        segment.rename(segment.with_suffix(FOLDED))
    return Folded(len(folded), count, tuple(damages))


def _put_away(segment: Path) -> None:
    """A segment that an earlier folding has put into the file: seen there again, it can go."""
    if segment.suffix == FOLDED:
        segment.unlink()
    else:
        segment.rename(segment.with_suffix(FOLDED))


def _fold_file(database: duckdb.DuckDBPyConnection, segment: Path) -> int | None:
    """Fold a segment that is as it was written; None, and nothing done, where something about it is not."""
    content = segment.read_bytes()
    if not content.endswith(b"\n") or _GLOB.intersection(str(segment)):
        return None
    lines = content.split(b"\n")[:-1]
    del content
    size, longest = 0, 0
    for line in lines:
        text = memoryview(line)[65:]
        if line[64:65] != b"\t" or sha256(text).hexdigest().encode() != line[:64]:
            return None
        size += len(text)
        longest = max(longest, len(line))

    def insert() -> None:
        insert_file(database, "base", segment.stem, str(segment), longest)
        if not is_whole(database, "base", segment.stem, len(lines), size):
            raise _NotAsWrittenError

    try:
        _fold_one(database, segment, insert)
    except (_NotAsWrittenError, duckdb.DataError, duckdb.InvalidInputException):
        return None
    return len(lines)


class _NotAsWrittenError(Exception):
    """What DuckDB read of a segment is not what a writer writes."""


def _fold_one(
    database: duckdb.DuckDBPyConnection, segment: Path, insert: Callable[[], None]
) -> None:
    database.execute("BEGIN")
    try:
        insert()
        record_ledger(database, "base", segment.stem)
        database.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):
            database.execute("ROLLBACK")
        raise


def read_segment(segment: Path, content: bytes | None = None) -> tuple[list[Record], list[Damage]]:
    """The records of a segment that can be read, and what is wrong with it: lines, and links between them."""
    read = read_lines(segment.read_bytes() if content is None else content, segment)
    records: list[Record] = []
    damages: list[Damage] = []
    for line, found in enumerate(read, start=1):
        if isinstance(found, Damage):
            damages.append(found)
            continue
        problem = _misplaced(records[-1] if records else None, found)
        if problem and not damages:
            damages.append(Damage(segment, line, problem))
        records.append(found)
    return records, damages


def _misplaced(before: Record | None, record: Record) -> str:
    """Why a record does not follow the one before it in a segment; empty where it does."""
    if before is None:
        first = record.sequence == 1
        return (
            "it starts a chain and names a record before"
            if first and record.previous != FIRST
            else ""
        )
    if record.writer != before.writer:
        return f"it is of the chain {record.writer}"
    if record.sequence != before.sequence + 1:
        return f"it has the number {record.sequence} and follows {before.sequence}"
    return "" if record.previous == before.digest else "it does not name the hash of the one before"


@contextmanager
def leased(folder: Path, until: float) -> Iterator[None]:
    """Nobody else folds, or makes the file again, for as long as the block lasts."""
    try:
        number = os.open(folder / LEASE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise TraceUnavailableError(f"cannot fold: {error}") from error
    try:
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise TraceUnavailableError("another process is folding the traces") from None
                time.sleep(_PAUSE)
        yield
    finally:
        os.close(number)


@contextmanager
def opened(path: Path, until: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file, open for writing. No other process can open it meanwhile, not even to read."""
    while True:
        try:
            database = duckdb.connect(str(path))
            break
        except (duckdb.IOException, duckdb.ConnectionException, duckdb.BinderException) as error:
            if not is_held(error) or time.monotonic() >= until:
                raise TraceUnavailableError(f"cannot open {path.name}: {error}") from error
            time.sleep(_PAUSE)
    try:
        yield database
    finally:
        database.close()


def is_held(error: duckdb.Error) -> bool:
    """Whether the file could not be opened because somebody else has it open."""
    text = str(error).lower()
    return any(
        word in text for word in ("lock", "already attached", "different configuration", "conflict")
    )
