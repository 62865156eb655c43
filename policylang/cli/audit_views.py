"""The views of a store with their columns, and the audits that ship, as lines for a reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from policylang.cli.traces import time_of

if TYPE_CHECKING:
    from policylang.trace.audit import Audit
    from policylang.trace.reading import TraceView

_VIEWS = """
    SELECT CASE WHEN schema_name = 'main' THEN view_name ELSE schema_name || '.' || view_name END AS name
    FROM duckdb_views()
    WHERE NOT internal AND database_name = current_database() AND schema_name IN ('main', 'facts')
    ORDER BY schema_name <> 'main', name"""


def view_names(view: TraceView) -> list[str]:
    """The names of the public views, those of single facts last."""
    return [name for (name,) in view.query(_VIEWS)[1]]


def views_of(view: TraceView) -> Iterator[dict[str, str]]:
    """Each view, and what one row of it is."""
    from policylang.trace.documented import DOCUMENTED

    for name in view_names(view):
        known = DOCUMENTED.get(name)
        about = known.about if known is not None else "one row of that fact, in its types"
        yield {"view": name, "about": about}


def columns_of(view: TraceView, name: str) -> Iterator[dict[str, str]]:
    """Each column of a view, its type, and what it holds; nothing where there is no such view."""
    from policylang.trace.documented import DOCUMENTED
    from policylang.trace.sql import quoted

    if name not in view_names(view):
        return
    # A fact's own name may have dots in it: `facts.book.payments` is the view `book.payments`.
    schema, dot, rest = name.partition(".")
    place = f"{quoted(schema)}.{quoted(rest)}" if dot else quoted(name)
    known = DOCUMENTED.get(name)
    for column, type_, *_ in view.query(f"DESCRIBE {place}")[1]:
        about = known.columns.get(column, "") if known is not None else ""
        yield {"column": column, "type": type_, "about": about}


def audits() -> Iterator[dict[str, Any]]:
    """Each audit that ships, its title, and its parameters with their defaults."""
    from policylang.trace.audit import audit, audit_names

    for name in audit_names():
        found = audit(name)
        yield {"audit": name, "title": found.title, "params": dict(found.params)}


def audit_values(found: Audit, given: Sequence[str]) -> dict[str, str]:
    """The parameters of an audit, with those that were given as `NAME=VALUE` in place of their defaults.

    Raises `click.BadParameter` where one is none of them, or `since` is no time; `30d` is one, as in filters.
    """
    values = dict(found.params)
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or key not in values:
            known = ", ".join(values) or "none"
            raise click.BadParameter(f"`{text}` is not NAME=VALUE of {known}", param_hint="--param")
        values[key] = time_of(value, "--param since") if key == "since" else value
    return values


def lines_of(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Views or columns as lines, in which everything but the last is as wide as its widest."""
    if not rows:
        return
    *fields, last = rows[0]
    widths = {field: max(len(row[field]) for row in rows) for field in fields}
    for row in rows:
        shown = [row[field].ljust(widths[field]) for field in fields]
        yield "  ".join([*shown, row[last]]).rstrip()


def audit_lines() -> Iterator[str]:
    """Each audit that ships, its title, and its parameters with their defaults, as lines."""
    for found in audits():
        given = " ".join(f"{key}={value}" for key, value in found["params"].items())
        yield f"{found['audit']:32} {found['title']}{f'  [{given}]' if given else ''}"
