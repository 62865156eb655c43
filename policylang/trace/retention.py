"""Retention: what is older than a time is dropped, segment by segment, and what is left still verifies.

A record of kind `retention` says of each chain how far it was dropped, and the hash of the last record that was: the
next one names it. Programs and reference data that kept decisions need are recorded anew before. The file is
made again without what is dropped, since DuckDB does not overwrite what is deleted.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from policylang.trace.folding import leased, make_store, opened
from policylang.trace.reading import TraceView
from policylang.trace.segments import segment_paths, sync_folder
from policylang.trace.sql import literal
from policylang.trace.views import keep_views


@dataclass(frozen=True, slots=True)
class Stub:
    """What is left of the beginning of a chain: it was dropped up to `last`, whose hash was `digest`."""

    writer: str
    last: int
    digest: str
    records: int


@dataclass(frozen=True, slots=True)
class Retained:
    """What a retention dropped: records and segments, and the record that says so (empty where nothing was)."""

    records: int
    segments: int
    record: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be dropped, the stubs of all that is or was, and the records that have to be recorded anew."""

    segments: tuple[str, ...]
    records: int
    stubs: tuple[Stub, ...]
    needed: tuple[tuple[str, dict[str, Any]], ...]


_SEGMENTS: Final = """
WITH s AS (
    SELECT segment, writer, min(sequence) AS first, max(sequence) AS last, count(*) AS records, max("at") AS newest,
        arg_max(digest, sequence) AS digest
    FROM folded.base.records GROUP BY segment, writer),
kept AS (SELECT writer, min(first) AS first FROM s WHERE newest >= CAST($before AS TIMESTAMP) GROUP BY writer)
SELECT s.segment, s.writer, s.last, s.digest, s.records
FROM s LEFT JOIN kept USING (writer) WHERE kept.first IS NULL OR s.first < kept.first
ORDER BY s.writer, s.first
"""
"""Of each chain the segments from its beginning all of whose records are older: what is left has no hole."""

_NEEDED: Final = """
WITH wanted AS (
    SELECT DISTINCT program AS digest FROM base.records WHERE program IS NOT NULL AND {kept}
    UNION SELECT DISTINCT unnest(json_extract_string(text, '$.body.facts.reference.*')) FROM base.records
        WHERE kind = 'decision' AND {kept}
    UNION SELECT text->>'$.body.digest' FROM base.records AS r
        WHERE kind = 'program' OR (kind = 'reference' AND writer IN (SELECT writer FROM base.records WHERE {kept}))),
there AS (SELECT DISTINCT text->>'$.body.digest' AS digest FROM base.records
    WHERE kind IN ('program', 'reference') AND {kept})
SELECT kind, any_value(text) FROM base.records
WHERE kind IN ('program', 'reference') AND text->>'$.body.digest' IN (SELECT digest FROM wanted)
    AND text->>'$.body.digest' NOT IN (SELECT digest FROM there)
GROUP BY kind, text->>'$.body.digest' ORDER BY kind
"""
"""Programs, which are small; reference data that kept decisions, or chains that go on, may need."""


def plan(view: TraceView, before: str) -> Plan:
    """What a retention would drop: everything recorded before a time in UTC, as far as whole segments are."""
    former = {stub.writer: stub for stub in stubs_of(view)}
    if not view.is_folded:
        return Plan((), 0, tuple(former.values()), ())
    _, rows = view.query(_SEGMENTS, {"before": before})
    segments = tuple(row[0] for row in rows)
    for _, writer, last, digest, _ in rows:
        # A chain counts from one, and goes from its beginning: a plan that was made before and not carried out counts once.
        former[writer] = Stub(writer, last, digest, last)
    needed = tuple(_needed(view, segments)) if segments else ()
    stubs = tuple(former[writer] for writer in sorted(former))
    return Plan(segments, sum(row[4] for row in rows), stubs, needed)


def _needed(view: TraceView, segments: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    kept = f"segment NOT IN ({', '.join(map(literal, segments))})"
    _, rows = view.query(_NEEDED.format(kept=kept))
    for kind, text in rows:
        yield kind, json.loads(text)["body"]


def stubs_of(view: TraceView) -> tuple[Stub, ...]:
    """What retentions say is dropped: of each chain the most that one of them does, whatever clocks said of their order."""
    _, rows = view.query("SELECT text->'$.body.chains' FROM base.records WHERE kind = 'retention'")
    found: dict[str, Stub] = {}
    for stub in (Stub(**form) for (chains,) in rows for form in json.loads(chains)):
        if stub.writer not in found or found[stub.writer].last < stub.last:
            found[stub.writer] = stub
    return tuple(found[writer] for writer in sorted(found))


def retention_body(made: Plan, before: str) -> dict[str, Any]:
    """What a `retention` record says: of every chain that was ever shortened, how far."""
    chains = [
        {"writer": s.writer, "last": s.last, "digest": s.digest, "records": s.records}
        for s in made.stubs
    ]
    return {"before": before, "records": made.records, "chains": chains}


def drop(path: Path, folder: Path, segments: tuple[str, ...], *, wait: float = 10.0) -> None:
    """Make the file again without these segments. It appears whole, or not at all; readers keep the one they have.

    Raises `TraceUnavailableError` where another process folds for longer than `wait` seconds.
    """
    until = time.monotonic() + wait
    with leased(folder, until):
        with opened(path, until) as database:
            # No log may be left of the file that another one takes the place of.
            database.execute("CHECKPOINT")
        new = make_store(path)
        with opened(new, until) as database:
            _copy(database, path, segments)
        with new.open("rb+") as file:
            os.fsync(file.fileno())
        new.rename(path)
        sync_folder(path.parent)
        # The ledger goes on knowing them: a copy of a dropped segment is not folded again.
        for left in segment_paths(folder):
            if left.stem in segments:
                left.unlink()
        sync_folder(folder)


def _copy(database: duckdb.DuckDBPyConnection, path: Path, segments: tuple[str, ...]) -> None:
    gone = ", ".join(map(literal, segments))
    database.execute(f"ATTACH {literal(str(path))} AS former (READ_ONLY)")
    database.execute(
        f"INSERT INTO base.records SELECT * FROM former.base.records WHERE segment NOT IN ({gone})"
    )
    database.execute(
        f"""INSERT INTO base.ledger SELECT * REPLACE (is_dropped OR segment IN ({gone}) AS is_dropped)
            FROM former.base.ledger"""
    )
    database.execute("DETACH former")
    keep_views(database)
    database.execute("CHECKPOINT")
