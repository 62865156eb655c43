"""What is read from a store: records, and decisions as they were made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from policylang.bundle.case import Case
from policylang.trace.archive import Archive
from policylang.trace.chain import Record
from policylang.trace.reading import Filter, TraceView


class StoreReading:
    """The reading half of a store: its file and the folder of its segments, seen as one."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self._folder = folder

    @property
    def path(self) -> Path:
        """The DuckDB file, which is there once something was folded."""
        return self._path

    def view(self, *, wait: float = 10.0, personal: bool = False) -> TraceView:
        """A consistent view of all that is recorded until now, to be closed after use.

        With `personal` its views show personal values whose keys are there.
        Raises `TraceUnavailableError` where the file is held by another process for longer than `wait` seconds.
        """
        return TraceView(self._path, self._folder, wait=wait, personal=personal)

    def get(self, id_: str) -> Record | None:
        """The record of that identity, or None."""
        with self.view() as view:
            return view.get(id_)

    def records(self, chosen: Filter | None = None) -> Iterator[Record]:
        """Every record that the filter lets through, each once, in the order of their identities."""
        with self.view() as view:
            yield from view.records(chosen or Filter())

    def why(self, id_: str) -> Case | None:
        """A decision as it was made then, with the texts of that time, to be asked for proofs; None where there is none.

        `store.why(id).explanation()` is the proof of the decision. Raises `NotReplayableError` where its program
        cannot be made again.
        """
        with self.view() as view:
            record = view.get(id_)
            if record is None or record.kind != "decision":
                return None
            archive = Archive(view)
            try:
                return archive.case(record)
            finally:
                archive.close()
