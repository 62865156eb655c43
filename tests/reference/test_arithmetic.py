"""The reference's operations and the exact calculation agree, value by value and type by type."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policylang.evaluate import calculate
from policylang.evaluate.exact import CalculationFailure
from policylang.facts.types import BOOL, DATE, DURATION, INT, STRING, DecimalType, Type
from policylang.facts.values import Missing, Value
from policylang.semantics.program import AggregateKind, Expression, Variable
from tests.reference.arithmetic import Fails, comparable, like, retyped, total
from tests.reference.draws import Draws, Searched, Seeded, pick, some
from tests.reference.evaluator import value_of
from tests.reference.expressions import ANY_NUMBER, Expressions
from tests.reference.pools import COLOUR, TYPES, value


def _drawn(draws: Draws) -> tuple[Expression, dict[str, Value]]:
    variables = [Variable(f"X{i}", type_) for i, type_ in enumerate(TYPES)]
    env = {variable.name: value(draws, variable.type) for variable in variables}
    expressions = Expressions(draws, fallible=True)
    wanted = pick(draws, (ANY_NUMBER, BOOL, *TYPES))
    if wanted is BOOL:
        return expressions.condition(variables, 3), env
    return expressions.expression(wanted, variables, 3), env


def _expected(expression: Expression, env: dict[str, Value]) -> Value | Missing | frozenset[str]:
    try:
        return value_of(expression, env)
    except Fails as failure:
        return failure.codes


def _same(expression: Expression, env: dict[str, Value]) -> None:
    calculated, expected = calculate.value_of(expression, env), _expected(expression, env)
    if isinstance(calculated, CalculationFailure):
        assert isinstance(expected, frozenset)
        assert calculated.kind.value == min(expected)
    else:
        assert calculated == expected
        assert repr(calculated) == repr(expected)


@settings(max_examples=300)
@given(st.data())
def test_an_expression_has_one_value_searched(data: st.DataObject) -> None:
    """Whatever hypothesis makes of an expression, both calculate the same value, digits shown included."""
    _same(*_drawn(Searched(data.draw)))


@pytest.mark.parametrize("start", range(0, 4000, 500))
def test_an_expression_has_one_value(start: int) -> None:
    """Of 4,000 seeded expressions, both calculate the same value, digits shown included."""
    for seed in range(start, start + 500):
        _same(*_drawn(Seeded(seed)))


@given(st.text("ab*\\", max_size=6), st.text("ab*\\", max_size=6))
def test_like_matches_as_the_reference_says(text: str, pattern: str) -> None:
    """`like` agrees with trying every way to split the text, escaped stars included."""
    assert calculate.is_like(text, pattern) == like(text, pattern)


def _aggregated(seed: int) -> tuple[AggregateKind, list[Value], Type]:
    draws = Seeded(seed)
    kind = pick(draws, (AggregateKind.SUM, AggregateKind.MIN, AggregateKind.MAX))
    added = (INT, DecimalType(2), DecimalType(18), DURATION)
    type_ = pick(draws, added if kind is AggregateKind.SUM else (*added, STRING, COLOUR, DATE))
    return kind, some(draws, 5, lambda: value(draws, type_), at_least=1), type_


@pytest.mark.parametrize("start", range(0, 1000, 250))
def test_aggregates_agree(start: int) -> None:
    """Of 1,000 seeded lists of values, sum, least and greatest agree, sums past 38 digits included."""
    for kind, values, type_ in map(_aggregated, range(start, start + 250)):
        calculated = calculate.aggregate(kind, values, type_, type_)
        expected = _expected_aggregate(kind, values, type_)
        if isinstance(calculated, CalculationFailure):
            assert expected == frozenset({calculated.kind.value})
        else:
            assert calculated == expected
            assert repr(calculated) == repr(expected)


def _expected_aggregate(
    kind: AggregateKind, values: list[Value], type_: Type
) -> Value | frozenset[str]:
    try:
        if kind is AggregateKind.SUM:
            return total(values, type_)
        choose = min if kind is AggregateKind.MIN else max
        return retyped(choose(values, key=lambda each: comparable(each, type_)), type_)
    except Fails as failure:
        return failure.codes
