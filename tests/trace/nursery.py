"""Writers that are killed again and again: `python nursery.py FOLDER KILLS SEED FILE` writes what they acknowledged.

Children are forked, which takes a millisecond, so that hundreds of kills take seconds.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from policylang.trace.writer import SegmentWriter

WRITERS = 4


def torn(
    number: int, content: memoryview, write: Callable[[int, memoryview], int] = os.write
) -> int:
    """A write of a part, and a while before the next: so that kills fall into the midst of records."""
    written = write(number, content[: max(400, len(content) // 2)])
    time.sleep(0.0005)
    return written


def born(folder: Path) -> tuple[int, int]:
    """A child that records as fast as it can, and the pipe on which it says what is acknowledged."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child:
        os.close(theirs)
        return child, ours
    whole = os.write
    try:
        os.close(ours)
        os.write = torn
        writer = SegmentWriter(folder, most_bytes=32 << 10)
        number = 0
        while True:
            record = writer.write("outcome", {"decision": "x", "status": "y" * (number % 900)})
            whole(theirs, f"{record.id}\n".encode())
            number += 1
    finally:
        os._exit(1)


def killed(child: int, pipe: int) -> list[bytes]:
    """What a child acknowledged until it was killed."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with open(pipe, "rb") as file:
        return file.read().split(b"\n")[:-1]


def main() -> None:
    """Kill one of the writers at a random moment, so many times."""
    folder, kills, chance = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    living = [born(folder) for _ in range(WRITERS)]
    said: list[bytes] = []
    for _ in range(kills):
        time.sleep(chance.uniform(0.0005, 0.008))
        victim = chance.randrange(WRITERS)
        said += killed(*living[victim])
        living[victim] = born(folder)
    for child, pipe in living:
        said += killed(child, pipe)
    Path(sys.argv[4]).write_bytes(b"\n".join(said))


main()
