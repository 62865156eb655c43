"""`Bundle`: a deployable set of modules, checked and compiled, that answers requests."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

from policylang.bundle.batch import decided_over
from policylang.bundle.case import Case
from policylang.bundle.evaluators import EvaluatorName, choose
from policylang.bundle.reference import Given, read_reference
from policylang.bundle.sources import folder_of
from policylang.bundle.verifying import NOT_VERIFIED, Sample, Sampling, Verifier, Verify
from policylang.decide.decide import Authorizer, refuse
from policylang.decide.decision import Decision
from policylang.diagnostics import Diagnostic, has_errors
from policylang.errors import InternalError, PolicyInvalid
from policylang.evaluate.firings import (
    NOTHING_SETTLED,
    About,
    Evaluator,
    Limits,
    Settled,
    Settling,
)
from policylang.evaluate.plan import PlanEvaluator
from policylang.facts.border import Border
from policylang.facts.compile import compile_border
from policylang.facts.factset import FactSet
from policylang.facts.plans import Clock
from policylang.facts.reference import ReferenceData
from policylang.facts.rejection import Rejection
from policylang.semantics.checker import CheckResult
from policylang.semantics.program import Program
from policylang.semantics.scenario import Scenario
from policylang.semantics.slicing import slice_for

Request: TypeAlias = "Mapping[str, object] | str | bytes"
"""A request: a mapping in the form of a request, or its JSON text."""

BATCH: Final = 256
"""Requests that are evaluated together by `decide_many`; it bounds what is held in memory."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a bundle is made of. `given` is the reference data that was given in Python, by name."""

    program: Program
    warnings: tuple[Diagnostic, ...]
    scenarios: tuple[Scenario, ...]
    folders: Mapping[str, Path]
    given: Mapping[str, Given]
    reference: ReferenceData
    border: Border
    evaluator: Evaluator
    evaluator_name: EvaluatorName
    limits: Limits
    clock: Clock
    verify: Verify = NOT_VERIFIED


