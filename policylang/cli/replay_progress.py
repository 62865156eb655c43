"""A bar on a terminal that shows how many decisions are replayed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from policylang.cli.output import colour


@contextmanager
def replaying(total: Callable[[], int]) -> Iterator[Callable[[], None]]:
    """What to call for each decision, of `total`. A bar on standard error, where that is a terminal; nothing elsewhere."""
    if not colour(sys.stderr):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=total())
        yield lambda: bar.advance(task)
