"""What rollouts cost a decision, and how long loading a store of many modules takes.

python benchmarks/rollout.py decide    a decision beside a queued shadow, and beside a canary, in turn with one without
python benchmarks/rollout.py load      50 modules with rollouts in flight: from the store to the first decisions
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from policylang import loads
from policylang.rollout.deployment import Deployment
from policylang.rollout.publishing import publish
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import Settings, Stage
from policylang.trace.store import TraceStore

MODULES = 50
ROUNDS = 30
IN_A_ROUND = 50

MODULE = """module m{i} version "{version}"
enum Tier {{ free, pro, enterprise }}
type Usd = Decimal(2) in 0.00 .. 1_000_000.00 normalize currency
optional fact customer {{ id: String key, tier: Tier, age_days: Int in 0 .., flagged: Bool = false }}
facts linked {{ a: String, b: String }}
facts reported {{ customer: String, by: String }}
action refund {{ customer_id: String, amount: Usd, reason: String? }}
param auto_limit: Usd = {limit}
rollout by refund.customer_id
table refund_cap (tier: Tier, cap: Usd) {{
  | free | 50.00 |
  | pro | 500.00 |
  | enterprise | 5_000.00 |
}}
define suspicious(C) reads "customer {{C}} is under suspicion" if reported(customer: C)
define suspicious(C) if linked(C, D) and suspicious(D)
rule small_refund: allow refund
  if refund.amount <= auto_limit
  and refund_cap(tier: customer.tier, cap: Cap) and refund.amount <= Cap
  because "a refund of {{refund.amount}} is within {{auto_limit}}"
rule large_refund: require approval(by: "manager", within: 4 hours) for refund
  if refund.amount > auto_limit because "{{refund.amount}} is above {{auto_limit}}"
rule fraud: deny refund if suspicious(refund.customer_id) or customer.flagged
  because "customer {{refund.customer_id}} is under review"
