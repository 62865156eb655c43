"""The tables of a store, and how they are filled.

`records` holds what was recorded, text by text; it alone is the source of everything. The other tables are read from
it by SQL, for people and for speed: they can be made again at any time, and `verify` does so to compare.

The same tables are made in the file (schema `base`) and, for what is not folded yet, in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from policylang.trace.chain import Record

STORE_FORM: Final = 1
"""The version of the tables in the file."""

_ROWS_AT_ONCE: Final = 4_000

_RECORDS: Final = """
CREATE TABLE {s}.records (
    segment VARCHAR, kind VARCHAR, id VARCHAR, "at" TIMESTAMP, writer VARCHAR, sequence BIGINT,
    previous VARCHAR, digest VARCHAR, text VARCHAR{compression})
"""

_TABLES: Final = {
    "decisions": """
        id VARCHAR, decided_at TIMESTAMP, requested_at TIMESTAMP, action VARCHAR, agent VARCHAR,
        outcome VARCHAR, stage VARCHAR, bucket INTEGER, program VARCHAR, evaluator VARCHAR,
        microseconds BIGINT, rejection VARCHAR, error VARCHAR, rules VARCHAR[], overridden VARCHAR[],
        violated VARCHAR[], arguments JSON""",
    "firings": "decision VARCHAR, position BIGINT, rule VARCHAR, bindings JSON",
    "fact_rows": "decision VARCHAR, relation VARCHAR, row BIGINT, source VARCHAR, cells JSON",
    "reasons": """
        decision VARCHAR, position BIGINT, kind VARCHAR, rule VARCHAR, message VARCHAR,
        internal BOOLEAN""",
    "modules": """
        program VARCHAR, module VARCHAR, version VARCHAR, digest VARCHAR, file VARCHAR, text VARCHAR""",
    "columns": "program VARCHAR, relation VARCHAR, name VARCHAR, type VARCHAR, secret BOOLEAN",
    "rules": "program VARCHAR, rule VARCHAR",
    "outcomes": """
        id VARCHAR, decision VARCHAR, recorded_at TIMESTAMP, status VARCHAR, action VARCHAR,
        arguments JSON, detail VARCHAR""",
}

DERIVED: Final = tuple(_TABLES)
"""The tables that are read from the texts of records."""

_FILL: Final = {
    "decisions": """
        SELECT id, "at", try_cast(f[1] AS TIMESTAMP), f[2], f[3], f[4], f[5], try_cast(f[6] AS INTEGER),
            f[7], f[8], try_cast(f[9] AS BIGINT), f[10], f[11],
            coalesce(json_extract_string(text, '$.body.decision.determining[*]'), []),
            coalesce(json_extract_string(text, '$.body.decision.suppressed[*].rule'), []),
            coalesce(json_extract_string(text, '$.body.decision.violated[*]'), []),
            json_extract(text, '$.body.facts.rows."' || translate(f[2], '"\\', '') || '"[0].values')
        FROM (SELECT id, "at", text, json_extract_string(text, [
            '$.body.facts.now', '$.body.decision.action', '$.body.agent', '$.body.decision.outcome',
            '$.body.stage', '$.body.bucket', '$.body.decision.program.digest', '$.body.evaluator',
            '$.body.microseconds', '$.body.decision.rejection.kind', '$.body.decision.error.code'
        ]) AS f FROM {s}.records WHERE segment = $segment AND kind = 'decision')""",
    "firings": """
        SELECT id, i, item->>'$.rule', coalesce(item->'$.bindings', '{{}}')
        FROM (SELECT id, unnest(items) AS item, generate_subscripts(items, 1) - 1 AS i FROM
            (SELECT id, CAST(json_extract(text, '$.body.firings') AS JSON[]) AS items
             FROM {s}.records WHERE segment = $segment AND kind = 'decision'))""",
    "fact_rows": """
        SELECT id, relation, i, coalesce(item->>'$.source', 'system'), item->'$.values'
        FROM (SELECT id, relation, unnest(items) AS item, generate_subscripts(items, 1) - 1 AS i FROM
            (SELECT id, relation, CAST(json_extract(rows, '$."' || relation || '"') AS JSON[]) AS items FROM
                (SELECT id, rows, unnest(json_keys(rows)) AS relation FROM
                    (SELECT id, json_extract(text, '$.body.facts.rows') AS rows
                     FROM {s}.records WHERE segment = $segment AND kind = 'decision'))))""",
    "reasons": """
        SELECT id, i, item->>'$.kind', item->>'$.rule', item->>'$.message',
            coalesce(CAST(item->>'$.internal' AS BOOLEAN), false)
        FROM (SELECT id, unnest(items) AS item, generate_subscripts(items, 1) - 1 AS i FROM
            (SELECT id, CAST(json_extract(text, '$.body.decision.reasons') AS JSON[]) AS items
             FROM {s}.records WHERE segment = $segment AND kind = 'decision'))""",
    "modules": """
        SELECT program, item->>'$.name', item->>'$.version', item->>'$.digest', item->>'$.file',
            item->>'$.text'
        FROM (SELECT text->>'$.body.digest' AS program,
                unnest(CAST(json_extract(text, '$.body.modules') AS JSON[])) AS item
              FROM {s}.records WHERE segment = $segment AND kind = 'program')""",
    "columns": """
        SELECT program, item->>'$.relation', item->>'$.column', item->>'$.type',
            coalesce(CAST(item->>'$.secret' AS BOOLEAN), false)
        FROM (SELECT text->>'$.body.digest' AS program,
                unnest(CAST(json_extract(text, '$.body.columns') AS JSON[])) AS item
              FROM {s}.records WHERE segment = $segment AND kind = 'program')""",
    "rules": """
        SELECT text->>'$.body.digest', unnest(json_extract_string(text, '$.body.rules[*]'))
        FROM {s}.records WHERE segment = $segment AND kind = 'program'""",
    "outcomes": """
        SELECT id, f[1], "at", f[2], f[3], json_extract(text, '$.body.arguments'), f[4]
        FROM (SELECT id, "at", text, json_extract_string(text, [
            '$.body.decision', '$.body.status', '$.body.action', '$.body.detail']) AS f
            FROM {s}.records WHERE segment = $segment AND kind = 'outcome')""",
}

_LEDGER: Final = """
CREATE TABLE {s}.ledger (
    segment VARCHAR, writer VARCHAR, first BIGINT, last BIGINT, records BIGINT, root VARCHAR,
    folded_at TIMESTAMP)
