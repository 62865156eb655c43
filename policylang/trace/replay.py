"""Replay: decisions made again from what the store holds, and by candidates from the same facts.

Nothing but the store is read: programs are checked again from their stored texts, reference data is
their stored rows, and facts are the stored ones. What comes out is compared byte by byte in canonical form.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

from policylang.decide.decide import refuse
from policylang.decide.decision import Decision
from policylang.decide.json import decision_to_json
from policylang.decide.reading import UnreadableFormError
from policylang.evaluate.firings import FailureKind, Limits
from policylang.facts.factset import FactSet
from policylang.facts.rejection import Rejection
from policylang.trace.archive import Archive, Deciding
from policylang.trace.chain import Record
from policylang.trace.programs import NotReplayableError

BATCH: Final = 256
"""Decisions that are evaluated together."""

_BY_MACHINE: Final = frozenset(
    {FailureKind.TIME_LIMIT.value, FailureKind.MEMORY_LIMIT.value, FailureKind.EVALUATOR.value}
)
"""Failures that depend on the machine and its load: deciding again says nothing about them."""


class Verdict(enum.Enum):
    """What came of deciding again."""

    SAME = "same"
    """Decision and firings are the same, byte by byte (by a candidate: outcome, rules, values and obligations)."""
    DIFFERENT = "different"
    """They are not."""
    REFUSED = "refused"
    """The request reached no rule then, and reaches none now: there is nothing to evaluate."""
    NOT_REPLAYABLE = "not replayable"
    """It cannot be decided again; `problem` says why."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision that was made again: what was recorded, and what came now.

    Both are in their JSON forms: `decision` as in a decision, and `firings`. `now` is None where nothing was decided.
    """

    id: str
    verdict: Verdict
    action: str
    agent: str
    recorded: Mapping[str, Any]
    now: Mapping[str, Any] | None = None
    problem: str = ""

    @property
    def transition(self) -> str:
        """The outcome then and now: `allow -> deny`."""
        now = "nothing" if self.now is None else self.now["decision"]["outcome"]
        return f"{self.recorded['decision']['outcome']} -> {now}"


class Maker(Protocol):
    """Finds what decides a recorded decision again, and says how that is compared."""

    def again(
        self, record: Record, body: Mapping[str, Any]
    ) -> tuple[Deciding, FactSet | Rejection] | None:
        """What decides it, and on which facts; None where there is nothing to decide.

        Raises `NotReplayableError` where it cannot be decided.
        """
        ...

    def is_same(self, body: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        """Whether what came now is what was recorded."""
        ...


class AsRecorded:
    """Decides by the program of that time, and compares the decision and its firings byte by byte."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def again(
        self,
        record: Record,  # noqa: ARG002
        body: Mapping[str, Any],
    ) -> tuple[Deciding, FactSet] | None:
        """What decided it then, and the facts as they were recorded; a request that was refused reached neither."""
        if "facts" not in body:
            return None
        made = self._archive.deciding(body)
        return made, made.reader.read(body["facts"])

    def is_same(self, body: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        """Byte by byte, in canonical form."""
        then = {"decision": body["decision"], "firings": body.get("firings", [])}
        return _ENCODED(then) == _ENCODED(now)


# As `canonical` writes, but for the look for floats: one in a record is a difference, and what is decided now has none.
_ENCODED: Final = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode


def replay(
    records: Iterable[Record], maker: Maker, limits: Limits | None = None
) -> Iterator[Replayed]:
    """Each decision made again, in the order of the records. Reads ahead by at most `BATCH`."""
    waiting = iter(records)
    while batch := list(islice(waiting, BATCH)):
        yield from _batch(batch, maker, limits or Limits())


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A recorded decision with what is to be decided: facts, or what refuses them, or why nothing can be."""

    id: str
    body: dict[str, Any]
    made: Deciding | None = None
    facts: FactSet | Rejection | None = None
    problem: str = ""


def _batch(batch: Sequence[Record], maker: Maker, limits: Limits) -> Iterator[Replayed]:
    """What is decided by one program is evaluated together, wherever it stands in the batch."""
    prepared = [_prepared(record, maker) for record in batch]
    groups: dict[int, list[_Ready]] = {}
    for i, item in enumerate(prepared):
        if item.made is not None and isinstance(item.facts, FactSet):
            groups.setdefault(id(item.made), []).append((i, item.made, item.facts))
    decided: dict[int, tuple[Deciding, Decision]] = {}
    for group in groups.values():
        made = group[0][1]
        evaluations = made.evaluator.evaluate_many([facts for _, _, facts in group], limits)
        for (i, _, facts), evaluation in zip(group, evaluations, strict=True):
            decided[i] = made, made.authorizer.decide(facts, evaluation)
    for i, item in enumerate(prepared):
        yield _compared(item, maker, *decided[i]) if i in decided else _undecided(item, maker)


_Ready = tuple[int, Deciding, FactSet]


def _prepared(record: Record, maker: Maker) -> _Prepared:
    body = record.body
    try:
        code = body["decision"].get("error", {}).get("code")
        if code in _BY_MACHINE:
            raise NotReplayableError(f"it failed with {code}, which depends on the machine")
        made, facts = maker.again(record, body) or (None, None)
        return _Prepared(record.id, body, made, facts)
    except (NotReplayableError, UnreadableFormError) as error:
        return _Prepared(record.id, body, problem=str(error))


def _undecided(item: _Prepared, maker: Maker) -> Replayed:
    """What reached no evaluator: refused then, refused now, or not to be decided."""
    was_refused = "rejection" in item.body["decision"]
    if item.made is not None and isinstance(item.facts, Rejection) and not was_refused:
        return _compared(item, maker, item.made, refuse(item.made.program, item.facts))
    body = item.body
    verdict = Verdict.NOT_REPLAYABLE if item.problem else Verdict.REFUSED
    action = body["decision"].get("action", "")
    return Replayed(item.id, verdict, action, body.get("agent", ""), body, problem=item.problem)


def _compared(item: _Prepared, maker: Maker, made: Deciding, decision: Decision) -> Replayed:
    now = {
        "decision": decision_to_json(decision),
        "firings": made.writer.write(decision.firings),
    }
    verdict = Verdict.SAME if maker.is_same(item.body, now) else Verdict.DIFFERENT
    agent = item.body.get("agent", "")
    return Replayed(item.id, verdict, decision.action, agent, item.body, now)
