"""What would be allowed: the values of one argument, and the times, at which a refused call gets through.

Nothing is guessed. Where all points at which rules can turn are known (`policylang.gate.answer_thresholds`), the call is
decided again at each of them and beside it; between them nothing changes.
"""

from __future__ import annotations

import datetime as dt
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal, TypeAlias

from policylang.bundle.case import Case
from policylang.bundle.evaluators import choose
from policylang.decide.decide import Authorizer
from policylang.decide.decision import Decision, Outcome
from policylang.decide.json import typed
from policylang.decide.wording import written
from policylang.evaluate.calculate import value_of
from policylang.evaluate.exact import CalculationFailure
from policylang.evaluate.firings import Evaluator, Limits
from policylang.evaluate.plan import refusal
from policylang.facts.factset import FactSet, Row
from policylang.facts.schema import Relation, RelationKind
from policylang.facts.types import DATE, DATETIME, DURATION, INT, DecimalType, Domain, Type
from policylang.facts.values import Missing, Value
from policylang.gate.answer import AnswerOutcome, Instead
from policylang.gate.answer_thresholds import NotFoundError, Place, Threshold, thresholds
from policylang.semantics.program import Allow, Derive, Program, RequireApproval, Rule
from policylang.semantics.slicing import matches, slice_for

MOST_POINTS: Final = 96
"""Times that a call is decided again for one answer."""

MOST_ROWS: Final = 5_000
"""Rows of facts with which a call is decided again: more take too long for what an answer tells beside a refusal."""

_SECONDS: Final = Limits(seconds=1.0)
_NOW: Final = "now"

Again: TypeAlias = "Callable[[Sequence[FactSet]], Sequence[Decision]]"
"""Decides fact sets by the program of a case."""


def instead_of(case: Case) -> tuple[Instead, ...]:
    """The values of single arguments with which a refused call is allowed, or at least can be approved.

    Empty where there are none, and where it cannot be proved.
    """
    facts = case.facts
    if facts is None or not _can_be_decided_again(case):
        return ()
    wanted = [Outcome.ALLOW]
    if case.decision.outcome is Outcome.DENY:
        wanted.append(Outcome.NEEDS_APPROVAL)
    again, found, left = _again(case), [], MOST_POINTS
    for column in _columns(case):
        points = _points(case, column.places, column.domain, column.value)
        if points and len(points) <= left:
            left -= len(points)
            decided = again([column.changed(facts, point) for point in points])
            ranges = (_range(column, points, decided, outcome) for outcome in wanted)
            found += [each for each in ranges if each is not None][:1]
    return tuple(found)


def later(case: Case) -> dt.datetime | Literal["never", "unknown"]:
    """The first moment at which a denied call is no longer denied if nothing but time goes by.

    `never` where that is proved, or where no rule that stands in the way reads the time; `unknown` where one does in a way that
    cannot be followed.
    """
    facts = case.facts
    if facts is None or not turns_with_time(case):
        return "never"
    if not _can_be_decided_again(case) or facts.of("approval"):
        return "unknown"
    points = _points(case, frozenset({(_NOW, 0)}), Domain(DATETIME, low=facts.now), facts.now)
    if not points or len(points) > MOST_POINTS:
        return "unknown"
    moved = [_at(facts, point) for point in points if isinstance(point, dt.datetime)]
    for moment, decision in zip(moved, _again(case)(moved), strict=True):
        if decision.outcome is not Outcome.DENY:
            return moment.now
    return "never"


def turns_with_time(case: Case) -> bool:
    """Whether the rules that stand in the way of a denied call read the time, so that it may get through later.

    Those are the rules that forbid it or, where nothing allows it, those that could.
    """
    if case.facts is None or case.decision.failure is not None:
        return False
    deciding = set(case.decision.determining)
    rules = [
        rule
        for rule in slice_for(case.program, case.facts.action).rules
        if (rule.name in deciding if deciding else isinstance(rule.head, Allow | RequireApproval))
    ]
    return any(_NOW in _read(rule, case.program) for rule in rules)


def _read(rule: Rule, program: Program) -> set[str]:
    """The relations that a rule reads, through definitions as well."""
    found: set[str] = set()
    waiting = [rule]
    while waiting:
        new = {match.name for match in matches(waiting.pop().body)} - found
        found |= new
        waiting += [
            clause
            for clause in program.rules
            if isinstance(clause.head, Derive) and clause.head.predicate in new
        ]
    return found


