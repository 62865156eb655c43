"""Readers: rows of a declared relation from Python objects, JSON, JSONL, CSV and Parquet.

Every row is checked, every problem is told with its file, row and column, and nothing is dropped
in silence: a file with one bad row gives no rows.
"""

from policylang.facts.readers.load import (
    DataFile,
    ReadRows,
    RowsGiven,
    load_reference,
    read_rows,
)

__all__ = ["DataFile", "ReadRows", "RowsGiven", "load_reference", "read_rows"]
