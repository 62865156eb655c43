"""The command: replay tau2-bench's retail domain against the example policy, and report."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from policylang import Bundle, load

from .conversations import recorded_runs, right_actions
from .records import Records
from .replay import Decide, Verdict, replay_all
from .report import Report, summarize, text

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "tau2" / "retail"
POLICY = ROOT / "examples" / "retail_support"

#: Of the 176 right writes, tasks 64 and 105 hold one each that their own records do not permit.
PERMITTED = 174

NOT_VALID = frozenset({"bad_request", "invalid_facts", "needs_facts", "unknown_action"})


class Clock:
    """A `Decide` that adds up the time another one takes."""

    def __init__(self, decide: Decide) -> None:
        self.decide = decide
        self.seconds = 0.0

    def __call__(self, request: Mapping[str, Any]) -> Verdict:
        """What the timed one decides."""
        start = time.perf_counter()
        verdict = self.decide(request)
        self.seconds += time.perf_counter() - start
        return verdict


def by_policy(bundle: Bundle) -> Decide:
    """Decide with a loaded policy."""

    def decide(request: Mapping[str, Any]) -> Verdict:
        decision = bundle.decide(dict(request))
        refused = any(reason.kind.value in NOT_VALID for reason in decision.reasons)
        return Verdict(
            outcome="refused" if refused else decision.outcome.value,
            rules=tuple(rule.rpartition(".")[2] for rule in decision.determining),
            reasons=tuple(reason.message for reason in decision.reasons),
        )

    return decide


def measure(data: Path, decide: Decide) -> Report:
    """Replay the right actions and the recorded runs in `data`. Raises OSError where it lacks a file."""
    records, clock = Records.load(data / "db.json"), Clock(decide)
    right = replay_all(right_actions(data, records), records, clock)
    runs = replay_all(recorded_runs(data), records, clock)
    return summarize(right, runs, clock.seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 where fewer right actions are permitted than the records permit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="tau2-bench's retail folder")
    parser.add_argument("--policy", type=Path, default=POLICY)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--evaluator", choices=["auto", "asp", "plan"], default="auto")
    asked = parser.parse_args(arguments)
    if not (asked.data / "db.json").is_file():
        print("skipped: the recorded data is not here (--data names its folder)")
        return 0
    with load(asked.policy, evaluator=asked.evaluator) as bundle:
        report = measure(asked.data, by_policy(bundle))
    print(json.dumps(report.as_json(), indent=2) if asked.json else text(report))
    right = report.right.writes.permitted >= PERMITTED
    return 0 if right and report.agreeing == report.recorded else 1
