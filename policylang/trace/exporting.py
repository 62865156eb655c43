"""Export to Parquet, partitioned by day; `policylang.trace.exported` reads it back."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policylang.trace.exported import LEDGER_FILE, MANIFEST, RECORDS
from policylang.trace.reading import TraceView
from policylang.trace.segments import sync_folder
from policylang.trace.sql import literal
from policylang.trace.tables import ROOT, STORE_FORM

_LEDGER: Final = f"""
SELECT * FROM base.ledger UNION ALL
SELECT segment, min(writer), min(sequence), max(sequence), count(*), {ROOT}, NULL, false
FROM base.records WHERE segment NOT IN (SELECT segment FROM base.ledger) GROUP BY segment
"""
"""The ledger, with the segments that are not folded yet."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported."""

    records: int
    days: int


def export(view: TraceView, to: Path) -> Exported:
    """Write all records of a view to a folder that is not there yet. It appears whole, or not at all."""
    if to.exists():
        raise FileExistsError(f"{to} is there already")
    new = to.with_name(to.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True, mode=0o700)
    options = "FORMAT parquet, COMPRESSION zstd"
    view.database.execute(
        f"""COPY (SELECT *, CAST("at" AS DATE) AS day FROM base.records)
            TO {literal(str(new / RECORDS))} ({options}, PARTITION_BY (day))"""
    )
    view.database.execute(f"COPY ({_LEDGER}) TO {literal(str(new / LEDGER_FILE))} ({options})")
    _, ((records, days),) = view.query(
        """SELECT count(*), count(DISTINCT CAST("at" AS DATE)) FROM base.records"""
    )
    manifest = {"policylang_traces": STORE_FORM, "records": records}
    (new / MANIFEST).write_text(json.dumps(manifest) + "\n", encoding="utf-8")
    new.rename(to)
    sync_folder(to.parent)
    return Exported(records, days)
