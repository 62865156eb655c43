"""`policylang config`: the settings of the project, and where they come from."""

from __future__ import annotations

from pathlib import Path

import click

from policylang.cli.output import json_option, write_json


@click.command("config")
@json_option
def command(as_json: bool) -> None:
    """Show the settings of the project that this folder is in.

    They stand in `policylang.toml`, or in the table `[tool.policylang]` of `pyproject.toml`, here or in a folder
    above. What the command line or the environment says comes before them.

    \b
    policylang config
    policylang config --json
    """
    from policylang.bundle.settings import find_settings
    from policylang.bundle.settings_file import OWN_FILE, PROJECT_FILE, TABLE

    settings = find_settings(Path.cwd())
    shown = settings.model_dump(mode="json")
    if as_json:
        write_json({"file": str(settings.file) if settings.file else None, **shown})
        return
    if settings.file is None:
        click.echo(
            f"no settings: neither {OWN_FILE} nor [{TABLE}] in {PROJECT_FILE}, here or above"
        )
    else:
        click.echo(f"from {settings.file}")
    for name, value in shown.items():
        click.echo(f"{name} = {_text(value)}")


def _text(value: object) -> str:
    match value:
        case _ if not value:
            return "-"
        case list():
            return ", ".join(str(item) for item in value)
        case dict():
            return ", ".join(f"{name}={item}" for name, item in value.items())
        case _:
            return str(value)
