"""`policylang audit`: questions about recorded decisions, in SQL and by name."""

from __future__ import annotations

import csv
import datetime as dt
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import click

from policylang.cli.output import json_option, write_json
from policylang.cli.traces import opened, store_option


@click.group("audit")
def command() -> None:
    """Ask questions about recorded decisions: in SQL over views, or by the name of an audit.

    \b
    policylang audit sql "SELECT day, outcome, decisions FROM daily" --store traces.duckdb
    policylang audit run denials_by_reason --store traces.duckdb --param since=2026-11-01
    """


@command.command("sql")
@click.argument("query")
@store_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Write CSV.")
def sql(query: str, store_path: str, as_json: bool, as_csv: bool) -> None:
    """Answer an SQL query over the views `decisions`, `reasons`, `facts`, `facts.NAME`, `daily`, ..."""
    with opened(store_path) as view:
        names, rows = view.query(query)
    _write(names, rows, as_json, as_csv)


@command.command("list")
def list_() -> None:
    """List the audits that ship, with their parameters."""
    from policylang.trace.audit import audit, audit_names

    for name in audit_names():
        found = audit(name)
        given = " ".join(f"{key}={value}" for key, value in found.params.items())
        click.echo(f"{name:32} {found.title}{f'  [{given}]' if given else ''}")


@command.command("run")
@click.argument("name")
@store_option
@click.option(
    "--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the audit."
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Write CSV.")
def run(name: str, store_path: str, params: tuple[str, ...], as_json: bool, as_csv: bool) -> None:
    """Run the audit NAME; `policylang audit list` shows them."""
    from policylang.trace.audit import audit, audit_names

    if name not in audit_names():
        raise click.UsageError(f"no audit `{name}`; `policylang audit list` shows them")
    found = audit(name)
    values = dict(found.params)
    for text in params:
        key, equals, value = text.partition("=")
        if not equals or key not in values:
            known = ", ".join(values) or "none"
            raise click.BadParameter(f"`{text}` is not NAME=VALUE of {known}", param_hint="--param")
        values[key] = value
    with opened(store_path) as view:
        names, rows = view.query(found.sql, values or None)
    _write(names, rows, as_json, as_csv)


def _write(
    names: Sequence[str], rows: Sequence[Sequence[Any]], as_json: bool, as_csv: bool
) -> None:
    if as_json:
        write_json([dict(zip(names, map(_plain, row), strict=True)) for row in rows])
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(names)
        writer.writerows(rows)
    else:
        _table(names, [[_shown(value) for value in row] for row in rows])


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str | float):
        return value
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return format(value, "f") if isinstance(value, Decimal) else "" if value is None else str(value)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    for row in (names, ["-" * width for width in widths], *rows):
        click.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
