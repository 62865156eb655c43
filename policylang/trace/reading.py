"""Reading a store: what is folded and what is not, seen as one, each record once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self

import duckdb

from policylang.errors import PolicyError
from policylang.trace.chain import Record, put_back
from policylang.trace.exported import attach_exported
from policylang.trace.folding import is_held, read_segment
from policylang.trace.keys import KEYS, KeyFile
from policylang.trace.masking import Masks
from policylang.trace.migrations import form_of
from policylang.trace.segments import segment_paths
from policylang.trace.sql import literal, member
from policylang.trace.tables import (
    SEALED_TEXT,
    STORE_FORM,
    create_base_views,
    create_tables,
    insert_placed,
    insert_records,
)
from policylang.trace.views import create_views
from policylang.trace.writer import TraceUnavailableError

_PAUSE: Final = 0.05
_AT_ONCE: Final = 1_000
_COLUMNS: Final = """kind, id, strftime("at", '%Y-%m-%dT%H:%M:%S.%fZ'), writer, sequence, previous, digest, text"""

_ODD: Final = frozenset('"\\*')
"""Characters that mean something in a JSON path, even between quotes."""

_RULES: Final = "(',' || array_to_string(list_concat(rules, overridden), ',') || ',')"
"""The rules that counted and those that were overridden, each between commas."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are asked for; everything that is None is not asked about.

    `where` is a condition in SQL on the columns of the view `decisions`. `since` and `until` are times in UTC
    (`2026-11-20T09:00:00`). `fact` is `(fact, field, value)`: decisions on a fact whose field is so written, or is that number. `after` is the
    identity of a record: what follows it, in the order that is asked for (the next page). `beyond` is how far each chain was seen
    (`TraceView.reached`): what was recorded since then, whatever the clocks of writers say.
    """

    kind: str | None = None
    action: str | None = None
    agent: str | None = None
    outcome: str | None = None
    rule: str | None = None
    since: str | None = None
    until: str | None = None
    fact: tuple[str, str, str] | None = None
    where: str | None = None
    after: str | None = None
    beyond: tuple[tuple[str, int], ...] = ()
    limit: int | None = None
    newest_first: bool = False

    @property
    def about_decisions(self) -> bool:
        """Whether it asks for something of the view `decisions`."""
        asked = (self.action, self.agent, self.outcome, self.rule, self.where)
        return any(value is not None for value in asked)


@dataclass(frozen=True, slots=True)
class Place:
    """A column of a fact, action or history, and whether it holds numbers."""

    relation: str
    column: str
    is_number: bool


class TraceQueryError(PolicyError):
    """A query that DuckDB refuses; the text says why."""


@contextmanager
def _asked() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise TraceQueryError(str(error)) from error


class TraceView:
    """Everything that was recorded when it was made. Holds the file for reading until it is closed.

    Records show the personal values whose keys are there. Views show them where `personal` says so, and `(sealed ...)`
    in their place otherwise.
    """

    def __init__(
        self, path: Path, folder: Path, *, wait: float = 10.0, personal: bool = False
    ) -> None:
        # INVARIANT: segments are opened before the file. What is folded in between is in the ledger then,
        # and what was folded before is not among them: nothing is missed, and the ledger tells what is double.
        contents = list(_contents(folder)) if folder.is_dir() else []
        self._database = duckdb.connect()
        self._has_records = False
        self._has_views = False
        self._keys = KeyFile(Path(f"{path}{KEYS}"))
        self._shows_personal = personal
        try:
            self.is_folded = self._attach(path, wait) if path.exists() else False
            known = self._known()
            segments = [
                (segment.stem, *read_segment(segment, content))
                for segment, content in contents
                if segment.stem not in known
            ]
        except BaseException:
            self._database.close()
            raise
        self._pending = {name: records for name, records, _ in segments}
        self.damages = tuple(damage for _, _, damages in segments for damage in damages)

    @property
    def database(self) -> duckdb.DuckDBPyConnection:
        """A connection that sees the public views."""
        self._make_views()
        return self._database

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own that sees the same, for another thread; the caller closes it."""
        return self.database.cursor()

    def get(self, id_: str) -> Record | None:
        """The record of that identity, or None."""
        return self._first(lambda record: record.id == id_, "id = $id", {"id": id_})

    def named(self, kind: str, digest: str) -> Record | None:
        """The record of the program, or of the reference data, of that digest, or None."""
        return self._first(
            lambda record: record.kind == kind and record.body["digest"] == digest,
            "kind = $kind AND text->>'$.body.digest' = $digest",
            {"kind": kind, "digest": digest},
        )

    def records(self, chosen: Filter) -> Iterator[Record]:
        """The records that the filter lets through, in the order of their identities.

        Raises `TraceQueryError` where `chosen.where` is no condition, or no program has the field of `chosen.fact`.
        """
        if chosen.about_decisions or chosen.fact is not None:
            self._make_views()
        conditions, values = _conditions(chosen, self._places(chosen.fact))
        order = f"ORDER BY id {'DESC' if chosen.newest_first else 'ASC'}"
        yield from self._fetch(" AND ".join(conditions), values, order, chosen.limit)

    def count(self, chosen: Filter) -> int:
        """How many records the filter lets through, whatever its limit. Raises as `records` does."""
        conditions, values = _conditions(chosen, self._places(chosen.fact))
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        _, ((number,),) = self.query(f"SELECT count(*) FROM base.records {where}", values)
        return int(number)

    def reached(self) -> tuple[tuple[str, int], ...]:
        """Each chain with the number of its last record."""
        self._put_together()
        query = "SELECT writer, max(sequence) FROM base.records GROUP BY writer ORDER BY writer"
        with self._database.cursor() as cursor:
            return tuple(
                (str(writer), int(last)) for writer, last in cursor.execute(query).fetchall()
            )

    def masks(self) -> Masks:
        """What masks the secret values of this store's records, for who may see personal ones."""
        self._make_views()
        return self._masks()

    def _masks(self) -> Masks:
        rows = self._database.execute("SELECT relation, name FROM base.columns WHERE secret")
        return Masks(self, frozenset((relation, name) for relation, name in rows.fetchall()))

    def query(self, sql: str, values: dict[str, Any] | None = None) -> tuple[list[str], list[Any]]:
        """The names of the columns and the rows that an SQL query gives. Raises `TraceQueryError`."""
        with _asked():
            if not self.database.extract_statements(sql):
                raise TraceQueryError("there is no query in it")
            found = self.database.execute(sql, values) if values else self.database.execute(sql)
            names = [column[0] for column in found.description or ()]
            return names, found.fetchall()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.close()
        return False

    # --- making it ---

    def _attach(self, path: Path, wait: float) -> bool:
        if path.is_dir():
            attach_exported(self._database, path, "folded")
            return True
        until = time.monotonic() + wait
        while True:
            try:
                self._database.execute(f"ATTACH {literal(str(path))} AS folded (READ_ONLY)")
                break
            except duckdb.Error as error:
                if not is_held(error) or time.monotonic() >= until:
                    raise TraceUnavailableError(f"cannot open {path.name}: {error}") from error
                time.sleep(_PAUSE)
        form = form_of(self._database, "folded")
        if form is not None and form != STORE_FORM:
            raise TraceUnavailableError(
                f"the file is of form {form}: bring it forward with `policylang trace fold`"
            )
        return form is not None

    def _known(self) -> set[str]:
        """The segments that are in the file."""
        if not self.is_folded:
            return set()
        rows = self._database.execute("SELECT segment FROM folded.base.ledger").fetchall()
        return {row[0] for row in rows}

    def _put_together(self) -> None:
        """Put what is not folded into tables in memory, and make one table of both.

        Only where it is asked for: who looks up one record does not wait for it.
        """
        if self._has_records:
            return
        create_tables(self._database, "pending", stored=False)
        pending = self._pending.items()
        placed = ((segment, record) for segment, records in pending for record in records)
        insert_placed(self._database, "pending", placed)
        self._database.execute("CREATE SCHEMA base")
        for name in ("records", "ledger"):
            both = f" UNION ALL SELECT * FROM folded.base.{name}" if self.is_folded else ""
            self._database.execute(f"CREATE VIEW base.{name} AS SELECT * FROM pending.{name}{both}")
        self._has_records = True

    def _make_views(self) -> None:
        """Make the views, over all records. Only where they are asked for: they take longer than a small store."""
        if self._has_views:
            return
        self._put_together()
        source = "base"
        if self._shows_personal:
            # What is secret is found by one of them.
            create_base_views(self._database)
            source = self._shown()
        create_views(self._database, source)
        self._has_views = True

    def _shown(self) -> str:
        """The schema whose `records` views read where personal values were asked for: these put back."""
        create_tables(self._database, "opened", stored=False)
        rows = self._database.execute(f"SELECT {_COLUMNS} FROM base.records WHERE {SEALED_TEXT}")
        readable = [self._record(row) for row in rows.fetchall()]
        masks = self._masks()
        opened = [put_back(record, masks.body(record)) for record in readable]
        insert_records(self._database, "opened", "", opened)
        self._database.execute("CREATE SCHEMA shown")
        self._database.execute(
            f"""CREATE VIEW shown.records AS SELECT * FROM base.records WHERE NOT {SEALED_TEXT}
                UNION ALL SELECT * FROM opened.records"""
        )
        return "shown"

    def _record(self, row: tuple[Any, ...]) -> Record:
        return replace(Record(*row), keyring=self._keys)

    # --- reading ---

    def _places(self, fact: tuple[str, str, str] | None) -> list[Place]:
        """The columns that the name of a fact and of a field may mean, in every program.

        Raises `TraceQueryError` where there is none, or none whose values can be seen: nothing would be found, whatever is there.
        """
        if fact is None:
            return []
        rows = self.database.execute(
            """SELECT relation, name, type = 'Int' OR type LIKE 'Decimal%', bool_or(secret), bool_and(personal)
                FROM base.columns WHERE ends_with('.' || relation || '.' || name, '.' || $place) GROUP BY ALL""",
            {"place": f"{fact[0]}.{fact[1]}"},
        ).fetchall()
        if rows and all(secret for *_, secret, _ in rows):
            raise TraceQueryError(f"values of `{fact[0]}.{fact[1]}` are secret")
        if rows and all(personal for *_, personal in rows) and not self._sees(fact[2]):
            raise TraceQueryError(f"values of `{fact[0]}.{fact[1]}` are personal, and sealed here")
        if not rows and self._knows_programs():
            raise TraceQueryError(f"no recorded program has a field `{fact[0]}.{fact[1]}`")
        return [Place(*place) for *place, secret, _ in rows if not secret]

    def _sees(self, value: str) -> bool:
        """Whether a personal value can be found: those that are sealed by what stands in their places alone."""
        return self._shows_personal or value.startswith("(sealed ")

    def _knows_programs(self) -> bool:
        return bool(self.database.execute("SELECT 1 FROM base.columns LIMIT 1").fetchall())

    def _first(
        self, is_meant: Callable[[Record], bool], condition: str, values: dict[str, str]
    ) -> Record | None:
        for records in self._pending.values():
            for record in records:
                if is_meant(record):
                    return replace(record, keyring=self._keys)
        if not self.is_folded:
            return None
        query = f"SELECT {_COLUMNS} FROM folded.base.records WHERE {condition} LIMIT 1"
        # A cursor of its own: another thread may look something up while records are read.
        with self._database.cursor() as cursor:
            row = cursor.execute(query, values).fetchone()
        return None if row is None else self._record(row)

    def _fetch(
        self, condition: str, values: dict[str, Any], order: str, limit: int | None
    ) -> Iterator[Record]:
        where = f"WHERE {condition}" if condition else ""
        most = f"LIMIT {limit:d}" if limit is not None else ""
        # Cursors of their own: the caller may ask for something else between two records.
        self._put_together()
        with self._database.cursor() as found, self._database.cursor() as read, _asked():
            # Identities are put in order first: texts of a large store do not fit the memory that ordering takes.
            found.execute(f"SELECT DISTINCT id FROM base.records {where} {order} {most}", values)
            while ids := [row[0] for row in found.fetchmany(_AT_ONCE)]:
                query = f"""SELECT {_COLUMNS} FROM base.records
                    WHERE id BETWEEN $low AND $high AND id IN (SELECT unnest($ids)) {order}"""
                edges = {"low": min(ids[0], ids[-1]), "high": max(ids[0], ids[-1])}
                last = None
                for row in read.execute(query, {"ids": ids, **edges}).fetchall():
                    # An event of the state may have been written again after a kill, under its identity.
                    if row[1] != last:
                        yield self._record(row)
                    last = row[1]


