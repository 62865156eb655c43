"""Examples of what a replay found: a decision as it was made then, and as it comes out now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from policylang.bundle.bundle import Bundle
from policylang.bundle.case import Case
from policylang.bundle.evaluators import EvaluatorName
from policylang.decide.json import decision_to_json
from policylang.trace.archive import Archive
from policylang.trace.candidate import Candidate
from policylang.trace.chain import Record
from policylang.trace.changes import Change, changes
from policylang.trace.masking import mask_decision
from policylang.trace.programs import NotReplayableError
from policylang.trace.reading import TraceView
from policylang.trace.report import Report


@dataclass(frozen=True, slots=True)
class Example:
    """One decision that a candidate makes otherwise. `then` is None where it cannot be made again as it was.

    `changes` are the parts of the two decisions that are not the same, secret values masked.
    """

    id: str
    transition: str
    recorded: Mapping[str, Any]
    then: Case | None
    now: Case
    changes: tuple[Change, ...]

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
                    now = deciding.case(record)
                    found = _changes(view, record, now)
                    yield Example(id_, transition, record.body, _then(archive, record), now, found)


def _changes(view: TraceView, record: Record, now: Case) -> tuple[Change, ...]:
    shown = view.masks().body(record)["decision"]
    form = decision_to_json(now.decision)
    masked = mask_decision(now.program, decision_to_json(now.decision))
    return changes(record.body["decision"], form, shown, masked)


def _then(archive: Archive, record: Record) -> Case | None:
    try:
        return archive.case(record)
    except NotReplayableError:
        return None
