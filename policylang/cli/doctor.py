"""`policylang doctor`: five questions about a project, answered with evidence."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policylang.cli.output import ExitCode, colour, json_option, write_json
from policylang.cli.traces import STORE_VARIABLE, existing, said
from policylang.diagnostics import visible

if TYPE_CHECKING:
    from policylang.bundle.bundle import Bundle
    from policylang.gate.doctor import Examination, Finding

_MARKS = {"yes": ("✓", "green"), "no": ("✗", "red"), "open": ("?", "yellow")}


@click.command("doctor")
@click.argument("policies", metavar="[POLICY]...", nargs=-1)
@click.option(
    "--store",
    "store_path",
    metavar="FILE",
    envvar=STORE_VARIABLE,
    help="The store: its DuckDB file.  [env: POLICYLANG_STORE]",
)
@click.option(
    "--code",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of Python in which gates are looked for. Nothing of it is run.",
)
@click.option(
    "--tools",
    metavar="FILE|NAMES",
    help="The tools that agents have: names with commas between, or a JSON file of names or schemas.",
)
@click.option("--days", type=click.IntRange(1), default=30, help="Look so far back (default 30).")
@click.option(
    "--sample",
    type=click.IntRange(1),
    default=200,
    help="Replay about so many decisions (default 200).",
)
@json_option
def command(
    policies: tuple[str, ...],
    store_path: str | None,
    code: tuple[Path, ...],
    tools: str | None,
    days: int,
    sample: int,
    as_json: bool,
) -> None:
    """Ask five questions about a project: decided apart, gated, replayable, staged, typed.

    Policies and store are those of the project's settings where none are named. Ends with 0 where every question
    is answered with yes and the store is well, else with 1.

    \b
    policylang doctor
    policylang doctor policies/ --store traces.duckdb --code src --tools tools.json
    """
    from policylang.bundle.settings import find_settings
    from policylang.gate.doctor import Project, examine
    from policylang.trace.store import TraceStore

    settings = find_settings(Path.cwd())
    with ExitStack() as stack, said():
        bundle = _bundle(stack, policies or settings.policies, settings if not policies else None)
        path = store_path or settings.store
        store = None
        if path is not None and (store_path is not None or Path(path + ".segments").is_dir()):
            store = stack.enter_context(TraceStore.open(existing(path)))
        found = examine(Project(bundle, store, code, _tools(tools), days, sample))
    if as_json:
        write_json(found.to_json())
    else:
        click.echo("\n".join(_lines(found)), color=True)
    if not found.is_well:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _bundle(stack: ExitStack, policies: tuple[str, ...], settings: Any) -> Bundle | None:
    from policylang.bundle.loading import load

    if not policies:
        return None
    params = {} if settings is None else dict(settings.params)
    reference = {} if settings is None else dict(settings.reference)
    return stack.enter_context(load(*policies, params=params, reference=reference))


def _tools(given: str | None) -> list[str] | None:
    """The names of tools: from a list, or from JSON in the forms that frameworks write."""
    if given is None:
        return None
    path = Path(given)
    if not path.is_file():
        if path.suffix == ".json":
            raise click.BadParameter(f"there is no file {given}", param_hint="--tools")
        return [name.strip() for name in given.split(",") if name.strip()]
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise click.BadParameter(f"{given} is no JSON: {error}", param_hint="--tools") from None
    names = list(content) if isinstance(content, dict) else [_name(tool) for tool in content]
    if not all(isinstance(name, str) for name in names):
        raise click.BadParameter("each tool needs a name", param_hint="--tools")
    return [str(name) for name in names]


def _name(tool: Any) -> Any:
    """The name in a tool's schema: `"refund"`, `{"name": ...}`, `{"function": {"name": ...}}`."""
    if not isinstance(tool, dict):
        return tool
    return tool.get("name") or (tool.get("function") or {}).get("name")


def _lines(found: Examination) -> Iterator[str]:
    for number, finding in enumerate(found.questions, start=1):
        yield from _finding(finding, f"{number}. ")
    if found.health:
        yield ""
        yield "the store"
    for finding in found.health:
        yield from _finding(finding, "")
    yield ""
    yield ", ".join(f"{name} {version}" for name, version in found.versions.items())
    good = sum(each.reply.value == "yes" for each in found.questions)
    yield f"{good} of {len(found.questions)} questions are answered with yes"


def _finding(finding: Finding, number: str) -> Iterator[str]:
    mark, shade = _MARKS[finding.reply.value]
    shown = click.style(mark, fg=shade) if colour(sys.stdout) else mark
    yield f"{shown} {number}{finding.question}"
    yield from (f"     {visible(line)}" for line in finding.evidence)
    yield from (f"   > {visible(line)}" for line in finding.advice)
