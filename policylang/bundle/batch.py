"""Many requests over several processes: in the order given, within bounded memory, and never silently short.

Each worker is a fresh process that is given the checked program and the reference data once. A chunk of requests goes to a
worker that is free; what it answers is put in order here. A worker that ends in the middle of a chunk (killed, or out of
memory) is replaced and its requests are asked again one by one, so that one request that no worker survives is
denied alone, with the reason.
"""

from __future__ import annotations

import copyreg
import json
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields, replace
from functools import partial
from itertools import islice
from operator import attrgetter
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from policylang.bundle.frames import give_back, read_frame, write_frame
from policylang.bundle.verifying import Sampled
from policylang.decide.decision import Decision, Outcome, Reason, ReasonKind
from policylang.decide.json import decision_line
from policylang.decide.lines import LineWriter
from policylang.decide.templates import Apart, Common, arrived, put_together, travelling
from policylang.errors import PolicyError
from policylang.evaluate.firings import About, Failure, FailureKind, Firings, Settled
from policylang.facts.rejection import RejectionKind
from policylang.semantics.program import Program

if TYPE_CHECKING:
    from policylang.bundle.bundle import Bundle, Request

CHUNK: Final = 256
"""Requests that are sent to a worker at once."""

MOST_LOST: Final = 16
"""Workers that a run may lose before it gives up: a few are bad requests, more are a bad machine."""

_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    " from policylang.bundle.batch_worker import main; main()"
)


class AnswerLine(NamedTuple):
    """The answer to one request as a line of JSON, and whether the request was one at all."""

    text: str
    is_request: bool


class WorkersLost(PolicyError):  # noqa: N818  (a state of the run, raised once)
    """Workers of a batch did not start, or ended again and again: the answers so far are all there are."""


Chunk: TypeAlias = "Sequence[Request]"
Answers: TypeAlias = "list[Any]"
"""Decisions, or answer lines, as many as there were requests."""


def line_of(decision: Decision) -> AnswerLine:
    """A decision as its line."""
    rejection = decision.rejection
    is_request = rejection is None or rejection.kind is not RejectionKind.BAD_REQUEST
    return AnswerLine(decision_line(decision), is_request)


def answer_lines(
    bundle: Bundle, requests: Iterable[Request], *, jobs: int = 1
) -> Iterator[AnswerLine]:
    """The answers to many requests as lines of JSON, in their order. See `Bundle.decide_many`."""
    if jobs > 1:
        return _over(bundle, requests, jobs, as_lines=True)
    write = LineWriter(_apart(bundle)).write
    return (_answer(decision, write) for decision in bundle.decide_many(requests))


def _answer(decision: Decision, write: Callable[[Decision], str]) -> AnswerLine:
    if decision.origin is None:
        return line_of(decision)
    # Nobody has looked at it yet: so it is no refusal.
    return AnswerLine(write(decision), True)


def decided_over(bundle: Bundle, requests: Iterable[Request], jobs: int) -> Iterator[Decision]:
    """The decisions about the requests, in their order, made by `jobs` processes. See `Bundle.decide_many`."""
    return _over(bundle, requests, jobs, as_lines=False)


def _over(bundle: Bundle, requests: Iterable[Request], jobs: int, as_lines: bool) -> Iterator[Any]:
    with _Pool(bundle, jobs, as_lines) as pool:
        waiting: deque[Future[Answers]] = deque()
        left = iter(requests)
        while chunk := list(islice(left, CHUNK)):
            waiting.append(pool.submit(chunk))
            # One chunk in each worker and one ready for each: what is read ahead is bounded by that.
            if len(waiting) >= 2 * jobs:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


class _LostError(Exception):
    """A worker ended before it answered."""


