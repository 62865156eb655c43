"""The reference says what the definition of a program says, sentence by sentence."""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given, settings

from policylang.evaluate.firings import Evaluation, Failure, FailureKind, Firing, Firings
from policylang.facts.factset import FactSet, Row
from policylang.facts.schema import Schema, Source
from policylang.facts.types import BOOL, INT, DecimalType, Domain, ListType
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics.program import (
    ABSENT,
    ANY,
    PRESENT,
    Aggregate,
    AggregateKind,
    Allow,
    Apply,
    Argument,
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
    Predicate,
    Program,
    Rule,
    Variable,
)
from policylang.semantics.program import Test as Condition
from tests.reference.evaluator import evaluate
from tests.reference.generator import ACTIONS, NOW, ORIGIN, Case, cases

X, Y, Z = (Variable(name, INT) for name in "XYZ")
DIVISION = FailureKind.DIVISION_BY_ZERO.value


def _constant(value: Value) -> Constant:
    return Constant(value, BOOL if isinstance(value, bool) else INT)


def _over(left: Expression, right: Expression) -> Apply:
    return Apply(Operation.GT, (left, right), BOOL)


FAILING = Apply(Operation.DIV, (_constant(1), _constant(0)), DecimalType(None))


def _p(*arguments: Argument) -> Match:
    return Match("p", arguments, ORIGIN)


def _q(*arguments: Argument) -> Match:
    return Match("q", arguments, ORIGIN)


def _test_that(condition: Expression) -> Condition:
    return Condition(condition, ORIGIN)


def _negated(*body: Literal) -> Not:
    return Not(body, (), ORIGIN)


def _rule(body: Body, variables: tuple[Variable, ...] = (), name: str = "rule") -> Rule:
    return Rule(name, Allow(), body, variables, ACTIONS[:1], 9, None, ORIGIN)


def _clause(predicate: str, arguments: tuple[Variable, ...], body: Body, stratum: int) -> Rule:
    head = Derive(predicate, arguments)
    return Rule(f"{predicate}/{stratum}", head, body, arguments, (), stratum, None, ORIGIN)


def _run(*rules: Rule, **rows: list[tuple[Value | Missing, ...]]) -> Evaluation:
    names = {r.head.predicate: r for r in rules if isinstance(r.head, Derive)}
    predicates = {
        name: Predicate(name, (INT,), ("a",), r.stratum, True, None, ORIGIN)
        for name, r in names.items()
    }
    program = Program((), Schema({}, {}, {}), predicates, rules, {}, {}, "")
    given = {name: tuple(Row(i, v) for i, v in enumerate(found)) for name, found in rows.items()}
    return evaluate(program, {}, FactSet(ACTIONS[0], NOW, given))


def _fired(evaluation: Evaluation, name: str = "rule") -> list[tuple[Value, ...]]:
    assert isinstance(evaluation, Firings)
    return [firing.bindings for firing in evaluation.firings if firing.rule == name]


def test_a_failing_literal_fails_where_the_others_hold() -> None:
    """A body in which all other literals hold fails with the code of the one that fails."""
    evaluation = _run(_rule((_p(X), _test_that(_over(FAILING, X))), (X,)), p=[(1,)])
    assert evaluation == Failure("rule", DIVISION, "")


@pytest.mark.parametrize("turned", [False, True])
def test_a_literal_that_does_not_hold_absorbs_a_failure(turned: bool) -> None:
    """A body with a literal that does not hold does not hold, before or after one that fails."""
    body: Body = (_test_that(_over(FAILING, X)), _test_that(_over(X, _constant(1))), _p(X))
    evaluation = _run(_rule(tuple(reversed(body)) if turned else body, (X,)), p=[(1,)])
    assert _fired(evaluation) == []


def test_a_failed_bind_beside_a_generator_is_a_comparison_that_fails() -> None:
    """A generator gives the variable its value, and a test on that value absorbs the failed bind."""
    body: Body = (Bind(X, FAILING, ORIGIN), _p(X), _test_that(_over(X, _constant(5))))
    assert _fired(_run(_rule(body, (X,)), p=[(1,)])) == []
    assert isinstance(_run(_rule(body, (X,)), p=[(6,)]), Failure)


def test_what_reads_a_failed_value_fails() -> None:
    """Literals that read a failed variable fail, negations as a whole too, and absorb nothing."""
    body: Body = (Bind(X, FAILING, ORIGIN), _negated(_p(X)), _test_that(_over(X, _constant(5))))
    assert isinstance(_run(_rule(body)), Failure)


def test_a_negation_is_false_where_an_instance_holds_and_fails_where_one_fails() -> None:
    """An instance that holds outweighs one that fails; one that fails outweighs none that holds."""
    inner: Body = (
        _p(X),
        Bind(Y, Apply(Operation.DIV, (_constant(1), X), DecimalType(None)), ORIGIN),
    )
    assert _fired(_run(_rule((_negated(*inner),)), p=[(0,), (1,)])) == []
    assert isinstance(_run(_rule((_negated(*inner),)), p=[(0,)]), Failure)
    assert _fired(_run(_rule((_negated(*inner),)))) == [()]


