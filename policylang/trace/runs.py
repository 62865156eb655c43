"""A replay of what a filter chooses: over several processes, counted as it goes, and resumable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Final

from policylang.bundle.bundle import Bundle
from policylang.bundle.evaluators import EvaluatorName
from policylang.evaluate.firings import Limits
from policylang.trace.archive import Archive
from policylang.trace.candidate import Candidate
from policylang.trace.chain import Record
from policylang.trace.journal import Journal
from policylang.trace.reading import Filter, TraceView
from policylang.trace.replay import AsRecorded, Replayed, replay
from policylang.trace.replay_workers import Recipe, Workers
from policylang.trace.report import Report

KEPT: Final = 256
"""Decisions after which a journal is written: so many are done again at most after a kill."""


def compare(
    view: TraceView,
    records: Iterable[Record],
    candidate: Bundle | None = None,
    *,
    evaluator: EvaluatorName = "auto",
    jobs: int = 1,
    limits: Limits | None = None,
) -> Iterator[Replayed]:
    """Each recorded decision made again, in the order of the records, by its own program or by a candidate.

    With `jobs` above 1 that many processes decide. What is read ahead is bounded.
    """
    chosen = limits or Limits()
    if jobs > 1:
        with Workers(Recipe(candidate, evaluator, chosen), view, jobs) as workers:
            yield from workers.replay(records)
        return
    with closing(Archive(view, evaluator)) as archive:
        maker = AsRecorded(archive) if candidate is None else Candidate(candidate, archive)
        yield from replay(records, maker, chosen)


class ReplayRun:
    """A replay of the decisions that a filter chooses. Iterate over it once; `report` counts as it goes.

    With a journal, what an earlier run has done is not done again: `report` starts with it, `earlier` gives
    the findings of that part.
    """

    def __init__(
        self,
        view: TraceView,
        chosen: Filter,
        candidate: Bundle | None = None,
        *,
        evaluator: EvaluatorName = "auto",
        jobs: int = 1,
        journal: Journal | None = None,
    ) -> None:
        self._view = view
        self._chosen = chosen if journal is None else journal.left
        self._candidate = candidate
        self._evaluator: EvaluatorName = evaluator
        self._jobs = jobs
        self._journal = journal
        self.report = Report()
        if journal is not None:
            self.report.merge(journal.report)

    @property
    def left(self) -> int:
        """How many decisions are still to be made again."""
        return self._view.count(self._chosen)

    def earlier(self) -> Iterator[Replayed]:
        """What an earlier part of the run found, made again: decisions that came out otherwise, or could not be made."""
        found = () if self._journal is None else self._journal.found
        records = (record for id_ in found if (record := self._view.get(id_)) is not None)
        yield from compare(self._view, records, self._candidate, evaluator=self._evaluator)

    def __iter__(self) -> Iterator[Replayed]:
        batch: list[Replayed] = []
        for one in compare(
            self._view,
            self._view.records(self._chosen),
            self._candidate,
            evaluator=self._evaluator,
            jobs=self._jobs,
        ):
            self.report.add(one)
            yield one
            batch.append(one)
            if len(batch) >= KEPT:
                self._keep(batch)
                batch = []
        if batch:
            self._keep(batch)

    def _keep(self, batch: list[Replayed]) -> None:
        if self._journal is not None:
            self._journal.add(batch)