"""

ROOT: Final = "sha256(string_agg(digest, '' ORDER BY sequence))"
"""What the ledger holds of a segment: one hash over the hashes of its records."""


def create_tables(database: duckdb.DuckDBPyConnection, schema: str, *, stored: bool) -> None:
    """Make the tables in a schema; `stored` ones compress their texts."""
    database.execute(f"CREATE SCHEMA {schema}")
    compression = " USING COMPRESSION zstd" if stored else ""
    database.execute(_RECORDS.format(s=schema, compression=compression))
    database.execute(_LEDGER.format(s=schema))
    for name, columns in _TABLES.items():
        database.execute(f"CREATE TABLE {schema}.{name} ({columns})")


def insert_records(
    database: duckdb.DuckDBPyConnection, schema: str, segment: str, records: Sequence[Record]
) -> None:
    """Put the records of a segment into `records` and what is read from them into the other tables."""
    for start in range(0, len(records), _ROWS_AT_ONCE):
        _insert(database, schema, segment, records[start : start + _ROWS_AT_ONCE])
    derive(database, schema, segment)


def _insert(
    database: duckdb.DuckDBPyConnection, schema: str, segment: str, records: Sequence[Record]
) -> None:
    database.execute(
        f"""INSERT INTO {schema}.records
            SELECT $1, kind, id, CAST("at" AS TIMESTAMP), writer, sequence, previous, digest, text FROM (
            SELECT unnest($2) AS kind, unnest($3) AS id, unnest($4) AS "at", unnest($5) AS writer,
            unnest($6) AS sequence, unnest($7) AS previous, unnest($8) AS digest, unnest($9) AS text)""",
        [
            segment,
            [record.kind for record in records],
            [record.id for record in records],
            [record.at for record in records],
            [record.writer for record in records],
            [record.sequence for record in records],
            [record.previous for record in records],
            [record.digest for record in records],
            [record.text for record in records],
        ],
    )


def derive(
    database: duckdb.DuckDBPyConnection, schema: str, segment: str, source: str | None = None
) -> None:
    """Fill the tables of `schema` from the records of one segment in `source` (the same schema, unless told)."""
    for name in DERIVED:
        query = _FILL[name].format(s=source or schema)
        database.execute(f"INSERT INTO {schema}.{name} {query}", {"segment": segment})


def record_ledger(database: duckdb.DuckDBPyConnection, schema: str, segment: str) -> None:
    """Enter a segment into the ledger, from its records."""
    database.execute(
        f"""INSERT INTO {schema}.ledger
            SELECT $1, min(writer), min(sequence), max(sequence), count(*), {ROOT},
                CAST(now() AT TIME ZONE 'UTC' AS TIMESTAMP)
            FROM {schema}.records WHERE segment = $1""",
        [segment],
    )
