"""Fact sets and firings read back from the JSON forms that `policylang.decide.json` writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from policylang.decide.json import FACTS_FORM
from policylang.errors import PolicyError
from policylang.evaluate.firings import Firing
from policylang.facts.factset import Cell, FactSet, Row
from policylang.facts.forms import Reader, Unfit, read_datetime, read_wide_decimal
from policylang.facts.reading import from_json, reader
from policylang.facts.schema import Schema, Source
from policylang.facts.types import DecimalType, Domain, ListType, SetType, Type
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics.program import Program


class UnreadableFormError(PolicyError):
    """A stored form is not one that this program's declarations can read."""


class FactsReader:
    """Reads the fact sets that `facts_to_json` wrote for one schema. What it has to know of a relation is found once.

    A reader of a program is for many fact sets; `facts_from_json` is for one.
    """

    __slots__ = ("_relations", "_schema")

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._relations: dict[str, dict[str, tuple[int, Reader]]] = {}

    def read(self, form: Mapping[str, Any]) -> FactSet:
        """The fact set of a form. See `facts_from_json`."""
        if form.get("form") != FACTS_FORM:
            raise UnreadableFormError(f"form {form.get('form')} of a fact set is not known")
        try:
            return FactSet(
                action=form.get("action", ""),
                now=read_datetime(form["now"]),
                rows={name: self._rows(name, rows) for name, rows in form.get("rows", {}).items()},
                reference=dict(form.get("reference", {})),
                defaults=tuple(Cell(**cell) for cell in form.get("defaults", ())),
                asked=tuple(form.get("asked", ())),
            )
        except (Unfit, KeyError, TypeError, AttributeError) as problem:
            raise UnreadableFormError(
                f"a fact set does not fit its program: {problem}"
            ) from problem

    def _rows(self, name: str, forms: Iterable[Mapping[str, Any]]) -> tuple[Row, ...]:
        columns = self._relations.get(name)
        if columns is None:
            columns = self._relations[name] = {
                column.name: (i, reader(Domain(column.domain.type)))
                for i, column in enumerate(self._schema.relations[name].columns)
            }
        return tuple(_row(i, form, columns, name) for i, form in enumerate(forms))


def facts_from_json(form: Mapping[str, Any], schema: Schema) -> FactSet:
    """The fact set that `facts_to_json` wrote, for the schema it was written with.

    What the border changed on the way in is not read back: no decision depends on it. Raises
    `UnreadableFormError` where the form has another version or does not fit the schema.
    """
    return FactsReader(schema).read(form)


def _row(
    number: int, form: Mapping[str, Any], columns: Mapping[str, tuple[int, Reader]], relation: str
) -> Row:
    cells: list[Value | Missing] = [MISSING] * len(columns)
    for name, value in form["values"].items():
        found = columns.get(name)
        if found is None:
            raise KeyError(f"{relation}.{name}")
        cells[found[0]] = found[1](value)
    source = form.get("source")
    return Row(number, tuple(cells), Source.SYSTEM if source is None else Source[source.upper()])


def firings_from_json(form: Iterable[Mapping[str, Any]], program: Program) -> tuple[Firing, ...]:
    """The firings that `firings_to_json` wrote, for the program they were written with.

    Raises `UnreadableFormError` where a firing does not fit the program.
    """
    rules = {rule.name: rule for rule in program.rules}
    try:
        return tuple(
            Firing(
                fired["rule"],
                tuple(
                    _bound(fired.get("bindings", {})[variable.name], variable.type)
                    for variable in rules[fired["rule"]].variables
                ),
            )
            for fired in form
        )
    except (Unfit, KeyError, TypeError, AttributeError) as problem:
        raise UnreadableFormError(f"a firing does not fit its program: {problem}") from problem


def _bound(given: object, type_: Type) -> Value:
    """What a variable was bound to: a calculated number may be wider than what a request may give."""
    if isinstance(type_, DecimalType) and isinstance(given, str):
        return read_wide_decimal(given)
    if isinstance(type_, SetType | ListType) and isinstance(given, list):
        items = [_bound(item, type_.element.type) for item in given]
        return frozenset(items) if isinstance(type_, SetType) else tuple(items)
    return from_json(given, type_)
