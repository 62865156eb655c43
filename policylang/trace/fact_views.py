"""One view for each fact, `facts.customer`, with one column for each of its fields, in its type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final

import duckdb

from policylang.trace.sql import literal, member, quoted

_DECIMAL: Final = re.compile(r"Decimal\(([0-9]+)\)")
_LIST: Final = re.compile(r"(?:Set|List)\[([^\[{]*)\]")
_SQL_TYPES: Final = {
    "Bool": "BOOLEAN",
    "Int": "HUGEINT",
    "Date": "DATE",
    "DateTime": "TIMESTAMP",
    "Time": "TIME",
    "Duration": "INTERVAL",
}
_SECRET: Final = "SECRET"
_OWN: Final = ("decision", "row", "source")
"""The columns that each of these views has besides the fields."""

_DURATION: Final = literal(
    r"(-?)P(?:([0-9]+)D)?(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:\.[0-9]+)?)S)?)?"
)


def create_fact_views(database: duckdb.DuckDBPyConnection) -> None:
    """Make the views, over `base.columns` and `base.given` of this database, in place of those that were there.

    Where two modules declare facts of one name, both go by their qualified names.
    """
    database.execute("CREATE SCHEMA IF NOT EXISTS facts")
    made = {
        name: _query(relation, fields) for name, relation, fields in _named(_declared(database))
    }
    former = database.execute(
        "SELECT view_name FROM duckdb_views() WHERE schema_name = 'facts' AND database_name = current_database()"
    ).fetchall()
    for (name,) in former:
        if name not in made:
            database.execute(f"DROP VIEW facts.{quoted(name)}")
    for name, query in made.items():
        database.execute(f"CREATE OR REPLACE VIEW facts.{quoted(name)} AS {query}")


def columns_digest(database: duckdb.DuckDBPyConnection) -> str:
    """What the views are made of, as a digest: the columns of every fact, and how each is shown."""
    shown = [_query(relation, fields) for relation, fields in _declared(database).items()]
    return sha256("\n".join(shown).encode()).hexdigest()


def sql_type(type_: str) -> str:
    """The SQL type that holds the values of a type of the policy language, text where none does."""
    if found := _DECIMAL.fullmatch(type_):
        return f"DECIMAL(38, {found[1]})"
    if found := _LIST.fullmatch(type_):
        element = sql_type(found[1])
        return "VARCHAR" if element == "INTERVAL" else f"{element}[]"
    return _SQL_TYPES.get(type_, "VARCHAR")


def _declared(database: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """The SQL types of the fields of every relation that some program declares."""
    relations: dict[str, dict[str, str]] = {}
    rows = database.execute(
        "SELECT DISTINCT relation, name, type, secret FROM base.columns ORDER BY ALL"
    ).fetchall()
    for relation, name, type_, secret in rows:
        fields = relations.setdefault(relation, {})
        wanted = _SECRET if secret else sql_type(type_)
        # Declared differently by two versions: text can show both.
        same = name not in fields or fields[name] == wanted
        fields[name] = (
            wanted if same else _SECRET if _SECRET in (wanted, fields[name]) else "VARCHAR"
        )
    return relations


def _named(relations: dict[str, dict[str, str]]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Each relation with the name of its view and its fields."""
    bare = [_bare(relation).lower() for relation in relations]
    wanted = [
        relation if bare.count(_bare(relation).lower()) > 1 else _bare(relation)
        for relation in relations
    ]
    yield from zip(_distinct(wanted), relations, relations.values(), strict=True)


def _bare(relation: str) -> str:
    return relation.rpartition(".")[2] or relation


def _distinct(names: Iterable[str], taken: Iterable[str] = ()) -> Iterator[str]:
    """Names of which no two are one to SQL, where capitals do not count: underscores after those that come later."""
    known = set(taken)
    for name in names:
        while name.lower() in known:
            name += "_"
        known.add(name.lower())
        yield name


def _query(relation: str, fields: dict[str, str]) -> str:
    shown = [
        f"{_cell(member(field), type_)} AS {quoted(name)}"
        for name, (field, type_) in zip(_distinct(fields, _OWN), fields.items(), strict=True)
    ]
    return f"SELECT {', '.join([*_OWN, *shown])} FROM ({_rows_of(relation)})"


def _rows_of(relation: str) -> str:
    """The rows of one relation, as `base.fact_rows` has them of all: only its own part of the facts is read."""
    return f"""SELECT decision, row, coalesce(item->>'$.source', 'system') AS source, item->'$.values' AS cells
        FROM (SELECT decision, unnest(items) AS item, generate_subscripts(items, 1) - 1 AS row FROM
            (SELECT decision, CAST(json_extract(facts, {member(relation)}) AS JSON[]) AS items FROM base.given))"""


def _cell(place: str, type_: str) -> str:
    text = f"cells->>{place}"
    if type_ == _SECRET:
        return "'(secret)'"
    if type_ == "INTERVAL":
        return _interval(text)
    if type_ == "VARCHAR[]":
        # What is sealed is one text in the place of all elements.
        return f"coalesce(try_cast(cells->{place} AS VARCHAR[]), CASE WHEN {text} IS NOT NULL THEN [{text}] END)"
    if type_.endswith("[]"):
        return f"try_cast(cells->{place} AS {type_})"
    return text if type_ == "VARCHAR" else f"try_cast({text} AS {type_})"


def _interval(text: str) -> str:
    """A duration in ISO 8601, which DuckDB does not read, as an interval; null where the text is none."""
    parts = f"regexp_extract({text}, '^' || {_DURATION} || '$', ['sign', 'd', 'h', 'm', 's'])"
    whole = " + ".join(
        f"{unit}(coalesce(try_cast(p.{part} AS {type_}), 0))"
        for unit, part, type_ in (
            ("to_days", "d", "INTEGER"),
            ("to_hours", "h", "BIGINT"),
            ("to_minutes", "m", "BIGINT"),
        )
    )
    seconds = (
        "to_microseconds(CAST(coalesce(try_cast(p.s AS DECIMAL(18, 6)), 0) * 1000000 AS BIGINT))"
    )
    signed = f"({whole} + {seconds}) * CASE p.sign WHEN '-' THEN -1 ELSE 1 END"
    return f"CASE WHEN regexp_full_match({text}, {_DURATION}) THEN [{signed} FOR p IN [{parts}]][1] END"
