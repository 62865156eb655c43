"""What a framework's adapter says about its calls, and what every adapter then has in common.

An adapter answers five questions about a call of its framework: which action it asks for, with which arguments, who asks,
how the call looks with the arguments that were decided, and how a refusal is handed back. `Guarded` does the rest, the same
for every framework. Whether an adapter gets it right is what `policylang.testing.adapters` checks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeVar

from policylang.decide.json import plain
from policylang.facts.values import MISSING
from policylang.gate.answer import Answer
from policylang.gate.gate import Gate
from policylang.gate.verdict import Once, Refused

CallT = TypeVar("CallT")
ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: the agent and the facts by name as in a request, whom it is about, and the ticket of an approval."""

    agent: Mapping[str, object] | str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    subject: str = ""
    approval: str | None = None


class Adapter(Protocol[CallT, ResultT_co]):
    """What a framework's adapter says about its calls. Nothing of it decides anything."""

    def name(self, call: CallT, /) -> str:
        """The action that the call asks for: the name of its tool, unless the adapter maps it."""
        ...

    def arguments(self, call: CallT, /) -> Mapping[str, object]:
        """The arguments as they came, not changed."""
        ...

    def identity(self, call: CallT, /) -> Identity:
        """Who asks. Never from what a model wrote."""
        ...

    def with_arguments(self, call: CallT, arguments: Mapping[str, Any], /) -> CallT:
        """The same call with exactly these arguments: those that were decided."""
        ...

    def refusal(self, call: CallT, answer: Answer, /) -> ResultT_co:
        """What the framework gets in the place of a result; or raises what it expects to be raised."""
        ...


class Guarded(Generic[CallT, ResultT]):
    """A gate before the calls of one framework: what an adapter says of them is decided, recorded, and run as decided.

    Safe to use from many threads and tasks at once where the adapter is.
    """

    def __init__(self, gate: Gate, adapter: Adapter[CallT, ResultT]) -> None:
        self._gate = gate
        self._adapter = adapter

    def __call__(self, call: CallT, run: Callable[[CallT], ResultT]) -> ResultT:
        """Let a call run, or hand back its refusal. What `run` raises is raised, once it is recorded."""
        adapter, started = self._adapter, Once()

        def running(decided: Mapping[str, Any]) -> ResultT:
            started.take()
            return run(adapter.with_arguments(call, decided))

        try:
            name, arguments = adapter.name(call), adapter.arguments(call)
            return self._gate.call(name, arguments, running, **_who(adapter.identity(call)))
        except Refused as refused:
            return adapter.refusal(call, _own(refused, started))

    async def acall(self, call: CallT, run: Callable[[CallT], Awaitable[ResultT]]) -> ResultT:
        """As calling it, for a coroutine. A cancelled call is recorded as failed."""
        adapter, started = self._adapter, Once()

        async def running(decided: Mapping[str, Any]) -> ResultT:
            started.take()
            return await run(adapter.with_arguments(call, decided))

        try:
            name, arguments = adapter.name(call), adapter.arguments(call)
            return await self._gate.acall(name, arguments, running, **_who(adapter.identity(call)))
        except Refused as refused:
            return adapter.refusal(call, _own(refused, started))


def _who(identity: Identity) -> dict[str, Any]:
    return {
        "agent": identity.agent,
        "facts": identity.facts,
        "subject": identity.subject,
        "approval": identity.approval,
    }


def _own(refused: Refused, started: Once) -> Answer:
    """The answer to this call. A refusal of a call that a running tool makes itself is an error of that tool."""
    if not started.take():
        raise refused
    return refused.answer


def as_given(given: Mapping[str, object], decided: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that were decided, in forms that JSON has, for frameworks that validate arguments of their own.

    What came as the same number or text stays as it came; everything else is in the JSON form of its type.
    """
    return {name: _form(given.get(name, MISSING), value) for name, value in decided.items()}


def _form(given: object, value: Any) -> Any:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if is_number and isinstance(value, int | Decimal) and Decimal(str(given)) == value:
        return given
    match value:
        case None:
            return None
        case Mapping():
            return {name: _form(MISSING, item) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_form(MISSING, item) for item in value]
        case _:
            return plain(value)
