"""The benchmark of the plan measures what its report names."""

from __future__ import annotations

import json

import pytest

from benchmarks import decision_plan


@pytest.mark.slow
def test_every_line_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """A run gives a figure for every line of every group, and the plan is faster than clingo."""
    assert decision_plan.main(["--rounds", "1", "--largest", "1000", "--json"]) == 0
    groups = json.loads(capsys.readouterr().out)
    assert [len(lines) for lines in groups.values()] == [2, 3, 1, 4]
    plan, clingo = groups["the refund policy"]
    assert 0 < plan["microseconds"] < clingo["microseconds"]
