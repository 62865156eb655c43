"""What is done to a store as a whole: folding, checkpoints, erasure, retention, export."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from policylang.trace.checkpoint import Checkpoint, Head, heads_body, heads_of, write_checkpoint
from policylang.trace.erasing import Erased, NothingToEraseError, erasure_body, loose_handles
from policylang.trace.exporting import Exported, export
from policylang.trace.folding import Folded, fold
from policylang.trace.keys import Destroyed, KeyFile
from policylang.trace.retention import Retained, drop, plan, retention_body
from policylang.trace.store_reading import StoreReading
from policylang.trace.writer import SegmentWriter


class StoreKeeping(StoreReading):
    """The keeping half of a store. What it does to the store is a record in it."""

    def __init__(self, path: Path, folder: Path, writer: SegmentWriter, keys: KeyFile) -> None:
        super().__init__(path, folder)
        self._writer = writer
        self._keys = keys

    def erase(self, subject: str = "", *, record: str = "", reason: str = "") -> Erased:
        """Destroy the keys that the personal values of a subject (`customer=c-17`) are sealed with, and record that.

        With `record`, those of one record that belong to no subject. What is sealed with them can be read by nobody
        from then on, in whatever copy. Raises `NothingToEraseError`, and `TraceUnavailableError` where the keys or the
        record cannot be written; where only the record failed, the next erasure or opening writes it.
        """
        self.record_erasures()
        if record:
            found = self.get(record)
            body = None if found is None else json.loads(found.text)["body"]
            gone = self._keys.destroy_loose(loose_handles(record, body))
        else:
            gone = self._keys.destroy(subject)
        if not gone:
            raise NothingToEraseError(
                f"no key belongs to {record or subject} alone"
                if record
                else f"nothing is sealed for {subject}"
            )
        id_ = self._writer.write("erasure", erasure_body(gone, reason)).id
        self._keys.told(key.handle for key in gone)
        return Erased(id_, len(gone))

    def record_erasures(self) -> None:
        """Record what was erased before, and could not be recorded then. Raises `TraceUnavailableError`."""
        if untold := self._keys.untold():
            gone = tuple(Destroyed(handle) for handle in untold)
            self._writer.write("erasure", erasure_body(gone, "recorded later"))
            self._keys.told(untold)

    def fold(self, *, wait: float = 10.0) -> Folded:
        """Move what this process recorded, and the segments of others that are done, into the DuckDB file.

        One process at a time does. Raises `TraceUnavailableError` where the file is held for longer than `wait` seconds.
        """
        self._writer.rotate()
        return fold(self._path, self._folder, wait=wait)

    def checkpoint(self, to: Path, key: bytes | None = None) -> Checkpoint:
        """Record how far every chain has reached, and write it to a file to be kept elsewhere, signed with a key.

        Raises `TraceUnavailableError` where it cannot be recorded.
        """
        with self.view() as view:
            heads = heads_of(view)
        record = self._writer.write("checkpoint", heads_body(heads))
        own = Head(record.writer, record.sequence, record.digest)
        others = tuple(head for head in heads if head.writer != own.writer)
        checkpoint = Checkpoint(record.at, (*others, own))
        write_checkpoint(to, checkpoint, key)
        return checkpoint

    def retain(
        self, older_than: dt.timedelta, *, now: dt.datetime | None = None, wait: float = 10.0
    ) -> Retained:
        """Drop what was recorded longer ago than that, in whole segments, and record how far each chain was dropped.

        What kept decisions need to be decided again is recorded anew before. Raises `TraceUnavailableError`.
        """
        before = _before(now or dt.datetime.now(dt.UTC), older_than)
        self.fold(wait=wait)
        with self.view(wait=wait) as view:
            made = plan(view, before)
        if not made.segments:
            return Retained(0, 0)
        for kind, body in made.needed:
            self._writer.write(kind, body)
        record = self._writer.write("retention", retention_body(made, before + "Z"))
        drop(self._path, self._folder, made.segments, wait=wait)
        return Retained(made.records, len(made.segments), record.id)

    def export(self, to: Path) -> Exported:
        """Write everything that is recorded to a folder of Parquet files, one folder a day, which is read as a store is.

        Personal values stay sealed. Raises `FileExistsError` where the folder is there, `OSError` where it cannot be written.
        """
        with self.view() as view:
            return export(view, to)


def _before(now: dt.datetime, older_than: dt.timedelta) -> str:
    """The time in UTC before which something is older; the first of all times where it would lie before that."""
    try:
        moment = now.astimezone(dt.UTC).replace(tzinfo=None) - older_than
    except OverflowError:
        return "0001-01-01T00:00:00.000000"
    return moment.isoformat(timespec="microseconds")
