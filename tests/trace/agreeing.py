"""A process that changes the state of a store, in one of several ways, for tests that kill it or run many.

Run as `python agreeing.py WAY STORE [COUNT]`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from policylang.trace import state
from policylang.trace.store import TraceStore

state.tables("test", "CREATE TABLE counter (n INTEGER NOT NULL)", "INSERT INTO counter VALUES (0)")


def _add(store: TraceStore, times: int) -> None:
    """Add to a counter that is read before: only whoever is alone does so rightly."""
    for _ in range(times):
        with store.state.transaction() as tx:
            ((n,),) = tx.execute("SELECT n FROM counter")
            tx.execute("UPDATE counter SET n = ?", (n + 1,))


def _die_before_publishing(store: TraceStore) -> None:
    """Commit an event, and die before it is in the chain."""
    store.state._publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    with store.state.transaction() as tx:
        tx.execute("UPDATE counter SET n = n + 1")
        os.write(1, tx.event("stop", {"who": "ann"}).encode())


def _die_inside(store: TraceStore) -> None:
    """Die in the middle of a transaction."""
    with store.state.transaction() as tx:
        tx.execute("UPDATE counter SET n = n + 1")
        tx.event("stop", {"who": "ann"})
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Do what the arguments say."""
    with TraceStore.open(Path(sys.argv[2])) as store:
        match sys.argv[1]:
            case "add":
                _add(store, int(sys.argv[3]))
            case "die-before-publishing":
                _die_before_publishing(store)
            case "die-inside":
                _die_inside(store)


if __name__ == "__main__":
    main()
