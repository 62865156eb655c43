"""The views that people query: `decisions`, `reasons`, `facts`, ... and one typed view for each fact.

They are the same in the file and in a reader's memory: they read tables of the schema `base`. Their columns are
documented in `docs/reference/traces.md`.
"""

from __future__ import annotations

import re
from typing import Final

import duckdb

_MASKED: Final = "CASE WHEN c.secret THEN '(secret)' ELSE {value} END"

_EVENTS: Final = """
    SELECT kind, id, min("at") AS recorded_at, any_value(text)->'$.body' AS body
    FROM base.records WHERE kind NOT IN ('decision', 'program', 'reference', 'outcome', 'checkpoint')
    GROUP BY kind, id"""
"""Records that are no decisions. What came from the state may be there again after a kill, under its identity."""

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
        FROM (SELECT decision, relation, row, source, field, cells->>('$."' || field || '"') AS value
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
        SELECT id, recorded_at, body->>'$.decision' AS decision, body->>'$.name' AS name, body->>'$.value' AS value
        FROM base.events WHERE kind = 'metric'""",
    "incidents": """
        SELECT id, recorded_at, CAST(body->>'$.found_at' AS TIMESTAMP) AS found_at, body->>'$.program' AS program,
            body->>'$.action' AS action, body->>'$.live.by' AS live_by, body->>'$.again.by' AS again_by,
            coalesce(body->>'$.live.failure.code', body->>'$.again.failure.code') AS failure, body
        FROM base.events WHERE kind = 'incident'""",
    "events": "SELECT id, recorded_at, kind, body FROM base.events",
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

_DECIMAL: Final = re.compile(r"Decimal\(([0-9]+)\)")
_SQL_TYPES: Final = {
    "Bool": "BOOLEAN",
    "Int": "HUGEINT",
    "Date": "DATE",
    "DateTime": "TIMESTAMP",
    "Time": "TIME",
}


def create_views(database: duckdb.DuckDBPyConnection) -> None:
    """Make the public views in the schema `main` of this database, over the tables in its schema `base`."""
    database.execute(f"CREATE OR REPLACE VIEW base.events AS {_EVENTS}")
    for name, query in VIEWS.items():
        database.execute(f"CREATE OR REPLACE VIEW main.{name} AS {query}")


def create_fact_views(database: duckdb.DuckDBPyConnection) -> None:
    """Make one view for each fact, `facts.customer`, with one typed column for each of its fields.

    Where two modules declare facts of one name, both go by their qualified names.
    """
    database.execute("CREATE SCHEMA IF NOT EXISTS facts")
    relations: dict[str, dict[str, str]] = {}
    rows = database.execute(
        "SELECT DISTINCT relation, name, type, secret FROM base.columns ORDER BY ALL"
    ).fetchall()
    for relation, name, type_, secret in rows:
        fields = relations.setdefault(relation, {})
        wanted = "SECRET" if secret else sql_type(type_)
        # Declared differently by two versions: text can show both.
        same = name not in fields or fields[name] == wanted
        fields[name] = (
            wanted if same else "VARCHAR" if "SECRET" not in (wanted, fields[name]) else "SECRET"
        )
    bare = [_bare(relation) for relation in relations]
    for relation, fields in relations.items():
        name = relation if bare.count(_bare(relation)) > 1 else _bare(relation)
        columns = ", ".join(_column(field, type_) for field, type_ in fields.items())
        database.execute(
            f"""CREATE OR REPLACE VIEW facts.{quoted(name)} AS
                SELECT decision, row, source{", " + columns if columns else ""}
                FROM ({_rows_of(relation)})"""
        )


def _rows_of(relation: str) -> str:
    """The rows of one relation, as `base.fact_rows` has them of all: only its own part of the facts is read."""
    path = literal(f'$."{relation}"')
    return f"""SELECT decision, row, coalesce(item->>'$.source', 'system') AS source, item->'$.values' AS cells
        FROM (SELECT decision, unnest(items) AS item, generate_subscripts(items, 1) - 1 AS row FROM
            (SELECT decision, CAST(json_extract(facts, {path}) AS JSON[]) AS items FROM base.given))"""


def _bare(relation: str) -> str:
    return relation.rpartition(".")[2]


def _column(name: str, type_: str) -> str:
    as_name = quoted(name if name not in ("decision", "row", "source") else f"{name}_")
    if type_ == "SECRET":
        return f"'(secret)' AS {as_name}"
    path = literal(f'$."{name}"')
    return f"try_cast(cells->>{path} AS {type_}) AS {as_name}"


def sql_type(type_: str) -> str:
    """The SQL type that holds every value of a type of the policy language, text where none does."""
    if found := _DECIMAL.fullmatch(type_):
        return f"DECIMAL(38, {found[1]})"
    return _SQL_TYPES.get(type_, "VARCHAR")


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
