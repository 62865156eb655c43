"""The points at which rules can turn as one value of a request changes, where all of them can be found.

A rule that only compares a value (plus or minus what does not depend on it) with what does not depend on it turns at a
finite number of points; between them everything that is decided stays the same. Where a rule does anything else with the
value (multiplies it, joins by it, hands it on in a definition), nothing is said about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeAlias, assert_never

from policylang.evaluate.calculate import value_of
from policylang.evaluate.exact import CalculationFailure
from policylang.evaluate.interpret import Solution, instances
from policylang.evaluate.model import Model
from policylang.evaluate.scopes import expression_variables, needs_of, variables_of
from policylang.facts.values import Missing, Value
from policylang.semantics.program import (
    Aggregate,
    Apply,
    Bind,
    Body,
    Constant,
    Derive,
    Each,
    Expression,
    Literal,
    Match,
    Not,
    Operation,
    Or,
    Rule,
    Test,
    Variable,
)
from policylang.semantics.slicing import slice_for

MOST_INSTANCES: Final = 256
"""Instances of a body that are looked at for the values on the other side of a comparison."""

Place: TypeAlias = "tuple[str, int]"
"""A column: the relation and the position."""

_COMPARISONS: Final = frozenset(
    {Operation.EQ, Operation.NE, Operation.LT, Operation.LE, Operation.GT, Operation.GE}
)


class NotFoundError(Exception):
    """The points cannot all be found."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A comparison of the value with another: `side` is made of the value, and turns where it is `other`.

    `side` is the value plus or minus what `bindings` hold; `variables` are those in it that stand for the value.
    """

    side: Expression
    other: Value
    bindings: Mapping[str, Value]
    variables: frozenset[str]


def thresholds(model: Model, action: str, places: frozenset[Place]) -> tuple[Threshold, ...]:
    """Every point at which a rule of the action can turn with the value that stands at these places.

    Raises `NotFoundError` where a rule does more with it than compare.
    """
    rules = slice_for(model.program, action).rules
    turning = _turning(rules, places)
    found: list[Threshold] = []
    for rule in rules:
        found.extend(_Search(rule, model, places, turning).found())
    return tuple(found)


def _turning(rules: tuple[Rule, ...], places: frozenset[Place]) -> frozenset[str]:
    """The definitions whose atoms may be others where the value is another."""
    turning: set[str] = set()
    size = -1
    while size != len(turning):
        size = len(turning)
        for rule in rules:
            if isinstance(rule.head, Derive) and _reads(rule.body, places, turning):
                turning.add(rule.head.predicate)
    return frozenset(turning)


def _reads(body: Body, places: frozenset[Place], turning: set[str] | frozenset[str]) -> bool:
    return any(
        literal.name in turning
        or any(
            isinstance(argument, Variable | Constant) and (literal.name, i) in places
            for i, argument in enumerate(literal.arguments)
        )
        for literal in _matches(body)
    )


def _matches(body: Body) -> Iterator[Match]:
    for literal in _literals(body):
        if isinstance(literal, Match):
            yield literal


def _literals(body: Body) -> Iterator[Literal]:
    for literal in body:
        yield literal
        for inner in _bodies(literal):
            yield from _literals(inner)


def _bodies(literal: Literal) -> tuple[Body, ...]:
    match literal:
        case Not() | Aggregate():
            return (literal.body,)
        case Or():
            return literal.branches
        case Match() | Each() | Bind() | Test():
            return ()
        case _:
            assert_never(literal)


@dataclass(slots=True)
class _Search:
    """One rule: which of its variables hold the value, and where it compares them."""

    rule: Rule
    model: Model
    places: frozenset[Place]
    turning: frozenset[str]
    holding: set[str] = field(default_factory=set)
    """Variables that hold the value, plus or minus something else."""
    stepping: set[str] = field(default_factory=set)
    """Variables whose values may be others where the value is another."""
    made: dict[str, Expression] = field(default_factory=dict)
    """What the variables that hold the value are calculated from, where they are."""

    def found(self) -> Iterator[Threshold]:
        if not _reads(self.rule.body, self.places, self.turning):
            return
        self._mark()
        if isinstance(self.rule.head, Derive) and any(
            isinstance(term, Variable) and term.name in self.holding
            for term in self.rule.head.arguments
        ):
            raise NotFoundError
        yield from self._in(self.rule.body, ())

    def _mark(self) -> None:
        """Find the variables that hold the value, and those that depend on it in steps."""
        literals = list(_literals(self.rule.body))
        size = -1
        while size != len(self.holding) + len(self.stepping):
            size = len(self.holding) + len(self.stepping)
            for literal in literals:
                self._mark_of(literal)

    def _mark_of(self, literal: Literal) -> None:
        match literal:
            case Match() if literal.name in self.turning:
                self.stepping.update(a.name for a in literal.arguments if isinstance(a, Variable))
            case Match():
                self.holding.update(a.name for i, a in enumerate(literal.arguments) if self._is(literal, i) and isinstance(a, Variable))  # fmt: skip
            case Bind() if self._holds(literal.value):
                self.holding.add(literal.variable.name)
                self.made[literal.variable.name] = literal.value
            case Bind() if self._steps(literal.value):
                self.stepping.add(literal.variable.name)
            case Each() if self._steps(literal.collection):
                self.stepping.update(a.name for a in (literal.element, literal.index) if isinstance(a, Variable))  # fmt: skip
            case Aggregate() if self._varies(literal.body):
                self.stepping.add(literal.result.name)
            case Or() if any(map(self._varies, literal.branches)):
                self.stepping.update({v.name for v in literal.binds} - self.holding)
            case _:
                pass

    def _is(self, literal: Match, position: int) -> bool:
        return (literal.name, position) in self.places

    def _holds(self, expression: Expression) -> bool:
        return not self.holding.isdisjoint(expression_variables(expression))

    def _steps(self, expression: Expression) -> bool:
        return not self.stepping.isdisjoint(expression_variables(expression))

    def _varies(self, body: Body) -> bool:
        own = {name for literal in body for name in variables_of(literal)}
        return _reads(body, self.places, self.turning) or bool(own & (self.holding | self.stepping))

    # --- the comparisons ---

    def _in(self, body: Body, around: Body) -> Iterator[Threshold]:
        everything = (*around, *body)
        for literal in body:
            yield from self._of(literal, everything)
            for inner in _bodies(literal):
                yield from self._in(inner, everything)

    def _of(self, literal: Literal, body: Body) -> Iterator[Threshold]:
        match literal:
            case Match():
                yield from self._matched(literal)
            case Each():
                if self._holds(literal.collection) or self._is_held(literal.element):
                    raise NotFoundError
                if self._is_held(literal.index):
                    raise NotFoundError
            case Bind():
                if self._holds(literal.value):
                    self._check_linear(literal.value)
            case Test():
                if self._holds(literal.condition):
                    yield from self._compared(literal.condition, body)
            case Aggregate():
                if literal.value is not None and self._holds(literal.value):
                    raise NotFoundError
                if literal.result.name in self.holding:
                    raise NotFoundError
            case Not() | Or():
                pass
            case _:
                assert_never(literal)

    def _is_held(self, argument: object) -> bool:
        return isinstance(argument, Variable) and argument.name in self.holding

    def _matched(self, literal: Match) -> Iterator[Threshold]:
        for i, argument in enumerate(literal.arguments):
            if not self._is(literal, i):
                if self._is_held(argument):  # a join by the value
                    raise NotFoundError
            elif isinstance(argument, Constant):
                side = Variable("_value", argument.type)
                yield Threshold(side, argument.value, {}, frozenset({"_value"}))

    def _check_linear(self, expression: Expression) -> None:
        """Raise unless the expression is the value plus or minus what does not depend on it."""
        match expression:
            case Apply(operation=Operation.ADD | Operation.SUB, arguments=(left, right)):
                if self._holds(left) and self._holds(right):
                    raise NotFoundError
                rest, linear = (right, left) if self._holds(left) else (left, right)
                if self._steps(rest):
                    raise NotFoundError
                self._check_linear(linear)
            case Apply(operation=Operation.NEG | Operation.FIT, arguments=(inner, *_)):
                self._check_linear(inner)
            case Apply():
                raise NotFoundError
            case Variable() | Constant():
                pass
            case _:
                assert_never(expression)

    def _compared(self, condition: Expression, body: Body) -> Iterator[Threshold]:
        if not isinstance(condition, Apply):
            raise NotFoundError
        first, *others = condition.arguments
        operation = condition.operation
        if operation in _COMPARISONS and self._holds(others[0]):
            first, others = others[0], [first]
        if operation not in _COMPARISONS and operation is not Operation.BETWEEN:
            raise NotFoundError
        if any(self._holds(other) or self._steps(other) for other in others):
            raise NotFoundError
        self._check_linear(first)
        for other in others:
            yield from self._points(self._unfolded(first), other, body)

    def _unfolded(self, expression: Expression) -> Expression:
        """The expression with calculated variables that hold the value replaced by what they are made from."""
        match expression:
            case Variable() if expression.name in self.made:
                return self._unfolded(self.made[expression.name])
            case Apply():
                arguments = tuple(map(self._unfolded, expression.arguments))
                return Apply(expression.operation, arguments, expression.type)
            case _:
                return expression

    def _points(self, side: Expression, other: Expression, body: Body) -> Iterator[Threshold]:
        """The threshold for each value that the other side, and the rest of this one, may have."""
        named = {*expression_variables(side), *expression_variables(other)}
        binding = self._binding(named - self.holding, body)
        for bindings in self._instances(binding):
            value = value_of(other, bindings)
            if isinstance(value, CalculationFailure):
                raise NotFoundError
            if not isinstance(value, Missing):
                yield Threshold(side, value, bindings, frozenset(named & self.holding))

    def _instances(self, binding: Body) -> Iterator[Mapping[str, Value]]:
        if not binding:
            yield {}
            return
        found = list(islice(instances(binding, {}, self.model), MOST_INSTANCES + 1))
        if len(found) > MOST_INSTANCES:
            raise NotFoundError
        for instance in found:
            if not isinstance(instance, Solution):
                raise NotFoundError
            yield instance.bindings

    def _binding(self, wanted: set[str], body: Body) -> Body:
        """The literals that give these variables their values: no tests, so that no value is left out."""
        chosen: dict[int, Literal] = {}
        known: set[str] = set()
        needs = needs_of(body)
        waiting = set(wanted)
        while waiting:
            name = waiting.pop()
            known.add(name)
            given = [i for i, x in enumerate(body) if name in _given(x)]
            if not given or name in self.stepping:
                raise NotFoundError
            for i in given:
                chosen[i] = body[i]
                if not isinstance(body[i], Match):
                    if needs[i] & self.holding:
                        raise NotFoundError
                    waiting |= set(needs[i]) - known
        return tuple(chosen[i] for i in sorted(chosen))


def _given(literal: Literal) -> frozenset[str]:
    """The variables that a literal gives values to; an `or` is not looked into."""
    match literal:
        case Match():
            return frozenset(a.name for a in literal.arguments if isinstance(a, Variable))
        case Each():
            pair = (literal.element, literal.index)
            return frozenset(a.name for a in pair if isinstance(a, Variable))
        case Bind():
            return frozenset({literal.variable.name})
        case Aggregate():
            return frozenset({literal.result.name})
        case Test() | Not() | Or():
            return frozenset()
        case _:
            assert_never(literal)
