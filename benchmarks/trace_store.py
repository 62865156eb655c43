"""What recording, folding, looking up, checking and replaying cost.

python benchmarks/trace_store.py [COUNT]           all of it, with a store of so many decisions (1,000,000)
python benchmarks/trace_store.py record            durable and buffered recording at 1 and 4 processes alone
python benchmarks/trace_store.py store [COUNT]     a store of so many decisions alone

The records are decisions about 5,000 different requests, of 1.4 KB each on average; identities, times and hashes are all different.
"""

from __future__ import annotations

import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from policylang.bundle.bundle import Bundle
from policylang.bundle.loading import loads
from policylang.decide.json import canonical
from policylang.trace.archive import Archive
from policylang.trace.chain import FIRST, chained
from policylang.trace.decisions import Circumstances, decision_body
from policylang.trace.folding import fold, read_segment
from policylang.trace.identity import Identities
from policylang.trace.programs import program_body
from policylang.trace.reading import Filter, TraceView
from policylang.trace.replay import AsRecorded, replay
from policylang.trace.segments import SEALED, frame
from policylang.trace.store import TraceStore, segments_of
from policylang.trace.tables import create_tables, insert_records
from policylang.trace.verify import verify

POLICY = """
module refunds version "2.1.0"
type Money = Decimal(2) in 0.00 ..
enum Tier { free, pro, enterprise }
param auto_limit: Money = 50.00
fact customer { id: String key, tier: Tier, country: String, fraud_score: Int in 0 .. 100, since: Date }
fact order { id: String key, total: Money, shipped: Bool, items: Int }
action refund { order: String, amount: Money, reason: String }
never whole: allow refund if refund.amount > order.total because "{refund.amount} is more than the order's {order.total}"
rule suspicious: deny refund if customer.fraud_score > 80 because "the fraud score of {customer.id} is {customer.fraud_score}"
rule small: allow refund if refund.amount <= auto_limit because "{refund.amount} is small"
rule loyal: allow refund if customer.tier in [Tier.pro, Tier.enterprise] and refund.amount <= 500.00
rule large: require approval(by: "manager", within: 4 hours) for refund if refund.amount > 200.00
"""
DISTINCT = 5_000
PER_SEGMENT = 10_000
SECONDS = 5.0


def request(chance: random.Random) -> dict[str, Any]:
    """A refund of something to somebody."""
    total = chance.randrange(500, 90_000)
    return {
        "action": "refund",
        "now": f"2026-11-{chance.randrange(1, 21):02d}T{chance.randrange(24):02d}:00:00Z",
        "args": {
            "order": f"o-{chance.randrange(10**7)}",
            "amount": f"{chance.randrange(100, total + 50) / 100:.2f}",
            "reason": chance.choice(("broken", "late", "changed my mind", "wrong size")),
        },
        "facts": {
            "customer": {
                "id": f"c-{chance.randrange(10**6)}",
                "tier": chance.choice(("free", "pro", "enterprise")),
                "country": chance.choice(("DE", "FR", "PL", "US")),
                "fraud_score": chance.randrange(101),
                "since": f"20{chance.randrange(10, 26)}-05-17",
            },
            "order": {
                "id": f"o-{chance.randrange(10**7)}",
                "total": f"{total / 100:.2f}",
                "shipped": chance.random() < 0.5,
                "items": chance.randrange(1, 9),
            },
        },
    }


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# --- recording ---


def write_for(path: Path, durability: str) -> None:
    """Decide, and record, one request after another; print how many, and the median and 99th percentile."""
    bundle = loads(POLICY)
    chance = random.Random(1)
    given = [canonical(request(chance)) for _ in range(500)]
    bundle.case(given[0])
    times = []
    kept: Any = "buffered" if durability == "none" else durability
    with TraceStore.open(path, durability=kept) as store:
        store.record(bundle.case(given[0]))
        until = time.perf_counter() + SECONDS
        while (start := time.perf_counter()) < until:
            case = bundle.case(given[len(times) % len(given)])
            if durability != "none":
                store.record(case)
            times.append(time.perf_counter() - start)
    ordered = sorted(times)
    print(len(times), statistics.median(ordered), ordered[int(len(ordered) * 0.99)])


