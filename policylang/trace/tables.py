"""The tables of a store, and how they are filled.

`records` holds what was recorded, text by text; it alone is the source of everything. Beside each text stand columns that are
read from it by SQL, for people and for speed, in one reading of its JSON; `verify` reads them again to compare. All else
(`base.decisions`, `base.firings`, ...) are views of that one table.

The same tables are made in the file (schema `base`) and, for what is not folded yet, in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

import duckdb

from policylang.trace.chain import FIRST, Record
from policylang.trace.sql import member_named

STORE_FORM: Final = 2
"""The version of the tables in the file."""

_ROWS_AT_ONCE: Final = 4_000

_PLACE: Final = {
    "segment": "VARCHAR",
    "kind": "VARCHAR",
    "id": "VARCHAR",
    "at": "TIMESTAMP",
    "writer": "VARCHAR",
    "sequence": "BIGINT",
    "previous": "VARCHAR",
    "digest": "VARCHAR",
    "text": "VARCHAR",
}
"""What a record is, and its place."""

SHAPE: Final = """{"body": {
    "stage": "VARCHAR", "bucket": "INTEGER", "agent": "VARCHAR", "evaluator": "VARCHAR", "microseconds": "BIGINT",
    "decision": {
        "action": "VARCHAR", "outcome": "VARCHAR", "determining": ["VARCHAR"],
        "suppressed": [{"rule": "VARCHAR"}], "violated": ["VARCHAR"], "program": {"digest": "VARCHAR"},
        "rejection": {"kind": "VARCHAR"}, "error": {"code": "VARCHAR"},
        "reasons": [{"kind": "VARCHAR", "rule": "VARCHAR", "message": "VARCHAR", "internal": "BOOLEAN"}]},
    "facts": {"now": "VARCHAR", "rows": "JSON"},
    "firings": [{"rule": "VARCHAR", "bindings": "JSON"}]}}"""
"""What is read of the text of a decision; DuckDB reads all of it at once."""

_TOLD: Final = {
    "requested_at": ("TIMESTAMP", "try_cast(t.body.facts.now AS TIMESTAMP)"),
    "action": ("VARCHAR", "t.body.decision.action"),
    "agent": ("VARCHAR", "t.body.agent"),
    "outcome": ("VARCHAR", "t.body.decision.outcome"),
    "stage": ("VARCHAR", "t.body.stage"),
    "bucket": ("INTEGER", "t.body.bucket"),
    "program": ("VARCHAR", "t.body.decision.program.digest"),
    "evaluator": ("VARCHAR", "t.body.evaluator"),
    "microseconds": ("BIGINT", "t.body.microseconds"),
    "rejection": ("VARCHAR", "t.body.decision.rejection.kind"),
    "error": ("VARCHAR", "t.body.decision.error.code"),
    "rules": ("VARCHAR[]", "coalesce(t.body.decision.determining, [])"),
    "overridden": (
        "VARCHAR[]",
        "coalesce([s.rule for s in t.body.decision.suppressed], [])",
    ),
    "violated": ("VARCHAR[]", "coalesce(t.body.decision.violated, [])"),
    "reasons": (
        "STRUCT(kind VARCHAR, rule VARCHAR, message VARCHAR, internal BOOLEAN)[]",
        "t.body.decision.reasons",
    ),
    "firings": ("STRUCT(rule VARCHAR, bindings JSON)[]", "t.body.firings"),
    "facts": ("JSON", "t.body.facts.rows"),
}
"""The columns that are read from the texts of decisions: their types, and what of `SHAPE` they are."""

TOLD: Final = tuple(_TOLD)

_SHAPE_WITH_PLACE: Final = """{"at": "VARCHAR", "id": "VARCHAR", "kind": "VARCHAR", "previous": "VARCHAR",
    "sequence": "BIGINT", "writer": "VARCHAR", """ + SHAPE.removeprefix("{")

READ: Final = f"CASE WHEN kind = 'decision' THEN TRY(json_transform(text, '{SHAPE}')) END"
"""The text of a record of which the columns are read."""

_TOLD_SQL: Final = ", ".join(expression for _, expression in _TOLD.values())

COLUMNS: Final = {**_PLACE, **{name: type_ for name, (type_, _) in _TOLD.items()}}
"""The columns of `records`, with their types."""

LEDGER: Final = {
    "segment": "VARCHAR",
    "writer": "VARCHAR",
    "first": "BIGINT",
    "last": "BIGINT",
    "records": "BIGINT",
    "root": "VARCHAR",
    "folded_at": "TIMESTAMP",
    "is_dropped": "BOOLEAN",
}
"""The columns of the ledger of segments that are folded, with their types."""

ROOT: Final = "sha256(string_agg(digest, '' ORDER BY sequence))"
"""What the ledger holds of a segment: one hash over the hashes of its records."""

BASE_VIEWS: Final = {
    "decisions": f"""
        SELECT id, "at" AS decided_at, requested_at, action, agent, outcome, stage, bucket, program, evaluator,
            microseconds, rejection, error, rules, overridden, violated, facts,
            json_extract(facts, {member_named("action")} || '/0/values') AS arguments
        FROM {{s}}.records WHERE kind = 'decision'""",
    "firings": """
        SELECT decision, position, item.rule AS rule, coalesce(item.bindings, '{{}}') AS bindings
        FROM (SELECT id AS decision, unnest(firings) AS item, generate_subscripts(firings, 1) - 1 AS position
            FROM {s}.records WHERE kind = 'decision')""",
    "fact_rows": f"""
        SELECT decision, relation, row, coalesce(item->>'$.source', 'system') AS source, item->'$.values' AS cells
        FROM (SELECT decision, relation, unnest(items) AS item, generate_subscripts(items, 1) - 1 AS row FROM
            (SELECT decision, relation, CAST(json_extract(rows, {member_named("relation")}) AS JSON[]) AS items FROM
                (SELECT id AS decision, facts AS rows, unnest(json_keys(facts)) AS relation
                 FROM {{s}}.records WHERE kind = 'decision')))""",
    "given": "SELECT id AS decision, facts FROM {s}.records WHERE kind = 'decision'",
    "reasons": """
        SELECT decision, position, item.kind AS kind, item.rule AS rule, item.message AS message,
            coalesce(item.internal, false) AS internal
        FROM (SELECT id AS decision, unnest(reasons) AS item, generate_subscripts(reasons, 1) - 1 AS position
            FROM {s}.records WHERE kind = 'decision')""",
    "modules": """
        SELECT program, item->>'$.name' AS module, item->>'$.version' AS version, item->>'$.digest' AS digest,
            item->>'$.file' AS file, item->>'$.text' AS text
        FROM (SELECT text->>'$.body.digest' AS program,
                unnest(CAST(json_extract(text, '$.body.modules') AS JSON[])) AS item
              FROM {s}.records WHERE kind = 'program')""",
    "columns": """
        SELECT program, item->>'$.relation' AS relation, item->>'$.column' AS name, item->>'$.type' AS type,
            coalesce(CAST(item->>'$.secret' AS BOOLEAN), false) AS secret,
            coalesce(CAST(item->>'$.personal' AS BOOLEAN), false) AS personal
        FROM (SELECT text->>'$.body.digest' AS program,
                unnest(CAST(json_extract(text, '$.body.columns') AS JSON[])) AS item
              FROM {s}.records WHERE kind = 'program')""",
    "rules": """
        SELECT text->>'$.body.digest' AS program, unnest(json_extract_string(text, '$.body.rules[*]')) AS rule
        FROM {s}.records WHERE kind = 'program'""",
    "outcomes": """
        SELECT id, f[1] AS decision, "at" AS recorded_at, f[2] AS status, f[3] AS action,
            json_extract(text, '$.body.arguments') AS arguments, f[4] AS detail
        FROM (SELECT id, "at", text, json_extract_string(text, [
            '$.body.decision', '$.body.status', '$.body.action', '$.body.detail']) AS f
            FROM {s}.records WHERE kind = 'outcome')""",
}
"""What views for people are made of: views of `records`."""


def create_tables(database: duckdb.DuckDBPyConnection, schema: str, *, stored: bool) -> None:
    """Make the tables in a schema; `stored` ones compress their texts."""
    database.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    compressed = " USING COMPRESSION zstd" if stored else ""
    columns = [f'"{n}" {t}{compressed if n == "text" else ""}' for n, t in COLUMNS.items()]
    database.execute(f"CREATE TABLE {schema}.records ({', '.join(columns)})")
    ledger = ", ".join(f'"{name}" {type_}' for name, type_ in LEDGER.items())
    database.execute(f"CREATE TABLE {schema}.ledger ({ledger})")


SEALED_TEXT: Final = """contains(text, '"sealed":[{"at":[')"""
"""Whether a record is sealed, or says something that looks so."""


def create_base_views(database: duckdb.DuckDBPyConnection, source: str = "base") -> None:
    """Make the views that the views for people read, of the `records` in the schema `source`."""
    for name, query in BASE_VIEWS.items():
        database.execute(f"CREATE OR REPLACE VIEW base.{name} AS {query.format(s=source)}")


def insert_records(
    database: duckdb.DuckDBPyConnection, schema: str, segment: str, records: Iterable[Record]
) -> None:
    """Put the records of a segment into `records`, with the columns that are read from their texts."""
    insert_placed(database, schema, ((segment, record) for record in records))


def insert_placed(
    database: duckdb.DuckDBPyConnection, schema: str, placed: Iterable[tuple[str, Record]]
) -> None:
    """The same for records of several segments, each with the name of its own: many short ones go in at once."""
    waiting = iter(placed)
    while rows := list(islice(waiting, _ROWS_AT_ONCE)):
        segments, records = zip(*rows, strict=True)
        columns = [[getattr(record, name) for record in records] for name in _OF_RECORD]
        database.execute(
            f"""INSERT INTO {schema}.records
                SELECT segment, kind, id, "at", writer, sequence, previous, digest, text, {_TOLD_SQL} FROM (
                SELECT *, {READ} AS t FROM (
                SELECT unnest($1) AS segment, unnest($2) AS kind, unnest($3) AS id,
                    CAST(unnest($4) AS TIMESTAMP) AS "at", unnest($5) AS writer, unnest($6) AS sequence,
                    unnest($7) AS previous, unnest($8) AS digest, unnest($9) AS text))""",
            [list(segments), *columns],
        )


_OF_RECORD: Final = tuple(name for name in _PLACE if name != "segment")


def insert_file(
    database: duckdb.DuckDBPyConnection, schema: str, segment: str, path: str, longest: int
) -> None:
    """Put the records of a file of segments into `records`: DuckDB reads the lines, of at most that many bytes, itself.

    What stands in the file is checked before, and what came of it by `is_whole` after.
    """
    database.execute(
        f"""INSERT INTO {schema}.records
            SELECT $segment, p.kind, p.id, CAST(p."at" AS TIMESTAMP), p.writer, p.sequence, p.previous, digest, text,
                {_TOLD_SQL}
            FROM (SELECT *, CASE WHEN p.kind = 'decision' THEN p END AS t FROM (
                SELECT digest, text, TRY(json_transform(text, '{_SHAPE_WITH_PLACE}')) AS p
                FROM read_csv($path, delim = '\\t', header = false, quote = '', escape = '', new_line = '\\n',
                    auto_detect = false, strict_mode = false, max_line_size = {max(longest + 1, 2 << 20):d},
                    columns = {{'digest': 'VARCHAR', 'text': 'VARCHAR'}})))""",
        {"segment": segment, "path": path},
    )


def is_whole(
    database: duckdb.DuckDBPyConnection, schema: str, segment: str, lines: int, size: int
) -> bool:
    """Whether a segment has that many records of so many bytes of text, all of one chain and each after the one before."""
    row = database.execute(
        f"""SELECT count(*) = $lines AND sum(strlen(text)) = $size AND min(writer) = max(writer)
                AND max(sequence) - min(sequence) + 1 = $lines AND bool_and(id IS NOT NULL AND "at" IS NOT NULL)
                AND bool_and(coalesce(previous = before, sequence > 1 OR previous = '{FIRST}'))
            FROM (SELECT *, lag(digest) OVER (ORDER BY sequence) AS before
                FROM {schema}.records WHERE segment = $segment)""",
        {"segment": segment, "lines": lines, "size": size},
    ).fetchone()
    return row is not None and row[0] is True


def refill(database: duckdb.DuckDBPyConnection, schema: str, source: str) -> None:
    """Fill `records` from the texts in the table of an older form."""
    place = ", ".join(f'"{name}"' for name in _PLACE)
    database.execute(
        f"""INSERT INTO {schema}.records
            SELECT {place}, {_TOLD_SQL} FROM (SELECT *, {READ} AS t FROM {source})"""
    )


# What the ends of a canonical text say of the record's place; no text of a body can end so.
_END: Final = (
    """'"form":1,"id":"' || id || '","kind":"' || kind || '","previous":"' || previous"""
    """ || '","sequence":' || sequence || ',"writer":"' || writer || '"}'"""
)
_START: Final = """'{"at":"' || strftime("at", '%Y-%m-%dT%H:%M:%S.%fZ') || '","body":{'"""


def misread(source: str, *, told: bool) -> str:
    """A query for the records of a table whose columns are not what their texts say: of their place, or else (`told`)."""
    placed = f"coalesce(suffix(text, {_END}) AND prefix(text, {_START}), false)"
    same = " AND ".join(f'"{n}" IS NOT DISTINCT FROM {e}' for n, (_, e) in _TOLD.items())
    read, right = (
        (
            f"(SELECT *, {READ} AS t FROM {source})",
            f"({same}) AND (kind <> 'decision' OR t IS NOT NULL)",
        )
        if told
        else (source, "true")
    )
    return f"""SELECT id, writer, sequence, is_placed FROM (
            SELECT id, writer, sequence, {placed} AS is_placed, {right} AS is_right FROM {read} AS r)
        WHERE NOT is_placed OR NOT is_right"""


def record_ledger(database: duckdb.DuckDBPyConnection, schema: str, segment: str) -> None:
    """Enter a segment into the ledger, from its records."""
    database.execute(
        f"""INSERT INTO {schema}.ledger
            SELECT $1, min(writer), min(sequence), max(sequence), count(*), {ROOT},
                CAST(now() AT TIME ZONE 'UTC' AS TIMESTAMP), false
            FROM {schema}.records WHERE segment = $1""",
        [segment],
    )