"""


def module(number: int, version: str, limit: str) -> str:
    """One module of nine declarations and five rules."""
    return MODULE.format(i=number, version=version, limit=limit)


def request(number: int, key: str) -> dict[str, Any]:
    """A refund that a rule allows."""
    customer = {"id": key, "tier": "pro", "age_days": 400}
    return {
        "action": f"m{number}.refund",
        "args": {"customer_id": key, "amount": "48.00"},
        "facts": {
            f"m{number}.customer": customer,
            f"m{number}.linked": [{"a": key, "b": "c9"}, {"a": "c9", "b": "c8"}],
        },
    }


@contextmanager
def deployed(folder: Path, durability: str, stage: Stage | None, share: int) -> Iterator[Any]:
    """A store with one module active, and a candidate with another limit in a stage."""
    with TraceStore.open(folder / "traces.duckdb", durability=durability) as store:  # type: ignore[arg-type]
        rollouts = Rollouts(store)
        for version, limit in (("1.0.0", "200.00"), ("1.1.0", "100.00")):
            publish(store, loads(module(0, version, limit)), by="bench")
        rollouts.start("m0@1.0.0", by="bench", stage=Stage.ACTIVE)
        if stage is not None:
            settings = Settings(share=share, allow_loosening=True)
            rollouts.start("m0@1.1.0", by="bench", stage=stage, settings=settings)
        deployment = Deployment(store)
        yield store, deployment
        deployment.close()


def decide_once(store: TraceStore, deployment: Deployment, given: dict[str, Any]) -> None:
    """Decide, record and settle, as a gate does."""
    found = deployment.decide(given)
    rollouts = [sliced.to_json() for sliced in found.rollouts]
    id_ = store.record(found.case, stage=found.stage, bucket=found.bucket, rollouts=rollouts)
    deployment.settle(found, id_)


CASES = (
    ("nothing beside it", None, 0),
    ("a queued shadow", Stage.SHADOW, 0),
    ("a canary, outside of its slice", Stage.CANARY, 0),
    ("a canary, inside of its slice", Stage.CANARY, 1000),
)


def decide() -> None:
    """Durable and recorded decisions, then `decide` alone; the cases in turn, so that the machine's load is shared.

    Back to back there is no time in which a shadow could be evaluated but that of the next decision: with
    pauses between them there is.
    """
    for pause in (0.0, 0.005):
        print(f"recorded durably, {f'{pause * 1e3:.0f} ms apart' if pause else 'back to back'}")
        _measured(pause, recorded=True)
    print("`decide` alone, back to back")
    _measured(0.0, recorded=False)


def _measured(pause: float, *, recorded: bool) -> None:
    times: dict[str, list[float]] = {name: [] for name, _, _ in CASES}
    own: dict[str, list[float]] = {name: [] for name, _, _ in CASES}
    with ExitStack() as stack:
        ready = []
        for name, stage, share in CASES:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            opened = stack.enter_context(deployed(folder, "durable", stage, share))
            ready.append((name, *opened))
            decide_once(*opened, request(0, "c0"))
            opened[1].rest()
        for turn in range(ROUNDS):
            for name, store, deployment in ready:
                for number in range(IN_A_ROUND):
                    given = request(0, f"c{turn}-{number}")
                    if pause:
                        time.sleep(pause)
                    start, used = time.perf_counter(), time.thread_time()
                    if recorded:
                        decide_once(store, deployment, given)
                    else:
                        deployment.decide(given)
                    own[name].append(time.thread_time() - used)
                    times[name].append(time.perf_counter() - start)
                deployment.rest()
    first = CASES[0][0]
    base = statistics.median(times[first][IN_A_ROUND:])
    base_own = statistics.median(own[first][IN_A_ROUND:])
    for name, found in times.items():
        ordered = sorted(found[IN_A_ROUND:])
        median, slow = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
        used = statistics.median(own[name][IN_A_ROUND:])
        added = f"{(median / base - 1) * 100:+6.1f}%" if name != first else " " * 7
        added_own = f"{(used / base_own - 1) * 100:+6.1f}%" if name != first else ""
        print(
            f"  {name:32} median {median * 1e6:6.0f} us {added}  p99 {slow * 1e6:6.0f} us"
            f"  of the caller's processor {used * 1e6:5.0f} us {added_own}"
        )


def load() -> None:
    """Fifty modules, each with a version in shadow and one in canary, from the store."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traces.duckdb"
        with TraceStore.open(path, durability="buffered") as store:
            rollouts = Rollouts(store)
            for version, limit in (("1.0.0", "200.00"), ("1.1.0", "100.00"), ("1.2.0", "300.00")):
                texts = [module(number, version, limit) for number in range(MODULES)]
                publish(store, loads(*texts), by="bench")
            names = [f"m{number}@1.0.0" for number in range(MODULES)]
            rollouts.start(*names, by="bench", stage=Stage.ACTIVE)
            canary = Settings(share=500, allow_loosening=True)
            for number in range(MODULES):
                rollouts.start(f"m{number}@1.1.0", by="bench", stage=Stage.CANARY, settings=canary)
                rollouts.start(f"m{number}@1.2.0", by="bench")
        with TraceStore.open(path, durability="buffered") as store:
            start = time.perf_counter()
            deployment = Deployment(store)
            loaded = time.perf_counter()
            deployment.decide(request(0, "c1"))
            first = time.perf_counter()
            deployment.decide(request(0, "c1"))
            second = time.perf_counter()
            print(f"{MODULES} modules, a canary and a shadow each")
            print(f"  load and compose what is active   {loaded - start:6.3f} s")
            print(f"  first decision beside a canary    {first - loaded:6.3f} s")
            print(f"  the same again                    {(second - first) * 1e6:6.0f} us")
            for number in range(1, MODULES):
                deployment.decide(request(number, "c1"))
            print(
                f"  all {MODULES} candidates composed        {time.perf_counter() - start:6.3f} s"
            )
            deployment.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["decide"]:
        decide()
    elif sys.argv[1:] == ["load"]:
        load()
    else:
        sys.exit(__doc__)
