"""What the heads of fired rules say, read off their firings: approvals, duties, values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from policylang.decide.decision import Assignment, Obligation, Requirement
from policylang.errors import InternalError
from policylang.evaluate.calculate import conform, order_key
from policylang.evaluate.exact import CalculationFailure
from policylang.evaluate.firings import Failure, FailureKind, Firing
from policylang.evaluate.model import read_off
from policylang.facts.describe import describe
from policylang.facts.factset import FactSet
from policylang.facts.schema import DecisionDeclaration, Schema
from policylang.facts.types import Domain, Type
from policylang.facts.values import Missing, Value
from policylang.semantics.program import Assign, Oblige, RequireApproval, Rule, Term

APPROVALS: Final = "approval"
"""The builtin relation of granted approvals: `by`, `id`, `time`."""

Fired: TypeAlias = Iterable[tuple[Rule, Sequence[Firing]]]
"""Rules that fired, in the order of the program, each with its firings."""


def requirement(
    rule: Rule, head: RequireApproval, firing: Firing, granted: Approvals
) -> Requirement:
    """The approval that one firing requires, and whether it is granted.

    `count: 2` among its other arguments asks for the approvals of two, told apart by their `id`.
    """
    by = _value(rule, head.by, firing)
    within = None if head.within is None else _value(rule, head.within, firing)
    if not isinstance(within, dt.timedelta | None):
        raise InternalError(f"`{rule.name}` requires an approval within what is no duration")
    others = _arguments(rule, head.others, firing)
    return Requirement(
        rule=rule.name,
        by=by,
        within=within,
        others=others,
        granted=granted.holds(by, within, wanted(others)),
    )


def wanted(others: Sequence[tuple[str, Value]]) -> int:
    """How many approvals a requirement asks for: its `count`, where that is a positive number, else one."""
    count = dict(others).get("count")
    is_number = isinstance(count, int) and not isinstance(count, bool)
    return max(count, 1) if is_number and isinstance(count, int) else 1


class Approvals:
    """The approvals that came with a request."""

    def __init__(self, facts: FactSet, schema: Schema) -> None:
        rows = facts.of(APPROVALS)
        self._now = facts.now
        self._given: list[tuple[Any, Any, Any]] = []
        if rows:
            relation = schema.relations[APPROVALS]
            by, id_, time = map(relation.position, ("by", "id", "time"))
            self._given = [(row.values[by], row.values[id_], row.values[time]) for row in rows]

    def holds(self, by: Value, within: dt.timedelta | None, count: int = 1) -> bool:
        """Whether as many in the role `by` approved, not after now and at most `within` before it."""
        found = {
            id_
            for role, id_, time in self._given
            if role == by and time <= self._now and (within is None or self._now - time <= within)
        }
        return len(found) >= count


def obligations(fired: Fired) -> tuple[Obligation, ...]:
    """The duties of fired rules, each once, in the order of the program."""
    found = (
        Obligation(rule.head.name, _arguments(rule, rule.head.arguments, firing), rule.name)
        for rule, firings in fired
        if isinstance(rule.head, Oblige)
        for firing in firings
    )
    return tuple(dict.fromkeys(found))


def assignments(
    fired: Fired, declared: Mapping[str, DecisionDeclaration]
) -> Mapping[str, Assignment]:
    """The value of each of these decisions: the one of highest priority, else the default.

    Different values of equal highest priority are a conflict: no value. A decision that no rule sets and
    that has no default is left out.
    """
    given: dict[str, list[tuple[int, Value, str]]] = {name: [] for name in declared}
    for rule, firings in fired:
        if isinstance(rule.head, Assign) and rule.head.decision in given:
            given[rule.head.decision].extend(
                (rule.head.priority, _assigned(rule, rule.head, firing, declared), rule.name)
                for firing in firings
            )
    chosen = {name: _chosen(declared[name], offers) for name, offers in given.items()}
    return {name: assignment for name, assignment in chosen.items() if assignment is not None}


def _chosen(
    declaration: DecisionDeclaration, offers: Sequence[tuple[int, Value, str]]
) -> Assignment | None:
    if not offers:
        default = declaration.default
        return None if isinstance(default, Missing) else Assignment(declaration.name, default, ())
    highest = max(priority for priority, _, _ in offers)
    best = [(value, rule) for priority, value, rule in offers if priority == highest]
    value, rules = best[0][0], tuple(sorted({rule for _, rule in best}))
    if any(other != value for other, _ in best):
        return Assignment(declaration.name, None, rules, conflict=True)
    return Assignment(declaration.name, value, rules)


def misfit(fired: Fired, declared: Mapping[str, DecisionDeclaration]) -> Failure | None:
    """The first rule that sets a decision to a value its type does not hold, as a failed evaluation."""
    for rule, firings in fired:
        if isinstance(rule.head, Assign):
            domain = declared[rule.head.decision].domain
            for firing in firings:
                (value,) = read_off(rule, (rule.head.value,), firing)
                failure = _misfit(value, domain)
                if failure is not None:
                    return Failure(rule.name, failure.kind.value, failure.message)
    return None


def _misfit(value: Value, domain: Domain) -> CalculationFailure | None:
    held = conform(value, domain.type)
    if isinstance(held, CalculationFailure):
        return held
    key = order_key(value, domain.type)
    low, high = domain.low, domain.high
    if low is not None and key < order_key(low, domain.type):
        return _outside(domain)
    if high is not None and key > order_key(high, domain.type):
        return _outside(domain)
    longest = domain.max_length
    if longest is not None and isinstance(value, str | tuple | frozenset) and len(value) > longest:
        return _outside(domain)
    return None


def _outside(domain: Domain) -> CalculationFailure:
    return CalculationFailure(
        FailureKind.OUT_OF_RANGE, f"the value that it sets is no {describe(domain)}"
    )


def _assigned(
    rule: Rule, head: Assign, firing: Firing, declared: Mapping[str, DecisionDeclaration]
) -> Value:
    (value,) = read_off(rule, (head.value,), firing)
    return _held(value, declared[head.decision].domain.type)


def _arguments(
    rule: Rule, named: tuple[tuple[str, Term], ...], firing: Firing
) -> tuple[tuple[str, Value], ...]:
    return tuple((name, _value(rule, term, firing)) for name, term in named)


def _value(rule: Rule, term: Term, firing: Firing) -> Value:
    (value,) = read_off(rule, (term,), firing)
    return _held(value, term.type)


def _held(value: Value, type_: Type) -> Value:
    """The value as its type writes it, so that equal decisions print alike."""
    held = conform(value, type_)
    return value if isinstance(held, CalculationFailure | Missing) else held
