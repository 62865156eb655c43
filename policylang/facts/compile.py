"""Compiling a schema into its border: once a program."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from policylang.facts.border import Border, utc_now
from policylang.facts.express import Express
from policylang.facts.history import HistoryReader
from policylang.facts.plans import ActionPlan, Clock, FactEntry, GroupView, Surroundings
from policylang.facts.reference import ReferenceData
from policylang.facts.refs import references_of
from policylang.facts.rows import RelationReader
from policylang.facts.schema import Cardinality, Relation, RelationKind, Schema, Source
from policylang.facts.unfold import Unfolding

NO_REFERENCE = ReferenceData()


def compile_border(
    schema: Schema,
    reference: ReferenceData = NO_REFERENCE,
    *,
    reads: Mapping[str, Collection[str]] | None = None,
    clock: Clock = utc_now,
) -> Border:
    """The border of a program.

    `reads` gives the relations that a decision about each action reads (its slice): a fact declared as exactly
    one is then needed only where it is read; without it, every such fact is needed by every action.
    """
    entries = {
        relation.name: _entry(relation, schema)
        for relation in schema.relations.values()
        if relation.kind in (RelationKind.FACT, RelationKind.ACTION)
    }
    names = _names(schema, RelationKind.ACTION)
    plans = {
        name: _plan(name, schema, entries, reference, None if reads is None else reads.get(name))
        for name in entries
        if entries[name].relation.kind is RelationKind.ACTION
    }
    express = {
        name: Express(plan, tuple(reference.relations))
        for name, plan in plans.items()
        if plan.action.relation.minimum_source is Source.MODEL
    }
    by_name = {short: plans[long[0]] for short, long in names.items() if len(long) == 1}
    approval = schema.relations.get("approval")
    reader = RelationReader(approval) if approval is not None else None
    around = Surroundings(schema, reference, reference.digests, reader, clock)
    return Border(around, by_name, express, names)


def _names(schema: Schema, kind: RelationKind) -> dict[str, tuple[str, ...]]:
    """The names that relations of a kind go by, with the qualified names that each may mean."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for relation in schema.relations.values():
        if relation.kind is kind:
            for name in {relation.name, relation.bare_name}:
                found[name].append(relation.name)
    return {name: (name,) if name in meant else tuple(meant) for name, meant in found.items()}


def _entry(relation: Relation, schema: Schema) -> FactEntry:
    is_action = relation.kind is RelationKind.ACTION
    return FactEntry(
        relation=relation,
        reader=RelationReader(relation),
        unfolding=Unfolding(relation, schema.relations),
        references=references_of(relation.columns),
        many=relation.cardinality is Cardinality.MANY,
        default_source=Source.MODEL if is_action else Source.SYSTEM,
    )


def _plan(
    action: str,
    schema: Schema,
    entries: Mapping[str, FactEntry],
    reference: ReferenceData,
    reads: Collection[str] | None,
) -> ActionPlan:
    relation = schema.relations[action]
    facts, ambiguous = _fact_names(schema, entries, relation.module, reads)
    return ActionPlan(
        action=entries[action],
        facts=facts,
        ambiguous=ambiguous,
        needed=tuple(
            r
            for r in schema.relations.values()
            if _is_needed(r, reads) and r.name not in reference.relations
        ),
        groups=tuple(_groups(relation, schema)),
        histories=tuple(
            HistoryReader(history, schema, _entry_names(schema))
            for history in schema.histories
            if action in history.actions
        ),
        referring=tuple(
            entry
            for entry in entries.values()
            if entry.references
            and (entry.relation.name == action or entry.relation.kind is RelationKind.FACT)
        ),
    )


def _entry_names(schema: Schema) -> dict[str, str]:
    names = _names(schema, RelationKind.ACTION)
    return {short: long[0] for short, long in names.items() if len(long) == 1}


def _is_needed(relation: Relation, reads: Collection[str] | None) -> bool:
    if relation.kind is not RelationKind.FACT or relation.cardinality is not Cardinality.ONE:
        return False
    return reads is None or any(
        name == relation.name or name.startswith(f"{relation.name}.") for name in reads
    )


def _fact_names(
    schema: Schema,
    entries: Mapping[str, FactEntry],
    module: str,
    reads: Collection[str] | None,
) -> tuple[dict[str, FactEntry], dict[str, tuple[str, ...]]]:
    """What each name in a request means for an action.

    A bare name that several modules declare means the only one of them that the action reads, else the one
    of the action's own module; where neither tells, it is ambiguous.
    """
    facts: dict[str, FactEntry] = {}
    ambiguous: dict[str, tuple[str, ...]] = {}
    for name, meant in _names(schema, RelationKind.FACT).items():
        read = [m for m in meant if reads is not None and m in reads]
        own = [m for m in meant if schema.relations[m].module == module]
        narrowed = next((c for c in (meant, read, own) if len(c) == 1), None)
        if narrowed is None:
            ambiguous[name] = meant
        else:
            facts[name] = entries[narrowed[0]]
    return facts, ambiguous


def _groups(action: Relation, schema: Schema) -> Iterator[GroupView]:
    for group in schema.relations.values():
        if group.kind is RelationKind.GROUP and action.name in group.members:
            positions = tuple(action.position(column.name) for column in group.columns)
            yield GroupView(group.name, positions, Unfolding(group, schema.relations))
