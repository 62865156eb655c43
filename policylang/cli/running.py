"""What commands that decide recorded requests anew, or report on them, share: processes, journals, pages, examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from policylang.cli.output import writing

if TYPE_CHECKING:
    from policylang.trace.journal import Journal
    from policylang.trace.reading import Filter

Command = TypeVar("Command", bound=Callable[..., Any])

_FILE = click.Path(path_type=Path)

examples_option = click.option(
    "--examples",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="So many decisions of each kind of difference.",
)


def html_option(help_: str) -> Callable[[Command], Command]:
    """The option of a report that is written as a page, too; given as `html_path`."""
    return click.option("--html", "html_path", metavar="FILE", type=_FILE, help=help_)


def run_options(command: Command) -> Command:
    """Add the options of a run over many decisions: how many processes, and where it keeps how far it came."""
    for option in (
        click.option(
            "--resume",
            metavar="FILE",
            type=_FILE,
            help="Keep in FILE how far it came, and go on from there.",
        ),
        click.option(
            "--jobs",
            "-j",
            type=click.IntRange(1),
            default=1,
            help="So many processes decide (default 1).",
        ),
    ):
        command = option(command)
    return command


def journal_of(
    stack: ExitStack, path: Path | None, asked: Mapping[str, Any], filter_: Filter
) -> Journal | None:
    """The journal at a path, open as long as the stack; None without a path. `asked` is what the run is about."""
    if path is None:
        return None
    from policylang.trace.journal import Journal

    with writing(path):
        return stack.enter_context(Journal.open(path, asked, filter_))
