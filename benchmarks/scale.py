"""Measures how the cost of a decision grows: rules, reference rows, request rows, recursion, long strings.

usage: python -m benchmarks.scale [--largest ROWS] [--seconds N] [--plots FOLDER] [--cached] [--json]

Each point is measured in a process of its own, so that its memory is its own: seconds of the processor to load, and for the first
decision (which compiles, indexes and settles), microseconds of a decision from a Python dict (median), and the peak of memory in MB.
With `--cached` rules are loaded from a file a second time, with what the first time kept.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.peers import plot
from policylang import Limits, loads

Case = tuple[str, dict[str, Any], dict[str, Any]]
"""The text of a policy, its reference data, and a request that is to be allowed."""

NOW = "2026-11-22T10:00:00Z"


@dataclass(frozen=True, slots=True)
class Point:
    """One size of one direction, measured."""

    direction: str
    size: int
    load_seconds: float
    first_seconds: float
    microseconds: float
    megabytes: float


def request(fields: Mapping[str, Any], facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A request for the only action."""
    return {"action": "act", "args": dict(fields), "facts": dict(facts or {}), "now": NOW}


def rules(count: int) -> Case:
    """Rules over one action, told apart by a constant."""
    text = "\n".join(f'rule r{i}: allow act if act.role == "role{i}"' for i in range(count))
    return f"module m\naction act {{ role: String }}\n{text}\n", {}, request({"role": "role7"})


def flat_rows(count: int) -> Case:
    """A flat table of reference data."""
    text = (
        "module m\nfacts owner { item: String, user: String }\naction act { item: String }\n"
        'rule own: allow act if owner(item: act.item, user: "u7")\n'
    )
    rows = [{"item": f"i{i}", "user": f"u{i}"} for i in range(count)]
    return text, {"owner": rows}, request({"item": "i7"})


def hierarchy(count: int) -> Case:
    """A hierarchy of roles in reference data, read through recursion."""
    text = (
        "module m\nfacts inherits { role: String, of: String }\naction act { role: String }\n"
        "define below(R, S) if inherits(role: R, of: S)\n"
        "define below(R, S) if below(R, T) and inherits(role: T, of: S)\n"
        'rule top: allow act if below(act.role, "r0")\n'
    )
    rows = [{"role": f"r{i}", "of": f"r{i // 8}"} for i in range(1, count + 1)]
    return text, {"inherits": rows}, request({"role": f"r{count}"})


def request_rows(count: int) -> Case:
    """Rows that come with the request."""
    text = (
        "module m\nfacts line { id: Int, amount: Decimal(2) }\naction act { most: Decimal(2) }\n"
        "rule sum: allow act if sum(A for line(amount: A)) <= act.most\n"
    )
    lines = [{"id": i, "amount": "1.25"} for i in range(count)]
    return text, {}, request({"most": "1000000.00"}, {"line": lines})


def recursion(count: int) -> Case:
    """The depth of a recursion over rows of the request."""
    text = (
        "module m\nfacts edge { a: Int, b: Int }\naction act { goal: Int }\n"
        "define reach(X) if X == 0\ndefine reach(Y) if reach(X) and edge(X, Y)\n"
        "rule end: allow act if reach(act.goal)\n"
    )
    edges = [{"a": i, "b": i + 1} for i in range(count)]
    return text, {}, request({"goal": count}, {"edge": edges})


def strings(count: int) -> Case:
    """The length of a string that a rule looks at."""
    text = (
        "module m\naction act { text: String }\n"
        'rule tail: allow act if act.text like "a*a" and len(act.text) > 1\n'
    )
    return text, {}, request({"text": "a" * count})


DIRECTIONS: Mapping[str, tuple[Callable[[int], Case], Sequence[int]]] = {
    "rules": (rules, (10, 100, 1_000, 10_000)),
    "flat reference rows": (flat_rows, (1_000, 10_000, 100_000, 1_000_000)),
    "role hierarchy rows": (hierarchy, (1_000, 10_000, 100_000, 1_000_000)),
    "request rows": (request_rows, (1, 10, 100, 1_000, 10_000)),
    "recursion depth": (recursion, (10, 100, 1_000, 10_000)),
    "string length": (strings, (10, 1_000, 100_000, 1_000_000)),
}


