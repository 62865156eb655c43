"""An operator in a process of its own: `python stepping.py STORE STEP NAME [TIMES]`.

Takes the step and prints `taken SEQUENCE` or `refused GUARD`. The step `forever` starts and rolls back until the process is killed,
and `advance` does what criteria say and prints what that was.
"""

from __future__ import annotations

import os
import sys
import time

from policylang.rollout.advancing import advance
from policylang.rollout.guards import RefusedStepError
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import Stage
from policylang.trace.store import TraceStore


def main() -> None:
    """Take the step."""
    path, step, name = sys.argv[1:4]
    with TraceStore.open(path) as store:
        rollouts = Rollouts(store)
        if step == "forever":
            forever(rollouts, name)
        os.write(1, b"ready\n")
        sys.stdin.readline()
        if step == "advance":
            print(*(one.did.value for one in advance(store)), sep=", ")
            return
        try:
            taken = take(rollouts, step, name)
        except RefusedStepError as refused:
            print("refused", refused.guard.value)
        else:
            print("taken", taken)


def take(rollouts: Rollouts, step: str, name: str) -> int:
    """Take one step by its name; the sequence of its transition."""
    by = f"process {os.getpid()}"
    if step == "promote":
        return rollouts.promote(name, by=by, seen=Stage.SHADOW).sequence
    if step == "rollback":
        return rollouts.rollback(name, by=by).sequence
    return rollouts.start(name, by=by, stage=Stage.CANARY)[0].sequence


def forever(rollouts: Rollouts, name: str) -> None:
    """Start and roll back, as fast as possible."""
    while True:
        started = rollouts.start(name, by="forever")[0]
        os.write(1, f"{started.sequence}\n".encode())
        rolled = rollouts.rollback(name, by="forever")
        os.write(1, f"{rolled.sequence}\n".encode())
        time.sleep(0)


main()
