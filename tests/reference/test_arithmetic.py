"""The reference's operations and the exact calculation agree, value by value and type by type."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policylang.evaluate import calculate
from policylang.evaluate.exact import CalculationFailure
from policylang.facts.types import BOOL
from policylang.facts.values import Missing, Value
from policylang.semantics.program import Expression, Variable
from tests.reference.arithmetic import Fails, like
from tests.reference.draws import Draws, Searched, Seeded, pick
from tests.reference.evaluator import value_of
from tests.reference.expressions import ANY_NUMBER, Expressions
from tests.reference.pools import TYPES, value


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
