"""The views of a store with their columns, and the audits that ship, as lines for a reader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policylang.trace.reading import TraceView

_VIEWS = """
    SELECT CASE WHEN schema_name = 'main' THEN view_name ELSE schema_name || '.' || view_name END AS name
    FROM duckdb_views()
    WHERE NOT internal AND database_name = current_database() AND schema_name IN ('main', 'facts')
    ORDER BY schema_name <> 'main', name"""


def view_names(view: TraceView) -> list[str]:
    """The names of the public views, those of single facts last."""
    return [name for (name,) in view.query(_VIEWS)[1]]


def view_lines(view: TraceView) -> Iterator[str]:
    """Each view, and what one row of it is."""
    from policylang.trace.documented import DOCUMENTED

    names = view_names(view)
    width = max(map(len, names), default=0)
    for name in names:
        known = DOCUMENTED.get(name)
        about = known.about if known is not None else "one row of that fact, in its types"
        yield f"{name.ljust(width)}  {about}"


def column_lines(view: TraceView, name: str) -> Iterator[str]:
    """Each column of a view, its type, and what it holds; nothing where there is no such view."""
    from policylang.trace.documented import DOCUMENTED
    from policylang.trace.views import quoted

    if name not in view_names(view):
        return
    # A fact's own name may have dots in it: `facts.book.payments` is the view `book.payments`.
    schema, dot, rest = name.partition(".")
    place = f"{quoted(schema)}.{quoted(rest)}" if dot else quoted(name)
    known = DOCUMENTED.get(name)
    rows = [(row[0], row[1]) for row in view.query(f"DESCRIBE {place}")[1]]
    widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
    for column, type_ in rows:
        about = known.columns.get(column, "") if known is not None else ""
        yield f"{column.ljust(widths[0])}  {type_.ljust(widths[1])}  {about}".rstrip()


def audit_lines() -> Iterator[str]:
    """Each audit that ships, its title, and its parameters with their defaults."""
    from policylang.trace.audit import audit, audit_names

    for name in audit_names():
        found = audit(name)
        given = " ".join(f"{key}={value}" for key, value in found.params.items())
        yield f"{name:32} {found.title}{f'  [{given}]' if given else ''}"