def _contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in segment_paths(folder):
        for name in (path, path.with_suffix(".sealed"), path.with_suffix(".folded")):
            # Renamed meanwhile: sealed or folded. Gone: it was folded before, and the file has it.
            with suppress(FileNotFoundError):
                yield name, name.read_bytes()
                break


def _conditions(chosen: Filter, places: Iterable[Place]) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for name, condition in (
        ("kind", "kind = $kind"),
        ("since", '"at" >= CAST($since AS TIMESTAMP)'),
        ("until", '"at" < CAST($until AS TIMESTAMP)'),
    ):
        if (value := getattr(chosen, name)) is not None:
            conditions.append(condition)
            values[name] = value
    if chosen.after is not None:
        conditions.append(f"id {'<' if chosen.newest_first else '>'} $after")
        values["after"] = chosen.after
    if chosen.beyond:
        conditions.append(
            "sequence > coalesce(list_extract($last, list_position($chains, writer)), 0)"
        )
        values["chains"], values["last"] = map(list, zip(*chosen.beyond, strict=True))
    if chosen.about_decisions:
        inner = list(_about(chosen, values))
        conditions.append(f"id IN (SELECT id FROM decisions WHERE {' AND '.join(inner)})")
    if chosen.fact is not None:
        conditions.append(_on_fact(chosen.fact[2], places, values))
    return conditions, values


