"""The store: what is recorded is found again, once, in whatever state of folding it is."""

from __future__ import annotations

import datetime as dt
import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from policylang.decide.json import decision_to_json, facts_to_json, firings_to_json
from policylang.trace.reading import Filter
from policylang.trace.segments import SEALED, segment_paths
from policylang.trace.store import TraceStore, segments_of
from policylang.trace.tables import BASE_VIEWS
from policylang.trace.verify import verify
from policylang.trace.writer import TraceUnavailableError
from tests.trace.deciding import bundle, request

FOLDING = Path(__file__).with_name("folder.py")
RECORDING = Path(__file__).with_name("recording.py")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store may be made."""
    return tmp_path / "traces.duckdb"


def test_a_decision_keeps_everything_it_was_decided_on(path: Path) -> None:
    """The record holds the decision, facts, firings, circumstances and versions, exactly."""
    with bundle() as policy, TraceStore.open(path) as store:
        case = policy.case(request("12.50", name="ann"))
        took = dt.timedelta(microseconds=321)
        id_ = store.record(case, agent="bot-7", stage="canary", bucket=17, duration=took)
        record = store.get(id_)
    assert record is not None
    assert case.facts is not None
    body = record.body
    assert body["decision"] == decision_to_json(case.decision)
    assert body["facts"] == facts_to_json(case.facts, case.program.schema)
    assert body["firings"] == firings_to_json(case.decision.firings, case.program)
    told = (body["agent"], body["stage"], body["bucket"], body["microseconds"])
    assert told == ("bot-7", "canary", 17, 321)
    assert set(body["versions"]) == {"policylang", "clingo", "tzdata"}
    assert body["evaluator"]


def test_what_a_decision_needs_is_recorded_before_it_and_once(path: Path) -> None:
    """One record for each program and each reference relation, whatever the number of decisions."""
    with bundle() as policy, TraceStore.open(path) as store:
        for _ in range(3):
            store.record(policy.case(request()))
        kinds = [record.kind for record in store.records()]
        programs = [record.body for record in store.records(Filter(kind="program"))]
        (reference,) = (record.body for record in store.records(Filter(kind="reference")))
    assert kinds == ["program", "reference", "decision", "decision", "decision"]
    (module,) = programs[0]["modules"]
    assert (module["name"], module["version"]) == ("refunds", "1.2.0")
    assert module["text"].startswith("\nmodule refunds")
    assert reference["rows"] == [{"values": {"name": "eve"}}]


@pytest.mark.parametrize("given", ["", "nope", '{"action": "nope"}', {"action": "refunds.refund"}])
def test_refused_requests_are_recorded(path: Path, given: str) -> None:
    """A request that reached no rule leaves a record with its problems."""
    with bundle() as policy, TraceStore.open(path) as store:
        id_ = store.record(policy.case(given))
        record = store.get(id_)
    assert record is not None
    assert record.body["decision"]["rejection"]["problems"]
    assert "facts" not in record.body


def test_files_are_their_owners_alone(path: Path) -> None:
    """What is recorded can be read by whoever recorded it and by nobody else, folded or not."""
    before = os.umask(0o022)
    try:
        with bundle() as policy, TraceStore.open(path) as store:
            store.record(policy.case(request()))
            store.fold()
            store.record(policy.case(request()))
        files = [path, *segments_of(path).iterdir()]
        assert {file.stat().st_mode & 0o077 for file in files} == {0}
    finally:
        os.umask(before)


def test_folded_and_unfolded_records_are_seen_as_one(path: Path) -> None:
    """Every record is read exactly once, in the order of recording, before, between and after foldings."""
    made = []
    with bundle() as policy, TraceStore.open(path) as store:
        for number in range(12):
            made.append(store.record(policy.case(request()), agent=f"a{number}"))
            if number % 5 == 4:
                store.fold()
            assert [r.id for r in store.records(Filter(kind="decision"))] == made
        before = {record.id: record.text for record in store.records()}
        store.fold()
        after = {record.id: record.text for record in store.records()}
        assert before == after
        assert store.get(made[3]) is not None
        assert store.get("no such record") is None


def test_filters_choose_decisions(path: Path) -> None:
    """Each filter lets through what it names and nothing else, folded or not."""
    with bundle() as policy, TraceStore.open(path) as store:
        small = store.record(policy.case(request("12.50", name="ann")), agent="a")
        large = store.record(policy.case(request("80.00", name="ann")), agent="b")
        store.fold()
        banned = store.record(policy.case(request("12.50", name="eve")), agent="b")

        view = store.view()

        def chosen(**filters: object) -> list[str]:
            return [record.id for record in view.records(Filter(**filters))]  # type: ignore[arg-type]

        assert chosen(outcome="allow") == [small]
        assert chosen(agent="b") == [large, banned]
        assert chosen(agent="b", newest_first=True, limit=1) == [banned]
        assert chosen(rule="blocked") == chosen(rule="refunds.blocked") == [banned]
        assert chosen(rule="locked") == []
        assert chosen(action="refund") == chosen(action="refunds.refund") == [small, large, banned]
        assert chosen(fact=("customer", "name", "eve")) == [banned]
        assert chosen(where="outcome = 'deny' AND agent = 'b'") == [large, banned]
        assert chosen(kind="decision", until="2001-01-01") == []
        assert len(chosen(since="2001-01-01")) == 5
        view.close()


def test_facts_are_typed_columns(path: Path) -> None:
    """A fact is a view of its fields in their types; what is secret is not shown."""
    with bundle() as policy, TraceStore.open(path) as store:
        store.record(policy.case(request("12.50", name="ann", card="4111")))
        store.fold()
        store.record(policy.case(request("99.10", name="bob", card="4222")))
        with store.view() as view:
            _, rows = view.query(
                "SELECT facts.customer.name, facts.refund.amount * 2 FROM facts.customer"
                " JOIN facts.refund USING (decision) WHERE facts.refund.amount > 12 ORDER BY 1"
            )
            _, shown = view.query("SELECT DISTINCT card FROM facts.customer")
            _, values = view.query("SELECT DISTINCT value FROM facts WHERE field = 'card'")
            _, numbers = view.query("SELECT number FROM facts WHERE field = 'amount' ORDER BY 1")
    assert [(name, str(amount)) for name, amount in rows] == [("ann", "25.00"), ("bob", "198.20")]
    assert shown == values == [("(secret)",)]
    assert [str(number) for (number,) in numbers] == ["12.500000", "99.100000"]


def test_any_client_of_duckdb_reads_the_file(path: Path) -> None:
    """The views are in the file, typed, and say what the records say."""
    with bundle() as policy, TraceStore.open(path) as store:
        store.record(policy.case(request("12.50")), agent="a")
        store.record(policy.case(request("80.00")), agent="a")
        store.fold()
    with duckdb.connect(str(path), read_only=True) as client:
        daily = client.execute("SELECT outcome, decisions FROM daily ORDER BY 1").fetchall()
        stats = client.execute("SELECT rule, fired, decided FROM rule_stats ORDER BY 1").fetchall()
        modules = client.execute("SELECT module, version FROM modules").fetchall()
        messages = client.execute("SELECT message FROM reasons ORDER BY 1").fetchall()
        tiers = client.execute("SELECT DISTINCT tier FROM facts.customer").fetchall()
    assert daily == [("allow", 1), ("deny", 1)]
    assert stats == [("refunds.blocked", 0, 0), ("refunds.small", 1, 1)]
    assert modules == [("refunds", "1.2.0")]
    assert messages[0] == ("12.50 is small",)
    assert tiers == [("pro",)]


def test_a_store_fails_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a decision cannot be recorded the caller is told, and so must not act."""
    with bundle() as policy, TraceStore.open(path) as store:
        monkeypatch.setattr(os, "fdatasync", _no_space)
        with pytest.raises(TraceUnavailableError):
            store.record(policy.case(request()))


