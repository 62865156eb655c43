"""`policylang trace export`: write a store to Parquet files."""

from __future__ import annotations

from pathlib import Path

import click

from policylang.cli.output import counted, json_option, write_json
from policylang.cli.traces import opened, store_option


@click.command("export")
@click.argument("to", metavar="DIR", type=click.Path(path_type=Path))
@store_option
@json_option
def command(to: Path, store_path: str, as_json: bool) -> None:
    """Write everything that is recorded to Parquet files in DIR, one folder a day.

    DIR is read as a store is: `policylang trace verify --store DIR`. Personal values stay sealed.

    \b
    policylang trace export exported --store traces.duckdb
    """
    from policylang.trace.exporting import export

    with opened(store_path) as view:
        try:
            done = export(view, to)
        except OSError as error:
            raise click.ClickException(str(error)) from error
    if as_json:
        write_json({"records": done.records, "days": done.days})
    else:
        click.echo(f"{counted(done.records, 'record')} of {counted(done.days, 'day')} in {to}")
