"""What becomes of calls that were allowed: their places in limits, and the record of their outcome."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from policylang.decide.json import typed
from policylang.errors import PolicyError
from policylang.facts.forms import Unfit
from policylang.facts.reading import reader
from policylang.gate.limits import Limits
from policylang.gate.verdict import ExecutedOtherwise, NotLeft, Verdict
from policylang.trace.outcomes import Status
from policylang.trace.store import TraceStore
from policylang.trace.telemetry import Became, Observer, tell_became
from policylang.trace.writer import TraceUnavailableError

_log = logging.getLogger("policylang.gate")


class Outcomes:
    """Settles the calls of a gate. Thread-safe."""

    def __init__(
        self, store: TraceStore, limits: Limits, observers: Sequence[Observer] = ()
    ) -> None:
        self._store = store
        self._limits = limits
        self._observers = observers

    def settle(
        self,
        verdict: Verdict,
        status: Status,
        arguments: Mapping[str, Any] | None,
        detail: str,
        *,
        keeps: bool = False,
    ) -> str:
        """Settle a call; see `DecisionPoint.settle`. `keeps` keeps its places although it failed."""
        if not verdict.allowed:
            raise NotLeft("a call that was refused has no outcome")
        if not verdict.settled.take():
            raise NotLeft("the outcome of this call is recorded already")
        used = verdict.json_arguments if arguments is None else forms_of(verdict, arguments)
        if verdict.reservation is not None:
            # INVARIANT: places first. A kill in between leaves a call that counts and whose outcome is not known.
            if status is Status.EXECUTED or keeps:
                self._limits.settle(verdict.reservation)
            else:
                self._limits.release(verdict.reservation)
        id_ = self._store.outcome(
            verdict.decision_id, status, action=verdict.action, arguments=used, detail=detail
        )
        self._tell(verdict, status)
        if used != verdict.json_arguments and status is not Status.SKIPPED:
            raise ExecutedOtherwise(verdict.decision_id, verdict.json_arguments, used)
        return id_

    def ran(
        self,
        verdict: Verdict,
        status: Status,
        arguments: Mapping[str, Any],
        detail: str,
        *,
        keeps: bool = False,
    ) -> None:
        """Settle a call that was run with `arguments`. Raises `ExecutedOtherwise` where they were changed meanwhile.

        What cannot be recorded any more is logged: the call has had its effect, and its result is not to be lost. That
        its outcome is not known is then seen in the record (the audit `allowed_without_outcome`).
        """
        try:
            self.settle(verdict, status, arguments, detail, keeps=keeps)
        except TraceUnavailableError as error:
            _log.error(
                "that %s was %s is not recorded: %s", verdict.decision_id, status.value, error
            )

    def skip(self, verdict: Verdict, detail: str) -> None:
        """Record that a call that the rules allow does not run. Never raises: it does not run in any case."""
        try:
            if verdict.settled.take():
                if verdict.reservation is not None:
                    self._limits.release(verdict.reservation)
                self._store.outcome(
                    verdict.decision_id, Status.SKIPPED, action=verdict.action, detail=detail
                )
                self._tell(verdict, Status.SKIPPED)
        except PolicyError as error:
            _log.error("that %s was skipped is not recorded: %s", verdict.decision_id, error)

    def _tell(self, verdict: Verdict, status: Status) -> None:
        if self._observers:
            seen = Became(verdict.decision_id, verdict.action, status.value, verdict.agent)
            tell_became(self._observers, seen)

    def release(self, reservation: str) -> None:
        """Give back the places of a call that could not be recorded; where that fails, they are given back by time."""
        try:
            self._limits.release(reservation)
        except PolicyError as error:
            _log.error("a reservation is given back only after its time: %s", error)


def forms_of(verdict: Verdict, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that were really used, in the JSON forms of the action's fields, as far as they are such values.

    What is None is missing. What is no value of its field stays as it is, and so differs from what was decided.
    """
    case = verdict.case
    relation = None if case is None else case.program.schema.relations.get(verdict.action)
    columns = {} if relation is None else {column.name: column for column in relation.columns}
    forms: dict[str, Any] = {}
    for name, given in arguments.items():
        if given is None:
            continue
        forms[name] = given
        if name in columns:
            domain = columns[name].domain
            try:
                value = reader(domain)(list(given) if isinstance(given, set | frozenset) else given)
            except Unfit:
                continue
            if value is not None:
                forms[name] = typed(value, domain.type)
    return forms
