"""The commands about what was seen of candidates: report, metric, advance, backtest, and why by a published version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import Stage
from policylang.trace.reading import Filter
from policylang.trace.store import TraceStore
from tests.cli.conftest import Run
from tests.rollout.shop import begun, decided, deployed, put, request, text

CRITERIA = """promote when shadow: decisions >= 12 and loosened == 0
rollback when shadow: tightened >= 20"""


@pytest.fixture
def store_path(tmp_path: Path) -> str:
    """A store with 1.1.0 in shadow, which has seen twelve requests and denies two that live allows."""
    path = tmp_path / "traces.duckdb"
    with TraceStore.open(path, durability="buffered") as store:
        rollouts = begun(store)
        put(store, text("1.1.0", 4, CRITERIA))
        rollouts.start("shop@1.1.0", by="ann")
        with deployed(store) as deployment:
            for i in range(12):
                decided(store, deployment, request(1 + i % 6, f"c{i}"))
            deployment.rest()
    return str(path)


def _decision(store_path: str) -> str:
    with TraceStore.open(store_path) as store:
        return next(store.records(Filter(kind="decision"))).id


def test_report_shows_what_differs_and_how_to_ask_why(run: Run, store_path: str) -> None:
    """For a reader the counts and commands, as JSON the same, as a page to a file."""
    shown = run("rollout", "report", "shop", "--store", store_path, "--html", "report.html")
    assert shown.exit_code == 0
    assert "12 decisions, 10 answered alike: 83.33%" in shown.output
    assert "allow -> deny" in shown.output
    assert "met: promote when shadow: decisions >= 12 and loosened == 0" in shown.output
    assert Path("report.html").read_text().startswith("<!doctype html>")
    form = json.loads(
        run("rollout", "report", "shop@1.1.0", "--store", store_path, "--json").output
    )
    example = form["examples"]["allow -> deny"][0]
    assert f"  candidate  {example['why_candidate']}" in shown.output
    live = run(*example["why"].split()[1:])
    candidate = run(*example["why_candidate"].split()[1:])
    assert live.output.startswith("allow ship")
    assert candidate.output.startswith("deny ship")


def test_every_affected_request_can_be_asked_for(run: Run, store_path: str) -> None:
    """As many examples as are asked for are listed, of a shadow and of a backtest."""
    Path("draft.policy").write_text(text("2.0.0", 3))
    for command, number in ((("rollout", "report", "shop"), 2), (("backtest", "draft.policy"), 4)):
        for asked in (1, 99):
            shown = run(*command, "--store", store_path, "--examples", str(asked), "--json")
            found = json.loads(shown.output)["examples"]["allow -> deny"]
            assert len(found) == min(asked, number)


def test_report_of_nothing_is_refused(run: Run, store_path: str) -> None:
    """A version that was never in that stage, or that is not published, has no report."""
    for arguments in (("shop@1.0.0",), ("shop", "--stage", "canary"), ("shop@9",), ("other",)):
        assert run("rollout", "report", *arguments, "--store", store_path).exit_code == 3


def test_metrics_are_reported_against_decisions(run: Run, store_path: str) -> None:
    """True where nothing is given; numbers exactly; anything else, and an unknown decision, is refused."""
    id_ = _decision(store_path)
    for given in ((), ("3",), ("0.10",), ("false",)):
        assert run("rollout", "metric", id_, "c", *given, "--store", store_path).exit_code == 0
    with TraceStore.open(store_path) as store:
        values = [record.body["value"] for record in store.records(Filter(kind="metric"))]
    assert values == [True, 3, "0.10", False]
    assert run("rollout", "metric", id_, "c", "much", "--store", store_path).exit_code == 2
    assert run("rollout", "metric", id_, "c", "NaN", "--store", store_path).exit_code == 2
    assert run("rollout", "metric", "nobody", "c", "--store", store_path).exit_code == 1


def test_advance_says_what_it_does_and_does_it_once(run: Run, store_path: str) -> None:
    """A dry run does nothing; a run promotes; the next has nothing to do."""
    dry = run("rollout", "advance", "--dry-run", "--store", store_path)
    assert "shop@1.1.0 in shadow: would be promoted" in dry.output
    done = run("rollout", "advance", "shop", "--store", store_path, "--json")
    assert [one["did"] for one in json.loads(done.output)] == ["promoted"]
    again = run("rollout", "advance", "--store", store_path)
    assert again.output == "no version in shadow or canary has criteria\n"
    history = run("rollout", "history", "shop", "--store", store_path)
    assert "by criteria: promote when shadow: decisions >= 12" in history.output


def test_a_step_that_is_due_and_refused_is_a_failure(run: Run, store_path: str) -> None:
    """A scheduler sees by the status that somebody has to look: here another version is in canary."""
    with TraceStore.open(store_path) as store:
        rollouts = begun_again(store)
        rollouts.start("shop@1.2.0", by="ann", stage=Stage.CANARY)
    done = run("rollout", "advance", "--store", store_path)
    assert done.exit_code == 1
    assert "shop@1.2.0 is in canary, and a module has one at a time" in done.output


def begun_again(store: TraceStore) -> Rollouts:
    """The rollouts of the store, with 1.2.0 published too."""
    put(store, text("1.2.0", 5))
    return Rollouts(store)


def test_backtest_reports_as_a_shadow_does_and_is_noted(run: Run, store_path: str) -> None:
    """A draft on disk over recorded decisions: text, JSON, page; noted unless decisions were picked."""
    Path("draft.policy").write_text(text("2.0.0", 3))
    shown = run(
        "backtest", "draft.policy", "--store", store_path, "--since", "30d", "--html", "b.html"
    )
    assert shown.exit_code == 0
    assert "shop@2.0.0 in backtest" in shown.output
    assert "12 decisions, 8 answered alike: 66.67%" in shown.output
    assert "--with draft.policy" in shown.output
    assert "shop@2.0.0 in backtest" in Path("b.html").read_text()
    picked = run("backtest", "draft.policy", "--store", store_path, "--agent", "bot", "--json")
    assert json.loads(picked.output)["differences"]["tighter"] == 4
    with TraceStore.open(store_path) as store:
        assert len(list(store.records(Filter(kind="backtest")))) == 1


def test_what_is_published_is_backtested_from_the_store_alone(run: Run, store_path: str) -> None:
    """MODULE@VERSION needs no file, and has its own params."""
    shown = run(
        "backtest", "shop@1.1.0", "--store", store_path, "--since", "30d", "--html", "b.html"
    )
    assert shown.exit_code == 0, shown.output
    assert "shop@1.1.0 in backtest" in shown.output
    assert "12 decisions, 10 answered alike" in shown.output
    assert "--with shop@1.1.0" in Path("b.html").read_text()
    given = run("backtest", "shop@1.1.0", "--store", store_path, "--param", "most=3")
    assert given.exit_code == 2
    unknown = run("backtest", "shop@9.0.0", "--store", store_path)
    assert (unknown.exit_code, "PL0903" in unknown.output) == (3, True)


def test_status_tells_what_is_no_program(run: Run, store_path: str) -> None:
    """A candidate that the store has another text of is told beside what was counted of it, as JSON too."""
    with TraceStore.open(store_path) as store, store.state.transaction() as tx:
        tx.execute("UPDATE versions SET text = 'module shop' WHERE version = '1.1.0'")
    shown = run("rollout", "status", "--store", store_path)
    assert "no program with the active modules: error[PL0909]" in shown.output
    told = json.loads(run("rollout", "status", "--store", store_path, "--json").output)
    problems = [version.get("problem", "") for version in told["shop"]["versions"]]
    assert ["PL0909" in problem for problem in problems] == [False, True]


def test_backtest_of_a_broken_draft_shows_what_is_wrong(run: Run, store_path: str) -> None:
    """A draft with errors is reported as by `check`, and nothing is noted."""
    Path("draft.policy").write_text(text("2.0.0", 3) + "rule x: allow nothing")
    assert run("backtest", "draft.policy", "--store", store_path).exit_code == 3
