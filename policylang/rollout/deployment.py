"""`Deployment`: decides live requests by the published modules of a store, and follows their rollouts.

A transition is taken up with the first request after `LOOK_SECONDS`, by every process that has the store open; until
then a process decides by what it has, and its traces say by which program. Monotonic clocks are used alone, so that it does not
matter how far the clocks of machines are apart.
"""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

from policylang.bundle.bundle import Request
from policylang.bundle.case import Case
from policylang.bundle.evaluators import EvaluatorName
from policylang.bundle.loading import DEFAULT_LIMITS
from policylang.decide.decide import Authorizer, refuse
from policylang.decide.decision import Outcome
from policylang.errors import PolicyInvalid
from policylang.evaluate.firings import Failure, FailureKind, Limits
from policylang.facts.border import Border, utc_now
from policylang.facts.factset import FactSet
from policylang.facts.history import CallsMade
from policylang.facts.plans import Clock
from policylang.facts.rejection import Rejection
from policylang.rollout import codes
from policylang.rollout.compared import Direction, direction
from policylang.rollout.composing import Composed, Composer
from policylang.rollout.deciding import Decided, Sliced
from policylang.rollout.live import Candidate, Compositions, Live, Slicer
from policylang.rollout.slicing import ALGORITHM, bucket_of, is_inside, key_text
from policylang.rollout.stages import ModuleStanding, standings
from policylang.rollout.versions import Version, find_version
from policylang.rollout.watching import HeldClock, Pending, Tried, Watcher, fault, timed
from policylang.semantics.program import Program
from policylang.trace.state import Reading, StateUnavailableError
from policylang.trace.store import TraceStore
from policylang.trace.writer import TraceUnavailableError

LOOK_SECONDS: Final = 0.2
"""How often a process that decides looks for transitions."""

PATIENCE: Final = 1.0
"""Seconds for which a process decides without having been able to look."""

HELD_BACK: Final = "less strict than live, without consent"


class _Fell(NamedTuple):
    """Where a request fell: in every rollout that concerns it, and which canaries are meant for it."""

    sliced: tuple[Sliced, ...]
    inside: tuple[Candidate, ...]
    buckets: tuple[int | None, ...]


