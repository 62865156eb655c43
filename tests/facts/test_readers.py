"""Readers of reference data: exact rows from every kind of file, and every bad row told."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from pydantic import BaseModel

from policylang.facts.compile import compile_border
from policylang.facts.factset import FactSet
from policylang.facts.readers import DataFile, ReadRows, load_reference, read_rows
from policylang.facts.rejection import Rejection
from policylang.facts.schema import Cardinality, Relation, Schema, Source
from policylang.facts.types import (
    BOOL,
    DATETIME,
    INT,
    STRING,
    DecimalType,
    Domain,
    Field,
    ListType,
    RefType,
    SetType,
)
from policylang.facts.values import MISSING
from tests.facts.shop import LINE, NOW, REQUEST, SCHEMA, TIER, fact, request

ROLE = fact(
    "role",
    Cardinality.MANY,
    Field("name", Domain(STRING), key=True),
    Field("tier", Domain(TIER)),
    Field("cap", Domain(DecimalType(2)), default=Decimal("0.00")),
    Field("level", Domain(INT, low=0), optional=True),
    Field("active", Domain(BOOL, normalizers=("boolean",)), default=True),
    Field("scopes", Domain(SetType(Domain(STRING))), default=frozenset()),
    Field("since", Domain(DATETIME), optional=True),
)
ROWS: list[dict[str, Any]] = [
    {
        "name": "clerk",
        "tier": " PRO",
        "cap": "12345678901234567890.10",
        "level": 9007199254740993,
        "active": "no",
        "scopes": ["a", "b"],
        "since": "2026-01-01T00:00:00Z",
    },
    {"name": "", "tier": "free"},
]
VALUES = [
    (
        "clerk",
        "pro",
        Decimal("12345678901234567890.10"),
        9007199254740993,
        False,
        frozenset({"a", "b"}),
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    ),
    ("", "free", Decimal("0.00"), MISSING, True, frozenset(), MISSING),
]
CSV = (
    "name,tier,cap,level,active,scopes,since\n"
    'clerk," PRO",12345678901234567890.10,9007199254740993,no,"[""a"",""b""]",2026-01-01T00:00:00Z\n'
    '"",free,,,,,\n'
)


def file(folder: Path, name: str, content: str | bytes) -> DataFile:
    """A data file with this content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return DataFile(path, name)


def read(relation: Relation, source: Any) -> list[tuple[Any, ...]]:
    """The values of rows that have to be right."""
    found = read_rows(relation, source)
    assert not found.problems, [str(problem) for problem in found.problems]
    assert [row.id for row in found.rows] == list(range(len(found.rows)))
    assert {row.source for row in found.rows} <= {Source.SYSTEM}
    return [row.values for row in found.rows]


def told(found: ReadRows) -> list[str]:
    """What is told of bad rows; none are given then."""
    assert found.rows == ()
    return [problem.message for problem in found.problems]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("roles.csv", CSV),
        ("roles.csv", CSV.replace("\n", "\r\n")),
        ("roles.csv", "\ufeff" + CSV),
        ("roles.json", json.dumps(ROWS)),
        ("roles.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("roles.ndjson", "\n\n".join(map(json.dumps, ROWS)) + "\n"),
    ],
)
def test_text_files_are_exact(tmp_path: Path, name: str, content: str) -> None:
    """CSV, JSON and JSONL give the same exact rows: no digit is lost on the way."""
    assert read(ROLE, file(tmp_path, name, content)) == VALUES


def test_parquet_is_exact(tmp_path: Path) -> None:
    """Typed Parquet columns give the same exact rows."""
    path = tmp_path / "roles.parquet"
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            f"""COPY (SELECT * FROM (VALUES
                ('clerk', ' PRO', 12345678901234567890.10::DECIMAL(38,2), 9007199254740993::BIGINT,
                 'no', ['a', 'b'], '2026-01-01 02:00:00+02'::TIMESTAMPTZ),
                ('', 'free', NULL, NULL, NULL, NULL, NULL))
                AS t(name, tier, cap, level, active, scopes, since)) TO '{path}'"""
        )
    assert read(ROLE, DataFile(path, "roles.parquet")) == VALUES


