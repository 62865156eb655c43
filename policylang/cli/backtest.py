"""`policylang backtest`: what a draft would have decided, over recorded decisions."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from policylang.cli.loading import Deployment, deployment_options
from policylang.cli.operators import changed, who_option, whoever
from policylang.cli.output import json_option, write_file, write_json
from policylang.cli.replay_progress import replaying
from policylang.cli.running import examples_option, html_option, journal_of, run_options
from policylang.cli.traces import chosen, filter_options, store_option

if TYPE_CHECKING:
    from policylang.bundle.bundle import Bundle
    from policylang.rollout.report import Why
    from policylang.trace.reading import Filter
    from policylang.trace.store import TraceStore


@click.command("backtest")
@click.argument("policy", metavar="POLICY")
@store_option
@filter_options
@deployment_options
@run_options
@html_option("Write the report as a page of HTML, too.")
@examples_option
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

    POLICY is a file or folder, or a published MODULE@VERSION, which is tested with the active versions of all other
    modules. That the backtest was made is noted in the store: a module that says
    `promote when draft: ...` is started only with one that meets it. A backtest with filters other than times
    is not noted.

    \b
    policylang backtest policies/ --since 30d --store traces.duckdb
    policylang backtest refunds@1.5.0 --since 30d --store traces.duckdb
    policylang backtest refunds.policy --since 30d --jobs 4 --html report.html --store traces.duckdb
    """
    from policylang.cli.rollout_text import report_text
    from policylang.rollout.backtest import backtest, note, report_on_backtest
    from policylang.rollout.proving import proven
    from policylang.rollout.report_page import report_page
    from policylang.trace.runs import ReplayRun

    filter_ = chosen(given)
    with changed(store_path) as store, ExitStack() as stack:
        bundle = stack.enter_context(_bundle(store, policy, params, reference, evaluator))
        view = stack.enter_context(store.view())
        digests = {
            "backtest": bundle.program.digest,
            "reference": dict(bundle.reference.digests),
        }
        journal = journal_of(stack, resume, {**digests, **given}, filter_)
        run = ReplayRun(view, filter_, bundle, evaluator=evaluator, jobs=jobs, journal=journal)
        told = stack.enter_context(replaying(lambda: run.left))
        found = backtest(run, told, examples)
        if _is_whole(filter_):
            note(store, bundle, found, whoever(who))
        report = report_on_backtest(found, _name(bundle, policy), _why(store_path, policy))
        if html_path is not None:
            proofs = proven(view, report.example_ids, bundle)
            write_file(html_path, report_page(report, proofs))
    if as_json:
        write_json(report.to_json())
    else:
        click.echo(report_text(report))


def _is_published(policy: str) -> bool:
    return "@" in policy and not Path(policy).exists()


def _bundle(
    store: TraceStore,
    policy: str,
    params: tuple[str, ...],
    reference: tuple[str, ...],
    evaluator: Literal["auto", "plan", "asp"],
) -> Bundle:
    from policylang.rollout.reporting import bundle_with

    if not _is_published(policy):
        return Deployment((policy,), params, reference, evaluator).load()
    if params or reference:
        raise click.UsageError(
            "--param and --reference go with a path: what is published has its own"
        )
    return bundle_with(store, policy)


def _is_whole(filter_: Filter) -> bool:
    """Whether all decisions of a time are tested, and not those that somebody picked."""
    return not filter_.about_decisions and filter_.limit is None


def _name(bundle: Bundle, policy: str) -> str:
    from policylang.rollout.publishing import modules_in

    if _is_published(policy):
        return policy
    names = [f"{v.module}@{v.version}" if v.version else v.module for v in modules_in(bundle)]
    return ", ".join(names) or policy


def _why(store_path: str, policy: str) -> Why:
    from policylang.rollout.report import Why

    asked = f"policylang why {{}} --store {shlex.quote(store_path)}"
    return Why(asked, f"{asked} --with {shlex.quote(policy)}")
