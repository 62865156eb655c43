"""Tampering: whatever is changed, deleted, swapped, put in or cut off is found, folded or not."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from policylang.trace.checkpoint import UntrustedCheckpointError, read_checkpoint
from policylang.trace.folding import read_segment
from policylang.trace.reading import TraceView
from policylang.trace.segments import segment_paths
from policylang.trace.store import TraceStore, segments_of
from policylang.trace.verify import Finding, verify
from tests.trace.deciding import bundle, request

KEY = b"kept elsewhere"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store with two chains, two segments of the first folded, and the second not."""
    folder = tmp_path_factory.mktemp("store")
    path = folder / "traces.duckdb"
    with bundle() as policy:
        with TraceStore.open(path) as store:
            for number in range(3):
                store.record(policy.case(request(f"{number}.00", name="ann")), agent="a")
            store.fold()
            for number in range(3):
                store.record(policy.case(request(f"{number}.50")), agent="b")
            store.fold()
        with TraceStore.open(path) as store:
            for number in range(3):
                store.record(policy.case(request(f"{number}.25")), agent="c")
            store.checkpoint(folder / "checkpoint.json", KEY)
    return folder


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    """A copy of the store, to be changed."""
    shutil.copytree(whole, tmp_path / "store")
    return tmp_path / "store" / "traces.duckdb"


def findings(path: Path, *, checkpoint: bool = False) -> tuple[Finding, ...]:
    """What a check of the store finds."""
    kept = (read_checkpoint(path.with_name("checkpoint.json"), KEY),) if checkpoint else ()
    with TraceView(path, segments_of(path)) as view:
        return verify(view, kept).findings


def changed(path: Path, sql: str) -> None:
    """Change the file behind the store's back."""
    with duckdb.connect(str(path)) as client:
        client.execute(sql)


def test_an_untouched_store_holds(path: Path) -> None:
    """Nothing is found where nothing was changed."""
    with TraceView(path, segments_of(path)) as view:
        verified = verify(view, (read_checkpoint(path.with_name("checkpoint.json"), KEY),))
    assert verified.holds
    assert (verified.records, verified.chains, verified.checkpoints) == (14, 2, 2)


NTH = "(SELECT id FROM base.records ORDER BY id LIMIT 1 OFFSET 4)"
TAMPERING = {
    "text": (
        f"UPDATE base.records SET text = replace(text, 'allow', 'deny') WHERE id = {NTH}",
        "hash",
    ),
    "text and hash": (
        "UPDATE base.records SET text = replace(text, 'allow', 'deny'),"
        f" digest = sha256(replace(text, 'allow', 'deny')) WHERE id = {NTH}",
        "does not name the hash",
    ),
    "time": (
        f"""UPDATE base.records SET "at" = "at" - INTERVAL 1 DAY WHERE id = {NTH}""",
        "columns",
    ),
    "kind": (f"UPDATE base.records SET kind = 'outcome' WHERE id = {NTH}", "columns"),
    "number": (f"UPDATE base.records SET sequence = 99 WHERE id = {NTH}", "columns"),
    "deletion": (f"DELETE FROM base.records WHERE id = {NTH}", "missing"),
    "deletion of the last": (
        "DELETE FROM base.records WHERE id = (SELECT max(id) FROM base.records)",
        "are there",
    ),
    "swap": (
        "UPDATE base.records SET sequence = 9 - sequence WHERE sequence IN (4, 5)",
        "columns",
    ),
    "doubling": (
        f"INSERT INTO base.records SELECT * FROM base.records WHERE id = {NTH}",
        "another record 5",
    ),
    "insertion of a chain": (
        "INSERT INTO base.records SELECT * REPLACE ('made-up' AS segment, id || 'x' AS id, 'made-up' AS writer,"
        f" 1 AS sequence, repeat('0', 64) AS previous) FROM base.records WHERE id = {NTH}",
        "columns",
    ),
    "ledger": ("UPDATE base.ledger SET records = records + 1", "it had"),
    "root": ("UPDATE base.ledger SET root = repeat('0', 64)", "folded with"),
    "outcome": ("UPDATE base.records SET outcome = 'deny' WHERE kind = 'decision'", "views show"),
    "reasons": ("UPDATE base.records SET reasons = [] WHERE kind = 'decision'", "views show"),
    "facts": (
        "UPDATE base.records SET facts = replace(facts, 'ann', 'eve') WHERE facts LIKE '%ann%'",
        "views show",
    ),
    "rules": (
        f"UPDATE base.records SET rules = ['refunds.blocked'] WHERE id = {NTH}",
        "views show",
    ),
    "a row of another kind": (
        "UPDATE base.records SET outcome = 'deny' WHERE kind = 'program'",
        "views show",
    ),
    "firings": (
        "UPDATE base.records SET firings = NULL WHERE kind = 'decision'",
        "views show",
    ),
    "program": ("DELETE FROM base.records WHERE kind = 'program'", "missing"),
}