def test_an_open_failure_leaves_a_record_of_the_gap(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What could not be recorded is counted and named by the next record that can be, and logged at once."""
    with bundle() as policy, TraceStore.open(path, on_failure="open") as store:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", _no_space)
            lost = [store.record(policy.case(request())) for _ in range(3)]
        kept = store.record(policy.case(request()))
        (gap,) = store.records(Filter(kind="gap"))
        assert gap.body == {"count": 3, "lost": lost}
        assert [record.id for record in store.records(Filter(kind="decision"))] == [kept]
    assert len(caplog.records) == 3


def _no_space(number: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_new_chain_holds_what_it_needs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a chain broke off, the program is recorded in the next one again."""
    with bundle() as policy, TraceStore.open(path) as store:
        store.record(policy.case(request()))
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", _no_space)
            with pytest.raises(TraceUnavailableError):
                store.record(policy.case(request()))
        store.record(policy.case(request()))
        chains: dict[str, list[str]] = {}
        for record in store.records():
            chains.setdefault(record.writer, []).append(record.kind)
    assert list(chains.values()) == [["program", "reference", "decision"]] * 2


def test_a_damaged_segment_is_named_and_read_as_far_as_it_can_be(path: Path) -> None:
    """What is readable of a damaged segment is read, the rest is named, and nothing of it is folded."""
    with bundle() as policy, TraceStore.open(path) as store:
        ids = [store.record(policy.case(request())) for _ in range(3)]
    (segment,) = segment_paths(segments_of(path))
    lines = segment.read_bytes().split(b"\n")
    lines[3] = lines[3].replace(b"allow", b"alloW", 1)
    segment.write_bytes(b"\n".join(lines))
    with TraceStore.open(path) as store:
        folded = store.fold()
        (damage,) = folded.damages
        assert (folded.segments, damage.line) == (0, 4)
        assert damage.problem == "its hash is not that of its content"
        assert [r.id for r in store.records(Filter(kind="decision"))] == [ids[0], ids[2]]
        with store.view() as view:
            assert view.damages == folded.damages


def test_a_newer_store_is_refused(path: Path) -> None:
    """A file of a form that this version does not know is neither read nor written."""
    with bundle() as policy, TraceStore.open(path) as store:
        store.record(policy.case(request()))
        store.fold()
        with duckdb.connect(str(path)) as client:
            client.execute("UPDATE base.form SET version = 99")
        with pytest.raises(TraceUnavailableError, match="form 99"):
            store.fold()
        with pytest.raises(TraceUnavailableError, match="form 99"):
            list(store.records())


@pytest.mark.slow
def test_two_processes_fold_at_once(path: Path) -> None:
    """Foldings wait for each other, readers read meanwhile, and every record is there once."""
    with bundle() as policy, TraceStore.open(path) as store:
        for _ in range(30):
            store.record(policy.case(request()))
    run = [sys.executable, str(FOLDING), str(path), "1"]
    folding = [subprocess.Popen(run) for _ in range(2)]
    with TraceStore.open(path) as store:
        while any(process.poll() is None for process in folding):
            assert len(list(store.records())) == 32
            time.sleep(0.05)
        assert len(list(store.records())) == 32
    assert [process.returncode for process in folding] == [0, 0]
    assert not [found for found in segment_paths(segments_of(path)) if found.suffix == SEALED]


FORM_1 = """
CREATE TABLE base.records_1 AS SELECT segment, kind, id, "at", writer, sequence, previous, digest, text
    FROM base.records;
DROP TABLE base.records CASCADE;
ALTER TABLE base.records_1 RENAME TO records;
ALTER TABLE base.ledger DROP COLUMN is_dropped;
CREATE OR REPLACE TABLE base.form AS SELECT 1 AS version;
"""


def test_an_older_store_is_brought_forward(path: Path) -> None:
    """A file of form 1 is refused by readers, made anew from its texts by folding, and holds what it held."""
    with bundle() as policy, TraceStore.open(path) as store:
        store.record(policy.case(request(name="ann")))
        store.fold()
        before = [record.text for record in store.records()]
        with duckdb.connect(str(path)) as client:
            for name in BASE_VIEWS:
                client.execute(f"DROP VIEW base.{name}")
            for name in ("decisions", "fact_rows", "modules"):
                client.execute(f"CREATE TABLE base.{name} (id VARCHAR)")
            client.execute(FORM_1)
        with pytest.raises(TraceUnavailableError, match="form 1"):
            list(store.records())
        store.fold()
        assert [record.text for record in store.records()] == before
        with store.view() as view:
            assert verify(view).holds
            assert view.query("SELECT name FROM facts.customer")[1] == [("ann",)]
