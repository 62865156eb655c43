"""A bar on a terminal that shows how much of a file is read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from policylang.cli.output import colour

Read: TypeAlias = "Callable[[int], None]"
"""Is told how many bytes more were read."""

_EVERY = 1 << 16
"""Bytes between two looks at the bar: telling it of each line takes longer than deciding it."""


@contextmanager
def shown(size: int) -> Iterator[Read]:
    """A bar on standard error for `size` bytes, where that is a terminal and standard output is not the same one."""
    if not colour(sys.stderr) or sys.stdout.isatty():
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=size)
        waiting = 0

        def read(count: int) -> None:
            nonlocal waiting
            waiting += count
            if waiting >= _EVERY:
                bar.advance(task, waiting)
                waiting = 0

        yield read
