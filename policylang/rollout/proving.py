"""Proofs of the examples of a report, as live made the decision and as the candidate would."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from policylang.bundle.bundle import Bundle
from policylang.bundle.case import Case
from policylang.trace.archive import Archive
from policylang.trace.candidate import Candidate
from policylang.trace.chain import Record
from policylang.trace.programs import NotReplayableError
from policylang.trace.reading import TraceView


@dataclass(frozen=True, slots=True)
class Proven:
    """One recorded request as both sides decide it; None where one cannot decide it again."""

    action: str
    agent: str
    live: Case | None
    candidate: Case | None


def proven(
    view: TraceView, ids: Iterable[str], candidate: Bundle, live: Bundle | None = None
) -> dict[str, Proven]:
    """Both sides of recorded decisions. `live` decides in the place of what decided then, where it is given.

    What is not in the store is left out.
    """
    found: dict[str, Proven] = {}
    with closing(Archive(view)) as archive:
        one = archive if live is None else Candidate(live, archive)
        other = Candidate(candidate, archive)
        for id_ in ids:
            record = view.get(id_)
            if record is not None and record.kind == "decision":
                body = record.body
                found[id_] = Proven(
                    body["decision"].get("action", ""),
                    body.get("agent", ""),
                    _case(one, record),
                    _case(other, record),
                )
    return found


def _case(side: Archive | Candidate, record: Record) -> Case | None:
    try:
        return side.case(record)
    except NotReplayableError:
        return None
