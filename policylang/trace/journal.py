"""The journal of a replay: what is done, so that a run that was killed goes on where it was.

One line says what is asked, then one line follows for each batch of decisions that are done. A line that was cut off in the
middle stands for nothing: its batch is done again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, Literal, Self

from policylang.errors import PolicyError
from policylang.trace.reading import Filter
from policylang.trace.replay import Replayed, Verdict
from policylang.trace.report import Report

JOURNAL_FORM: Final = 1
"""The version of the form of a journal."""

_TELLING: Final = (Verdict.DIFFERENT, Verdict.NOT_REPLAYABLE)


class JournalMismatchError(PolicyError):
    """A journal of another question, in use by another process, or no journal at all; the text says which."""


class Journal:
    """A file that keeps how far a replay came. Made by `open`; one process at a time has it.

    `chosen` is the filter as it was when the run began: times that were asked for as "30 days ago" stay what they were.
    `report` is what an earlier run has counted, `found` are the decisions that came out otherwise or could not be made again.
    No journal holds anything of what decisions say.
    """

    def __init__(self, number: int, chosen: Filter) -> None:
        self._file = number
        self.chosen = chosen
        self.report = Report()
        self.found: list[str] = []
        self._after: str | None = None

    @classmethod
    def open(cls, path: Path, asked: Mapping[str, Any], chosen: Filter) -> Self:
        """The journal at `path` for a question, made where there is none.

        `asked` tells questions apart: a journal of another one raises `JournalMismatchError`.
        """
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise JournalMismatchError(f"{path} is in use by another process") from None
            return cls._opened(path, number, asked, chosen)
        except BaseException:
            os.close(number)
            raise

    @classmethod
    def _opened(cls, path: Path, number: int, asked: Mapping[str, Any], chosen: Filter) -> Self:
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        if not lines:
            os.ftruncate(number, 0)
            journal = cls(number, chosen)
            journal._append({"form": JOURNAL_FORM, "asked": asked, "chosen": asdict(chosen)})
            return journal
        head = _head(path, lines[0])
        if head["asked"] != json.loads(json.dumps(asked)):
            raise JournalMismatchError(f"{path} is the journal of another replay")
        journal = cls(number, _filter(head["chosen"]))
        for line in lines[1:]:
            journal._take(json.loads(line))
        os.ftruncate(number, len(whole) + 1)
        os.lseek(number, 0, os.SEEK_END)
        return journal

    @property
    def left(self) -> Filter:
        """The records that are not done yet."""
        return replace(self.chosen, after=self._after or self.chosen.after)

    def add(self, batch: list[Replayed]) -> None:
        """Keep what came of the next decisions."""
        report = Report()
        for one in batch:
            report.add(one)
        found = [one.id for one in batch if one.verdict in _TELLING]
        self._append({"through": batch[-1].id, "report": report.to_json(), "found": found})
        self._after = batch[-1].id

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.close()
        return False

    def _take(self, line: Mapping[str, Any]) -> None:
        self.report.merge(Report.from_json(line["report"]))
        self.found.extend(line["found"])
        self._after = line["through"]

    def _append(self, line: Mapping[str, Any]) -> None:
        left = memoryview(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        while left:
            left = left[os.write(self._file, left) :]


def _head(path: Path, line: bytes) -> dict[str, Any]:
    try:
        head = json.loads(line)
        if head["form"] == JOURNAL_FORM and {"asked", "chosen"} <= head.keys():
            found: dict[str, Any] = head
            return found
    except (ValueError, KeyError, TypeError):
        pass
    raise JournalMismatchError(f"{path} is no journal of a replay")


def _filter(form: Mapping[str, Any]) -> Filter:
    fact = form.get("fact")
    return Filter(**{**form, "fact": None if fact is None else tuple(fact)})
