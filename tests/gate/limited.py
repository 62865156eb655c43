"""A worker with a gate over the shop, in one of several ways, for tests that run many or kill one.

Run as `python limited.py WAY STORE [COUNT]`; it prints how many calls passed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from policylang import loads
from policylang.gate.gate import Gate
from policylang.gate.point import GateSettings
from policylang.trace.store import TraceStore

LIMITED = """
module shop
action order { by: String }
limit hundred: order to 100 per order.by in 30 days
rule all: allow order
"""


def main() -> None:
    """Do what the arguments say."""
    way, store, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    passed = 0
    # What is counted is durable in any case; ten thousand records need not wait for the disk.
    traces = TraceStore.open(store, durability="buffered" if way == "buffered" else "durable")
    with Gate.open(loads(LIMITED), store=traces, settings=GateSettings()) as gate:
        os.write(1, b"ready\n")
        for _ in range(count):
            verdict = gate.decide("order", {"by": "all"}, agent="bot-7")
            if verdict.error is not None:
                raise verdict.error
            if not verdict.allowed:
                if way == "stopped" and verdict.answer.grounds[0].kind == "stopped":
                    break
                continue
            passed += 1
            match way:
                case "die-before":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "die-inside":
                    gate.run(verdict, lambda _: os.kill(os.getpid(), signal.SIGKILL))
                case "stopped":
                    gate.settle(verdict, "skipped")
                    time.sleep(0.005)
                case _:
                    gate.run(verdict, lambda _: None)
    os.write(1, f"{passed}\n".encode())


if __name__ == "__main__":
    main()
