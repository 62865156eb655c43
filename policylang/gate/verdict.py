"""`Verdict`: what a gate says about one call, and `Refused`, which a protected function raises."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from policylang.bundle.case import Case
from policylang.decide.json import typed
from policylang.errors import PolicyError
from policylang.facts.types import Field
from policylang.facts.values import Missing, Value
from policylang.gate.answer import Answer
from policylang.gate.answer_making import answer_of
from policylang.gate.answer_text import for_model
from policylang.gate.converting import natural
from policylang.trace.writer import TraceUnavailableError


class Refused(PolicyError):  # noqa: N818 - it is an answer, and no error of the program
    """A protected call was not run. `answer` says why, and what may be done about it.

    >>> from policylang.gate.answer import AnswerKind, Retry, When, refused
    >>> stopped = refused("refund", AnswerKind.STOPPED, "all calls are stopped", retry=Retry(When.LATER))
    >>> Refused(stopped).answer.grounds[0].message
    'all calls are stopped'
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(for_model(answer))
        self.answer = answer

    def __reduce__(self) -> tuple[type[Refused], tuple[Answer]]:
        return type(self), (self.answer,)


class ExecutedOtherwise(PolicyError):  # noqa: N818 - it names what happened
    """A call ran, or was about to run, with other arguments than were decided.

    `decision_id` names the decision; `authorized` and `executed` are the arguments in JSON forms. Where it ran, the
    outcome is recorded with what it ran with, and the audit `executed_otherwise` finds it.

    >>> from tempfile import mkdtemp
    >>> from policylang import Gate, loads
    >>> bundle = loads("module shop action ship { pieces: Int } rule all: allow ship")
    >>> with Gate.open(bundle, store=mkdtemp() + "/traces.duckdb") as gate:
    ...     try:
    ...         gate.call("ship", {"pieces": 3}, lambda arguments: arguments.update(pieces=300))
    ...     except ExecutedOtherwise as otherwise:
    ...         print(otherwise.authorized, otherwise.executed)
    {'pieces': 3} {'pieces': 300}
    """

    def __init__(
        self, decision_id: str, authorized: Mapping[str, Any], executed: Mapping[str, Any]
    ) -> None:
        names = sorted(
            name for name in {*authorized, *executed} if authorized.get(name) != executed.get(name)
        )
        named = ", ".join(f"`{name}`" for name in names)
        super().__init__(f"other arguments than were decided ({decision_id}): {named}")
        self.decision_id = decision_id
        self.authorized = dict(authorized)
        self.executed = dict(executed)

    def __reduce__(self) -> tuple[type[ExecutedOtherwise], tuple[str, Any, Any]]:
        return type(self), (self.decision_id, self.authorized, self.executed)


class NotLeft(PolicyError):  # noqa: N818 - it names what is the matter
    """A verdict was used a second time: one decision allows one call.

    >>> from tempfile import mkdtemp
    >>> from policylang import Gate, loads
    >>> bundle = loads("module shop action ship rule all: allow ship")
    >>> with Gate.open(bundle, store=mkdtemp() + "/traces.duckdb") as gate:
    ...     verdict = gate.decide("ship")
    ...     gate.run(verdict, lambda arguments: None)
    ...     try:
    ...         gate.run(verdict, lambda arguments: None)
    ...     except NotLeft as used:
    ...         print(used)
    this call has been run: one decision allows one call
    """


class Once:
    """Something that happens once, whoever tries. Thread-safe."""

    __slots__ = ("_is_taken", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_taken = False

    def take(self) -> bool:
        """Whether this is the first time."""
        with self._lock:
            taken, self._is_taken = self._is_taken, True
            return not taken


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a gate says about one call, recorded under `decision_id` (empty where it could not be recorded).

    `arguments` are the validated, normalized arguments of the action: a call runs with these, once. They are values of
    the language, what is missing left out; empty where the request reached no rule. `case` is None where it could not be decided.

    >>> from tempfile import mkdtemp
    >>> from policylang import Gate, loads
    >>> bundle = loads("module shop action refund { amount: Decimal(2) } rule r: allow refund if refund.amount <= 50.00")
    >>> with Gate.open(bundle, store=mkdtemp() + "/traces.duckdb") as gate:
    ...     verdict = gate.decide("refund", {"amount": 12})
    ...     gate.run(verdict, lambda arguments: print("paying", arguments["amount"]))
    paying 12.00
    >>> verdict.allowed, verdict.json_arguments
    (True, {'amount': '12.00'})
    """

    action: str
    decision_id: str
    case: Case | None = field(repr=False)
    agent: str = ""
    subject: str = ""
    ticket: str | None = None
    reservation: str | None = None
    """The name of the places that the call takes up in limits, until its outcome is known."""
    given: Answer | None = field(default=None, repr=False)
    started: Once = field(default_factory=Once, repr=False)
    settled: Once = field(default_factory=Once, repr=False)
    error: Exception | None = field(default=None, repr=False)
    """Why it could not be decided or recorded."""

    @property
    def allowed(self) -> bool:
        """Whether the call may run.

        >>> Verdict("refund", "", None).allowed
        False
        """
        return self.given is not None and self.given.allowed

    @cached_property
    def answer(self) -> Answer:
        """The structured answer. For a denial it is made when it is asked for, since it takes some milliseconds.

        Raises `TraceUnavailableError` where there is neither an answer nor a case to make one of.
        """
        if self.given is not None:
            return self.given
        if self.case is None:
            raise TraceUnavailableError("the call could not be decided")
        return answer_of(self.case, self.decision_id, self.ticket)

    @cached_property
    def arguments(self) -> Mapping[str, Value]:
        """The arguments that were decided, as values."""
        return {column.name: value for column, value in self._cells()}

    @cached_property
    def json_arguments(self) -> Mapping[str, Any]:
        """The arguments that were decided, in the JSON forms of their types."""
        return {column.name: typed(value, column.domain.type) for column, value in self._cells()}

    def natural(self) -> dict[str, Any]:
        """The arguments that were decided, as Python code expects them; lists, sets and dicts are made anew each time."""
        return {column.name: natural(value, column.domain.type) for column, value in self._cells()}

    def _cells(self) -> list[tuple[Field, Value]]:
        if self.case is None or self.case.facts is None:
            return []
        facts = self.case.facts
        columns = self.case.program.schema.relations[facts.action].columns
        cells = zip(columns, facts.of(facts.action)[0].values, strict=True)
        return [(column, value) for column, value in cells if not isinstance(value, Missing)]
