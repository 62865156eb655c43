"""CSV and Parquet files as rows, through DuckDB, with nothing guessed and nothing coerced.

CSV is RFC 4180 in UTF-8: a header, commas, double quotes. Every cell is text until its declaration reads
it; an empty cell is missing, `""` is an empty string. Parquet columns come as their exact Python values.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb

from policylang.facts import codes
from policylang.facts.forms import Unfit
from policylang.facts.json_text import read_json
from policylang.facts.normalizers import rewriter
from policylang.facts.readers.files import Given, Unreadable
from policylang.facts.reading import key_type, normalizers_of, text_reader
from policylang.facts.types import (
    Domain,
    Field,
    ListType,
    RecordType,
    ScalarType,
    SetType,
)

_CSV: Final = """
SELECT * FROM read_csv(?, header=true, all_varchar=true, delim=',', quote='"', escape='"', nullstr='',
  allow_quoted_nulls=false, comment='', skip=0, null_padding=false, strict_mode=true,
  store_rejects=true, rejects_limit=0, max_line_size=64000000)
"""
_REJECTS: Final = "SELECT line, column_name, error_message FROM reject_errors ORDER BY line"
_MANY: Final = 10_000


def open_csv(path: Path, columns: Sequence[Field]) -> Iterator[Given]:
    """The rows of a CSV file, cells as text in the form of their column; raises `Unreadable`.

    SOLVER: DuckDB skips a line it cannot split and goes on, and keeps it in `reject_errors` alone.
    """
    if path.stat().st_size == 0:
        raise Unreadable("it is empty: a header is expected")
    with duckdb.connect(":memory:") as connection:
        found = _queried(connection, _CSV, path)
        names = [str(described[0]) for described in found.description or ()]
        rows = _fetched(found)
        faults = connection.execute(_REJECTS).fetchall()
    cells = {column.name: cell_reader(column) for column in columns}
    waiting = [(line, Unfit(codes.BAD_ROW, _fault(name, said))) for line, name, said in faults]
    number = 0
    for row in rows:
        number += 1
        # The header is the first line: what DuckDB left out stands before this row, or after it.
        while waiting and waiting[0][0] <= number + 1:
            yield Given(f"line {waiting[0][0]}", waiting.pop(0)[1])
            number += 1
        pairs = zip(names, row, strict=True)
        fields = {n: _cell(cells, n, text) for n, text in pairs if text is not None}
        yield Given(f"row {number}", fields)
    yield from (Given(f"line {line}", fault) for line, fault in waiting)


_COLUMNS: Final = re.compile(r"Expected Number of Columns: ([0-9]+) Found: ([0-9]+)")


def _fault(column: str | None, said: str) -> str:
    counts = _COLUMNS.match(said)
    if counts is not None:
        return f"{counts[1]} columns are expected, as in the header, and {counts[2]} are given"
    where = f"column `{column}`: " if column else ""
    return where + said[:1].lower() + said[1:].splitlines()[0]


def _cell(cells: dict[str, Any], name: str, text: str) -> Any:
    read = cells.get(name)
    return text if read is None else read(text)


def cell_reader(column: Field) -> Any:
    """From the text of a cell to what a request would give for the column.

    An Int and a Bool without normalizers, and collections, are written in a cell as in JSON; a text that is not
    such a form stays text, which the column then refuses.
    """
    type_ = key_type(column.domain.type)
    is_json = isinstance(type_, SetType | ListType | RecordType)
    if not is_json and type_ not in (ScalarType.INT, ScalarType.BOOL):
        return None
    # Without the bounds: what lies outside them is told as the number it is.
    read = _json_cell if is_json else text_reader(Domain(type_))
    names = normalizers_of(column.domain)
    rewrite = rewriter(names, type_) if names else None

    def cell(text: str) -> Any:
        try:
            rewritten = text if rewrite is None else rewrite(text)
            return None if rewritten is None else read(rewritten)
        except Unfit:
            return text

    return cell


def _json_cell(text: str) -> Any:
    return read_json(text)


def open_parquet(path: Path) -> Iterator[Given]:
    """The rows of a Parquet file as Python values; raises `Unreadable`."""
    with duckdb.connect(":memory:") as connection:
        described = _queried(connection, "DESCRIBE SELECT * FROM read_parquet(?)", path).fetchall()
        names = [str(row[0]) for row in described]
        selected = ", ".join(_selected(str(name), str(kind)) for name, kind, *_ in described)
        found = _queried(connection, f"SELECT {selected} FROM read_parquet(?)", path)
        rows = _fetched(found)
    zoned = {str(row[0]) for row in described if row[1] == _ZONED}
    for number, row in enumerate(rows, 1):
        pairs = zip(names, row, strict=True)
        fields = {n: _exact(value, zoned=n in zoned) for n, value in pairs if value is not None}
        yield Given(f"row {number}", fields)


_ZONED: Final = "TIMESTAMP WITH TIME ZONE"


def _selected(name: str, kind: str) -> str:
    """A column as it is fetched: DuckDB gives zoned times to Python only with a further package."""
    quoted = '"' + name.replace('"', '""') + '"'
    return f"timezone('UTC', {quoted}) AS {quoted}" if kind == _ZONED else quoted


def _exact(value: Any, *, zoned: bool) -> Any:
    match value:
        case dt.datetime() if zoned and value.tzinfo is None:
            return value.replace(tzinfo=dt.UTC)
        case uuid.UUID():
            return str(value)
        case list():
            return [_exact(item, zoned=False) for item in value]
        case dict():
            return {k: _exact(item, zoned=False) for k, item in value.items() if item is not None}
        case _:
            return value


def _queried(
    connection: duckdb.DuckDBPyConnection, query: str, path: Path
) -> duckdb.DuckDBPyConnection:
    try:
        return connection.execute(query, [str(path)])
    except duckdb.Error as error:
        raise Unreadable(_reason(error)) from None


def _fetched(found: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    try:
        while some := found.fetchmany(_MANY):
            rows += some
    except duckdb.Error as error:
        raise Unreadable(_reason(error)) from None
    return rows


def _reason(error: duckdb.Error) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else "DuckDB cannot read it"
    if "when sniffing file" in first:
        return "it is no CSV: a header and commas are expected, and every double quote closed"
    return first.partition(": ")[2] or first
