"""Literals as steps of ASP bodies: the part of the lowering that knows what each kind of literal means."""

from __future__ import annotations

from typing import assert_never

from policylang.evaluate.asp.build import ONE, Scope
from policylang.evaluate.asp.constants import MISSING_TERM, TRUE_TERM
from policylang.evaluate.asp.failing import can_fail, variables_of
from policylang.evaluate.asp.flat import FlatLiteral
from policylang.evaluate.asp.layout import relation_of
from policylang.evaluate.asp.nested import aggregated, negated
from policylang.evaluate.asp.steps import Literals, Pattern, Step
from policylang.evaluate.asp.terms import (
    AspLiteral,
    AspTerm,
    Call,
    Compared,
    Elements,
    Expected,
    Fails,
    Function,
    Lookup,
    MayHold,
    Name,
    Number,
    Values,
)
from policylang.facts.types import base
from policylang.semantics.program import (
    ABSENT,
    ANY,
    PRESENT,
    Aggregate,
    Apply,
    Argument,
    Bind,
    Constant,
    Each,
    Expression,
    Hole,
    Match,
    Not,
    Operation,
    Test,
    Variable,
)

_NEVER = Compared("=", Number(0), ONE)


def write(scope: Scope, literal: FlatLiteral, pattern: Pattern) -> Step:
    """The step of a literal after the steps of a pattern."""
    match literal:
        case Match():
            return matched(scope, literal, pattern)
        case Each():
            return _elements(scope, literal)
        case Bind():
            return _bound(scope, literal, pattern)
        case Test():
            return _tested(scope, literal)
        case Not():
            return negated(scope, literal, pattern, write)
        case Aggregate():
            return aggregated(scope, literal, pattern, write)
        case _:
            assert_never(literal)


# --- matches -----------------------------------------------------------------------------------------


def matched(scope: Scope, literal: Match, pattern: Pattern) -> Step:
    """A match: an atom, or where its relation is held in an index a call that looks its rows up."""
    build = scope.build
    columns = _Columns(scope, literal)
    row = Function("", (Number(build.numbers[literal.name]), *columns.identity))
    if literal.name in build.access.indexed:
        return Step((*_looked_up(scope, literal, columns, pattern), *columns.conditions), row=row)
    about_request = not build.is_fixed(literal.name)
    atom = build.atom(build.predicates[literal.name], columns.terms, about_request)
    holds = (atom, *columns.conditions)
    if not scope.is_recursive(literal):
        return Step(holds, row=row)

    # SOLVER: a context that depends on the very definition that its nested body helps to derive would be a cycle
    # through negation, which grounding alone does not decide. It is made from more than that definition.
    def around() -> Literals:
        over = build.over_predicate(literal.name)
        return (build.atom(over, columns.terms, about_request), *columns.conditions)

    return Step(holds, around=around, row=row)


class _Columns:
    """The arguments of a match's atom, what they have to fulfil besides, and what tells its rows apart."""

    def __init__(self, scope: Scope, literal: Match) -> None:
        self._scope = scope
        self.conditions: list[AspLiteral] = []
        layout = scope.build.layouts.get(literal.name)
        if layout is None:
            self.terms = [
                scope.fresh("Any") if isinstance(a, Hole) else scope.term(a)
                for a in literal.arguments
            ]
            self.identity = tuple(self.terms)
            return
        relation = relation_of(scope.build.program, literal.name)
        self.terms = []
        if layout.numbered:
            self.terms.append(scope.fresh("Row"))
        self.identity = tuple(self.terms)
        if layout.sourced:
            self.terms.append(self._source(literal))
        for position in layout.columns:
            optional = relation.columns[position].optional
            self.terms.append(self._column(literal.arguments[position], optional))

    def _source(self, literal: Match) -> AspTerm:
        source = self._scope.fresh("Source")
        if literal.source is not None:
            self.conditions.append(Compared(">=", source, Number(int(literal.source))))
        return source

    def _column(self, argument: Argument, optional: bool) -> AspTerm:
        if argument is ABSENT:
            return MISSING_TERM
        if isinstance(argument, Hole):
            term: AspTerm = self._scope.fresh("Any")
        else:
            term = self._scope.term(argument)
        if optional and argument is not ANY and isinstance(term, Name):
            self.conditions.append(Compared("!=", term, MISSING_TERM))
        return term


