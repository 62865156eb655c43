"""The bounds that a refused call does not keep: comparisons of rules, limits, and declared ranges."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from policylang.bundle.case import Case
from policylang.decide.decision import Outcome, ReasonKind
from policylang.decide.json import typed
from policylang.decide.secrets import Secrets, secrets_of
from policylang.decide.wording import bare, written
from policylang.evaluate.calculate import value_of
from policylang.evaluate.exact import CalculationFailure
from policylang.evaluate.firings import Firing
from policylang.evaluate.interpret import Bindings, solutions
from policylang.explain.nearest import Mark
from policylang.facts import codes
from policylang.facts.rejection import Problem, without_positions
from policylang.facts.schema import RelationKind, Schema
from policylang.facts.types import BOOL, Domain, Type
from policylang.facts.values import Missing, Value
from policylang.gate.answer import Bound, Instead
from policylang.semantics.program import (
    Apply,
    Constant,
    Deny,
    Expression,
    Operation,
    Rule,
    Test,
    Variable,
)

MOST_BOUNDS: Final = 10
"""Bounds that one answer names."""

_FLIPPED: Final = {
    Operation.LT: Operation.GT,
    Operation.LE: Operation.GE,
    Operation.GT: Operation.LT,
    Operation.GE: Operation.LE,
    Operation.EQ: Operation.EQ,
    Operation.NE: Operation.NE,
}
_NEGATED: Final = {
    Operation.LT: Operation.GE,
    Operation.LE: Operation.GT,
    Operation.GT: Operation.LE,
    Operation.GE: Operation.LT,
}
_WORDS: Final = {
    Operation.LT: "less than {}",
    Operation.LE: "at most {}",
    Operation.GT: "more than {}",
    Operation.GE: "at least {}",
    Operation.EQ: "{}",
    Operation.NE: "other than {}",
    Operation.HAS: "one that has {}",
    Operation.IN: "one of {}",
    Operation.LIKE: "like {}",
}


def bounds_of(case: Case) -> tuple[Bound, ...]:
    """The bounds that stood in the way of a call, each once, in the order of the rules.

    Of a rule that forbids or asks for an approval, its ordered comparisons turned round; of the rules that come nearest
    to allowing the call, the comparisons that fail.
    """
    decision = case.decision
    if decision.rejection is not None:
        found = list(_declared(decision.rejection.problems, case.program.schema))
    elif case.facts is None or decision.failure is not None or decision.outcome is Outcome.ALLOW:
        found = []
    elif any(reason.kind is ReasonKind.NOTHING_ALLOWS for reason in decision.reasons):
        found = list(_missed(case))
    else:
        found = list(_held(case))
    once = [bound for i, bound in enumerate(found) if bound not in found[:i]]
    return tuple(once[:MOST_BOUNDS])


def agreeing(bounds: tuple[Bound, ...], instead: tuple[Instead, ...]) -> tuple[Bound, ...]:
    """The bounds without those that lead away from what is proved to get through.

    A rule that asks for an approval from 200.00 to 1000.00 could be left at either end, and only below 200.00 is allowed.
    """
    return tuple(
        bound
        for bound in bounds
        if all(each.path != bound.path or _leads_to(bound, each) for each in instead)
    )


def _leads_to(bound: Bound, instead: Instead) -> bool:
    """Whether the range has values that keep the bound."""
    limit = _ordered(bound.limit)
    low, high = (None if end is None else _ordered(end) for end in (instead.low, instead.high))
    match bound.operator:
        case "<" if low is not None:
            return bool(low < limit)
        case "<=" if low is not None:
            return bool(low <= limit)
        case ">" if high is not None:
            return bool(high > limit)
        case ">=" if high is not None:
            return bool(high >= limit)
        case _:
            return True


def _ordered(form: object) -> Any:
    """A JSON form as something that compares as the value does: a number, or a date or time as its text."""
    try:
        return Decimal(str(form))
    except InvalidOperation:
        return str(form)


# --- of rules that fired --------------------------------------------------------------------------------


def _held(case: Case) -> Iterator[Bound]:
    secrets = secrets_of(case.program)
    deciding = set(case.decision.determining)
    for firing in case.decision.firings:
        rule = case.model.rules[firing.rule]
        if rule.name in deciding:
            yield from _of_firing(rule, firing, case, secrets)


def _of_firing(rule: Rule, firing: Firing, case: Case, secrets: Secrets) -> Iterator[Bound]:
    known = {v.name: value for v, value in zip(rule.variables, firing.bindings, strict=True)}
    found = next(solutions(rule.body, known, case.model, any_row=True), None)
    if found is None:
        return
    if isinstance(rule.head, Deny) and rule.head.limit is not None:
        yield from _of_limit(rule, found.bindings, secrets)
        return
    for literal in rule.body:
        if isinstance(literal, Test) and isinstance(literal.condition, Apply):
            operation = _NEGATED.get(literal.condition.operation)
            if operation is not None:
                yield from _bound(rule, operation, literal.condition, found.bindings, secrets)


def _of_limit(rule: Rule, values: Bindings, secrets: Secrets) -> Iterator[Bound]:
    """The limit's own comparison, with this call counted: 4 where at most 3 may be."""
    test = next((x for x in reversed(rule.body) if isinstance(x, Test)), None)
    if test is None or not isinstance(test.condition, Apply):
        return
    total, most = test.condition.arguments
    value, limit = value_of(total, values), value_of(most, values)
    if isinstance(value, Missing | CalculationFailure) or isinstance(
        limit, Missing | CalculationFailure
    ):
        return
    if test.condition.operation is Operation.GE and isinstance(value, int):
        value += 1
    hidden = secrets.hides(total, rule.name)
    yield Bound(
        path=bare(rule.name),
        operator=Operation.LE.value,
        limit=typed(limit, most.type),
        value=None if hidden else typed(value, total.type),
        says=_says(Operation.LE, limit, most.type),
        rule=rule.name,
        param=_param(most),
        internal=_is_internal(rule),
    )