class _Worker:
    """One process that decides, and the conversation with it. Used by one thread at a time."""

    def __init__(
        self,
        recipe: bytes,
        settled: Callable[[About], Settled],
        sampled: Callable[[Sampled], None],
    ) -> None:
        command = [sys.executable, "-c", _START, json.dumps(sys.path)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe)
        self._is_ready = False
        self._recipe = recipe
        self._settled = settled
        self._sampled = sampled
        self._commons: list[Common] = []

    def ask(self, question: bytes, *, as_lines: bool) -> Answers | None:
        """What the worker answers; None where it cannot read the question.

        Raises `WorkersLost` where it does not even start.
        """
        try:
            if not self._is_ready:
                self._begin()
            new, found, sampled = self._exchange(question)
            for each in sampled:
                self._sampled(each)
            self._commons += [arrived(common, self._settled) for common in new]
            if found is None:
                return None
            return [AnswerLine(*parts) for parts in found] if as_lines else self._whole(found)
        except (OSError, EOFError) as lost:
            raise _LostError from lost

    def _whole(self, found: list[Any]) -> Answers:
        commons = self._commons
        return [
            put_together(commons[each[0]], each[1], each[2])
            if type(each) is tuple
            else self._arrived(each)
            for each in found
        ]

    def _arrived(self, decision: Decision) -> Decision:
        about = decision.settled.about
        return decision if about is None else replace(decision, settled=self._settled(about))

    def end(self) -> None:
        """End the process. What waits for an answer of it is told that it is lost."""
        self._process.kill()

    def clear(self) -> None:
        """Give back what is left of an ended process."""
        give_back(self._process)

    def _begin(self) -> None:
        try:
            self._exchange(self._recipe)
        except (OSError, EOFError):
            code = self._process.wait()
            raise WorkersLost(
                f"a worker ended with status {code} before its first answer"
            ) from None
        self._is_ready = True
        self._recipe = b""

    def _exchange(self, question: bytes) -> Any:
        into, out = self._process.stdin, self._process.stdout
        if into is None or out is None:
            raise EOFError
        write_frame(into, question)
        return pickle.loads(read_frame(out))


class _Pool:
    """The workers of one run. Ends them all when it is left, however that comes about."""

    def __init__(self, bundle: Bundle, jobs: int, as_lines: bool) -> None:
        self._bundle = bundle
        self._as_lines = as_lines
        self._jobs = jobs
        self._recipe = _recipe(bundle)
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="policylang-batch")
        self._free: SimpleQueue[_Worker] = SimpleQueue()
        self._all: list[_Worker] = []
        self._lock = threading.Lock()
        self._lost = 0
        self._settled_for: dict[About, Settled] = {}
        self._is_over = False

    def __enter__(self) -> _Pool:
        for _ in range(self._jobs):
            self._free.put(self._started())
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_over = True
            workers = list(self._all)
        for worker in workers:
            worker.end()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in workers:
            worker.clear()

    def _settled(self, about: About) -> Settled:
        """What is settled as this process finds it, and not before somebody asks."""
        known = self._settled_for.get(about)
        if known is None:
            find = partial(self._bundle._settled, about)
            known = self._settled_for[about] = Settled.found(about, find)
        return known

    def _sampled(self, sampled: Sampled) -> None:
        """Have a decision of a worker evaluated again, as if it were made here."""
        facts, live = sampled
        verifier = self._bundle.verifier
        if verifier is not None:
            if isinstance(live, Firings) and live.settled.about is not None:
                live = Firings(live.own, self._settled(live.settled.about))
            verifier.take(facts, live)

    def submit(self, chunk: Chunk) -> Future[Answers]:
        """Have a chunk answered."""
        return self._threads.submit(self._answers, chunk)

    def _started(self) -> _Worker:
        with self._lock:
            if self._is_over:
                raise WorkersLost("the run is over")
            worker = _Worker(self._recipe, self._settled, self._sampled)
            self._all.append(worker)
        return worker

    def _answers(self, chunk: Chunk) -> Answers:
        try:
            question = pickle.dumps((self._as_lines, chunk), pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, TypeError, AttributeError, ValueError, RecursionError):
            # A request may be any object of the caller's: what cannot be sent is decided here.
            return self._here(chunk)
        try:
            found = self._asked(question)
        except _LostError:
            if len(chunk) == 1:
                return [self._shaped(_denied(self._bundle.program))]
            return [answer for request in chunk for answer in self._answers([request])]
        return self._here(chunk) if found is None else found

    def _asked(self, question: bytes) -> Answers | None:
        """A free worker's answers; a lost worker is replaced. None where the worker cannot read the question."""
        worker = self._free.get()
        try:
            found = worker.ask(question, as_lines=self._as_lines)
        except _LostError:
            self._forget(worker)
            worker = self._started()
            raise
        finally:
            self._free.put(worker)
        return found

    def _forget(self, worker: _Worker) -> None:
        with self._lock:
            self._lost += 1
            if worker in self._all:
                self._all.remove(worker)
        worker.end()
        worker.clear()
        if self._lost > MOST_LOST:
            raise WorkersLost(f"{self._lost} workers ended before they answered")

    def _here(self, chunk: Chunk) -> Answers:
        return [self._shaped(decision) for decision in self._bundle.decide_many(chunk)]

    def _shaped(self, decision: Decision) -> Decision | AnswerLine:
        return line_of(decision) if self._as_lines else decision


