"""What requests brought is shown, and does nothing: to a terminal, to a spreadsheet, to who approves."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from policylang import Gate
from policylang.cli.app import policylang
from policylang.cli.output import json_text
from policylang.cli.rows import rows_text

POLICY = """
module shop version "1.0.0"
fact agent { id: String key }
fact customer { id: String key, name: String }
action refund { amount: Decimal(2), note: String? }
rule small: allow refund if refund.amount < 5.00 and customer.name != "x"
rule large: require approval(by: "manager") for refund
  if refund.amount < 50.00 because "{refund.note} of {customer.name}"
rule huge: deny refund if refund.amount > 100.00 because "no for {customer.name}"
"""

EVIL = "x\x1b[2J\x1b]0;owned\x07\r\n  amount: 1.00\u202egnp\x9b31m\x7f"
"""Clears the screen, names the window, begins a line, turns the direction of what follows."""


class Stored(NamedTuple):
    """A store full of it: its folder, its path, its decisions, and a ticket."""

    folder: Path
    path: str
    decisions: list[str]
    ticket: str


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Decisions of every outcome, an approval, and a stop."""
    folder = tmp_path_factory.mktemp("evil")
    (folder / "shop.policy").write_text(POLICY)
    request: dict[str, Any] = {
        "args": {"amount": "20.00", "note": EVIL},
        "agent": {"id": f"bot{EVIL}"},
        "facts": {"customer": {"id": EVIL, "name": EVIL}},
    }
    (folder / "request.json").write_text(json.dumps({"action": "refund", **request}))
    path = str(folder / "traces.duckdb")
    decisions = []
    with Gate.open(folder / "shop.policy", store=path) as gate:
        known = {"agent": request["agent"], "facts": request["facts"]}
        for amount in ("1.00", "200.00", EVIL, "20.00"):
            verdict = gate.decide("refund", {"amount": amount, "note": EVIL}, **known)
            decisions.append(verdict.decision_id)
        gate.stop(f"agent:{EVIL}", who=EVIL, why=EVIL)
    assert verdict.ticket is not None
    policy = str(folder / "shop.policy")
    _run("publish", policy, "--store", path)
    start = ("rollout", "start", "shop@1.0.0", "--stage", "active")
    _run(*start, "--why", EVIL, "--who", EVIL, "--store", path)
    return Stored(folder, path, decisions, verdict.ticket)


COMMANDS = (
    "trace list",
    "trace list --json",
    "trace tail",
    "trace show DECISION",
    "why DECISION",
    "why DECISION --atoms",
    "why DECISION --json",
    "approvals list",
    "approvals show TICKET",
    "approvals show TICKET --json",
    "stop",
    "stop --json",
    "audit run stops",
    "audit run denials_by_reason",
    "audit run denials_by_reason --json",
    "replay",
    "replay --with POLICY",
    "backtest POLICY",
    "rollout history shop",
    "doctor POLICY",
)
QUERIES = ("SELECT * FROM decisions", "SELECT * FROM facts", "SELECT * FROM reasons")


@pytest.mark.parametrize("command", [*COMMANDS, *QUERIES])
def test_what_is_recorded_does_not_steer_a_terminal(stored: Stored, command: str) -> None:
    """No command writes a control character, or one that turns the direction of text, that a request brought."""
    words = ["audit", "sql", command] if command in QUERIES else command.split()
    for decision in stored.decisions if "DECISION" in words else [""]:
        policy = str(stored.folder / "shop.policy")
        named = {"DECISION": decision, "TICKET": stored.ticket, "POLICY": policy}
        given = [named.get(word, word) for word in words]
        assert_plain(_run(*given, "--store", stored.path))


@pytest.mark.parametrize("command", ["eval", "eval --json", "why", "why --atoms", "why --json"])
def test_what_is_decided_now_does_not_steer_a_terminal(stored: Stored, command: str) -> None:
    """So with a request that is decided on the command line."""
    name, *options = command.split()
    given = [name, str(stored.folder / "shop.policy"), "--request"]
    assert_plain(_run(*given, str(stored.folder / "request.json"), *options))


def test_no_value_begins_a_line_before_who_approves(stored: Stored) -> None:
    """The arguments that will run are what stands there: a note cannot pretend to be an amount."""
    lines = _run("approvals", "show", stored.ticket, "--store", stored.path).splitlines()
    assert [line for line in lines if line.startswith("  amount: ")] == ["  amount: 20.00"]


def test_json_stays_what_it_is() -> None:
    """What is escaped reads as what it was, in characters of any plane."""
    form = {"text": EVIL, "signs": "é \U0001f600 \U000e0001 \ufeff \u2028", "n": [1, None]}
    for indent in (None, 2):
        assert json.loads(json_text(form, indent=indent)) == form
        assert_plain(json_text(form, indent=indent))
    assert json_text({"a": "é \U0001f600"}) == '{"a": "é \U0001f600"}'


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C x'!A0"]
)
def test_csv_holds_no_formula(text: str) -> None:
    """Text that a spreadsheet would calculate is text there, too."""
    assert _cells([text]) == [f"'{text}"]


def test_csv_holds_numbers_and_other_text_as_they_are() -> None:
    """Only what would be calculated is changed: amounts, names and lists are not."""
    assert _cells(["-3.00", "+4", "c-1", "a=b", "", -3]) == ["-3.00", "+4", "c-1", "a=b", "", "-3"]
    assert _cells([["=1"]]) == ['["=1"]']


def assert_plain(text: str) -> None:
    """Fail where a text holds anything that cannot be seen but line ends."""
    assert text.replace("\n", "").isprintable(), repr(text)


def _cells(row: list[Any]) -> list[str]:
    names = [f"c{i}" for i in range(len(row))]
    read = csv.reader(io.StringIO(rows_text(names, [row], "csv"), newline=""))
    return list(read)[1]


def _run(*arguments: str) -> str:
    """The output of a command as a terminal would get it."""
    found = CliRunner().invoke(policylang, list(arguments), color=True)
    assert found.exit_code in (0, 1, 4, 5), found.output
    assert "internal error" not in found.output
    return found.output
