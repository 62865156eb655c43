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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from policylang import loads
from policylang.rollout.deciding import Decided
from policylang.rollout.deployment import Deployment
from policylang.rollout.publishing import publish
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import Settings, Stage
from policylang.trace.store import TraceStore

MODULES = 50
TURNS = 4

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


def record(store: TraceStore, deployment: Deployment, found: Decided) -> None:
    """Record and settle, as a gate does."""
    rollouts = [sliced.to_json() for sliced in found.rollouts]
    id_ = store.record(found.case, stage=found.stage, bucket=found.bucket, rollouts=rollouts)
    deployment.settle(found, id_)


CASES = (
    ("nothing beside it", None, 0),
    ("a queued shadow", Stage.SHADOW, 0),
    ("a canary, outside of its slice", Stage.CANARY, 0),
    ("a canary, inside of its slice", Stage.CANARY, 1000),
)


class Situation(NamedTuple):
    """How decisions follow each other: whether each is recorded durably, and how long the caller does nothing between."""

    name: str
    is_recorded: bool
    pause: float
    turn: int
    """Decisions in a turn: long enough that what waits for a shadow is more than its queue holds."""


SITUATIONS = (
    Situation("recorded durably, back to back", True, 0.0, 1_500),
    Situation("recorded durably, 5 ms apart", True, 0.005, 300),
    Situation("`decide` alone, back to back", False, 0.0, 10_000),
)


@dataclass
class Spent:
    """What the decisions of one case took: each for its caller, by the clock and of its thread's processor time, and
    what the whole process had to do for them, the work of shadows included."""

    times: list[float] = field(default_factory=list)
    own: float = 0.0
    process: float = 0.0


def decide() -> None:
    """The cases in turn, so that the load of the machine is shared; the first turn of each is not counted.

    A turn goes on until long after the queue of a shadow would be full: what shadows cost while decisions go on is in the
    times. What is left at its end is compared before the next case, which is in the processor time of the process.
    """
    for situation in SITUATIONS:
        print(situation.name)
        _measured(situation)


def _measured(situation: Situation) -> None:
    spent = {name: Spent() for name, _, _ in CASES}
    with ExitStack() as stack:
        ready = []
        for name, stage, share in CASES:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            opened = stack.enter_context(deployed(folder, "durable", stage, share))
            ready.append((name, *opened))
        for turn in range(TURNS + 1):
            for name, store, deployment in ready:
                found = spent[name] if turn else Spent()
                _turn(situation, store, deployment, turn, found)
        counted = {name: _counted(store) for name, store, _ in ready}
    base = spent[CASES[0][0]]
    for name, found in spent.items():
        print(_line(name, found, base, counted[name]))


def _turn(
    situation: Situation, store: TraceStore, deployment: Deployment, turn: int, spent: Spent
) -> None:
    before = time.process_time()
    for number in range(situation.turn):
        given = request(0, f"c{turn}-{number % 97}")
        if situation.pause:
            time.sleep(situation.pause)
        start, used = time.perf_counter(), time.thread_time()
        found = deployment.decide(given)
        if situation.is_recorded:
            record(store, deployment, found)
        else:
            deployment.settle(found, f"decision {turn}-{number}")
        spent.own += time.thread_time() - used
        spent.times.append(time.perf_counter() - start)
    deployment.rest()
    spent.process += time.process_time() - before


def _counted(store: TraceStore) -> dict[str, int]:
    found = Rollouts(store).status("m0").counted.values()
    return {what: sum(one.get(what, 0) for one in found) for what in ("compared", "dropped")}


def _line(name: str, spent: Spent, base: Spent, counted: dict[str, int]) -> str:
    ordered = sorted(spent.times)
    cells = [
        (statistics.median(ordered), statistics.median(base.times)),
        (statistics.fmean(ordered), statistics.fmean(base.times)),
        (spent.own / len(ordered), base.own / len(base.times)),
        (spent.process / len(ordered), base.process / len(base.times)),
    ]
    shown = "".join(_cell(value, least, is_base=spent is base) for value, least in cells)
    slow = ordered[int(len(ordered) * 0.99)]
    told = f"{counted['compared']:7,} {counted['dropped']:7,}" if counted["compared"] else ""
    return f"  {name:31}{shown}{slow * 1e6:8,.0f}  {told}".rstrip()


def _cell(value: float, least: float, *, is_base: bool) -> str:
    added = " " * 8 if is_base else f"{(value / least - 1) * 100:+7.1f}%"
    return f"{value * 1e6:7,.0f}{added}"


def load() -> None:
    """Fifty modules from the store: each with a version in canary, and then with another one in shadow, too."""
    for title, has_shadows in (("a canary each", False), ("a canary and a shadow each", True)):
        print(f"{MODULES} modules, {title}")
        _load(has_shadows=has_shadows)


def _load(*, has_shadows: bool) -> None:
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
                if has_shadows:
                    rollouts.start(f"m{number}@1.2.0", by="bench")
        with TraceStore.open(path, durability="buffered") as store:
            _loaded(store, MODULES * (1 + has_shadows))


def _loaded(store: TraceStore, candidates: int) -> None:
    """Load, compose every candidate, and let every module decide for the first time: by the clock and the processor."""
    watch = Watch()
    deployment = Deployment(store)
    watch.told("load, and compose what is active")
    deployment.decide(request(0, "c1"))
    watch.told("first decision beside a canary")
    wrong = deployment.prepare()
    watch.told(f"compose all {candidates - 1} other candidates")
    watch.sum("load and compose everything")
    for number in range(1, MODULES):
        deployment.decide(request(number, "c1"))
    watch.told(f"first decisions about {MODULES - 1} other actions")
    deployment.close()
    if wrong:
        sys.exit(f"no programs: {wrong}")


class Watch:
    """Tells how long what was done since it was last asked took."""

    def __init__(self) -> None:
        self._first = self._last = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    def told(self, what: str) -> None:
        """Print what was done since the last time."""
        now = self._now()
        self._print(what, self._last, now)
        self._last = self._now()

    def sum(self, what: str) -> None:
        """Print what was done since the beginning."""
        self._print(what, self._first, self._now())

    @staticmethod
    def _print(what: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        clock, processor = end[0] - start[0], end[1] - start[1]
        print(f"  {what:46} {clock:6.3f} s   processor {processor:6.3f} s")


if __name__ == "__main__":
    if sys.argv[1:] == ["decide"]:
        decide()
    elif sys.argv[1:] == ["load"]:
        load()
    else:
        sys.exit(__doc__)
