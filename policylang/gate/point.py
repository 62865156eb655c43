"""`DecisionPoint`: decides calls and records them; nothing here runs one.

What happens to a call, in this order: facts that are missing are fetched; it is decided; places in limits are taken;
the decision is recorded durably; an approval is asked for or used up. Where any of this fails nothing is allowed.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from policylang.decide.decision import Outcome
from policylang.errors import PolicyError
from policylang.facts.border import utc_now
from policylang.facts.sources import DEFAULT_SECONDS, FactSource
from policylang.gate.answer import Answer, AnswerKind, Retry, When, refused
from policylang.gate.approving import Approvals, ApprovalSettings
from policylang.gate.asking import Asked, Fetching
from policylang.gate.limits import Calls, Limits
from policylang.gate.outcomes import Outcomes
from policylang.gate.stops import Stop, Stops
from policylang.gate.verdict import Verdict
from policylang.rollout.deciding import Decided, Decider
from policylang.trace.metrics import Number, record_metric
from policylang.trace.outcomes import Status
from policylang.trace.store import TraceStore
from policylang.trace.telemetry import Observed, Observer, tell_decided

MINUTES: Final = dt.timedelta(minutes=5)

_LATER: Final = Retry(When.LATER)

_log = logging.getLogger("policylang.gate")


@dataclass(frozen=True, slots=True)
class GateSettings:
    """How a gate works where nothing else is said.

    `hold` is how long a call that was allowed keeps its places in limits without an outcome: after that it is taken for
    one that never ran. `source_seconds` is how long all sources of facts together may take for one call. `observers`
    are told of decisions and outcomes. `verify` is the share of decisions, from 0 to 1, that clingo evaluates again after
    they are made: a difference is an `incident` record. It goes with policies that the gate loads.
    """

    hold: dt.timedelta = MINUTES
    source_seconds: float = DEFAULT_SECONDS
    approvals: ApprovalSettings | None = None
    observers: Sequence[Observer] = ()
    verify: float = 0.0
    clock: Callable[[], dt.datetime] = utc_now


class DecisionPoint:
    """Decides calls by a decider, and records them in a store. Thread-safe, and safe to use after a fork."""

    def __init__(
        self,
        decider: Decider,
        store: TraceStore,
        sources: Mapping[str, FactSource] | None = None,
        settings: GateSettings | None = None,
    ) -> None:
        self._decider = decider
        self._store = store
        self._settings = settings or GateSettings()
        self._clock = self._settings.clock
        self._fetching = Fetching(sources or {}, self._settings.source_seconds)
        self._limits = Limits(store, hold=self._settings.hold)
        self._stops = Stops(store.state, clock=self._clock)
        self._outcomes = Outcomes(store, self._limits, self._settings.observers)
        self._approvals = Approvals(store, decider, self._settings.approvals, clock=self._clock)

    @property
    def store(self) -> TraceStore:
        """Where decisions, outcomes and approvals are recorded."""
        return self._store

    @property
    def decider(self) -> Decider:
        """What decides."""
        return self._decider

    @property
    def approvals(self) -> Approvals:
        """The approvals of the store: to list, show, grant and refuse them, and to wait for one."""
        return self._approvals

    @property
    def stops(self) -> Stops:
        """The kill switch."""
        return self._stops

    def decide(
        self,
        action: str,
        args: Mapping[str, Any] | None = None,
        *,
        agent: Mapping[str, Any] | str | None = None,
        facts: Mapping[str, Any] | None = None,
        subject: str = "",
        approval: str | None = None,
    ) -> Verdict:
        """Decide a call, and record that durably. What is not given here is that of the session around it.

        `agent` is the agent's identity, or the row of the fact `agent` (whose `id` is the identity). `facts` are rows by name of
        fact, or functions of the validated arguments that give them. `approval` is the ticket that an earlier verdict on this call named.

        Never raises for what the call is: where it cannot be decided or recorded, the verdict says so and is a
        denial. What is allowed has to be settled: `settle`, or `Gate.run`, which does it.
        """
        asked = Asked.of(action, args, agent, facts, subject, approval)
        return self._safely(asked, lambda: self._decided(asked, self._fetching.fetch))

    async def adecide(
        self,
        action: str,
        args: Mapping[str, Any] | None = None,
        *,
        agent: Mapping[str, Any] | str | None = None,
        facts: Mapping[str, Any] | None = None,
        subject: str = "",
        approval: str | None = None,
    ) -> Verdict:
        """As `decide`, without holding up the loop. Sources of facts that are coroutines run on it.

        Where the task is cancelled meanwhile, the verdict is settled as skipped once it is there.
        """
        asked = Asked.of(action, args, agent, facts, subject, approval)
        try:
            fetched = await self._fetching.afetch(asked, self._decider.program, self._clock())
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing runs
            return self._failed(asked, error)
        deciding = asyncio.ensure_future(
            asyncio.to_thread(self._safely, asked, lambda: self._decided(asked, lambda *_: fetched))
        )
        try:
            return await asyncio.shield(deciding)
        except asyncio.CancelledError:
            deciding.add_done_callback(self._skip)
            raise

    def settle(
        self,
        verdict: Verdict,
        status: Status | Literal["executed", "failed", "skipped"],
        *,
        arguments: Mapping[str, Any] | None = None,
        detail: str = "",
    ) -> str:
        """Record what became of a call that was allowed; the identity of the record.

        `arguments` are those that were really used (those that were decided, unless told). A call that has run keeps its places in limits;
        one that failed or was not made gives them back. Raises `NotLeft` where it is settled already,
        `ExecutedOtherwise` where it ran with other arguments than were decided, which is recorded first, and `TraceUnavailableError`
        where the outcome cannot be recorded.
        """
        return self._outcomes.settle(verdict, Status(status), arguments, detail)

    def metric(self, decision: Verdict | str, name: str, value: Number = True) -> str:
        """Report what became of the world after a decision, and return the record's identity: rollouts compare it.

        `gate.metric(verdict, "complaint")` says that something happened, a whole number how often, a `Decimal` how much.
        Raises `ValueError` and `TypeError` for what is no metric, and what `TraceStore.record` raises.
        """
        id_ = decision if isinstance(decision, str) else decision.decision_id
        return record_metric(self._store, id_, name, value)

    def close(self) -> None:
        """Close the decider and the store. Idempotent."""
        self._decider.close()
        self._store.close()

    # --- deciding ---

    def _safely(self, asked: Asked, decide: Callable[[], Verdict]) -> Verdict:
        """The verdict, or a denial where there cannot be one: a gate that breaks lets nothing through."""
        try:
            return decide()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing runs
            return self._failed(asked, error)

    def _failed(self, asked: Asked, error: Exception) -> Verdict:
        if isinstance(error, PolicyError):
            _log.error("%s was not decided: %s", asked.action, error)
        else:
            _log.error("%s was not decided", asked.action, exc_info=error)
        given = unavailable(asked.action)
        return Verdict(
            asked.action, "", None, asked.identity, asked.subject, given=given, error=error
        )

    def _decided(self, asked: Asked, fetch: Fetching.Way) -> Verdict:
        now, started = self._clock(), time.perf_counter()
        request, problem = fetch(asked, self._decider.program, now)
        whole, calls = self._whole(request, asked, now)
        decided = problem or self._fetching.told(asked, self._decider.decide(whole))
        asked = asked.seen_in(decided.case)
        ready = self._ready(asked, decided)
        if ready is not None:
            return self._decided(replace(asked, approval=ready), lambda *_: (request, problem))
        stop = self._stops.on(decided.case.decision.action, asked.identity)
        name = None
        if stop is None and decided.case.decision.outcome is Outcome.ALLOW and calls.places:
            decided, name = self._reserved(whole, calls, decided, now)
        took = dt.timedelta(seconds=time.perf_counter() - started)
        verdict = self._recorded(asked, decided, name, took)
        self._tell(verdict, decided, now, took)
        return self._settled(verdict, decided, stop)

    def _ready(self, asked: Asked, decided: Decided) -> str | None:
        """The ticket of an approval that is granted for this very call, where it is asked for without one."""
        if (
            asked.approval is not None
            or decided.case.decision.outcome is not Outcome.NEEDS_APPROVAL
        ):
            return None
        return self._approvals.ready(decided.case, agent=asked.identity, subject=asked.subject)

    def _whole(
        self, request: Mapping[str, Any], asked: Asked, now: dt.datetime
    ) -> tuple[dict[str, Any], Calls]:
        """The request with the calls that limits count, and with the votes of its ticket."""
        calls = self._limits.calls(now)
        votes = self._approvals.rows(asked.approval)
        approvals = {"approvals": votes} if votes else {}
        return {**request, "history": calls, **approvals}, calls

    def _reserved(
        self, request: Mapping[str, Any], calls: Calls, decided: Decided, now: dt.datetime
    ) -> tuple[Decided, str | None]:
        """Take the call's places in limits; where others came in between, decide it again."""
        found = [decided]

        def again(current: Calls) -> bool:
            found[0] = self._decider.decide({**request, "history": current})
            return found[0].case.decision.outcome is Outcome.ALLOW

        name = self._limits.reserve(calls, now, again)
        return found[0], name

    def _recorded(
        self, asked: Asked, decided: Decided, name: str | None, took: dt.timedelta
    ) -> Verdict:
        """Record the decision before anything can run by it."""
        try:
            id_ = self._store.record(
                decided.case,
                agent=asked.identity or None,
                stage=decided.stage,
                bucket=decided.bucket,
                duration=took,
                rollouts=[sliced.to_json() for sliced in decided.rollouts],
            )
        except BaseException:
            if name is not None:
                self._outcomes.release(name)
            raise
        return Verdict(
            decided.case.decision.action,
            id_,
            decided.case,
            asked.identity,
            asked.subject,
            asked.approval,
            name,
        )

    def _tell(
        self, verdict: Verdict, decided: Decided, started: dt.datetime, took: dt.timedelta
    ) -> None:
        observers = self._settings.observers
        if observers:
            seen = Observed(
                decided.case.decision,
                started,
                took,
                verdict.decision_id,
                verdict.agent,
                decided.stage,
                decided.bucket,
                decided.case.evaluator,
            )
            tell_decided(observers, seen)

    def _settled(self, verdict: Verdict, decided: Decided, stop: Stop | None) -> Verdict:
        """The verdict with its answer; where there can be none, the call is skipped."""
        try:
            self._decider.settle(decided, verdict.decision_id, verdict.agent)
            return self._answered(verdict, stop)
        except BaseException as error:
            self._outcomes.skip(verdict, f"the gate failed: {type(error).__name__}")
            raise

    def _answered(self, verdict: Verdict, stop: Stop | None) -> Verdict:
        case = verdict.case
        assert case is not None
        if case.decision.outcome is Outcome.DENY or case.facts is None:
            return verdict
        answer = stopped(verdict, stop) if stop is not None else self._approved(verdict)
        if not answer.allowed and case.decision.outcome is Outcome.ALLOW:
            self._outcomes.skip(verdict, answer.grounds[0].message)
        return replace(verdict, given=answer, ticket=answer.ticket)

    def _approved(self, verdict: Verdict) -> Answer:
        case = verdict.case
        assert case is not None
        return self._approvals.answer(
            case,
            verdict.decision_id,
            agent=verdict.agent,
            subject=verdict.subject,
            ticket=verdict.ticket,
        )

    def _skip(self, deciding: asyncio.Future[Verdict]) -> None:
        """Nobody waits for this verdict any more."""
        if deciding.cancelled() or deciding.exception() is not None:
            return
        verdict = deciding.result()
        if verdict.allowed:
            self._outcomes.skip(verdict, "cancelled before it ran")


def unavailable(action: str) -> Answer:
    """The answer where a call cannot be decided, or not be recorded."""
    message = "it cannot be decided and recorded now"
    return refused(action, AnswerKind.UNAVAILABLE, message, retry=_LATER)


def stopped(verdict: Verdict, stop: Stop) -> Answer:
    """The answer while a stop is on."""
    return refused(
        verdict.action,
        AnswerKind.STOPPED,
        stop.says,
        retry=_LATER,
        decision_id=verdict.decision_id,
        program="" if verdict.case is None else verdict.case.program.digest,
    )
