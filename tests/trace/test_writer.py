"""Recording: what is acknowledged is there, once, in a chain, whatever happens to processes and disks."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from policylang.trace.identity import Identities
from policylang.trace.segments import OPEN, SEALED, seal_abandoned, segment_paths
from policylang.trace.writer import Durability, SegmentWriter, TraceUnavailableError
from tests.trace.reading import all_records, assert_chained, damages

RECORDING = Path(__file__).with_name("recording.py")


@pytest.fixture(params=list(Durability), ids=lambda durability: durability.value)
def durability(request: pytest.FixtureRequest) -> Durability:
    """Each durability in turn."""
    chosen: Durability = request.param
    return chosen


def test_what_is_written_is_read_back_in_its_chain(tmp_path: Path, durability: Durability) -> None:
    """Records keep their bodies exactly, count from one, and each names the hash of the one before."""
    bodies = [
        {"text": "tab\t line\n \u2028 é \U0001f600", "big": 10**40, "n": n} for n in range(50)
    ]
    with SegmentWriter(tmp_path, durability, most_bytes=2000) as writer:
        for body in bodies:
            writer.write("decision", body)
    records = all_records(tmp_path)
    assert [record.body for record in records] == bodies
    assert_chained(records)
    assert len(segment_paths(tmp_path)) > 1
    assert all(path.suffix == SEALED for path in segment_paths(tmp_path))


def test_threads_share_a_writer(tmp_path: Path, durability: Durability) -> None:
    """Records of many threads stand in one chain, each once."""
    with SegmentWriter(tmp_path, durability) as writer:

        def run(thread: int) -> None:
            for number in range(40):
                writer.write("decision", {"thread": thread, "number": number})

        threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    records = all_records(tmp_path)
    assert_chained(records)
    found = sorted((r.body["thread"], r.body["number"]) for r in records)
    assert found == [(t, n) for t in range(8) for n in range(40)]


def test_a_child_made_by_fork_has_a_chain_of_its_own(tmp_path: Path) -> None:
    """A forked worker loses nothing and spoils nothing of its parent's."""
    writer = SegmentWriter(tmp_path)
    writer.write("decision", {"from": "parent"})
    child = os.fork()
    if child == 0:
        try:
            writer.write("decision", {"from": "child"})
            writer.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    writer.write("decision", {"from": "parent"})
    writer.close()
    records = all_records(tmp_path)
    assert_chained(records)
    assert sorted(record.body["from"] for record in records) == ["child", "parent", "parent"]
    assert len({record.writer for record in records}) == 2


def test_a_full_disk_refuses_and_leaves_no_torn_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that fails half way raises, is cut off again, and recording goes on in a new chain."""
    writer = SegmentWriter(tmp_path)
    writer.write("decision", {"n": 1})
    real = os.write

    def full(number: int, content: memoryview) -> int:
        if len(content) <= 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(number, content[: max(10, len(content) // 2)])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(TraceUnavailableError, match="No space left"):
            writer.write("decision", {"n": 2})
    writer.write("decision", {"n": 3})
    writer.close()
    records = all_records(tmp_path)
    assert [record.body["n"] for record in records] == [1, 3]
    assert_chained(records)


def test_a_record_that_cannot_be_synced_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failing sync nobody knows what is on disk: the record is not acknowledged."""
    writer = SegmentWriter(tmp_path)

    def fails(number: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fails)
        with pytest.raises(TraceUnavailableError):
            writer.write("decision", {"n": 1})
    writer.write("decision", {"n": 2})
    writer.close()
    assert [record.body["n"] for record in all_records(tmp_path)] == [2]


