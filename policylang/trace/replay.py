"""Replay: decisions made again from what the store holds, and by candidates from the same facts.

Nothing but the store is read: programs are checked again from their stored texts, reference data is
their stored rows, and facts are the stored ones. What comes out is compared byte by byte in canonical form.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, Final, Protocol

from policylang.bundle.case import Case
from policylang.bundle.evaluators import EvaluatorName, choose
from policylang.decide.decide import Authorizer, refuse
from policylang.decide.decision import Decision
from policylang.decide.json import canonical, decision_to_json, firings_to_json
from policylang.decide.reading import UnreadableFormError, facts_from_json, firings_from_json
from policylang.evaluate.firings import (
    NOTHING_SETTLED,
    Evaluation,
    Evaluator,
    Failure,
    FailureKind,
    Firings,
    Limits,
)
from policylang.facts.factset import FactSet, Row
from policylang.facts.rejection import NeededFact, Problem, Rejection, RejectionKind
from policylang.semantics.program import Program
from policylang.trace.chain import Record
from policylang.trace.programs import NotReplayableError, program_again, reference_again
from policylang.trace.reading import TraceView

BATCH: Final = 128
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
    """The request reached no rule, so there is nothing to evaluate."""
    NOT_REPLAYABLE = "not replayable"
    """It cannot be decided again; `problem` says why."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision that was made again: what was recorded, and what came now (both in their JSON forms)."""

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


@dataclass(frozen=True, slots=True)
class Deciding:
    """A program that is ready to decide facts again."""

    program: Program
    rows: Mapping[str, tuple[Row, ...]]
    evaluator: Evaluator
    authorizer: Authorizer