def record() -> None:
    """Decisions a second without and with recording, at 1 and 4 processes, each with its own threads and segments."""
    for durability in ("none", "durable", "buffered"):
        for writers in (1, 4):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "traces.duckdb"
                run = [sys.executable, __file__, "write", str(path), durability]
                running = [subprocess.Popen(run, stdout=subprocess.PIPE) for _ in range(writers)]
                told = [process.communicate()[0].split() for process in running]
            rate = sum(int(t[0]) for t in told) / SECONDS
            median = statistics.median(float(t[1]) for t in told) * 1e6
            slow = max(float(t[2]) for t in told) * 1e6
            print(
                f"recording {durability}, {writers} processes: {rate:.0f} decisions/s,"
                f" each {median:.0f} us, p99 {slow:.0f} us"
            )


# --- a store ---


def made(folder: Path, count: int, bundle: Bundle) -> list[str]:
    """Segments of `count` decisions, as a writer makes them; returns their identities."""
    chance = random.Random(7)
    around = Circumstances(agent="bot-7", stage="active")
    bodies = [decision_body(bundle.case(request(chance)), around) for _ in range(DISTINCT)]
    identities = Identities()
    writer = identities.new()
    previous, ids, lines = FIRST, [], []
    for number in range(count + 1):
        kind, body = ("decision", bodies[number % len(bodies)])
        if number == 0:
            kind, body = "program", program_body(bundle.program)
        id_, at = identities.new(), identities.timestamp()
        item = chained(kind, id_, at, writer, number + 1, previous, body)
        previous = item.digest
        ids.append(item.id)
        lines.append(frame(item))
        if len(lines) == PER_SEGMENT or number == count:
            path = folder / f"{writer}-{number // PER_SEGMENT + 1:06d}{SEALED}"
            path.write_bytes(b"".join(lines))
            lines = []
    return ids[1:]


def raw(path: Path, folder: Path, segments: int) -> tuple[float, float]:
    """Seconds, and seconds of processors, a record that DuckDB takes to append the same rows, all columns ready, committed by segment."""
    database = duckdb.connect(str(path))
    create_tables(database, "base", stored=True)
    database.execute("ATTACH ':memory:' AS ready")
    database.execute("CREATE SCHEMA ready.base")
    database.execute("CREATE TABLE ready.base.records AS FROM base.records")
    spent, worked, count = 0.0, 0.0, 0

    def timed(sql: str) -> None:
        nonlocal spent, worked
        before = time.process_time()
        spent += seconds(partial(database.execute, sql))
        worked += time.process_time() - before

    for segment in sorted(folder.glob(f"*{SEALED}"))[:segments]:
        records, _ = read_segment(segment)
        count += len(records)
        database.execute("DELETE FROM ready.base.records")
        insert_records(database, "ready.base", segment.stem, records)
        timed("INSERT INTO base.records FROM ready.base.records")
    timed("CHECKPOINT")
    database.close()
    return spent / count, worked / count


def texts(path: Path, folder: Path, segments: int) -> float:
    """Seconds a record that DuckDB takes for identity, hash and text alone, committed by segment."""
    database = duckdb.connect(str(path))
    database.execute(
        "CREATE TABLE r (id VARCHAR, digest VARCHAR, text VARCHAR USING COMPRESSION zstd)"
    )
    insert = "INSERT INTO r SELECT unnest($1), unnest($1), unnest($2)"
    spent, count = 0.0, 0
    for segment in sorted(folder.glob(f"*{SEALED}"))[:segments]:
        rows = [line.split("\t", 1) for line in segment.read_text().splitlines()]
        count += len(rows)
        columns = [[row[0] for row in rows], [row[1] for row in rows]]
        spent += seconds(partial(database.execute, insert, columns))
    spent += seconds(lambda: database.execute("CHECKPOINT"))
    database.close()
    return spent / count


