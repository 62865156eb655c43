"""`policylang stdlib`: what the standard library has, and how it is written."""

from __future__ import annotations

import dataclasses
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from policylang.cli.output import json_option, write_json
from policylang.packaged import STDLIB_PREFIX, stdlib_names

if TYPE_CHECKING:
    from policylang.bundle.stdlib import StandardModule


@click.group("stdlib")
def command() -> None:
    """Read the modules that policies start from.

    A policy imports them with `use std.NAME`.

    \b
    policylang stdlib list
    policylang stdlib show agents
    policylang stdlib show std.calendar --outline
    """


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the modules, with what each is for.

    \b
    policylang stdlib list
    """
    from policylang.bundle.stdlib import standard_modules

    modules = standard_modules()
    if as_json:
        write_json([{"name": m.name, "version": m.version, "summary": m.summary} for m in modules])
        return
    width = max(len(module.name) for module in modules)
    for module in modules:
        click.echo(f"{module.name:{width}}  {module.version}  {module.summary}")


def _names(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    prefix = f"{STDLIB_PREFIX}." if begun.startswith(STDLIB_PREFIX) else ""
    return [prefix + name for name in stdlib_names() if (prefix + name).startswith(begun)]


@command.command("show")
@click.argument("name", shell_complete=_names)
@click.option("--outline", is_flag=True, help="What it declares, without how.")
@json_option
def show(name: str, outline: bool, as_json: bool) -> None:
    """Show the module NAME as it is written; its prefix `std.` may be left out.

    \b
    policylang stdlib show agents
    policylang stdlib show std.calendar --outline
    """
    module = _found(name)
    if as_json:
        write_json(_json(module, outline))
    elif outline:
        _outline(module)
    else:
        click.echo(module.source, nl=False)


def _found(name: str) -> StandardModule:
    from policylang.bundle.stdlib import standard_modules

    modules = {module.name: module for module in standard_modules()}
    wanted = name if name.startswith("std.") else f"std.{name}"
    if wanted in modules:
        return modules[wanted]
    prefix = f"{STDLIB_PREFIX}."
    close = get_close_matches(wanted.removeprefix(prefix), stdlib_names(), n=1)
    hint = (
        f"; did you mean `{prefix}{close[0]}`?"
        if close
        else "; `policylang stdlib list` has them all"
    )
    raise click.UsageError(f"the standard library has no module `{name}`{hint}")


def _json(module: StandardModule, outline: bool) -> dict[str, Any]:
    described = dataclasses.asdict(module)
    del described["declared" if not outline else "source"]
    return described


def _outline(module: StandardModule) -> None:
    click.echo(f"{module.name} {module.version}\n{module.doc}")
    for declared in module.declared:
        click.echo(f"\n{declared.form}")
        for line in declared.doc.splitlines():
            click.echo(f"    {line}")
