"""Live decisions held to clingo: a sample of them is evaluated again, off the caller's path.

Which requests are in the sample depends on them alone: the same call at the same time is always in it or never.
What was answered stays as it was: a difference is an incident for people to look at.
"""

from __future__ import annotations

import datetime as dt
import queue
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Protocol, TypeAlias

from policylang.bundle.evaluators import choose
from policylang.evaluate.firings import (
    Evaluation,
    Evaluator,
    Failure,
    FailureKind,
    Firings,
    Limits,
    Settled,
)
from policylang.evaluate.plan import PlanEvaluator
from policylang.facts.factset import FactSet, Row
from policylang.facts.order import value_key
from policylang.semantics.program import Program

MOST_WAITING: Final = 256
"""Decisions that wait for their second evaluation; what comes beside them is dropped, and counted."""

MOST_INCIDENTS: Final = 1000
"""Incidents that are kept, the latest; all are counted."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A request that two evaluators answered differently: what decided live, and what the second one says."""

    at: dt.datetime
    program: Program
    facts: FactSet
    live: Evaluation
    live_by: str
    again: Evaluation
    again_by: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of the sampled decisions so far.

    `unsettled` are those where one side hit a limit, which says nothing of the other.
    """

    agreed: int = 0
    differed: int = 0
    unsettled: int = 0
    dropped: int = 0
    failed: int = 0
    """Second evaluations or callbacks that raised."""


OnIncident: TypeAlias = "Callable[[Incident], object]"

_LIMITS: Final = frozenset(
    {FailureKind.TIME_LIMIT.value, FailureKind.MEMORY_LIMIT.value, FailureKind.EVALUATOR.value}
)
Sampled: TypeAlias = "tuple[FactSet, Evaluation]"
"""A decision of the sample: what it was about, and what decided live."""


class Sampling(Protocol):
    """What every decision is shown to, and takes up those of the sample."""

    def offer(self, facts: FactSet, live: Evaluation) -> None:
        """Take up a decision that was made, if it is in the sample. Never waits, never raises."""
        ...


class Sample:
    """The sample of a process that decides for another one, which evaluates it again."""

    def __init__(self, rate: float) -> None:
        self._below = _below(rate)
        self._taken: list[Sampled] = []

    def offer(self, facts: FactSet, live: Evaluation) -> None:
        """Keep a decision that was made, if it is in the sample."""
        if self._below > _position(facts):
            self._taken.append((facts, _travelling(live)))

    def taken(self) -> list[Sampled]:
        """What was taken up since this was last asked."""
        taken, self._taken = self._taken, []
        return taken


def _travelling(live: Evaluation) -> Evaluation:
    """An evaluation without the firings of reference data alone, of which goes what they are about."""
    if isinstance(live, Failure):
        return live
    return Firings(live.own, Settled(about=live.settled.about))


def _below(rate: float) -> int:
    return int(rate * (1 << 64))


@dataclass(frozen=True, slots=True)
class Verify:
    """Which share of decisions is evaluated again (from 0 to 1), and who is told of a difference."""

    rate: float = 0.0
    on_incident: OnIncident | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate <= 1.0:
            raise ValueError(f"verify is a share from 0 to 1, not {self.rate}")

    def verifier(
        self,
        program: Program,
        reference: Mapping[str, tuple[Row, ...]],
        live: Evaluator,
        limits: Limits,
    ) -> Verifier | None:
        """What verifies the decisions of an evaluator: None where none are sampled, or clingo decides anyway."""
        if self.rate == 0.0 or not isinstance(live, PlanEvaluator):
            return None
        return Verifier(self, program, choose(program, reference, "asp"), live.name, limits)


NOT_VERIFIED: Final = Verify()


class Verifier:
    """Evaluates a sample of decisions a second time, in one thread of its own.

    The callback of `verify` is called in that thread, once for each difference.
    """

    def __init__(
        self, verify: Verify, program: Program, again: Evaluator, live_by: str, limits: Limits
    ) -> None:
        self.rate = verify.rate
        self._program = program
        self._below = _below(verify.rate)
        self._on_incident = verify.on_incident
        self._again = again
        self._live_by = live_by
        self._limits = limits
        self._waiting: queue.Queue[Sampled | None] = queue.Queue(MOST_WAITING)
        self._lock = threading.Lock()
        self._incidents: deque[Incident] = deque(maxlen=MOST_INCIDENTS)
        self._verified = Verified()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The latest differences, in the order of their finding."""
        with self._lock:
            return tuple(self._incidents)

    @property
    def verified(self) -> Verified:
        """What became of the sample so far."""
        with self._lock:
            return self._verified

    def offer(self, facts: FactSet, live: Evaluation) -> None:
        """Take up a decision that was made, if it is in the sample. Never waits, never raises."""
        if self.samples(facts):
            self.take(facts, live)

    def take(self, facts: FactSet, live: Evaluation) -> None:
        """Take up a decision of the sample. Never waits, never raises."""
        with self._lock:
            if not self._is_closed:
                self._start()
                try:
                    self._waiting.put_nowait((facts, live))
                    return
                except queue.Full:
                    pass
        self._count(dropped=1)

    def samples(self, facts: FactSet) -> bool:
        """Whether a request is in the sample: told by its action, arguments and `now`, the same everywhere."""
        return self._below > _position(facts)

    def settle(self) -> None:
        """Wait until everything that was taken up so far is evaluated."""
        self._waiting.join()

    def close(self) -> None:
        """End. What waits for its second evaluation, and what is offered later, counts as dropped."""
        with self._lock:
            thread, self._is_closed = self._thread, True
        if thread is not None and thread is not threading.current_thread():
            self._waiting.put(None)
            thread.join()
        self._again.close()

    def _start(self) -> None:
        """Start the thread with the first decision of the sample; a forked process has to start its own."""
        if self._thread is None or not self._thread.is_alive():
            # The thread holds nothing that keeps a forgotten verifier alive.
            target = _run_of(weakref.ref(self), self._waiting)
            self._thread = threading.Thread(target=target, name="policylang-verify", daemon=True)
            self._thread.start()

    def verify(self, facts: FactSet, live: Evaluation) -> None:
        """Evaluate a request again, and note what comes of it. Called by the thread."""
        if self._is_closed:
            self._count(dropped=1)
            return
        try:
            again = self._again.evaluate(facts, self._limits)
            if again == live:
                self._count(agreed=1)
            elif _is_unsettled(live) or _is_unsettled(again):
                self._count(unsettled=1)
            else:
                self._differs(facts, live, again)
        except Exception:  # noqa: BLE001  the live answer is given; what fails here is counted
            self._count(failed=1)

    def _differs(self, facts: FactSet, live: Evaluation, again: Evaluation) -> None:
        incident = Incident(
            at=dt.datetime.now(dt.UTC),
            program=self._program,
            facts=facts,
            live=live,
            live_by=self._live_by,
            again=again,
            again_by=self._again.name,
        )
        with self._lock:
            self._incidents.append(incident)
        self._count(differed=1)
        if self._on_incident is not None:
            self._on_incident(incident)

    def _count(self, **more: int) -> None:
        with self._lock:
            so_far = self._verified
            counts = {name: getattr(so_far, name) + count for name, count in more.items()}
            self._verified = replace(so_far, **counts)


def _run_of(
    verifier: weakref.ref[Verifier], waiting: queue.Queue[Sampled | None]
) -> Callable[[], None]:
    def run() -> None:
        while True:
            try:
                asked = waiting.get(timeout=5.0)
            except queue.Empty:
                if verifier() is None:
                    return
                continue
            own = verifier()
            try:
                if asked is None or own is None:
                    return
                own.verify(*asked)
            finally:
                waiting.task_done()
            del own

    return run


def _is_unsettled(evaluation: Evaluation) -> bool:
    return isinstance(evaluation, Failure) and evaluation.code in _LIMITS


def _position(facts: FactSet) -> int:
    """Where a request stands among all, from 0 to 2^64: a hash that takes the same time for any number of rows."""
    asked = [value_key(value) for row in facts.of(facts.action) for value in row.values]
    text = repr((facts.action, facts.now, asked))
    return int.from_bytes(sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
