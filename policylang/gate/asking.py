"""What a call is asked with: the request for the border, what a session adds, and facts that are fetched."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, TypeAlias

from policylang.bundle.case import Case
from policylang.decide.decide import refuse
from policylang.decide.json import typed
from policylang.diagnostics import Diagnostic
from policylang.facts.describe import field_words
from policylang.facts.forms import Unfit, write_datetime
from policylang.facts.reading import reader
from policylang.facts.rejection import NeededFact, Problem, Rejection, RejectionKind
from policylang.facts.schema import Cardinality, RelationKind, Source
from policylang.facts.sources import Completed, FactSource, Fetcher
from policylang.facts.values import MISSING, Missing
from policylang.rollout.deciding import Decided
from policylang.semantics.program import Program
from policylang.semantics.slicing import slice_for

Given: TypeAlias = "tuple[Mapping[str, Any], Decided | None]"
"""A request with what was fetched for it, or the denial where that failed."""


@dataclass(frozen=True, slots=True)
class Session:
    """What is known for every call of a conversation."""

    agent: Mapping[str, Any] | str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    subject: str = ""


_NO_SESSION: Final = Session()
_SESSION: ContextVar[Session] = ContextVar("policylang.session", default=_NO_SESSION)


@contextlib.contextmanager
def session(
    agent: Mapping[str, Any] | str | None = None,
    facts: Mapping[str, Any] | None = None,
    subject: str = "",
) -> Iterator[Session]:
    """A session around the block, for this thread or task and those that it starts with its context.

    Inside of another one it adds facts, and replaces what it names itself.
    """
    outer = _SESSION.get()
    inner = Session(
        agent if agent is not None else outer.agent,
        {**outer.facts, **(facts or {})},
        subject or outer.subject,
    )
    token = _SESSION.set(inner)
    try:
        yield inner
    finally:
        _SESSION.reset(token)


@dataclass(frozen=True, slots=True)
class Asked:
    """One call as it was asked for, with what its session knows."""

    action: str
    args: Any
    agent: Mapping[str, Any] | str | None
    facts: Mapping[str, Any]
    subject: str
    approval: str | None
    seen: str = ""
    """The identity of the agent as the rules saw it, once they did."""

    @classmethod
    def of(
        cls,
        action: str,
        args: Mapping[str, Any] | None,
        agent: Mapping[str, Any] | str | None,
        facts: Mapping[str, Any] | None,
        subject: str,
        approval: str | None,
    ) -> Asked:
        """A call with what the session around it adds."""
        around = _SESSION.get()
        return cls(
            action,
            _unsourced(args),
            agent if agent is not None else around.agent,
            {**around.facts, **(facts or {})},
            subject or around.subject,
            approval,
        )

    @property
    def identity(self) -> str:
        """The identity of the agent; empty where none is known."""
        if self.seen or isinstance(self.agent, str):
            return self.seen or str(self.agent)
        found = self.agent.get("id") if isinstance(self.agent, Mapping) else None
        return found if isinstance(found, str) else ""

    def seen_in(self, case: Case) -> Asked:
        """The call with the identity that the rules saw: one agent is not two by how it was given or spelled."""
        found = _agent_of(case)
        return replace(self, seen=found) if found else self

    def request(self, program: Program, now: dt.datetime) -> dict[str, Any]:
        """The request, without the facts that are functions."""
        facts = {name: given for name, given in self.facts.items() if not callable(given)}
        request: dict[str, Any] = {
            "action": self.action,
            "args": self.args,
            "now": write_datetime(now),
        }
        if facts:
            request["facts"] = facts
        agent = self.agent
        if isinstance(agent, str):
            agent = {"id": agent} if _is_identity_enough(program) else None
        if agent is not None:
            request["agent"] = agent
        return request


def _unsourced(args: object) -> Any:
    """The arguments as a request has them. What is no mapping is refused at the border, and recorded.

    INVARIANT: arguments do not say where they come from. Whoever proposes them may have written `source` and `value`.
    """
    given = {} if args is None else dict(args) if isinstance(args, Mapping) else args
    if isinstance(given, dict) and given.keys() == {"source", "value"}:
        return {"source": Source.MODEL.word, "value": given}
    return given


def _agent_of(case: Case) -> str:
    """The `id` in the fact `agent` of a decided request; empty where there is none, or where it may not be told."""
    if case.facts is None:
        return ""
    for relation in case.program.schema.named("agent", RelationKind.FACT):
        rows = case.facts.of(relation.name)
        for column, value in zip(relation.columns, rows[0].values if rows else (), strict=False):
            told = column.name == "id" and not (column.secret or column.personal)
            if told and relation.cardinality is not Cardinality.MANY and value is not MISSING:
                return value if isinstance(value, str) else str(typed(value, column.domain.type))
    return ""


def _is_identity_enough(program: Program) -> bool:
    """Whether an identity alone makes a row of the fact `agent`: it has an `id`, and nothing else that has to be given."""
    return any(
        "id" in (column.name for column in relation.columns)
        and all(
            column.name == "id" or column.optional or not isinstance(column.default, Missing)
            for column in relation.columns
        )
        for relation in program.schema.named("agent", RelationKind.FACT)
    )


@dataclass(frozen=True, slots=True)
class _Function:
    """A fact that is a function of the validated arguments."""

    function: Callable[[Mapping[str, Any]], Any]
    source: Source = Source.SYSTEM

    def fetch(self, _fact: str, request: Mapping[str, Any], /) -> Any:
        return self.function(request["args"])


class Fetching:
    """Fetches the facts that a decision reads and a call was not given, from the sources of a gate. Thread-safe."""

    Way: TypeAlias = "Callable[[Asked, Program, dt.datetime], Given]"

    def __init__(self, sources: Mapping[str, FactSource], seconds: float) -> None:
        self._sources = dict(sources)
        self._fetcher = Fetcher({}, seconds=seconds)

    def fetch(self, asked: Asked, program: Program, now: dt.datetime) -> Given:
        """The request with all that has a source, looked up at once; a denial where a source failed."""
        request = asked.request(program, now)
        sought = self._sought(asked, program, request)
        if sought is None:
            return request, None
        fetcher = self._fetcher.beside(sought.sources)
        return _completed(fetcher.fetch(sought.request, sought.sources), request, program)

    async def afetch(self, asked: Asked, program: Program, now: dt.datetime) -> Given:
        """As `fetch`; sources that are coroutines run on the running loop."""
        request = asked.request(program, now)
        sought = self._sought(asked, program, request)
        if sought is None:
            return request, None
        fetcher = self._fetcher.beside(sought.sources)
        return _completed(await fetcher.afetch(sought.request, sought.sources), request, program)

    def told(self, asked: Asked, decided: Decided) -> Decided:
        """A refusal of arguments without the facts that would have been fetched for valid ones: nobody has to give those."""
        case = decided.case
        found = case.decision.rejection
        if found is None or found.kind is not RejectionKind.INVALID_FACTS or not found.needs:
            return decided
        functions = [name for name, given in asked.facts.items() if callable(given)]
        reads = _reads(case.program, found.action)
        sourced = {_read_as(case.program, n, reads) for n in (*self._sources, *functions)}
        bare = {_bare(case.program, name) for name in sourced if name is not None}
        kept = replace(
            found,
            problems=tuple(p for p in found.problems if p.path not in bare),
            needs=tuple(need for need in found.needs if need.name not in sourced),
        )
        refused = Case(case.program, refuse(case.program, kept), None, case.reference)
        return replace(decided, case=refused)

    def _sought(self, asked: Asked, program: Program, request: Mapping[str, Any]) -> _Sought | None:
        """What is to be fetched; None where nothing is, or where the border will refuse the arguments."""
        functions = {n: _Function(f) for n, f in asked.facts.items() if callable(f)}
        if not functions and not self._sources:
            return None
        action = qualified(program, asked.action, RelationKind.ACTION)
        if action is None:
            return None
        reads = _reads(program, action)
        given = {*request.get("facts", ()), *(("agent",) if "agent" in request else ())}
        wanted: dict[str, FactSource] = {}
        for name, source in {**self._sources, **functions}.items():
            relation = _read_as(program, name, reads)
            if relation is not None and not given & {name, _bare(program, relation)}:
                wanted[relation] = source
        values = _values(program, action, asked.args) if wanted else None
        return None if values is None else _Sought({**request, "args": values}, wanted)


@dataclass(frozen=True, slots=True)
class _Sought:
    """A request as sources see it, with its validated arguments, and the sources by qualified name of their fact."""

    request: Mapping[str, Any]
    sources: Mapping[str, FactSource]


def qualified(program: Program, name: str, kind: RelationKind) -> str | None:
    """The qualified name of what is declared under a name; None where nothing, or more than one thing, is."""
    found = program.schema.named(name, kind)
    return found[0].name if len(found) == 1 else None


def _read_as(program: Program, name: str, reads: Collection[str]) -> str | None:
    """The fact of that name that an action reads: of several modules that declare one, as the border takes it."""
    found = [r.name for r in program.schema.named(name, RelationKind.FACT) if r.name in reads]
    return found[0] if len(found) == 1 else None


def _bare(program: Program, relation: str) -> str:
    return program.schema.relations[relation].bare_name


@lru_cache(maxsize=256)
def _read_by(_digest: str, action: str, program: _Same) -> frozenset[str]:
    return slice_for(program.program, action).relations


class _Same:
    """A program as a key that is always equal: its digest stands beside it."""

    __slots__ = ("program",)

    def __init__(self, program: Program) -> None:
        self.program = program

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same)

    def __hash__(self) -> int:
        return 0


def _reads(program: Program, action: str) -> frozenset[str]:
    """The relations that a decision about an action reads."""
    return _read_by(program.digest, action, _Same(program))


def _values(program: Program, action: str, args: object) -> dict[str, Any] | None:
    """The arguments as sources may use them: as the rules will see them; None where one is not valid."""
    if not isinstance(args, Mapping):
        return None
    values: dict[str, Any] = {}
    for column in program.schema.relations[action].columns:
        given = args.get(column.name)
        try:
            value = None if given is None else reader(column.domain)(given)
        except Unfit:
            return None
        if value is None and not isinstance(column.default, Missing):
            value = column.default
        if value is not None:
            values[column.name] = value
    return values


def _completed(completed: Completed, request: Mapping[str, Any], program: Program) -> Given:
    """The request with what was fetched; a denial where a source failed, whatever the rules make of missing rows."""
    failed = [(each.fact, each.problem) for each in completed.fetched if each.problem is not None]
    if not failed:
        return {**request, "facts": completed.request["facts"]}, None
    rejection = Rejection(
        RejectionKind.NEEDS_FACTS,
        qualified(program, str(request["action"]), RelationKind.ACTION) or "",
        tuple(_problem(_bare(program, fact), problem) for fact, problem in failed),
        tuple(_needed(program, fact) for fact, _ in failed),
    )
    return request, Decided(Case(program, refuse(program, rejection), None, {}))


def _problem(name: str, found: Diagnostic) -> Problem:
    return Problem(found.code, name, f"/facts/{name}", found.message)


def _needed(program: Program, fact: str) -> NeededFact:
    columns = program.schema.relations[fact].columns
    return NeededFact(fact, tuple(field_words(column) for column in columns))
