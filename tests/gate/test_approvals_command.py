"""`policylang approvals`: what a person sees and answers, from another process than the agent's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policylang import Gate, loads
from policylang.cli.app import policylang
from tests.gate.refunds import Desk

Run = Callable[..., Result]
MARIA = '{"approver": {"roles": ["manager"]}}'


@pytest.fixture
def waiting(tmp_path: Path) -> tuple[Run, str]:
    """Runs `policylang approvals` on a store in which one refund waits for a manager; and its ticket."""
    desk = Desk(tmp_path / "traces.duckdb")
    ticket = str(desk.call("480.00").ticket)
    desk.close()

    def run(*arguments: str) -> Result:
        command = ["approvals", *arguments, "--store", str(tmp_path / "traces.duckdb")]
        result = CliRunner().invoke(policylang, command)
        assert "This is a bug" not in result.output, result.output
        return result

    return run, ticket


def test_what_waits_is_listed_and_shown(waiting: tuple[Run, str]) -> None:
    """`list` names the call and whom it waits for, `show` what will run and why it is asked, by the start of a ticket."""
    run, ticket = waiting
    assert run("list", "--status", "pending").output == (
        f"{ticket}  pending    refund for bot-7  waits for manager\n"
    )
    assert run("list", "--status", "used").output == "no approvals\n"
    shown = run("show", ticket[:13]).output
    for part in ("amount: 480.00", "480.00 is above 200.00", "refund.amount > auto_limit"):
        assert part in shown
    assert json.loads(run("show", ticket, "--json").output)["needs"][0]["role"] == "manager"
    unknown = run("show", "nothing")
    assert (unknown.exit_code, "PL0820" in unknown.output) == (1, True)


def test_the_recorded_policy_decides_who_may_answer(waiting: tuple[Run, str]) -> None:
    """Without the role the answer is 4 and changes nothing; with it the call is granted, once."""
    run, ticket = waiting
    denied = run("grant", ticket, "--as", "carl", "--facts", '{"approver": {"roles": []}}')
    assert (denied.exit_code, "PL0824" in denied.output) == (4, True)
    granted = run("grant", ticket, "--as", "maria", "--facts", MARIA, "--note", "checked")
    assert granted.output == f"{ticket}  granted    refund for bot-7\n"
    assert "granted by maria as manager: checked" in run("show", ticket).output
    again = run("grant", ticket, "--as", "mario", "--facts", MARIA)
    assert (again.exit_code, "PL0821" in again.output) == (1, True)


def test_a_refusal_is_one_word(waiting: tuple[Run, str]) -> None:
    """`refuse` ends the question; in JSON the approval and whether the vote counts are told."""
    run, ticket = waiting
    refused = json.loads(run("refuse", ticket, "--as", "maria", "--facts", MARIA, "--json").output)
    assert (refused["accepted"], refused["approval"]["status"]) == (True, "refused")


def test_a_question_can_be_taken_back(waiting: tuple[Run, str]) -> None:
    """`withdraw` closes what is open, and says so of what is not."""
    run, ticket = waiting
    assert "withdrawn" in run("withdraw", ticket).output
    assert run("withdraw", ticket).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["show", "nothing"], 1),
        (["grant", "nothing", "--as", "maria"], 1),
        (["grant", "TICKET", "--as", "maria", "--facts", "[]"], 1),
        (["grant", "TICKET", "--as", "maria", "--facts", "{]"], 2),
        (["grant", "TICKET"], 2),
        (["grant", "TICKET", "--as", " ", "--facts", MARIA], 1),
        (["grant", "TICKET", "--as", "maria", "--facts", MARIA, "--role", "board"], 1),
    ],
)
def test_wrong_usage_is_told(waiting: tuple[Run, str], arguments: list[str], status: int) -> None:
    """A ticket that is none, facts that are none, nobody's vote: each has a word and a status, and no traceback."""
    run, ticket = waiting
    result = run(*(ticket if each == "TICKET" else each for each in arguments))
    assert result.exit_code == status
    assert result.output


def test_without_rules_about_it_only_a_trusted_caller_answers(tmp_path: Path) -> None:
    """Where the policy declares no action for it, an answer is refused with what to declare, unless `--trusted` is said."""
    text = (
        "module m fact agent { id: String } action pay { amount: Int in 0 .. 9 }"
        ' rule ask: require approval(by: "boss") for pay if agent.id == "b"'
    )
    with Gate.open(loads(text), store=tmp_path / "traces.duckdb") as gate:
        ticket = gate.decide("pay", {"amount": 1}, agent="b").answer.ticket
    command = [
        "approvals",
        "grant",
        str(ticket),
        "--as",
        "maria",
        "--store",
        str(tmp_path / "traces.duckdb"),
    ]
    refused = CliRunner().invoke(policylang, command)
    assert (refused.exit_code, "PL0823" in refused.output) == (1, True)
    trusted = CliRunner().invoke(policylang, [*command, "--trusted"])
    assert (trusted.exit_code, "granted" in trusted.output) == (0, True)