# --- of rules that did not fire -------------------------------------------------------------------------


def _missed(case: Case) -> Iterator[Bound]:
    secrets = secrets_of(case.program)
    for miss in case.why_not(Outcome.ALLOW).misses:
        rule = case.model.rules[miss.rule]
        for look in miss.nearest.looks:
            if look.mark is Mark.FAILS and isinstance(look.literal, Test):
                yield from _failing(rule, look.literal.condition, look.values, secrets)


def _failing(
    rule: Rule, condition: Expression, values: Bindings, secrets: Secrets
) -> Iterator[Bound]:
    match condition:
        case Variable() if _is_path(condition):
            wanted = Apply(Operation.EQ, (condition, Constant(value=True, type=BOOL)), BOOL)
            yield from _bound(rule, Operation.EQ, wanted, values, secrets)
        case Apply(operation=Operation.BETWEEN, arguments=(value, low, high)):
            for operation, end in ((Operation.GE, low), (Operation.LE, high)):
                one = Apply(operation, (value, end), BOOL)
                if value_of(one, values) is False:
                    yield from _bound(rule, operation, one, values, secrets)
        case Apply(operation=operation) if operation in _WORDS:
            yield from _bound(rule, operation, condition, values, secrets)
        case _:
            return


# --- one comparison ---------------------------------------------------------------------------------------


def _bound(
    rule: Rule, operation: Operation, condition: Apply, values: Bindings, secrets: Secrets
) -> Iterator[Bound]:
    """The bound of a comparison of which one side is a field of the request; nothing where none is.

    `operation` is the one that would have to hold, read with the sides as they are written.
    """
    left, right = condition.arguments
    if not _is_path(left):
        if not _is_path(right) or operation not in _FLIPPED:
            return
        left, right, operation = right, left, _FLIPPED[operation]
    value, limit = value_of(left, values), value_of(right, values)
    if secrets.hides(right, rule.name) or isinstance(limit, Missing | CalculationFailure):
        return
    shown = None
    if not secrets.hides(left, rule.name) and not isinstance(value, Missing | CalculationFailure):
        shown = typed(value, left.type)
    assert isinstance(left, Variable)
    yield Bound(
        path=left.name,
        operator=operation.value,
        limit=typed(limit, right.type),
        value=shown,
        says=_says(operation, limit, right.type),
        rule=rule.name,
        param=_param(right),
        internal=_is_internal(rule),
    )


def _is_path(expression: Expression) -> bool:
    """Whether an expression is a field of the request, read by its path."""
    return isinstance(expression, Variable) and expression.hidden and "." in expression.name


def _param(expression: Expression) -> str | None:
    return expression.param if isinstance(expression, Constant) else None


def _is_internal(rule: Rule) -> bool:
    return rule.message is not None and rule.message.internal


def _says(operation: Operation, limit: Value, type_: Type) -> str:
    return _WORDS[operation].format(written(limit, type_))


# --- declared ranges --------------------------------------------------------------------------------------


def _declared(problems: tuple[Problem, ...], schema: Schema) -> Iterator[Bound]:
    for problem in problems:
        if problem.code == codes.OUT_OF_RANGE.id:
            domain = _domain(problem.path, schema)
            if domain is not None:
                yield from _ends(problem, domain)


def _domain(path: str, schema: Schema) -> Domain | None:
    """The domain of the field of a fact or action that a path names; None for what lies deeper."""
    relation, _, column = without_positions(path).rpartition(".")
    for found in schema.named(relation, RelationKind.ACTION, RelationKind.FACT):
        for declared in found.columns:
            if declared.name == column:
                return None if declared.secret else declared.domain
    return None


def _ends(problem: Problem, domain: Domain) -> Iterator[Bound]:
    received = (problem.received or "").strip('"')
    below = _is_below(received, domain.low)
    ends = ((Operation.GE, domain.low), (Operation.LE, domain.high))
    for operation, end in ends:
        if end is not None and below in (None, operation is Operation.GE):
            yield Bound(
                path=problem.path,
                operator=operation.value,
                limit=typed(end, domain.type),
                value=received,
                says=_says(operation, end, domain.type),
            )


def _is_below(received: str, low: Value | None) -> bool | None:
    """Whether what was received lies below the range, where that can be told of a number."""
    if low is None:
        return False
    try:
        number = Decimal(received)
    except InvalidOperation:
        return None
    return number < low if isinstance(low, int | Decimal) else None
