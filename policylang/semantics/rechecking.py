"""Checking anew where few modules changed: what the others are in a program is taken from the program before.

A module is lowered by itself and what it uses, so that a change reaches those that use it, directly or not, and no others.
`any` alone speaks of modules that nobody names; where that could make a difference, everything has to be checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from policylang.facts.schema import Relation, RelationKind, Schema
from policylang.semantics.checker import Load, check, resolve_modules
from policylang.semantics.digests import program_digest
from policylang.semantics.names import ANY_GROUP
from policylang.semantics.program import Program, Rule
from policylang.semantics.relations import group_of
from policylang.syntax import tree
from policylang.syntax.walk import walk

T = TypeVar("T")

_ANY: Final = re.compile(rf"\b{ANY_GROUP}\b")


def recheck(
    before: Program,
    modules: Sequence[tree.Module],
    changed: Collection[str],
    *,
    load: Load | None = None,
    params: Mapping[str, object] | None = None,
) -> Program | None:
    """The program that `check` makes of modules, where `before` is that of the same ones but for those in `changed`.

    `changed` are the names of the modules that are others than in `before`, or were not in it. `params` are all
    overrides, by qualified name. None where the modules have errors, or where not all of what they mean can be told from
    what changed: then `check` has to be asked.
    """
    everything = resolve_modules(modules, load)
    named = {m.header.name.text: m for m in everything if m.header is not None}
    if len(named) < len(everything):
        return None
    known = {info.name for info in before.modules}
    affected = _affected(named, known.symmetric_difference(named).union(changed))
    reached = _reached(named, affected)
    if any(_speaks_of_all(named[name]) for name in reached):
        return None
    own = {n: v for n, v in (params or {}).items() if n.rpartition(".")[0] in reached}
    part = [module for name, module in named.items() if name in reached]
    checked = check(part, params=own, lints=False).program
    if checked is None:
        return None
    program = _Merge(tuple(named), affected, before, checked).program()
    if program.groups[ANY_GROUP] != before.groups[ANY_GROUP] or _actions(program) != _actions(
        before
    ):
        return None if any(map(_speaks_of_all, named.values())) else _with_all(program)
    return program


# --- what a change reaches ---------------------------------------------------------------------------------


def _affected(named: Mapping[str, tree.Module], changed: Collection[str]) -> set[str]:
    """The modules that changed, and those that use them, directly or not; what is not there any more has users, too."""
    users: dict[str, list[str]] = {}
    for name, module in named.items():
        for used in _uses(module):
            users.setdefault(used, []).append(name)
    return _closed(changed, lambda name: users.get(name, ())).intersection(named)


def _reached(named: Mapping[str, tree.Module], start: Collection[str]) -> set[str]:
    """Modules, and those that they use, directly or not."""
    return _closed(start, lambda name: (used for used in _uses(named[name]) if used in named))


def _closed(start: Collection[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(following(name))
    return found


def _uses(module: tree.Module) -> Iterator[str]:
    return (s.module.text for s in module.statements if isinstance(s, tree.UseStatement))


def _speaks_of_all(module: tree.Module) -> bool:
    """Whether a module mentions the group of all actions."""
    if _ANY.search(module.span.source.text) is None:
        return False
    paths = (node for node in walk(module) if isinstance(node, tree.Path))
    return any(path.names[0].text == ANY_GROUP for path in paths)


# --- putting programs together -----------------------------------------------------------------------------


class _Merge:
    """One program of two: `part` has what is `affected`, `before` has all else, in the order of modules."""

    def __init__(
        self, order: Sequence[str], affected: Collection[str], before: Program, part: Program
    ) -> None:
        self._place = {name: place for place, name in enumerate(order)}
        self._affected = affected
        self._before = before
        self._part = part

    def program(self) -> Program:
        """The whole. Its group `any` is as it was before."""
        before, part = self._before, self._part
        known = {info.name: info for info in (*before.modules, *part.modules)}
        modules = tuple(known[name] for name in self._place)
        schema = self._schema(before.schema, part.schema)
        every = {ANY_GROUP: before.groups[ANY_GROUP]}
        return Program(
            modules=modules,
            schema=schema,
            predicates=self._named(before.predicates, part.predicates),
            rules=tuple(self._chosen(before.rules, part.rules, _module_of_rule)),
            tables=self._named(before.tables, part.tables),
            groups={**every, **self._named(before.groups, part.groups)},
            digest=program_digest(modules, schema.params),
            rollouts=dict(
                self._chosen(before.rollouts.items(), part.rollouts.items(), lambda entry: entry[0])
            ),
        )

    def _schema(self, before: Schema, part: Schema) -> Schema:
        merged = self._chosen(
            before.relations.values(), part.relations.values(), lambda relation: relation.module
        )
        relations = {relation.name: relation for relation in (*_of_nobody(before), *merged)}
        ordered = sorted(relations.values(), key=lambda r: _rank(r, relations))
        histories = self._chosen(
            before.histories,
            part.histories,
            lambda history: history.relation.removesuffix(".history").rpartition(".")[0],
        )
        return Schema(
            relations={relation.name: relation for relation in ordered},
            params=self._named(before.params, part.params),
            decisions=self._named(before.decisions, part.decisions),
            histories=tuple(histories),
        )

    def _named(self, before: Mapping[str, T], part: Mapping[str, T]) -> dict[str, T]:
        """Entries by qualified name."""
        return dict(
            self._chosen(before.items(), part.items(), lambda entry: entry[0].rpartition(".")[0])
        )

    def _chosen(
        self, before: Iterable[T], part: Iterable[T], module_of: Callable[[T], str]
    ) -> list[T]:
        """What belongs to the modules there are, each from where it is right, by module and in its order there."""
        place, affected = self._place, self._affected
        found = [
            (place[name], one)
            for one in before
            if (name := module_of(one)) in place and name not in affected
        ]
        found += [(place[name], one) for one in part if (name := module_of(one)) in affected]
        return [one for _, one in sorted(found, key=lambda entry: entry[0])]


def _module_of_rule(rule: Rule) -> str:
    return rule.name.rpartition(".")[0]


def _of_nobody(schema: Schema) -> Iterator[Relation]:
    """What no module declares: builtin relations, and the group of all actions with its lists."""
    return (relation for relation in schema.relations.values() if not relation.module)


def _rank(relation: Relation, relations: Mapping[str, Relation]) -> int:
    """In which round the checker declares a relation; within a round, modules follow each other."""
    match relation.kind:
        case RelationKind.BUILTIN:
            return 0
        case RelationKind.GROUP:
            return 3 if relation.module else 2
        case RelationKind.ITEMS:
            root = relation
            while root.parent is not None:
                root = relations[root.parent]
            return 4 + _rank(root, relations)
        case RelationKind.HISTORY:
            return 9
        case _:
            return 1


def _actions(program: Program) -> list[Relation]:
    found = program.schema.relations.values()
    return [relation for relation in found if relation.kind is RelationKind.ACTION]


def _with_all(program: Program) -> Program:
    """The program with its group of all actions made anew; no rule of it reads that."""
    declared = program.schema.relations
    kept = {n: r for n, r in declared.items() if r.module or r.kind is RelationKind.BUILTIN}
    every = group_of(kept, ANY_GROUP, "", program.actions, "")
    relations = {**kept, **{relation.name: relation for relation in every}}
    ordered = sorted(relations.values(), key=lambda r: _rank(r, relations))
    return replace(
        program,
        schema=replace(program.schema, relations={r.name: r for r in ordered}),
        groups={**program.groups, ANY_GROUP: program.actions},
    )
