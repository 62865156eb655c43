"""Segments: the append-only files that processes record into.

Each process writes files of its own, so that none waits for another. One record is one line:

    DIGEST <tab> CANONICAL JSON <newline>

Canonical JSON holds neither tabs nor newlines. A writer keeps an exclusive lock (`flock`) on its open segment
for as long as it lives, and the system lifts it when the process dies in whatever way: who gets the lock of a segment
that is still called open knows that nobody will write to it again. What a dying writer left behind the last whole
line was never acknowledged.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policylang.trace.chain import BrokenRecordError, Record, read_record

OPEN: Final = ".open"
SEALED: Final = ".sealed"
FOLDED: Final = ".folded"
"""A segment whose records are in the DuckDB file; kept until the next folding has seen them there."""
_DIGEST: Final = 64


@dataclass(frozen=True, slots=True)
class Damage:
    """A place in a segment that cannot be read as a record. `line` counts from 1."""

    segment: Path
    line: int
    problem: str


def frame(record: Record) -> bytes:
    """The line of a record."""
    return b"%s\t%s\n" % (record.digest.encode(), record.text.encode())


def read_lines(content: bytes, segment: Path) -> Iterator[Record | Damage]:
    """The records in the content of a segment, and what is damaged.

    A last line without its end is a write that was cut off, was not acknowledged, and is passed over.
    """
    lines = content.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            yield _read_line(line)
        except BrokenRecordError as broken:
            yield Damage(segment, number, str(broken))


def _read_line(line: bytes) -> Record:
    if line[_DIGEST : _DIGEST + 1] != b"\t":
        raise BrokenRecordError("it does not start with a hash")
    try:
        return read_record(line[_DIGEST + 1 :].decode(), line[:_DIGEST].decode("ascii"))
    except UnicodeDecodeError as error:
        raise BrokenRecordError("it is not UTF-8") from error


def segment_paths(folder: Path) -> list[Path]:
    """The segments in a folder, whatever became of them, in the order of their names."""
    return sorted(
        (path for path in folder.iterdir() if path.suffix in (OPEN, SEALED, FOLDED)),
        key=lambda path: path.stem,
    )


def seal_abandoned(path: Path) -> Path | None:
    """Seal the open segment of a writer that is gone; None where its writer lives or it is sealed already."""
    try:
        number = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had the lock may have sealed the file between the opening and the lock.
        if not _is_at(number, path):
            return None
        return seal(path, number)
    except BlockingIOError:
        return None
    finally:
        os.close(number)


def seal(path: Path, number: int) -> Path:
    """Make sure that a segment is on disk, and rename it to sealed. The caller holds its lock."""
    os.fsync(number)
    sealed = path.with_suffix(SEALED)
    path.rename(sealed)
    sync_folder(path.parent)
    return sealed


def sync_content(number: int) -> None:
    """Make the content of an open file durable, and what is needed to find it again. Raises `OSError`."""
    if sys.platform == "darwin":
        # There is no `fdatasync` on macOS, and its `fsync` leaves the content in the cache of the drive.
        fcntl.fcntl(number, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(number)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _is_at(number: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(number), path.stat())
    except FileNotFoundError:
        return False
