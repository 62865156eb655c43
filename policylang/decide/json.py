"""The JSON form of decisions and fact sets, and their canonical bytes.

The form is documented in `docs/reference/decision.md`, its schema is `docs/reference/schemas/decision.schema.json`.
What is absent is left out: no nulls, no empty lists. Every value has the one JSON form of its type: decimals are
strings with the places of their type, durations ISO 8601, sets lists in the order of `policylang.facts.order`.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias, TypeVar, assert_never

from policylang.decide.decision import (
    FORM,
    Assignment,
    Decision,
    Obligation,
    Reason,
    Requirement,
    Suppression,
)
from policylang.errors import InternalError
from policylang.evaluate.calculate import conform
from policylang.evaluate.exact import CalculationFailure
from policylang.evaluate.firings import Failure, Firing
from policylang.facts.factset import Cell, Change, FactSet, Row
from policylang.facts.forms import to_json, write_datetime, write_duration, writer
from policylang.facts.json_text import write_json
from policylang.facts.order import value_key
from policylang.facts.schema import Schema, Source
from policylang.facts.types import Type, base, is_number
from policylang.facts.values import MISSING, Missing, Record, Value
from policylang.semantics.program import ModuleInfo, Program

Json: TypeAlias = "dict[str, Any] | list[Any] | str | int | bool"

FACTS_FORM: Final = 1
"""The version of the JSON form of a fact set."""

_LONGEST_INT: Final = 10**4000
"""Python refuses to print longer ones: they are written as strings."""


# --- decisions -------------------------------------------------------------------------------------------


def decision_to_json(decision: Decision) -> dict[str, Any]:
    """The documented JSON form of a decision: dicts, lists, strings, ints and bools.

    The firings are not part of it; `firings_to_json` writes them.
    """
    form: dict[str, Any] = {
        "form": FORM,
        **({"action": decision.action} if decision.action else {}),
        "outcome": decision.outcome.value,
    }
    if decision.reasons:
        form["reasons"] = [_reason(reason) for reason in decision.reasons]
    if decision.determining:
        form["determining"] = list(decision.determining)
    if decision.suppressed:
        form["suppressed"] = [_suppression(suppression) for suppression in decision.suppressed]
    if decision.violated:
        form["violated"] = list(decision.violated)
    if decision.requires:
        form["requires"] = [_requirement(requirement) for requirement in decision.requires]
    if decision.obligations:
        form["obligations"] = [_obligation(obligation) for obligation in decision.obligations]
    if decision.values:
        values = decision.values
        form["values"] = {name: _assignment(values[name]) for name in sorted(values)}
    if program := _program(decision.program, decision.modules):
        form["program"] = program
    if decision.failure is not None:
        form["error"] = _error(decision.failure)
    if decision.rejection is not None:
        form["rejection"] = decision.rejection.to_json()
    return form


def decision_line(decision: Decision) -> str:
    """The JSON form of a decision as text in one line."""
    return write_json(decision_to_json(decision))


_Made = TypeVar("_Made")
_Kept: TypeAlias = "dict[int, tuple[object, _Made]]"
_MOST_KEPT: Final = 64


def _kept(known: _Kept[_Made], of: Any, make: Callable[[Any], _Made]) -> _Made:
    """What was made of an object that cannot change, once for each that is used again and again."""
    found = known.get(id(of))
    if found is None or found[0] is not of:
        if len(known) >= _MOST_KEPT:
            known.clear()
        found = known[id(of)] = (of, make(of))
    return found[1]


def _present(**members: Any) -> dict[str, Any]:
    """The members that are there: what is None, empty text or an empty list or object is left out."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}


def _reason(reason: Reason) -> dict[str, Any]:
    form: dict[str, Any] = {"kind": reason.kind.value}
    if reason.rule:
        form["rule"] = reason.rule
    form["message"] = reason.message
    if reason.internal:
        form["internal"] = True
    return form


def _suppression(suppression: Suppression) -> dict[str, Any]:
    return {"rule": suppression.rule, "by": suppression.by}


