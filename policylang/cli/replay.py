"""`policylang replay`: recorded decisions made again, or by a candidate."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from policylang.cli.loading import Deployment, deployment_options
from policylang.cli.output import ExitCode, json_option, write_json
from policylang.cli.replay_progress import replaying
from policylang.cli.replay_report import difference_json, differences_text, report_text
from policylang.cli.traces import chosen, filter_options, opened, said, store_option

if TYPE_CHECKING:
    from policylang.bundle.bundle import Bundle
    from policylang.trace.chain import Record
    from policylang.trace.journal import Journal
    from policylang.trace.masking import Masks
    from policylang.trace.reading import Filter, TraceView
    from policylang.trace.replay import Replayed
    from policylang.trace.report import Report
    from policylang.trace.runs import ReplayRun


@click.command("replay")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@store_option
@filter_options
@click.option("--with", "candidate", metavar="POLICY", help="Decide by these policies instead.")
@deployment_options
@click.option(
    "--jobs", "-j", type=click.IntRange(1), default=1, help="So many processes decide (default 1)."
)
@click.option(
    "--resume",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Keep in FILE how far it came, and go on from there.",
)
@click.option(
    "--html",
    "html_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="With --with: write the report as a page of HTML, too.",
)
@json_option
def command(
    ids: tuple[str, ...],
    store_path: str,
    candidate: str | None,
    params: tuple[str, ...],
    reference: tuple[str, ...],
    evaluator: Literal["auto", "plan", "asp"],
    jobs: int,
    resume: Path | None,
    html_path: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Make recorded decisions again from their own facts and rules, and compare them byte by byte.

    Ends with 0 where all come out the same and with 1 where one does not. With `--with`, what a candidate
    would decide otherwise is reported, and is no failure; a request that it cannot decide is.

    \b
    policylang replay --store traces.duckdb --since 30d --jobs 4
    policylang replay --store traces.duckdb --where "agent = 'bot-7'" --with policies/ --html report.html
    """
    _check(ids, candidate, params or reference, resume, html_path)
    with opened(store_path) as view, ExitStack() as stack, said():
        bundle = _bundle(stack, candidate, params, reference, evaluator)
        asked = {**given, "candidate": _digests(bundle), "evaluator": evaluator}
        filter_ = chosen(given)
        journal = _journal(stack, resume, asked, filter_)
        if ids:
            report, found = _by_ids(view, ids, bundle, evaluator)
        else:
            from policylang.trace.runs import ReplayRun

            run = ReplayRun(view, filter_, bundle, evaluator=evaluator, jobs=jobs, journal=journal)
            report, found = run.report, _ran(run)
        masks = view.masks()
        shown = [difference_json(one, masks) for one in _told(found, bundle, as_json, masks)]
        if html_path is not None and bundle is not None:
            html_path.write_text(_page(view, report, bundle, evaluator, candidate), "utf-8")
        why = _commands(store_path, candidate)
        if as_json:
            write_json(_json(view, report, bundle, evaluator, why, shown))
        else:
            click.echo(report_text(report, why))
    bad = ("not replayable",) if bundle is not None else ("not replayable", "different")
    if any(report.verdicts[word] for word in bad):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _check(
    ids: tuple[str, ...],
    candidate: str | None,
    deployed: object,
    resume: Path | None,
    html_path: Path | None,
) -> None:
    if candidate is None and deployed:
        raise click.UsageError(
            "--param and --reference go with --with: a replay takes what was recorded"
        )
    if candidate is None and html_path is not None:
        raise click.UsageError("--html goes with --with: it is the report about a candidate")
    if ids and resume is not None:
        raise click.UsageError("--resume goes with filters, not with the IDs of decisions")


def _bundle(
    stack: ExitStack,
    candidate: str | None,
    params: tuple[str, ...],
    reference: tuple[str, ...],
    evaluator: Literal["auto", "plan", "asp"],
) -> Bundle | None:
    if candidate is None:
        return None
    return stack.enter_context(Deployment((candidate,), params, reference, evaluator).load())


def _digests(bundle: Bundle | None) -> dict[str, Any] | None:
    """What tells one candidate from another: its program and its reference data."""
    if bundle is None:
        return None
    return {"program": bundle.program.digest, "reference": dict(bundle.reference.digests)}


def _journal(
    stack: ExitStack, path: Path | None, asked: dict[str, Any], filter_: Filter
) -> Journal | None:
    if path is None:
        return None
    from policylang.trace.journal import Journal

    return stack.enter_context(Journal.open(path, asked, filter_))


def _by_ids(
    view: TraceView,
    ids: tuple[str, ...],
    bundle: Bundle | None,
    evaluator: Literal["auto", "plan", "asp"],
) -> tuple[Report, Iterator[Replayed]]:
    from policylang.trace.report import Report
    from policylang.trace.runs import compare

    report = Report()
    made = compare(view, _records(view, ids), bundle, evaluator=evaluator)
    return report, _counted(made, report)


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


def _ran(run: ReplayRun) -> Iterator[Replayed]:
    """What an earlier part of the run found, and then everything else, behind a bar on a terminal."""
    yield from run.earlier()
    with replaying(lambda: run.left) as advance:
        for one in run:
            yield one
            advance()


def _told(
    found: Iterable[Replayed], bundle: Bundle | None, as_json: bool, masks: Masks
) -> Iterator[Replayed]:
    """Go through all; without a candidate, show (or keep) both sides of what came out otherwise."""
    for one in found:
        if bundle is not None or one.verdict.value != "different" or one.now is None:
            continue
        if as_json:
            yield one
        else:
            click.echo(differences_text(one, masks))


def _commands(store_path: str, candidate: str | None) -> tuple[str, str]:
    """How to ask why, then and now; the identity stands for `{}`."""
    then = f"policylang why {{}} --store {shlex.quote(store_path)}"
    return then, "" if candidate is None else f"{then} --with {shlex.quote(candidate)}"


def _json(
    view: TraceView,
    report: Report,
    bundle: Bundle | None,
    evaluator: Literal["auto", "plan", "asp"],
    why: tuple[str, str],
    differences: list[dict[str, Any]],
) -> dict[str, Any]:
    form = report.to_json()
    if bundle is None:
        return {**form, "differences": differences}
    from policylang.cli.replay_report import example_json
    from policylang.trace.examples import examples_of

    shown = [example_json(e, why) for e in examples_of(view, report, bundle, evaluator)]
    return {**form, "examples": shown}


def _page(
    view: TraceView,
    report: Report,
    bundle: Bundle,
    evaluator: Literal["auto", "plan", "asp"],
    candidate: str | None,
) -> str:
    from policylang.trace.examples import examples_of
    from policylang.trace.report_page import report_page

    examples = examples_of(view, report, bundle, evaluator)
    return report_page(report, examples, f"What {candidate} would decide otherwise")
