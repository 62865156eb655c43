"""From what a bundle names as its data to checked reference data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from policylang.diagnostics import Diagnostic
from policylang.facts import codes
from policylang.facts.describe import shown
from policylang.facts.factset import Row
from policylang.facts.forms import Unfit
from policylang.facts.objects import as_fields
from policylang.facts.readers.files import Given, Unreadable, read_json_file, read_lines
from policylang.facts.reference import ReferenceData, ReferenceRelation, hold
from policylang.facts.refs import references_of
from policylang.facts.rejection import Problem
from policylang.facts.rows import Findings, RelationReader, Values
from policylang.facts.schema import Relation, Schema, Source
from policylang.facts.values import Missing, Value


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file: where it is, and the name it is reported under (`roles.csv`)."""

    path: Path
    name: str


RowsGiven: TypeAlias = DataFile | Iterable[Any]
"""A file, or rows as Python objects: mappings, dataclasses, pydantic models, named tuples."""


@dataclass(frozen=True, slots=True)
class ReadRows:
    """The rows of one relation, or what is wrong with them. Rows are empty where there are problems."""

    rows: tuple[Row, ...]
    problems: tuple[Diagnostic, ...]


def load_reference(
    schema: Schema, given: Mapping[str, RowsGiven]
) -> tuple[ReferenceData, tuple[Diagnostic, ...]]:
    """The reference data of a bundle, and every problem in it.

    `given` says by qualified relation name where the rows come from. A relation with problems is left out.
    References between reference relations are checked; those to facts of requests cannot be.
    """
    held: dict[str, ReferenceRelation] = {}
    problems: list[Diagnostic] = []
    for name, source in given.items():
        relation = schema.relations[name]
        read = read_rows(relation, source)
        problems += read.problems
        if not read.problems:
            held[name] = hold(relation, read.rows, schema)
    for name, reference in held.items():
        problems += _dangling(reference, held, _name(given[name], reference.relation))
    return ReferenceData(held), tuple(problems)


def read_rows(relation: Relation, source: RowsGiven) -> ReadRows:
    """The rows of a relation from a file or from Python objects, with every problem in them.

    The kind of a file is told by the end of its name: `.csv`, `.json` (a list of objects), `.jsonl`
    or `.ndjson` (an object a line), `.parquet`.
    """
    name = _name(source, relation)
    try:
        return _Checked(relation, name).read(_opened(relation, source))
    except Unreadable as unreadable:
        hint = f"the rows of `{relation.bare_name}` are to come from it"
        return ReadRows((), (unreadable.diagnostic(name, hint),))


def _name(source: RowsGiven, relation: Relation) -> str:
    return source.name if isinstance(source, DataFile) else f"the rows of {relation.bare_name}"


def _opened(relation: Relation, source: RowsGiven) -> Iterator[Given]:
    if not isinstance(source, DataFile):
        yield from (Given(f"row {i}", as_fields(row)) for i, row in enumerate(source, 1))
        return
    if not source.path.is_file():
        raise Unreadable("it is a folder" if source.path.is_dir() else "there is no such file")
    match source.path.suffix.lower():
        case ".csv":
            # DuckDB is imported where a file needs it: loading it takes as long as a small check.
            from policylang.facts.readers.tables import open_csv

            yield from open_csv(source.path, relation.columns)
        case ".parquet":
            from policylang.facts.readers.tables import open_parquet

            yield from open_parquet(source.path)
        case ".json":
            yield from read_json_file(source.path)
        case ".jsonl" | ".ndjson":
            yield from read_lines(source.path)
        case suffix:
            raise Unreadable(
                f"`{suffix}` is no kind of file that is read (csv, json, jsonl, parquet)"
            )


class _Checked:
    """The checking of one relation's rows."""

    __slots__ = ("_key", "_keys", "_name", "_problems", "_reader", "_relation")

    def __init__(self, relation: Relation, name: str) -> None:
        self._relation = relation
        self._key = relation.key
        self._name = name
        self._reader = RelationReader(relation)
        self._problems: list[Diagnostic] = []
        self._keys: dict[Value | Missing, str] = {}

    def read(self, given: Iterable[Given]) -> ReadRows:
        rows: list[Row] = []
        for place, fields in given:
            if isinstance(fields, Unfit):
                self._report(place, fields.detail)
                continue
            values = self._values(place, fields, len(rows))
            if values is not None:
                self._check_key(place, values)
                rows.append(Row(len(rows), values, Source.SYSTEM))
        if self._problems:
            return ReadRows((), tuple(self._problems))
        return ReadRows(tuple(rows), ())

    def _values(self, place: str, fields: Any, number: int) -> Values | None:
        found = Findings()
        values = self._reader.one(fields, number, "", "", found)
        for problem in found.problems:
            self._report(place, _in_column(problem), problem.hint)
        return values

    def _check_key(self, place: str, values: Values) -> None:
        key = self._key
        if key is None:
            return
        first = self._keys.setdefault(values[key], place)
        if first != place:
            column = self._relation.columns[key]
            self._report(
                place, f"column `{column.name}`: the key {shown(values[key])} is that of {first}"
            )

    def _report(self, place: str, detail: str, hint: str | None = None) -> None:
        self._problems.append(
            codes.BAD_ROW.at(None, detail=f"{self._name}, {place}: {detail}", hint=hint)
        )


def _in_column(problem: Problem) -> str:
    path = problem.path.removeprefix(".")
    return f"column `{path}`: {problem.message}" if path else problem.message


def _dangling(
    reference: ReferenceRelation, held: Mapping[str, ReferenceRelation], name: str
) -> Iterator[Diagnostic]:
    for found in references_of(reference.relation.columns):
        target = held.get(found.target)
        if target is None:
            continue
        for row in reference.rows:
            for value, at in found.of(row.values):
                if value not in target.keys:
                    detail = f"no row of `{target.relation.bare_name}` has the key {shown(value)}"
                    yield codes.BAD_ROW.at(
                        None, detail=f"{name}, row {row.id + 1}: column `{at}`: {detail}"
                    )
