"""`policylang audit`: questions about recorded decisions, in SQL and by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from policylang.cli.output import json_option, write_json
from policylang.cli.rows import rows_text
from policylang.cli.traces import existing, opened, personal_option, said, store_option

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("audit")
def command() -> None:
    """Ask questions about recorded decisions: in SQL over views, or by the name of an audit.

    \b
    policylang audit sql "SELECT day, outcome, decisions FROM daily" --store traces.duckdb
    policylang audit run denials_by_reason --store traces.duckdb --param since=2026-11-01
    policylang audit shell --store traces.duckdb
    """


_csv_option = click.option("--csv", "as_csv", is_flag=True, help="Write CSV.")


@command.command("sql")
@click.argument("query")
@store_option
@personal_option
@json_option
@_csv_option
def sql(query: str, store_path: str, personal: bool, as_json: bool, as_csv: bool) -> None:
    """Answer an SQL query over the views `decisions`, `reasons`, `facts`, `facts.NAME`, `daily`, ...

    \b
    policylang audit sql "SELECT day, outcome, decisions FROM daily" --store traces.duckdb
    policylang audit sql "SELECT id, action FROM decisions WHERE outcome = 'deny'" --csv --store traces.duckdb
    """
    with opened(store_path, personal=personal) as view:
        names, rows = view.query(query)
    _write(names, rows, as_json, as_csv)


@command.command("views")
@click.argument("name", metavar="[VIEW]", required=False)
@store_option
@json_option
def views(name: str | None, store_path: str, as_json: bool) -> None:
    """List the views of a store, or the columns of one of them.

    \b
    policylang audit views --store traces.duckdb
    policylang audit views decisions --store traces.duckdb
    """
    from policylang.cli.audit_views import columns_of, lines_of, views_of

    with opened(store_path) as view:
        found = list(views_of(view) if name is None else columns_of(view, name))
    if not found and name is not None:
        raise click.UsageError(f"no view `{name}`; `policylang audit views` shows them")
    if as_json:
        write_json(found)
    else:
        click.echo("\n".join(lines_of(found)))


@command.command("shell")
@store_option
@personal_option
def shell(store_path: str, personal: bool) -> None:
    """Ask one SQL query after another; `\\?` shows what else there is.

    Reads queries from standard input, each ended by `;`, where that is no terminal.

    \b
    policylang audit shell --store traces.duckdb
    policylang audit shell --store traces.duckdb < questions.sql
    """
    from policylang.cli.audit_shell import Shell
    from policylang.trace.reading import TraceView
    from policylang.trace.store import segments_of

    path = existing(store_path)
    with said(), Shell(lambda: TraceView(path, segments_of(path), personal=personal)) as asked:
        asked.run()
    if asked.failed and not asked.is_interactive:
        raise click.exceptions.Exit(1)


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the audits that ship, with their parameters.

    \b
    policylang audit list
    """
    from policylang.cli.audit_views import audit_lines, audits

    if as_json:
        write_json(list(audits()))
    else:
        click.echo("\n".join(audit_lines()))


@command.command("run")
@click.argument("name")
@store_option
@click.option(
    "--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the audit."
)
@personal_option
@json_option
@_csv_option
def run(
    name: str,
    store_path: str,
    params: tuple[str, ...],
    personal: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Run the audit NAME; `policylang audit list` shows them.

    \b
    policylang audit run denials_by_reason --store traces.duckdb --param since=30d
    policylang audit run allowed_above --store traces.duckdb --param field=amount --param above=500
    """
    from policylang.cli.audit_views import audit_values
    from policylang.trace.audit import audit, audit_names

    if name not in audit_names():
        raise click.UsageError(f"no audit `{name}`; `policylang audit list` shows them")
    found = audit(name)
    values = audit_values(found, params)
    with opened(store_path, personal=personal) as view:
        names, rows = view.query(found.sql, values or None)
    _write(names, rows, as_json, as_csv)


def _write(
    names: Sequence[str], rows: Sequence[Sequence[Any]], as_json: bool, as_csv: bool
) -> None:
    click.echo(rows_text(names, rows, "json" if as_json else "csv" if as_csv else "table"))
