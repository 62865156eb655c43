"""Measures policylang beside its peers, and its batches.

usage: python -m benchmarks.peers [--rounds N] [--calls N] [--only NAME ...] [--plots FOLDER] [--batch ROWS] [--json]

Each table is made in one process: all peers answer the same grid of requests, are checked for equal answers, and then
take turns, so that all see the same machine. What is measured is from a Python dict to an answer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.peers import plot, refund, shapes
from benchmarks.peers.repositories import repositories
from benchmarks.peers.timing import Absent, Figure, Peer, differences, measured
from policylang import Bundle, loads
from policylang.bundle.batch import answer_lines
from policylang.bundle.bundle import BATCH
from policylang.evaluate.firings import Limits
from policylang.facts.factset import FactSet

OURS = "policylang (plan)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=500, help="the most calls of a peer a round")
    parser.add_argument("--only", nargs="*", default=[], help="peers whose name holds one of these")
    parser.add_argument("--plots", type=Path, help="a folder to write SVG files to")
    parser.add_argument(
        "--batch", type=int, default=50_000, help="requests of a batch; 0: no batches"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    tables: dict[str, list[Figure]] = {}
    for title, table in _tables(given):
        tables[title] = table
        if not given.json:
            _print(title, table)
    batch = _batches(given.batch) if given.batch else []
    if given.plots:
        _plot(tables, given.plots)
    if given.json:
        found = {title: [asdict(figure) for figure in table] for title, table in tables.items()}
        print(json.dumps({"tables": found, "batches": [asdict(way) for way in batch]}, indent=1))
        return 0
    if batch:
        print(f"the refund policy, in batches{'':<25}a second   us of processor\n")
    for way in batch:
        print(f"  {way.name:<50}{way.rate:>12,.0f}{way.microseconds:>14,.1f}")
    return 0


def _tables(given: argparse.Namespace) -> Iterable[tuple[str, list[Figure]]]:
    found, absent = refund.peers([*given.only, OURS, "plain"] if given.only else ())
    yield "the refund policy", _table(found, absent, refund.grid(), given)
    for count in (5, 50, 10_000):
        found, absent, requests = shapes.relations(count)
        title = f"relationships, {count:,} entities"
        yield title, _table(found, absent, requests, given)
    for count in (5, 50, 10_000):
        found, absent, requests = repositories(count)
        yield f"repositories, {count:,} entities", _table(found, absent, requests, given)
    for count in (10, 1_000):
        found, absent, requests = shapes.rules(count)
        yield f"{count:,} rules over one action", _table(found, absent, requests, given)


def _table(
    peers: Sequence[Peer],
    absent: Sequence[Absent],
    grid: Sequence[dict[str, Any]],
    given: argparse.Namespace,
) -> list[Figure]:
    for missing in absent:
        print(f"skipped: {missing.name}, {missing.why}", file=sys.stderr)
    unequal = differences(peers, grid)
    if unequal:
        sys.exit("error: " + "\n".join(unequal[:10]))
    return measured(peers, grid, given.rounds, given.calls, OURS)


@dataclass(frozen=True, slots=True)
class Batch:
    """One way through a batch: decisions a second in its best round, and the processor time of each, over all processes."""

    name: str
    rate: float
    microseconds: float


Way = Callable[[int], Iterable[object]]
"""Answers so many requests."""

ROUNDS = 5


def _batches(count: int) -> list[Batch]:
    """The ways through a batch, which take turns. What starting the processes takes is in neither figure."""
    requests = [refund.grid()[i % len(refund.grid())] for i in range(count)]
    texts = [json.dumps(request).encode() for request in requests]
    few, more = min(count, 300), min(count, 10 * BATCH)
    different = refund.different(more)
    plan, asp = (loads(refund.POLICY, evaluator=name) for name in ("plan", "asp"))
    facts, unlike = ([asp.case(r).facts for r in some] for some in (requests[:more], different))
    ways: dict[str, tuple[Way, int]] = {
        "plan, dict to decision": (lambda n: plan.decide_many(requests[:n]), count),
        "plan, JSON text to decision": (lambda n: plan.decide_many(texts[:n]), count),
        "plan, JSON text to JSON line": (lambda n: answer_lines(plan, texts[:n]), count),
        "plan, dict to decision, two processes": (
            lambda n: plan.decide_many(requests[:n], jobs=2),
            count,
        ),
        "plan, JSON text to decision, two processes": (
            lambda n: plan.decide_many(texts[:n], jobs=2),
            count,
        ),
        "plan, JSON text to JSON line, two processes": (
            lambda n: answer_lines(plan, texts[:n], jobs=2),
            count,
        ),
        "clingo, one by one": (lambda n: map(asp.decide, requests[:n]), few),
        "clingo, in batches": (lambda n: asp.decide_many(requests[:n]), more),
        "clingo, one by one, no two alike": (lambda n: map(asp.decide, different[:n]), few),
        "clingo, in batches, no two alike": (lambda n: asp.decide_many(different[:n]), more),
        "of it evaluation, one by one": (lambda n: _evaluated(asp, facts[:n], 1), few),
        "of it evaluation, in batches": (lambda n: _evaluated(asp, facts[:n], BATCH), more),
        "of it evaluation, one by one, no two alike": (
            lambda n: _evaluated(asp, unlike[:n], 1),
            few,
        ),
        "of it evaluation, in batches, no two alike": (
            lambda n: _evaluated(asp, unlike[:n], BATCH),
            more,
        ),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (way, some) in ways.items():
            rates[name].append(_rate(way, some))
    return [Batch(name, max(rates[name]), _cost(*ways[name])) for name in ways]


def _evaluated(bundle: Bundle, facts: Sequence[FactSet], size: int) -> Iterator[object]:
    """What an evaluator makes of requests that are validated, so many at once."""
    limits = Limits()
    for start in range(0, len(facts), size):
        if size == 1:
            yield bundle.evaluator.evaluate(facts[start], limits)
        else:
            yield from bundle.evaluator.evaluate_many(facts[start : start + size], limits)


def _rate(way: Way, count: int) -> float:
    """Answers a second. The first batch is not timed, of which all answers are there with the first one."""
    answers = iter(way(count))
    first = BATCH if count > 2 * BATCH else 1
    made = sum(1 for _ in islice(answers, first))
    began = time.perf_counter()
    left = sum(1 for _ in answers)
    passed = time.perf_counter() - began
    if made + left != count:
        sys.exit(f"error: {made + left} answers to {count} requests")
    return left / passed


def _cost(way: Way, count: int) -> float:
    """Microseconds of processor time of a request: what more of them take, so that starting is not in it."""
    few = count // 10
    return (_used(way, count) - _used(way, few)) / (count - few) * 1e6


def _used(way: Way, count: int) -> float:
    before = _processor_time()
    for _ in way(count):
        pass
    return _processor_time() - before


def _processor_time() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _print(title: str, table: Sequence[Figure]) -> None:
    print(f"{title}\n\n  {'':<26}{'median us':>11}{'p99 us':>11}{'ratio':>9}   not in its time")
    for figure in sorted(table, key=lambda figure: figure.median):
        line = f"  {figure.name:<26}{figure.median:>11.1f}{figure.p99:>11.1f}{figure.ratio:>9.2f}"
        print(f"{line}   {figure.lacks}".rstrip())
    print()


def _plot(tables: dict[str, list[Figure]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for title, table in tables.items():
        values = sorted(((f.name, f.median) for f in table), key=lambda pair: pair[1])
        name = "".join(c if c.isalnum() else "_" for c in title)
        (folder / f"{name}.svg").write_text(plot.bars(title, values, "us"), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