class Maker(Protocol):
    """Finds what decides a recorded decision again, and says how that is compared."""

    def deciding(self, body: Mapping[str, Any]) -> Deciding:
        """What decides it. Raises `NotReplayableError` where nothing can."""
        ...

    def compared(self, body: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        """Whether what came now is what was recorded."""
        ...


class Archive:
    """The programs and reference data of a store, made again and kept."""

    def __init__(self, view: TraceView, evaluator: EvaluatorName = "auto") -> None:
        self._view = view
        self._name: EvaluatorName = evaluator
        self._evaluators: list[Evaluator] = []
        self._programs: dict[str, Program | NotReplayableError] = {}
        self._ready: dict[tuple[str, tuple[tuple[str, str], ...]], Deciding] = {}

    def program(self, digest: str) -> Program:
        """The program of a digest. Raises `NotReplayableError` where it is not there, or cannot be made again."""
        found = self._programs.get(digest)
        if found is None:
            try:
                found = program_again(self._body("program", digest))
            except NotReplayableError as error:
                found = error
            self._programs[digest] = found
        if isinstance(found, NotReplayableError):
            raise found
        return found

    def rows(self, program: Program, digests: Mapping[str, str]) -> Mapping[str, tuple[Row, ...]]:
        """The rows of reference relations by their digests; raises `NotReplayableError`."""
        rows: dict[str, tuple[Row, ...]] = {}
        for digest in digests.values():
            held = reference_again(self._body("reference", digest), program.schema)
            rows[held.relation.name] = held.rows
            rows.update(held.items)
        return rows

    def deciding(self, body: Mapping[str, Any]) -> Deciding:
        """What decided it then: its program over its reference data."""
        digest = body["decision"]["program"]["digest"]
        digests = body.get("facts", {}).get("reference", {})
        key = (digest, tuple(sorted(digests.items())))
        if key not in self._ready:
            program = self.program(digest)
            rows = self.rows(program, digests)
            evaluator = self.evaluator(program, rows)
            self._ready[key] = Deciding(program, rows, evaluator, Authorizer(program, rows))
        return self._ready[key]

    def evaluator(self, program: Program, rows: Mapping[str, tuple[Row, ...]]) -> Evaluator:
        """What evaluates a program over reference rows; given back with the archive."""
        made = choose(program, rows, self._name)
        self._evaluators.append(made)
        return made

    def compared(self, body: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        """Byte by byte, the decision and its firings."""
        then = {"decision": body["decision"], "firings": body.get("firings", [])}
        return canonical(then) == canonical(now)

    def case(self, record: Record) -> Case:
        """A decision as it was made then: from its stored facts and firings.

        Raises `NotReplayableError` where its program cannot be made again, or gives another decision from the same firings.
        """
        body = record.body
        made = self.deciding(body)
        try:
            case = _case(body, made)
        except UnreadableFormError as error:
            raise NotReplayableError(str(error)) from error
        if canonical(decision_to_json(case.decision)) != canonical(body["decision"]):
            raise NotReplayableError("its rules give another decision from the same firings now")
        return case

    def close(self) -> None:
        """Give back what the evaluators hold."""
        for evaluator in self._evaluators:
            evaluator.close()

    def _body(self, kind: str, digest: str) -> Mapping[str, Any]:
        record = self._view.named(kind, digest)
        if record is None:
            raise NotReplayableError(f"the {kind} {digest} is not in the store")
        return record.body


def _case(body: Mapping[str, Any], made: Deciding) -> Case:
    decision = body["decision"]
    if "rejection" in decision:
        refused = refuse(made.program, _rejection(decision["rejection"]))
        return Case(made.program, refused, None, made.rows)
    facts = facts_from_json(body["facts"], made.program.schema)
    evaluation = _evaluation(body, made, facts)
    decided = made.authorizer.decide(facts, evaluation)
    return Case(made.program, decided, facts, made.rows, body.get("evaluator", ""))


def _evaluation(body: Mapping[str, Any], made: Deciding, facts: FactSet) -> Evaluation:
    """What was recorded of the evaluation, and the firings of definitions that follow from reference data alone.

    Those are not recorded: they are the same for every request, and derived from rows that are.
    """
    error = body["decision"].get("error")
    if error is not None:
        return Failure(error.get("rule", ""), error["code"], error["message"])
    again = made.evaluator.evaluate(facts, Limits())
    settled = again.settled if isinstance(again, Firings) else NOTHING_SETTLED
    return Firings(firings_from_json(body.get("firings", ()), made.program), settled)


def _rejection(form: Mapping[str, Any]) -> Rejection:
    return Rejection(
        kind=RejectionKind(form["kind"]),
        action=form["action"],
        problems=tuple(Problem(**problem) for problem in form["problems"]),
        needs=tuple(NeededFact(n["fact"], tuple(n["fields"])) for n in form.get("needs", ())),
        more=form.get("more", 0),
    )


def replay(
    records: Iterable[Record], maker: Maker, limits: Limits | None = None
) -> Iterator[Replayed]:
    """Each decision made again, in the order of the records. Reads ahead by at most `BATCH`."""
    waiting = iter(records)
    while batch := list(islice(waiting, BATCH)):
        yield from _batch(batch, maker, limits or Limits())


_Prepared = tuple[Record, dict[str, Any], "Deciding | None", "FactSet | None", str]


def _batch(batch: Sequence[Record], maker: Maker, limits: Limits) -> Iterator[Replayed]:
    prepared = [_prepared(record, maker) for record in batch]
    for made, some in groupby(prepared, key=lambda item: item[2] if item[3] is not None else None):
        group = list(some)
        if made is None:
            yield from (_unmade(item) for item in group)
            continue
        facts = [item[3] for item in group if item[3] is not None]
        evaluations = made.evaluator.evaluate_many(facts, limits)
        for item, held, evaluation in zip(group, facts, evaluations, strict=True):
            decision = made.authorizer.decide(held, evaluation)
            yield _compared(item, maker, made, decision)


def _prepared(record: Record, maker: Maker) -> _Prepared:
    body = record.body
    decision = body["decision"]
    try:
        if "facts" not in body:
            return record, body, None, None, ""
        code = decision.get("error", {}).get("code")
        if code in _BY_MACHINE:
            raise NotReplayableError(f"it failed with {code}, which depends on the machine")
        made = maker.deciding(body)
        return record, body, made, facts_from_json(body["facts"], made.program.schema), ""
    except (NotReplayableError, UnreadableFormError) as error:
        return record, body, None, None, str(error)


def _unmade(item: _Prepared) -> Replayed:
    record, body, _, _, problem = item
    verdict = Verdict.NOT_REPLAYABLE if problem else Verdict.REFUSED
    action = body["decision"].get("action", "")
    return Replayed(record.id, verdict, action, body.get("agent", ""), body, problem=problem)


def _compared(item: _Prepared, maker: Maker, made: Deciding, decision: Decision) -> Replayed:
    record, body, _, _, _ = item
    now = {
        "decision": decision_to_json(decision),
        "firings": firings_to_json(decision.firings, made.program),
    }
    verdict = Verdict.SAME if maker.compared(body, now) else Verdict.DIFFERENT
    return Replayed(record.id, verdict, decision.action, body.get("agent", ""), body, now)
