"""Whether a store is what was recorded: hashes, chains, the ledger, checkpoints, and the tables read from records.

What is folded is checked by DuckDB, where it lies. A chain shows changes, swaps, insertions, and deletions
before its last record; that its end was cut off shows in a checkpoint kept elsewhere, in one that a later
record holds, and in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import duckdb

from policylang.trace.chain import FIRST
from policylang.trace.checkpoint import Checkpoint
from policylang.trace.reading import TraceView
from policylang.trace.retention import Stub, stubs_of
from policylang.trace.tables import ROOT, misread

MOST_FINDINGS: Final = 100
"""Findings of one kind that are listed."""

_ROWS_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was recorded: where (a record, a segment, a chain), and what is wrong."""

    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check saw. `findings` has the records first, in the order of their chains."""

    records: int
    chains: int
    checkpoints: int
    findings: tuple[Finding, ...]
    dropped: int = 0
    """Records that a retention dropped, and said so."""

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def verify(
    view: TraceView, checkpoints: tuple[Checkpoint, ...] = (), *, tables: bool = True
) -> Verified:
    """Check everything in a view, and that it reaches as far as checkpoints kept elsewhere say.

    Without `tables` the tables that are read from records are not compared with them, which takes most of the time.

    The signatures of checkpoints are checked where they are read (`read_checkpoint`).
    """
    _, ((records, chains),) = view.query(
        "SELECT count(*), count(DISTINCT writer) FROM base.records"
    )
    _, kept = view.query(
        "SELECT id, writer, sequence, text->'$.body.heads' FROM base.records WHERE kind = 'checkpoint'"
    )
    dropped = {stub.writer: stub for stub in stubs_of(view)}
    _put_stubs(view, dropped.values())
    findings = (
        *(Finding(f"{d.segment.name}:{d.line}", d.problem) for d in view.damages),
        *_contents(view, tables),
        *_links(view),
        *_ledger(view),
        *_recorded_heads(view),
        *(finding for checkpoint in checkpoints for finding in _heads(view, checkpoint, dropped)),
        *_needs(view),
    )
    gone = sum(stub.records for stub in dropped.values())
    return Verified(records, chains, len(kept) + len(checkpoints), findings, gone)


def _put_stubs(view: TraceView, stubs: Iterable[Stub]) -> None:
    """What is left of dropped records, where the queries below find it."""
    columns = "writer VARCHAR, last BIGINT, digest VARCHAR"
    view.database.execute(f"CREATE OR REPLACE TEMP TABLE stubs ({columns})")
    rows = [[stub.writer, stub.last, stub.digest] for stub in stubs]
    if rows:
        view.database.execute(
            "INSERT INTO stubs SELECT unnest($1), unnest($2), unnest($3)",
            [list(column) for column in zip(*rows, strict=True)],
        )


def _contents(view: TraceView, told: bool) -> Iterator[Finding]:
    """Each record's hash is that of its text, and the columns beside it say what its text says.

    DuckDB reads the texts again while hashes are computed here, where they take a quarter of its time.
    """
    with ThreadPoolExecutor(1) as aside:
        misread = aside.submit(_misread, view.cursor(), view.is_folded and told)
        findings = dict(_forged(view.cursor()))
        for place, finding in misread.result():
            findings.setdefault(place, finding)
    yield from (findings[place] for place in sorted(findings)[:MOST_FINDINGS])


_Placed = tuple[tuple[str, int], Finding]


def _forged(cursor: duckdb.DuckDBPyConnection) -> Iterator[_Placed]:
    """The records whose hash is not that of their text."""
    cursor.execute("SELECT digest, text FROM base.records")
    forged = [
        digest
        for rows in iter(lambda: cursor.fetchmany(_ROWS_AT_ONCE), [])
        for digest, text in rows
        if sha256(text.encode()).hexdigest() != digest
    ][:MOST_FINDINGS]
    if forged:
        cursor.execute(
            """SELECT id, writer, sequence FROM base.records
            WHERE digest IN (SELECT unnest($1)) AND sha256(text) <> digest""",
            [forged],
        )
        for id_, writer, sequence in cursor.fetchall():
            problem = "its hash is not that of its content"
            yield (writer, sequence), Finding(_record(id_, writer, sequence), problem)


def _misread(cursor: duckdb.DuckDBPyConnection, told: bool) -> list[_Placed]:
    """The records whose columns are not what their texts say. What is not folded was read just now."""
    cursor.execute(misread("base.records", told=told))
    return [
        ((writer, sequence), Finding(_record(id_, writer, sequence), _MISREAD[is_placed]))
        for id_, writer, sequence, is_placed in cursor.fetchmany(MOST_FINDINGS)
    ]


_MISREAD: Final = {
    True: "what views show of it is not what its text says",
    False: "its columns are not what its text says",
}


def _links(view: TraceView) -> Iterator[Finding]:
    """Each chain counts from one without a gap, and each record names the hash of the one before."""
    _, rows = view.query(f"""
        WITH r AS (
            SELECT id, writer, sequence, previous,
                lag(sequence) OVER chain AS was, lag(digest) OVER chain AS expected
            FROM base.records WINDOW chain AS (PARTITION BY writer ORDER BY sequence)),
        linked AS (
            SELECT id, r.writer, sequence, previous,
                coalesce(was, CASE WHEN sequence > 1 THEN s.last END, 0) AS was,
                coalesce(expected, CASE WHEN sequence > 1 THEN s.digest END, '{FIRST}') AS expected
            FROM r LEFT JOIN stubs AS s ON s.writer = r.writer AND was IS NULL)
        SELECT id, writer, sequence, was FROM linked
        WHERE sequence <> was + 1 OR previous <> expected
        ORDER BY writer, sequence LIMIT {MOST_FINDINGS}""")
    for id_, writer, sequence, was in rows:
        yield Finding(_record(id_, writer, sequence), _misplaced(sequence, was))
    _, doubles = view.query(f"""
        SELECT id, count(*) FROM base.records GROUP BY id HAVING count(*) > 1 LIMIT {MOST_FINDINGS}""")
    for id_, count in doubles:
        yield Finding(f"record {id_}", f"it is there {count} times")


def _misplaced(sequence: int, was: int) -> str:
    if sequence == was + 2:
        return f"record {sequence - 1} before it is missing"
    if sequence > was + 1:
        return f"records {was + 1} to {sequence - 1} before it are missing"
    if sequence <= was:
        return f"there is another record {sequence} in its chain"
    return "it does not name the hash of the record before it"


def _ledger(view: TraceView) -> Iterator[Finding]:
    """Each folded segment has the records that it was folded with."""
    if not view.is_folded:
        return
    _, rows = view.query(f"""
        SELECT segment, l.records, coalesce(r.records, 0)
        FROM (SELECT segment, min(sequence) AS first, max(sequence) AS last, count(*) AS records,
                {ROOT} AS root FROM folded.base.records GROUP BY segment) AS r
        FULL JOIN (SELECT * FROM folded.base.ledger WHERE NOT is_dropped) AS l USING (segment)
        WHERE (l.first, l.last, coalesce(l.records, 0), l.root)
            IS DISTINCT FROM (r.first, r.last, coalesce(r.records, 0), r.root)
        ORDER BY segment LIMIT {MOST_FINDINGS}""")
    for segment, told, there in rows:
        if told is None:
            yield Finding(f"segment {segment}", "it is not in the ledger")
        elif told != there:
            yield Finding(f"segment {segment}", f"it had {told} records, and {there} are there")
        else:
            yield Finding(f"segment {segment}", "its records are not those it was folded with")


def _recorded_heads(view: TraceView) -> Iterator[Finding]:
    """Each chain reaches as far as every checkpoint in the store says."""
    _, rows = view.query(f"""
        SELECT c.id, c.writer, c.sequence, c.of, c.reached FROM (
            SELECT id, writer, sequence, head->>'$.writer' AS of,
                CAST(head->>'$.sequence' AS BIGINT) AS reached, head->>'$.digest' AS digest
            FROM (SELECT id, writer, sequence,
                    unnest(CAST(json_extract(text, '$.body.heads') AS JSON[])) AS head
                  FROM base.records WHERE kind = 'checkpoint')) AS c
        LEFT JOIN base.records AS r ON r.writer = c.of AND r.sequence = c.reached AND r.digest = c.digest
        WHERE r.id IS NULL AND NOT EXISTS (FROM stubs AS s WHERE s.writer = c.of
            AND (s.last > c.reached OR (s.last = c.reached AND s.digest = c.digest)))
        ORDER BY ALL LIMIT {MOST_FINDINGS}""")
    for id_, writer, sequence, of, reached in rows:
        yield Finding(
            f"chain {of}",
            f"the checkpoint {_record(id_, writer, sequence)} saw its record {reached}, which is not there as it was",
        )


def _heads(
    view: TraceView, checkpoint: Checkpoint, dropped: Mapping[str, Stub]
) -> Iterator[Finding]:
    """Each chain reaches as far as a checkpoint kept elsewhere says."""
    for head in checkpoint.heads:
        _, rows = view.query(
            "SELECT digest FROM base.records WHERE writer = $writer AND sequence = $sequence",
            {"writer": head.writer, "sequence": head.sequence},
        )
        where = f"chain {head.writer}"
        stub = dropped.get(head.writer)
        if stub is not None and stub.last >= head.sequence and not rows:
            if stub.last == head.sequence and stub.digest != head.digest:
                yield Finding(where, f"its record {head.sequence}, which was dropped, was another")
            continue
        if not rows:
            yield Finding(
                where,
                f"the checkpoint of {checkpoint.at} saw its record {head.sequence}, which is missing",
            )
        elif rows[0][0] != head.digest:
            yield Finding(
                where,
                f"its record {head.sequence} is another than the checkpoint of {checkpoint.at} saw",
            )


def _needs(view: TraceView) -> Iterator[Finding]:
    """Each decision's program is in the store."""
    _, rows = view.query(f"""
        SELECT id, program FROM base.decisions WHERE program NOT IN (SELECT program FROM base.modules)
        ORDER BY id LIMIT {MOST_FINDINGS}""")
    for id_, program in rows:
        yield Finding(f"decision {id_}", f"its program {program} is not in the store")


def _record(id_: Any, writer: Any, sequence: Any) -> str:
    return f"record {id_} ({sequence} of chain {writer})"
