"""The programs and reference data of a store, made again, and what decides recorded facts by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from policylang.bundle.case import Case
from policylang.bundle.evaluators import EvaluatorName, choose
from policylang.decide.decide import Authorizer, refuse
from policylang.decide.json import FiringsWriter, canonical, decision_to_json
from policylang.decide.reading import FactsReader, UnreadableFormError, firings_from_json
from policylang.evaluate.firings import (
    NOTHING_SETTLED,
    Evaluation,
    Evaluator,
    Failure,
    Firings,
    Limits,
)
from policylang.facts.factset import FactSet, Row
from policylang.facts.rejection import NeededFact, Problem, Rejection, RejectionKind
from policylang.semantics.program import Program
from policylang.trace.chain import Record
from policylang.trace.programs import NotReplayableError, program_again, reference_again
from policylang.trace.sealing import unreadable


class Supply(Protocol):
    """Where the records of programs and reference data are found: a view of a store, or a shelf beside it."""

    def named(self, kind: str, digest: str) -> Record | None:
        """The record of the program, or of the reference data, of that digest, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Deciding:
    """A program that is ready to decide facts again."""

    program: Program
    rows: Mapping[str, tuple[Row, ...]]
    evaluator: Evaluator
    authorizer: Authorizer
    reader: FactsReader
    writer: FiringsWriter


@dataclass(slots=True)
class _Ready:
    """What an archive has made so far, by digests."""

    programs: dict[str, Program | NotReplayableError] = field(default_factory=dict)
    deciding: dict[tuple[str, tuple[tuple[str, str], ...]], Deciding] = field(default_factory=dict)
    evaluators: list[Evaluator] = field(default_factory=list)


class Archive:
    """The programs and reference data of a store, made again and kept: each program is compiled once."""

    def __init__(self, supply: Supply, evaluator: EvaluatorName = "auto") -> None:
        self._supply = supply
        self._name: EvaluatorName = evaluator
        self._ready = _Ready()

    def program(self, digest: str) -> Program:
        """The program of a digest. Raises `NotReplayableError` where it is not there, or cannot be made again."""
        found = self._ready.programs.get(digest)
        if found is None:
            try:
                found = program_again(self._body("program", digest))
            except NotReplayableError as error:
                found = error
            self._ready.programs[digest] = found
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
        """What decided it then: its program over its reference data.

        Raises `NotReplayableError` where that cannot be made again, or something of the decision was erased.
        """
        if problem := unreadable(body):
            raise NotReplayableError(problem)
        digest = body["decision"]["program"]["digest"]
        digests = body.get("facts", {}).get("reference", {})
        key = (digest, tuple(sorted(digests.items())))
        made = self._ready.deciding.get(key)
        if made is None:
            program = self.program(digest)
            made = self.made(program, self.rows(program, digests))
            self._ready.deciding[key] = made
        return made

    def made(self, program: Program, rows: Mapping[str, tuple[Row, ...]]) -> Deciding:
        """What decides by a program over reference rows; given back with the archive."""
        evaluator = choose(program, rows, self._name)
        self._ready.evaluators.append(evaluator)
        return Deciding(
            program,
            rows,
            evaluator,
            Authorizer(program, rows),
            FactsReader(program.schema),
            FiringsWriter(program),
        )

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
        for evaluator in self._ready.evaluators:
            evaluator.close()

    def _body(self, kind: str, digest: str) -> Mapping[str, Any]:
        record = self._supply.named(kind, digest)
        if record is None:
            raise NotReplayableError(f"the {kind} {digest} is not in the store")
        return record.body


def _case(body: Mapping[str, Any], made: Deciding) -> Case:
    decision = body["decision"]
    if "rejection" in decision:
        refused = refuse(made.program, _rejection(decision["rejection"]))
        return Case(made.program, refused, None, made.rows)
    facts = made.reader.read(body["facts"])
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
