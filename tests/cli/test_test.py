"""`policylang test`."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from policylang.cli.output import ExitCode
from tests.cli.conftest import Run


def change(project: Path, old: str, new: str) -> None:
    """Replace a text in the policy of the project."""
    path = project / "refunds.policy"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_project_of_init_passes_and_covers_itself(run: Run, project: Path) -> None:
    """What `init` writes passes its own tests, which make every rule fire."""
    answer = run("test", "--coverage", "--fail-under", "100")
    assert answer.exit_code == ExitCode.OK, answer.output
    assert "8 tests passed" in answer.stdout
    assert "coverage 100%" in answer.stdout


def test_a_failure_shows_what_was_expected_and_what_came(run: Run, project: Path) -> None:
    """A failing test shows its place, both outcomes, and the decision with its values."""
    change(project, "= 200.00", "= 40.00")
    answer = run("test")
    assert answer.exit_code == ExitCode.FAILED
    assert "FAIL refunds: a small refund pays out" in answer.stdout
    assert "- expected allow by small_refund" in answer.stdout
    assert "+ got      needs_approval by large_refund" in answer.stdout
    assert "48.00 is above 40.00" in answer.stdout
    assert "refunds.policy:" in answer.stdout
    assert "refund.amount > auto_limit: 48.00 > 40.00" in answer.stdout
    assert "2 failed" in answer.stdout


def test_tests_are_chosen_by_name(run: Run, project: Path) -> None:
    """`-k` runs the tests whose name holds the text; where none does, that is a failure."""
    answer = run("test", "-k", "MANAGER")
    assert (answer.exit_code, answer.stdout.splitlines()[-1]) == (ExitCode.OK, "3 tests passed")
    nothing = run("test", "-k", "no such test")
    assert (nothing.exit_code, nothing.stdout) == (ExitCode.FAILED, "no tests were found\n")


def test_quiet_shows_failures_alone(run: Run, project: Path) -> None:
    """`-q` leaves out the tests that pass."""
    assert run("test", "-q").stdout == "8 tests passed\n"


def test_coverage_names_what_never_fired(run: Run, project: Path) -> None:
    """A rule that no test makes fire is named with its place, and fails a threshold above it."""
    answer = run("test", "-k", "small refund", "--coverage", "--fail-under", "50")
    assert answer.exit_code == ExitCode.FAILED
    assert "coverage 20%: 1 of 5 rules and branches fired" in answer.stdout
    assert "never fired: rule under_review at refunds.policy:" in answer.stdout
    assert run("test", "-k", "small refund", "--fail-under", "20").exit_code == ExitCode.OK


def test_junit_holds_every_test(run: Run, project: Path) -> None:
    """`--junit` writes the counts, and for a failure what was expected, what came, and why."""
    change(project, "= 200.00", "= 40.00")
    run("test", "--junit", "results.xml")
    (suite,) = ElementTree.parse(project / "results.xml").getroot()
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("refunds", "8", "2")
    failure = suite.find("testcase[@name='a small refund pays out']/failure")
    assert failure is not None
    assert failure.text is not None
    assert failure.text.startswith(
        "expected allow by small_refund\ngot needs_approval by large_refund\n\n"
    )
    assert "refund.amount > auto_limit: 48.00 > 40.00" in failure.text


def test_json_tells_a_program_everything(run: Run, project: Path) -> None:
    """`--json` holds every test with its decision, and the coverage where it is asked for."""
    report = json.loads(run("test", "--json", "--coverage").stdout)
    assert (report["passed"], report["failed"]) == (8, 0)
    assert report["coverage"]["percent"] == 100
    assert report["tests"][0]["decision"]["outcome"] == "allow"
    assert report["tests"][0]["file"] == "refunds.policy"
