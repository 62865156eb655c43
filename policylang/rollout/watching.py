"""Watching candidates: shadows evaluated and canaries compared, off the path of the caller.

What is offered waits in a bounded queue for one thread; what does not fit is dropped, and counted. Nothing that goes
wrong here reaches an answer.

The thread waits for callers to pause; where they do not, it asks in bursts (`Pace`).
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from policylang.bundle.bundle import Request
from policylang.bundle.case import Case
from policylang.errors import InternalError
from policylang.facts.factset import FactSet
from policylang.facts.plans import Clock
from policylang.facts.rejection import Rejection, RejectionKind
from policylang.rollout.compared import (
    COMPARISON,
    PERSONAL,
    Comparison,
    Direction,
    Judged,
    Role,
    failed,
)
from policylang.rollout.composing import Composed
from policylang.rollout.live import Candidate, Live
from policylang.rollout.pacing import LOOK_SECONDS, MOST_WAITING, NAP_SECONDS, Bell, Pace, Share
from policylang.rollout.tallying import tally
from policylang.trace.store import TraceStore
from policylang.trace.writer import TraceUnavailableError

CLOSING_SECONDS: Final = 2.0
"""How long closing goes on comparing what waits."""

_TICK_SECONDS: Final = 0.02
_IDLE_TICKS: Final = 50
_ASLEEP_SECONDS: Final = 5.0
_FLUSH_SECONDS: Final = 0.25
_FLUSH_COMPARISONS: Final = 256
_AT_A_TIME: Final = 16

_log = logging.getLogger("policylang.rollout")


class HeldClock:
    """A clock that stands still where one is told to: a candidate decides at the `now` of the live decision."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held = threading.local()

    def __call__(self) -> dt.datetime:
        """The time that is held, or the clock's reading."""
        held: dt.datetime | None = getattr(self._held, "now", None)
        return self._clock() if held is None else held

    @contextmanager
    def at(self, now: dt.datetime) -> Iterator[None]:
        """In this thread, until the block ends, it is this time."""
        self._held.now = now
        try:
            yield
        finally:
            self._held.now = None


@dataclass(slots=True)
class Tried:
    """What came of a canary that a request is in the slice of: its case or why there is none, and who decided."""

    candidates: tuple[Candidate, ...]
    buckets: tuple[int | None, ...]
    case: Case | None
    microseconds: int | None
    error: str = ""
    has_acted: bool = False


@dataclass(slots=True)
class Pending:
    """A decision that candidates are still to be compared with.

    `request` is a copy, where a candidate may have to read it anew; `ahead` is what shadows have read already, by rollout.
    `live_case` is what the active program says, where
    that was asked already.
    """

    live: Live
    facts: FactSet | Rejection
    action: str
    request: Request | None
    ahead: Mapping[str, FactSet | Rejection]
    now: dt.datetime
    live_case: Case | None
    live_microseconds: int | None
    validation: int
    tried: Tried | None
    shadows: tuple[Candidate, ...]
    is_inline: bool = False

    @property
    def counts_against_a_canary(self) -> bool:
        """Whether a canary was to decide and did not: that is never dropped, and soon told."""
        return self.tried is not None and not self.tried.has_acted


class _Task(NamedTuple):
    pending: Pending
    decision: str
    agent: str


@dataclass(slots=True)
class _Found:
    """What was found out and is not recorded yet."""

    comparisons: list[Comparison] = field(default_factory=list)
    cases: dict[str, Case] = field(default_factory=dict)
    since: float = 0.0


