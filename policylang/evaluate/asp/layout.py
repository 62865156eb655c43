"""How the rows of a relation become atoms: only with what the rules of a slice can tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policylang.errors import InternalError
from policylang.facts.schema import Relation, RelationKind
from policylang.semantics.program import (
    ANY,
    Aggregate,
    Body,
    Match,
    Not,
    Or,
    Program,
)
from policylang.semantics.slicing import Slice


@dataclass(frozen=True, slots=True)
class Layout:
    """The arguments of a relation's atoms: its row's number, its source, then these columns.

    A row's number stands there only where an aggregate tells rows apart by it, a source where a rule asks
    for it, and a column where a rule reads it: what is left out cannot be told apart anyway.
    """

    relation: str
    predicate: str
    numbered: bool
    sourced: bool
    columns: tuple[int, ...]

    @property
    def width(self) -> int:
        """How many arguments an atom has."""
        return self.numbered + self.sourced + len(self.columns)


@dataclass(slots=True)
class _Reads:
    numbered: bool = False
    sourced: bool = False
    columns: set[int] | None = None


def layouts(part: Slice, predicates: Mapping[str, str]) -> dict[str, Layout]:
    """The layout of every relation that the rules of a slice match, by its name."""
    reads = {name: _Reads(columns=set()) for name in sorted(part.relations)}
    for rule in part.rules:
        for match, aggregated in _matches(rule.body, False):
            if match.name in reads:
                _note(reads[match.name], match, aggregated)
    return {
        name: Layout(
            relation=name,
            predicate=predicates[name],
            numbered=read.numbered,
            sourced=read.sourced,
            columns=tuple(sorted(read.columns or ())),
        )
        for name, read in reads.items()
    }


def _note(read: _Reads, match: Match, aggregated: bool) -> None:
    read.numbered |= aggregated
    read.sourced |= match.source is not None
    if read.columns is None:
        read.columns = set()
    read.columns.update(i for i, a in enumerate(match.arguments) if a is not ANY)


def _matches(body: Body, aggregated: bool) -> Iterator[tuple[Match, bool]]:
    """The matches of a body, each with whether its rows are told apart by an aggregate."""
    for literal in body:
        match literal:
            case Match():
                yield literal, aggregated
            case Not():
                yield from _matches(literal.body, False)
            case Aggregate():
                yield from _matches(literal.body, True)
            case Or():
                for branch in literal.branches:
                    yield from _matches(branch, aggregated)
            case _:
                pass


def relation_of(program: Program, name: str) -> Relation:
    """The relation of that name; a match of anything else is a bug of ours."""
    relation = program.schema.relations.get(name)
    if relation is None:
        raise InternalError(f"`{name}` is neither a relation nor a definition")
    return relation


def is_table(program: Program, name: str) -> bool:
    """Whether the rows of a relation are part of the program."""
    relation = program.schema.relations.get(name)
    return relation is not None and relation.kind is RelationKind.TABLE
