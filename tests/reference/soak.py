"""A counted, resumable run of the differential test over any number of programs.

    python -m tests.reference.soak --count 50000 --resume soak.json

The file holds the next seed, how many programs and requests agreed, and what differed. A run that was stopped goes on
where it left off. The exit code is 1 where anything differed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.reference.compare import EVALUATORS, report

SAVED_EVERY = 50


@dataclass
class Progress:
    """How far a run has come."""

    next_seed: int = 0
    programs: int = 0
    differing: list[str] = field(default_factory=list)
    seconds: float = 0.0
    evaluators: tuple[str, ...] = tuple(EVALUATORS)


def main(arguments: list[str] | None = None) -> int:
    """Run until `--count` programs have been compared in all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, required=True, help="programs in all")
    parser.add_argument("--resume", type=Path, required=True, help="the file of the run")
    parser.add_argument("--first", type=int, default=10_000, help="the first seed of a new run")
    given = parser.parse_args(arguments)
    progress = _read(given.resume, given.first)
    while progress.programs < given.count:
        _step(progress, min(SAVED_EVERY, given.count - progress.programs))
        _write(given.resume, progress)
        print(f"{progress.programs} programs, {len(progress.differing)} differ", flush=True)
    for text in progress.differing:
        print(text)
    return 1 if progress.differing else 0


def _step(progress: Progress, programs: int) -> None:
    start = time.perf_counter()
    for seed in range(progress.next_seed, progress.next_seed + programs):
        text = report(seed)
        if text:
            progress.differing.append(text)
    progress.next_seed += programs
    progress.programs += programs
    progress.seconds += time.perf_counter() - start


def _read(path: Path, first: int) -> Progress:
    if not path.exists():
        return Progress(next_seed=first)
    return Progress(**json.loads(path.read_text(encoding="utf-8")))


def _write(path: Path, progress: Progress) -> None:
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(asdict(progress), indent=1), encoding="utf-8")
    beside.replace(path)


if __name__ == "__main__":
    sys.exit(main())
