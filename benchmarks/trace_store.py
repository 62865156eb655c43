"""What recording, folding, reading, checking and replaying cost.

python benchmarks/trace_store.py record            durable records at 1 and 4 processes, overhead on a decision
python benchmarks/trace_store.py store [COUNT]     a store of so many decisions: size, look-ups, views, verify, replay
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from policylang.bundle.loading import load
from policylang.trace.chain import FIRST, Record, chained
from policylang.trace.decisions import Circumstances, decision_body
from policylang.trace.folding import fold
from policylang.trace.identity import Identities
from policylang.trace.programs import program_body
from policylang.trace.reading import Filter, TraceView
from policylang.trace.archive import Archive
from policylang.trace.replay import AsRecorded, replay
from policylang.trace.segments import SEALED, frame
from policylang.trace.store import TraceStore, segments_of
from policylang.trace.verify import verify

ROOT = Path(__file__).parent.parent
POLICY = ROOT / "examples" / "retail_support"
REQUEST = POLICY / "requests" / "order_of_somebody_else.json"
PER_SEGMENT = 10_000


def write_for(path: Path, seconds: float, durability: str) -> None:
    """Record one decision after another for so long, and print how many and the median and 99th percentile."""
    bundle = load(POLICY)
    case = bundle.case(REQUEST.read_bytes())
    times = []
    with TraceStore.open(path, durability=durability) as store:  # type: ignore[arg-type]
        store.record(case)
        until = time.perf_counter() + seconds
        while (start := time.perf_counter()) < until:
            store.record(case)
            times.append(time.perf_counter() - start)
    ordered = sorted(times)
    print(len(times), statistics.median(ordered), ordered[int(len(ordered) * 0.99)])


def record() -> None:
    """Durable and buffered recording at 1 and 4 processes."""
    bundle = load(POLICY)
    given = REQUEST.read_bytes()
    bundle.decide(given)
    start = time.perf_counter()
    for _ in range(300):
        bundle.decide(given)
    print(f"deciding alone: {(time.perf_counter() - start) / 300 * 1e6:.0f} us")
    for durability in ("durable", "buffered"):
        for writers in (1, 4):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "traces.duckdb"
                run = [sys.executable, __file__, "write", str(path), durability]
                running = [subprocess.Popen(run, stdout=subprocess.PIPE) for _ in range(writers)]
                told = [process.communicate()[0].split() for process in running]
            rate = sum(int(t[0]) for t in told) / 5
            median = statistics.median(float(t[1]) for t in told) * 1e6
            slow = max(float(t[2]) for t in told) * 1e6
            print(
                f"{durability}, {writers} writers: {rate:.0f}/s, median {median:.0f} us, p99 {slow:.0f} us"
            )


def made(folder: Path, count: int) -> list[str]:
    """Segments of `count` decisions, as a writer makes them; returns their identities."""
    bundle = load(POLICY)
    cases = [bundle.case(path.read_bytes()) for path in sorted(POLICY.glob("requests/*.json"))]
    bodies = [decision_body(case, Circumstances(agent="bot", stage="active")) for case in cases]
    identities = Identities()
    writer = identities.new()
    previous, ids, lines = FIRST, [], []
    for number in range(count + 1):
        kind, body = ("decision", bodies[number % len(bodies)])
        if number == 0:
            kind, body = "program", program_body(bundle.program)
        id_, at = identities.new(), identities.timestamp()
        item: Record = chained(kind, id_, at, writer, number + 1, previous, body)
        previous = item.digest
        ids.append(item.id)
        lines.append(frame(item))
        if len(lines) == PER_SEGMENT or number == count:
            path = folder / f"{writer}-{number // PER_SEGMENT + 1:06d}{SEALED}"
            path.write_bytes(b"".join(lines))
            lines = []
    return ids[1:]


def raw(path: Path, folder: Path) -> float:
    """Seconds that DuckDB alone takes for the same rows: identity, hash and text, committed by segment."""
    database = duckdb.connect(str(path))
    database.execute(
        "CREATE TABLE r (id VARCHAR, digest VARCHAR, text VARCHAR USING COMPRESSION zstd)"
    )
    spent = 0.0
    for segment in sorted(folder.glob(f"*{SEALED}")):
        rows = [line.split("\t", 1) for line in segment.read_text().splitlines()]
        columns = [[row[0] for row in rows], [row[1] for row in rows]]
        start = time.perf_counter()
        database.execute("INSERT INTO r SELECT unnest($1), unnest($1), unnest($2)", columns)
        spent += time.perf_counter() - start
    start = time.perf_counter()
    database.execute("CHECKPOINT")
    database.close()
    return spent + time.perf_counter() - start


def store(count: int) -> None:
    """A store of so many decisions."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "traces.duckdb"
        folder = segments_of(path)
        folder.mkdir()
        ids = made(folder, count)
        size = sum(p.stat().st_size for p in folder.iterdir())
        print(f"{count} decisions, {size / count:.0f} bytes each in segments")
        alone = raw(Path(temporary) / "raw.duckdb", folder)
        print(f"DuckDB alone: {count / alone:.0f}/s")
        start = time.perf_counter()
        fold(path, folder)
        spent = time.perf_counter() - start
        print(f"folding: {count / spent:.0f}/s, {alone / spent:.2f} of DuckDB alone")
        print(f"in the file: {path.stat().st_size / count:.0f} bytes each")
        ask(path, folder, ids)


def ask(path: Path, folder: Path, ids: list[str]) -> None:
    """Look-ups, views, checks and replays of a folded store."""
    with TraceView(path, folder) as view:
        archive = Archive(view)
        times = []
        for id_ in ids[:: max(1, len(ids) // 20)]:
            start = time.perf_counter()
            found = view.get(id_)
            assert found is not None
            archive.case(found).explanation()
            times.append(time.perf_counter() - start)
        print(
            f"why: first {times[0] * 1e3:.0f} ms, then {statistics.median(times[1:]) * 1e3:.1f} ms"
        )
        view.query("SELECT 1")
        start = time.perf_counter()
        view.query("SELECT * FROM daily")
        print(f"daily: {(time.perf_counter() - start) * 1e3:.0f} ms")
        for word, tables in (("records", False), ("records and tables", True)):
            start = time.perf_counter()
            checked = verify(view, tables=tables)
            spent = time.perf_counter() - start
            assert checked.holds
            print(f"verify, {word}: {checked.records / spent:.0f}/s")
        records = list(view.records(Filter(kind="decision", limit=3_000)))
        start = time.perf_counter()
        count = sum(one.verdict.value == "same" for one in replay(records, AsRecorded(archive)))
        assert count == len(records)
        print(f"replay: {count / (time.perf_counter() - start):.0f}/s on one core")
        archive.close()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record"]:
            record()
        case ["write", path, durability]:
            write_for(Path(path), 5.0, durability)
        case ["store", *count]:
            store(int(count[0]) if count else 1_000_000)
        case _:
            sys.exit(__doc__)
