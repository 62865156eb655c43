"""The `policylang` command: finds the command asked for, and stands between it and the terminal."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Iterator
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

import click

from policylang import __version__
from policylang.cli.output import ExitCode, UnwritableError, expect_json, refuse
from policylang.cli.project_settings import apply_settings
from policylang.diagnostics import Diagnostic
from policylang.errors import PolicyInvalid

# The module of a command is imported when that command is run: `fmt` never pays for an evaluator.
COMMANDS: Final = {
    "init": "Make a small project that passes its own tests.",
    "check": "Look for errors in policies.",
    "fmt": "Write policies in the one style.",
    "test": "Run the tests that stand in policies.",
    "eval": "Decide requests.",
    "why": "Show the proof of a decision or of an atom, or why there is none.",
    "trace": "Look at recorded decisions, and check that they are what was recorded.",
    "replay": "Make recorded decisions again, or see what a candidate would decide.",
    "audit": "Ask questions about recorded decisions.",
    "stop": "Refuse the calls of an agent, of an action, or all, at once.",
    "approvals": "See which calls wait for a person, and answer.",
    "publish": "Put modules into a store, each under its version.",
    "versions": "See what is published, and in which stage it is.",
    "diff": "See what differs between two versions, by rule and by text.",
    "backtest": "See what a draft would have decided, over recorded decisions.",
    "rollout": "Take versions through their stages: shadow, canary, active, and back.",
    "doctor": "Ask five questions about a project, and answer them with evidence.",
    "schema": "Write declarations as JSON Schema, tools or pydantic models; draft them from data.",
    "facts": "See how data fits the declarations.",
    "stdlib": "Read the modules that policies start from.",
    "config": "Show the settings of this project.",
    "explain": "Show the page of a diagnostic.",
    "completion": "Print the script that completes commands in a shell.",
}


# How `policylang` alone and its help show them: each command stands in one group.
GROUPS: Final = {
    "write": ("init", "check", "fmt", "test", "explain", "schema", "facts", "stdlib"),
    "decide": ("eval", "why"),
    "look back": ("trace", "replay", "audit"),
    "change": ("publish", "versions", "diff", "backtest", "rollout"),
    "operate": ("stop", "approvals", "doctor", "config", "completion"),
}


class Commands(click.Group):
    """A group that loads its commands on demand and turns what they raise into reports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now, or None."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"policylang.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. One that is no text is refused at once, unless it is the name of a file."""
        for given in args:
            if not _is_text(given) and not os.path.lexists(given):
                shown = given.encode("utf-8", "backslashreplace").decode()
                ctx.fail(f"`{shown}` is not UTF-8, and there is no such file")
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name; for an unknown one, say which is close."""
        unknown = args and args[0] not in COMMANDS and not args[0].startswith("-")
        if unknown and not ctx.resilient_parsing:
            close = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
            ctx.fail(f"no command `{args[0]}`{hint}")
        name, found, rest = super().resolve_command(ctx, args)
        if found is not None and found.name != "config" and not ctx.resilient_parsing:
            expect_json(ctx, "--json" in rest)
            apply_settings(ctx, found)
        return name, found, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what they are for, without importing any of them."""
        width = max(map(len, COMMANDS))
        for group, names in GROUPS.items():
            with formatter.section(group.capitalize()):
                # Padded to one width, so that the groups stand under each other as one table.
                formatter.write_dl([(f"{name:{width}}", COMMANDS[name]) for name in names])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A user's mistake becomes its diagnostics, a bug of ours a request for a report."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except PolicyInvalid as refused:
            refuse(refused.diagnostics)
            ctx.exit(ExitCode.POLICY_ERRORS)
        except OSError as error:
            refuse([unusable(error)])
            ctx.exit(ExitCode.FAILED)
        except Exception as bug:  # noqa: BLE001 (the one place that stands before the terminal)
            _ask_for_a_report(bug)
            ctx.exit(ExitCode.FAILED)


def _is_text(given: str) -> bool:
    """Whether an argument came as UTF-8: bytes that are none come as halves of surrogate pairs."""
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def unusable(error: OSError) -> Diagnostic:
    """The diagnostic of a file that cannot be read or written; a failure without a name is of a standard stream."""
    from policylang.syntax import codes

    problem = (error.strerror or str(error)).lower()
    if isinstance(error, UnwritableError) or error.errno in _NO_ROOM:
        name = error.filename or "standard output"
        return codes.UNWRITABLE_FILE.at(None, name=name, problem=problem)
    return codes.UNREADABLE_FILE.at(None, name=error.filename or "standard input", problem=problem)


def _ask_for_a_report(bug: Exception) -> None:
    if os.environ.get("POLICYLANG_DEBUG"):
        click.echo("".join(traceback.format_exception(bug)), err=True)
    what = getattr(bug, "what", None) or f"{type(bug).__name__}: {bug}"
    click.echo(
        f"internal error: {what}\n"
        "This is a bug in policylang, not in your policy. Please report it, with the policy and what\n"
        "POLICYLANG_DEBUG=1 shows when you run the command again.",
        err=True,
    )


def _start() -> Iterator[str]:
    """Where to start, for somebody who typed `policylang` and nothing else."""
    yield "policylang: policies for AI agents, small, typed, tested, and answered with a proof."
    yield "\nStart here:"
    yield "  policylang init refunds    make a small project, and say what to do next"
    yield "\nThe commands:"
    for group, names in GROUPS.items():
        yield f"  {group:9}  {', '.join(names)}"
    yield "\n`policylang COMMAND --help` shows examples, `policylang --help` what each command is for."


@click.command(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`policylang init DIR` is a good start; `policylang COMMAND --help` shows examples.",
)
@click.version_option(__version__, message="policylang %(version)s")
@click.pass_context
def policylang(ctx: click.Context) -> None:
    """Policies for AI agents: small, typed, tested, and answered with a proof."""
    if ctx.invoked_subcommand is None:
        click.echo("\n".join(_start()))
