"""What a gate costs, and whether its limits hold.

python benchmarks/gate.py            all of it
python benchmarks/gate.py overhead   `protect` beside `decide`, alone
python benchmarks/gate.py rate       decisions a second with threads and processes, alone
python benchmarks/gate.py limit      a limit of 100 under 16 processes that try 10,000 times, alone
python benchmarks/gate.py age        what a call with limits costs in a young store and an old one, alone

Every call is recorded durably: its decision before it runs, its outcome after.
"""

from __future__ import annotations

import datetime as dt
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from policylang.bundle.bundle import Bundle
from policylang.bundle.loading import loads
from policylang.gate.gate import Gate
from policylang.gate.limits import KEPT

POLICY = """
module refunds version "2.1.0"
type Money = Decimal(2) in 0.00 .. normalize currency
fact agent { id: String key, scopes: Set[String] }
fact customer { id: String key, score: Int in 0 .. 100 }
action refund { customer_id: String, amount: Money }
action note { customer_id: String, amount: Money }
param auto_limit: Money = 50.00
limit weekly: refund to 1_000_000 per refund.customer_id in 7 days
limit spent: sum(refund.amount) to 1_000_000_000.00 per refund.customer_id in 1 day
rule suspicious: deny refund if customer.score > 80
rule small: allow refund if agent.scopes has "refunds:write" and refund.amount <= auto_limit
rule noted: allow note if agent.scopes has "refunds:write" and customer.score <= 80 and note.amount <= auto_limit
"""

LIMITED = """
module shop
action order { by: String }
limit hundred: order to 100 per order.by in 30 days
rule all: allow order
"""

AGENT = {"id": "bot-7", "scopes": ["refunds:write"]}
FACTS = {"customer": {"id": "c1", "score": 10}}
ROUNDS = 400
SECONDS = 5.0


def arguments(number: int) -> dict[str, Any]:
    """A refund: of a customer who has few of them."""
    return {"customer_id": f"c{number}", "amount": "$12.50"}


