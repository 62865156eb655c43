"""How the settings of a project reach commands: as defaults of what is not said on the command line."""

from __future__ import annotations

from collections.abc import Callable
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from policylang.bundle.settings import Settings

_SETTINGS: Final = "policylang.settings"

# The names that commands give to what a project can say once.
_DEFAULTS: Final[dict[str, Callable[[Settings], object]]] = {
    "policies": lambda settings: [relpath(path) for path in settings.policies],
    "paths": lambda settings: [relpath(path) for path in settings.policies],
    "policy": lambda settings: (
        relpath(settings.policies[0]) if len(settings.policies) == 1 else None
    ),
    "store_path": lambda settings: settings.store and relpath(settings.store),
    "evaluator": lambda settings: settings.evaluator,
}


def apply_settings(ctx: click.Context, command: click.Command) -> None:
    """Make the settings of the project the defaults of a command, and of those below it.

    Raises `PolicyInvalid` where the settings are wrong. A folder without settings costs a look for two files.
    """
    from policylang.bundle.settings_file import written_settings

    here = Path.cwd()
    if written_settings(here) is None:
        return
    from policylang.bundle.settings import find_settings

    settings = find_settings(here)
    ctx.meta[_SETTINGS] = settings
    ctx.default_map = {command.name or "": _defaults(command, settings)}


def configured(ctx: click.Context) -> tuple[dict[str, object], dict[str, str]]:
    """The params and the reference data of the settings, where their policies are what is loaded."""
    settings = ctx.meta.get(_SETTINGS)
    sources = [ctx.get_parameter_source(name) for name in ("policies", "paths", "policy")]
    if settings is None or ParameterSource.DEFAULT_MAP not in sources:
        return {}, {}
    return dict(settings.params), dict(settings.reference)


def _defaults(command: click.Command, settings: Settings) -> dict[str, Any]:
    if isinstance(command, click.Group):
        return {name: _defaults(below, settings) for name, below in command.commands.items()}
    found: dict[str, Any] = {}
    for parameter in command.params:
        say = _DEFAULTS.get(parameter.name or "")
        value = say(settings) if say is not None else None
        if value:
            found[parameter.name or ""] = value
    return found