def _can_be_decided_again(case: Case) -> bool:
    """Whether a call can be decided again and again: by the compiled plan, with not too many rows."""
    assert case.facts is not None
    if case.decision.failure is not None or refusal(case.program) is not None:
        return False
    return sum(len(case.facts.of(name)) for name in case.facts.rows) <= MOST_ROWS


def _at(facts: FactSet, now: dt.datetime) -> FactSet:
    rows = {**facts.rows, _NOW: (Row(0, (now,)),)} if _NOW in facts.rows else facts.rows
    return replace(facts, now=now, rows=rows)


# --- the columns that can be varied ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Column:
    """A field of the asked action, with the places of it in groups that the action is in."""

    path: str
    value: Value
    domain: Domain
    places: frozenset[Place]

    def changed(self, facts: FactSet, value: Value) -> FactSet:
        rows = dict(facts.rows)
        for relation, position in self.places:
            rows[relation] = tuple(_with(row, position, value) for row in facts.of(relation))
        return replace(facts, rows=rows)


def _with(row: Row, position: int, value: Value) -> Row:
    values = (*row.values[:position], value, *row.values[position + 1 :])
    return Row(row.id, values, row.source)


def _columns(case: Case) -> Iterator[_Column]:
    facts = case.facts
    assert facts is not None
    relations = case.program.schema.relations
    action = relations[facts.action]
    groups = [
        relation
        for relation in relations.values()
        if relation.kind is RelationKind.GROUP and facts.action in relation.members
    ]
    for position, column in enumerate(action.columns):
        for row in facts.of(action.name):
            value = row.values[position]
            if _is_ordered(column.domain.type) and not column.secret and value is not None:
                if isinstance(value, Missing):
                    continue
                places = {(action.name, position)} | _also(groups, column.name)
                path = f"{action.bare_name}.{column.name}"
                yield _Column(path, value, column.domain, frozenset(places))


def _also(groups: Sequence[Relation], name: str) -> set[Place]:
    return {
        (group.name, i)
        for group in groups
        for i, column in enumerate(group.columns)
        if column.name == name
    }


def _is_ordered(type_: Type) -> bool:
    return isinstance(type_, DecimalType) or type_ in (INT, DATE, DATETIME, DURATION)


# --- points on the grid of a type -----------------------------------------------------------------------

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


