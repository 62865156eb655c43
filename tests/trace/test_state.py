"""The state: changes happen whole, once, in turn; what cannot be agreed on is refused."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from policylang.errors import InternalError
from policylang.trace import state
from policylang.trace.reading import Filter
from policylang.trace.state import State, StateUnavailableError
from policylang.trace.store import TraceStore
from policylang.trace.writer import TraceUnavailableError
from tests.trace import agreeing

AGREEING = Path(agreeing.__file__)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store may be made."""
    return tmp_path / "traces.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[TraceStore]:
    """A store without a state yet."""
    with TraceStore.open(path) as made:
        yield made


def start(*arguments: object) -> subprocess.Popen[bytes]:
    """A process that changes the state."""
    command = [sys.executable, str(AGREEING), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def count(store: TraceStore) -> int:
    """The counter of the tests."""
    with store.state.read() as reading:
        return int(reading.execute("SELECT n FROM counter")[0][0])


def stops(store: TraceStore) -> list[tuple[str, object]]:
    """The records of kind `stop` in the chain."""
    return [(record.id, record.body["who"]) for record in store.records(Filter(kind="stop"))]


def file_of(store: TraceStore) -> Path:
    """The file of the state."""
    return store.state.path


def _change_and(store: TraceStore, also: Callable[[], object]) -> None:
    """A transaction in which something else happens."""
    with store.state.transaction() as tx:
        tx.execute("UPDATE counter SET n = 9")
        tx.event("stop", {"who": "ann"})
        also()


def test_a_store_has_no_state_until_it_is_used(store: TraceStore) -> None:
    """Recording alone makes no state; the first use makes one that only its owner can read."""
    store.write("outcome", {"decision": "d", "status": "skipped"})
    assert not store.state.exists
    assert store.publish_events() == 0
    assert not file_of(store).exists()
    assert count(store) == 0
    assert stat.S_IMODE(file_of(store).stat().st_mode) == 0o600


def test_a_transaction_is_whole(store: TraceStore) -> None:
    """What a block does that raises is undone, its events too."""
    with pytest.raises(ZeroDivisionError):
        _change_and(store, lambda: 1 // 0)
    assert count(store) == 0
    assert store.state.events() == 0
    assert stops(store) == []


def test_an_event_is_in_the_chain_after_its_transaction(store: TraceStore) -> None:
    """The record has the kind, the body and the identity of the event, and is there once."""
    with store.state.transaction() as tx:
        id_ = tx.event("stop", {"who": "ann"})
        assert stops(store) == []
    assert stops(store) == [(id_, "ann")]
    assert store.publish_events() == 0
    assert stops(store) == [(id_, "ann")]


def test_threads_change_the_state_in_turn(store: TraceStore) -> None:
    """Eight threads that read and then write lose no change."""
    threads = [threading.Thread(target=agreeing._add, args=(store, 10)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(store) == 80


def test_processes_change_the_state_in_turn(path: Path) -> None:
    """Processes that make the state at once and change it at once agree on one, and lose no change."""
    running = [start("add", path, 20) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    for process in running:
        process.communicate()
    with TraceStore.open(path) as store:
        assert count(store) == 60


def test_an_event_survives_a_kill_before_it_is_recorded(path: Path) -> None:
    """Whoever opens the store next writes the event that a killed process had committed."""
    with start("die-before-publishing", path) as process:
        told, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    with sqlite3.connect(str(path) + ".state") as database:
        # As if the seconds that a claim lasts had gone by.
        database.execute("UPDATE outbox SET claimed = 0")
    database.close()
    with TraceStore.open(path) as store:
        assert count(store) == 1
        assert stops(store) == [(told.decode(), "ann")]


def test_an_event_that_is_recorded_twice_is_shown_once(store: TraceStore) -> None:
    """A process that dies after the record and before it is ticked off leaves two records, and readers see one."""
    with store.state.transaction() as tx:
        id_ = tx.event("stop", {"who": "ann"})
    store._writer.write("stop", {"who": "ann"}, id_)
    assert stops(store) == [(id_, "ann")]


def test_a_kill_inside_a_transaction_leaves_nothing(path: Path) -> None:
    """A process that dies in the middle has changed nothing, and nobody waits for it."""
    with start("die-inside", path) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    with TraceStore.open(path) as store:
        assert count(store) == 0
        assert stops(store) == []


def test_an_event_that_cannot_be_recorded_waits(store: TraceStore) -> None:
    """The change stands although the chain refuses its event, which the next publication records."""
    publish, store.state._publish = store.state._publish, _refuse
    with store.state.transaction() as tx:
        tx.execute("UPDATE counter SET n = 1")
        tx.event("stop", {"who": "ann"})
    assert (count(store), store.state.events()) == (1, 1)
    store.state._publish = publish
    with store.state.transaction() as tx:
        tx.execute("UPDATE outbox SET claimed = 0")
    assert store.publish_events() == 1
    assert len(stops(store)) == 1


def _refuse(*_: object) -> None:
    raise TraceUnavailableError("the disk is full")


def test_a_state_that_vanished_is_refused(store: TraceStore) -> None:
    """With its file gone, nothing is read or changed; and no new one is made, by another process neither."""
    count(store)
    file_of(store).unlink()
    for use in (lambda: count(store), lambda: agreeing._add(store, 1), store.state.version):
        with pytest.raises(StateUnavailableError, match="vanished"):
            use()
    with (
        TraceStore.open(store.path) as another,
        pytest.raises(TraceUnavailableError, match="restore"),
    ):
        count(another)
    assert not file_of(store).exists()


def test_a_state_that_vanishes_inside_a_transaction_is_refused(store: TraceStore) -> None:
    """A change that would be lost with its file is not reported as made."""
    count(store)
    with pytest.raises(StateUnavailableError, match="vanished"):
        _change_and(store, file_of(store).unlink)


def test_the_state_of_other_traces_is_refused(store: TraceStore, tmp_path: Path) -> None:
    """A state that was put in the place of another is not taken for it."""
    count(store)
    with TraceStore.open(tmp_path / "other.duckdb") as other:
        count(other)
    store.state.close()
    file_of(other).rename(file_of(store))
    with (
        TraceStore.open(store.path) as again,
        pytest.raises(StateUnavailableError, match="not the state"),
    ):
        count(again)


def test_a_corrupted_state_is_refused(store: TraceStore) -> None:
    """Bytes that are no database raise what a store raises that cannot be used."""
    count(store)
    store.state.close()
    file_of(store).write_bytes(b"no database at all" * 1000)
    with (
        TraceStore.open(store.path) as again,
        pytest.raises(StateUnavailableError, match="not a database"),
    ):
        count(again)


def test_a_locked_state_is_refused(path: Path, tmp_path: Path) -> None:
    """Who waits for another's transaction longer than patience lasts is refused."""
    patient, hasty = State(path), State(path, wait=0.05)
    with (
        patient.transaction() as tx,
        pytest.raises(StateUnavailableError, match="locked"),
        hasty.transaction(),
    ):
        tx.execute("SELECT 1")


def test_a_newer_state_is_refused(store: TraceStore) -> None:
    """Tables that a later version has changed are not touched by an earlier one."""
    with store.state.transaction() as tx:
        tx.execute("UPDATE areas SET statements = 99 WHERE name = 'test'")
    with TraceStore.open(store.path) as again, pytest.raises(StateUnavailableError, match="newer"):
        count(again)


def test_a_closed_state_is_refused(store: TraceStore) -> None:
    """After closing, nothing is agreed on."""
    count(store)
    store.state.close()
    with pytest.raises(StateUnavailableError, match="closed"):
        count(store)


def test_the_version_changes_with_every_change(store: TraceStore) -> None:
    """Changes by this process and by another are seen in the version; reading changes nothing."""
    first = store.state.version()
    count(store)
    assert store.state.version() == first
    agreeing._add(store, 1)
    second = store.state.version()
    assert second != first
    with start("add", store.path, 1) as process:
        process.communicate()
    assert store.state.version() != second


def test_a_child_made_by_fork_has_connections_of_its_own(store: TraceStore) -> None:
    """Parent and child go on after a fork that came while other threads were in transactions."""
    adding = threading.Thread(target=agreeing._add, args=(store, 50))
    adding.start()
    count(store)
    child = os.fork()
    if child == 0:
        try:
            agreeing._add(store, 20)
            os._exit(0)
        finally:
            os._exit(1)
    agreeing._add(store, 20)
    adding.join()
    assert os.waitpid(child, 0)[1] == 0
    assert count(store) == 90


def test_a_transaction_inside_of_another_is_a_bug(store: TraceStore) -> None:
    """A thread that would wait for itself is told so at once."""
    with (
        store.state.transaction(),
        pytest.raises(InternalError, match="inside of another"),
        store.state.transaction(),
    ):
        pass


def test_an_area_has_its_tables_once() -> None:
    """Two modules cannot declare the tables of one area."""
    with pytest.raises(InternalError, match="declared twice"):
        state.tables("test", "CREATE TABLE another (n INTEGER)")


def test_a_wrong_statement_is_a_bug(store: TraceStore) -> None:
    """A broken rule of a table is ours to explain, not the user's."""
    with pytest.raises(InternalError, match="UNIQUE"), store.state.transaction() as tx:
        tx.execute("INSERT INTO areas VALUES ('test', 1)")
