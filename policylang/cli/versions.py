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
    """List the published versions of modules, or of one MODULE, with the stage of each.

    \b
    policylang versions --store traces.duckdb
    policylang versions refunds@1.4.0 --text --store traces.duckdb
    """
    from policylang.rollout.rollouts import Rollouts
    from policylang.rollout.versions import the_version

    with changed(store_path) as store:
        if module is not None and "@" in module:
            with store.state.read() as reading:
                found = the_version(reading, module)
            if show_text:
                click.echo(found.text, nl=not found.text.endswith("\n"))
            else:
                write_json(found.to_json())
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


def _line(version: Version, status: Status) -> str:
    stage = status.modules[version.module].standing(version.version).stage.value
    at, by = version.published_at[:16].replace("T", " "), version.published_by
    return f"{version.name:24}  {stage:8}  {at}  {by:12}  {version.content[:12]}"


def _json(version: Version, status: Status) -> dict[str, object]:
    form = {name: value for name, value in version.to_json().items() if name != "text"}
    standing = status.modules[version.module].standing(version.version)
    return {**form, "stage": standing.stage.value}
