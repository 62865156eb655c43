"""References: which values of a row name rows of another fact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from policylang.facts.order import value_key
from policylang.facts.types import Domain, Field, ListType, RecordType, RefType, SetType
from policylang.facts.values import MISSING, Missing, Value

Found = Iterator[tuple[Value, str]]
"""Values with where they stand in the row (`order`, `lines[0].product`)."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference that some column holds: the fact it names, and how to find its values in a row."""

    target: str
    field: Field
    of: Callable[[Sequence[Value | Missing]], Found]


def references_of(columns: Sequence[Field]) -> tuple[Reference, ...]:
    """The references in these columns that may not dangle, those inside lists and records too."""
    return tuple(_columns_references(columns))


def _columns_references(columns: Sequence[Field]) -> Iterator[Reference]:
    for i, column in enumerate(columns):
        for target, found in _in_domain(column.domain):
            yield Reference(target, column, _in_column(i, column.name, found))


Finder = Callable[[Any, str], Found]


def _in_column(i: int, name: str, find: Finder) -> Callable[[Sequence[Value | Missing]], Found]:
    def of(values: Sequence[Value | Missing]) -> Found:
        value = values[i]
        return iter(()) if value is MISSING else find(value, name)

    return of


def _in_domain(domain: Domain) -> Iterator[tuple[str, Finder]]:
    match domain.type:
        case RefType(relation=relation, dangling=False):
            yield relation, lambda value, at: iter(((value, at),))
        case SetType(element):
            for target, find in _in_domain(element):
                yield target, _each(find, ordered=True)
        case ListType(element):
            for target, find in _in_domain(element):
                yield target, _each(find, ordered=False)
        case RecordType(fields):
            for reference in _columns_references(fields):
                yield reference.target, _in_record(reference)
        case _:
            return


def _each(find: Finder, *, ordered: bool) -> Finder:
    def of(values: Any, at: str) -> Found:
        items = sorted(values, key=value_key) if ordered else values
        for i, value in enumerate(items):
            yield from find(value, f"{at}[{i}]")

    return of


def _in_record(reference: Reference) -> Finder:
    def of(record: Any, at: str) -> Found:
        for value, below in reference.of(record.values):
            yield value, f"{at}.{below}"

    return of
