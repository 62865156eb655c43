"""The interpreter of bodies finds what the reference finds, and says what each literal was matched with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings

from policylang.errors import InternalError
from policylang.evaluate.exact import CalculationFailure
from policylang.evaluate.firings import Firings
from policylang.evaluate.interpret import (
    Chosen,
    Ranged,
    Solution,
    Witness,
    instances,
    solutions,
)
from policylang.evaluate.model import Atom, Model
from policylang.facts.factset import FactSet, Row
from policylang.facts.schema import Schema
from policylang.facts.types import BOOL, INT, DecimalType
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics.program import (
    ANY,
    Aggregate,
    AggregateKind,
    Apply,
    Bind,
    Body,
    Constant,
    Each,
    Expression,
    Match,
    Not,
    Operation,
    Or,
    Program,
    Variable,
)
from policylang.semantics.program import Test as Condition
from policylang.semantics.slicing import slice_for
from tests.reference.draws import Seeded
from tests.reference.evaluator import evaluate
from tests.reference.generator import NOW, ORIGIN, Case, case, cases

X, Y, N = (Variable(name, INT) for name in "XYN")


def _model(**relations: Sequence[tuple[Value | Missing, ...]]) -> Model:
    rows = {
        name: tuple(Row(i, values) for i, values in enumerate(lines))
        for name, lines in relations.items()
    }
    program = Program((), Schema({}, {}, {}), {}, (), {}, {}, "empty")
    return Model(program, FactSet("act", NOW, rows))


def _number(value: int) -> Constant:
    return Constant(value, INT)


def _compared(operation: Operation, left: Expression, right: Expression) -> Condition:
    return Condition(Apply(operation, (left, right), BOOL), ORIGIN)


FAILING = Apply(Operation.DIV, (_number(1), _number(0)), DecimalType(None))


def _values(body: Body, model: Model, *names: str) -> list[tuple[Value, ...]]:
    found = solutions(body, {}, model)
    return [tuple(solution.bindings[name] for name in names) for solution in found]


def _agrees(found: Case) -> int:
    """How many rules were compared: those of the requests that do not fail."""
    compared = 0
    for facts in found.requests:
        evaluation = evaluate(found.program, found.reference, facts)
        if isinstance(evaluation, Firings):
            model = Model(found.program, facts, evaluation.firings, found.reference)
            for rule in slice_for(found.program, facts.action).rules:
                expected = {f.bindings for f in evaluation.firings if f.rule == rule.name}
                assert {
                    tuple(solution.bindings[v.name] for v in rule.variables)
                    for solution in solutions(rule.body, {}, model)
                } == expected
                compared += 1
    return compared


@settings(max_examples=50)
@given(cases())
def test_the_solutions_of_a_rule_are_its_firings(found: Case) -> None:
    """Over the finished model, the solutions of each rule's body are the firings of the reference."""
    _agrees(found)


@pytest.mark.slow
def test_the_solutions_of_a_rule_are_its_firings_in_many_programs() -> None:
    """The same, over programs from fixed seeds."""
    assert sum(_agrees(case(Seeded(seed))) for seed in range(2_000)) > 3_000


@settings(max_examples=60)
@given(cases())
def test_known_bindings_only_choose_among_solutions(found: Case) -> None:
    """With a firing's bindings given, the solutions are exactly those that have these bindings."""
    for facts in found.requests:
        evaluation = evaluate(found.program, found.reference, facts)
        if isinstance(evaluation, Firings):
            model = Model(found.program, facts, evaluation.firings, found.reference)
            for firing in evaluation.firings:
                rule = model.rules[firing.rule]
                names = [v.name for v in rule.variables]
                bound = dict(zip(names, firing.bindings, strict=True))
                given_bound = list(solutions(rule.body, bound, model))
                chosen = [
                    solution
                    for solution in solutions(rule.body, {}, model)
                    if all(solution.bindings[name] == bound[name] for name in names)
                ]
                assert _counted(rule.body, given_bound) == _counted(rule.body, chosen)


def _counted(body: Body, found: Sequence[Solution]) -> list[tuple[Atom, ...]]:
    return sorted((tuple(_used(body, s.witnesses)) for s in found), key=repr)


def _used(body: Body, witnesses: Sequence[Witness]) -> Iterator[Atom]:
    for literal, witness in zip(body, witnesses, strict=True):
        if isinstance(literal, Match):
            assert isinstance(witness, Row)
            yield Atom(literal.name, witness.id)
        if isinstance(literal, Or):
            assert isinstance(witness, Chosen)
            yield from _used(literal.branches[witness.branch], witness.witnesses)


def test_equal_rows_are_two_solutions() -> None:
    """Two equal rows give two solutions, each with its own row."""
    body = (Match("p", (X,), ORIGIN),)
    found = list(solutions(body, {}, _model(p=[(1,), (1,)])))
    assert [s.witnesses[0] for s in found] == [Row(0, (1,)), Row(1, (1,))]


