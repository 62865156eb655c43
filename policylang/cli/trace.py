"""`policylang trace`: look at recorded decisions, fold them, and check that they are what was recorded."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from policylang.cli import trace_erase, trace_export, trace_retain
from policylang.cli.output import ExitCode, counted, json_option, json_text, write_json, writing
from policylang.cli.traces import (
    chosen,
    existing,
    filter_options,
    opened,
    personal_option,
    said,
    store_option,
)
from policylang.diagnostics import visible

if TYPE_CHECKING:
    from policylang.trace.chain import Record
    from policylang.trace.reading import TraceView
    from policylang.trace.verify import Verified

_PAUSE: Final = 0.5


@click.group("trace")
def command() -> None:
    """Look at recorded decisions, and check that they are what was recorded.

    \b
    policylang trace list --store traces.duckdb --outcome deny --since 30d
    policylang trace verify --store traces.duckdb --checkpoint kept/checkpoint.json
    """


command.add_command(trace_erase.command)
command.add_command(trace_export.command)
command.add_command(trace_retain.command)


@command.command("list")
@store_option
@filter_options
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="So many of them."
)
@click.option("--oldest-first", is_flag=True, help="The oldest first; without it the newest are.")
@click.option("--after", metavar="ID", help="The page that follows the decision ID.")
@personal_option
@json_option
def list_(
    store_path: str,
    limit: int,
    oldest_first: bool,
    after: str | None,
    personal: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """List decisions, one a line, the newest first.

    \b
    policylang trace list --store traces.duckdb
    policylang trace list --outcome deny --since 30d --agent support-bot --store traces.duckdb
    policylang trace list --action refund --limit 1000 --json --store traces.duckdb
    """
    filter_ = chosen(given, after=after, limit=limit, newest_first=not oldest_first)
    with opened(store_path, personal=personal) as view:
        shown = _shown(view, personal, as_json)
        for record in view.records(filter_):
            click.echo(shown(record))


@command.command("show")
@click.argument("id_", metavar="ID")
@store_option
@personal_option
@json_option
def show(id_: str, store_path: str, personal: bool, as_json: bool) -> None:
    """Show one record as it was written, with its place in its chain: as JSON, with and without `--json`.

    \b
    policylang trace show 019ab5c2-... --store traces.duckdb
    """
    del as_json  # A record has no other form: the option is there so that it may always be given.
    with opened(store_path) as view:
        record = view.get(id_)
        if record is None:
            raise click.ClickException(f"there is no record {id_}")
        form = json.loads(record.text)
        if personal:
            form["body"] = view.masks().body(record)
    write_json({**form, "digest": record.digest})


@command.command("tail")
@store_option
@filter_options
@click.option(
    "-n", "lines", type=click.IntRange(0), default=10, show_default=True, help="So many of them."
)
@click.option("--follow", "-f", is_flag=True, help="Go on with what is recorded from now on.")
@personal_option
@json_option
def tail(
    store_path: str, lines: int, follow: bool, personal: bool, as_json: bool, **given: Any
) -> None:
    """Show the last decisions, the newest last.

    \b
    policylang trace tail --store traces.duckdb
    policylang trace tail --follow --outcome needs_approval --store traces.duckdb
    """
    with opened(store_path, personal=personal) as view:
        shown = _shown(view, personal, as_json)
        found = list(view.records(chosen(given, limit=lines, newest_first=True)))
        for record in reversed(found):
            click.echo(shown(record))
        seen = view.reached()
    while follow:
        try:
            time.sleep(_PAUSE)
            with opened(store_path, personal=personal) as view:
                shown = _shown(view, personal, as_json)
                for record in view.records(chosen(given, beyond=seen)):
                    click.echo(shown(record))
                seen = view.reached()
        except KeyboardInterrupt:
            return


@command.command("fold")
@store_option
@json_option
def fold(store_path: str, as_json: bool) -> None:
    """Move what writers are done with into the DuckDB file.

    Ends with 1 where a line of a segment is damaged.

    \b
    policylang trace fold --store traces.duckdb
    """
    from policylang.trace.folding import fold as fold_segments
    from policylang.trace.store import segments_of

    path = existing(store_path)
    segments_of(path).mkdir(exist_ok=True, mode=0o700)
    with said():
        folded = fold_segments(path, segments_of(path))
    damages = [(damage.segment.name, damage.line, damage.problem) for damage in folded.damages]
    for segment, line, problem in damages:
        click.echo(f"{segment}:{line}: {problem}", err=True)
    if as_json:
        fields = ("segment", "line", "problem")
        found = [dict(zip(fields, damage, strict=True)) for damage in damages]
        write_json({"records": folded.records, "damages": found})
    else:
        click.echo(f"{counted(folded.records, 'record')} folded")
    if folded.damages:
        raise click.exceptions.Exit(ExitCode.FAILED)


@command.command("checkpoint")
@click.argument("to", metavar="FILE", type=click.Path(path_type=Path))
@store_option
@click.option(
    "--key-file", type=click.Path(path_type=Path), help="Sign it with the key in this file."
)
@json_option
def checkpoint(to: Path, store_path: str, key_file: Path | None, as_json: bool) -> None:
    """Write to FILE how far every chain has reached. Keep it where nobody who can write the store can.

    \b
    policylang trace checkpoint kept/checkpoint.json --store traces.duckdb
    policylang trace checkpoint kept/checkpoint.json --key-file checkpoint.key --store traces.duckdb
    """
    from policylang.trace.store import TraceStore

    key = _key(key_file)
    with said(), TraceStore.open(existing(store_path)) as store, writing(to):
        made = store.checkpoint(to, key)
    if as_json:
        write_json({"file": str(to), "at": made.at, "chains": len(made.heads)})
    else:
        click.echo(f"{counted(len(made.heads), 'chain')} at {made.at}")


@command.command("verify")
@store_option
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A checkpoint that was kept elsewhere.",
)
@click.option(
    "--key-file", type=click.Path(path_type=Path), help="The key that checkpoints are signed with."
)
@click.option(
    "--records-only",
    is_flag=True,
    help="Leave out the tables that views read, which can be made again from the records.",
)
@json_option
def verify(
    store_path: str,
    checkpoints: tuple[Path, ...],
    key_file: Path | None,
    records_only: bool,
    as_json: bool,
) -> None:
    """Check that everything is what was recorded; name the first record that is not, and what is wrong.

    Ends with 0 where it is and with 1 where it is not.

    \b
    policylang trace verify --store traces.duckdb
    policylang trace verify --checkpoint kept/checkpoint.json --store traces.duckdb
    """
    from policylang.trace.checkpoint import read_checkpoint
    from policylang.trace.verify import verify as check

    if key_file is not None and not checkpoints:
        raise click.UsageError("--key-file goes with --checkpoint: it is the key of its signature")
    key = _key(key_file)
    with opened(store_path) as view:
        kept = tuple(read_checkpoint(path, key) for path in checkpoints)
        verified = check(view, kept, tables=not records_only)
    _report(verified, as_json)
    if not verified.holds:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _report(verified: Verified, as_json: bool) -> None:
    if as_json:
        findings = [{"where": f.where, "problem": f.problem} for f in verified.findings]
        counts = {"records": verified.records, "chains": verified.chains}
        counts["dropped"] = verified.dropped
        write_json({**counts, "checkpoints": verified.checkpoints, "findings": findings})
        return
    for finding in verified.findings:
        click.echo(visible(str(finding)))
    seen = f"{counted(verified.records, 'record')} in {counted(verified.chains, 'chain')}"
    checked = counted(verified.checkpoints, "checkpoint")
    wrong = counted(len(verified.findings), "finding") if verified.findings else "nothing is wrong"
    gone = f", {counted(verified.dropped, 'record')} dropped before" if verified.dropped else ""
    click.echo(f"{seen}, {checked}{gone}: {wrong}")


def _key(path: Path | None) -> bytes | None:
    """The key in a file. Nobody signs with an empty one: everybody knows it."""
    if path is None:
        return None
    key = path.read_bytes().strip()
    if not key:
        raise click.UsageError(f"there is no key in {path}")
    return key


def _line(record: Record) -> str:
    body = record.body
    decision = body["decision"]
    rules = ", ".join(rule.rpartition(".")[2] for rule in decision.get("determining", ()))
    action = decision.get("action", "").rpartition(".")[2]
    by = rules or decision["reasons"][0]["kind"]
    stage = "" if body["stage"] == "active" else f" [{body['stage']}]"
    agent = body.get("agent", "-")
    return visible(
        f"{record.id}  {record.at[:19]}Z  {decision['outcome']:14}  {action}  {agent}  {by}{stage}"
    )


def _shown(view: TraceView, personal: bool, as_json: bool) -> Callable[[Record], str]:
    """How records are shown: as a line, or as JSON in which what is personal stays sealed unless it is asked for."""
    if not as_json:
        return _line
    if not personal:
        return lambda record: _json(record, json.loads(record.text)["body"])
    masks = view.masks()
    return lambda record: _json(record, masks.body(record))


def _json(record: Record, body: dict[str, Any]) -> str:
    return json_text({"id": record.id, "at": record.at, **body})
