"""`policylang rollout report`, `metric` and `advance`: what was seen of candidates, and what follows from it."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policylang.cli.operators import changed
from policylang.cli.output import ExitCode, json_option, write_file, write_json
from policylang.cli.running import examples_option, html_option
from policylang.cli.traces import store_option

if TYPE_CHECKING:
    from policylang.rollout.advancing import Advance
    from policylang.rollout.report import Report, Why
    from policylang.trace.metrics import Number
    from policylang.trace.store import TraceStore


@click.command("report")
@click.argument("name", metavar="MODULE[@VERSION]")
@click.option(
    "--stage",
    type=click.Choice(["shadow", "canary"]),
    help="Its time in this stage (default: where it is, or was last).",
)
@html_option("Write the report as a page of HTML, too.")
@examples_option
@store_option
@json_option
def report(
    name: str,
    stage: str | None,
    html_path: Path | None,
    examples: int,
    store_path: str,
    as_json: bool,
) -> None:
    """Show how a candidate compares with live: agreement, what changes for whom, latency, errors, outcomes.

    Of a MODULE it is the version in canary, or else in shadow.

    \b
    policylang rollout report refunds@1.5.0 --store traces.duckdb
    policylang rollout report refunds --html report.html --store traces.duckdb
    """
    from policylang.cli.rollout_text import report_text
    from policylang.rollout.reporting import report_on
    from policylang.rollout.stages import Stage

    with changed(store_path) as store:
        wanted = Stage(stage) if stage is not None else None
        asked = _Asked(store_path)
        found = report_on(store, name, wanted, asked.why, most_examples=examples)
        if html_path is not None:
            write_file(html_path, _page(store, found, asked.live))
    if as_json:
        write_json(found.to_json())
    else:
        click.echo(report_text(found))


class _Asked:
    """How to ask why, on both sides; remembers the version that stands in live's place."""

    def __init__(self, store_path: str) -> None:
        self.live: str | None = None
        self._asked = f"policylang why {{}} --store {shlex.quote(store_path)}"

    def why(self, live: str | None, candidate: str) -> Why:
        """The commands that explain a decision."""
        from policylang.rollout.report import Why

        self.live = live
        instead = "" if live is None else f" --with {shlex.quote(live)}"
        return Why(f"{self._asked}{instead}", f"{self._asked} --with {shlex.quote(candidate)}")


def _page(store: TraceStore, found: Report, live: str | None) -> str:
    """The page, with proofs where the candidate makes a program with what is active."""
    from policylang.errors import PolicyInvalid
    from policylang.rollout.proving import proven
    from policylang.rollout.report_page import report_page
    from policylang.rollout.reporting import bundle_with

    with ExitStack() as stack:
        try:
            candidate = stack.enter_context(bundle_with(store, found.name))
            instead = None if live is None else stack.enter_context(bundle_with(store, live))
        except PolicyInvalid:
            return report_page(found, {})
        view = stack.enter_context(store.view())
        return report_page(found, proven(view, found.example_ids, candidate, instead))


@click.command("metric")
@click.argument("decision", metavar="ID")
@click.argument("name", metavar="METRIC")
@click.argument("value", default="true")
@store_option
@json_option
def metric(decision: str, name: str, value: str, store_path: str, as_json: bool) -> None:
    """Report what became of a decision: that something happened, how often, or how much.

    VALUE is `true` (the default), `false`, a whole number or an exact amount.

    \b
    policylang rollout metric 019ab5c2-... complaint --store traces.duckdb
    policylang rollout metric 019ab5c2-... refunded 48.00 --store traces.duckdb
    """
    from policylang.trace.metrics import metric_body, record_metric

    with changed(store_path) as store:
        _known(store, decision)
        try:
            recorded = record_metric(store, decision, name, _value(value))
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    if as_json:
        write_json({"id": recorded, **metric_body(decision, name, _value(value))})


def _known(store: TraceStore, decision: str) -> None:
    record = store.get(decision)
    if record is None or record.kind != "decision":
        raise click.ClickException(f"there is no decision {decision}")


def _value(text: str) -> Number:
    from decimal import Decimal, InvalidOperation

    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text) if text.lstrip("-").isdecimal() else Decimal(text)
    except InvalidOperation:
        raise click.BadParameter(
            f"`{text}` is no value of a metric: write true, false or a number", param_hint="VALUE"
        ) from None


@click.command("advance")
@click.argument("module", required=False)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@store_option
@json_option
def advance(module: str | None, dry_run: bool, store_path: str, as_json: bool) -> None:
    """Do what the criteria of modules say: roll back, promote, or wait. For a scheduler.

    Every step stands in the history with the figures that led to it. Calling it again does nothing new, and two
    that call it at once take each step once. Ends with 1 where a step that was due was refused.

    \b
    policylang rollout advance --store traces.duckdb
    policylang rollout advance refunds --dry-run --store traces.duckdb
    """
    from policylang.rollout.advancing import advance as advanced

    with changed(store_path) as store:
        found = advanced(store, module, dry_run=dry_run)
    if as_json:
        write_json([one.to_json() for one in found])
    else:
        for one in found:
            _told(one)
        if not found:
            click.echo("no version in shadow or canary has criteria")
    if any(one.refused for one in found):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _told(one: Advance) -> None:
    from policylang.cli.rollout_text import verdict_lines

    click.echo(f"{one.name} in {one.stage}: {one.did.value}")
    if one.refused:
        click.echo(f"  {one.refused}")
    for verdict in one.verdicts:
        for line in verdict_lines(verdict):
            click.echo(f"  {line}")
