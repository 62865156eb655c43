"""Retention and export: what is left, or elsewhere, still verifies and can be decided again."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import duckdb
import pytest

from policylang.trace.archive import Archive
from policylang.trace.checkpoint import read_checkpoint
from policylang.trace.folding import LEASE
from policylang.trace.reading import Filter, TraceView
from policylang.trace.replay import AsRecorded, Verdict, replay
from policylang.trace.segments import segment_paths
from policylang.trace.store import TraceStore, segments_of
from policylang.trace.verify import Verified, verify
from policylang.trace.writer import TraceUnavailableError
from tests.trace.deciding import POLICY, bundle, request

DAY = 86_400.0
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


class Days:
    """A clock that is set to days before `NOW`."""

    def __init__(self) -> None:
        self.ago = 0.0

    def __call__(self) -> float:
        return NOW.timestamp() - self.ago * DAY


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two chains: one from 500 days ago until today in segments of each time, and one from then alone."""
    path = tmp_path_factory.mktemp("store") / "traces.duckdb"
    clock = Days()
    with bundle() as policy, bundle(POLICY.replace('"1.2.0"', '"0.9.0"')) as older:
        clock.ago = 500
        with TraceStore.open(path, clock=clock) as gone:
            gone.record(older.case(request()), agent="gone")
        with TraceStore.open(path, clock=clock) as store:
            for ago in (500, 450, 300, 0):
                clock.ago = ago
                store.record(policy.case(request(f"{ago}.00", name="ann")), agent=f"d{ago}")
                if ago == 450:
                    store.checkpoint(path.with_name("kept.json"))
                store.fold()
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    """A copy of the store."""
    shutil.copytree(whole.parent, tmp_path / "store")
    return tmp_path / "store" / whole.name


def checked(path: Path, *, checkpoint: bool = False) -> Verified:
    """What a check of the store says."""
    kept = (read_checkpoint(path.with_name("kept.json"), None),) if checkpoint else ()
    with TraceView(path, segments_of(path)) as view:
        return verify(view, kept)


def agents(path: Path) -> list[str]:
    """For whom the decisions that are there were made."""
    with TraceView(path, segments_of(path)) as view:
        return [r.body["agent"] for r in view.records(Filter(kind="decision"))]


def test_what_is_old_is_dropped_and_what_is_left_verifies(path: Path) -> None:
    """Whole segments of old records go, chains are said to begin later, and kept decisions are decided again."""
    with TraceStore.open(path) as store:
        done = store.retain(dt.timedelta(days=400), now=NOW)
        assert (done.records, done.segments) == (8, 3)
        assert agents(path) == ["d300", "d0"]
        with store.view() as view:
            assert all(
                one.verdict is Verdict.SAME
                for one in replay(view.records(Filter(kind="decision")), AsRecorded(Archive(view)))
            )
        record = store.get(done.record)
        assert record is not None
        assert record.body["before"] == "2025-10-16T12:00:00.000000Z"
        found = checked(path, checkpoint=True)
        assert found.findings == ()
        assert found.dropped == 8
        store.fold()
        assert store.retain(dt.timedelta(days=400), now=NOW).records == 0
        assert store.retain(dt.timedelta(days=200), now=NOW).records == 1
        assert checked(path, checkpoint=True).dropped == 9
    assert agents(path) == ["d0"]
    # Both programs are kept: a process that goes on may have recorded one of them long ago.
    with TraceView(path, segments_of(path)) as view:
        assert len({r.body["digest"] for r in view.records(Filter(kind="program"))}) == 2


def test_what_is_dropped_is_in_no_file(path: Path) -> None:
    """Dropped records are overwritten by nothing: the file is made again without them."""
    with TraceStore.open(path) as store:
        before = path.stat().st_ino
        store.retain(dt.timedelta(days=400), now=NOW)
        assert path.stat().st_ino != before
    folder = segments_of(path)
    content = b"".join(p.read_bytes() for p in (path, *segment_paths(folder)))
    assert b"d450" not in content
    assert b"d300" in content


