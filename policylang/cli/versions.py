"""`policylang versions`: what is published in a store, and where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from policylang.cli.operators import changed
from policylang.cli.output import json_option, write_json
from policylang.cli.traces import store_option

if TYPE_CHECKING:
    from policylang.rollout.rollouts import Status
    from policylang.rollout.versions import Version


@click.command("versions")
@click.argument("module", required=False, metavar="[MODULE[@VERSION]]")
@store_option
@click.option("--text", "show_text", is_flag=True, help="Show the text of MODULE@VERSION.")
@json_option
def command(module: str | None, store_path: str, show_text: bool, as_json: bool) -> None:
    """List the published versions of modules, or of one MODULE, with the stage of each; or show one version.

    \b
    policylang versions --store traces.duckdb
    policylang versions refunds@1.4.0 --store traces.duckdb
    policylang versions refunds@1.4.0 --text --store traces.duckdb
    """
    from policylang.rollout.rollouts import Rollouts
    from policylang.rollout.versions import the_version

    with changed(store_path) as store:
        if module is not None and "@" in module:
            with store.state.read() as reading:
                found = the_version(reading, module)
            _show(found, Rollouts(store).status(found.module), as_text=show_text, as_json=as_json)
            return
        if show_text:
            raise click.UsageError("--text is for one version: give MODULE@VERSION")
        status = Rollouts(store).status(module)
    found_all = [version for versions in status.versions.values() for version in versions]
    if as_json:
        write_json([_json(version, status) for version in found_all])
        return
    for version in found_all:
        click.echo(_line(version, status))


def _show(version: Version, status: Status, *, as_text: bool, as_json: bool) -> None:
    """One version: its text alone, as JSON with the text in it, or what there is to know of it."""
    if as_text and not as_json:
        click.echo(version.text, nl=not version.text.endswith("\n"))
        return
    standing = status.modules[version.module].standing(version.version)
    if as_json:
        write_json({**version.to_json(), "stage": standing.stage.value})
        return
    since = f" since {standing.since[:19]}Z" if standing.since else ""
    click.echo(f"{version.name}  {standing.stage.value}{since}")
    click.echo(
        f"  published  {version.published_at[:19]}Z by {version.published_by}, {version.file}"
    )
    for name, digest in (
        ("content", version.content),
        ("digest", version.digest),
        ("meaning", version.meaning),
    ):
        click.echo(f"  {name:9}  {digest}")
    for name, value in version.params.items():
        click.echo(f"  param      {name} = {value}")
    for name, digest in version.reference.items():
        click.echo(f"  reference  {name}  {digest}")


def _line(version: Version, status: Status) -> str:
    stage = status.modules[version.module].standing(version.version).stage.value
    at, by = version.published_at[:16].replace("T", " "), version.published_by
    return f"{version.name:24}  {stage:8}  {at}  {by:12}  {version.content[:12]}"


def _json(version: Version, status: Status) -> dict[str, object]:
    form = {name: value for name, value in version.to_json().items() if name != "text"}
    standing = status.modules[version.module].standing(version.version)
    return {**form, "stage": standing.stage.value}
