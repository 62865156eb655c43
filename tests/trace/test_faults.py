"""Faults, with real processes: whatever happens to them, what was acknowledged is there once, and chains are whole."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from policylang.trace.reading import Filter, TraceView
from policylang.trace.segments import SEALED, segment_paths
from policylang.trace.store import TraceStore, segments_of
from policylang.trace.verify import verify
from policylang.trace.writer import Durability, SegmentWriter
from tests.trace.deciding import bundle, request

HERE = Path(__file__).parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store may be made; its folder of segments is there."""
    path = tmp_path / "traces.duckdb"
    segments_of(path).mkdir()
    return path


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """The same where nothing waits for a disk, if there is such a place: what a killed process wrote stays there, too."""
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        path = Path(folder) / "traces.duckdb"
        segments_of(path).mkdir()
        yield path


def run(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of one of the scripts beside this file."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def assert_kept(path: Path, said: list[str]) -> None:
    """Everything acknowledged is there once, before and after folding, and nothing is wrong with any chain."""
    assert said
    for _ in range(2):
        with TraceView(path, segments_of(path)) as view:
            there = Counter(id_ for (id_,) in view.query("SELECT id FROM base.records")[1])
            assert verify(view).findings == ()
        assert set(there.values()) == {1}
        assert set(said) <= set(there)
        with TraceStore.open(path) as store:
            assert store.fold(wait=60).damages == ()


def storm(path: Path, kills: int, seed: int) -> None:
    """Four writers killed at so many moments, while two processes fold and are killed too."""
    told = path.with_name("told")
    nursery = run("nursery.py", segments_of(path), kills, seed, told)
    chance = random.Random(seed)
    folding = [run("folder.py", path) for _ in range(2)]
    try:
        while nursery.poll() is None:
            time.sleep(chance.uniform(0.5, 1.5))
            victim = chance.randrange(2)
            folding[victim].kill()
            folding[victim].communicate()
            folding[victim] = run("folder.py", path)
    finally:
        for process in (*folding, nursery):
            process.kill()
            process.communicate()
    assert nursery.returncode == 0
    assert_kept(path, told.read_text().split())


def test_writers_killed_at_random_moments_lose_and_double_nothing(path: Path) -> None:
    """After twenty kills of four writers, every acknowledged record is there exactly once, and chains verify."""
    storm(path, 20, seed=11)


@pytest.mark.slow
def test_writers_killed_at_500_random_moments_lose_and_double_nothing(in_memory: Path) -> None:
    """After 500 kills of four writers, every acknowledged record is there exactly once, and chains verify."""
    storm(in_memory, 500, seed=12)


def test_a_full_disk_refuses_and_keeps_what_was_acknowledged(path: Path) -> None:
    """Where files cannot grow, recording is refused; with space it goes on, and nothing acknowledged is lost or torn."""
    process = run("bounded.py", "write", segments_of(path), 60_000)
    said = process.communicate(timeout=60)[0].split()
    assert process.returncode == 0
    assert len(said) > 6
    assert_kept(path, said)


@pytest.mark.slow
@pytest.mark.parametrize("size", [20_000, 1_100_000])
def test_folding_on_a_full_disk_is_refused_and_done_later(path: Path, size: int) -> None:
    """A folding that has no space is refused and leaves everything readable; with space it is done, once."""
    chance = random.Random(size)
    folder = segments_of(path)
    with SegmentWriter(folder, Durability.BUFFERED, most_bytes=64 << 10) as writer:
        said = [
            writer.write("outcome", {"filler": chance.randbytes(4_000).hex()}).id
            for _ in range(200)
        ]
    process = run("bounded.py", "fold", path, size)
    told = process.communicate(timeout=60)[0].split()
    assert process.returncode == 0
    assert told[0] == "refused"
    assert_kept(path, said)


@pytest.mark.skipif(shutil.which("mount") is None, reason="there is no mount here")
def test_a_full_file_system_refuses_and_keeps_what_was_acknowledged(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On a file system without space the same holds, whatever part of a record still fitted."""
    folder = segments_of(path)
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    caplog.set_level("CRITICAL", logger="policylang.trace")
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    said = []
    kept = path.with_name("kept")
    try:
        with TraceStore.open(path, on_failure="open") as store:
            for _ in range(200):
                store.write("outcome", {"filler": "x" * 4_000})
        with TraceView(path, folder) as view:
            said = [record.id for record in view.records(Filter())]
            assert verify(view).findings == ()
        shutil.copytree(folder, kept)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    assert 20 < len(said) < 200
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    assert_kept(path, said)


def test_what_is_written_is_read_meanwhile(path: Path) -> None:
    """A reader beside writers sees more and more of every chain, from its first record and without a hole."""
    told = path.with_name("told")
    nursery = run("nursery.py", segments_of(path), 25, 13, told)
    seen: dict[str, int] = {}
    while nursery.poll() is None:
        with TraceView(path, segments_of(path)) as view:
            assert view.damages == ()
            chains = view.query(
                "SELECT writer, min(sequence), max(sequence), count(*) FROM base.records GROUP BY 1"
            )[1]
        now = {writer: last for writer, _, last, _ in chains}
        assert all(first == 1 and last == count for _, first, last, count in chains)
        assert all(now[writer] >= last for writer, last in seen.items())
        seen = now
        time.sleep(0.05)
    assert seen
    nursery.communicate()
    assert_kept(path, told.read_text().split())


def test_a_clock_that_jumps_disturbs_nothing(path: Path) -> None:
    """Whatever the clock does, records stand in the order of recording, chains verify, and what is new is not dropped."""
    day = 86_400
    readings = [1.7e9, 1.7e9 - 900 * day, 1.7e9 + 900 * day, 1.7e9 + 5, 0.0, 1.7e9 + 6]
    now = [0.0]
    made = []
    with bundle() as policy, TraceStore.open(path, clock=lambda: now[0]) as store:
        for reading in readings:
            now[0] = reading
            made.append(store.record(policy.case(request())))
        assert [record.id for record in store.records(Filter(kind="decision"))] == made
        store.fold()
        with store.view() as view:
            assert verify(view).findings == ()
        assert [record.id for record in store.records(Filter(kind="decision"))] == made


def test_a_corrupted_segment_keeps_the_others(path: Path) -> None:
    """Of several segments, the damaged one is read as far as it can be and named; the others are folded."""
    with SegmentWriter(segments_of(path), most_bytes=2_000) as writer:
        said = [writer.write("outcome", {"filler": "x" * 500}).id for _ in range(12)]
    segments = [p for p in segment_paths(segments_of(path)) if p.suffix == SEALED]
    damaged = segments[1]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with TraceStore.open(path) as store:
        folded = store.fold()
        assert folded.segments == len(segments) - 1
        assert {damage.segment.stem for damage in folded.damages} == {damaged.stem}
        with store.view() as view:
            there = [record.id for record in view.records(Filter())]
            problems = [str(finding) for finding in verify(view).findings]
    assert len(there) == len(said) - 1
    assert any(damaged.stem in problem for problem in problems)
    assert any("missing" in problem for problem in problems)
