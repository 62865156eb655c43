"""The bundle whose check is measured is the one that the goal speaks of."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import check_bundle
from policylang.syntax import parse, read_source
from policylang.syntax.tree import Module, RuleStatement


def _modules(folder: Path) -> list[Module]:
    parsed = [parse(read_source(path)) for path in sorted(folder.glob("*.policy"))]
    assert [result.diagnostics for result in parsed if result.diagnostics] == []
    return [result.module for result in parsed]


def test_the_bundle_has_a_thousand_rules_in_two_hundred_files(tmp_path: Path) -> None:
    """The generated files parse, and hold the rules that the goal counts."""
    check_bundle.write_bundle(tmp_path)
    modules = _modules(tmp_path)
    rules = [one for each in modules for one in each.statements if isinstance(one, RuleStatement)]
    assert (len(modules), len(rules)) == (200, 1_000)


@pytest.mark.slow
def test_a_broken_file_is_reported_and_nothing_else(tmp_path: Path) -> None:
    """The whole bundle has no errors; with one file broken, all errors are in that file."""
    check_bundle.write_bundle(tmp_path)
    assert check_bundle.check(tmp_path).status == 0
    check_bundle.break_one(tmp_path)
    run = check_bundle.check(tmp_path)
    assert run.status == 3
    places = [line.strip() for line in run.output.splitlines() if line.strip().startswith("-->")]
    assert len(places) == 2
    assert all(check_bundle.BROKEN_FILE in place for place in places)
    assert run.megabytes < check_bundle.GOAL_MEGABYTES
