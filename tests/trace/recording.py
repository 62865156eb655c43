"""A process that records as fast as it can, and says on its output what was acknowledged.

Run as `python recording.py FOLDER DURABILITY`; it is killed in the middle of it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from policylang.trace.writer import Durability, SegmentWriter


def main() -> None:
    """Record until killed. A number is printed once its record is acknowledged, in one write."""
    with SegmentWriter(Path(sys.argv[1]), Durability(sys.argv[2]), most_bytes=64 << 10) as writer:
        number = 0
        while True:
            record = writer.write("decision", {"number": number, "filler": "x" * (number % 700)})
            os.write(1, f"{record.id} {number}\n".encode())
            number += 1


main()