def _looked_up(
    scope: Scope, literal: Match, columns: _Columns, pattern: Pattern
) -> tuple[AspLiteral]:
    known = {scope.variable(name) for name in pattern.bound}
    bound = tuple(
        i for i, term in enumerate(columns.terms) if not isinstance(term, Name) or term in known
    )
    free = tuple(i for i in range(len(columns.terms)) if i not in bound)
    call = scope.build.call(f"rows_{literal.name}", Lookup(literal.name, bound, free))
    answer: AspTerm = ONE
    if free:
        answer = Function("", tuple(columns.terms[i] for i in free))
    return (Compared("=", answer, Call(call, tuple(columns.terms[i] for i in bound))),)


# --- computed literals ---------------------------------------------------------------------------------


def _tested(scope: Scope, literal: Test) -> Step:
    condition = literal.condition
    if not isinstance(condition, Apply):
        return Step((Compared("=", scope.term(condition), TRUE_TERM),))
    left, *others = condition.arguments
    if condition.operation in _NATIVE and _are_terms_of_one_type(left, others[0]):
        operator = _NATIVE[condition.operation]
        return Step((Compared(operator, _term(scope, left), _term(scope, others[0])),))
    return _computed(scope, condition, TRUE_TERM, Expected.TRUE)


_NATIVE = {Operation.EQ: "=", Operation.NE: "!="}
"""SOLVER: equality of terms is equality of values; the order of terms would not be that of values."""


def _are_terms_of_one_type(left: Expression, right: Expression) -> bool:
    """SOLVER: clingo puts one side of an equality for the other, so that `X == 0.01` would let an operation on an
    Int X be called with 0.01 before it is known that no row has it.
    """
    if not isinstance(left, Variable | Constant) or not isinstance(right, Variable | Constant):
        return False
    return base(left.type) == base(right.type)


def _term(scope: Scope, expression: Expression) -> AspTerm:
    assert isinstance(expression, Variable | Constant)
    return scope.term(expression)


def _bound(scope: Scope, literal: Bind, pattern: Pattern) -> Step:
    variable = scope.variable(literal.variable.name)
    if _are_terms_of_one_type(literal.variable, literal.value):
        return Step((Compared("=", variable, _term(scope, literal.value)),))
    known = literal.variable.name in pattern.bound
    expected = Expected.EQUAL if known else Expected.PRESENT
    return _computed(scope, literal.value, variable, expected)


def _computed(scope: Scope, expression: Expression, answer: AspTerm, expected: Expected) -> Step:
    """A step that asks something of the value of an expression."""
    names, arguments = parameters(scope, expression)
    wish = _wish(expression)
    values = scope.build.call(wish, Values(expression, names))
    holds = (Compared("=", answer, Call(values, arguments)),)
    if not can_fail(expression):
        return Step(holds)
    may_hold = scope.build.call(f"{wish}_or_fails", MayHold(expression, names, expected))
    compared = (*arguments, answer) if expected is Expected.EQUAL else arguments
    return Step(
        holds,
        fails=_fails(scope, expression),
        may_hold=(Compared("=", ONE, Call(may_hold, compared)),),
    )


def _fails(scope: Scope, expression: Expression) -> _Failing:
    names, arguments = parameters(scope, expression)
    call = scope.build.call(f"{_wish(expression)}_fails", Fails(expression, names))
    return _Failing(Call(call, arguments))


def _wish(expression: Expression) -> str:
    return expression.operation.name if isinstance(expression, Apply) else "value"


class _Failing:
    """Says that a call's expression fails, and with which failure."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __call__(self, failure: Name) -> Literals:
        return (Compared("=", failure, self._call),)


def parameters(scope: Scope, expression: Expression) -> tuple[tuple[str, ...], tuple[AspTerm, ...]]:
    """The variables that a call for an expression takes, as the policy and as the rule name them."""
    names = tuple(dict.fromkeys(v.name for v in variables_of(expression)))
    return names, tuple(map(scope.variable, names))


def _elements(scope: Scope, literal: Each) -> Step:
    if literal.element is ABSENT or literal.index is ABSENT:
        return Step((_NEVER,))
    names, arguments = parameters(scope, literal.collection)
    indexed = literal.index not in (ANY, PRESENT)
    element = _argument(scope, literal.element)
    answer = Function("", (element, _argument(scope, literal.index))) if indexed else element
    call = scope.build.call("each", Elements(literal.collection, names, indexed))
    holds = (Compared("=", answer, Call(call, arguments)),)
    if not can_fail(literal.collection):
        return Step(holds)
    return Step(holds, fails=_fails(scope, literal.collection))


def _argument(scope: Scope, argument: Argument) -> AspTerm:
    return scope.fresh("Any") if isinstance(argument, Hole) else scope.term(argument)
