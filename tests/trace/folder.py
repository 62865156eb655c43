"""A process that folds a store again and again, or so many times: `python folder.py PATH [TIMES]`."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

from policylang.trace.folding import fold
from policylang.trace.store import segments_of


def main() -> None:
    """Fold until killed or done."""
    path = Path(sys.argv[1])
    times = range(int(sys.argv[2])) if len(sys.argv) > 2 else itertools.count()
    for _ in times:
        fold(path, segments_of(path), wait=60)
        time.sleep(0.05)


main()
