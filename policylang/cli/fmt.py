"""`policylang fmt`: policies in the one style."""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from policylang.cli.output import (
    ExitCode,
    colour,
    counted,
    diagnostics_json,
    json_option,
    report,
    write_json,
    writing,
)
from policylang.diagnostics import Diagnostic, Source

STANDARD_INPUT: Final = "-"


@dataclass(frozen=True, slots=True)
class Formatted:
    """A policy as it is, and as it should be written."""

    source: Source
    text: str

    @property
    def changed(self) -> bool:
        """Whether the two differ."""
        return self.text != self.source.text

    def diff(self) -> str:
        """The difference, as `diff -u` writes it."""
        name = self.source.name
        before, after = self.source.text.splitlines(True), self.text.splitlines(True)
        return "".join(difflib.unified_diff(before, after, name, name))


@click.command("fmt")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="Write nothing; end with 1 where something would change.",
)
@click.option(
    "--diff",
    "show_diff",
    is_flag=True,
    help="Write nothing; show what would change, and end as --check does.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, paths: tuple[str, ...], only_check: bool, show_diff: bool, as_json: bool
) -> None:
    """Write policies in the one style: files, folders, or `-` from standard input to standard output.

    A policy with errors of syntax is left as it is, and reported.

    \b
    policylang fmt policies/
    policylang fmt --check policies/
    policylang fmt - < refunds.policy
    """
    formatted, diagnostics = _format(paths)
    changed = [each for each in formatted if each.changed]
    if as_json:
        files = [_json(each, show_diff) for each in formatted]
        write_json({"files": files, "diagnostics": diagnostics_json(diagnostics)})
    elif show_diff:
        _show(changed)
    quiet = as_json or not formatted
    if not (only_check or show_diff):
        _write(formatted, quiet)
    report(diagnostics)
    if diagnostics:
        ctx.exit(ExitCode.POLICY_ERRORS)
    if only_check or show_diff:
        _say(changed, len(formatted), "would change", quiet)
        ctx.exit(ExitCode.FAILED if changed else ExitCode.OK)


def _json(each: Formatted, show_diff: bool) -> dict[str, Any]:
    """What is told of a file: where it cannot be written over, its text is part of it."""
    told: dict[str, Any] = {"file": each.source.name, "changed": each.changed}
    if each.source.name == STANDARD_INPUT:
        told["text"] = each.text
    return told | {"diff": each.diff()} if show_diff else told


def _format(paths: tuple[str, ...]) -> tuple[list[Formatted], list[Diagnostic]]:
    from policylang.syntax import format_source

    formatted: list[Formatted] = []
    diagnostics: list[Diagnostic] = []
    for source in _sources(paths):
        if isinstance(source, Diagnostic):
            diagnostics.append(source)
            continue
        text = format_source(source)
        if isinstance(text, str):
            formatted.append(Formatted(source, text))
        else:
            diagnostics.extend(text)
    return formatted, diagnostics


def _sources(paths: tuple[str, ...]) -> list[Source | Diagnostic]:
    from policylang.bundle.sources import read_modules
    from policylang.syntax import decode_source

    if STANDARD_INPUT not in paths:
        return list(read_modules(*paths))
    if paths != (STANDARD_INPUT,):
        raise click.UsageError("`-` stands alone: there is one standard input and one output")
    return [decode_source(sys.stdin.buffer.read(), STANDARD_INPUT)]


def _write(formatted: list[Formatted], quiet: bool) -> None:
    if [each.source.name for each in formatted] == [STANDARD_INPUT]:
        if not quiet:
            click.echo(formatted[0].text, nl=False)
        return
    changed = [each for each in formatted if each.changed]
    for each in changed:
        path = Path(each.source.name)
        with writing(path):
            _replace(path, each.text)
    _say(changed, len(formatted), "rewritten", quiet)


def _replace(path: Path, text: str) -> None:
    """Put `text` in the place of a file at once, so that a full disk cannot leave half a policy."""
    target = path.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(name).chmod(target.stat().st_mode & 0o7777)
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _show(changed: list[Formatted]) -> None:
    for each in changed:
        for line in each.diff().splitlines():
            click.echo(_coloured(line) if colour(sys.stdout) else line, color=True)


def _coloured(line: str) -> str:
    tint = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return click.style(line, fg=tint) if tint else line


def _say(changed: list[Formatted], files: int, what: str, quiet: bool) -> None:
    if quiet:
        return
    for each in changed:
        click.echo(f"{what}: {each.source.name}", err=True)
    if not changed:
        click.echo(f"{counted(files, 'file')} in the one style already", err=True)