def test_a_branch_is_a_body_of_its_own() -> None:
    """A branch that fails fails the body around it, though another branch holds."""
    either = Or(((_p(X),), (_test_that(_over(FAILING, _constant(0))),)), (), ORIGIN)
    assert isinstance(_run(_rule((either,)), p=[(1,)]), Failure)
    absorbed = Or(((_p(X),), (_test_that(_over(FAILING, _constant(0))), _q(ANY))), (), ORIGIN)
    assert _fired(_run(_rule((absorbed,)), p=[(1,)])) == [()]


def test_a_missing_column_matches_only_what_asks_nothing_of_its_value() -> None:
    """A variable or constant never matches a missing column; `_` and `missing` do."""
    rows: dict[str, list[tuple[Value | Missing, ...]]] = {"p": [(MISSING,), (1,)]}
    assert _fired(_run(_rule((_p(X),), (X,)), **rows)) == [(1,)]
    assert _fired(_run(_rule((_p(ABSENT),)), **rows)) == [()]
    assert _fired(_run(_rule((_p(PRESENT), _negated(_p(_constant(2))))), **rows)) == [()]


def test_equal_rows_are_two_rows_and_equal_atoms_are_one() -> None:
    """An aggregate counts rows by identity, and the atoms of a definition as a set."""
    d = Match("d", (X,), ORIGIN)
    for body, expected in (((_p(X),), 3), ((d,), 2)):
        count = Aggregate(AggregateKind.COUNT, Y, None, body, (X,), ORIGIN)
        derived = _clause("d", (X,), (_p(X),), 0)
        assert _fired(_run(derived, _rule((count,), (Y,)), p=[(1,), (1,), (2,)])) == [(expected,)]


def test_an_aggregate_over_nothing() -> None:
    """Over no match `sum` is 0, and `max` does not hold."""
    total = Aggregate(AggregateKind.SUM, Y, X, (_p(X),), (X,), ORIGIN)
    greatest = Aggregate(AggregateKind.MAX, Y, X, (_p(X),), (X,), ORIGIN)
    assert _fired(_run(_rule((total,), (Y,)))) == [(0,)]
    assert _fired(_run(_rule((greatest,), (Y,)))) == []


def test_positions_count_from_one() -> None:
    """The elements of a list come with their position, and a bound one is compared with."""
    numbers = Constant((7, 8, 7), ListType(Domain(INT)))
    assert _fired(_run(_rule((Each(numbers, _constant(7), Y, ORIGIN),), (Y,)))) == [(1,), (3,)]
    assert _fired(_run(_rule((_p(X), Each(numbers, Y, X, ORIGIN)), (X, Y)), p=[(2,)])) == [(2, 8)]


def test_recursion_reaches_everything() -> None:
    """A definition that reads itself holds for everything that a chain of rows reaches."""
    base = _clause("d", (X,), (_p(X),), 0)
    step = dataclasses.replace(
        _clause("d", (Y,), (Match("d", (X,), ORIGIN), _q(X, Y)), 0), name="d/step", variables=(X, Y)
    )
    rows: dict[str, list[tuple[Value | Missing, ...]]] = {
        "p": [(1,)],
        "q": [(1, 2), (2, 3), (3, 1)],
    }
    asking = _rule((Match("d", (ANY,), ORIGIN),))
    evaluation = _run(base, step, asking, **rows)
    assert _fired(evaluation, "d/step") == [(1, 2), (2, 3), (3, 1)]


def test_a_source_is_the_least_that_is_asked_for() -> None:
    """A match that asks for a source holds for rows from it and from more trusted ones."""
    from_tool = dataclasses.replace(_p(X), source=Source.TOOL)
    program = Program((), Schema({}, {}, {}), {}, (_rule((from_tool,), (X,)),), {}, {}, "")
    rows = tuple(Row(i, (i,), source) for i, source in enumerate(Source))
    evaluation = evaluate(program, {}, FactSet(ACTIONS[0], NOW, {"p": rows}))
    assert evaluation == Firings((Firing("rule", (2,)), Firing("rule", (3,))))


@settings(max_examples=100)
@given(cases())
def test_the_order_of_writing_has_no_meaning(case: Case) -> None:
    """Literals in any order fire the same rules with the same bindings, or fail alike.

    The bodies of aggregates stay: their matches are told apart by entries in the order of writing.
    """
    turned = dataclasses.replace(
        case.program,
        rules=tuple(dataclasses.replace(r, body=_shuffled(r.body)) for r in case.program.rules),
    )
    for facts in case.requests:
        expected = evaluate(case.program, case.reference, facts)
        assert evaluate(turned, case.reference, facts) == expected


def _shuffled(body: Body) -> Body:
    literals = [_turned(literal) for literal in body]
    random.Random(len(repr(body))).shuffle(literals)
    return tuple(literals)


def _turned(literal: Literal) -> Literal:
    match literal:
        case Not():
            return dataclasses.replace(literal, body=_shuffled(literal.body))
        case Or():
            return dataclasses.replace(literal, branches=tuple(map(_shuffled, literal.branches)))
        case _:
            return literal
