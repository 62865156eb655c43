"""`policylang replay`: recorded decisions made again, or by a candidate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal

import click

from policylang.cli.loading import Deployment, deployment_options
from policylang.cli.output import ExitCode, counted, json_option, write_json
from policylang.cli.traces import chosen, filter_options, opened, store_option

if TYPE_CHECKING:
    from policylang.trace.chain import Record
    from policylang.trace.reading import TraceView
    from policylang.trace.replay import Replayed
    from policylang.trace.report import Report


@click.command("replay")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@store_option
@filter_options
@click.option("--with", "candidate", metavar="POLICY", help="Decide by these policies instead.")
@deployment_options
@json_option
def command(
    ids: tuple[str, ...],
    store_path: str,
    candidate: str | None,
    params: tuple[str, ...],
    reference: tuple[str, ...],
    evaluator: Literal["auto", "plan", "asp"],
    as_json: bool,
    **given: Any,
) -> None:
    """Make recorded decisions again from their own facts and rules, and compare them byte by byte.

    Ends with 0 where all come out the same and with 1 where one does not. With `--with`, what a candidate
    would decide otherwise is reported, and is no failure; a request that it cannot decide is.

    \b
    policylang replay --store traces.duckdb --since 30d
    policylang replay --store traces.duckdb --where "agent = 'bot-7'" --with policies/
    """
    if candidate is None and (params or reference):
        raise click.UsageError(
            "--param and --reference go with --with: a replay takes what was recorded"
        )
    with opened(store_path) as view, ExitStack() as stack:
        from policylang.trace.archive import Archive
        from policylang.trace.candidate import Candidate
        from policylang.trace.replay import AsRecorded, replay
        from policylang.trace.report import Report

        archive = Archive(view, evaluator)
        stack.callback(archive.close)
        records = _records(view, ids) if ids else view.records(chosen(given))
        report = Report()
        if candidate is None:
            _show(_counted(replay(records, AsRecorded(archive)), report), as_json)
        else:
            deployment = Deployment((candidate,), params, reference, evaluator)
            bundle = stack.enter_context(deployment.load())
            for _ in _counted(replay(records, Candidate(bundle, archive)), report):
                pass
    if as_json:
        write_json(report.to_json())
    else:
        click.echo(_text(report))
    bad = ("not replayable",) if candidate else ("not replayable", "different")
    if any(report.verdicts[word] for word in bad):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _records(view: TraceView, ids: Iterable[str]) -> Iterator[Record]:
    for id_ in ids:
        record = view.get(id_)
        if record is None or record.kind != "decision":
            raise click.ClickException(f"there is no decision {id_}")
        yield record


def _counted(replayed: Iterable[Replayed], report: Report) -> Iterator[Replayed]:
    for one in replayed:
        report.add(one)
        yield one


def _show(replayed: Iterable[Replayed], as_json: bool) -> None:
    """Show both sides of every decision that came out otherwise."""
    for one in replayed:
        if one.now is None or one.verdict.value != "different" or as_json:
            continue
        click.echo(f"{one.id}  {one.transition}")
        for name in ("decision", "firings"):
            for side, made in (("-", one.recorded), ("+", one.now)):
                if one.recorded.get(name, []) != one.now[name]:
                    click.echo(f"  {side} {name}: {made.get(name, [])}")


def _text(report: Report) -> str:
    from policylang.trace.report import ranked

    lines = [", ".join(f"{count} {word}" for word, count in ranked(report.verdicts))]
    for title, counter in (
        ("outcomes", report.transitions),
        ("rules", report.rules),
        ("actions", report.actions),
        ("agents", report.agents),
        ("not replayable", report.problems),
    ):
        lines += _section(title, counter)
    for transition, ids in report.examples.items():
        lines += [f"examples of {transition}", *(f"  policylang why {id_}" for id_ in ids)]
    return "\n".join(lines) if report.verdicts else f"{counted(0, 'decision')} replayed"


def _section(title: str, counter: Counter[str]) -> list[str]:
    from policylang.trace.report import ranked

    return [title, *(f"  {count:>8}  {word}" for word, count in ranked(counter))] if counter else []