def test_what_a_retention_does_not_say_is_missed(path: Path) -> None:
    """After a retention, more of the beginning of a chain cannot be taken away unseen."""
    with TraceStore.open(path) as store:
        store.retain(dt.timedelta(days=400), now=NOW)
    with duckdb.connect(str(path)) as client:
        client.execute("""DELETE FROM base.records WHERE sequence = (SELECT min(sequence) FROM base.records
            WHERE kind = 'decision') AND kind = 'decision'""")
    problems = [finding.problem for finding in checked(path).findings]
    assert any("missing" in problem for problem in problems)
    assert any("are there" in problem for problem in problems)


def test_a_dropped_segment_does_not_come_back(path: Path) -> None:
    """A copy of a dropped segment in the folder is neither read nor folded."""
    folder = segments_of(path)
    copies = [(p, p.read_bytes()) for p in segment_paths(folder)]
    with TraceStore.open(path) as store:
        store.retain(dt.timedelta(days=1), now=NOW)
        for copy, content in copies:
            copy.write_bytes(content)
        store.fold()
    assert agents(path) == ["d0"]
    assert checked(path).holds


def test_a_retention_that_is_cut_short_is_finished_by_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a process dies between the record and the dropping, everything is there, verifies, and goes next time."""
    monkeypatch.setattr("policylang.trace.store_keeping.drop", lambda *_, **__: None)
    with TraceStore.open(path) as store:
        store.retain(dt.timedelta(days=400), now=NOW)
        assert len(agents(path)) == 5
        assert checked(path, checkpoint=True).findings == ()
        monkeypatch.undo()
        store.retain(dt.timedelta(days=400), now=NOW)
    assert agents(path) == ["d300", "d0"]
    found = checked(path, checkpoint=True)
    assert (found.findings, found.dropped) == ((), 8)


def test_an_exported_folder_is_read_as_a_store(path: Path, tmp_path: Path) -> None:
    """Parquet by day holds every record: it is queried, verified and decided again, by policylang and by any client."""
    to = tmp_path / "exported"
    with TraceStore.open(path) as store:
        exported = store.export(to)
        assert (exported.records, exported.days) == (10, 4)
        with pytest.raises(FileExistsError):
            store.export(to)
        before = [record.text for record in store.records()]
    with TraceView(to, segments_of(to)) as view:
        assert [record.text for record in view.records(Filter())] == before
        assert verify(view, (read_checkpoint(path.with_name("kept.json"), None),)).findings == ()
        assert view.query("SELECT name FROM facts.customer WHERE name = 'ann' LIMIT 1")[1] == [
            ("ann",)
        ]
        last = list(view.records(Filter(kind="decision")))[-1]
        archive = Archive(view)
        assert archive.case(last).decision.determining == ("refunds.small",)
        archive.close()
    days = duckdb.sql(
        f"SELECT DISTINCT day FROM '{to}/records/*/*.parquet' WHERE outcome = 'allow'"
    )
    assert len(days.fetchall()) == 2


def test_a_changed_export_is_found(path: Path, tmp_path: Path) -> None:
    """An exported day that is taken away is missed; a folder that is no export is refused."""
    to = tmp_path / "exported"
    with TraceStore.open(path) as store:
        store.export(to)
    shutil.rmtree(sorted((to / "records").iterdir())[1])
    assert not checked(to).holds
    with pytest.raises(TraceUnavailableError, match="no exported store"):
        TraceView(tmp_path, segments_of(tmp_path))


def test_retentions_hold_whatever_clocks_say_of_their_order(path: Path) -> None:
    """A later retention by a process whose clock is behind shortens chains further, and both are believed."""
    with TraceStore.open(path) as store:
        store.retain(dt.timedelta(days=400), now=NOW)
    with TraceStore.open(path, clock=lambda: NOW.timestamp() - 20 * DAY) as behind:
        assert behind.retain(dt.timedelta(days=200), now=NOW).records == 1
    found = checked(path, checkpoint=True)
    assert (found.findings, found.dropped) == ((), 9)


def test_a_folding_that_cannot_begin_is_told(path: Path) -> None:
    """Where the lease cannot be taken, who folds is told, and what is recorded is read as before."""
    before = agents(path)
    lease = segments_of(path) / LEASE
    lease.unlink()
    lease.mkdir()
    with TraceStore.open(path) as store, pytest.raises(TraceUnavailableError, match="cannot fold"):
        store.fold()
    assert agents(path) == before
