"""`policylang trace retain`: drop what is older than a time."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

import click

from policylang.cli.output import counted, json_option, write_json
from policylang.cli.traces import existing, said, store_option

_DAYS: Final = re.compile(r"([1-9][0-9]{0,5})d")


@click.command("retain")
@store_option
@click.option("--older-than", required=True, metavar="DAYS", help="What to drop: 400d.")
@json_option
def command(store_path: str, older_than: str, as_json: bool) -> None:
    """Drop records that are older, in whole segments, and record how far each chain was dropped.

    What is left verifies, and is decided again: programs and reference data that it needs are kept. The file is
    made again without the rest, which takes as much space as what is left for as long as it lasts.

    \b
    policylang trace retain --store traces.duckdb --older-than 400d
    """
    from policylang.trace.store import TraceStore

    found = _DAYS.fullmatch(older_than)
    if found is None:
        raise click.BadParameter(
            f"`{older_than}` is no number of days: write 400d", param_hint="--older-than"
        )
    with said(), TraceStore.open(existing(store_path)) as store:
        done = store.retain(dt.timedelta(days=int(found[1])))
    if as_json:
        form = {"records": done.records, "segments": done.segments}
        write_json({**form, "record": done.record} if done.record else form)
    else:
        click.echo(f"{counted(done.records, 'record')} dropped")
