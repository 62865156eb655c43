"""Programs and reference data as records, and programs made again from them.

A decision names its program and its reference data by digest; these records hold what the digests stand for, so
that replay needs nothing but the store.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from policylang.bundle.loading import check_sources
from policylang.decide.json import facts_to_json
from policylang.decide.reading import facts_from_json
from policylang.diagnostics import Severity, Source
from policylang.errors import InternalError, PolicyError
from policylang.facts.factset import FactSet, Row
from policylang.facts.forms import to_json
from policylang.facts.reference import ReferenceRelation, hold
from policylang.facts.schema import Relation, RelationKind, Schema
from policylang.facts.types import base
from policylang.semantics.program import ModuleInfo, Program
from policylang.trace.sealing import unreadable

_NO_TIME = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_GIVEN = frozenset(
    {
        RelationKind.FACT,
        RelationKind.ACTION,
        RelationKind.GROUP,
        RelationKind.ITEMS,
        RelationKind.HISTORY,
        RelationKind.BUILTIN,
    }
)


class NotReplayableError(PolicyError):
    """A decision cannot be made again from what the store holds; the text says why."""


def program_body(program: Program) -> dict[str, Any]:
    """What a `program` record says: every module with its text, params overridden, and the columns of facts."""
    return {
        "digest": program.digest,
        "modules": [_module(module) for module in program.modules],
        "params": {
            name: to_json(param.value, param.domain.type)
            for name, param in program.schema.params.items()
            if param.overridden
        },
        "columns": [
            column
            for relation in program.schema.relations.values()
            if relation.kind in _GIVEN
            for column in _columns(relation)
        ],
        "rules": [rule.name for rule in program.rules if not rule.is_clause],
    }


def _module(module: ModuleInfo) -> dict[str, Any]:
    if module.source is None:
        raise InternalError(f"the text of {module.name} is not at hand")
    version = {} if module.version is None else {"version": module.version}
    return {
        "name": module.name,
        **version,
        "digest": module.digest,
        "file": module.source.name,
        "text": module.source.text,
    }


def _columns(relation: Relation) -> Iterator[dict[str, Any]]:
    for column in relation.columns:
        hidden = {"secret": True} if column.secret else {}
        if column.personal:
            hidden["personal"] = True
        yield {
            "relation": relation.name,
            "column": column.name,
            "type": str(base(column.domain.type)),
            **hidden,
        }


def reference_body(
    relation: str, digest: str, rows: tuple[Row, ...], schema: Schema
) -> dict[str, Any]:
    """What a `reference` record says: the rows of one reference relation, under the digest of their content."""
    form = facts_to_json(FactSet("", _NO_TIME, {relation: rows}), schema)
    return {"relation": relation, "digest": digest, "rows": form.get("rows", {}).get(relation, [])}


def program_again(body: Mapping[str, Any]) -> Program:
    """The program of a `program` record, checked again from its texts.

    Raises `NotReplayableError` where this version of policylang makes another program of them, or none.
    """
    sources = [Source(module["file"], module["text"]) for module in body["modules"]]
    checked = check_sources(sources, params=body["params"])
    program = checked.result.program
    if program is None or checked.has_errors:
        first = next(d for d in checked.diagnostics if d.severity is Severity.ERROR)
        raise NotReplayableError(f"its modules have errors now: {first}")
    if program.digest != body["digest"]:
        raise NotReplayableError(
            f"its modules give the program {program.digest} and not {body['digest']}"
        )
    return program


def reference_again(body: Mapping[str, Any], schema: Schema) -> ReferenceRelation:
    """The reference relation of a `reference` record. Raises `NotReplayableError` where it has another digest."""
    name = body["relation"]
    if problem := unreadable(body):
        raise NotReplayableError(f"reference data of {name}: {problem}")
    if name not in schema.relations:
        raise NotReplayableError(f"the program declares no {name}")
    form = {
        "form": 1,
        "action": "",
        "now": "2000-01-01T00:00:00Z",
        "rows": {name: body["rows"]},
    }
    held = hold(schema.relations[name], facts_from_json(form, schema).of(name), schema)
    if held.digest != body["digest"]:
        raise NotReplayableError(f"the rows of {name} have the digest {held.digest} now")
    return held