def timed(work: Callable[[int], object], rounds: int = ROUNDS) -> list[float]:
    """Microseconds of each round, after some to warm up."""
    for number in range(rounds // 10):
        work(-1 - number)
    found = []
    for number in range(rounds):
        started = time.perf_counter()
        work(number)
        found.append((time.perf_counter() - started) * 1e6)
    return found


def line(name: str, found: list[float]) -> None:
    """A line of the table: median and 95th percentile."""
    ordered = sorted(found)
    print(f"{name:<58} {statistics.median(found):8.0f} {ordered[int(len(ordered) * 0.95)]:8.0f}")


@contextmanager
def gated() -> Iterator[tuple[Bundle, Gate]]:
    """A gate over a store of its own, and the bundle that decides for it."""
    with tempfile.TemporaryDirectory() as folder, loads(POLICY) as bundle:
        gate = Gate.open(bundle, store=Path(folder) / "t.duckdb")
        try:
            yield bundle, gate
        finally:
            gate.close()


def overhead() -> None:
    """Each part of a protected call, alone and together, in turn over one store."""
    print(f"{'microseconds, one thread':<58} {'median':>8} {'95 %':>8}")
    with gated() as (bundle, gate):

        def function(customer_id: str, amount: Any) -> Any:
            return customer_id, amount

        note = gate.protect("note")(function)
        refund = gate.protect("refund")(function)

        def request(action: str, number: int) -> dict[str, Any]:
            args = arguments(number)
            return {"action": action, "args": args, "agent": AGENT, "facts": FACTS}

        def decided(action: str) -> Callable[[int], object]:
            return lambda n: gate.decide(action, arguments(n), agent=AGENT, facts=FACTS)

        with gate.session(agent=AGENT, facts=FACTS):
            line(
                "Bundle.decide: the rules alone",
                timed(lambda n: bundle.decide(request("note", n))),
            )
            case = bundle.case(request("note", 0))
            line(
                "TraceStore.record: one durable record",
                timed(lambda _: gate.store.record(case)),
            )
            line("Gate.decide, no limits: rules and record", timed(decided("note")))
            line(
                "a protected function, no limits: and its outcome",
                timed(lambda n: note(**arguments(n))),
            )
            line("Gate.decide, two limits: and their places taken", timed(decided("refund")))
            line("a protected function, two limits", timed(lambda n: refund(**arguments(n))))


def work(gate: Gate, action: str, seconds: float, first: int) -> int:
    """Decide and run calls for so long; how many."""
    until, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        number = first + count
        gate.call(action, arguments(number), lambda _: None, agent=AGENT, facts=FACTS)
        count += 1
    return count


def rate() -> None:
    """Calls a second by one thread, by eight threads, and by four processes, on one store each."""
    print(f"\n{'calls a second, each with its outcome':<58} {'no limits':>10} {'two limits':>10}")
    for name, count, run in (
        ("1 thread", 1, threads),
        ("8 threads of one process", 8, threads),
        ("4 processes", 4, processes),
    ):
        plain, limited = (run(action, count) for action in ("note", "refund"))
        print(f"{name:<58} {plain:>10,.0f} {limited:>10,.0f}")


def threads(action: str, count: int) -> float:
    """Calls a second by so many threads."""
    done: list[int] = []
    with gated() as (_, gate):
        running = [
            threading.Thread(target=lambda i=i: done.append(work(gate, action, SECONDS, i << 24)))
            for i in range(count)
        ]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    return sum(done) / SECONDS


def processes(action: str, count: int) -> float:
    """Calls a second by so many processes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "worker", str(Path(folder) / "t.duckdb"), action]
        running = [
            subprocess.Popen(
                [*command, str(i << 24)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for i in range(count)
        ]
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        for process in running:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.flush()
        return sum(int(process.communicate()[0]) for process in running) / SECONDS


def worker(store: str, action: str, first: str) -> None:
    """One of several processes: says that it is ready, waits for the word, and says how many calls it made."""
    with loads(POLICY) as bundle, Gate.open(bundle, store=store) as gate:
        work(gate, action, 0.05, -int(first) - (1 << 40))
        print("ready", flush=True)
        sys.stdin.readline()
        print(work(gate, action, SECONDS, int(first)), flush=True)


def trying(store: str, count: str) -> None:
    """One of many processes that try to get under a limit: says how many calls passed."""
    passed = 0
    with loads(LIMITED) as bundle, Gate.open(bundle, store=store) as gate:
        for _ in range(int(count)):
            verdict = gate.decide("order", {"by": "all"}, agent="bot-7")
            if verdict.error is not None:
                raise verdict.error
            if verdict.allowed:
                gate.run(verdict, lambda _: None)
                passed += 1
    print(passed)


def limit(workers: int = 16, tries: int = 10_000) -> None:
    """A limit of 100 under many processes at once."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "t.duckdb"
        command = [sys.executable, __file__, "trying", str(store), str(tries // workers)]
        started = time.perf_counter()
        running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(workers)]
        passed = sum(int(process.communicate()[0]) for process in running)
        took = time.perf_counter() - started
        assert all(process.returncode == 0 for process in running)
    print(
        f"\na limit of 100, {workers} processes, {tries:,} tries: {passed} passed, in {took:.0f} s"
    )


def age() -> None:
    """What a call with limits costs beside so many calls that do not count for it."""
    print(f"\n{'microseconds, a protected call with two limits':<58} {'median':>8} {'95 %':>8}")
    for earlier in (0, 100_000, 1_000_000):
        with gated() as (_, gate):
            gate.call("refund", arguments(0), lambda _: None, agent=AGENT, facts=FACTS)
            fill(gate, earlier)

            def call(number: int, gate: Gate = gate) -> object:
                return gate.call(
                    "refund", arguments(number), lambda _: None, agent=AGENT, facts=FACTS
                )

            line(f"beside {earlier:,} earlier calls", timed(call))


def fill(gate: Gate, count: int) -> None:
    """Earlier calls: of 10,000 other customers, and of the same ones before their windows."""
    with gate.store.state.transaction() as tx:
        counters = [row[0] for row in tx.execute("SELECT counter FROM counters")]
        ((at,),) = tx.execute("SELECT max(at) FROM counted")
        key = tx.execute("SELECT DISTINCT key FROM counted")[0][0]
        step = KEPT // dt.timedelta(microseconds=1) // max(count, 1)
        for i in range(count // 2):
            other = (i % 10_000).to_bytes(16)
            row = (counters[i % len(counters)], at - i * step, f"e{i}", '[null, "1.00"]')
            sql = "INSERT INTO counted (counter, key, at, call, cells) VALUES (?, ?, ?, ?, ?)"
            tx.execute(sql, (row[0], other, *row[1:]))
            tx.execute(sql, (row[0], key, at - (8 * 86_400 * 10**6) - i, f"o{i}", row[3]))


def main() -> None:
    """Measure what the arguments ask for."""
    match sys.argv[1:]:
        case ["worker", store, action, first]:
            worker(store, action, first)
        case ["trying", store, count]:
            trying(store, count)
        case [name]:
            {"overhead": overhead, "rate": rate, "limit": limit, "age": age}[name]()
        case _:
            for part in (overhead, rate, limit, age):
                part()


if __name__ == "__main__":
    main()
