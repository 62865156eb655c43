"""The kill switch: what is stopped does not run, in any process, and who stopped it is recorded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from policylang.cli.app import policylang
from policylang.gate.answer import AnswerKind, AnswerOutcome
from policylang.gate.stops import Stop
from policylang.gate.verdict import Refused
from tests.gate import limited
from tests.gate.shop import START, Shop
from tests.gate.test_limits import start


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop with a store of its own."""
    made = Shop(tmp_path / "traces.duckdb")
    yield made
    made.close()


def run(*arguments: object) -> tuple[int, str]:
    """The status and the output of a command."""
    found = CliRunner().invoke(policylang, [str(a) for a in arguments])
    return found.exit_code, found.output


@pytest.mark.parametrize(
    "name", ["all", "bot-7", "agent:bot-7", "refund", "shop.refund", "action:refund"]
)
def test_what_is_stopped_does_not_run(shop: Shop, name: str) -> None:
    """By agent, by action under either name, or all: refused with its own kind, until it is lifted."""
    shop.gate.stop(name, who="ann", why="refunds are paid twice")
    verdict = shop.refund()
    assert verdict.answer.outcome is AnswerOutcome.DENY
    assert verdict.answer.grounds[0].kind == AnswerKind.STOPPED.value
    assert "twice" not in str(verdict.answer)
    assert shop.ran == []
    assert shop.gate.stops.lift(name, who="ann") is not None
    assert shop.refund().allowed


@pytest.mark.parametrize("name", ["bot-8", "agent:refund", "action:bot-7", "ship", "refunds"])
def test_what_is_not_stopped_runs(shop: Shop, name: str) -> None:
    """A stop of another agent or action stops nobody else."""
    shop.gate.stop(name, who="ann")
    assert shop.refund().allowed


def test_a_stopped_call_takes_no_place_and_is_recorded_as_skipped(shop: Shop) -> None:
    """What the rules would allow is decided and recorded, counts nowhere, and says why it did not run."""
    shop.gate.stop("all", who="ann")
    for _ in range(4):
        shop.refund()
    assert shop.outcomes() == [("skipped", "all calls are stopped")] * 4
    shop.gate.stops.lift("all", who="ann")
    assert shop.refund().allowed


def test_a_stop_comes_between_the_decision_and_the_call(shop: Shop) -> None:
    """A verdict that is held does not run any more once its agent is stopped."""
    verdict = shop.gate.decide("ship", {"order": "o"}, agent="bot-7")
    assert verdict.allowed
    shop.gate.stop("bot-7", who="ann")
    with pytest.raises(Refused, match="stopped"):
        shop.gate.run(verdict, shop.ran.append)
    assert shop.ran == []
    assert shop.outcomes() == [("skipped", "calls of bot-7 are stopped")]


def test_stops_are_recorded(shop: Shop) -> None:
    """Who stopped and lifted what, when and why, is in the chain and in its audit."""
    shop.gate.stop("refund", who="ann", why="paid twice")
    shop.gate.stops.lift("refund", who="bob", why="fixed")
    rows = shop.audit("stops")
    assert [row[1:] for row in rows] == [
        ("stopped", "refund", "ann", "paid twice"),
        ("lifted", "refund", "bob", "fixed"),
    ]
    assert shop.gate.stops.lift("refund", who="bob") is None
    with pytest.raises(ValueError, match="by whom"):
        shop.gate.stop("refund", who="")
    with pytest.raises(ValueError, match="what is stopped"):
        shop.gate.stop("agent:", who="ann")


def test_a_stop_says_itself() -> None:
    """A stop is told in words that a customer may read, and in JSON for programs."""
    stop = Stop("agent:bot-7", "ann", "why", START, "r1")
    assert stop.says == "calls of agent bot-7 are stopped"
    assert stop.to_json()["who"] == "ann"


def test_a_worker_sees_a_stop_of_another_process(tmp_path: Path) -> None:
    """A process that decides all the time stops by itself once the command has been given."""
    path = tmp_path / "t.duckdb"
    worker = start("stopped", path, 100_000)
    assert worker.stdout is not None
    os.read(worker.stdout.fileno(), 16)
    assert run("stop", "all", "--store", path, "--why", "a drill", "--who", "ann")[0] == 0
    assert worker.wait(timeout=60) == 0
    worker.communicate()
    shop = Shop(path, limited.LIMITED)
    assert [row[1:] for row in shop.audit("stops")] == [("stopped", "all", "ann", "a drill")]
    shop.close()


def test_the_command_stops_lists_and_lifts(shop: Shop) -> None:
    """`policylang stop` says what it did, and its status says whether there was something to do."""
    store = ("--store", shop.path, "--who", "ann")
    assert run("stop", *store) == (0, "nothing is stopped\n")
    assert run("stop", "bot-7", "--why", "odd", *store) == (0, "bot-7 is stopped\n")
    assert not shop.refund().allowed
    status, output = run("stop", *store)
    assert status == 0
    assert output.startswith("bot-7  since ")
    assert output.endswith("by ann: odd\n")
    (listed,) = json.loads(run("stop", "--json", *store)[1])
    assert (listed["stop"], listed["who"], listed["why"]) == ("bot-7", "ann", "odd")
    assert run("stop", "bot-7", "--lift", *store) == (0, "bot-7 may run again\n")
    assert run("stop", "bot-7", "--lift", *store)[0] == 1
    assert run("stop", "--lift", *store)[0] == 2
    assert shop.refund().allowed
