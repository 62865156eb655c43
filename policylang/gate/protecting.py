"""Functions behind a gate: what `Gate.protect` puts in their place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from policylang.diagnostics import Diagnostic
from policylang.errors import PolicyError, PolicyInvalid
from policylang.facts.schema import Relation, RelationKind
from policylang.gate import codes
from policylang.gate.asking import qualified
from policylang.gate.signature import Mapped, Signature, read_signature
from policylang.gate.verdict import Verdict
from policylang.semantics.program import Program
from policylang.semantics.suggest import did_you_mean

if TYPE_CHECKING:
    from policylang.gate.gate import Gate

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
ResultT = TypeVar("ResultT")


class NotRunError(Exception):
    """Something went wrong before the function was called: it is skipped, and `cause` is raised."""

    def __init__(self, cause: PolicyError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def told(error: BaseException) -> str:
    """What a call raised, for the record of its outcome."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def complete(found: ResultT) -> ResultT:
    """What a function gave, if it is done. Raises `TypeError` where it has not run yet: it is a coroutine, or a generator."""
    if inspect.iscoroutine(found) or inspect.isgenerator(found):
        found.close()
    elif not (inspect.isawaitable(found) or inspect.isasyncgen(found)):
        return found
    raise TypeError("a coroutine or generator was called as a function: nothing of it ran")


class _Protected:
    """One function before which a gate stands."""

    def __init__(
        self,
        gate: Gate,
        action: str,
        function: Callable[..., Any],
        mapped: Mapped,
        facts: Mapping[str, Any],
    ) -> None:
        self.gate = gate
        self.facts = facts
        self._function = function
        self._mapped = mapped
        self._signature, self.action = self._checked(action)

    def _checked(self, action: str) -> tuple[Signature, str]:
        program = self.gate.decider.program
        name = qualified(program, action, RelationKind.ACTION)
        if name is None:
            raise PolicyInvalid([_undeclared(program, action)])
        signature, problems = read_signature(
            self._function, program.schema.relations[name], self._mapped
        )
        problems += [
            no_such_fact(program, fact) for fact in self.facts if not _is_fact(program, fact)
        ]
        if signature is None or problems:
            raise PolicyInvalid(problems)
        return signature, name

    def bind(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[inspect.BoundArguments, dict[str, Any]]:
        """The arguments as Python binds them, and those of the action."""
        bound = self._signature.bind(args, kwargs)
        return bound, self._signature.asked(bound)

    def ready(self, bound: inspect.BoundArguments, verdict: Verdict) -> inspect.BoundArguments:
        """The arguments to call the function with. Raises `NotRunError`."""
        try:
            return self._for(verdict).decided(bound, verdict)
        except PolicyError as error:
            raise NotRunError(error) from error

    def _for(self, verdict: Verdict) -> Signature:
        """The signature as checked against the declaration that decided: another version may declare otherwise."""
        assert verdict.case is not None
        relation: Relation = verdict.case.program.schema.relations[verdict.action]
        if self._signature.is_for(relation):
            return self._signature
        signature, problems = read_signature(self._function, relation, self._mapped)
        if signature is None:
            raise PolicyInvalid(problems)
        return signature


def _undeclared(program: Program, action: str) -> Diagnostic:
    """That an action is not declared, or by several modules."""
    several = [relation.name for relation in program.schema.named(action, RelationKind.ACTION)]
    if several:
        hint: str | None = "write " + " or ".join(f"`{name}`" for name in several)
    else:
        hint = _meant(program, action, RelationKind.ACTION)
    who = "several modules declare" if several else "no module declares"
    return codes.UNDECLARED_ACTION.at(None, who=who, name=action, hint=hint)


def no_such_fact(program: Program, name: str) -> Diagnostic:
    """That no module declares a fact of this name, with the one that was probably meant."""
    hint = _meant(program, name, RelationKind.FACT)
    return codes.NO_SUCH_FACT.at(None, name=name, hint=hint)


def _meant(program: Program, name: str, kind: RelationKind) -> str | None:
    known = (r for r in program.schema.relations.values() if r.kind is kind)
    return did_you_mean(name, [r.name if "." in name else r.bare_name for r in known])


def _is_fact(program: Program, name: str) -> bool:
    return bool(program.schema.named(name, RelationKind.FACT))


def protected(
    gate: Gate, action: str, function: FunctionT, mapped: Mapped, facts: Mapping[str, Any]
) -> FunctionT:
    """A function, or a coroutine function, that decides before it runs; see `Gate.protect`."""
    behind = _Protected(gate, action, function, mapped, facts)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound, asked = behind.bind(args, kwargs)
        verdict = gate.decide(behind.action, asked, facts=facts)

        def run(_: Mapping[str, Any]) -> Any:
            ready = behind.ready(bound, verdict)
            return function(*ready.args, **ready.kwargs)

        return gate.run(verdict, run)

    @functools.wraps(function)
    async def acall(*args: Any, **kwargs: Any) -> Any:
        bound, asked = behind.bind(args, kwargs)
        verdict = await gate.adecide(behind.action, asked, facts=facts)

        async def run(_: Mapping[str, Any]) -> Any:
            ready = behind.ready(bound, verdict)
            return await function(*ready.args, **ready.kwargs)

        return await gate.arun(verdict, run)

    return cast("FunctionT", acall if is_coroutine_function(function) else call)


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Whether calling gives a coroutine: of a function, a method, a partial, or an object that is called."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - it is looked at, not asked for
    )
