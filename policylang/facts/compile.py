"""Compiling a schema into its border: once a program, and for each action when it is first asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

from policylang.facts.border import Border, Prepared, utc_now
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
    one is then needed only where it is read, and groups and unfolded lists are filled only there. Without it, every
    such fact is needed by every action, and all of them are filled.
    """
    approval = schema.relations.get("approval")
    reader = RelationReader(approval) if approval is not None else None
    around = Surroundings(schema, reference, reference.digests, reader, clock)
    return Border(around, _Compiler(schema, frozenset(reference.relations), reads))


class _Compiler:
    """What the plans of all actions share. Thread-safe: two threads may make one plan twice."""

    def __init__(
        self, schema: Schema, held: frozenset[str], reads: Mapping[str, Collection[str]] | None
    ) -> None:
        self._schema = schema
        self._held = held
        self._reads = reads
        self._readers: dict[str, RelationReader] = {}
        self._ready: dict[str, Prepared] = {}
        self._plain: dict[str, FactEntry] = {}

    @cached_property
    def _action_names(self) -> dict[str, tuple[str, ...]]:
        return _names(self._schema, RelationKind.ACTION)

    @cached_property
    def _fact_names(self) -> dict[str, tuple[str, ...]]:
        return _names(self._schema, RelationKind.FACT)

    def prepared(self, asked: str) -> Prepared | None:
        """The plan of an action by a name of it; None where no module, or more than one, declares it."""
        found = self._ready.get(asked)
        if found is None:
            meant = self._action_names.get(asked, ())
            if len(meant) == 1:
                found = self._ready[asked] = self._prepare(meant[0])
        return found

    def meant(self, asked: str) -> tuple[str, ...]:
        """The actions that a name may mean."""
        return self._action_names.get(asked, ())

    def names(self) -> tuple[str, ...]:
        """Every name that an action goes by."""
        return tuple(self._action_names)

    def _prepare(self, action: str) -> Prepared:
        reads = None if self._reads is None else self._reads.get(action, ())
        plan = self._plan(action, reads)
        takes_short_way = plan.action.relation.minimum_source is Source.MODEL
        return plan, Express(plan, self._held) if takes_short_way else None

    def _plan(self, action: str, reads: Collection[str] | None) -> ActionPlan:
        schema = self._schema
        relation = schema.relations[action]
        facts, ambiguous = self._facts(relation.module, reads)
        own = self._entry(relation, reads)
        return ActionPlan(
            action=own,
            facts=facts,
            ambiguous=ambiguous,
            needed=tuple(
                r
                for r in schema.relations.values()
                if _is_needed(r, reads) and r.name not in self._held
            ),
            groups=tuple(_groups(relation, schema, reads)),
            histories=tuple(
                HistoryReader(history, schema, self._entry_names())
                for history in schema.histories
                if action in history.actions
            ),
            referring=tuple(
                {e.relation.name: e for e in (own, *facts.values()) if e.references}.values()
            ),
        )

    def _facts(
        self, module: str, reads: Collection[str] | None
    ) -> tuple[dict[str, FactEntry], dict[str, tuple[str, ...]]]:
        """What each name in a request means for an action.

        A bare name that several modules declare means the only one of them that the action reads, else the
        one of the action's own module; where neither tells, it is ambiguous.
        """
        relations = self._schema.relations
        facts: dict[str, FactEntry] = {}
        ambiguous: dict[str, tuple[str, ...]] = {}
        entries: dict[str, FactEntry] = {}
        for name, meant in self._fact_names.items():
            read = [m for m in meant if reads is not None and _is_read(m, reads)]
            own = [m for m in meant if relations[m].module == module]
            narrowed = next((c for c in (meant, read, own) if len(c) == 1), None)
            if narrowed is None:
                ambiguous[name] = meant
                continue
            full = narrowed[0]
            if full not in entries:
                entries[full] = self._entry(relations[full], reads)
            facts[name] = entries[full]
        return facts, ambiguous

    @cached_property
    def _with_lists(self) -> frozenset[str]:
        """The relations of which lists are unfolded: what is made for them depends on what is read."""
        relations = self._schema.relations.values()
        return frozenset(r.parent for r in relations if r.parent is not None)

    def _entry(self, relation: Relation, reads: Collection[str] | None) -> FactEntry:
        if relation.name in self._with_lists:
            return self._made(relation, reads)
        found = self._plain.get(relation.name)
        if found is None:
            found = self._plain[relation.name] = self._made(relation, reads)
        return found

    def _made(self, relation: Relation, reads: Collection[str] | None) -> FactEntry:
        reader = self._readers.get(relation.name)
        if reader is None:
            reader = self._readers[relation.name] = RelationReader(relation)
        is_action = relation.kind is RelationKind.ACTION
        return FactEntry(
            relation=relation,
            reader=reader,
            unfolding=Unfolding(relation, self._schema.relations, reads),
            references=references_of(relation.columns),
            many=relation.cardinality is Cardinality.MANY,
            default_source=Source.MODEL if is_action else Source.SYSTEM,
        )

    def _entry_names(self) -> dict[str, str]:
        return {short: long[0] for short, long in self._action_names.items() if len(long) == 1}


def _names(schema: Schema, kind: RelationKind) -> dict[str, tuple[str, ...]]:
    """The names that relations of a kind go by, with the qualified names that each may mean."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for relation in schema.relations.values():
        if relation.kind is kind:
            for name in {relation.name, relation.bare_name}:
                found[name].append(relation.name)
    return {name: (name,) if name in meant else tuple(meant) for name, meant in found.items()}


def _is_read(name: str, reads: Collection[str]) -> bool:
    """Whether a fact, or a list unfolded from it, is among the relations that are read."""
    return any(read == name or read.startswith(f"{name}.") for read in reads)


def _is_needed(relation: Relation, reads: Collection[str] | None) -> bool:
    if relation.kind is not RelationKind.FACT or relation.cardinality is not Cardinality.ONE:
        return False
    return reads is None or _is_read(relation.name, reads)


def _groups(action: Relation, schema: Schema, reads: Collection[str] | None) -> Iterator[GroupView]:
    for group in schema.relations.values():
        if group.kind is not RelationKind.GROUP or action.name not in group.members:
            continue
        if reads is None or _is_read(group.name, reads):
            positions = tuple(action.position(column.name) for column in group.columns)
            unfolding = Unfolding(group, schema.relations, reads)
            yield GroupView(group.name, positions, unfolding)