class Named(NamedTuple):
    """A row of a caller's own."""

    name: str
    tier: str


@dataclasses.dataclass
class Plain:
    """A row of a caller's own."""

    name: str
    tier: str


class Model(BaseModel):
    """A row of a caller's own."""

    name: str
    tier: str


class Tier(enum.Enum):
    """A caller's own enumeration."""

    PRO = "pro"


class Typed(BaseModel):
    """A row of a caller's own, with members of an enumeration, alone and in a set."""

    name: str
    tier: Tier
    scopes: frozenset[Tier] = frozenset()


def test_members_of_an_enumeration_are_their_values() -> None:
    """What a class of a caller's own says by an `Enum` is read as the value of the member."""
    given = Typed(name="x", tier=Tier.PRO, scopes=frozenset({Tier.PRO}))
    assert read(ROLE, [given]) == read(ROLE, [{"name": "x", "tier": "pro", "scopes": ["pro"]}])


@pytest.mark.parametrize("row", [Named("x", "pro"), Plain("x", "pro"), Model(name="x", tier="pro")])
def test_python_objects_are_rows(row: Any) -> None:
    """Named tuples, dataclasses and pydantic models are read by their fields, like dicts."""
    assert read(ROLE, [row]) == read(ROLE, [{"name": "x", "tier": "pro"}])


def test_records_in_a_csv_cell_are_json(tmp_path: Path) -> None:
    """A list of records stands in a cell as JSON, with its numbers exact."""
    basket = fact("basket", Cardinality.MANY, Field("lines", Domain(ListType(Domain(LINE)))))
    cell = '[{"sku": "a", "price": 1.10}]'.replace('"', '""')
    (row,) = read(basket, file(tmp_path, "b.csv", f'lines\n"{cell}"\n'))
    assert row[0][0].values[1] == Decimal("1.10")


def test_every_bad_row_is_told_with_its_place(tmp_path: Path) -> None:
    """All rows are looked at, and each problem names file, row and column."""
    content = "name,tier,level\na,gold,1\nb,pro,many\na,pro,-1\n,free,\n"
    assert told(read_rows(ROLE, file(tmp_path, "roles.csv", content))) == [
        'roles.csv, row 1: column `tier`: "gold" is no Tier (free, pro, enterprise)',
        'roles.csv, row 2: column `level`: "many" is no Int of at least 0',
        "roles.csv, row 3: column `level`: -1 is no Int of at least 0",
        "roles.csv, row 4: column `name`: String is expected, and nothing is given",
    ]


def test_two_rows_with_one_key_are_told() -> None:
    """A key that comes twice is a problem of the second row."""
    assert told(read_rows(ROLE, [ROWS[1], ROWS[1]])) == [
        'the rows of role, row 2: column `name`: the key "" is that of row 1'
    ]