def _number(value: Any) -> Fraction:
    """A value as a number: durations in microseconds, dates and times as those since 1970."""
    match value:
        case dt.datetime():
            return Fraction((value - _EPOCH) // _MICROSECOND)
        case dt.date():
            return Fraction((value - _EPOCH.date()) // _MICROSECOND)
        case dt.timedelta():
            return Fraction(value // _MICROSECOND)
        case int() | Decimal():
            return Fraction(value)
        case _:
            raise NotFoundError


def _unit(type_: Type) -> Fraction:
    if isinstance(type_, DecimalType):
        return Fraction(1, 10 ** (type_.scale or 0))
    return Fraction(86_400_000_000 if type_ is DATE else 1)


def _value(number: Fraction, type_: Type) -> Value | None:
    """The value of a number on the grid; None where the type has no such value."""
    try:
        if isinstance(type_, DecimalType):
            scale = type_.scale or 0
            digits = tuple(map(int, str(abs(whole := int(number * 10**scale)))))
            return Decimal((whole < 0, digits, -scale)) if len(digits) <= 38 else None
        if type_ is INT:
            return int(number)
        moved = dt.timedelta(microseconds=int(number))
        if type_ is DURATION:
            return moved
        return _EPOCH + moved if type_ is DATETIME else (_EPOCH + moved).date()
    except OverflowError:
        return None


def _points(case: Case, places: frozenset[Place], domain: Domain, start: Value) -> list[Value]:
    """Where to decide again: on and beside every point at which a rule can turn; empty where unknown."""
    assert case.facts is not None
    try:
        found = thresholds(case.model, case.facts.action, places)
        numbers = {_where(threshold, start, domain.type) for threshold in found}
        low = None if domain.low is None else _number(domain.low)
        high = None if domain.high is None else _number(domain.high)
    except NotFoundError:
        return []
    unit, grid = _unit(domain.type), set[Fraction]()
    for number in numbers:
        floor, ceiling = math.floor(number / unit) * unit, math.ceil(number / unit) * unit
        grid |= {floor - unit, floor, ceiling, ceiling + unit}
    if not grid:
        return []
    grid |= {end for end in (low, high) if end is not None}
    inside = (n for n in sorted(grid) if (low is None or n >= low) and (high is None or n <= high))
    values = (_value(number, domain.type) for number in inside)
    return [value for value in values if value is not None]


def _where(threshold: Threshold, start: Value, type_: Type) -> Fraction:
    """The number at which the side that is made of the value meets the other: it is the value plus a constant."""
    beside = _value(_number(start) + _unit(type_), type_)
    here, there = (_number(_side(threshold, value)) for value in (start, beside))
    sign = 1 if there > here else -1
    return _number(start) + sign * (_number(threshold.other) - here)


def _side(threshold: Threshold, value: Value | None) -> Value:
    if value is None:
        raise NotFoundError
    bindings = {**threshold.bindings, **dict.fromkeys(threshold.variables, value)}
    side = value_of(threshold.side, bindings)
    if isinstance(side, CalculationFailure | Missing):
        raise NotFoundError
    return side


# --- ranges -----------------------------------------------------------------------------------------------


def _range(
    column: _Column, points: Sequence[Value], decided: Sequence[Decision], wanted: Outcome
) -> Instead | None:
    """The range of values with the wanted outcome that is nearest to the value given."""
    runs = _runs([decision.outcome for decision in decided], wanted)
    if not runs:
        return None
    here = _number(column.value)

    def distance(run: tuple[int, int]) -> Fraction:
        low, high = _number(points[run[0]]), _number(points[run[1]])
        return max(low - here, here - high, Fraction(0))

    first, last = min(runs, key=distance)
    low = None if first == 0 else points[first]
    high = None if last == len(points) - 1 else points[last]
    type_ = column.domain.type
    beside = [*decided[max(first - 1, 0) : first], *decided[last + 1 : last + 2]]
    return Instead(
        path=column.path,
        outcome=AnswerOutcome(wanted.value),
        low=None if low is None else typed(low, type_),
        high=None if high is None else typed(high, type_),
        says=_says(low, high, type_),
        internal=any(reason.internal for decision in beside for reason in decision.reasons),
    )


def _runs(outcomes: Sequence[Outcome], wanted: Outcome) -> list[tuple[int, int]]:
    """The first and last positions of each run of the wanted outcome."""
    runs: list[tuple[int, int]] = []
    for i, outcome in enumerate(outcomes):
        if outcome is not wanted:
            continue
        if runs and runs[-1][1] == i - 1:
            runs[-1] = (runs[-1][0], i)
        else:
            runs.append((i, i))
    return runs


def _says(low: Value | None, high: Value | None, type_: Type) -> str:
    if low is not None and high is not None:
        if low == high:
            return f"exactly {written(low, type_)}"
        return f"from {written(low, type_)} to {written(high, type_)}"
    if low is not None:
        return f"at least {written(low, type_)}"
    return "any value" if high is None else f"at most {written(high, type_)}"


# --- deciding again ---------------------------------------------------------------------------------------


class _Kept:
    """The evaluators of the last programs, since compiling one takes longer than deciding with it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._made: OrderedDict[Any, tuple[Evaluator, Authorizer]] = OrderedDict()

    def of(self, case: Case) -> tuple[Evaluator, Authorizer]:
        reference: Mapping[str, str] = {} if case.facts is None else case.facts.reference
        key = (case.program.digest, tuple(sorted(reference.items())))
        with self._lock:
            known = self._made.get(key)
            if known is None:
                evaluator = choose(case.program, case.reference, "plan")
                known = self._made[key] = evaluator, Authorizer(case.program, case.reference)
                while len(self._made) > self._most:
                    self._made.popitem(last=False)
            self._made.move_to_end(key)
            return known


_KEPT: Final = _Kept(4)


def _again(case: Case) -> Again:
    def decided(changed: Sequence[FactSet]) -> Sequence[Decision]:
        evaluator, authorizer = _KEPT.of(case)
        evaluations = evaluator.evaluate_many(changed, _SECONDS)
        pairs = zip(changed, evaluations, strict=True)
        return [authorizer.decide(facts, evaluation) for facts, evaluation in pairs]

    return decided