class Watcher:
    """Compares candidates with live decisions in one thread of its own, and keeps count. Thread-safe."""

    def __init__(self, store: TraceStore, clock: HeldClock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: deque[_Task] = deque()
        self._pace = Pace(self._waiting)
        self._share = Share()
        self._bell = Bell()
        self._is_urgent = False
        self._idle = 0
        self._lock = threading.Lock()
        self._working = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._found = _Found()
        self._dropped: Counter[str] = Counter()
        self._flushing = threading.Lock()

    def offer(self, pending: Pending, decision: str, agent: str) -> None:
        """Take up a decision. Never waits, but for shadows that are asked for inline; never raises."""
        task = _Task(pending, decision, agent)
        if pending.is_inline:
            self._judge(task)
        elif not self._is_closed and len(self._waiting) < MOST_WAITING:
            self._waiting.append(task)
            if pending.counts_against_a_canary:
                self._is_urgent = True
            if self._bell.is_asleep:
                self._wake()
        elif pending.counts_against_a_canary:
            self._judge(task)
        else:
            self.drop(_asked(pending))

    @property
    def is_full(self) -> bool:
        """Whether one more decision would not fit."""
        return len(self._waiting) >= MOST_WAITING

    def drop(self, candidates: tuple[Candidate, ...]) -> None:
        """Count a decision that these candidates are not compared with."""
        with self._lock:
            for candidate in candidates:
                self._dropped[candidate.standing.rollout] += 1
        if self._bell.is_asleep:
            self._wake()

    def settle(self) -> None:
        """Wait until everything that was taken up so far is compared and recorded."""
        self.work()
        self.flush()

    def close(self) -> None:
        """End: what waits is compared for at most `CLOSING_SECONDS`, and dropped then. Idempotent."""
        self._is_closed = True
        self._bell.ring()
        thread = self._thread
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join()
        self.work(until=time.monotonic() + CLOSING_SECONDS)
        self.flush()

    def flush(self) -> None:
        """Record what was found out, and count it. Never raises."""
        with self._flushing:
            with self._lock:
                found, self._found = self._found, _Found()
                dropped, self._dropped = self._dropped, Counter()
            if not found.comparisons and not dropped:
                return
            try:
                for case in found.cases.values():
                    self._store.keep(case)
                self._store.write_all(COMPARISON, list(_bodies(found.comparisons)), hide=PERSONAL)
                tally(self._store, found.comparisons, dropped)
            except TraceUnavailableError as error:
                _log.error("%d comparisons are lost: %s", len(found.comparisons), error)

    # --- the thread ---

    def _wake(self) -> None:
        """Make sure that the thread is there, and awake where it sleeps. It looks by itself every few milliseconds:
        to wake it for every decision would cost the caller more than everything else here."""
        if self._is_closed:
            return
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    run = _run_of(weakref.ref(self), self._bell)
                    self._thread = threading.Thread(
                        target=run, name="policylang-shadow", daemon=True
                    )
                    self._thread.start()
        self._bell.ring()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is taken up."""
        return self._is_closed

    def is_waiting(self) -> bool:
        """Whether something is still to be compared."""
        return bool(self._waiting)

    def look(self) -> float:
        """Compare what is due, and return in how many seconds to look again; 0 for when somebody comes."""
        if self._waiting:
            self._idle = 0
            number, self._is_urgent = self._pace.burst(urgent=self._is_urgent), False
            if number:
                self._share.begin()
                self.work(abs(number), while_pause=number < 0, is_beside=True)
            self._flush_if_due()
            return LOOK_SECONDS
        self._pace.rest()
        self._idle += 1
        is_idle = self._idle > _IDLE_TICKS
        self._flush_if_due(idle=is_idle)
        return 0 if is_idle else _TICK_SECONDS

    def work(
        self,
        number: float = math.inf,
        until: float = math.inf,
        *,
        while_pause: bool = False,
        is_beside: bool = False,
    ) -> None:
        """Compare so many of those that wait, or with `while_pause` until somebody comes; drop what still waits at the
        time `until`. It rests in between where callers go on beside it."""
        with self._working:
            while self._waiting and number > 0:
                number -= 1
                task = self._waiting.popleft()
                if time.monotonic() >= until:
                    self.drop(_asked(task.pending))
                    continue
                self._judge(task)
                if len(self._found.comparisons) >= _FLUSH_COMPARISONS:
                    self.flush()
                if while_pause and not self._pace.is_pause():
                    return
                if is_beside and self._is_closed:
                    return
                if is_beside:
                    time.sleep(NAP_SECONDS if while_pause else self._share.rest())

    def _flush_if_due(self, *, idle: bool = False) -> None:
        """Record what waits for long enough, or is enough; called by the thread."""
        found = self._found
        is_due = time.monotonic() - found.since >= _FLUSH_SECONDS
        is_enough = len(found.comparisons) >= _FLUSH_COMPARISONS
        if (found.comparisons and (is_due or is_enough)) or (idle and self._dropped):
            self.flush()

    # --- comparing ---

    def _judge(self, task: _Task) -> None:
        try:
            compared = list(self._compared(task))
        except Exception:  # noqa: BLE001  the live answer is given; nothing may touch it
            _log.exception("a candidate could not be compared")
            self.drop(_asked(task.pending))
            return
        urgent = any(c.has_failed or c.direction is Direction.LOOSER for c, _ in compared)
        with self._lock:
            found = self._found
            if not found.comparisons:
                found.since = time.monotonic()
            found.comparisons.extend(comparison for comparison, _ in compared)
            found.cases.update({c.program.digest: c for _, c in compared if c is not None})
        if urgent and task.pending.tried is not None:
            self.flush()

    def _compared(self, task: _Task) -> Iterator[tuple[Comparison, Case | None]]:
        pending = task.pending
        case, microseconds = pending.live_case, pending.live_microseconds
        if case is None:
            active = pending.live.composed
            assert isinstance(active, Composed)
            case, microseconds = _worked(lambda: active.case(pending.facts))
        live = Judged.of(case.decision, (microseconds or 0) + pending.validation)
        if pending.tried is not None:
            yield from self._tried(task, pending.tried, live)
        for candidate in pending.shadows:
            yield self._shadow(task, candidate, case, live)

    def _tried(
        self, task: _Task, tried: Tried, live: Judged
    ) -> Iterator[tuple[Comparison, Case | None]]:
        judged = Judged("", "", error=tried.error)
        if tried.case is not None:
            judged = _judged(tried.case, tried.error, _in_all(task.pending, tried))
        for candidate, bucket in zip(tried.candidates, tried.buckets, strict=True):
            made = _comparison(task, candidate, Role.CANARY, live, judged)
            yield replace(made, bucket=bucket, acted_on_candidate=tried.has_acted), tried.case

    def _shadow(
        self, task: _Task, candidate: Candidate, live_case: Case, live: Judged
    ) -> tuple[Comparison, Case | None]:
        pending = task.pending
        composed = pending.live.shadow(candidate, pending.action)
        if isinstance(composed, str):
            judged = Judged("", "", error=composed)
            return _comparison(task, candidate, Role.SHADOW, live, judged), None
        case, microseconds = _worked(self._asking(pending, candidate, composed))
        error = fault(live_case, case)
        judged = _judged(case, error, microseconds + pending.validation)
        return _comparison(task, candidate, Role.SHADOW, live, judged), case

    def _asking(
        self, pending: Pending, candidate: Candidate, composed: Composed
    ) -> Callable[[], Case]:
        """How a shadow is asked about a request: by the same facts where it reads them alike."""
        facts, request = pending.facts, pending.request
        ahead = pending.ahead.get(candidate.standing.rollout)
        if ahead is not None:
            return lambda: composed.case(ahead)
        if pending.live.takes_facts(composed, pending.action):
            return lambda: composed.case(facts)
        if request is None:
            raise InternalError("a shadow has no request to read")

        def anew() -> Case:
            with self._clock.at(pending.now):
                return composed.case(composed.bundle.border.validate(request))

        return anew


def timed(asked: Callable[[], Case]) -> tuple[Case, int]:
    """A case, and how many microseconds it took."""
    started = time.perf_counter_ns()
    case = asked()
    return case, (time.perf_counter_ns() - started) // 1_000


def _worked(asked: Callable[[], Case]) -> tuple[Case, int]:
    """A case, and how many microseconds of the processor it took: how long this thread waits for callers says nothing."""
    started = time.thread_time_ns()
    case = asked()
    return case, (time.thread_time_ns() - started) // 1_000


def _in_all(pending: Pending, tried: Tried) -> int | None:
    """The time that a canary took, with that of reading the request where live had read it already."""
    if tried.microseconds is None:
        return None
    composed = pending.live.with_candidates(tried.candidates)
    is_shared = isinstance(composed, Composed) and pending.live.takes_facts(
        composed, pending.action
    )
    return tried.microseconds + (pending.validation if is_shared else 0)


def fault(live: Case | None, candidate: Case) -> str:
    """What is wrong with a candidate's answer that is not with that of live; empty where nothing is.

    A request that the candidate's types refuse is an answer. That it asks for facts that nobody sends, or does not
    know the action, is its fault.
    """
    failure = candidate.decision.failure
    if failure is not None and (live is None or live.decision.failure is None):
        return failed(failure)
    rejection = candidate.decision.rejection
    if rejection is None or (live is not None and live.decision.rejection is not None):
        return ""
    if rejection.kind is RejectionKind.INVALID_FACTS:
        return ""
    return f"{rejection.kind.value}: {candidate.decision.reasons[0].message}"


def _judged(case: Case, error: str, microseconds: int | None) -> Judged:
    judged = Judged.of(case.decision, microseconds)
    return replace(judged, error=error) if error else judged


def _comparison(
    task: _Task, candidate: Candidate, role: Role, live: Judged, judged: Judged
) -> Comparison:
    return Comparison(
        decision=task.decision,
        action=task.pending.action,
        agent=task.agent,
        module=candidate.version.module,
        version=candidate.version.version,
        rollout=candidate.standing.rollout,
        role=role,
        live=live,
        candidate=judged,
    )


def _asked(pending: Pending) -> tuple[Candidate, ...]:
    """The candidates that a decision is to be compared with."""
    return pending.shadows if pending.tried is None else pending.shadows + pending.tried.candidates


def _bodies(comparisons: list[Comparison]) -> Iterator[dict[str, Any]]:
    """Comparisons as records, some at a time: callers who wait for the interpreter go on in between."""
    for number, comparison in enumerate(comparisons, 1):
        yield comparison.to_json()
        if number % _AT_A_TIME == 0:
            time.sleep(NAP_SECONDS)


def _run_of(watcher: weakref.ref[Watcher], bell: Bell) -> Callable[[], None]:
    """The body of the thread, which holds nothing that keeps a forgotten watcher alive."""

    def is_wanted() -> bool:
        own = watcher()
        return own is None or own.is_closed or own.is_waiting()

    def run() -> None:
        while True:
            own = watcher()
            if own is None or own.is_closed:
                return
            seconds = own.look()
            del own
            if seconds:
                time.sleep(seconds)
            else:
                bell.sleep(_ASLEEP_SECONDS, is_wanted)

    return run
