"""The doctor: each question is answered with yes where that is shown, and with no where something shows otherwise."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from policylang import Bundle, load
from policylang.cli.app import policylang
from policylang.gate.doctor import Examination, Project, Reply, examine
from policylang.gate.doctor_code import guarded_in
from policylang.gate.gate import Gate
from policylang.rollout.publishing import publish
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import Settings, Stage
from policylang.trace.store import TraceStore

POLICY = """module shop version "1.0.0"
fact agent { id: String key }
fact customer from system { id: String }
fact approver { id: String key }
action refund { amount: Decimal(2) in 0.01 .. 100.00 }
action approve_refund { by: String }
rule small: allow refund if refund.amount <= 50.00 and customer.id == "c1"
rule may: allow approve_refund if approver.id == "maria"
test "small ones pay out" {
  given { customer { id: "c1" } }
  when refund { amount: 5.00 }
  expect allow
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a policy, code that protects its action, and a store with two calls in it."""
    (tmp_path / "shop.policy").write_text(POLICY)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text('@gate.protect("refund")\ndef refund(amount): ...\n')
    with Gate.open(load(tmp_path / "shop.policy"), store=tmp_path / "traces.duckdb") as gate:
        facts = {"customer": {"id": "c1"}}
        gate.call("refund", {"amount": "5.00"}, lambda _: "paid", agent="bot-7", facts=facts)
        gate.decide("refund", {"amount": "five"}, agent="bot-7", facts=facts)
    return tmp_path


@pytest.fixture
def examined(folder: Path) -> Iterator[Callable[..., Examination]]:
    """Examines the project; arguments are given in the place of what it has."""
    opened: list[TraceStore | Bundle] = []

    def of(**changes: Any) -> Examination:
        store = TraceStore.open(folder / "traces.duckdb")
        bundle = load(folder / "shop.policy")
        opened.extend((store, bundle))
        known = {"bundle": bundle, "store": store, "code": (folder / "src",), "tools": ["refund"]}
        return examine(Project(**{**known, **changes}))

    yield of
    for each in opened:
        each.close()


def replies(found: Examination) -> dict[str, str]:
    """The reply to each question."""
    return {each.name: each.reply.value for each in (*found.questions, *found.health)}


def changed(version: str) -> str:
    """The policy as another version, with another limit."""
    return POLICY.replace("1.0.0", version).replace("50.00 and", f"5{version[0]}.00 and")


def published(folder: Path, *versions: str) -> None:
    """Publish versions of the policy one after the other, and make each active: all but the first through stages."""
    with TraceStore.open(folder / "traces.duckdb") as store:
        for version in versions:
            name = _publish(store, folder, version)
            rollouts = Rollouts(store)
            if version == versions[0]:
                rollouts.start(name, by="ops", stage=Stage.ACTIVE)
            else:
                rollouts.start(name, by="ops", settings=AGREED)
                rollouts.promote(name, by="ops")
                rollouts.promote(name, by="ops")


def _publish(store: TraceStore, folder: Path, version: str) -> str:
    (folder / "shop.policy").write_text(changed(version))
    publish(store, load(folder / "shop.policy"), by="ops")
    return f"shop@{version}"


AGREED = Settings(allow_loosening=True, by=("agent.id",))


def test_a_project_without_rollouts_has_one_no(examined: Callable[..., Examination]) -> None:
    """Policies, a gate before every action, traces that replay, and types: four times yes; nothing is staged."""
    found = examined()
    questions = {each.name: each.reply for each in found.questions}
    assert questions == {
        "apart": Reply.YES,
        "gated": Reply.YES,
        "replayed": Reply.YES,
        "staged": Reply.NO,
        "typed": Reply.YES,
    }
    assert not found.is_well
    assert "refund (app.py:1)" in " ".join(found.questions[1].evidence)
    assert "1 request refused at the border" in " ".join(found.questions[4].evidence)
    assert {each.reply for each in found.health} == {Reply.YES}


def test_what_is_not_there_is_no_yes(examined: Callable[..., Examination]) -> None:
    """Without policies, store, code and tools no question is answered with yes."""
    found = examined(bundle=None, store=None, code=(), tools=None)
    assert {each.reply for each in found.questions} <= {Reply.NO, Reply.OPEN}
    assert found.health == ()


def test_a_tool_that_nobody_declares_is_told(examined: Callable[..., Examination]) -> None:
    """A tool of an agent that is no action is named, and the question is answered with no."""
    (gated,) = [
        each for each in examined(tools=["refund", "wire"]).questions if each.name == "gated"
    ]
    assert gated.reply is Reply.NO
    assert "tools that no policy declares: wire" in gated.evidence


def test_an_action_without_a_gate_is_told(
    folder: Path, examined: Callable[..., Examination]
) -> None:
    """An action that neither code nor outcomes show behind a gate is named; what decides about approvals is not asked for."""
    with (folder / "shop.policy").open("a") as file:
        file.write(
            "action wire { amount: Int in 0 .. 9 }\nrule wires: allow wire if wire.amount < 5\n"
        )
    (gated,) = [each for each in examined().questions if each.name == "gated"]
    assert gated.reply is Reply.NO
    assert "actions with no gate to be seen before them: wire" in gated.evidence


def test_code_is_read_and_not_run(tmp_path: Path) -> None:
    """Gates are found in the text of the code by literal names, whatever the code would do; broken files are passed over."""
    (tmp_path / "a.py").write_text(
        "raise SystemExit\n"
        'gate.guard_tools({"refund": refund, "cancel": cancel, name: other})\n'
        'gate.call("ship", {}, run)\nawait gate.adecide(action="note")\n'
        "agent = create_agent(m, [t], middleware=[PolicyMiddleware(gate)])\n"
    )
    (tmp_path / "b.py").write_text("def (:")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "c.py").write_text('gate.protect("hidden")')
    found = guarded_in((tmp_path,))
    assert set(found.actions) == {"refund", "cancel", "ship", "note"}
    assert (found.middlewares, found.files) == (["a.py:5"], 1)


def test_changes_that_met_all_traffic_at_once_are_told(
    folder: Path, examined: Callable[..., Examination]
) -> None:
    """Where versions are published, decisions by what nobody published answer the question with no."""
    published(folder, "1.0.0")
    (folder / "shop.policy").write_text(changed("9.0.0"))
    with Gate.open(load(folder / "shop.policy"), store=folder / "traces.duckdb") as gate:
        gate.decide("refund", {"amount": "5.00"}, agent="bot-7")
    (staged,) = [each for each in examined().questions if each.name == "staged"]
    assert staged.reply is Reply.NO
    assert "1 decision by modules that nobody published" in staged.evidence


@pytest.mark.slow
def test_changes_in_stages_are_a_yes(folder: Path, examined: Callable[..., Examination]) -> None:
    """A first version, and a second one through a canary: every question is answered with yes."""
    published(folder, "1.0.0", "2.0.0")
    found = examined()
    assert replies(found)["staged"] == "yes"
    assert found.is_well


@pytest.mark.slow
def test_a_rollout_that_stands_still_is_told(
    folder: Path, examined: Callable[..., Examination]
) -> None:
    """A version that is in shadow for more than two weeks is a finding about the store."""
    published(folder, "1.0.0")
    with TraceStore.open(folder / "traces.duckdb") as store:
        Rollouts(store).start(_publish(store, folder, "3.0.0"), by="ops", settings=AGREED)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=15)
    assert replies(examined())["rollouts"] == "yes"
    found = examined(now=later)
    assert replies(found)["rollouts"] == "no"
    assert any("shop@3.0.0 in shadow" in line for each in found.health for line in each.evidence)


def test_a_store_that_was_changed_is_not_well(
    folder: Path, examined: Callable[..., Examination]
) -> None:
    """Where a record was changed, the store's health says so, and the decision is not what was recorded."""
    for segment in (folder / "traces.duckdb.segments").iterdir():
        content = segment.read_bytes()
        if b'"amount":"5.00"' in content:
            segment.write_bytes(content.replace(b'"amount":"5.00"', b'"amount":"4.00"'))
    assert replies(examined())["verified"] == "no"


def _run(folder: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(policylang, ["doctor", *arguments])
    assert "This is a bug" not in result.output, result.output
    return result


def test_the_command_takes_what_the_project_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With settings, `policylang doctor` finds policies and store by itself; it ends with 1 while a question is open."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("POLICYLANG_STORE", raising=False)
    (folder / "policylang.toml").write_text('policies = ["shop.policy"]\nstore = "traces.duckdb"\n')
    (folder / "tools.json").write_text('[{"name": "refund"}, {"function": {"name": "wire"}}]')
    result = _run(folder, "--code", "src", "--tools", "tools.json", "--json")
    form = json.loads(result.output)
    assert (result.exit_code, form["well"]) == (1, False)
    assert [each["name"] for each in form["questions"]] == [
        "apart",
        "gated",
        "replayed",
        "staged",
        "typed",
    ]
    text = _run(folder, "--tools", "refund").output
    assert "4 of 5 questions are answered with yes" in text
    assert "✗ 4. do rule changes" in text


@pytest.mark.slow
def test_the_command_ends_with_0_where_all_is_well(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every question is answered with yes and the store is well, the status is 0."""
    monkeypatch.chdir(folder)
    published(folder, "1.0.0", "2.0.0")
    result = _run(folder, "shop.policy", "--store", "traces.duckdb", "--code", "src")
    assert (result.exit_code, "5 of 5" in result.output) == (0, True), result.output


@pytest.mark.parametrize("tools", ["missing.json", "broken.json", "nameless.json"])
def test_tools_that_cannot_be_read_are_wrong_usage(
    folder: Path, tools: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of tools that is not there, no JSON, or without names ends with 2 and a word."""
    monkeypatch.chdir(folder)
    (folder / "broken.json").write_text("[")
    (folder / "nameless.json").write_text("[{}]")
    assert _run(folder, "shop.policy", "--tools", tools).exit_code == 2