def _requirement(requirement: Requirement) -> dict[str, Any]:
    within = requirement.within
    return {
        **_present(rule=requirement.rule),
        "by": plain(requirement.by),
        **({} if within is None else {"within": plain(within)}),
        **_present(others=_named(requirement.others)),
        "granted": requirement.granted,
    }


def _obligation(obligation: Obligation) -> dict[str, Any]:
    return _present(
        name=obligation.name, arguments=_named(obligation.arguments), rule=obligation.rule
    )


def _named(arguments: Iterable[tuple[str, Value]]) -> dict[str, Any]:
    return {name: plain(value) for name, value in arguments}


def _assignment(assignment: Assignment) -> dict[str, Any]:
    given = {} if assignment.value is None else {"value": plain(assignment.value)}
    conflict = True if assignment.conflict else None
    return {**given, **_present(rules=list(assignment.rules), conflict=conflict)}


def _program(digest: str, modules: tuple[ModuleInfo, ...]) -> dict[str, Any]:
    told = [dict(form) for form in _kept(_MODULES, modules, _modules)] if modules else []
    return _present(digest=digest, modules=told)


def _modules(modules: Iterable[ModuleInfo]) -> list[dict[str, Any]]:
    return [_module(module) for module in modules]


_MODULES: Final[_Kept[list[dict[str, Any]]]] = {}


def _module(module: ModuleInfo) -> dict[str, Any]:
    return _present(
        name=module.name, version=module.version, digest=module.digest, meaning=module.meaning
    )


def _error(failure: Failure) -> dict[str, Any]:
    rule = {"rule": failure.rule} if failure.rule else {}
    return {"code": failure.code, "message": failure.message, **rule}


def plain(value: Value) -> Json:
    """The JSON form of a value that is written as its type writes it; a record as a list of its values."""
    match value:
        case bool() | str():
            return value
        case int():
            return value if abs(value) < _LONGEST_INT else format(Decimal(value), "f")
        case Decimal():
            return format(value, "f")
        case dt.datetime():
            return write_datetime(value)
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return write_duration(value)
        case (
            ipaddress.IPv4Address()
            | ipaddress.IPv6Address()
            | ipaddress.IPv4Network()
            | ipaddress.IPv6Network()
        ):
            return str(value)
        case Record():
            return [None if isinstance(item, Missing) else plain(item) for item in value.values]
        case tuple():
            return [plain(item) for item in value]
        case frozenset():
            return [plain(item) for item in sorted(value, key=value_key)]
        case _:
            assert_never(value)


# --- firings ----------------------------------------------------------------------------------------------


def firings_to_json(firings: Iterable[Firing], program: Program) -> list[dict[str, Any]]:
    """Each firing as `{"rule": NAME, "bindings": {VARIABLE: VALUE}}`, in their order."""
    return _kept(_FIRINGS, program, FiringsWriter).write(firings)


class FiringsWriter:
    """Writes the firings of one program, whose rules are looked at once: for many decisions."""

    __slots__ = ("_rules", "_writers")

    def __init__(self, program: Program) -> None:
        self._rules = {rule.name: rule for rule in program.rules}
        self._writers: dict[str, tuple[tuple[str, Callable[[Value], Json]], ...]] = {}

    def write(self, firings: Iterable[Firing]) -> list[dict[str, Any]]:
        """The forms of firings. See `firings_to_json`."""
        return [self._firing(firing) for firing in firings]

    def _firing(self, firing: Firing) -> dict[str, Any]:
        writers = self._writers.get(firing.rule)
        if writers is None:
            writers = self._writers[firing.rule] = tuple(
                (variable.name, _typed_writer(variable.type))
                for variable in self._rules[firing.rule].variables
            )
        if not writers:
            return {"rule": firing.rule}
        pairs = zip(writers, firing.bindings, strict=True)
        bindings = {name: write(value) for (name, write), value in pairs}
        return {"rule": firing.rule, "bindings": bindings}


_FIRINGS: Final[_Kept[FiringsWriter]] = {}


def _typed_writer(type_: Type) -> Callable[[Value], Json]:
    """`typed` for values of one type: only numbers are calculated, so only they can stand in another form."""
    if is_number(base(type_)):
        write = writer(type_)
        return lambda value: write(_held(value, type_))
    return writer(type_)


