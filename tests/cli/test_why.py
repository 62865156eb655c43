"""`policylang why`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policylang.cli.output import ExitCode
from tests.cli.conftest import Run

SMALL = "requests/small_refund.json"
FLAGGED = "requests/flagged_customer.json"


def test_the_proof_of_a_decision_goes_down_to_the_facts(run: Run, project: Path) -> None:
    """The rule that decided is shown with the values that made it fire."""
    answer = run("why", ".", "--request", SMALL)
    assert answer.exit_code == ExitCode.OK
    assert answer.stdout.startswith("allow refund\n└─ small_refund: ")
    assert "refund.amount <= auto_limit: 48.00 <= 200.00" in answer.stdout
    assert "refund cap: tier pro, cap 500.00 [table]" in answer.stdout


def test_atoms_are_shown_as_they_are_written(run: Run, project: Path) -> None:
    """`--atoms` shows facts with their fields, and no sentences."""
    answer = run("why", ".", "--request", SMALL, "--atoms")
    assert "refund_cap(tier: pro, cap: 500.00)" in answer.stdout


def test_an_atom_that_holds_is_proved(run: Run, project: Path) -> None:
    """A fact that holds is shown with its row."""
    answer = run("why", ".", "customer(tier: pro)", "--request", SMALL)
    assert (answer.exit_code, answer.stdout.split(":")[0]) == (ExitCode.OK, "customer")


def test_an_atom_that_does_not_hold_says_so(run: Run, project: Path) -> None:
    """A fact that does not hold is shown as not holding, and that is an answer."""
    answer = run("why", ".", "customer(tier: free)", "--request", SMALL)
    assert answer.exit_code == ExitCode.OK
    assert "does not hold" in answer.stdout


def test_why_not_names_what_stood_in_the_way(run: Run, project: Path) -> None:
    """`--not allow` names the rule that decided otherwise."""
    answer = run("why", ".", "--request", FLAGGED, "--not", "allow")
    assert answer.exit_code == ExitCode.OK
    assert answer.stdout.startswith("✗ not allow: the outcome is deny\n")
    assert "under_review decided" in answer.stdout


def test_a_program_reads_the_proof(run: Run, project: Path) -> None:
    """`--json` gives the decision with the steps of its proof, or of its why-not."""
    proof = json.loads(run("why", ".", "--request", SMALL, "--json").stdout)
    assert proof["outcome"] == "allow"
    rules = [step["rule"] for step in proof["proof"]["steps"] if step["kind"] == "rule"]
    assert rules == ["refunds.small_refund"]
    atom = json.loads(run("why", ".", "customer(id: _)", "--request", SMALL, "--json").stdout)
    assert atom["steps"][0]["fact"] == "refunds.customer"
    why_not = run("why", ".", "--request", FLAGGED, "--not", "allow", "--json")
    assert json.loads(why_not.stdout)["outcome"] == "deny"


@pytest.mark.parametrize(
    ("form", "start"), [("mermaid", "flowchart TD"), ("svg", "<svg"), ("html", "<!doctype html>")]
)
def test_a_proof_is_drawn(run: Run, project: Path, form: str, start: str) -> None:
    """`--format` draws the proof as a diagram that other tools show."""
    answer = run("why", ".", "--request", SMALL, "--format", form)
    assert answer.exit_code == ExitCode.OK
    assert answer.stdout.startswith(start)


@pytest.mark.parametrize(
    "atom", ["customer(", "no_such_thing(1)", "customer(tier: 1)", "customer(name: _)", "1 + 1", ""]
)
def test_what_is_no_atom_is_told_with_a_code(run: Run, project: Path, atom: str) -> None:
    """A text that is no atom of the policy ends with 3 and a code."""
    answer = run("why", ".", atom, "--request", SMALL)
    assert answer.exit_code == ExitCode.POLICY_ERRORS
    assert "error[PL003" in answer.stderr


def test_a_refused_request_is_its_own_reason(run: Run, project: Path) -> None:
    """Of a request that reached no rule, `why` shows what is wrong with it; an atom has no answer."""
    request = json.loads((project / SMALL).read_text(encoding="utf-8"))
    request["args"]["amount"] = "$48.00"
    answer = run("why", ".", "--request", "-", input=json.dumps(request))
    assert answer.exit_code == ExitCode.OK
    assert "[PL0610]" in answer.stdout
    atom = run("why", ".", "customer(id: _)", "--request", "-", input=json.dumps(request))
    assert atom.exit_code == ExitCode.POLICY_ERRORS
    assert "error[PL0036]" in atom.stderr


def test_two_questions_at_once_are_wrong_usage(run: Run, project: Path) -> None:
    """An atom and `--not` are two questions."""
    answer = run("why", ".", "customer(id: _)", "--request", SMALL, "--not", "deny")
    assert answer.exit_code == ExitCode.USAGE
