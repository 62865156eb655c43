"""What the commands that change a store share: who asks, and the store opened for it."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policylang.cli.traces import existing, said

if TYPE_CHECKING:
    from policylang.trace.store import TraceStore

who_option = click.option(
    "--who",
    default=None,
    metavar="NAME",
    envvar="POLICYLANG_WHO",
    help="Who asks for it.  [env: POLICYLANG_WHO; default: the user of the system]",
)


def whoever(name: str | None) -> str:
    """Who asks: the name that was given, or that of the system's user."""
    try:
        return name or getpass.getuser()
    except (KeyError, OSError):
        raise click.UsageError("nobody is known to ask for it: give --who NAME") from None


@contextmanager
def changed(store_path: str, *, make: bool = False) -> Iterator[TraceStore]:
    """The store at a path, to be changed; one that is not there is made where that is meant."""
    from policylang.trace.store import TraceStore

    path = Path(store_path) if make else existing(store_path)
    with said(), TraceStore.open(path) as store:
        yield store
