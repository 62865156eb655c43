"""What every command writes alike: exit codes, diagnostics, JSON, and colour where it is wanted."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import IO, Any, Final

import click

from policylang.diagnostics import Diagnostic, Severity, Style, render, to_json
from policylang.diagnostics.text import ansi, plain


class ExitCode(IntEnum):
    """The statuses that a command ends with."""

    OK = 0
    FAILED = 1
    USAGE = 2
    POLICY_ERRORS = 3
    DENY = 4
    NEEDS_APPROVAL = 5


_JSON: Final = "policylang.json"


def expect_json(ctx: click.Context, value: bool) -> None:
    """Remember whether JSON is asked for, so that errors are written in it, too."""
    ctx.meta[_JSON] = value


def _note(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
    expect_json(ctx, value)
    return value


json_option = click.option(
    "--json", "as_json", is_flag=True, is_eager=True, callback=_note, help="Write JSON."
)


def colour(stream: IO[Any]) -> bool:
    """Whether `stream` is a terminal whose reader has not asked for plain text."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def style_of(stream: IO[Any]) -> Style:
    """The style in which diagnostics are written to `stream`."""
    return ansi if colour(stream) else plain


def write_json(value: object) -> None:
    """Write `value` to standard output as indented JSON."""
    click.echo(json_text(value, indent=2))


def json_text(value: object, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """`value` as JSON whose characters can all be seen: those that could steer a terminal are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, sort_keys=sort_keys)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


class UnwritableError(OSError):
    """A file that cannot be written; one that cannot be read is told as another problem."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around the writing of a file: what goes wrong with that raises `UnwritableError`, with its name."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(error.errno, error.strerror or str(error), str(path)) from error


def write_file(path: Path, text: str) -> None:
    """Write a text file in UTF-8. Raises `UnwritableError` where that cannot be done."""
    with writing(path):
        path.write_text(text, encoding="utf-8")


def read_input(path: str) -> bytes:
    """The content of a file, or of standard input where `path` is `-`."""
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def refuse(diagnostics: Sequence[Diagnostic]) -> None:
    """Write what kept a command from its work: for people to standard error, and where `--json` was
    asked for to standard output, which nothing else has been written to."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None and ctx.meta.get(_JSON):
        with suppress(OSError):  # Where standard output is what fails, standard error says so.
            write_json({"diagnostics": diagnostics_json(diagnostics)})
    report(diagnostics)


def report(diagnostics: Sequence[Diagnostic]) -> None:
    """Write diagnostics and a line that counts them to standard error."""
    style = style_of(sys.stderr)
    for diagnostic in diagnostics:
        click.echo(render(diagnostic, style) + "\n", err=True, color=True)
    if diagnostics:
        click.echo(summary(diagnostics), err=True)


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """Return the line that counts diagnostics: `2 errors, 1 warning`."""
    counts = [
        (sum(diagnostic.severity is severity for diagnostic in diagnostics), severity.value)
        for severity in Severity
    ]
    return ", ".join(counted(number, word) for number, word in counts if number)


def counted(number: int, word: str) -> str:
    """Return `1 error`, `2 errors`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def diagnostics_json(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """The diagnostics in their JSON form."""
    return [to_json(diagnostic) for diagnostic in diagnostics]
