"""Reading back what writers wrote, as a check of chains does."""

from __future__ import annotations

from pathlib import Path

from policylang.trace.chain import FIRST, Record
from policylang.trace.segments import Damage, read_lines, segment_paths


def all_records(folder: Path) -> list[Record]:
    """Every record in the segments of a folder; fails where one is damaged."""
    found = []
    for path in segment_paths(folder):
        for read in read_lines(path.read_bytes(), path):
            assert isinstance(read, Record), read
            found.append(read)
    return found


def damages(path: Path) -> list[Damage]:
    """What is damaged in one segment."""
    return [read for read in read_lines(path.read_bytes(), path) if isinstance(read, Damage)]


def assert_chained(records: list[Record]) -> None:
    """Each writer's records count from 1 without a gap, and each names the hash of the one before."""
    chains: dict[str, list[Record]] = {}
    for record in records:
        chains.setdefault(record.writer, []).append(record)
    for chain in chains.values():
        assert [record.sequence for record in chain] == list(range(1, len(chain) + 1))
        previous = [FIRST, *(record.digest for record in chain[:-1])]
        assert [record.previous for record in chain] == previous