class Bundle:
    """A checked program with its reference data, ready to answer requests. Made by `load` or `loads`.

    Thread-safe. `close` (or leaving a `with` block) gives back what the evaluator holds.

    >>> from policylang import loads
    >>> with loads("module shop action ship rule all: allow ship") as bundle:
    ...     bundle.decide({"action": "ship"}).outcome
    <Outcome.ALLOW: 'allow'>
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._authorizer = Authorizer(parts.program, parts.reference.rows)
        self._verifier = parts.verify.verifier(
            parts.program, parts.reference.rows, parts.evaluator, parts.limits
        )
        self._sampling: Sampling | None = self._verifier

    @property
    def program(self) -> Program:
        """The checked program: rules, schema, module versions, digest."""
        return self._parts.program

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What the checker warned of."""
        return self._parts.warnings

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The `test` statements of the modules."""
        return self._parts.scenarios

    @property
    def reference(self) -> ReferenceData:
        """The reference data that requests are decided with, by content digest."""
        return self._parts.reference

    @property
    def border(self) -> Border:
        """What validates requests."""
        return self._parts.border

    @property
    def evaluator(self) -> Evaluator:
        """What evaluates requests."""
        return self._parts.evaluator

    @property
    def verifier(self) -> Verifier | None:
        """What evaluates a sample of decisions again and keeps the incidents; None where nothing is sampled."""
        return self._verifier

    def decide(self, request: Request) -> Decision:
        """The decision about a request. Never raises for what the request contains.

        A request that is malformed, asks for an unknown action, or lacks facts is denied with the reason,
        and so is one whose evaluation fails or takes longer than the limits of the bundle.

        >>> from policylang import loads
        >>> bundle = loads("module shop action ship { pieces: Int } rule few: allow ship if ship.pieces < 5")
        >>> bundle.decide('{"action": "ship", "args": {"pieces": 3}}').determining
        ('shop.few',)
        >>> bundle.decide({"action": "ship", "args": {"pieces": "3 boxes"}}).reasons[0].kind
        <ReasonKind.INVALID_FACTS: 'invalid_facts'>
        """
        facts = self._parts.border.validate(request)
        if isinstance(facts, Rejection):
            return refuse(self._parts.program, facts)
        evaluation = self._parts.evaluator.evaluate(facts, self._parts.limits)
        if self._sampling is not None:
            self._sampling.offer(facts, evaluation)
        return self._authorizer.decide(facts, evaluation)

    def decide_many(self, requests: Iterable[Request], *, jobs: int = 1) -> Iterator[Decision]:
        """The decisions about many requests, in their order, evaluated in batches.

        Reads ahead by at most `BATCH` requests, whatever their number. With `jobs` above 1 that many processes
        decide, and twice as many batches are read ahead; a request that ends the process which evaluates it is denied with
        that reason, and `WorkersLost` is raised where workers do not start or end again and again.

        >>> from policylang import loads
        >>> bundle = loads("module shop action ship { pieces: Int } rule few: allow ship if ship.pieces < 5")
        >>> requests = ({"action": "ship", "args": {"pieces": n}} for n in (4, 5))
        >>> [decision.outcome.value for decision in bundle.decide_many(requests)]
        ['allow', 'deny']
        """
        if jobs > 1:
            yield from decided_over(self, requests, jobs)
            return
        waiting = iter(requests)
        while batch := list(islice(waiting, BATCH)):
            yield from self._decided(batch)

    def case(self, request: Request) -> Case:
        """A request with its decision and the facts it was decided on: what proofs are made from.

        >>> from policylang import loads
        >>> case = loads("module shop action ship rule all: allow ship").case({"action": "ship"})
        >>> case.decision.outcome.value, case.explanation().proof.height
        ('allow', 1)
        """
        facts = self._parts.border.validate(request)
        rows = self._parts.reference.rows
        if isinstance(facts, Rejection):
            return Case(self.program, refuse(self.program, facts), None, rows, received=request)
        evaluator = self._parts.evaluator
        evaluation = evaluator.evaluate(facts, self._parts.limits)
        if self._sampling is not None:
            self._sampling.offer(facts, evaluation)
        decision = self._authorizer.decide(facts, evaluation)
        return Case(self.program, decision, facts, rows, evaluator.name)

    def refreshed(self, reference: Mapping[str, Given] | None = None) -> Bundle:
        """The same bundle over reference data read again: from their files, or as given here by name.

        Raises `PolicyInvalid` where the data has errors; this bundle then goes on as it was.

        >>> from policylang import loads
        >>> bundle = loads('''
        ... module shop
        ... facts holiday { on: Date }
        ... action ship { on: Date }
        ... rule workday: allow ship if not holiday(on: ship.on)
        ... ''', reference={"holiday": []})
        >>> request = {"action": "ship", "args": {"on": "2026-12-25"}}
        >>> closed = bundle.refreshed({"holiday": [{"on": "2026-12-25"}]})
        >>> bundle.decide(request).outcome.value, closed.decide(request).outcome.value
        ('allow', 'deny')
        """
        parts = self._parts
        given = {**parts.given, **(reference or {})}
        held = _held(parts.program, given, parts.folders)
        return Bundle(
            dataclasses.replace(
                parts,
                given=given,
                reference=held,
                border=_border(parts.program, held, parts.clock),
                evaluator=choose(parts.program, held.rows, parts.evaluator_name),
            )
        )

    def _settled(self, about: About) -> Settled:
        """The firings that do not depend on a request, for an action: see `Decision.settled`."""
        evaluator = self._parts.evaluator
        if not isinstance(evaluator, Settling):
            return NOTHING_SETTLED
        return evaluator.settled(about, self._parts.limits)

    def _sample(self, rate: float) -> Sample:
        """Keep a sample of decisions for the process that asks for them."""
        sample = self._sampling = Sample(rate)
        return sample

    def __repr__(self) -> str:
        modules = ", ".join(f"{m.name} {m.version or ''}".rstrip() for m in self.program.modules)
        return f"<Bundle of {modules}: {self.program.digest[:12]}>"

    def close(self) -> None:
        """Give back what the evaluator holds. Deciding after that is an error of the caller."""
        self._parts.evaluator.close()
        if self._verifier is not None:
            self._verifier.close()

    def __reduce__(self) -> tuple[Callable[..., Bundle], tuple[object, ...]]:
        """Another process makes the same bundle from what is read and checked already; it verifies nothing."""
        p = self._parts
        return remade, (p.program, p.reference, p.evaluator_name, p.limits, p.clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]:
        self.close()
        return False

    def _decided(self, batch: Sequence[Request]) -> Iterator[Decision]:
        """The decisions of a batch, evaluated together."""
        found = [self._parts.border.validate(request) for request in batch]
        accepted = [facts for facts in found if isinstance(facts, FactSet)]
        evaluations = iter(self._parts.evaluator.evaluate_many(accepted, self._parts.limits))
        for facts in found:
            if isinstance(facts, Rejection):
                yield refuse(self.program, facts)
            else:
                evaluation = next(evaluations)
                if self._sampling is not None:
                    self._sampling.offer(facts, evaluation)
                yield self._authorizer.decide(facts, evaluation)


def make_bundle(
    result: CheckResult,
    diagnostics: Iterable[Diagnostic],
    given: Mapping[str, Given],
    evaluator: EvaluatorName,
    limits: Limits,
    clock: Clock,
    verify: Verify = NOT_VERIFIED,
) -> Bundle:
    """The bundle of a program that was checked without errors.

    Raises `PolicyInvalid` where reference data has errors, or where `evaluator` is `plan` and the
    program cannot be compiled to one.
    """
    program = result.program
    if program is None:
        raise InternalError("a bundle is made of a program that has errors")
    folders = {
        module.name: folder_of(module.source)
        for module in program.modules
        if module.source is not None
    }
    held = _held(program, given, folders)
    return Bundle(
        Parts(
            program=program,
            warnings=tuple(diagnostics),
            scenarios=result.scenarios,
            folders=folders,
            given=given,
            reference=held,
            border=_border(program, held, clock),
            evaluator=choose(program, held.rows, evaluator),
            evaluator_name=evaluator,
            limits=limits,
            clock=clock,
            verify=verify,
        )
    )


def remade(
    program: Program,
    reference: ReferenceData,
    evaluator: EvaluatorName,
    limits: Limits,
    clock: Clock,
    like: Bundle | None = None,
) -> Bundle:
    """The bundle of a program with reference data that another process has read already.

    What it has in common with the program of the bundle that it is `like` is not looked at anew.
    """
    taken = like.program.rules if like is not None and _has_plan(like) else ()
    return Bundle(
        Parts(
            program=program,
            warnings=(),
            scenarios=(),
            folders={},
            given={},
            reference=reference,
            border=_border(program, reference, clock),
            evaluator=choose(program, reference.rows, evaluator, taken),
            evaluator_name=evaluator,
            limits=limits,
            clock=clock,
        )
    )


def _held(
    program: Program, given: Mapping[str, Given], folders: Mapping[str, Path]
) -> ReferenceData:
    held, problems = read_reference(program.schema, given, folders)
    if has_errors(problems):
        raise PolicyInvalid(problems)
    return held


def _has_plan(bundle: Bundle) -> bool:
    return isinstance(bundle.evaluator, PlanEvaluator)


def _border(program: Program, held: ReferenceData, clock: Clock) -> Border:
    return compile_border(program.schema, held, reads=_Reads(program), clock=clock)


class _Reads(Mapping[str, frozenset[str]]):
    """The relations that a decision about each action reads, told when they are asked for."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._actions = dict.fromkeys(program.actions)

    def __getitem__(self, action: str) -> frozenset[str]:
        if action not in self._actions:
            raise KeyError(action)
        return slice_for(self._program, action).relations

    def __iter__(self) -> Iterator[str]:
        return iter(self._actions)

    def __len__(self) -> int:
        return len(self._actions)
