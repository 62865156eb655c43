"""`policylang replay`: recorded decisions made again, or by a candidate."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from policylang.cli.loading import Deployment, deployment_options
from policylang.cli.output import ExitCode, json_option, write_file, write_json
from policylang.cli.replay_progress import replaying
from policylang.cli.replay_report import Why, difference_json, differences_text, report_text
from policylang.cli.running import html_option, journal_of, run_options
from policylang.cli.traces import chosen, filter_options, opened, said, store_option

if TYPE_CHECKING:
    from policylang.bundle.bundle import Bundle
    from policylang.trace.chain import Record
    from policylang.trace.examples import Example
    from policylang.trace.masking import Masks
    from policylang.trace.reading import TraceView
    from policylang.trace.replay import Replayed
    from policylang.trace.report import Report
    from policylang.trace.runs import ReplayRun


@click.command("replay")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@store_option
@filter_options
@click.option("--with", "candidate", metavar="POLICY", help="Decide by these policies instead.")
@deployment_options
@run_options
@html_option("With --with: write the report as a page of HTML, too.")
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
        journal = journal_of(stack, resume, asked, filter_)
        if ids:
            report, found = _by_ids(view, ids, bundle, evaluator)
        else:
            from policylang.trace.runs import ReplayRun

            run = ReplayRun(view, filter_, bundle, evaluator=evaluator, jobs=jobs, journal=journal)
            report, found = run.report, _ran(run)
        masks = view.masks()
        shown = [difference_json(one, masks) for one in _told(found, bundle, as_json, masks)]
        examples = _examples(view, report, bundle, evaluator)
        if html_path is not None:
            write_file(html_path, _page(report, examples, candidate))
        why = _why(store_path, candidate, params, reference)
        if as_json:
            told = {"differences": shown} if bundle is None else {"examples": _shown(examples, why)}
            write_json({**report.to_json(), **told})
        else:
            click.echo(report_text(report, examples, why))
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


def _why(
    store_path: str, candidate: str | None, params: tuple[str, ...], reference: tuple[str, ...]
) -> Why:
    """How to ask why, then and now."""
    then = shlex.join(["--store", store_path])
    if candidate is None:
        return Why(then)
    now = ["--with", candidate]
    for option, values in (("--param", params), ("--reference", reference)):
        now += [word for value in values for word in (option, value)]
    return Why(then, f" {shlex.join(now)}")


def _examples(
    view: TraceView,
    report: Report,
    bundle: Bundle | None,
    evaluator: Literal["auto", "plan", "asp"],
) -> list[Example]:
    if bundle is None:
        return []
    from policylang.trace.examples import examples_of

    return list(examples_of(view, report, bundle, evaluator))


def _shown(examples: list[Example], why: Why) -> list[dict[str, Any]]:
    from policylang.cli.replay_report import example_json

    return [example_json(example, why) for example in examples]


def _page(report: Report, examples: list[Example], candidate: str | None) -> str:
    from policylang.trace.report_page import report_page

    return report_page(report, examples, f"What {candidate} would decide otherwise")