def test_an_aggregate_shows_the_matches_it_ranged_over() -> None:
    """The witness of an aggregate is its distinct matches, equal rows told apart."""
    inner = (Match("p", (X,), ORIGIN),)
    total = Aggregate(AggregateKind.SUM, N, X, inner, (X,), ORIGIN)
    (solution,) = solutions((total,), {}, _model(p=[(2,), (2,), (5,)]))
    assert solution.bindings["N"] == 9
    (ranged,) = solution.witnesses
    assert isinstance(ranged, Ranged)
    assert [match.bindings["X"] for match in ranged.matches] == [2, 2, 5]


def test_a_branch_is_named_by_its_witness() -> None:
    """The witness of an `or` says which branch held, and each branch that holds is a solution."""
    branches = tuple((Match(name, (X,), ORIGIN),) for name in "pq")
    body = (Or(branches, (X,), ORIGIN),)
    found = list(solutions(body, {}, _model(p=[(1,)], q=[(1,), (2,)])))
    shown = [(s.bindings["X"], s.witnesses[0].branch) for s in found]  # type: ignore[union-attr]
    assert shown == [(1, 0), (1, 1), (2, 1)]


def test_a_variable_matches_no_missing_column() -> None:
    """A variable matches only rows that have its column; `_` matches the others too."""
    model = _model(p=[(MISSING,), (1,)])
    assert _values((Match("p", (X,), ORIGIN),), model, "X") == [(1,)]
    assert len(_values((Match("p", (ANY,), ORIGIN),), model)) == 2


@pytest.mark.parametrize("rows", [[], [(7,)]])
def test_a_failure_waits_for_the_literals_beside_it(rows: list[tuple[int]]) -> None:
    """A failing literal beside one that does not hold is absorbed, in either order; else it fails."""
    failing = _compared(Operation.GT, FAILING, _number(1))
    for body in [(failing, Match("p", (X,), ORIGIN)), (Match("p", (X,), ORIGIN), failing)]:
        found = list(instances(body, {}, _model(p=rows)))
        assert [isinstance(f, CalculationFailure) for f in found] == [True] * len(rows)


def test_a_generator_gives_a_value_where_a_calculation_failed() -> None:
    """A failed `X == E` beside a match of X compares, so that a test on X may still absorb it."""
    body = (
        Bind(X, FAILING, ORIGIN),
        _compared(Operation.GT, X, _number(5)),
        Match("p", (X,), ORIGIN),
    )
    found = list(instances(body, {}, _model(p=[(2,), (7,)])))
    assert [type(f) for f in found] == [CalculationFailure]


def test_an_or_beside_a_failure_fails_only_by_its_branches() -> None:
    """Where X only failed to get a value, an `or` whose branches do not hold is still false."""
    branch = (Match("q", (Y,), ORIGIN), _compared(Operation.GT, Y, X))
    body = (Bind(X, FAILING, ORIGIN), Or((branch, (Match("r", (Y,), ORIGIN),)), (), ORIGIN))
    assert list(instances(body, {}, _model())) == []
    assert [type(f) for f in instances(body, {}, _model(q=[(1,)]))] == [CalculationFailure]
    assert [type(f) for f in instances(body, {}, _model(r=[(1,)]))] == [CalculationFailure]


def test_a_negation_sees_the_variables_around_it() -> None:
    """A variable that a match beside a negation binds is that value inside it, in either order."""
    inside = Not((Match("q", (X,), ORIGIN),), (), ORIGIN)
    model = _model(p=[(1,), (2,)], q=[(2,)])
    for body in [(inside, Match("p", (X,), ORIGIN)), (Match("p", (X,), ORIGIN), inside)]:
        assert _values(body, model, "X") == [(1,)]


def test_elements_are_ranged_over_with_their_positions() -> None:
    """`X in LIST at I` binds each element and its position, from 1."""
    items = Constant((5, 6, 5), INT)
    body = (Each(items, X, N, ORIGIN),)
    assert _values(body, _model(), "X", "N") == [(5, 1), (6, 2), (5, 3)]
    assert _values((Each(items, _number(5), N, ORIGIN),), _model(), "N") == [(1,), (3,)]


def test_a_body_of_a_thousand_literals_is_no_problem() -> None:
    """The length of a body is not bounded by Python's stack."""
    body = tuple(Match("p", (Variable(f"X{i}", INT),), ORIGIN) for i in range(1_500))
    assert len(list(solutions(body, {}, _model(p=[(1,)])))) == 1


def test_an_unsafe_body_is_a_bug() -> None:
    """A body that reads a variable nobody binds never gives an answer."""
    with pytest.raises(InternalError, match="nothing binds"):
        list(solutions((_compared(Operation.GT, X, _number(1)),), {}, _model()))
