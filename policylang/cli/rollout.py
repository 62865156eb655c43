"""`policylang rollout`: take versions through their stages, and see where they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from policylang.cli.operators import changed, who_option, whoever
from policylang.cli.output import json_option, write_json
from policylang.cli.rollout_report import advance, metric, report
from policylang.cli.traces import store_option
from policylang.diagnostics import visible

if TYPE_CHECKING:
    from policylang.rollout.rollouts import Status
    from policylang.rollout.stages import Standing, Transition

Command = TypeVar("Command", bound=Callable[..., Any])

_STAGES = ("shadow", "canary", "active")


@click.group("rollout")
def command() -> None:
    """Take published versions through their stages: draft, shadow, canary, active, and back.

    \b
    policylang rollout start refunds@1.5.0 --store traces.duckdb
    policylang rollout status --store traces.duckdb
    policylang rollout rollback refunds --why "too many refusals" --store traces.duckdb
    """


for _command in (report, metric, advance):
    command.add_command(_command)


def step_options(command: Command) -> Command:
    """Add the options of every step: the store, who asks, why, and JSON."""
    for option in (
        json_option,
        click.option("--why", default="", metavar="TEXT", help="Why, for the history."),
        who_option,
        store_option,
    ):
        command = option(command)
    return command


def consent_options(command: Command) -> Command:
    """Add what an operator can agree to in a step forward."""
    for option in (
        click.option(
            "--drop-action",
            "dropped_actions",
            multiple=True,
            metavar="NAME",
            help="Agree to the loss of an action that callers may ask for.",
        ),
        click.option(
            "--allow-loosening",
            is_flag=True,
            help="Agree to answers that are less strict than live.",
        ),
        click.option(
            "--by",
            "keys",
            multiple=True,
            metavar="PATH",
            help="The key that requests are sliced by, in place of the module's `rollout by`.",
        ),
        click.option(
            "--slice",
            "slice_",
            metavar="PERCENT",
            help="The share of keys in the canary: 0.1% to 100%.",
        ),
    ):
        command = option(command)
    return command


@command.command("start")
@click.argument("names", nargs=-1, required=True, metavar="MODULE@VERSION...")
@click.option(
    "--stage",
    type=click.Choice(_STAGES),
    default="shadow",
    show_default=True,
    help="Where it starts.",
)
@consent_options
@click.option("--inline", is_flag=True, help="Evaluate the shadow before the caller goes on.")
@click.option(
    "--shadow-for", metavar="TIME", help="Refuse a canary before so long in shadow: 24h, 3d."
)
@click.option(
    "--errors",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="The errors at which the canary is rolled back.",
)
@step_options
def start(
    names: tuple[str, ...],
    stage: str,
    slice_: str | None,
    keys: tuple[str, ...],
    allow_loosening: bool,
    dropped_actions: tuple[str, ...],
    inline: bool,
    shadow_for: str | None,
    errors: int,
    store_path: str,
    who: str | None,
    why: str,
    as_json: bool,
) -> None:
    """Begin the rollout of drafts: in shadow, unless told otherwise.

    A version becomes active at once only where no other of its module is. Several names are started together or not
    at all.

    \b
    policylang rollout start refunds@1.4.0 --stage active --store traces.duckdb
    policylang rollout start refunds@1.5.0 --shadow-for 24h --store traces.duckdb
    """
    from policylang.rollout.rollouts import Rollouts
    from policylang.rollout.stages import Settings, Stage

    settings = Settings(
        by=keys,
        share=_share(slice_) or 0,
        allow_loosening=allow_loosening,
        inline=inline,
        shadow_seconds=_seconds(shadow_for),
        error_budget=errors,
        dropped_actions=dropped_actions,
    )
    with changed(store_path) as store:
        taken = Rollouts(store).start(
            *names, by=whoever(who), why=why, stage=Stage(stage), settings=settings
        )
    for transition in taken:
        _told(transition, as_json)


@command.command("promote")
@click.argument("name", metavar="MODULE@VERSION")
@click.option(
    "--from",
    "seen",
    type=click.Choice(_STAGES[:2]),
    help="Refuse where it is not in this stage (any more).",
)
@consent_options
@step_options
def promote(
    name: str,
    seen: str | None,
    slice_: str | None,
    keys: tuple[str, ...],
    allow_loosening: bool,
    dropped_actions: tuple[str, ...],
    store_path: str,
    who: str | None,
    why: str,
    as_json: bool,
) -> None:
    """Take a version one stage on: from shadow to canary, from canary to active. `--slice` resizes a canary.

    A slice that grows keeps everyone who was in it.

    \b
    policylang rollout promote refunds@1.5.0 --from shadow --slice 5% --store traces.duckdb
    policylang rollout promote refunds@1.5.0 --slice 25% --store traces.duckdb
    """
    from policylang.rollout.rollouts import Rollouts
    from policylang.rollout.stages import Stage

    with changed(store_path) as store:
        taken = Rollouts(store).promote(
            name,
            by=whoever(who),
            why=why,
            share=_share(slice_),
            seen=Stage(seen) if seen is not None else None,
            allow_loosening=allow_loosening,
            keys=keys,
            dropped_actions=dropped_actions,
        )
    _told(taken, as_json)


@command.command("hold")
@click.argument("name", metavar="MODULE@VERSION")
@click.option("--release", is_flag=True, help="Let it go on.")
@step_options
def hold(
    name: str, release: bool, store_path: str, who: str | None, why: str, as_json: bool
) -> None:
    """Keep a version in its stage: it is not promoted until it is released. Rolling it back stays possible.

    \b
    policylang rollout hold refunds@1.5.0 --why "waiting for support" --store traces.duckdb
    """
    from policylang.rollout.rollouts import Rollouts

    with changed(store_path) as store:
        taken = Rollouts(store).hold(name, by=whoever(who), why=why, release=release)
    _told(taken, as_json)


@command.command("rollback")
@click.argument("name", metavar="MODULE[@VERSION]")
@click.option("--to", metavar="VERSION", help="The earlier active version to go back to.")
@step_options
def rollback(
    name: str, to: str | None, store_path: str, who: str | None, why: str, as_json: bool
) -> None:
    """Take a version back at once: a canary out of its slice, the active one in favour of the one before it.

    Of a MODULE it is the canary, or else the active version. Nothing is asked of what is rolled back: it need not
    even load.

    \b
    policylang rollout rollback refunds --why "refunds of pro customers are refused" --store traces.duckdb
    policylang rollout rollback refunds --to 1.3.0 --store traces.duckdb
    """
    from policylang.rollout.rollouts import Rollouts

    with changed(store_path) as store:
        taken = Rollouts(store).rollback(name, by=whoever(who), why=why, to=to)
    _told(taken, as_json)


@command.command("retire")
@click.argument("name", metavar="MODULE@VERSION")
@step_options
def retire(name: str, store_path: str, who: str | None, why: str, as_json: bool) -> None:
    """End a version for good.

    \b
    policylang rollout retire refunds@1.5.0 --why "1.6.0 is better" --store traces.duckdb
    """
    from policylang.rollout.rollouts import Rollouts

    with changed(store_path) as store:
        taken = Rollouts(store).retire(name, by=whoever(who), why=why)
    _told(taken, as_json)


@command.command("status")
@click.argument("module", required=False)
@store_option
@click.option("--all", "show_all", is_flag=True, help="Drafts and retired versions, too.")
@json_option
def status(module: str | None, store_path: str, show_all: bool, as_json: bool) -> None:
    """Show where versions stand, and what was counted of those in shadow and canary.

    \b
    policylang rollout status --store traces.duckdb
    policylang rollout status refunds --all --store traces.duckdb
    """
    from policylang.rollout.rollouts import Rollouts

    with changed(store_path) as store:
        rollouts = Rollouts(store)
        found = rollouts.status(module)
        problems = rollouts.problems(found)
    if as_json:
        write_json({name: _module_json(name, found, problems) for name in found.versions})
        return
    for name, versions in found.versions.items():
        click.echo(name)
        known = [found.modules[name].standing(version.version) for version in versions]
        shown = [one for one in known if show_all or one.stage.value in _STAGES]
        for standing in shown:
            click.echo(_standing_line(standing, found.counted.get(standing.rollout, {})))
            if standing.name in problems:
                click.echo(f"    no program with the active modules: {problems[standing.name]}")
        if len(shown) < len(known):
            click.echo(f"  and {len(known) - len(shown)} in no stage: --all shows them")


@command.command("history")
@click.argument("module", required=False)
@store_option
@json_option
def history(module: str | None, store_path: str, as_json: bool) -> None:
    """Show every step that was taken: when, by whom, why. Automatic ones are explained.

    \b
    policylang rollout history refunds --store traces.duckdb
    """
    from policylang.rollout.rollouts import Rollouts

    with changed(store_path) as store:
        taken = Rollouts(store).history(module)
    if as_json:
        write_json([{"sequence": t.sequence, **t.to_json()} for t in taken])
        return
    for transition in taken:
        step = f"{_step_line(transition)}  by {transition.by}{_why(transition)}"
        click.echo(visible(f"{transition.at[:19]}Z  {step}"))


def _share(text: str | None) -> int | None:
    from policylang.diagnostics import Diagnostic
    from policylang.errors import PolicyInvalid
    from policylang.rollout.slicing import read_share

    if text is None:
        return None
    share = read_share(text)
    if isinstance(share, Diagnostic):
        raise PolicyInvalid([share])
    return share


def _seconds(text: str | None) -> int:
    sizes = {"m": 60, "h": 3_600, "d": 86_400}
    if text is None:
        return 0
    if not text[:-1].isdecimal() or text[-1:] not in sizes:
        raise click.BadParameter(
            f"`{text}` is no time: write 24h, 3d or 30m", param_hint="--shadow-for"
        )
    return int(text[:-1]) * sizes[text[-1]]


def _told(transition: Transition, as_json: bool) -> None:
    if as_json:
        write_json({"sequence": transition.sequence, **transition.to_json()})
    else:
        click.echo(visible(f"{_step_line(transition)}{_why(transition)}"))


def _step_line(transition: Transition) -> str:
    before, after = transition.before.value, transition.after.value
    moved = f"{before} -> {after}" if before != after else before
    back = f", {transition.restores} is active again" if transition.restores else ""
    return f"{transition.name}  {transition.step.value}  {moved}{back}"


def _why(transition: Transition) -> str:
    return f": {transition.why}" if transition.why else ""


def _standing_line(standing: Standing, counted: Mapping[str, int]) -> str:
    from policylang.rollout.slicing import percent

    held = ", held" if standing.is_held else ""
    share = ""
    if standing.stage.value == "canary":
        share = f" of {percent(standing.settings.share)}"
    since = f" since {standing.since[:19]}Z" if standing.since else ""
    line = f"  {standing.version:10}  {standing.stage.value}{share}{held}{since}"
    if standing.stage.value not in ("shadow", "canary"):
        return line
    return f"{line}\n    {_counted_text(counted)}"


def _counted_text(counted: Mapping[str, int]) -> str:
    shown = ("compared", "same", "tighter", "looser", "held back", "error", "dropped")
    found = [f"{name} {counted[name]}" for name in shown if counted.get(name)]
    return ", ".join(found) or "compared 0"


def _module_json(name: str, found: Status, problems: Mapping[str, str]) -> dict[str, Any]:
    module = found.modules[name]
    return {
        "active": module.active,
        "sequence": module.sequence,
        "versions": [
            _version_json(module.standing(version.version), found, problems)
            for version in found.versions[name]
        ],
    }


def _version_json(standing: Standing, found: Status, problems: Mapping[str, str]) -> dict[str, Any]:
    form: dict[str, Any] = {
        "version": standing.version,
        "stage": standing.stage.value,
        "since": standing.since,
        "rollout": standing.rollout,
        "held": standing.is_held,
        "settings": standing.settings.to_json(),
        "counted": dict(found.counted.get(standing.rollout, {})),
        "problem": problems.get(standing.name, ""),
    }
    return {name: value for name, value in form.items() if value not in ("", False, {})}
