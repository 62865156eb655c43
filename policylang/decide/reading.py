"""Fact sets and firings read back from the JSON forms that `policylang.decide.json` writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from policylang.decide.json import FACTS_FORM
from policylang.errors import PolicyError
from policylang.evaluate.firings import Firing
from policylang.facts.factset import Cell, FactSet, Row
from policylang.facts.forms import Unfit, read_datetime
from policylang.facts.reading import from_json
from policylang.facts.schema import Relation, Schema, Source
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics.program import Program


class UnreadableFormError(PolicyError):
    """A stored form is not one that this program's declarations can read."""


def facts_from_json(form: Mapping[str, Any], schema: Schema) -> FactSet:
    """The fact set that `facts_to_json` wrote, for the schema it was written with.

    What the border changed on the way in is not read back: no decision depends on it. Raises
    `UnreadableFormError` where the form has another version or does not fit the schema.
    """
    if form.get("form") != FACTS_FORM:
        raise UnreadableFormError(f"form {form.get('form')} of a fact set is not known")
    try:
        return FactSet(
            action=form.get("action", ""),
            now=read_datetime(form["now"]),
            rows={
                name: tuple(_row(i, row, schema.relations[name]) for i, row in enumerate(rows))
                for name, rows in form.get("rows", {}).items()
            },
            reference=dict(form.get("reference", {})),
            defaults=tuple(Cell(**cell) for cell in form.get("defaults", ())),
            asked=tuple(form.get("asked", ())),
        )
    except (Unfit, KeyError, TypeError, AttributeError) as problem:
        raise UnreadableFormError(f"a fact set does not fit its program: {problem}") from problem


def _row(number: int, form: Mapping[str, Any], relation: Relation) -> Row:
    values = form["values"]
    if unknown := values.keys() - {column.name for column in relation.columns}:
        raise KeyError(f"{relation.name}.{min(unknown)}")
    cells: list[Value | Missing] = [
        from_json(values[column.name], column.domain.type) if column.name in values else MISSING
        for column in relation.columns
    ]
    return Row(number, tuple(cells), Source[form.get("source", "system").upper()])


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
                    from_json(fired.get("bindings", {})[variable.name], variable.type)
                    for variable in rules[fired["rule"]].variables
                ),
            )
            for fired in form
        )
    except (Unfit, KeyError, TypeError, AttributeError) as problem:
        raise UnreadableFormError(f"a firing does not fit its program: {problem}") from problem