def typed(value: Value, type_: Type) -> Json:
    """The JSON form of a value of a type, equal for equal values however they were calculated."""
    form: Json = to_json(_held(value, type_), type_)
    return form


def _held(value: Value, type_: Type) -> Value:
    """The value as its type writes it, where that is possible."""
    held = conform(value, type_)
    return value if isinstance(held, CalculationFailure | Missing) else held


# --- fact sets --------------------------------------------------------------------------------------------


def facts_to_json(facts: FactSet, schema: Schema) -> dict[str, Any]:
    """Everything that a decision read of its request, so that it can be decided again from this alone.

    Rows stand in their order, which is their identity; a source is written where it is not `system`. What
    the border made of a text on its way in, and where it put a default, is told beside the rows.
    """
    writers = _kept(_FACTS, schema, _RowWriters)
    given = facts.rows
    form: dict[str, Any] = {"form": FACTS_FORM}
    if facts.action:
        form["action"] = facts.action
    form["now"] = write_datetime(facts.now)
    if rows := {name: writers.rows(name, given[name]) for name in sorted(given) if given[name]}:
        form["rows"] = rows
    if facts.reference:
        form["reference"] = {name: facts.reference[name] for name in sorted(facts.reference)}
    if facts.changes:
        form["changes"] = [_change(change) for change in facts.changes]
    if facts.defaults:
        form["defaults"] = [_cell(cell) for cell in facts.defaults]
    if facts.asked:
        form["asked"] = list(facts.asked)
    return form


def _cell(cell: Cell) -> dict[str, Any]:
    return {"relation": cell.relation, "row": cell.row, "column": cell.column}


def _change(change: Change) -> dict[str, Any]:
    return {
        **_cell(change.cell),
        **_present(place=change.place),
        "received": change.received,
        **({} if isinstance(change.became, Missing) else {"became": plain(change.became)}),
        "by": list(change.by),
    }


class _RowWriters:
    """Writes the rows of one schema's relations, whose columns are looked at once."""

    __slots__ = ("_schema", "_writers")

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._writers: dict[str, tuple[tuple[str, Callable[[Any], Any]], ...]] = {}

    def rows(self, relation: str, rows: Iterable[Row]) -> list[dict[str, Any]]:
        """The forms of rows."""
        writers = self._writers.get(relation)
        if writers is None:
            columns = self._schema.relations[relation].columns
            writers = tuple((column.name, writer(column.domain.type)) for column in columns)
            self._writers[relation] = writers
        return [_row(row, writers) for row in rows]


_FACTS: Final[_Kept[_RowWriters]] = {}


def _row(row: Row, writers: tuple[tuple[str, Callable[[Any], Any]], ...]) -> dict[str, Any]:
    values = {
        name: write(value)
        for (name, write), value in zip(writers, row.values, strict=True)
        if value is not MISSING
    }
    if row.source is Source.SYSTEM:
        return {"values": values}
    return {"values": values, "source": row.source.word}


# --- canonical bytes --------------------------------------------------------------------------------------


def canonical(form: Mapping[str, Any]) -> bytes:
    """The one way to write a JSON form: keys sorted by code point, no spaces, UTF-8 without escapes.

    Equal forms give equal bytes on every run and machine. `InternalError` where a float stands in it.
    """
    try:
        text = _CANONICAL(form)
    except ValueError as error:
        raise InternalError(f"what reached a canonical form has none: {error}") from error
    # Where no text in it looks like a float, there is none; a string may look like one.
    if _FLOAT(text) is not None:
        _refuse_floats(form)
    return text.encode()


_CANONICAL: Final = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode
_FLOAT: Final = re.compile(r"[:,\[]-?[0-9]+[.eE]").search


def _refuse_floats(form: object) -> None:
    waiting = [form]
    while waiting:
        part = waiting.pop()
        if isinstance(part, float):
            raise InternalError("a float reached a canonical form")
        if isinstance(part, Mapping):
            waiting.extend(part.values())
        elif isinstance(part, list | tuple):
            waiting.extend(part)