def _denied(program: Program) -> Decision:
    """The decision about a request that no worker survived."""
    message = "the process that evaluated the request ended before it answered"
    failure = Failure("", FailureKind.EVALUATOR.value, message)
    return Decision(
        action="",
        outcome=Outcome.DENY,
        reasons=(Reason(ReasonKind.EVALUATION_FAILED, "", message),),
        program=program.digest,
        modules=program.modules,
        failure=failure,
    )


def _recipe(bundle: Bundle) -> bytes:
    rate = 0.0 if bundle.verifier is None else bundle.verifier.rate
    try:
        return pickle.dumps((bundle, rate), pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, TypeError, AttributeError) as problem:
        raise ValueError(
            "several processes decide where the clock of the bundle can be sent to them:"
            f" a function of a module, not a lambda ({problem})"
        ) from problem


def _apart(bundle: Bundle) -> Callable[[Decision], Apart | None]:
    """What tells what a decision of a bundle has of its own."""
    return bundle._authorizer.apart


class Conversation:
    """The worker's side of a conversation: what decisions have in common is told once.

    `rate` is the share of decisions that the other side evaluates again.
    """

    def __init__(self, bundle: Bundle, rate: float = 0.0) -> None:
        self._bundle = bundle
        self._sample = bundle._sample(rate) if rate else None
        self._apart = _apart(bundle)
        self._write = LineWriter(self._apart).write
        self._told: dict[int, tuple[int, Common]] = {}
        self._new: list[Common] = []

    def answered(self, question: bytes) -> bytes:
        """The answers to a chunk, or None where it cannot be read."""
        found: Answers | None = None
        self._new = []
        try:
            as_lines, chunk = pickle.loads(question)
        except Exception:  # noqa: BLE001  whatever a class of the caller raises when it is read here
            pass
        else:
            shape: Callable[[Decision], Any] = self._line if as_lines else self._parts
            found = [shape(decision) for decision in self._bundle.decide_many(chunk)]
        sampled = [] if self._sample is None else self._sample.taken()
        return pickle.dumps((self._new, found, sampled), pickle.HIGHEST_PROTOCOL)

    def _line(self, decision: Decision) -> tuple[str, bool]:
        text, is_request = _answer(decision, self._write)
        return text, is_request

    def _parts(self, decision: Decision) -> Any:
        """A decision, or what it has of its own and the number of what it has in common with others."""
        apart = self._apart(decision)
        if apart is None:
            return decision
        common, bindings, messages = apart
        known = self._told.get(id(common))
        if known is None or known[1] is not common:
            if len(self._told) >= _MOST_TOLD:
                return decision
            known = self._told[id(common)] = (len(self._told), common)
            self._new.append(travelling(common))
        return known[0], bindings, messages


_MOST_TOLD: Final = 10_000
"""Common parts that both sides of a conversation keep; decisions beyond these cross whole."""


def _reduced(type_: type, read: Callable[[Any], tuple[Any, ...]], value: Any) -> tuple[Any, ...]:
    return type_, read(value)


def _without_settled(decision: Decision) -> tuple[Any, ...]:
    # Firings of reference data alone may be a million: they do not travel with each answer.
    if decision.settled.about is not None:
        decision = replace(decision, settled=Settled(about=decision.settled.about))
    return Decision, _decision_values(decision)


_decision_values = attrgetter(*(each.name for each in fields(Decision)))
copyreg.pickle(Decision, _without_settled)
# A frozen dataclass with slots is pickled field by field in Python: by its values it takes a fraction of that.
copyreg.pickle(
    Reason, partial(_reduced, Reason, attrgetter(*(each.name for each in fields(Reason))))
)
