"""The standard library: its modules pass their own tests, which reach every rule in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from policylang.bundle.coverage import coverage
from policylang.bundle.evaluators import EvaluatorName
from policylang.bundle.loading import check_bundle, load, loads
from policylang.bundle.stdlib import StandardModule, standard_modules
from policylang.bundle.testing import run_tests
from policylang.decide.decision import Outcome
from policylang.diagnostics import Source
from policylang.syntax import format_source

FOLDER = Path(__file__).parents[2] / "stdlib"
MODULES = {module.name.removeprefix("std."): module for module in standard_modules()}


def _tests_of(name: str) -> Path:
    """The file with the tests of a module."""
    return FOLDER / "tests" / f"{name}.policy"


@pytest.mark.parametrize("evaluator", ["plan", "asp"])
@pytest.mark.parametrize("name", MODULES)
def test_a_module_passes_its_tests(name: str, evaluator: EvaluatorName) -> None:
    """The tests of a module pass on either evaluator, and there are some."""
    with load(_tests_of(name), evaluator=evaluator) as bundle:
        results = list(run_tests(bundle, bundle.scenarios))
    failed = [result.scenario.name for result in results if result.mismatches]
    assert len(results) >= 5
    assert failed == []


@pytest.mark.parametrize("name", MODULES)
def test_the_tests_of_a_module_reach_all_of_it(name: str) -> None:
    """Every clause of every definition, and every branch of an `or`, fires in some test of the module."""
    with load(_tests_of(name)) as bundle:
        cases = [result.case for result in run_tests(bundle, bundle.scenarios)]
        covered = coverage(bundle.program, cases, {f"std.{name}"})
    assert [part.text for part in covered.missed] == []


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_no_problems(name: str) -> None:
    """A module gives neither errors nor warnings, by itself and where its tests use it."""
    by_itself = check_bundle(FOLDER / f"{name}.policy")
    used = check_bundle(_tests_of(name))
    assert (by_itself.diagnostics, used.diagnostics) == ((), ())


@pytest.mark.parametrize("file", sorted(FOLDER.rglob("*.policy")), ids=lambda file: file.stem)
def test_a_module_is_written_in_the_one_style(file: Path) -> None:
    """`policylang fmt` has nothing to change in the standard library."""
    text = file.read_text(encoding="utf-8")
    assert format_source(Source(file.name, text)) == text


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_everything_that_a_module_declares_says_what_it_is(module: StandardModule) -> None:
    """The module, and whatever it declares, has a doc comment; the module has a version."""
    assert module.doc
    assert module.version
    assert [declared.form for declared in module.declared if not declared.doc] == []


def test_every_module_has_tests_and_every_test_a_module() -> None:
    """The folder of tests names the modules that there are, and no other."""
    assert {file.stem for file in (FOLDER / "tests").glob("*.policy")} == set(MODULES)


def test_an_approval_that_is_given_twice_is_one_persons() -> None:
    """A level that needs two people is not reached by one of them, however often the approval is there."""
    asked = 'rule two: allow pay if approvals.reached("pay", 100.00, "board")'
    with loads(f"module shop use std.approvals action pay {asked}") as bundle:
        level = {"kind": "pay", "above": "100.00", "role": "board", "persons": 2}

        def outcome(*people: str) -> Outcome:
            rows = [{"by": "board", "id": id_, "time": "2026-11-22T09:00:00Z"} for id_ in people]
            request = {"action": "pay", "facts": {"level": [level]}, "approvals": rows}
            return bundle.decide(request | {"now": "2026-11-22T10:00:00Z"}).outcome

        assert outcome("ann", "ann") is Outcome.DENY
        assert outcome("ann", "bob") is Outcome.ALLOW
