"""`policylang stop`: the kill switch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from policylang.cli.operators import changed, who_option, whoever
from policylang.cli.output import ExitCode, json_option, write_json
from policylang.cli.traces import store_option
from policylang.diagnostics import visible

if TYPE_CHECKING:
    from policylang.gate.stops import Stop


@click.command("stop")
@click.argument("name", required=False, metavar="[AGENT|ACTION|all]")
@click.option("--lift", is_flag=True, help="Let the calls run again.")
@click.option("--why", default="", metavar="TEXT", help="The reason, which is recorded.")
@who_option
@store_option
@json_option
def command(
    name: str | None, lift: bool, why: str, who: str | None, store_path: str, as_json: bool
) -> None:
    """Refuse the calls of an agent, of an action, or all of them, in every process that uses the store.

    A name means the agent and the action that are called so; `agent:NAME` and `action:NAME` mean one of them. Calls
    that run already are not interrupted. Without a name, the stops that are on are listed.

    \b
    policylang stop all --why "refunds are paid twice" --store traces.duckdb
    policylang stop agent:bot-7 --store traces.duckdb
    policylang stop all --lift --why "fixed in 1.4.1" --store traces.duckdb
    """
    from policylang.gate.stops import ACTION, AGENT, Stops

    if (name is None and (lift or why)) or name in ("", AGENT, ACTION):
        raise click.UsageError("name what is stopped: an agent, an action, or all")
    with changed(store_path) as store:
        stops = Stops(store.state)
        if name is None:
            _show(stops.all() if store.state.exists else (), as_json)
            return
        if lift:
            found = stops.lift(name, who=whoever(who), why=why)
        else:
            found = stops.stop(name, who=whoever(who), why=why)
    if found is None:
        raise _NotStoppedError(f"`{name}` is not stopped")
    if as_json:
        write_json({**found.to_json(), "event": "lifted" if lift else "stopped"})
    else:
        click.echo(f"{name} may run again" if lift else f"{name} is stopped")


class _NotStoppedError(click.ClickException):
    exit_code = ExitCode.FAILED


def _show(stops: tuple[Stop, ...], as_json: bool) -> None:
    if as_json:
        write_json([stop.to_json() for stop in stops])
        return
    for stop in stops:
        why = f": {stop.why}" if stop.why else ""
        click.echo(visible(f"{stop.name}  since {stop.at:%Y-%m-%d %H:%M:%S}Z by {stop.who}{why}"))
    if not stops:
        click.echo("nothing is stopped")
