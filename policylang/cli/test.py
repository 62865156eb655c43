"""`policylang test`: the tests that stand in policies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from policylang.cli.loading import Deployment, deployment_options
from policylang.cli.output import ExitCode, json_option, write_file, write_json

if TYPE_CHECKING:
    from policylang.bundle.bundle import Bundle
    from policylang.bundle.coverage import Coverage
    from policylang.bundle.testing import ScenarioResult


@click.command("test")
@click.argument("policies", metavar="[PATH]...", nargs=-1)
@click.option(
    "-k", "wanted", multiple=True, metavar="TEXT", help="Run the tests whose name holds TEXT."
)
@click.option("-q", "--quiet", is_flag=True, help="Show only the tests that fail.")
@click.option(
    "--junit", type=click.Path(path_type=Path), help="Write the results to a file of JUnit XML."
)
@click.option(
    "--coverage",
    "show_coverage",
    is_flag=True,
    help="Show the rules and `or` branches that no test made fire.",
)
@click.option(
    "--fail-under",
    type=click.IntRange(0, 100),
    metavar="N",
    help="Fail where less than N percent of them fired.",
)
@deployment_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    policies: tuple[str, ...],
    wanted: tuple[str, ...],
    quiet: bool,
    junit: Path | None,
    show_coverage: bool,
    fail_under: int | None,
    params: tuple[str, ...],
    reference: tuple[str, ...],
    evaluator: Literal["auto", "plan", "asp"],
    as_json: bool,
) -> None:
    """Run the tests of the policies in PATH (here, if none is given).

    A test that fails shows what was expected and what was decided, with its proof.

    \b
    policylang test
    policylang test policies/ -k refund
    policylang test policies/ --coverage --fail-under 90 --junit results.xml
    """
    with Deployment(policies or (".",), params, reference, evaluator).load() as bundle:
        results = _run(bundle, wanted, as_json=as_json, quiet=quiet)
        covered = _coverage(bundle, results) if show_coverage or fail_under is not None else None
    if junit is not None:
        from policylang.bundle.junit import junit_xml

        write_file(junit, junit_xml(results))
    _summarize(results, covered, as_json)
    enough = covered is None or fail_under is None or covered.percent >= fail_under
    if not enough and not as_json:
        click.echo(f"less than {fail_under}% fired")
    passed = bool(results) and all(result.passed for result in results)
    ctx.exit(ExitCode.OK if passed and enough else ExitCode.FAILED)


def _run(bundle: Bundle, wanted: Sequence[str], as_json: bool, quiet: bool) -> list[ScenarioResult]:
    from policylang.bundle.testing import run_tests, select
    from policylang.cli.results import result_text

    own = _own_modules(bundle)
    scenarios = [scenario for scenario in bundle.scenarios if scenario.module in own]
    results = []
    for result in run_tests(bundle, select(scenarios, wanted)):
        results.append(result)
        if not as_json and not (quiet and result.passed):
            click.echo(result_text(result), color=True)
    return results


def _own_modules(bundle: Bundle) -> frozenset[str]:
    """The modules of the bundle, without those of the standard library that it uses."""
    from policylang.packaged import STDLIB_PREFIX

    names = (module.name for module in bundle.program.modules)
    return frozenset(name for name in names if not name.startswith(f"{STDLIB_PREFIX}."))


def _coverage(bundle: Bundle, results: Sequence[ScenarioResult]) -> Coverage:
    from policylang.bundle.coverage import coverage

    return coverage(bundle.program, [result.case for result in results], _own_modules(bundle))


def _summarize(results: Sequence[ScenarioResult], covered: Coverage | None, as_json: bool) -> None:
    from policylang.cli.results import coverage_text, results_json, summary_text

    if as_json:
        write_json(results_json(results, covered))
        return
    click.echo(summary_text(results))
    if covered is not None:
        click.echo(coverage_text(covered))
