"""The replay of the recorded retail agent, and the plain-Python rules that it is held to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.retail_replay import tools
from benchmarks.retail_replay.command import DATA, PERMITTED, main
from benchmarks.retail_replay.conversations import recorded_runs, right_actions
from benchmarks.retail_replay.records import Records
from benchmarks.retail_replay.replay import Decided, Verdict, replay_all
from benchmarks.retail_replay.report import summarize, text
from tests.examples import retail_oracle

pytestmark = pytest.mark.skipif(
    not (DATA / "db.json").is_file(), reason="the recorded data of tau2-bench is not here"
)


def by_oracle(request: Mapping[str, Any]) -> Verdict:
    """Decide by the rules in plain Python."""
    outcome, rules = retail_oracle.decide(request)
    return Verdict(outcome, tuple(sorted(rules)), ())


@pytest.fixture(scope="module")
def records() -> Records:
    """The records at the start of every conversation."""
    return Records.load(DATA / "db.json")


@pytest.fixture(scope="module")
def right(records: Records) -> list[Decided]:
    """The right actions, decided by the rules in plain Python."""
    return replay_all(right_actions(DATA, records), records, by_oracle)


@pytest.fixture(scope="module")
def runs(records: Records) -> list[Decided]:
    """The recorded runs, decided by the rules in plain Python."""
    return replay_all(recorded_runs(DATA), records, by_oracle)


def test_every_recorded_answer_is_computed_again(runs: list[Decided]) -> None:
    """The simulated tools give every answer, and every error, that the recorded tools gave."""
    compared = [one for one in runs if one.agrees is not None]
    assert [one.call for one in compared if not one.agrees] == []
    assert len(compared) == 579
    assert sum(one.call.name in tools.WRITES for one in compared) == 125


def test_a_replay_leaves_the_records_as_they_were(records: Records) -> None:
    """The writes of one conversation are not seen by the next."""
    before = records.fresh()
    replay_all(recorded_runs(DATA), records, by_oracle)
    assert (records.users, records.orders) == (before.users, before.orders)


def test_the_rules_permit_every_right_action_that_the_records_permit(right: list[Decided]) -> None:
    """Of 176 right writes the rules block two, one each of the tasks 64 and 105."""
    writes = [one for one in right if one.call.name in tools.WRITES]
    assert (len(writes), sum(one.permitted for one in writes)) == (176, PERMITTED)
    assert [one.conversation.task for one in writes if not one.permitted] == ["64", "105"]


def test_the_tools_make_no_right_action_that_the_rules_block(right: list[Decided]) -> None:
    """What the rules block among the right writes, the recorded tool would answer with an error."""
    assert all(one.done == one.permitted for one in right if one.call.name in tools.WRITES)


def test_the_rules_permit_nothing_that_a_recorded_tool_refused(runs: list[Decided]) -> None:
    """Every write that a recorded tool refused is blocked before it is made."""
    assert all(one.done for one in runs if one.permitted and one.call.name in tools.WRITES)


def test_what_is_blocked_in_runs_of_full_score_is_what_the_prose_forbids(
    runs: list[Decided],
) -> None:
    """A successful run loses just changes after the items were changed, and an item for itself."""
    blocked = summarize([], runs, 1.0).runs.blocked_in_success
    made = sorted((one.task, one.action, one.rules) for one in blocked if one.made)
    assert made == [
        ("111", "modify_pending_order_address", ("only_pending",)),
        ("18", "exchange_delivered_order_items", ("same_item",)),
        ("97", "modify_pending_order_address", ("only_pending",)),
        ("97", "modify_pending_order_address", ("only_pending",)),
    ]


def test_the_report_says_the_same_as_text_and_as_json(
    right: list[Decided], runs: list[Decided]
) -> None:
    """Text and JSON are two forms of one report."""
    report = summarize(right, runs, 2.0)
    told = json.loads(json.dumps(report.as_json()))
    assert told["right"]["writes"] == {
        "asked": 176, "permitted": 174, "denied": 2, "needs_approval": 0, "refused": 0,
    }  # fmt: skip
    assert told["per_second"] == report.decisions / 2
    assert "right actions: writes                 176    174      2      0      0" in text(report)


def test_without_the_data_the_command_says_that_it_skips(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without the records is skipped in so many words, and is no failure."""
    assert main(["--data", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("skipped: ")
