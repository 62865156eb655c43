"""A process whose files may not grow beyond a size, as on a full disk, until it may go on.

`python bounded.py write FOLDER BYTES` records until it cannot, and then again with space; `python bounded.py fold PATH BYTES`
folds, and then again with space. It prints what was acknowledged.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from policylang.trace.folding import fold
from policylang.trace.store import segments_of
from policylang.trace.writer import SegmentWriter, TraceUnavailableError


def limit(size: int) -> None:
    """Let no file grow beyond a size."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def write(folder: Path, size: int) -> None:
    """Record until it fails three times, and three times more with space."""
    limit(size)
    failures, later = 0, 0
    with SegmentWriter(folder) as writer:
        while later < 3:
            try:
                print(writer.write("outcome", {"filler": "x" * 5_000}).id)
                later += failures >= 3
            except TraceUnavailableError:
                failures += 1
                if failures == 3:
                    limit(resource.RLIM_INFINITY)


def main() -> None:
    """Do what is asked for."""
    what, path, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if what == "write":
        write(path, size)
        return
    limit(size)
    try:
        fold(path, segments_of(path))
    except TraceUnavailableError:
        print("refused")
    limit(resource.RLIM_INFINITY)
    print(fold(path, segments_of(path)).records)


main()
