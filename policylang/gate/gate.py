"""`Gate`: the point between a proposal and its effect. A call that it did not decide does not run through it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from os import PathLike
from typing import Any, Literal, Self, TypeVar

from policylang.bundle.bundle import Bundle
from policylang.bundle.loading import load
from policylang.diagnostics import Diagnostic
from policylang.errors import PolicyInvalid
from policylang.facts.schema import RelationKind
from policylang.facts.sources import FactSource
from policylang.gate.asking import Session, session
from policylang.gate.point import DecisionPoint, GateSettings, stopped, unavailable
from policylang.gate.protecting import NotRunError, complete, no_such_fact, protected, told
from policylang.gate.signature import Mapped
from policylang.gate.stops import Stop
from policylang.gate.verdict import NotLeft, Refused, Verdict
from policylang.rollout.deciding import Decider, SingleBundle
from policylang.rollout.deployment import Deployment
from policylang.trace.incidents import incident_recorder
from policylang.trace.outcomes import Status
from policylang.trace.store import TraceStore
from policylang.trace.writer import TraceUnavailableError

ResultT = TypeVar("ResultT")
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class Gate(DecisionPoint):
    """Decides calls, and runs those that are allowed with exactly what was decided. Thread-safe.

    Made by `open`; `close` (or leaving a `with` block) closes the store, and what `open` has loaded.

    >>> from decimal import Decimal
    >>> from tempfile import mkdtemp
    >>> from policylang import Refused, loads
    >>> bundle = loads("module shop action refund { amount: Decimal(2) } rule r: allow refund if refund.amount <= 50.00")
    >>> gate = Gate.open(bundle, store=mkdtemp() + "/traces.duckdb")
    >>> @gate.protect("refund")
    ... def refund(amount: Decimal) -> str:
    ...     return f"paid {amount}"
    >>> refund("12.5")
    'paid 12.50'
    >>> try:
    ...     refund(400)
    ... except Refused as refused:
    ...     print(refused.answer.outcome.value, refused.answer.instead[0].says)
    deny at most 50.00
    >>> gate.close()
    """

    @classmethod
    def open(
        cls,
        policies: str | PathLike[str] | Bundle | Decider | None = None,
        *,
        store: str | PathLike[str] | TraceStore,
        sources: Mapping[str, FactSource] | None = None,
        settings: GateSettings | None = None,
        params: Mapping[str, object] | None = None,
    ) -> Self:
        """Open a gate over policies and a store.

        `policies` is a folder or file of modules (with `params` overriding params by name), or a bundle that is loaded already; without it
        the modules that are published in the store decide, with their rollouts. `sources` are looked up for facts that a
        call does not bring, by name of the fact.

        Raises `PolicyInvalid` where the policies have errors or a source is for no declared fact,
        `TraceUnavailableError` where the state beside the store cannot be made, and `OSError` where its folder cannot.
        """
        settings = settings or GateSettings()
        opened = store if isinstance(store, TraceStore) else TraceStore.open(store)
        try:
            # Made now: a state that is missing later on has vanished, and is not taken for one that never was.
            opened.state.version()
            match policies:
                case None:
                    decider: Decider = Deployment(opened, clock=settings.clock)
                case Bundle():
                    decider = SingleBundle(policies)
                case str() | PathLike():
                    decider = SingleBundle(_loaded(policies, opened, params, settings))
                case _:
                    decider = policies
            _check_sources(decider, sources or {})
            return cls(decider, opened, sources, settings)
        except BaseException:
            opened.close()
            raise

    # --- running ---

    def call(
        self,
        action: str,
        arguments: Mapping[str, object],
        run: Callable[[Mapping[str, Any]], ResultT],
        *,
        agent: Mapping[str, Any] | str | None = None,
        facts: Mapping[str, Any] | None = None,
        subject: str = "",
        approval: str | None = None,
    ) -> ResultT:
        """Decide a call, and run it with the arguments that were decided; what it gives.

        `run` gets them by name of their field: values of the language, with lists, sets and dicts made anew.
        Raises `Refused` where it may not run, whatever the reason, `ExecutedOtherwise` where `run` has changed them, and what `run`
        raises. The outcome is recorded in every case.
        """
        verdict = self.decide(
            action, arguments, agent=agent, facts=facts, subject=subject, approval=approval
        )
        return self.run(verdict, run)

    async def acall(
        self,
        action: str,
        arguments: Mapping[str, object],
        run: Callable[[Mapping[str, Any]], Awaitable[ResultT]],
        *,
        agent: Mapping[str, Any] | str | None = None,
        facts: Mapping[str, Any] | None = None,
        subject: str = "",
        approval: str | None = None,
    ) -> ResultT:
        """As `call`, for a coroutine. A task that is cancelled while it runs is recorded as failed, and counts."""
        verdict = await self.adecide(
            action, arguments, agent=agent, facts=facts, subject=subject, approval=approval
        )
        return await self.arun(verdict, run)

    def run(self, verdict: Verdict, run: Callable[[Mapping[str, Any]], ResultT]) -> ResultT:
        """Run a call that was decided, once; see `call`. Raises `NotLeft` where it has been run already."""
        self._start(verdict)
        arguments = verdict.natural()
        try:
            result = complete(run(arguments))
        except BaseException as error:
            self._ended(verdict, arguments, error)
            raise
        self._ended(verdict, arguments, None)
        return result

    async def arun(
        self, verdict: Verdict, run: Callable[[Mapping[str, Any]], Awaitable[ResultT]]
    ) -> ResultT:
        """As `run`, for a coroutine. The outcome is recorded without holding up the loop."""
        self._start(verdict)
        arguments = verdict.natural()
        try:
            result = await run(arguments)
        except Exception as error:
            # Shielded: who is cancelled now has run the call, and its outcome is recorded all the same.
            await asyncio.shield(asyncio.to_thread(self._ended, verdict, arguments, error))
            raise
        except BaseException as error:
            # The task is ending, and is not made to wait for a thread.
            self._ended(verdict, arguments, error)
            raise
        await asyncio.shield(asyncio.to_thread(self._ended, verdict, arguments, None))
        return result

    # --- putting it before functions ---

    def protect(
        self,
        action: str,
        *,
        facts: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
        undecided: Sequence[str] = (),
    ) -> Callable[[FunctionT], FunctionT]:
        """Put the gate before a function or coroutine, which then runs as that action or not at all.

        Its parameters are fields of the action by name, or by `names` (field by parameter); `undecided` are those that no
        field stands for. `facts` are rows, or functions of the validated arguments, by name of fact. The function gets what was decided,
        converted to its annotations. Calling it raises as `call` does.

        Raises `PolicyInvalid` where the signature and the action's declaration do not fit.
        """
        mapped = Mapped(names or {}, undecided)

        def decorate(function: FunctionT) -> FunctionT:
            return protected(self, action, function, mapped, dict(facts or {}))

        return decorate

    def guard_tools(
        self,
        tools: Mapping[str, Callable[..., Any]],
        *,
        facts: Mapping[str, Any] | None = None,
        undecided: Sequence[str] = (),
    ) -> dict[str, Callable[..., Any]]:
        """The same tools, each behind the gate as the action of its name; see `protect`.

        `undecided` are parameters of any tool. Raises `PolicyInvalid` with what is wrong with all of them.
        """
        guarded, problems = {}, list[Diagnostic]()
        for name, tool in tools.items():
            own = [each for each in undecided if each in inspect.signature(tool).parameters]
            try:
                guarded[name] = self.protect(name, facts=facts, undecided=own)(tool)
            except PolicyInvalid as invalid:
                problems.extend(invalid.diagnostics)
        if problems:
            raise PolicyInvalid(problems)
        return guarded

    def session(
        self,
        *,
        agent: Mapping[str, Any] | str | None = None,
        facts: Mapping[str, Any] | None = None,
        subject: str = "",
    ) -> AbstractContextManager[Session]:
        """Who asks, and what is known, for every call in the block, and in the tasks that it starts.

        Inside of another session it adds facts, and replaces what it names itself.
        """
        return session(agent, facts, subject)

    def stop(self, name: str, *, who: str, why: str = "") -> Stop:
        """Refuse the calls of an agent, of an action or `all`, in every process, until `gate.stops.lift`."""
        return self.stops.stop(name, who=who, why=why)

    def _start(self, verdict: Verdict) -> None:
        """Make sure that a call may run, now and once."""
        if not verdict.allowed:
            raise Refused(verdict.answer) from verdict.error
        if not verdict.started.take():
            raise NotLeft("this call has been run: one decision allows one call")
        try:
            stop = self.stops.on(verdict.action, verdict.agent)
        except TraceUnavailableError as error:
            self._outcomes.skip(verdict, "whether it is stopped cannot be known")
            raise Refused(unavailable(verdict.action)) from error
        if stop is not None:
            self._outcomes.skip(verdict, stop.says)
            raise Refused(stopped(verdict, stop))

    def _ended(
        self, verdict: Verdict, arguments: Mapping[str, Any], error: BaseException | None
    ) -> None:
        """Record what became of a call. Raises where that is what its caller has to know."""
        match error:
            case None:
                self._outcomes.ran(verdict, Status.EXECUTED, arguments, "")
            case NotRunError():
                self._outcomes.skip(verdict, str(error.cause))
                raise error.cause
            case Exception():
                self._outcomes.ran(verdict, Status.FAILED, arguments, told(error))
            case _:
                # Cancelled, or interrupted, in the middle: it may have had its effect, and so it counts.
                detail = f"interrupted: {told(error)}"
                self._outcomes.ran(verdict, Status.FAILED, arguments, detail, keeps=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.close()
        return False


def _check_sources(decider: Decider, sources: Mapping[str, FactSource]) -> None:
    """Raise `PolicyInvalid` where a source is for no fact: it would never be asked."""
    program = decider.program
    unknown = [name for name in sources if not program.schema.named(name, RelationKind.FACT)]
    if unknown:
        raise PolicyInvalid([no_such_fact(program, name) for name in unknown])


def _loaded(
    policies: str | PathLike[str],
    store: TraceStore,
    params: Mapping[str, object] | None,
    settings: GateSettings,
) -> Bundle:
    """The bundle of the policies. Where a share of its decisions is verified, the store keeps the differences."""
    return load(
        policies,
        params=params,
        clock=settings.clock,
        verify=settings.verify,
        on_incident=incident_recorder(store),
    )
