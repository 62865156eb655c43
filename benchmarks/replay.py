"""What deciding recorded decisions again costs.

python -m benchmarks.replay [COUNT]     decisions a second, as recorded and by a candidate, in one process and in two
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.trace_store import POLICY, made
from policylang.bundle.bundle import Bundle
from policylang.bundle.loading import loads
from policylang.trace.folding import fold
from policylang.trace.reading import Filter, TraceView
from policylang.trace.replay import Verdict
from policylang.trace.runs import ReplayRun
from policylang.trace.store import segments_of


def ask(path: Path, candidate: Bundle | None, jobs: int, count: int) -> None:
    """Replay the whole store once, and print how fast it went."""
    with TraceView(path, segments_of(path)) as view:
        start, used = time.perf_counter(), time.process_time()
        run = ReplayRun(view, Filter(kind="decision"), candidate, jobs=jobs)
        same = sum(one.verdict is Verdict.SAME for one in run)
        spent = time.perf_counter() - start
        used = time.process_time() - used
    assert same == count, run.report
    by = "recorded program" if candidate is None else "candidate"
    here = f"{used / count * 1e6:.0f} us of this process each"
    print(f"{by}, {jobs} process{'es' if jobs > 1 else ''}: {count / spent:.0f}/s, {here}")


def main(count: int) -> None:
    """A store of so many decisions about refunds, replayed in every way."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "traces.duckdb"
        segments_of(path).mkdir()
        with loads(POLICY) as bundle:
            made(segments_of(path), count, bundle)
        fold(path, segments_of(path))
        print(f"{count} decisions, {os.cpu_count()} cores")
        with loads(POLICY) as bundle:
            for candidate in (None, bundle):
                for jobs in (1, 2):
                    ask(path, candidate, jobs, count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak of this process: {peak:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
