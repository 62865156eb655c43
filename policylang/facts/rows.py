"""Reading the rows of one relation: objects as given -> `Row`s, with what was changed and defaulted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final, TypeAlias

from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema

from policylang.facts.amounts import Rewrite
from policylang.facts.diagnose import not_an_object, problems_of, rows_problems
from policylang.facts.factset import Cell, Change
from policylang.facts.forms import Unfit
from policylang.facts.memory import Memory
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
    DecimalType,
    Domain,
    EnumType,
    Field,
    ListType,
    RecordType,
    RefType,
    ScalarType,
    SetType,
    Type,
)
from policylang.facts.validators import row_schema
from policylang.facts.values import MISSING, Missing, Value

Values: TypeAlias = "tuple[Value | Missing, ...]"


Validated: TypeAlias = "tuple[dict[str, Any], None]"
"""What pydantic makes of a row: its values by name, and nothing."""


class Findings:
    """What one request's validation found: problems, changes, defaults. One a request."""

    __slots__ = ("changes", "defaults", "more", "problems")

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.more = 0
        self.changes: list[Change] = []
        self.defaults: list[Cell] = []

    def noted(self) -> tuple[tuple[Change, ...], tuple[Cell, ...]]:
        """The changes and the defaults, in the order of relations and rows by name."""
        if len(self.changes) > 1:
            self.changes.sort(key=lambda change: (_place(change.cell), change.place))
        if len(self.defaults) > 1:
            self.defaults.sort(key=_place)
        return tuple(self.changes), tuple(self.defaults)

    def is_full(self) -> bool:
        """Whether as many problems are listed as there may be; a further one is then only counted."""
        if len(self.problems) < MOST_PROBLEMS:
            return False
        self.more += 1
        return True

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


def _place(cell: Cell) -> tuple[str, int, str]:
    return cell.relation, cell.row, cell.column


class RelationReader:
    """The compiled reader of one relation's rows."""

    __slots__ = (
        "_columns",
        "_defaults",
        "_normalizing",
        "_optional",
        "_row",
        "_rows",
        "is_simple",
        "relation",
    )

    def __init__(self, relation: Relation) -> None:
        self.relation = relation
        self._columns = relation.columns
        row = row_schema(relation.columns)
        self._row = SchemaValidator(row).validate_python
        rows = core_schema.list_schema(row, strict=True)
        self._rows = SchemaValidator(rows).validate_python
        self._optional = tuple(i for i, c in enumerate(self._columns) if c.optional)
        self._defaults = tuple(
            (c.name, Cell(relation.name, 0, c.name))
            for c in self._columns
            if c.default is not MISSING
        )
        self._normalizing = tuple(
            (i, c, isinstance(c.domain.type, DecimalType), Memory[tuple[str, ...]]())
            for i, c in enumerate(self._columns)
            if may_change(c.domain)
        )
        self.is_simple = not (self._optional or self._defaults or self._normalizing)

    def quick_schema(self) -> CoreSchema:
        """A validator of one row that refuses what it is not made for, without saying why."""
        return row_schema(self._columns, quick=True)

    def one(
        self, given: Any, number: int, path: str, pointer: str, found: Findings
    ) -> Values | None:
        """The values of one row, or None where it is refused."""
        try:
            validated = self._row(given)
        except ValidationError as error:
            problems = problems_of(error, self._columns, path, pointer)
            found.refuse_all(problems, error.error_count())
            return None
        return self.finished(validated, given, number, found)

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
        return self.all_finished(validated, given, found)

    def all_finished(self, validated: list[Validated], given: Any, found: Findings) -> list[Values]:
        """The values of validated rows; `given` is what they were validated from."""
        if self.is_simple:
            return [tuple(row[0].values()) for row in validated]
        return [
            self.finished(row, given[number], number, found) for number, row in enumerate(validated)
        ]

    def finished(self, validated: Validated, given: Any, number: int, found: Findings) -> Values:
        """The values of one validated row, its changes and defaults noted in `found`."""
        values: tuple[Any, ...] = tuple(validated[0].values())
        for i in self._optional:
            if values[i] is None:
                values = tuple([MISSING if value is None else value for value in values])
                break
        for name, cell in self._defaults:
            if name not in given:
                found.defaults.append(cell if number == 0 else cell._replace(row=number))
        if self._normalizing:
            self.note_changes(values, given, number, found)
        return values

    @property
    def changes_texts(self) -> bool:
        """Whether a text of some column may become something else than what it says."""
        return bool(self._normalizing)

    def note_changes(self, values: Values, given: Any, number: int, found: Findings) -> None:
        """Note in `found` what became of the texts of a row that was validated."""
        for i, column, is_decimal, memory in self._normalizing:
            raw, value = given.get(column.name), values[i]
            # A text that reads as itself was not changed: this is the usual case, and it is cheap.
            if raw is None or raw == value or (is_decimal and raw == str(value)):
                continue
            cell = Cell(self.relation.name, number, column.name)
            if type(raw) is not str or column.domain.type is ScalarType.STRING:
                found.changes += changes(raw, value, column.domain, cell, "")
                continue
            by = memory.get(raw)
            if by is None:
                by = memory.keep(raw, _by(raw, value, column.domain))
            if by:
                found.changes.append(Change(cell, "", raw, value, by))


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
    for name, rewrite in _steps(names, key_type(domain.type)):
        after = rewrite(text)
        if after != text:
            by.append(name)
        if after is None:
            return tuple(by)
        text = after
    if _is_enum(domain) and text != value:
        by.append(SPELLING)
    return tuple(by)


@lru_cache(maxsize=1024)
def _steps(names: tuple[str, ...], type_: Type) -> tuple[tuple[str, Rewrite], ...]:
    return tuple((name, rewriter((name,), type_)) for name in names)


def _is_strict(given: str, domain: Domain) -> bool:
    try:
        strict_reader(domain)(given)
    except Unfit:
        return False
    return True


def _is_enum(domain: Domain) -> bool:
    return isinstance(key_type(domain.type), EnumType)
