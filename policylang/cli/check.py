"""`policylang check`: what is wrong with policies."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from policylang.cli.output import (
    ExitCode,
    counted,
    diagnostics_json,
    json_option,
    report,
    style_of,
    summary,
    write_json,
)
from policylang.cli.project_settings import configured
from policylang.diagnostics import Diagnostic, render


@click.command("check")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option(
    "--emit",
    type=click.Choice(["program", "asp", "plan"]),
    help="Print what the policies become: the checked program, or what evaluates it.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, paths: tuple[str, ...], emit: str | None, as_json: bool) -> None:
    """Look for errors in policies: files, or folders with all `.policy` files in them (here, if none is given).

    What is given is checked as one bundle, so modules may use each other; params of the project's
    settings are checked with its policies. Ends with 3 where there are errors; warnings alone are fine.

    \b
    policylang check
    policylang check refunds.policy
    policylang check policies/ --json
    policylang check refunds.policy --emit program
    """
    from policylang.bundle.loading import check_bundle

    checked = check_bundle(*(paths or (".",)), params=configured(ctx)[0])
    diagnostics, program = checked.diagnostics, checked.result.program
    if program is not None and not checked.has_errors:
        from policylang.bundle.evaluators import notes

        if emit is not None:
            from policylang.cli.emitting import emitted

            text = emitted(program, emit)
            if as_json:
                write_json(_json(diagnostics, checked.files) | {emit: text})
            else:
                report(diagnostics)
                click.echo(text, nl=False)
            return
        diagnostics = (*diagnostics, *notes(program))
    if as_json:
        write_json(_json(diagnostics, checked.files))
    else:
        _write(diagnostics, checked.files)
    if checked.has_errors:
        ctx.exit(ExitCode.POLICY_ERRORS)


def _json(diagnostics: Sequence[Diagnostic], files: int) -> dict[str, Any]:
    return {"files": files, "diagnostics": diagnostics_json(diagnostics)}


def _write(diagnostics: Sequence[Diagnostic], files: int) -> None:
    style = style_of(sys.stdout)
    for diagnostic in diagnostics:
        click.echo(render(diagnostic, style) + "\n", color=True)
    click.echo(summary(diagnostics) or f"no problems in {counted(files, 'file')}")
