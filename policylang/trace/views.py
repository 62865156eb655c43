"""The views that people query: `decisions`, `reasons`, `facts`, ... and one typed view for each fact.

They are the same in the file and in a reader's memory: they read tables of the schema `base`. Their columns are
documented in `docs/reference/audits.md`.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import duckdb

from policylang.trace.fact_views import columns_digest, create_fact_views
from policylang.trace.sql import literal, member_named
from policylang.trace.tables import BASE_VIEWS, create_base_views

_MASKED: Final = "CASE WHEN c.secret THEN '(secret)' ELSE {value} END"

_EVENTS: Final = """
    SELECT kind, id, min("at") AS recorded_at, any_value(text)->'$.body' AS body
    FROM base.records WHERE kind NOT IN ('decision', 'program', 'reference', 'outcome', 'checkpoint')
    GROUP BY kind, id"""
"""Records that are no decisions. What came from the state may be there again after a kill, under its identity."""

_KINDS: Final = ", ".join(
    f"coalesce(CAST(body->>'$.kinds.{kind}' AS BIGINT), 0) AS {name}"
    for kind, name in (
        ("same", "same"),
        ("reasons", "reasons"),
        ("duties", "duties"),
        ("tighter", "tighter"),
        ("looser", "looser"),
        ("error", "errors"),
    )
)
"""How many decisions of a backtest a candidate answers in which way."""

VIEWS: Final = {
    "decisions": """
        SELECT id, decided_at, requested_at, action, agent, outcome, stage, bucket, rules, overridden,
            violated, arguments, program, evaluator, microseconds, rejection, error
        FROM base.decisions""",
    "firings": "SELECT decision, position, rule, bindings FROM base.firings",
    "reasons": "SELECT decision, position, kind, rule, message, internal FROM base.reasons",
    "facts": f"""
        SELECT decision, f.relation AS fact, row, field, c.type,
            {_MASKED.format(value="value")} AS value,
            CASE WHEN NOT c.secret AND (c.type = 'Int' OR c.type LIKE 'Decimal%')
                THEN try_cast(value AS DECIMAL(38, 6)) END AS number,
            CASE WHEN NOT c.secret AND c.type IN ('DateTime', 'Date')
                THEN try_cast(value AS TIMESTAMP) END AS moment,
            f.source
        FROM (SELECT decision, relation, row, source, field, cells->>({member_named("field")}) AS value
            FROM (SELECT *, unnest(json_keys(cells)) AS field FROM base.fact_rows)) AS f
        JOIN base.decisions AS d ON d.id = f.decision
        JOIN (SELECT DISTINCT program, relation, name, type, secret FROM base.columns) AS c
            ON c.program = d.program AND c.relation = f.relation AND c.name = f.field""",
    "modules": """
        SELECT program, module, any_value(version) AS version, any_value(digest) AS digest,
            any_value(file) AS file, any_value(text) AS text
        FROM base.modules GROUP BY program, module""",
    "outcomes": """
        SELECT id, decision, recorded_at, status, action, arguments, detail FROM base.outcomes""",
    "approvals": """
        SELECT id, recorded_at, body->>'$.ticket' AS ticket, body->>'$.event' AS event,
            body->>'$.decision' AS decision, body->>'$.action' AS action, body->>'$.agent' AS agent,
            body->>'$.subject' AS subject, body->>'$.person' AS person, body->>'$.role' AS role,
            CAST(body->>'$.granted' AS BOOLEAN) AS granted, body->>'$.note' AS note,
            body->>'$.used_by' AS used_by, body
        FROM base.events WHERE kind = 'approval'""",
    "stops": """
        SELECT id, recorded_at, body->>'$.event' AS event, body->>'$.scope' AS scope, body->>'$.by' AS person,
            body->>'$.why' AS why, body
        FROM base.events WHERE kind = 'stop'""",
    "rollouts": """
        SELECT id, recorded_at, body->>'$.module' AS module, body->>'$.version' AS version,
            body->>'$.rollout' AS rollout, body->>'$.step' AS step, body->>'$.before' AS stage_before,
            body->>'$.after' AS stage_after, body->>'$.by' AS person, body->>'$.why' AS why,
            coalesce(CAST(body->>'$.automatic' AS BOOLEAN), false) AS automatic, body
        FROM base.events WHERE kind = 'rollout'""",
    "comparisons": """
        SELECT id, recorded_at, body->>'$.decision' AS decision, body->>'$.action' AS action,
            body->>'$.agent' AS agent, body->>'$.module' AS module, body->>'$.version' AS version,
            body->>'$.rollout' AS rollout, body->>'$.role' AS role, body->>'$.live.outcome' AS live_outcome,
            body->>'$.candidate.outcome' AS candidate_outcome, body->>'$.direction' AS direction, body
        FROM base.events WHERE kind = 'comparison'""",
    "metrics": """
        SELECT id, recorded_at, body->>'$.decision' AS decision, body->>'$.name' AS name, body->>'$.value' AS value,
            CASE body->>'$.value' WHEN 'true' THEN 1 WHEN 'false' THEN 0
                ELSE try_cast(body->>'$.value' AS DECIMAL(38, 6)) END AS number
        FROM base.events WHERE kind = 'metric'""",
    "versions": """
        SELECT id, recorded_at, body->>'$.module' AS module, body->>'$.version' AS version, body->>'$.by' AS person,
            body->>'$.digest' AS digest, body->>'$.meaning' AS meaning, body->>'$.content' AS content,
            body->>'$.file' AS file, body->>'$.text' AS text, body->'$.params' AS params,
            body->'$.reference' AS reference, body
        FROM base.events WHERE kind = 'module'""",
    "backtests": f"""
        SELECT id, recorded_at, body->>'$.module' AS module, body->>'$.version' AS version, body->>'$.by' AS person,
            try_cast(body->>'$.first' AS TIMESTAMP) AS first, try_cast(body->>'$.last' AS TIMESTAMP) AS last,
            {_KINDS}, CAST(body->>'$.skipped' AS BIGINT) AS skipped, body
        FROM base.events WHERE kind = 'backtest'""",
    "gaps": """
        SELECT id, recorded_at, CAST(body->>'$.count' AS BIGINT) AS lost,
            json_extract_string(body, '$.lost[*]') AS decisions, body
        FROM base.events WHERE kind = 'gap'""",
    "erasures": """
        SELECT id, recorded_at, json_array_length(body, '$.handles') AS keys,
            json_extract_string(body, '$.subjects[*]') AS subjects, body->>'$.reason' AS reason, body
        FROM base.events WHERE kind = 'erasure'""",
    "retentions": """
        SELECT id, recorded_at, try_cast(body->>'$.before' AS TIMESTAMP) AS before,
            CAST(body->>'$.records' AS BIGINT) AS records, json_array_length(body, '$.chains') AS chains, body
        FROM base.events WHERE kind = 'retention'""",
    "incidents": """
        SELECT id, recorded_at, CAST(body->>'$.found_at' AS TIMESTAMP) AS found_at, body->>'$.program' AS program,
            body->>'$.action' AS action, body->>'$.live.by' AS live_by, body->>'$.again.by' AS again_by,
            coalesce(body->>'$.live.failure.code', body->>'$.again.failure.code') AS failure, body
        FROM base.events WHERE kind = 'incident'""",
    "events": "SELECT id, recorded_at, kind, body FROM base.events",
    "records": """
        SELECT id, kind, "at" AS recorded_at, writer, sequence, previous, digest, text FROM base.records""",
    "rule_stats": """
        WITH known AS (SELECT DISTINCT program, rule FROM base.rules),
        fired AS (SELECT d.program, f.rule, count(DISTINCT f.decision) AS fired, max(d.decided_at) AS last
            FROM base.firings AS f JOIN base.decisions AS d ON d.id = f.decision GROUP BY ALL),
        decided AS (SELECT program, rule, count(*) AS decided
            FROM (SELECT program, unnest(rules) AS rule FROM base.decisions) GROUP BY ALL),
        over AS (SELECT program, rule, count(*) AS overridden
            FROM (SELECT program, unnest(overridden) AS rule FROM base.decisions) GROUP BY ALL)
        SELECT program, rule, coalesce(fired, 0) AS fired, coalesce(decided, 0) AS decided,
            coalesce(over.overridden, 0) AS overridden, last AS last_fired
        FROM known LEFT JOIN fired USING (program, rule) LEFT JOIN decided USING (program, rule)
            LEFT JOIN over USING (program, rule)""",
    "daily": """
        SELECT CAST(decided_at AS DATE) AS day, action, outcome, stage, program, count(*) AS decisions,
            count(DISTINCT agent) AS agents, count(rejection) AS rejected, count(error) AS failed,
            max(microseconds) AS slowest_microseconds
        FROM base.decisions GROUP BY ALL""",
}
"""Every public view but those of single facts, with its query."""


def create_views(database: duckdb.DuckDBPyConnection, source: str = "base") -> None:
    """Make every view of this database: the public ones in the schemas `main` and `facts`, and those that they are made of.

    They read the `records` in the schema `source`.
    """
    create_base_views(database, source)
    database.execute(f"CREATE OR REPLACE VIEW base.events AS {_EVENTS}")
    for name, query in VIEWS.items():
        database.execute(f"CREATE OR REPLACE VIEW main.{name} AS {query}")
    create_fact_views(database)


def keep_views(database: duckdb.DuckDBPyConnection) -> None:
    """Make the views of a file, unless it has them: those that this version makes, of the facts that are declared in it.

    What they are is written beside the form of the file, with a digest of how DuckDB keeps them: one that somebody changed is made
    again.
    """
    wanted = sha256(f"{_EVENTS}{VIEWS}{BASE_VIEWS}".encode()).hexdigest()
    row = database.execute(
        f"SELECT comment FROM duckdb_tables() WHERE {_HERE} AND schema_name = 'base' AND table_name = 'form'"
    ).fetchone()
    match row[0].split() if row is not None and row[0] else ():
        case [made, columns, there] if made == wanted and there == _digest(database):
            # Only views that are as they were made can be asked for the columns of facts.
            if columns == columns_digest(database):
                return
    create_views(database)
    what = f"{wanted} {columns_digest(database)} {_digest(database)}"
    database.execute(f"COMMENT ON TABLE base.form IS {literal(what)}")


_HERE: Final = "database_name = current_database()"


def _digest(database: duckdb.DuckDBPyConnection) -> str | None:
    """A digest of the views of a file, None where it has none."""
    ((found,),) = database.execute(
        "SELECT sha256(string_agg(sql, '' ORDER BY schema_name, view_name)) FROM duckdb_views()"
        f" WHERE NOT internal AND {_HERE}"
    ).fetchall()
    return None if found is None else str(found)
