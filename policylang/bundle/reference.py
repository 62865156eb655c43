"""Reference data of a bundle: rows given in Python, or the data files that declarations name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeAlias

from policylang.bundle import codes
from policylang.diagnostics import Diagnostic
from policylang.facts.codes import UNREADABLE_FILE
from policylang.facts.readers import DataFile, RowsGiven, load_reference
from policylang.facts.reference import ReferenceData
from policylang.facts.schema import Cardinality, Relation, RelationKind, Schema
from policylang.semantics.suggest import did_you_mean

Given: TypeAlias = "str | PathLike[str] | Iterable[Any]"
"""The rows of one reference relation: the path of a data file, or the rows themselves."""


def wanted(
    schema: Schema,
    given: Mapping[str, Given],
    folders: Mapping[str, Path],
    problems: list[Diagnostic],
) -> Iterator[tuple[Relation, Given]]:
    """Each reference relation and where its rows come from; names nobody declares are reported.

    `folders` are the folders of the modules, which the files named by declarations are relative to.
    """
    named: dict[str, Given] = {}
    for name, rows in given.items():
        relation = _declared(schema, name, problems)
        if relation is not None:
            named[relation.name] = rows
    for relation in schema.relations.values():
        if relation.name in named:
            yield relation, named[relation.name]
        elif relation.file is not None and _leads_out(relation.file):
            problems.append(_outside(relation, relation.file))
        elif relation.file is not None:
            yield relation, folders[relation.module] / relation.file


def _leads_out(file: str) -> bool:
    """Whether a name of a file leads out of the folder of the policy that says it, on whatever system.

    INVARIANT: a policy reads what lies beside it. What else there is to read, whoever deploys it says.
    """
    paths = (PurePosixPath(file), PureWindowsPath(file))
    return any(path.is_absolute() or path.drive or ".." in path.parts for path in paths)


def _outside(relation: Relation, file: str) -> Diagnostic:
    hint = f"the rows of `{relation.bare_name}` can be given by `--reference`, or in Python"
    return UNREADABLE_FILE.at(
        None, name=file, detail="a policy names files in its own folder", hint=hint
    )


def read_reference(
    schema: Schema, given: Mapping[str, Given], folders: Mapping[str, Path]
) -> tuple[ReferenceData, tuple[Diagnostic, ...]]:
    """The reference data of a bundle, and everything that is wrong with it."""
    problems: list[Diagnostic] = []
    sources = {
        relation.name: _source(rows) for relation, rows in wanted(schema, given, folders, problems)
    }
    reference, found = load_reference(schema, sources)
    return reference, (*problems, *found)


def _source(given: Given) -> RowsGiven:
    if isinstance(given, str | PathLike):
        return DataFile(Path(given), str(given))
    return given


def _declared(schema: Schema, name: str, problems: list[Diagnostic]) -> Relation | None:
    found = schema.named(name, RelationKind.FACT)
    match found:
        case (relation,) if relation.cardinality is Cardinality.MANY:
            return relation
        case (_,):
            problems.append(codes.REFERENCE_NOT_ROWS.at(None, name=name))
        case ():
            facts = [r.bare_name for r in schema.relations.values() if r.kind is RelationKind.FACT]
            hint = did_you_mean(name, facts)
            problems.append(codes.UNKNOWN_REFERENCE.at(None, name=name, hint=hint))
        case _:
            several = " or ".join(f"`{relation.name}`" for relation in found)
            problems.append(codes.AMBIGUOUS_REFERENCE.at(None, name=name, several=several))
    return None