def point(direction: str, size: int) -> Point:
    """Measure one point in this process."""
    make, _ = DIRECTIONS[direction]
    text, reference, asked = make(size)
    began = time.process_time()
    bundle = loads(text, reference=reference, evaluator="plan", limits=Limits(600.0, 8 << 30))
    loaded = time.process_time()
    decision = bundle.decide(asked)
    first = time.process_time()
    if decision.outcome.value != "allow":
        sys.exit(f"error: {direction} {size}: {decision.reasons}")
    times: list[float] = []
    until = time.perf_counter() + 0.5
    while len(times) < 5 or (time.perf_counter() < until and len(times) < 5_000):
        start = time.perf_counter()
        bundle.decide(asked)
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Point(direction, size, loaded - began, first - loaded, median(times) * 1e6, peak)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=1_000_000, help="the largest size")
    parser.add_argument("--seconds", type=float, default=300.0, help="the most that a point takes")
    parser.add_argument("--plots", type=Path, help="a folder to write SVG files to")
    parser.add_argument("--cached", action="store_true", help="measure loading from a cache")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--point", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.cached:
        _cached(min(given.largest, 10_000))
        return 0
    if given.point:
        print(json.dumps(asdict(point(given.point[0], int(given.point[1])))))
        return 0
    points = []
    for direction, (_, sizes) in DIRECTIONS.items():
        for size in sizes:
            if size <= given.largest and (found := _apart(direction, size, given.seconds)):
                points.append(found)
                if not given.json:
                    _print(found)
    if given.json:
        print(json.dumps([asdict(found) for found in points], indent=1))
    if given.plots:
        _plot(points, given.plots)
    return 0


def _apart(direction: str, size: int, seconds: float) -> Point | None:
    """A point measured in another process; None, with a word, where it fails or takes too long."""
    command = [sys.executable, "-m", "benchmarks.scale", "--point", direction, str(size)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=True)
    except subprocess.TimeoutExpired:
        print(f"skipped: {direction} {size:,} takes more than {seconds:g} seconds", file=sys.stderr)
    except subprocess.CalledProcessError as failed:
        print(f"skipped: {direction} {size:,}: {failed.stderr.decode()[-300:]}", file=sys.stderr)
    else:
        return Point(**json.loads(done.stdout))
    return None


def _cached(count: int) -> None:
    """Print what so many rules take without a cache, and with one: to load, and to decide first, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "m.policy").write_text(rules(count)[0], encoding="utf-8")
        for word in ("checked and kept", "from the cache"):
            done = subprocess.run(
                [sys.executable, "-c", _LOAD, folder], capture_output=True, check=True, text=True
            )
            loaded, first = map(float, done.stdout.split())
            print(f"{count:,} rules, {word:<20}{loaded:>8.2f} s{first:>9.3f} s")


_LOAD = """
import sys, time
from policylang import load
began = time.process_time()
bundle = load(sys.argv[1] + "/m.policy", cache=sys.argv[1] + "/kept")
loaded = time.process_time()
asked = {"action": "act", "args": {"role": "role7"}, "now": "2026-11-22T10:00:00Z"}
assert bundle.decide(asked).outcome.value == "allow"
print(loaded - began, time.process_time() - loaded)
"""


def _print(found: Point) -> None:
    times = (
        f"{found.load_seconds:>9.2f} s{found.first_seconds:>9.3f} s{found.microseconds:>12,.1f} us"
    )
    print(f"{found.direction:<22}{found.size:>10,}{times}{found.megabytes:>9,.0f} MB", flush=True)


def _plot(points: Sequence[Point], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in (("microseconds", "microseconds a decision"), ("megabytes", "MB, peak")):
        series: dict[str, list[tuple[float, float]]] = {}
        for found in points:
            series.setdefault(found.direction, []).append((found.size, getattr(found, name)))
        text = plot.lines("The cost of a decision by size", series, "size", value)
        (folder / f"scale_{name}.svg").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
