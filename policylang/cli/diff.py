"""`policylang diff`: what differs between two versions of modules, by rule and by text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policylang.cli.loading import Deployment
from policylang.cli.operators import changed
from policylang.cli.output import ExitCode, json_option, write_json
from policylang.cli.traces import STORE_VARIABLE

if TYPE_CHECKING:
    from policylang.rollout.differences import Difference, Sided


@click.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option(
    "--store",
    "store_path",
    metavar="FILE",
    envvar=STORE_VARIABLE,
    help="The store that MODULE@VERSION is looked up in.  [env: POLICYLANG_STORE]",
)
@click.option("--text", "by_text", is_flag=True, help="Show the lines that differ, too.")
@click.option("--exit-code", is_flag=True, help="End with 1 where something differs.")
@json_option
def command(
    before: str, after: str, store_path: str | None, by_text: bool, exit_code: bool, as_json: bool
) -> None:
    """Show what differs from A to B, each a path or a published MODULE@VERSION.

    Rules, params, tables and declarations are compared by their meaning: comments, layout and the order of
    statements make no difference.

    \b
    policylang diff refunds@1.4.0 refunds.policy --store traces.duckdb
    policylang diff old/ new/ --text
    """
    from policylang.rollout.differences import compare, text_difference

    one, other = _sides(before, store_path), _sides(after, store_path)
    pairs = _pairs(one, other)
    found = [difference for pair in pairs for difference in compare(*pair)]
    gone = sorted(one.keys() - other.keys()), sorted(other.keys() - one.keys())
    lines = [line for pair in pairs for line in text_difference(*pair)] if by_text else []
    if "@" in before or "@" in after:
        # A version is of one module: the others of a bundle are not what is compared.
        gone = [], []
    if as_json:
        text = {"text": lines} if by_text else {}
        differences = [difference.to_json() for difference in found]
        write_json({"removed": gone[0], "added": gone[1], "differences": differences, **text})
    else:
        _show(found, gone, lines)
    if exit_code and (found or any(gone)):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _show(
    found: Sequence[Difference], gone: tuple[list[str], list[str]], lines: Sequence[str]
) -> None:
    for word, names in zip(("removed", "added"), gone, strict=True):
        for name in names:
            click.echo(f"{word}: module {name}")
    module = ""
    for difference in found:
        if difference.module != module:
            module = difference.module
            click.echo(f"module {module}")
        _show_one(difference)
    if not found and not any(gone):
        click.echo("no difference in meaning")
    for line in lines:
        click.echo(line)


def _show_one(difference: Difference) -> None:
    click.echo(f"  {difference.change.value} {difference.kind} {difference.name}".rstrip())
    for part in difference.parts:
        click.echo(f"    {part.name}:")
        click.echo(f"    - {part.before or '(none)'}")
        click.echo(f"    + {part.after or '(none)'}")


def _sides(name: str, store_path: str | None) -> Mapping[str, Sided]:
    """The modules of one side by name: of a published version, or of the bundle at a path."""
    from policylang.rollout.publishing import modules_in
    from policylang.rollout.versions import the_version

    if "@" in name and not Path(name).exists():
        if store_path is None:
            raise click.UsageError(f"`{name}` is looked up in a store: give --store")
        with changed(store_path) as store, store.state.read() as reading:
            found = the_version(reading, name)
        return {found.module: found}
    with Deployment((name,), (), (), "auto").load() as bundle:
        return {version.module: version for version in modules_in(bundle)}


def _pairs(one: Mapping[str, Sided], other: Mapping[str, Sided]) -> list[tuple[Sided, Sided]]:
    pairs = [(side, other[name]) for name, side in one.items() if name in other]
    if not pairs:
        raise click.UsageError(
            f"there is no module in both: {', '.join(one) or 'none'}; {', '.join(other) or 'none'}"
        )
    return pairs