def test_lines_that_do_not_fit_are_told(tmp_path: Path) -> None:
    """Lines of a CSV file with too many or too few cells are told by line, and none is skipped."""
    content = "name,tier\na,pro,1\nb,gold\nc\nd,free\ne,silver\nf\n"
    lines = told(read_rows(ROLE, file(tmp_path, "roles.csv", content)))
    assert [line.partition(": ")[0] for line in lines] == [
        "roles.csv, line 2",
        "roles.csv, row 2",
        "roles.csv, line 4",
        "roles.csv, row 5",
        "roles.csv, line 7",
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("r.csv", "", "it is empty"),
        ("r.csv", b"name,tier\na,\xff\n", "line 2"),
        ("r.csv", 'name,tier\na,"open\n', "r.csv"),
        ("r.csv", "name,tier,colour\na,pro,red\n", "column `colour`: this field is not declared"),
        ("r.csv", "name;tier\na;pro\n", "not declared"),
        ("r.json", '{"a": 1}', "a list of objects is expected"),
        ("r.json", "[", "not JSON"),
        ("r.jsonl", '{"name": "a"\n{"name": "b", "tier": "pro"}\n', "line 1: this is not JSON"),
        ("r.jsonl", "7\n", "line 1"),
        ("r.parquet", "no parquet", "cannot be read"),
        ("r.csv", "name,tier,cap\na,pro,1,2\n", "4 are given"),
        ("r.csv", 'name,tier,cap\n"a,pro,1\n', "every double quote closed"),
        ("r.xlsx", "", "no kind of file"),
    ],
)
def test_bad_files_are_told(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    """What is no such file, or not in its form, is a problem that names the file."""
    (*_, last) = told(read_rows(ROLE, file(tmp_path, name, content)))
    assert said in last
    assert name in last


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A path that does not exist, or is a folder, is a problem of its own."""
    for path in (tmp_path / "none.csv", tmp_path):
        (problem,) = read_rows(ROLE, DataFile(path, "none.csv")).problems
        assert problem.code == "PL0640"


# --- reference data in a bundle -------------------------------------------------------------------------

WITH_ROLES = Schema({**SCHEMA.relations, ROLE.name: ROLE}, {}, {}, SCHEMA.histories)


def test_the_digest_names_the_content(tmp_path: Path) -> None:
    """The digest depends on the rows alone: not on the kind of file, but on every value."""
    kinds = [file(tmp_path, "r.csv", CSV), file(tmp_path, "r.json", json.dumps(ROWS)), ROWS]
    digests = {
        load_reference(WITH_ROLES, {ROLE.name: kind})[0].digests[ROLE.name] for kind in kinds
    }
    changed = [ROWS[0] | {"cap": "0.01"}, ROWS[1]]
    other = load_reference(WITH_ROLES, {ROLE.name: changed})[0].digests[ROLE.name]
    assert len(digests) == 1
    assert other not in digests


def test_the_border_knows_reference_data() -> None:
    """Facts name the reference data they were checked against, and no request may give rows for it."""
    reference, problems = load_reference(WITH_ROLES, {ROLE.name: ROWS})
    assert not problems
    border = compile_border(WITH_ROLES, reference, clock=lambda: NOW)
    facts = border.validate(REQUEST)
    assert isinstance(facts, FactSet)
    assert facts.reference == reference.digests
    refused = border.validate(request(facts__role=ROWS))
    assert isinstance(refused, Rejection)
    assert [problem.code for problem in refused.problems] == ["PL0626"]


def test_references_into_reference_data() -> None:
    """A `ref` finds its row in reference data, in requests and between reference relations."""
    worker = fact("worker", Cardinality.MANY, Field("role", Domain(RefType(ROLE.name, STRING))))
    schema = Schema({**WITH_ROLES.relations, worker.name: worker}, {}, {}, ())
    reference, _ = load_reference(schema, {ROLE.name: ROWS})
    border = compile_border(schema, reference, clock=lambda: NOW)
    assert isinstance(border.validate(request(facts__worker=[{"role": "clerk"}])), FactSet)
    assert isinstance(border.validate(request(facts__worker=[{"role": "chief"}])), Rejection)
    given = {ROLE.name: ROWS, worker.name: [{"role": "clerk"}, {"role": "chief"}]}
    _, problems = load_reference(schema, given)
    assert [problem.message for problem in problems] == [
        'the rows of worker, row 2: column `role`: no row of `role` has the key "chief"'
    ]


def test_refreshed_reference_data_is_used_from_then_on() -> None:
    """A border over refreshed data has the new digests; the old one keeps the old."""
    first, _ = load_reference(WITH_ROLES, {ROLE.name: ROWS})
    second, _ = load_reference(WITH_ROLES, {ROLE.name: ROWS[:1]})
    border = compile_border(WITH_ROLES, first, clock=lambda: NOW)
    refreshed = border.with_reference(second)
    answers = [b.validate(REQUEST) for b in (border, refreshed)]
    assert [a.reference for a in answers if isinstance(a, FactSet)] == [
        first.digests,
        second.digests,
    ]
