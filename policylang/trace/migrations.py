"""The tables of a file, made or brought forward to the form that this version knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import duckdb

from policylang.trace.tables import STORE_FORM, create_tables, refill
from policylang.trace.writer import TraceUnavailableError

Step = Callable[[duckdb.DuckDBPyConnection], None]

_FORMER: Final = (
    "decisions",
    "firings",
    "fact_rows",
    "reasons",
    "modules",
    "columns",
    "rules",
    "outcomes",
)
"""The tables of form 1 that are views now."""


def _columns_beside_texts(database: duckdb.DuckDBPyConnection) -> None:
    """From form 1, which kept what is read from texts in tables of its own."""
    (found,) = database.execute(
        "SELECT list(schema_name || '.\"' || replace(view_name, '\"', '\"\"') || '\"') FROM duckdb_views()"
        " WHERE NOT internal AND database_name = current_database() AND schema_name IN ('main', 'facts')"
    ).fetchall()
    for view in found[0] or ():
        database.execute(f"DROP VIEW {view}")
    for name in _FORMER:
        database.execute(f"DROP TABLE IF EXISTS base.{name}")
    database.execute("ALTER TABLE base.records RENAME TO records_1")
    database.execute("ALTER TABLE base.ledger RENAME TO ledger_1")
    create_tables(database, "base", stored=True)
    refill(database, "base", "base.records_1")
    database.execute("INSERT INTO base.ledger SELECT *, false FROM base.ledger_1")
    database.execute("DROP TABLE base.records_1")
    database.execute("DROP TABLE base.ledger_1")


STEPS: Final[Mapping[int, Step]] = {1: _columns_beside_texts}
"""What brings a file of a form to the next one. `records` never changes: it is what was recorded."""


def prepare(database: duckdb.DuckDBPyConnection, steps: Mapping[int, Step] = STEPS) -> None:
    """Make the tables of an empty file, or bring those of an older form forward, in one transaction; views are `keep_views`'s.

    Raises `TraceUnavailableError` where the file is of a newer form, or no store.
    """
    form = form_of(database)
    if form == STORE_FORM:
        return
    database.execute("BEGIN")
    if form is None:
        create_tables(database, "base", stored=True)
        database.execute("CREATE TABLE base.form (version INTEGER)")
        database.execute("INSERT INTO base.form VALUES (?)", [STORE_FORM])
    else:
        for version in range(form, STORE_FORM):
            steps[version](database)
        database.execute("UPDATE base.form SET version = ?", [STORE_FORM])
        database.execute("COMMENT ON TABLE base.form IS NULL")
    database.execute("COMMIT")


def form_of(database: duckdb.DuckDBPyConnection, catalog: str | None = None) -> int | None:
    """The form of the tables in a file, None where there are no tables at all.

    Raises `TraceUnavailableError` where they are of a newer form, or something else than traces.
    """
    chosen = "current_database()" if catalog is None else f"'{catalog}'"
    tables = database.execute(
        f"SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = {chosen}"
    ).fetchall()
    if not tables:
        return None
    if not {("base.records",), ("base.form",)} <= set(tables):
        raise TraceUnavailableError("the file holds other tables, and no traces")
    prefix = "" if catalog is None else f"{catalog}."
    row = database.execute(f"SELECT version FROM {prefix}base.form").fetchone()
    if row is None or row[0] > STORE_FORM:
        version = "none" if row is None else row[0]
        raise TraceUnavailableError(
            f"the file is of form {version}, and this version of policylang knows {STORE_FORM}"
        )
    return int(row[0])
