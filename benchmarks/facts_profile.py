"""Measures `policylang facts profile`: requests a second and memory on a long file of messy requests.

usage: python benchmarks/facts_profile.py [--requests N] [--json]

The file is made first, in a folder of its own. The profile runs in a process of its own, so that the peak of its
memory, as the operating system saw it, is its own. Plain pydantic reads the same lines into the hand-written
model of `facts_validation.py` beside it, counts what is valid, and does nothing else.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

GOAL_MEGABYTES = 600.0
AMOUNTS = ("48.00", "$4,800.00", "12", 7.5, "1.234", "N/A", "99.90", "€ 7,50")
TIERS = ("pro", "Pro", " PRO", "free", "gold", None)


def messy(count: int) -> Iterator[dict[str, Any]]:
    """Requests of which some are valid, some are normalized and some are refused."""
    pick = random.Random(17)
    for i in range(count):
        amount = pick.choice(AMOUNTS) if i % 3 else f"{i % 900}.{i % 90 + 10}"
        yield {
            "action": "refund",
            "args": {"customer_id": f"c{i}", "amount": amount},
            "agent": {"id": f"bot-{i % 50}", "scopes": ["refunds:write"]},
            "facts": {
                "customer": {"id": f"c{i}", "tier": pick.choice(TIERS), "age_days": i % 4000 - 5},
                "linked": [{"a": f"c{i}", "b": f"c{i + 1}"}],
            },
            "now": "2026-11-22T10:00:00Z",
        }


def profiled(path: Path) -> dict[str, Any]:
    """What a process that profiles the file finds."""
    from facts_validation import border

    from policylang.facts.profile import Profile

    found = Profile(border())
    start = time.perf_counter()
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            found.add(line, number)
    return _report(time.perf_counter() - start, found.requests, found.valid)


def validated(path: Path) -> dict[str, Any]:
    """What a process that validates the file with pydantic alone finds."""
    from facts_validation import Request
    from pydantic import ValidationError

    read, number, valid = Request.model_validate_json, 0, 0
    start = time.perf_counter()
    with path.open("rb") as lines:
        for line in lines:
            number += 1
            try:
                read(line)
            except ValidationError:
                continue
            valid += 1
    return _report(time.perf_counter() - start, number, valid)


def _report(seconds: float, requests: int, valid: int) -> dict[str, Any]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "requests": requests,
        "valid": valid,
        "seconds": round(seconds, 1),
        "a second": round(requests / seconds),
        "peak MB": round(peak),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; `--profile` and `--validate` are the two processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--profile", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--validate", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.profile or options.validate:
        print(
            json.dumps(
                profiled(options.profile) if options.profile else validated(options.validate)
            )
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests.jsonl"
        with path.open("w") as lines:
            lines.writelines(f"{json.dumps(one)}\n" for one in messy(options.requests))
        found = {
            "facts profile": _run("--profile", path),
            "pydantic alone": _run("--validate", path),
        }
    if options.json:
        print(json.dumps(found))
        return
    for name, figures in found.items():
        print(f"{name:16}" + "".join(f"{figure:>12,} {key}" for key, figure in figures.items()))
    print(f"goal: a peak of at most {GOAL_MEGABYTES:.0f} MB")


def _run(option: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, option, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
