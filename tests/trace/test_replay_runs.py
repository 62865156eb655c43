"""Replays over processes, and replays that go on where they were killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from policylang.bundle.batch import WorkersLost
from policylang.bundle.bundle import Bundle
from policylang.cli.app import policylang
from policylang.cli.output import ExitCode
from policylang.trace.chain import Record
from policylang.trace.journal import Journal, JournalMismatchError
from policylang.trace.reading import Filter, TraceView
from policylang.trace.replay import Replayed, Verdict
from policylang.trace.replay_workers import CHUNK, Recipe, Workers
from policylang.trace.runs import KEPT, ReplayRun, compare
from policylang.trace.store import TraceStore, segments_of
from tests.trace.deciding import POLICY, bundle, request

COUNT = 700
DECISIONS = Filter(kind="decision")
STRICTER = POLICY.replace("50.00", "5.00")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of many decisions by two programs, one of which nobody made so."""
    path = tmp_path_factory.mktemp("store") / "traces.duckdb"
    other = POLICY.replace('version "1.2.0"', 'version "1.3.0"')
    with (
        bundle() as one,
        bundle(other) as two,
        TraceStore.open(path, durability="buffered") as store,
    ):
        for number in range(COUNT - 1):
            case = (one, two)[number % 2].case(
                request(f"{number % 70}.50", name="eve"[number % 4 :])
            )
            store.record(case, agent=f"a{number % 3}")
        record = next(iter(store.records(DECISIONS)))
        body = record.body
        body["decision"]["outcome"] = "needs_approval"
        store.write("decision", body)
        store.fold()
    return path


@pytest.fixture
def view(path: Path) -> Iterator[TraceView]:
    """The store, open for reading."""
    with TraceView(path, segments_of(path)) as view:
        yield view


def made(view: TraceView, candidate: Bundle | None, jobs: int) -> list[Replayed]:
    """The first decisions made again: three chunks of them."""
    chosen = Filter(kind="decision", limit=2 * CHUNK + 10)
    return list(compare(view, view.records(chosen), candidate, jobs=jobs))


@pytest.mark.parametrize("policy", [None, STRICTER], ids=["as recorded", "candidate"])
def test_processes_answer_as_one_does(view: TraceView, policy: str | None) -> None:
    """Two processes give the same comparisons as one, in the same order."""
    if policy is None:
        assert made(view, None, 2) == made(view, None, 1)
        return
    with bundle(policy) as candidate:
        assert made(view, candidate, 2) == made(view, candidate, 1)


class Ending:
    """A record whose reading ends the process that reads it."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (9,)


def test_a_record_that_no_process_survives_is_named_alone(view: TraceView) -> None:
    """A worker that dies is replaced; what it had is given out again, and the cause is told."""
    records: list[Record] = list(view.records(Filter(kind="decision", limit=3)))

    class Supply:
        """Ends a worker when it asks for the program of the second half of the records."""

        def named(self, kind: str, digest: str) -> Record | None:
            return Ending() if digest == second else view.named(kind, digest)  # type: ignore[return-value]

    second = records[1].body["decision"]["program"]["digest"]
    recipe = Recipe(None, "auto", __import__("policylang").Limits())
    with Workers(recipe, Supply(), 1) as workers:
        found = list(workers.replay(records))
    lost = "the process that decided it ended before it answered"
    assert [(one.id, one.verdict, one.problem) for one in found] == [
        (r.id, Verdict.NOT_REPLAYABLE, lost) if i % 2 else (r.id, Verdict.SAME, "")
        for i, r in enumerate(records)
    ]


def test_workers_that_do_not_start_are_told(
    view: TraceView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no worker starts, the run ends with a word and not in silence."""
    monkeypatch.setattr("policylang.trace.replay_workers._START", "import sys; sys.exit(3)")
    with pytest.raises(WorkersLost, match="status 3 before its first answer"):
        made(view, None, 2)


def test_a_run_goes_on_where_it_was_left(view: TraceView, tmp_path: Path) -> None:
    """Parts of a run count together what one run counts, and no decision is made twice but the last few."""
    whole = ReplayRun(view, DECISIONS)
    ids = [one.id for one in whole]
    path = tmp_path / "journal"
    with Journal.open(path, {"a": 1}, DECISIONS) as journal:
        run = ReplayRun(view, DECISIONS, journal=journal)
        first = [one.id for one, _ in zip(run, range(2 * KEPT + 10), strict=False)]
    with path.open("ab") as file:
        file.write(b'{"through": "cut off')
    with Journal.open(path, {"a": 1}, DECISIONS) as journal:
        run = ReplayRun(view, DECISIONS, journal=journal)
        assert run.left == COUNT - 2 * KEPT
        assert run.report.total == 2 * KEPT
        again = [one.id for one in run]
        assert run.report == whole.report
    assert first[: 2 * KEPT] + again == ids
    with Journal.open(path, {"a": 1}, DECISIONS) as journal:
        run = ReplayRun(view, DECISIONS, journal=journal)
        assert (run.left, list(run), run.report) == (0, [], whole.report)
        (finding,) = run.earlier()
        assert finding.transition == "needs_approval -> deny"
        with pytest.raises(JournalMismatchError, match="in use by another process"):
            Journal.open(path, {"a": 1}, DECISIONS)
    with pytest.raises(JournalMismatchError, match="another replay"):
        Journal.open(path, {"a": 2}, DECISIONS)
    path.write_text("something else\n")
    with pytest.raises(JournalMismatchError, match="no journal"):
        Journal.open(path, {"a": 1}, DECISIONS)


@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_a_killed_replay_goes_on(path: Path, tmp_path: Path, jobs: str) -> None:
    """A process killed with -9 in the middle of a replay leaves a journal that the next one goes on from."""
    policy = tmp_path / "next.policy"
    policy.write_text(STRICTER)
    rows = tmp_path / "banned.json"
    rows.write_text('[{"name": "eve"}]')
    journal = tmp_path / "journal"
    asked = ["replay", "--store", str(path), "--with", str(policy)]
    asked += ["--reference", f"banned={rows}", "--json"]
    command = [sys.executable, "-m", "policylang", *asked, "--jobs", jobs, "--resume", str(journal)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        while not (journal.exists() and journal.read_bytes().count(b"\n") >= 2):
            assert running.poll() is None, running.stderr.read()  # type: ignore[union-attr]
            time.sleep(0.002)
        running.send_signal(signal.SIGKILL)
    kept = journal.read_bytes().count(b"\n") - 1
    assert 1 <= kept <= -(-COUNT // KEPT)
    resumed = CliRunner().invoke(policylang, [*asked, "--resume", str(journal)])
    whole = CliRunner().invoke(policylang, asked)
    assert resumed.exit_code == whole.exit_code == ExitCode.OK
    assert json.loads(resumed.stdout) == json.loads(whole.stdout)
    assert json.loads(whole.stdout)["verdicts"]["different"] > 0
    lines = [json.loads(line) for line in journal.read_bytes().splitlines()[1:]]
    assert sum(sum(line["report"]["verdicts"].values()) for line in lines) == COUNT
