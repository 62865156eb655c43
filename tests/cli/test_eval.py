"""`policylang eval`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policylang.cli.output import ExitCode
from tests.cli.conftest import Run

SMALL = "requests/small_refund.json"


@pytest.mark.parametrize(
    ("request_file", "status", "outcome"),
    [
        (SMALL, ExitCode.OK, "allow"),
        ("requests/large_refund.json", ExitCode.NEEDS_APPROVAL, "needs_approval"),
        ("requests/flagged_customer.json", ExitCode.DENY, "deny"),
    ],
)
def test_the_status_is_that_of_the_outcome(
    run: Run, project: Path, request_file: str, status: ExitCode, outcome: str
) -> None:
    """One request ends with 0 for allow, 4 for deny and 5 for an approval, as text and as JSON."""
    text = run("eval", ".", "--request", request_file)
    assert (text.exit_code, text.stdout.split()[0]) == (status, outcome)
    machine = run("eval", ".", "--request", request_file, "--json")
    assert (machine.exit_code, json.loads(machine.stdout)["outcome"]) == (status, outcome)


def test_a_request_comes_from_standard_input(run: Run, project: Path) -> None:
    """`-` reads the request from standard input."""
    text = (project / SMALL).read_bytes()
    assert run("eval", ".", "--request", "-", input=text).exit_code == ExitCode.OK


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "PL0601"),
        (b"{", "PL0601"),
        (b"\xff\xfe{}", "PL0601"),
        (b"[]", "PL0603"),
        (b"null", "PL0603"),
        (b'"refund"', "PL0603"),
        (b"{}", "PL0603"),
        (b'{"action": 1}', "PL0603"),
        (b'{"action": "pay"}', "PL0604"),
        (b'{"action": "refund", "action": "refund"}', "PL0602"),
        (b'{"action": "refund", "args": []}', "PL06"),
        (b'{"action": "refund", "args": {"customer_id": "c1", "amount": 1e400}}', "PL06"),
        (b'{"action": "refund", "args": {"customer_id": "a\\u0000b", "amount": "1"}}', "PL0616"),
        (b"[" * 100_000, "PL0601"),
    ],
)
def test_what_is_no_request_is_denied_with_a_code(
    run: Run, project: Path, text: bytes, code: str
) -> None:
    """Whatever stands where a request should is answered with deny and the code of what is wrong."""
    answer = run("eval", ".", "--request", "-", input=text)
    assert answer.exit_code == ExitCode.DENY
    assert f"[{code}" in answer.stdout


def test_a_stream_is_answered_line_by_line(run: Run, project: Path) -> None:
    """Every line of JSONL is answered in its place, bad ones too, and the status tells of those."""
    good = json.dumps(json.loads((project / SMALL).read_text(encoding="utf-8")))
    (project / "many.jsonl").write_text(f"{good}\nnot json\n\n{good}\n", encoding="utf-8")
    answer = run("eval", ".", "--request", "many.jsonl")
    assert answer.exit_code == ExitCode.FAILED
    outcomes = [json.loads(line)["outcome"] for line in answer.stdout.splitlines()]
    assert outcomes == ["allow", "deny", "allow"]


def test_a_stream_of_denials_is_fine(run: Run, project: Path) -> None:
    """A stream in which every line is a request ends with 0, whatever the answers are."""
    flagged = json.loads((project / "requests/flagged_customer.json").read_text(encoding="utf-8"))
    answer = run("eval", ".", "--request", "-", "--lines", input=json.dumps(flagged) + "\n")
    assert answer.exit_code == ExitCode.OK
    assert json.loads(answer.stdout)["outcome"] == "deny"


def test_a_param_is_overridden(run: Run, project: Path) -> None:
    """`--param` gives a param another value for this run."""
    answer = run("eval", ".", "--request", SMALL, "--param", "auto_limit=40.00")
    assert answer.exit_code == ExitCode.NEEDS_APPROVAL


@pytest.mark.parametrize("param", ["auto_limit=much", "no_such_param=1", "auto_limit=-1"])
def test_a_param_that_cannot_be_is_an_error_of_the_policy(
    run: Run, project: Path, param: str
) -> None:
    """A param of another name or with a value that is not of its type ends with 3 and a code."""
    answer = run("eval", ".", "--request", SMALL, "--param", param)
    assert answer.exit_code == ExitCode.POLICY_ERRORS
    assert "error[PL0" in answer.stderr


@pytest.mark.parametrize("option", ["--param", "--reference"])
def test_a_pair_without_an_equals_sign_is_wrong_usage(run: Run, project: Path, option: str) -> None:
    """NAME=VALUE has an equals sign."""
    assert run("eval", ".", "--request", SMALL, option, "x").exit_code == ExitCode.USAGE


def test_a_request_that_is_not_there_is_named(run: Run, project: Path) -> None:
    """A request file that does not exist is named, and the status is 1."""
    answer = run("eval", ".", "--request", "nowhere.json")
    assert answer.exit_code == ExitCode.FAILED
    assert "`nowhere.json`: no such file or directory" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--request", "nowhere.json"), "PL0001"), (("--request", SMALL, "--param", "no=1"), "PL0")],
)
def test_errors_are_json_too_where_json_is_asked_for(
    run: Run, project: Path, arguments: tuple[str, ...], code: str
) -> None:
    """With `--json` a program reads from standard output what kept the command from deciding."""
    answer = run("eval", ".", *arguments, "--json")
    (found,) = json.loads(answer.stdout)["diagnostics"]
    assert found["code"].startswith(code)
    assert answer.exit_code != ExitCode.OK


def test_a_broken_policy_decides_nothing(run: Run, project: Path) -> None:
    """Where the policy has errors, they are shown and nothing is decided."""
    (project / "refunds.policy").write_text("module refunds\nrule x allow y\n", encoding="utf-8")
    answer = run("eval", ".", "--request", SMALL)
    assert (answer.exit_code, answer.stdout) == (ExitCode.POLICY_ERRORS, "")
    assert "refunds.policy:2" in answer.stderr


def test_processes_answer_a_stream_as_one_does(run: Run, project: Path) -> None:
    """With `--jobs` the lines and the status are those without it."""
    good = json.dumps(json.loads((project / SMALL).read_text(encoding="utf-8")))
    (project / "many.jsonl").write_text(f"{good}\nnot json\n\n" + f"{good}\n" * 700, "utf-8")
    alone = run("eval", ".", "--request", "many.jsonl")
    spread = run("eval", ".", "--request", "many.jsonl", "--jobs", "2")
    assert (spread.stdout, spread.exit_code) == (alone.stdout, alone.exit_code)
    assert len(spread.stdout.splitlines()) == 702


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_no_number_of_processes_is_wrong_usage(run: Run, project: Path, jobs: str) -> None:
    """`--jobs` is at least one."""
    answer = run("eval", ".", "--request", SMALL, "--lines", "--jobs", jobs)
    assert answer.exit_code == ExitCode.USAGE
