"""The rows of a query as a reader and as a program want them."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, assert_never

from policylang.cli.output import json_text
from policylang.diagnostics import visible

Form: TypeAlias = Literal["table", "json", "csv"]

_CALCULATED: Final = ("=", "+", "-", "@", "\t", "\r")
_NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")

WIDEST: Final = 80
"""Characters of a cell in a table; longer ones are cut in a terminal."""


def rows_text(
    names: Sequence[str], rows: Sequence[Sequence[Any]], form: Form, *, widest: int | None = None
) -> str:
    """The rows in one of the forms. A table cuts its cells at `widest` characters, where that is given."""
    match form:
        case "json":
            plain = [dict(zip(names, map(_plain, row), strict=True)) for row in rows]
            return json_text(plain, indent=2)
        case "csv":
            return _csv(names, rows)
        case "table":
            return "\n".join(_table(names, [[_shown(v, widest) for v in row] for row in rows]))
        case _:
            assert_never(form)


def _csv(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return "\n".join(map(_record, [names, *([_cell(value) for value in row] for row in rows)]))


def _record(cells: Sequence[Any]) -> str:
    """A line of CSV. Written as one that ends in CR LF: else Python leaves a CR in a cell unquoted."""
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerow(cells)
    return written.getvalue().removesuffix("\r\n")


def _cell(value: Any) -> Any:
    """A cell of CSV: a list in the JSON form that other tools read back.

    Text that a spreadsheet would calculate stands behind an apostrophe: agents and models have written some of it.
    """
    if isinstance(value, list | tuple | dict):
        return json_text(_plain(value))
    if isinstance(value, str) and value.startswith(_CALCULATED) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return format(value, "f") if isinstance(value, Decimal) else value


def _plain(value: Any) -> Any:
    match value:
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case None | bool() | int() | str() | float():
            return value
        case Decimal():
            return format(value, "f")
        case dt.date() | dt.time():
            return value.isoformat()
        case _:
            return str(value)


def _shown(value: Any, widest: int | None) -> str:
    text = visible(_text(value).replace("\n", "\\n"))
    if widest is not None and len(text) > widest:
        return text[: widest - 1] + "…"
    return text


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case list():
            return ", ".join(map(_text, value))
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    for row in (names, ["-" * width for width in widths], *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()
