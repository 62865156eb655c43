"""How many recorded decisions a second a backtest makes again, by one process and by two; and how long a report takes.

python -m benchmarks.rollout_backtest [DECISIONS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rollout import module, request
from policylang import loads
from policylang.rollout.backtest import backtest
from policylang.rollout.deployment import Deployment
from policylang.rollout.publishing import publish
from policylang.rollout.report import Why
from policylang.rollout.reporting import report_on
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import Stage
from policylang.trace.reading import Filter
from policylang.trace.runs import ReplayRun
from policylang.trace.store import TraceStore


def record(store: TraceStore, number: int) -> None:
    """So many decisions beside a shadow, all compared."""
    rollouts = Rollouts(store)
    for version, limit in (("1.0.0", "200.00"), ("1.1.0", "40.00")):
        publish(store, loads(module(0, version, limit)), by="bench")
    rollouts.start("m0@1.0.0", by="bench", stage=Stage.ACTIVE)
    rollouts.start("m0@1.1.0", by="bench")
    deployment = Deployment(store)
    for i in range(number):
        found = deployment.decide(request(0, f"c{i}"))
        deployment.settle(found, store.record(found.case))
        if i % 500 == 0:
            deployment.rest()
    deployment.rest()
    deployment.close()


def main(number: int) -> None:
    """Record, then measure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traces.duckdb"
        with TraceStore.open(path, durability="buffered") as store:
            record(store, number)
            store.fold()
        with TraceStore.open(path) as store:
            for jobs in (1, 2):
                start, busy = time.perf_counter(), time.process_time()
                with loads(module(0, "1.1.0", "40.00")) as draft, store.view() as view:
                    run = ReplayRun(view, Filter(kind="decision"), draft, jobs=jobs)
                    found = backtest(run)
                took = time.perf_counter() - start
                busy = time.process_time() - busy
                total, differ = found.figures.total, found.figures.disagreeing
                print(
                    f"backtest by {jobs} of {total:,} decisions, {differ:,} differ: {took:.1f} s,"
                    f" {total / took:,.0f} a second"
                )
                if jobs == 1:
                    print(f"  {busy:.1f} s of a core, {total / busy:,.0f} a second of it")
            start = time.perf_counter()
            report = report_on(store, "m0", None, lambda *_: Why("{}", "{}"))
            took = time.perf_counter() - start
            print(f"report on a shadow of {report.figures.total:,} comparisons: {took:.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 20_000)
