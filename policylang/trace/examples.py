"""Examples of what a replay found: a decision as it was made then, and as it comes out now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from policylang.bundle.bundle import Bundle
from policylang.bundle.case import Case
from policylang.bundle.evaluators import EvaluatorName
from policylang.trace.archive import Archive
from policylang.trace.candidate import Candidate
from policylang.trace.chain import Record
from policylang.trace.programs import NotReplayableError
from policylang.trace.reading import TraceView
from policylang.trace.report import Report


@dataclass(frozen=True, slots=True)
class Example:
    """One decision that a candidate makes otherwise. `then` is None where it cannot be made again as it was."""

    id: str
    transition: str
    recorded: Mapping[str, Any]
    then: Case | None
    now: Case

    @property
    def agent(self) -> str:
        """The agent it was made for, or the empty text."""
        agent: str = self.recorded.get("agent", "")
        return agent


def examples_of(
    view: TraceView, report: Report, candidate: Bundle, evaluator: EvaluatorName = "auto"
) -> Iterator[Example]:
    """The examples of a report, with what proofs of both sides are made from."""
    with closing(Archive(view, evaluator)) as archive:
        deciding = Candidate(candidate, archive)
        for transition, ids in report.examples.items():
            for id_ in ids:
                record = view.get(id_)
                if record is not None:
                    then = _then(archive, record)
                    yield Example(id_, transition, record.body, then, deciding.case(record))


def _then(archive: Archive, record: Record) -> Case | None:
    try:
        return archive.case(record)
    except NotReplayableError:
        return None
