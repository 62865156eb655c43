"""`policylang facts`: how data fits the declarations of a policy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from policylang.cli.loading import Deployment, deployment_options
from policylang.cli.output import ExitCode, colour, counted, json_option, write_json

if TYPE_CHECKING:
    from policylang.facts.profile import FieldProfile, Profile

_LARGE = 4_000_000
"""Bytes of a file from which on its progress is worth showing."""


@click.group("facts")
def command() -> None:
    """See how data fits the declarations of a policy.

    \b
    policylang facts profile refunds.policy requests.jsonl
    """


@command.command("profile")
@click.argument("policies", metavar="POLICY...", nargs=-1, required=True)
@click.argument("data", metavar="DATA")
@click.option("--most", default=5, show_default=True, help="Bad forms to show for each field.")
@deployment_options
@json_option
@click.pass_context
def profile(
    ctx: click.Context,
    /,
    policies: tuple[str, ...],
    data: str,
    most: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Read DATA, a file of requests with one JSON object a line, and report on each field.

    How much of it is valid, how much a normalizer changed, and which forms are refused, with the line
    where each came first. `-` reads standard input. Ends with 1 where a request is refused.

    \b
    policylang facts profile refunds.policy requests.jsonl
    policylang facts profile policies/ requests.jsonl --json
    """
    from policylang.facts.profile import Profile

    bundle = Deployment(policies, **options).load()
    found = Profile(bundle.border)
    with _opened(data) as lines, _progress(data) as advance:
        for number, line in enumerate(lines, 1):
            if line.strip():
                found.add(line, number)
            advance(len(line))
    if as_json:
        write_json(found.to_json(most))
    else:
        _show(found, most)
    if found.valid < found.requests:
        ctx.exit(ExitCode.FAILED)


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    with Path(path).open("rb") as lines:
        yield lines


def _progress(path: str) -> Any:
    """A bar on standard error for long files, where somebody is there to see it."""
    size = Path(path).stat().st_size if path != "-" else 0
    if size < _LARGE or not colour(sys.stderr):
        return nullcontext(lambda _bytes: None)
    return _bar(size)


@contextmanager
def _bar(size: int) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=size)
        yield lambda count: progress.advance(task, count)


def _show(found: Profile, most: int) -> None:
    refused = found.requests - found.valid
    click.echo(f"{counted(found.requests, 'request')}: {found.valid} valid, {refused} refused")
    for kind, count in sorted(found.kinds.items()):
        click.echo(f"  {count} {kind}")
    fields = found.fields()
    if not fields:
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, side in _COLUMNS:
        table.add_column(name, justify=side, overflow="fold")
    for path, profiled in fields.items():
        table.add_row(*_cells(path, profiled, most))
    plain = not colour(sys.stdout)
    Console(no_color=plain, width=140 if plain else None, highlight=False, markup=False).print(
        table
    )


_COLUMNS: tuple[tuple[str, Any], ...] = (
    ("field", "left"),
    ("given", "right"),
    ("valid", "right"),
    ("changed", "right"),
    ("by", "left"),
    ("refused", "left"),
)


def _cells(path: str, found: FieldProfile, most: int) -> tuple[str, ...]:
    changed = f"{found.normalized / found.given:.1%}" if found.normalized and found.given else ""
    bad = [
        f"{count} x {form} (line {found.bad.lines[form]})"
        for form, count in found.bad.counts.most_common(most)
    ]
    rest = len(found.bad.counts) - most
    more = [f"and {counted(rest, 'other form')}"] if rest > 0 else []
    by = ", ".join(name for name, _ in found.by.most_common())
    return path, str(found.given), f"{found.valid:.1%}", changed, by, "\n".join([*bad, *more])
