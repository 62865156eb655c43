"""The benchmark of backtests measures what its report names."""

from __future__ import annotations

import re

import pytest

from benchmarks import rollout_backtest


@pytest.mark.slow
def test_every_line_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """A run decides every recorded request again by one process and by two, and makes a report of all comparisons."""
    rollout_backtest.main(40)
    lines = capsys.readouterr().out.splitlines()
    found = [re.sub(r"[\d.,]+ (s|a second)", r"N \1", line) for line in lines]
    assert found == [
        "backtest by 1 of 40 decisions, 40 differ: N s, N a second",
        "  N s of a core, N a second of it",
        "backtest by 2 of 40 decisions, 40 differ: N s, N a second",
        "report on a shadow of 40 comparisons: N s",
    ]
