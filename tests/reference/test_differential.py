"""Every evaluator agrees with the reference on generated programs: firings, failures and their codes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.reference.compare import differences, report
from tests.reference.generator import Case, cases

FAST = 200
SLOW = 5_000


@pytest.mark.parametrize("start", range(0, FAST, 20))
def test_evaluators_agree_with_the_reference(start: int) -> None:
    """On 200 seeded programs with two requests each, clingo and the plan answer as the reference does."""
    assert not [text for seed in range(start, start + 20) if (text := report(seed))]


@settings(max_examples=40)
@given(cases())
def test_evaluators_agree_where_hypothesis_searches(case: Case) -> None:
    """Whatever program hypothesis makes, clingo and the plan answer as the reference does."""
    assert not list(differences(case))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(FAST, FAST + SLOW, 250))
def test_evaluators_agree_on_many_programs(start: int) -> None:
    """On 5,000 more seeded programs, clingo and the plan answer as the reference does."""
    assert not [text for seed in range(start, start + 250) if (text := report(seed))]
