"""`policylang init`: a small project that passes its own tests."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from policylang.cli.output import json_option, write_json, writing


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Make a small project in DIR: a policy with tests, and requests to decide.

    No file that is already there is touched: if one is in the way, nothing is written.

    \b
    policylang init refunds
    """
    if folder.exists() and not folder.is_dir():
        raise click.ClickException(f"{folder} is a file; name a folder, which is made")
    project = dict(_files(files("policylang.cli").joinpath("project")))
    present = [name for name in project if (folder / name).exists()]
    if present:
        raise click.ClickException(f"{folder / present[0]} is already there; nothing was written")
    for name, content in project.items():
        path = folder / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    _say(folder, sorted(project), as_json)


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.read_bytes()


def _say(folder: Path, names: list[str], as_json: bool) -> None:
    if as_json:
        write_json({"folder": str(folder), "created": names})
        return
    for name in names:
        click.echo(f"created {folder / name}")
    click.echo(
        f"\nnext: cd {folder}\n"
        "      policylang test\n"
        "      policylang eval --request requests/small_refund.json\n"
        "      python agent.py"
    )
