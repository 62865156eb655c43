"""`policylang backtest`: what a draft would have decided, over recorded decisions."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from policylang.cli.loading import Deployment, deployment_options
from policylang.cli.operators import changed, who_option, whoever
from policylang.cli.output import json_option, write_json
from policylang.cli.replay_progress import replaying
from policylang.cli.traces import chosen, filter_options, store_option

if TYPE_CHECKING:
    from policylang.bundle.bundle import Bundle
    from policylang.rollout.report import Why
    from policylang.trace.journal import Journal
    from policylang.trace.reading import Filter


@click.command("backtest")
@click.argument("policy", metavar="POLICY")
@store_option
@filter_options
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
    help="Write the report as a page of HTML, too.",
)
@click.option(
    "--examples",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="So many decisions of each kind of difference.",
)
@who_option
@json_option
def command(
    policy: str,
    store_path: str,
    params: tuple[str, ...],
    reference: tuple[str, ...],
    evaluator: Literal["auto", "plan", "asp"],
    jobs: int,
    resume: Path | None,
    html_path: Path | None,
    examples: int,
    who: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Let a draft decide recorded requests, and report what changes, as the report of a shadow does.

    POLICY is a file or folder. That the backtest was made is noted in the store: a module that says
    `promote when draft: ...` is started only with one that meets it. A backtest with filters other than times
    is not noted.

    \b
    policylang backtest policies/ --since 30d --store traces.duckdb
    policylang backtest refunds.policy --since 30d --jobs 4 --html report.html --store traces.duckdb
    """
    from policylang.cli.rollout_text import report_text
    from policylang.rollout.backtest import backtest, note, report_on_backtest
    from policylang.rollout.proving import proven
    from policylang.rollout.report_page import report_page
    from policylang.trace.runs import ReplayRun

    filter_ = chosen(given)
    with changed(store_path) as store, ExitStack() as stack:
        deployment = Deployment((policy,), params, reference, evaluator)
        bundle = stack.enter_context(deployment.load())
        view = stack.enter_context(store.view())
        journal = _journal(stack, resume, bundle, given, filter_)
        run = ReplayRun(view, filter_, bundle, evaluator=evaluator, jobs=jobs, journal=journal)
        told = stack.enter_context(replaying(lambda: run.left))
        found = backtest(run, told, examples)
        if _is_whole(filter_):
            note(store, bundle, found, whoever(who))
        report = report_on_backtest(found, _name(bundle, policy), _why(store_path, policy))
        if html_path is not None:
            proofs = proven(view, report.example_ids, bundle)
            html_path.write_text(report_page(report, proofs), encoding="utf-8")
    if as_json:
        write_json(report.to_json())
    else:
        click.echo(report_text(report))


def _is_whole(filter_: Filter) -> bool:
    """Whether all decisions of a time are tested, and not those that somebody picked."""
    return not filter_.about_decisions and filter_.limit is None


def _journal(
    stack: ExitStack, path: Path | None, bundle: Bundle, given: dict[str, Any], filter_: Filter
) -> Journal | None:
    if path is None:
        return None
    from policylang.trace.journal import Journal

    asked = {
        "backtest": bundle.program.digest,
        "reference": dict(bundle.reference.digests),
        **given,
    }
    return stack.enter_context(Journal.open(path, asked, filter_))


def _name(bundle: Bundle, policy: str) -> str:
    from policylang.rollout.publishing import modules_in

    names = [f"{v.module}@{v.version}" if v.version else v.module for v in modules_in(bundle)]
    return ", ".join(names) or policy


def _why(store_path: str, policy: str) -> Why:
    from policylang.rollout.report import Why

    asked = f"policylang why {{}} --store {shlex.quote(store_path)}"
    return Why(asked, f"{asked} --with {shlex.quote(policy)}")