@pytest.mark.parametrize(("sql", "word"), TAMPERING.values(), ids=TAMPERING.keys())
def test_tampering_with_the_file_is_found(path: Path, sql: str, word: str) -> None:
    """Each way of changing the file is found and named for what it is."""
    changed(path, sql)
    assert any(word in finding.problem for finding in findings(path)), findings(path)


def lines_of(path: Path) -> tuple[Path, list[bytes]]:
    """The segment that is not folded, and its lines."""
    segment = next(p for p in segment_paths(segments_of(path)) if p.suffix == ".sealed")
    return segment, segment.read_bytes().splitlines(keepends=True)


def tampered(lines: list[bytes]) -> Iterator[list[bytes]]:
    """The lines of a segment with each kind of change at each place."""
    for place in range(len(lines)):
        if place < len(lines) - 1:
            yield [*lines[:place], *lines[place + 1 :]]
            yield [*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]]
        yield [*lines[: place + 1], *lines[place:]]
        yield [*lines[:place], b"{}\n", *lines[place:]]


def test_tampering_with_segments_is_found(path: Path) -> None:
    """A line that is deleted, swapped, doubled or put in is found, wherever it is."""
    segment, lines = lines_of(path)
    for number, content in enumerate(tampered(lines)):
        records, damages = read_segment(segment, b"".join(content))
        if not damages:
            # Only its first line is gone: its chain then does not start with its first record.
            assert records[0].sequence == 2, number
            segment.write_bytes(b"".join(content))
            assert "record 1 before it is missing" in findings(path)[0].problem


def test_single_bits_of_segments_are_found(path: Path) -> None:
    """Any bit changed in a segment is found, but in the end of its last line, which then was never written."""
    segment, lines = lines_of(path)
    content = b"".join(lines)
    chance = random.Random(5)
    for _ in range(300):
        bit = chance.randrange(8 * (len(content) - 1))
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        assert read_segment(segment, bytes(changed))[1], bit


def test_a_checkpoint_shows_what_was_cut_off(path: Path) -> None:
    """The end of a chain, and a whole chain, can go unseen by the chains; a checkpoint misses them."""
    segment, lines = lines_of(path)
    segment.write_bytes(b"".join(lines[:-2]))
    assert not findings(path)
    (found,) = findings(path, checkpoint=True)
    assert "saw its record 6, which is missing" in found.problem
    segment.unlink()
    assert not findings(path)
    assert len(findings(path, checkpoint=True)) == 1


def test_a_checkpoint_in_the_store_ties_chains(path: Path) -> None:
    """A chain that was removed with its line in the ledger is missed by a checkpoint in another chain."""
    for table in ("records", "ledger"):
        changed(path, f"DELETE FROM base.{table}")
    for left in segments_of(path).glob("*.folded"):
        left.unlink()
    found = findings(path)
    assert len(found) == 1
    assert "not there as it was" in found[0].problem


def test_only_the_key_makes_a_checkpoint(path: Path) -> None:
    """A checkpoint that was changed, signed with another key or with none is refused."""
    file = path.with_name("checkpoint.json")
    with pytest.raises(UntrustedCheckpointError, match="this key"):
        read_checkpoint(file, b"another")
    form = json.loads(file.read_text())
    form["heads"][0]["sequence"] -= 1
    file.write_text(json.dumps(form))
    with pytest.raises(UntrustedCheckpointError, match="this key"):
        read_checkpoint(file, KEY)
    del form["hmac"]
    file.write_text(json.dumps(form))
    with pytest.raises(UntrustedCheckpointError, match="not signed"):
        read_checkpoint(file, KEY)
    file.write_text("[]")
    with pytest.raises(UntrustedCheckpointError, match="no checkpoint"):
        read_checkpoint(file, KEY)