class Deployment:
    """Decides by the active modules of a store, with canaries and shadows. Thread-safe, and safe to use after a fork.

    Raises `PolicyInvalid` where nothing is active, or where what is does not make a program.
    """

    def __init__(
        self,
        store: TraceStore,
        *,
        evaluator: EvaluatorName = "auto",
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = utc_now,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._store = store
        self._evaluator: EvaluatorName = evaluator
        self._limits = limits
        self._given_clock = clock
        self._look_seconds = look_seconds
        self._begin()

    def _begin(self) -> None:
        """Start from the state, as a child made by fork does, too: a lock may be held by a thread it has not."""
        self._process = os.getpid()
        self._clock = HeldClock(self._given_clock)
        self._compositions = Compositions(
            Composer(
                self._store.state, evaluator=self._evaluator, limits=self._limits, clock=self._clock
            )
        )
        self._watcher = Watcher(self._store, self._clock)
        self._looking = threading.Lock()
        self._versions: dict[tuple[str, str], Version] = {}
        self._modules: dict[str, ModuleStanding] = {}
        self._seen = self._store.state.version()
        self._live = self._load()
        self._working = self._checked(self._live)
        self._looked = time.monotonic()
        self._next_look = self._looked + self._look_seconds

    @property
    def program(self) -> Program:
        """The active program, or the last that there was."""
        self._current()
        return self._working.program

    @property
    def border(self) -> Border:
        """What validates requests for the active program."""
        self._current()
        return self._working.bundle.border

    def decide(self, request: Request) -> Decided:
        """Decide a request, by a canary where one is meant for it. Never raises for what the request contains.

        Raises `StateUnavailableError` where the state could not be read for longer than `PATIENCE` seconds: what is
        active is not known then.
        """
        live = self._current()
        active = live.composed
        if isinstance(active, str):
            return Decided(self._failing(request, active))
        if not live.canaries and not live.shadows:
            return Decided(active.bundle.case(request))
        started = time.perf_counter_ns()
        facts = active.bundle.border.validate(request)
        validation = (time.perf_counter_ns() - started) // 1_000
        canaries, shadows = live.concerned(_action_of(facts))
        if isinstance(facts, Rejection):
            # It may be about something that only a candidate declares.
            canaries, shadows = live.canaries, live.shadows
        if not canaries and not shadows:
            return Decided(active.case(facts, request))
        if canaries:
            return self._beside(live, active, request, facts, validation, canaries, shadows)
        if not live.has_inline and self._watcher.is_full:
            # Nothing is made for a comparison that has no place: it is counted when the decision is settled.
            return Decided(active.case(facts, request), pending=shadows)
        started = time.perf_counter_ns()
        case = active.case(facts, request)
        asked = (case, (time.perf_counter_ns() - started) // 1_000)
        pending = self._pending(live, request, facts, validation, shadows, asked, None)
        return Decided(case, pending=pending)

    def settle(self, decided: Decided, decision_id: str, agent: str = "") -> None:
        """Take up a decision that was recorded, for shadows and comparisons. Never waits (but for shadows that are
        asked for inline), and never raises."""
        if isinstance(decided.pending, Pending):
            self._watcher.offer(decided.pending, decision_id, agent)
        elif isinstance(decided.pending, tuple):
            self._watcher.drop(decided.pending)

    def prepare(self) -> Mapping[str, str]:
        """Compose every candidate now, and not with the first request that needs it; by name, what is wrong with those
        that make no program with what is active."""
        live = self._current()
        composed = {c.standing.name: live.with_candidates([c]) for c in live.candidates}
        return {name: made for name, made in composed.items() if isinstance(made, str)}

    def rest(self) -> None:
        """Wait until every decision that was settled is compared, and the comparisons are recorded."""
        self._watcher.settle()

    def close(self) -> None:
        """End; what waits is compared, within some seconds. The store stays open. Idempotent."""
        self._watcher.close()

    # --- following transitions ---

    def _current(self) -> Live:
        if self._process != os.getpid():
            self._begin()
        now = time.monotonic()
        if now >= self._next_look and self._looking.acquire(blocking=False):
            try:
                self._look(now)
            finally:
                self._looking.release()
        return self._live

    def _look(self, now: float) -> None:
        try:
            version = self._store.state.version()
            if version != self._seen:
                self._live = self._load()
                self._seen = version
                if isinstance(self._live.composed, Composed):
                    self._working = self._live.composed
        except StateUnavailableError:
            if now - self._looked > PATIENCE:
                raise
        else:
            self._looked = now
        self._next_look = time.monotonic() + self._look_seconds

    def _load(self) -> Live:
        """What is active now; the one at hand where no module stands otherwise than before."""
        with self._store.state.read() as reading:
            modules = standings(reading)
            if modules and modules == self._modules:
                return self._live
            active = {
                name: self._version(reading, name, standing.active)
                for name, standing in modules.items()
                if standing.active is not None
            }
            found = [
                (candidate, self._version(reading, candidate.module, candidate.version))
                for standing in modules.values()
                for candidate in (standing.canary, *standing.shadows)
                if candidate is not None
            ]
        self._modules = modules
        canaries = [pair for pair in found if pair[0] == modules[pair[0].module].canary]
        shadows = [pair for pair in found if pair not in canaries]
        return Live(self._compositions, active, canaries, shadows, self._limits)

    def _version(self, reading: Reading, module: str, version: str) -> Version:
        known = self._versions.get((module, version))
        if known is None:
            known = find_version(reading, module, version)
            if known is None:
                raise StateUnavailableError(f"{module}@{version} is not in the state")
            self._versions[module, version] = known
        return known

    def _checked(self, live: Live) -> Composed:
        if not self._modules or all(m.active is None for m in self._modules.values()):
            raise PolicyInvalid([codes.NOTHING_ACTIVE.at(None)])
        if isinstance(live.composed, str):
            raise PolicyInvalid([codes.DOES_NOT_COMPOSE.at(None, reason=live.composed)])
        return live.composed

    def _failing(self, request: Request, reason: str) -> Case:
        """A denial: what is active does not make a program here, and what was before is not active any more."""
        last = self._working
        facts = last.bundle.border.validate(request)
        if isinstance(facts, Rejection):
            return Case(
                last.program, refuse(last.program, facts), None, last.rows, received=request
            )
        message = f"the active modules do not make a program: {reason}"
        failure = Failure("", FailureKind.EVALUATOR.value, message)
        decision = Authorizer(last.program, last.rows).decide(facts, failure)
        return Case(last.program, decision, facts, last.rows, last.bundle.evaluator.name)

    # --- deciding beside candidates ---

    def _beside(
        self,
        live: Live,
        active: Composed,
        request: Request,
        facts: FactSet | Rejection,
        validation: int,
        canaries: tuple[Candidate, ...],
        shadows: tuple[Candidate, ...],
    ) -> Decided:
        fell = self._fell(live, request, facts, canaries)
        tried, asked = None, None
        if fell.inside:
            tried, asked = self._try(live, active, request, facts, fell)
        case = tried.case if tried is not None and tried.has_acted else None
        if case is None:
            asked = asked or timed(lambda: active.case(facts, request))
            case = asked[0]
        pending = None
        if shadows or tried is not None:
            pending = self._pending(live, request, facts, validation, shadows, asked, tried)
        return _decided(case, fell, tried, pending)

    def _pending(
        self,
        live: Live,
        request: Request,
        facts: FactSet | Rejection,
        validation: int,
        shadows: tuple[Candidate, ...],
        asked: _Timed | None,
        tried: Tried | None,
    ) -> Pending:
        """What there is to compare later, with all that is needed of a request which the caller may change then."""
        if isinstance(facts, FactSet):
            action, now = facts.told()
        else:
            action, now = facts.action, self._clock()
        live_case, live_time = asked or (None, None)
        ahead, kept = _NOTHING, None
        unlike = live.unlike(shadows, action)
        if unlike:
            ahead = self._read_ahead(live, request, facts, unlike)
            kept = _kept(request)
        is_inline = live.has_inline and any(s.standing.settings.inline for s in shadows)
        return Pending(
            live,
            facts,
            action,
            kept,
            ahead,
            now,
            live_case,
            live_time,
            validation,
            tried,
            shadows,
            is_inline,
        )

    def _fell(
        self,
        live: Live,
        request: Request,
        facts: FactSet | Rejection,
        canaries: tuple[Candidate, ...],
    ) -> _Fell:
        sliced: list[Sliced] = []
        inside: list[Candidate] = []
        buckets: list[int | None] = []
        for candidate in canaries:
            found = self._slice(live, request, facts, candidate)
            sliced.append(found)
            if found.inside:
                inside.append(candidate)
                buckets.append(found.bucket)
        return _Fell(tuple(sliced), tuple(inside), tuple(buckets))

    def _slice(
        self,
        live: Live,
        request: Request,
        facts: FactSet | Rejection,
        candidate: Candidate,
    ) -> Sliced:
        """Where a request falls in one rollout: one hash, and the condition of the canary for those in its slice."""
        try:
            return self._slice_by(live, request, facts, candidate, live.slicer(candidate))
        except TraceUnavailableError:
            raise
        except Exception:  # noqa: BLE001  a canary that breaks where its slice is told decides nothing
            return _sliced(candidate, None, is_in=False)

    def _slice_by(
        self,
        live: Live,
        request: Request,
        facts: FactSet | Rejection,
        candidate: Candidate,
        slicer: Slicer | str,
    ) -> Sliced:
        settings = candidate.standing.settings
        if isinstance(slicer, str):
            # A candidate that does not load decides nothing; that it was to decide counts against it.
            return _sliced(candidate, None, is_in=True)
        key = key_text(slicer.live_keys, facts) if isinstance(facts, FactSet) else None
        own: FactSet | Rejection | None = None
        if key is None:
            own = self._read_by(live, slicer.composed, request, facts)
            key = key_text(slicer.keys, own) if isinstance(own, FactSet) else None
        if key is None:
            return _sliced(candidate, None, is_in=False)
        bucket = bucket_of(settings.salt, key)
        is_in = is_inside(bucket, settings.share)
        if is_in and slicer.target is not None:
            own = own or self._read_by(live, slicer.composed, request, facts)
            is_in = isinstance(own, FactSet) and slicer.target.holds(own, request)
        return _sliced(candidate, bucket, is_in=is_in)

    def _read_by(
        self, live: Live, composed: Composed, request: Request, facts: FactSet | Rejection
    ) -> FactSet | Rejection:
        """The facts of a request as another program reads them."""
        if live.takes_facts(composed, _action_of(facts)):
            return facts
        if isinstance(facts, FactSet):
            with self._clock.at(facts.told()[1]):
                return composed.bundle.border.validate(request)
        return composed.bundle.border.validate(request)

    def _read_ahead(
        self,
        live: Live,
        request: Request,
        facts: FactSet | Rejection,
        shadows: tuple[Candidate, ...],
    ) -> Mapping[str, FactSet | Rejection]:
        """What shadows with other declarations read of a request whose earlier calls are looked up: later on there are others."""
        if not isinstance(request, Mapping) or not isinstance(request.get("history"), CallsMade):
            return {}
        found: dict[str, FactSet | Rejection] = {}
        for shadow in shadows:
            composed = live.shadow(shadow, facts.action)
            if isinstance(composed, Composed):
                own = self._read_by(live, composed, request, facts)
                found[shadow.standing.rollout] = own
        return found

    def _try(
        self,
        live: Live,
        active: Composed,
        request: Request,
        facts: FactSet | Rejection,
        fell: _Fell,
    ) -> tuple[Tried, _Timed | None]:
        """Ask the canaries that a request is in the slice of, and the active program where consent depends on it."""
        composed = live.with_candidates(fell.inside)
        if isinstance(composed, str):
            return Tried(fell.inside, fell.buckets, None, None, composed), None
        try:
            case, microseconds = timed(
                lambda: composed.case(self._read_by(live, composed, request, facts), request)
            )
        except TraceUnavailableError:
            # It is the store's fault and not the canary's: nothing can be decided by it now.
            raise
        except Exception as bug:  # noqa: BLE001  a canary that breaks falls back to the active version
            return Tried(
                fell.inside, fell.buckets, None, None, f"{type(bug).__name__}: {bug}"
            ), None
        is_agreed = all(c.standing.settings.allow_loosening for c in fell.inside)
        if case.decision.outcome is Outcome.DENY:
            # Nothing is stricter; but what has failed, or was refused, is a denial too.
            needs_live = case.decision.failure is not None or case.decision.rejection is not None
        else:
            needs_live = not is_agreed
        asked: _Timed | None = None
        if needs_live:
            asked = timed(lambda: active.case(facts, request))
        error = "" if asked is None else fault(asked[0], case)
        held = asked is not None and not is_agreed and _is_looser(asked[0], case)
        tried = Tried(fell.inside, fell.buckets, case, microseconds, error, not (error or held))
        return tried, asked


def _action_of(facts: FactSet | Rejection) -> str:
    return facts.told()[0] if isinstance(facts, FactSet) else facts.action


_Timed: TypeAlias = tuple[Case, int]

_NOTHING: Final[Mapping[str, FactSet | Rejection]] = {}


def _is_looser(live: Case, candidate: Case) -> bool:
    one, other = live.decision.outcome.value, candidate.decision.outcome.value
    return direction(one, other) is Direction.LOOSER


def _sliced(candidate: Candidate, bucket: int | None, *, is_in: bool) -> Sliced:
    standing = candidate.standing
    return Sliced(
        standing.module,
        standing.version,
        standing.rollout,
        standing.settings.salt,
        ALGORITHM,
        bucket,
        is_in,
    )


def _decided(case: Case, fell: _Fell, tried: Tried | None, pending: Pending | None) -> Decided:
    sliced = fell.sliced
    if tried is not None and tried.has_acted:
        return Decided(case, "canary", fell.buckets[0], sliced, pending)
    if tried is not None:
        why = tried.error or HELD_BACK
        sliced = tuple(one._replace(fell_back=why) if one.inside else one for one in sliced)
    bucket = sliced[0].bucket if len(sliced) == 1 else None
    return Decided(case, "active", bucket, sliced, pending)


def _kept(request: Request) -> Request | None:
    """A copy of a request where a shadow may have to read it anew: the caller may change it meanwhile."""
    if isinstance(request, str | bytes):
        return request
    if isinstance(request.get("history"), CallsMade):
        return None
    try:
        return copy.deepcopy(request)
    except Exception:  # noqa: BLE001  what cannot be copied is read as it is
        return request
