"""`policylang publish`: modules into a store, each under its version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from policylang.cli.loading import Deployment, deployment_options
from policylang.cli.operators import changed, who_option, whoever
from policylang.cli.output import json_option, write_json
from policylang.cli.traces import store_option

if TYPE_CHECKING:
    from policylang.rollout.publishing import Published


@click.command("publish")
@click.argument("policies", nargs=-1, required=True, metavar="PATH...")
@store_option
@deployment_options
@who_option
@json_option
def command(
    policies: tuple[str, ...],
    store_path: str,
    params: tuple[str, ...],
    reference: tuple[str, ...],
    evaluator: Literal["auto", "plan", "asp"],
    who: str | None,
    as_json: bool,
) -> None:
    """Put the modules of a bundle into a store, each under its name and version. Nothing is decided by them yet.

    What is given is one bundle: modules, params and reference data together. A version never changes: the same one with
    another content is refused, and the difference is shown. Comments and layout are no difference.

    \b
    policylang publish policies/ --store traces.duckdb
    policylang publish refunds.policy --param auto_limit=250.00 --store traces.duckdb
    """
    from policylang.rollout.publishing import publish

    loaded = Deployment(policies, params, reference, evaluator).load()
    with loaded as bundle, changed(store_path, make=True) as store:
        published = publish(store, bundle, by=whoever(who))
    if as_json:
        write_json([_json(one) for one in published])
        return
    for one in published:
        click.echo(f"{one.version.name}  {one.publication.value}  {one.version.content[:12]}")


def _json(one: Published) -> dict[str, object]:
    form = {name: value for name, value in one.version.to_json().items() if name != "text"}
    return {**form, "publication": one.publication.value}
