"""Measures policylang beside its peers, and its batches.

usage: python -m benchmarks.peers [--rounds N] [--calls N] [--only NAME ...] [--plots FOLDER] [--batch ROWS] [--json]

Each table is made in one process: all peers answer the same grid of requests, are checked for equal answers, and then
take turns, so that all see the same machine. What is measured is from a Python dict to an answer.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.peers import plot, refund, shapes
from benchmarks.peers.timing import Absent, Figure, Peer, differences, measured
from policylang import loads
from policylang.bundle.batch import answer_lines

OURS = "policylang (plan)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=500, help="the most calls of a peer a round")
    parser.add_argument("--only", nargs="*", default=[], help="peers whose name holds one of these")
    parser.add_argument("--plots", type=Path, help="a folder to write SVG files to")
    parser.add_argument("--batch", type=int, default=50_000, help="requests of a batch")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    tables = dict(_tables(given))
    batch = _batches(given.batch)
    if given.plots:
        _plot(tables, given.plots)
    if given.json:
        found = {title: [asdict(figure) for figure in table] for title, table in tables.items()}
        print(json.dumps({"tables": found, "decisions a second": batch}, indent=1))
        return 0
    for title, table in tables.items():
        _print(title, table)
    print("decisions a second, the refund policy\n")
    for name, rate in batch.items():
        print(f"  {name:<52}{rate:>12,.0f}")
    return 0


def _tables(given: argparse.Namespace) -> Iterable[tuple[str, list[Figure]]]:
    found, absent = refund.peers([*given.only, OURS, "plain"] if given.only else ())
    yield "the refund policy", _table(found, absent, refund.grid(), given)
    for count in (5, 50, 10_000):
        found, absent, requests = shapes.relations(count)
        title = f"relationships, {count:,} entities"
        yield title, _table(found, absent, requests, given)
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


def _batches(count: int) -> dict[str, float]:
    """Decisions a second of each way through a batch; starting the processes is not in it."""
    requests = [refund.grid()[i % len(refund.grid())] for i in range(count)]
    texts = [json.dumps(request) for request in requests]
    plan, asp = (loads(refund.POLICY, evaluator=name) for name in ("plan", "asp"))
    ways: dict[str, tuple[Callable[[], Iterable[object]], int]] = {
        "plan, dict to decision": (lambda: plan.decide_many(requests), count),
        "plan, JSON text to decision": (lambda: plan.decide_many(texts), count),
        "plan, JSON text to JSON line": (lambda: answer_lines(plan, texts), count),
        "plan, dict to decision, two processes": (
            lambda: plan.decide_many(requests, jobs=2),
            count,
        ),
        "plan, JSON text to JSON line, two processes": (
            lambda: answer_lines(plan, texts, jobs=2),
            count,
        ),
        "clingo, one by one": (lambda: map(asp.decide, requests[:300]), 300),
        "clingo, in batches": (lambda: asp.decide_many(requests[:2_000]), 2_000),
    }
    return {name: _rate(run, some) for name, (run, some) in ways.items()}


def _rate(run: Callable[[], Iterable[object]], count: int) -> float:
    answers = iter(run())
    next(answers)
    began = time.perf_counter()
    left = sum(1 for _ in answers)
    if left != count - 1:
        sys.exit(f"error: {left + 1} answers to {count} requests")
    return left / (time.perf_counter() - began)


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
