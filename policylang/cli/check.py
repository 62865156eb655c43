"""`policylang check`: what is wrong with policies."""

from __future__ import annotations

import sys

import click

from policylang.cli.output import (
    ExitCode,
    counted,
    diagnostics_json,
    json_option,
    style_of,
    summary,
    write_json,
)
from policylang.diagnostics import Diagnostic, has_errors, render


@click.command("check")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@json_option
@click.pass_context
def command(ctx: click.Context, paths: tuple[str, ...], as_json: bool) -> None:
    """Look for errors in policies: files, or folders with all `.policy` files in them.

    What is given is checked as one bundle, so modules may use each other. Ends with 3 where there
    are errors; warnings alone are fine.

    \b
    policylang check refunds.policy
    policylang check policies/ --json
    """
    diagnostics, files = _checked(paths)
    if as_json:
        write_json({"files": files, "diagnostics": diagnostics_json(diagnostics)})
    else:
        _write(diagnostics, files)
    if has_errors(diagnostics):
        ctx.exit(ExitCode.POLICY_ERRORS)


def _checked(paths: tuple[str, ...]) -> tuple[list[Diagnostic], int]:
    from policylang.bundle.sources import read_modules
    from policylang.semantics.checker import check
    from policylang.syntax import parse

    diagnostics: list[Diagnostic] = []
    modules, lost = [], set()
    for source in read_modules(*paths):
        if isinstance(source, Diagnostic):
            diagnostics.append(source)
            continue
        parsed = parse(source)
        diagnostics.extend(parsed.diagnostics)
        lost |= parsed.lost
        if parsed.module is not None:
            modules.append(parsed.module)
    diagnostics.extend(check(modules, lost=lost).diagnostics)
    return diagnostics, len(modules)


def _write(diagnostics: list[Diagnostic], files: int) -> None:
    style = style_of(sys.stdout)
    for diagnostic in diagnostics:
        click.echo(render(diagnostic, style) + "\n", color=True)
    click.echo(summary(diagnostics) or f"no problems in {counted(files, 'file')}")