def store(count: int) -> None:
    """A store of so many decisions."""
    with tempfile.TemporaryDirectory() as temporary, loads(POLICY) as bundle:
        path = Path(temporary) / "traces.duckdb"
        folder = segments_of(path)
        folder.mkdir()
        ids = made(folder, count, bundle)
        size = sum(p.stat().st_size for p in folder.iterdir())
        print(f"{count} decisions, {size / count:.0f} bytes each in segments")
        few = 10
        alone, bare = raw(Path(temporary) / "raw.duckdb", folder, few)
        plain = texts(Path(temporary) / "texts.duckdb", folder, few)
        print(
            f"DuckDB alone, the same rows ready made: {1 / alone:.0f}/s, {bare * 1e6:.0f} us of processors each;"
            f" id, hash and text: {1 / plain:.0f}/s"
        )
        worked = time.process_time()
        spent = seconds(lambda: fold(path, folder)) / count
        worked = (time.process_time() - worked) / count
        print(
            f"folding: {1 / spent:.0f}/s, {alone / spent:.2f} of the same rows alone,"
            f" {plain / spent:.2f} of id, hash and text; {worked * 1e6:.0f} us of processors each"
        )
        print(f"in the file: {path.stat().st_size / count:.0f} bytes each")
        ask(path, folder, ids)
        keep(path, Path(temporary))


def ask(path: Path, folder: Path, ids: list[str]) -> None:
    """Look-ups, views, checks and replays of a folded store."""
    with TraceView(path, folder) as view:
        archive = Archive(view)
        times = []
        for id_ in ids[:: max(1, len(ids) // 20)]:

            def why(id_: str = id_) -> None:
                found = view.get(id_)
                assert found is not None
                archive.case(found).explanation()

            times.append(seconds(why))
        print(
            f"why: first {times[0] * 1e3:.0f} ms, then {statistics.median(times[1:]) * 1e3:.1f} ms"
        )
        opening = seconds(lambda: view.query("SELECT 1"))
        for name, sql in QUESTIONS.items():
            print(f"{name}: {seconds(lambda sql=sql: view.query(sql)) * 1e3:.0f} ms")
        print(f"making views: {opening * 1e3:.0f} ms")
        for word, tables in (("hashes, chains and places", False), ("everything", True)):
            start, worked = time.perf_counter(), time.process_time()
            checked = verify(view, tables=tables)
            spent = time.perf_counter() - start
            each = (time.process_time() - worked) / checked.records
            assert checked.holds
            print(
                f"verify, {word}: {checked.records / spent:.0f}/s, {each * 1e6:.1f} us of processors each"
            )
        records = list(view.records(Filter(kind="decision", limit=5_000)))
        start = time.perf_counter()
        count = sum(one.verdict.value == "same" for one in replay(records, AsRecorded(archive)))
        assert count == len(records)
        print(f"replay: {count / (time.perf_counter() - start):.0f}/s on one core")
        archive.close()


QUESTIONS = {
    "daily": "SELECT * FROM daily",
    "decisions of a customer": "SELECT count(*) FROM facts.customer WHERE id = 'c-17'",
    "denials by reason": "SELECT rule, count(*) FROM reasons WHERE kind = 'forbidden' GROUP BY rule",
}


def keep(path: Path, temporary: Path) -> None:
    """Export to Parquet."""
    with TraceStore.open(path) as kept:
        to = temporary / "exported"
        spent = seconds(lambda: kept.export(to))
        size = sum(p.stat().st_size for p in to.rglob("*.parquet"))
        print(f"export: {spent:.1f} s, {size / path.stat().st_size:.2f} of the file's size")
        shutil.rmtree(to)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record"]:
            record()
        case ["write", path, durability]:
            write_for(Path(path), durability)
        case ["store", *count]:
            store(int(count[0]) if count else 1_000_000)
        case [*count] if all(word.isdigit() for word in count):
            record()
            store(int(count[0]) if count else 1_000_000)
        case _:
            sys.exit(__doc__)
