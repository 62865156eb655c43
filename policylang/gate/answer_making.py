"""From a decided call to the answer for whoever asked."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from policylang.bundle.case import Case
from policylang.decide.decision import Decision, Outcome, Reason, ReasonKind
from policylang.decide.wording import bare
from policylang.evaluate.firings import FailureKind
from policylang.facts.rejection import RejectionKind
from policylang.gate.answer import (
    Answer,
    AnswerOutcome,
    Bound,
    Ground,
    Instead,
    Retry,
    When,
)
from policylang.gate.answer_allowed import instead_of, later
from policylang.gate.answer_bounds import agreeing, bounds_of
from policylang.semantics.program import Program

Moment: TypeAlias = 'dt.datetime | Literal["never", "unknown"]'

_MOST_KEPT: Final = 64

_log = logging.getLogger("policylang.gate")

_BY_MACHINE: Final = frozenset(
    {FailureKind.TIME_LIMIT.value, FailureKind.MEMORY_LIMIT.value, FailureKind.EVALUATOR.value}
)
_REJECTED: Final = {
    RejectionKind.BAD_REQUEST: When.CORRECTED,
    RejectionKind.UNKNOWN_ACTION: When.NEVER,
    RejectionKind.INVALID_FACTS: When.CORRECTED,
    RejectionKind.NEEDS_FACTS: When.FACTS,
}


def answer_of(case: Case, decision_id: str = "", ticket: str | None = None) -> Answer:
    """The answer to a decided call. `ticket` names the approval that was asked for or used.

    What would be allowed instead is found by deciding again, at most some hundred times, and only for calls
    that are not allowed.

    >>> from policylang import loads
    >>> bundle = loads('''
    ... module shop
    ... action refund { amount: Decimal(2) in 0.01 .. 1_000.00 }
    ... rule small: allow refund if refund.amount <= 200.00
    ... ''')
    >>> answer = answer_of(bundle.case({"action": "refund", "args": {"amount": "480.00"}}))
    >>> answer.outcome.value, answer.bounds[0].value, answer.bounds[0].says, answer.retry.when.value
    ('deny', '480.00', 'at most 200.00', 'changed')
    """
    decision = case.decision
    outcome = _outcome(decision)
    if outcome is AnswerOutcome.ALLOW:
        return _told(case, outcome, decision_id, ticket, None)
    bounds, instead, moment = _details(case)
    retry = _retry(case, outcome, instead, moment)
    return _told(case, outcome, decision_id, ticket, retry, bounds, instead)


def _details(
    case: Case,
) -> tuple[tuple[Bound, ...], tuple[Instead, ...], Moment]:
    """What is told beside a refusal. What cannot be found out is left out: the refusal stands without it."""
    try:
        moment: Moment = later(case) if case.decision.outcome is Outcome.DENY else "never"
        instead = instead_of(case)
        return agreeing(bounds_of(case), instead), instead, moment
    except Exception:  # noqa: BLE001 - nothing about the telling may change what was decided
        _log.exception("an answer goes without bounds")
        return (), (), "unknown"


def _told(
    case: Case,
    outcome: AnswerOutcome,
    decision_id: str,
    ticket: str | None,
    retry: Retry | None,
    bounds: tuple[Bound, ...] = (),
    instead: tuple[Instead, ...] = (),
) -> Answer:
    decision = case.decision
    rejection = decision.rejection
    return Answer(
        action=decision.action,
        outcome=outcome,
        grounds=tuple(_grounds(decision, case.program)),
        decision_id=decision_id,
        bounds=bounds,
        problems=() if rejection is None else rejection.problems,
        needs=() if rejection is None else rejection.needs,
        instead=instead,
        requires=tuple(r for r in decision.requires if not r.granted),
        obligations=decision.obligations,
        ticket=ticket,
        retry=retry,
        program=decision.program,
        more=0 if rejection is None else rejection.more,
    )


def _outcome(decision: Decision) -> AnswerOutcome:
    rejection = decision.rejection
    if rejection is not None and rejection.kind is RejectionKind.NEEDS_FACTS:
        return AnswerOutcome.NEEDS_FACTS
    return AnswerOutcome(decision.outcome.value)


def _grounds(decision: Decision, program: Program) -> Iterator[Ground]:
    """The reasons of a decision; those of the border are told once, and its problems beside them."""
    if decision.rejection is not None:
        kind = decision.rejection.kind
        yield Ground(kind.value, "", _REFUSALS[kind].format(bare(decision.action) or "the call"))
        return
    written = _written(program)
    for reason in decision.reasons:
        yield Ground(
            reason.kind.value, reason.rule, reason.message, reason.internal, reason.rule in written
            and not _is_failure(reason),
        )  # fmt: skip


_WRITTEN: dict[str, frozenset[str]] = {}


def _written(program: Program) -> frozenset[str]:
    """The rules whose sentences were written by people, found once a program."""
    known = _WRITTEN.get(program.digest)
    if known is None:
        if len(_WRITTEN) >= _MOST_KEPT:
            _WRITTEN.clear()
        found = frozenset(rule.name for rule in program.rules if rule.message is not None)
        known = _WRITTEN[program.digest] = found
    return known


def _is_failure(reason: Reason) -> bool:
    return reason.kind is ReasonKind.EVALUATION_FAILED


_REFUSALS: Final = {
    RejectionKind.BAD_REQUEST: "what was asked is no request",
    RejectionKind.UNKNOWN_ACTION: "no module declares the action {}",
    RejectionKind.INVALID_FACTS: "values of {} are not valid",
    RejectionKind.NEEDS_FACTS: "facts are missing that {} is decided on",
}


def _retry(
    case: Case, outcome: AnswerOutcome, instead: tuple[Instead, ...], moment: Moment
) -> Retry:
    decision = case.decision
    if decision.rejection is not None:
        return Retry(_REJECTED[decision.rejection.kind])
    if outcome is AnswerOutcome.NEEDS_APPROVAL:
        return Retry(When.APPROVED)
    if decision.failure is not None:
        later_on = decision.failure.code in _BY_MACHINE
        return Retry(When.LATER if later_on else When.NEVER)
    if isinstance(moment, dt.datetime):
        return Retry(When.LATER, moment)
    if instead:
        return Retry(When.CHANGED)
    return Retry(When.LATER if moment == "unknown" else When.NEVER)
