"""Reading the rows of one relation: objects as given -> `Row`s, with what was changed and defaulted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

from pydantic_core import SchemaValidator, ValidationError, core_schema

from policylang.facts.diagnose import not_an_object, problems_of, rows_problems
from policylang.facts.factset import Cell, Change
from policylang.facts.forms import Unfit
from policylang.facts.normalizers import rewriter
from policylang.facts.reading import (
    keeps_strict_forms,
    key_type,
    normalizers_of,
    reader,
    strict_reader,
)
from policylang.facts.rejection import MOST_PROBLEMS, Problem
from policylang.facts.schema import Relation
from policylang.facts.types import (
    Domain,
    EnumType,
    Field,
    ListType,
    RecordType,
    RefType,
    SetType,
)
from policylang.facts.validators import row_schema
from policylang.facts.values import MISSING, Missing, Value

Values: TypeAlias = "tuple[Value | Missing, ...]"


class Findings:
    """What one request's validation found: problems, changes, defaults. One a request."""

    __slots__ = ("changes", "defaults", "more", "problems")

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.more = 0
        self.changes: list[Change] = []
        self.defaults: list[Cell] = []

    def refuse(self, problem: Problem) -> None:
        """Take up one problem."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)
        else:
            self.more += 1

    def refuse_all(self, problems: Iterator[Problem], count: int) -> None:
        """Take up problems, `count` of them, and look only at as many as are listed."""
        taken = list(islice(problems, MOST_PROBLEMS - len(self.problems)))
        self.problems += taken
        self.more += count - len(taken)


class RelationReader:
    """The compiled reader of one relation's rows."""

    __slots__ = (
        "_columns",
        "_normalizing",
        "_optional",
        "_row",
        "_rows",
        "_with_default",
        "relation",
    )

    def __init__(self, relation: Relation) -> None:
        row = row_schema(relation.columns)
        self.relation = relation
        self._columns = relation.columns
        self._row = SchemaValidator(row).validate_python
        self._rows = SchemaValidator(core_schema.list_schema(row, strict=True)).validate_python
        self._optional = tuple(i for i, c in enumerate(self._columns) if c.optional)
        self._with_default = frozenset(c.name for c in self._columns if c.default is not MISSING)
        self._normalizing = tuple(
            (i, c) for i, c in enumerate(self._columns) if may_change(c.domain)
        )

    def one(
        self, given: Any, number: int, path: str, pointer: str, found: Findings
    ) -> Values | None:
        """The values of one row, or None where it is refused."""
        try:
            fields, _, names = self._row(given)
        except ValidationError as error:
            problems = problems_of(error, self._columns, path, pointer)
            found.refuse_all(problems, error.error_count())
            return None
        return self._finished(fields, names, given, number, found)

    def many(self, given: Any, path: str, pointer: str, found: Findings) -> list[Values] | None:
        """The values of a list of rows, or None where one is refused."""
        try:
            validated = self._rows(given)
        except ValidationError as error:
            if type(given) is list:
                problems = rows_problems(error, self._columns, path, pointer)
                found.refuse_all(problems, error.error_count())
            else:
                found.refuse(not_an_object(given, path, pointer))
            return None
        return [
            self._finished(fields, names, raw, number, found)
            for number, ((fields, _, names), raw) in enumerate(zip(validated, given, strict=True))
        ]

    def _finished(
        self, fields: dict[str, Any], names: set[str], given: Any, number: int, found: Findings
    ) -> Values:
        values: tuple[Any, ...] = tuple(fields.values())
        for i in self._optional:
            if values[i] is None:
                values = tuple(MISSING if value is None else value for value in values)
                break
        if self._with_default and not self._with_default <= names:
            found.defaults += (
                Cell(self.relation.name, number, c.name)
                for c in self._columns
                if c.name in self._with_default and c.name not in names
            )
        for i, column in self._normalizing:
            raw = given.get(column.name)
            if raw is not None and raw != values[i]:
                cell = Cell(self.relation.name, number, column.name)
                found.changes += changes(raw, values[i], column.domain, cell, "")
        return values


# --- what normalizers changed ---------------------------------------------------------------------------


def may_change(domain: Domain) -> bool:
    """Whether a text given for the domain may become something else than what it says."""
    match domain.type:
        case EnumType(members=members):
            return bool(normalizers_of(domain)) or any(m.spellings for m in members)
        case RefType(key=key):
            return bool(domain.normalizers) or may_change(Domain(key))
        case SetType(element) | ListType(element):
            return may_change(element)
        case RecordType(fields):
            return any(may_change(field.domain) for field in fields)
        case _:
            return bool(domain.normalizers)


SPELLING: Final = "spelling"
"""The name in `Change.by` for another spelling of an enum's member."""


def changes(
    given: Any, value: Value | Missing, domain: Domain, cell: Cell, place: str
) -> Iterator[Change]:
    """The changes between what was given for a domain and the value it became."""
    match domain.type:
        case SetType(element):
            for i, item in enumerate(given):
                yield from changes(item, _again(item, element), element, cell, f"{place}[{i}]")
        case ListType(element) if isinstance(value, tuple):
            for i, (item, became) in enumerate(zip(given, value, strict=True)):
                yield from changes(item, became, element, cell, f"{place}[{i}]")
        case RecordType(fields):
            yield from _record_changes(given, value, fields, cell, place)
        case _ if isinstance(given, str) and may_change(domain):
            by = _by(given, value, domain)
            if by:
                yield Change(cell, place, given, value, by)
        case _:
            pass


def _again(item: Any, domain: Domain) -> Value | Missing:
    value: Value | None = reader(domain)(item)
    return MISSING if value is None else value


def _record_changes(
    given: Any, value: Any, fields: Sequence[Field], cell: Cell, place: str
) -> Iterator[Change]:
    for field, became in zip(fields, value.values, strict=True):
        item = given.get(field.name)
        if item is not None:
            yield from changes(item, became, field.domain, cell, f"{place}.{field.name}")


def _by(given: str, value: Value | Missing, domain: Domain) -> tuple[str, ...]:
    """The normalizers that changed the text, in their order; empty where it is a strict form."""
    names = normalizers_of(domain)
    if keeps_strict_forms(domain, names) and _is_strict(given, domain):
        return () if given == value or not _is_enum(domain) else (SPELLING,)
    by, text = [], given
    for name in names:
        after = rewriter((name,), key_type(domain.type))(text)
        if after != text:
            by.append(name)
        if after is None:
            return tuple(by)
        text = after
    if _is_enum(domain) and text != value:
        by.append(SPELLING)
    return tuple(by)


def _is_strict(given: str, domain: Domain) -> bool:
    try:
        strict_reader(domain)(given)
    except Unfit:
        return False
    return True


def _is_enum(domain: Domain) -> bool:
    return isinstance(key_type(domain.type), EnumType)