@pytest.mark.parametrize("place", ["write", "fdatasync"])
def test_an_interrupt_in_the_middle_of_a_commit_refuses_what_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Where a thread is interrupted while it writes, no record is acknowledged that is not there, and the chain holds."""
    writer = SegmentWriter(tmp_path)
    writer.write("decision", {"n": 1})
    real, refused = getattr(os, place), list[str]()

    def record() -> None:
        try:
            writer.write("decision", {"n": 3})
        except TraceUnavailableError as error:
            refused.append(str(error))

    other = threading.Thread(target=record)

    def interrupted(*given: object) -> object:
        if threading.current_thread() is other:
            return real(*given)
        other.start()
        while not writer._batch.lines:
            time.sleep(0.001)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, place, interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.write("decision", {"n": 2})
        other.join()
    writer.write("decision", {"n": 4})
    writer.close()
    assert refused == ["cannot record: a record before could not be"]
    records = all_records(tmp_path)
    assert [record.body["n"] for record in records] == [1, 4]
    assert_chained(records)


def test_those_in_the_batch_of_an_interrupted_writer_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that an interrupted thread was to write for others are not taken for written."""
    writer = SegmentWriter(tmp_path)
    batch = writer._batch

    def interrupted(_number: int, _content: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.write("decision", {"n": 1})
    assert batch.done.is_set()
    assert str(batch.error) == "cannot record: interrupted by KeyboardInterrupt"


def test_records_are_made_durable_where_there_is_no_fdatasync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On macOS a record is acknowledged once the drive has it: `fsync` alone leaves it in the drive's cache."""
    synced: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(sys, "platform", "darwin")
        patched.delattr(os, "fdatasync")
        patched.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
        patched.setattr(fcntl, "fcntl", lambda _number, operation: synced.append(operation))
        with SegmentWriter(tmp_path) as writer:
            writer.write("decision", {"n": 1})
            assert synced == [51]
    assert [record.body["n"] for record in all_records(tmp_path)] == [1]


def test_a_closed_writer_refuses(tmp_path: Path) -> None:
    """Nothing is recorded, and nothing acknowledged, after closing."""
    writer = SegmentWriter(tmp_path)
    writer.close()
    with pytest.raises(TraceUnavailableError):
        writer.write("decision", {})


def test_a_folder_that_vanishes_refuses(tmp_path: Path) -> None:
    """Where the store is gone the caller is told, so that it can fail closed."""
    folder = tmp_path / "gone"
    folder.mkdir()
    writer = SegmentWriter(folder)
    folder.rmdir()
    with pytest.raises(TraceUnavailableError):
        writer.write("decision", {})


def test_identities_rise_whatever_the_clock_does() -> None:
    """A clock that jumps back, stands still or leaps ahead never brings a lesser or an equal identity."""
    readings = iter([1000.0, 1000.0, 500.0, 999.999, 1000.001, 5e8, 1000.0] * 50)
    identities = Identities(lambda: next(readings))
    made = [identities.new() for _ in range(300)]
    assert made == sorted(set(made))


def test_every_changed_byte_of_a_segment_is_noticed(tmp_path: Path) -> None:
    """Whatever byte of a whole line has a bit changed, its hash or its form no longer fits."""
    with SegmentWriter(tmp_path) as writer:
        for n in range(3):
            writer.write("decision", {"n": n})
    (path,) = segment_paths(tmp_path)
    content = path.read_bytes()
    for offset in range(content.rindex(b"\n", 0, -1)):
        bit = offset % 8
        changed = bytearray(content)
        changed[offset] ^= 1 << bit
        path.write_bytes(changed)
        assert damages(path), f"bit {bit} of byte {offset}"


def test_the_segment_of_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    """Only the segment of a writer that is gone is sealed by another."""
    writer = SegmentWriter(tmp_path)
    writer.write("decision", {})
    (path,) = segment_paths(tmp_path)
    assert seal_abandoned(path) is None
    assert path.suffix == OPEN
    writer.close()


@pytest.fixture
def recorders(tmp_path: Path, durability: Durability) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that record into one folder."""
    command = [sys.executable, str(RECORDING), str(tmp_path), durability.value]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    yield running
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def killed(process: subprocess.Popen[bytes], after: float) -> set[str]:
    """What a process acknowledged before it was killed."""
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    lines = (first + process.stdout.read()).split(b"\n")
    return {line.split()[0].decode() for line in lines[:-1]}


def test_nothing_acknowledged_is_lost_when_writers_are_killed(
    tmp_path: Path, recorders: list[subprocess.Popen[bytes]]
) -> None:
    """After kill -9 every acknowledged record is there exactly once, and every chain is whole."""
    chance = random.Random(7)
    acknowledged: set[str] = set()
    for process in recorders:
        acknowledged |= killed(process, chance.uniform(0.05, 0.3))
    for path in segment_paths(tmp_path):
        if path.suffix == OPEN:
            assert seal_abandoned(path) is not None
    records = all_records(tmp_path)
    assert_chained(records)
    identities = [record.id for record in records]
    assert len(set(identities)) == len(identities)
    assert acknowledged <= set(identities)
    assert acknowledged


def test_an_old_segment_is_sealed_by_the_next_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a writer recorded long ago can be folded while it lives: its next record begins another segment."""
    with SegmentWriter(tmp_path) as writer:
        writer.write("decision", {"n": 1})
        monkeypatch.setattr("policylang.trace.writer.SEGMENT_SECONDS", 0.0)
        writer.write("decision", {"n": 2})
        assert [path.suffix for path in segment_paths(tmp_path)] == [SEALED, OPEN]
    assert_chained(all_records(tmp_path))
