"""An exported folder, read as the file of a store is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import duckdb

from policylang.trace.tables import COLUMNS, LEDGER, STORE_FORM, create_tables
from policylang.trace.writer import TraceUnavailableError

MANIFEST: Final = "policylang.json"
"""The file in an exported folder that says what it is."""

RECORDS: Final = "records"
"""The folder of records in an exported folder, with one folder a day."""

LEDGER_FILE: Final = "ledger.parquet"


def attach_exported(database: duckdb.DuckDBPyConnection, folder: Path, catalog: str) -> None:
    """Make an exported folder readable as a catalog. Raises `TraceUnavailableError` where it is none that can be read."""
    try:
        form = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["policylang_traces"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TraceUnavailableError(f"{folder} is no exported store") from error
    if form != STORE_FORM:
        raise TraceUnavailableError(
            f"{folder} is of form {form}, and this version of policylang knows {STORE_FORM}"
        )
    database.execute(f"ATTACH ':memory:' AS {catalog}")
    database.execute(f"CREATE SCHEMA {catalog}.base")
    files = f"{folder / RECORDS}/*/*.parquet"
    if not any((folder / RECORDS).glob("*/*.parquet")):
        # Nothing was recorded: there is no day, and no file of one.
        create_tables(database, f"{catalog}.base", stored=False)
        database.execute(f"CREATE TABLE {catalog}.base.form AS SELECT {STORE_FORM} AS version")
        return
    for name, columns, source in (
        ("records", COLUMNS, f"read_parquet({_literal(files)}, hive_partitioning = true)"),
        ("ledger", LEDGER, f"read_parquet({_literal(str(folder / LEDGER_FILE))})"),
    ):
        read = ", ".join(
            f'CAST("{column}" AS {type_}) AS "{column}"' for column, type_ in columns.items()
        )
        database.execute(f"CREATE VIEW {catalog}.base.{name} AS SELECT {read} FROM {source}")
    database.execute(f"CREATE TABLE {catalog}.base.form AS SELECT {STORE_FORM} AS version")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