def _about(chosen: Filter, values: dict[str, Any]) -> Iterator[str]:
    """The conditions on decisions. Names may be given without their module."""
    for name, condition in (
        ("action", "(action = $action OR suffix(action, '.' || $action))"),
        ("agent", "agent = $agent"),
        ("outcome", "outcome = $outcome"),
        (
            "rule",
            f"(contains({_RULES}, ',' || $rule || ',') OR contains({_RULES}, '.' || $rule || ','))",
        ),
    ):
        if (value := getattr(chosen, name)) is not None:
            values[name] = value
            yield condition
    if chosen.where is not None:
        yield f"({chosen.where})"


def _cells(place: Place) -> str:
    """SQL for the texts that a column has in the rows of one decision."""
    if not _ODD.intersection(place.relation + place.column):
        # Half the time of reading each row.
        return f"""json_extract_string(facts, {literal(f'$."{place.relation}"[*].values."{place.column}"')})"""
    rows = f"CAST(json_extract(facts, {member(place.relation)}) AS JSON[])"
    return f"[row->'values'->>{member(place.column)} FOR row IN {rows}]"


def _on_fact(value: str, places: Iterable[Place], values: dict[str, Any]) -> str:
    """The condition that one of these columns has a value: as it is written, or as a number where it holds numbers."""
    values["value"] = value
    found = []
    for place in places:
        same = "x = $value"
        if place.is_number:
            same += " OR TRY_CAST(x AS DECIMAL(38, 6)) = TRY_CAST($value AS DECIMAL(38, 6))"
        found.append(f"len([x FOR x IN {_cells(place)} IF {same}]) > 0")
    any_of = " OR ".join(found) or "$value IS NULL"
    return f"id IN (SELECT id FROM base.decisions WHERE {any_of})"
