"""`PlanEvaluator`: programs evaluated by Python code compiled for them."""

from __future__ import annotations

import platform
from collections.abc import Collection, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from threading import Lock
from typing import Any, Final

from policylang.errors import InternalError
from policylang.evaluate.exact import CalculationFailure
from policylang.evaluate.firings import (
    NOTHING_SETTLED,
    About,
    Evaluation,
    Failure,
    FailureKind,
    Firing,
    Firings,
    Limits,
    Pattern,
    Settled,
    patterned,
)
from policylang.evaluate.interpret import instances
from policylang.evaluate.model import Model
from policylang.evaluate.plan.bodies import UnplannableError
from policylang.evaluate.plan.compile import (
    Decide,
    Initial,
    Numbered,
    compiled,
    reads_of,
    text_of,
)
from policylang.evaluate.plan.demand import (
    MANY,
    Allowance,
    Asked,
    AskedAtoms,
    AskedIndex,
    AskedSet,
    Atoms,
    definitions_to_ask,
    derivation,
)
from policylang.evaluate.plan.runtime import Hits
from policylang.evaluate.plan.straight import Straight, straight, straight_text
from policylang.evaluate.plan.world import (
    FAILED,
    RESERVED,
    Index,
    Layout,
    MemoryLimitError,
    Slot,
    SlotKind,
    TimeLimitError,
    World,
    indexed,
    started,
)
from policylang.facts.factset import FactSet, Part, Row, Shape
from policylang.facts.schema import Cardinality, RelationKind, Source
from policylang.semantics.program import Derive, Program, Rule
from policylang.semantics.slicing import Slice, matches, slice_for

VERSION: Final = "1"
"""Of the plan: changes where what it computes could."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What decisions about one action run: the code, the world it starts from, what is known before."""

    decide: Decide
    template: World
    settled: _Settled
    shared: Settled
    failed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Settled:
    """The definitions that depend on tables and reference data alone, evaluated.

    Those in `asked` are derived as far as requests ask, and have no `hits`.
    """

    names: frozenset[str]
    seen: Mapping[str, Container[Any]]
    atoms: Mapping[str, Collection[Any]]
    hits: Mapping[int, Sequence[Firing]]
    failed: frozenset[int]
    asked: Mapping[str, Asked] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Quick:
    """What decisions about usual requests of one shape run, and what is known before."""

    straight: Straight
    patterns: Mapping[Any, Pattern]
    shared: Settled


@dataclass(frozen=True, slots=True)
class _Known:
    """What straight code reads beside the request."""

    evaluator: PlanEvaluator
    layout: Layout
    settled: _Settled

    def index(self, name: str, positions: tuple[int, ...]) -> Index:
        slot = Slot(SlotKind.INDEX, name, positions)
        return self.evaluator._index(slot, self.layout, self.settled)

    def atoms(self, name: str) -> Container[tuple[Any, ...]]:
        return self.settled.seen[name]


class PlanEvaluator:
    """The evaluator of one program with its reference data, as compiled Python code.

    Code is made for an action when it is first asked for, and definitions that depend on tables and reference
    data alone are evaluated once; recursive ones over `many` rows as far as requests ask. What `refusal` refuses is
    answered with a failure.
    """

    def __init__(
        self,
        program: Program,
        reference: Mapping[str, Sequence[Row]] | None = None,
        *,
        many: int = MANY,
    ) -> None:
        self._program = program
        self._many = many
        self._reference = {name: tuple(rows) for name, rows in (reference or {}).items()}
        self._positions = {rule.name: i for i, rule in enumerate(program.rules)}
        self._reference_names = frozenset(self._reference)
        self._given = self._reference_names | frozenset(program.tables)
        self._plans: dict[tuple[str, frozenset[str]], _Plan] = {}
        self._usual: dict[str, _Plan] = {}
        """By action, for requests that add nothing to reference data."""
        self._indexes: dict[Slot, Index] = {}
        self._rows: dict[str, Sequence[Row]] = {}
        self._settled: dict[frozenset[str], _Settled] = {}
        self._straight: dict[Shape, _Quick | None] = {}
        """What is made for requests of each shape; None where their rules need more."""
        self._lock = Lock()
        self._allowance = Allowance()
        self._asks = False
        """Whether something is derived as far as requests ask."""
        self._name = f"plan {VERSION}, Python {platform.python_version()}"

    @property
    def name(self) -> str:
        """The evaluator and its version, for traces."""
        return self._name

    def code(self, action: str) -> str:
        """The code for decisions about an action, as Python text that a person can read.

        This is the code for requests of any form; `usual_code` is that for the usual ones.
        """
        part = slice_for(self._program, action)
        with self._lock:
            settled, _ = self._before(part, frozenset(), Limits())
        return text_of(self._open(part, settled), self._layout(settled))

    def usual_code(self, action: str) -> str | None:
        """The code for requests whose facts come as usual; None where the rules of the action need more."""
        schema = self._program.schema
        single = [
            relation.name
            for name in slice_for(self._program, action).relations
            if (relation := schema.relations[name]).kind is RelationKind.FACT
            and relation.cardinality is not Cardinality.MANY
        ]
        given = [Part("now", Source.SYSTEM), Part(action, Source.MODEL)]
        given += [Part(name, Source.SYSTEM) for name in sorted(single)]
        part = slice_for(self._program, action)
        with self._lock:
            settled, _ = self._before(part, frozenset(), Limits())
        layout = self._layout(settled)
        known = _Known(self, layout, settled)
        return straight_text(self._open(part, settled), layout, Shape(action, tuple(given)), known)

    def evaluate(self, facts: FactSet, limits: Limits) -> Evaluation:
        """The firings for one request."""
        taken = facts.origin
        if self._asks:
            self._allowance.start(limits)
        if taken is not None:
            shape = taken[0]
            quick = self._straight[shape] if shape in self._straight else self._quick(shape, limits)
            try:
                found = None if quick is None else quick.straight.run(taken[1], taken[5])
            except TimeLimitError:
                # Straight code ends by itself; what it asks for of reference data may be much.
                return _too_long(limits)
            except (MemoryLimitError, MemoryError):
                return _TOO_MUCH
            if quick is not None and found is not None:
                key, own = found
                pattern = quick.patterns.get(key) or quick.straight.pattern(key)
                return patterned(own, quick.shared, pattern)
        return self._evaluate(facts, limits)

    def _evaluate(self, facts: FactSet, limits: Limits) -> Evaluation:
        """The firings for a request of any form."""
        if self._asks:
            self._allowance.start(limits)
        plan = self._usual.get(facts.action)
        try:
            if plan is None or not self._reference_names.isdisjoint(facts.rows):
                plan = self._plan_for(facts, limits)
            world = started(plan.template, limits, facts.rows)
            hits = plan.decide(world, facts.rows)
            if world[FAILED] or plan.failed:
                return self._failure({*world[FAILED], *plan.failed}, facts, hits, plan.settled)
        except TimeLimitError:
            return _too_long(limits)
        except (MemoryLimitError, MemoryError):
            return _TOO_MUCH
        except UnplannableError as problem:
            return Failure("", FailureKind.EVALUATOR.value, f"no plan can be made: {problem}")
        if len(hits) == 1:
            return Firings(tuple(hits[0][1]), plan.shared)
        return Firings(tuple(chain.from_iterable([fired for _, fired in hits])), plan.shared)

    def evaluate_many(self, batch: Sequence[FactSet], limits: Limits) -> Sequence[Evaluation]:
        """The firings for many requests, in their order; the limits are those of each."""
        return [self.evaluate(facts, limits) for facts in batch]

    def settled(self, about: About, limits: Limits) -> Settled:
        """What is settled for an action; nothing where that fails."""
        with suppress(UnplannableError, TimeLimitError, MemoryLimitError, MemoryError):
            return self._plan(*about, limits).shared
        return NOTHING_SETTLED

    def close(self) -> None:
        """Nothing is held beside memory."""

    # --- usual requests -----------------------------------------------------------------------------------

    def _quick(self, shape: Shape, limits: Limits) -> _Quick | None:
        """What evaluates requests of a shape, made once."""
        made = None
        if self._reference_names.isdisjoint(part.relation for part in shape.parts):
            with (
                self._lock,
                suppress(UnplannableError, TimeLimitError, MemoryLimitError, MemoryError),
            ):
                made = self._made_quick(shape, limits)
        self._straight[shape] = made
        return made

    def _made_quick(self, shape: Shape, limits: Limits) -> _Quick | None:
        part = slice_for(self._program, shape.action)
        settled, hits = self._before(part, frozenset(), limits)
        layout = self._layout(settled)
        known = _Known(self, layout, settled)
        made = straight(self._open(part, settled), layout, shape, known)
        if made is None or settled.failed & {self._positions[rule.name] for rule in part.rules}:
            return None
        return _Quick(made, made.patterns, self._shared(settled, hits, (shape.action, frozenset())))

    # --- plans ------------------------------------------------------------------------------------------

    def _plan_for(self, facts: FactSet, limits: Limits) -> _Plan:
        added = self._reference_names.intersection(facts.rows)
        plan = self._plan(facts.action, added, limits)
        if not added:
            self._usual[facts.action] = plan
        return plan

    def _plan(self, action: str, added: frozenset[str], limits: Limits) -> _Plan:
        with self._lock:
            plan = self._plans.get((action, added))
            if plan is None:
                part = slice_for(self._program, action)
                plan = self._compiled(part, added, limits)
                self._plans[action, added] = plan
            return plan

    def _compiled(self, part: Slice, added: frozenset[str], limits: Limits) -> _Plan:
        settled, hits = self._before(part, added, limits)
        layout = self._layout(settled, added)
        decide = compiled(self._open(part, settled), layout, self._filling(layout, settled))
        return _Plan(
            decide=decide,
            template=self._template(layout, settled),
            settled=settled,
            shared=self._shared(settled, hits, (part.action, added)),
            failed=tuple(
                sorted(settled.failed & {self._positions[rule.name] for rule in part.rules})
            ),
        )

    def _layout(self, settled: _Settled, added: frozenset[str] = frozenset()) -> Layout:
        layout = Layout(self._program, self._reference, added)
        layout.settled = settled.names
        return layout

    def _before(self, part: Slice, added: frozenset[str], limits: Limits) -> tuple[_Settled, Hits]:
        """The settled definitions that a slice reads, and the firings among them that are of the slice."""
        settled = self._settled_for(part, added, limits)
        positions = {self._positions[rule.name] for rule in part.rules}
        return settled, sorted((p, fired) for p, fired in settled.hits.items() if p in positions)

    def _open(self, part: Slice, settled: _Settled) -> list[Numbered]:
        """The rules of a slice that each request evaluates."""
        return [
            (self._positions[rule.name], rule)
            for rule in part.rules
            if not (isinstance(rule.head, Derive) and rule.head.predicate in settled.names)
        ]

    def _shared(self, settled: _Settled, hits: Hits, about: About) -> Settled:
        if settled.asked:
            return Settled.found(about, partial(self._all_settled, settled.names, about))
        firings = tuple(chain.from_iterable([fired for _, fired in hits]))
        return Settled(firings, self._positions, about) if firings else NOTHING_SETTLED

    def _all_settled(self, names: frozenset[str], about: About) -> Settled:
        """All firings of definitions of which some are derived as far as requests ask. Whoever wants them waits."""
        whole = self._evaluate_settled(names, about[1], _UNLIMITED)
        return self._shared(whole, sorted(whole.hits.items()), about)

    def _settled_for(self, part: Slice, added: frozenset[str], limits: Limits) -> _Settled:
        """The settled definitions that a slice reads, evaluated."""
        names = self._settled_names(part, added)
        known = self._settled.get(names)
        if known is None:
            known = self._settled[names] = self._settle(names, added, limits)
        return known

    def _settle(self, names: frozenset[str], added: frozenset[str], limits: Limits) -> _Settled:
        """Settled definitions, those over many rows as far as requests will ask."""
        layout = Layout(self._program, self._reference, added)
        asking = definitions_to_ask(self._clauses(names), layout, self._many)
        rest = self._evaluate_settled(names - asking.keys(), added, limits)
        layout.settled = rest.names
        asked: dict[str, Asked] = {}
        for name, clauses in asking.items():
            everything = partial(self._everything, name, rest, added)
            derivations = {
                position: made
                for position in range(len(self._program.predicates[name].types))
                if (
                    made := derivation(
                        name, position, clauses, layout, partial(self._filling, settled=rest)
                    )
                )
            }
            asked[name] = Asked(derivations, everything, self._allowance)
            self._allowance.start(limits)
            self._asks = True
        return replace(
            rest,
            names=names,
            seen={**rest.seen, **{name: AskedSet(each) for name, each in asked.items()}},
            atoms={**rest.atoms, **{name: AskedAtoms(each) for name, each in asked.items()}},
            asked=asked,
        )

    def _everything(
        self, name: str, rest: _Settled, added: frozenset[str], limits: Limits
    ) -> Atoms:
        """All atoms of a settled definition, given those that it reads."""
        layout = self._layout(rest, added)
        seen = layout.number(SlotKind.SEEN, name)
        decide = compiled(self._clauses({name}), layout, self._filling(layout, rest))
        world = started(self._template(layout, rest), limits, {})
        decide(world, {})
        found: Atoms = world[seen]
        return found

    def _clauses(self, names: Collection[str]) -> list[Numbered]:
        return [
            (position, rule)
            for position, rule in enumerate(self._program.rules)
            if isinstance(rule.head, Derive) and rule.head.predicate in names
        ]

    def _settled_names(self, part: Slice, added: frozenset[str]) -> frozenset[str]:
        given = self._given - added
        clauses = [rule for rule in part.rules if isinstance(rule.head, Derive)]
        names = set(part.predicates)
        before = -1
        while before != len(names):
            before = len(names)
            for rule in clauses:
                assert isinstance(rule.head, Derive)
                if not reads_of([rule]) <= names | given:
                    names.discard(rule.head.predicate)
        return frozenset(names)

    def _evaluate_settled(
        self, names: frozenset[str], added: frozenset[str], limits: Limits
    ) -> _Settled:
        layout = Layout(self._program, self._reference, added)
        seen = {name: layout.number(SlotKind.SEEN, name) for name in names}
        atoms = {name: layout.number(SlotKind.ATOMS, name) for name in names}
        nothing = _Settled(frozenset(), {}, {}, {}, frozenset())
        decide = compiled(self._clauses(names), layout, self._filling(layout, nothing))
        world = started(self._template(layout, nothing), limits, {})
        hits = decide(world, {})
        return _Settled(
            names=names,
            seen={name: world[number] for name, number in seen.items()},
            atoms={name: world[number] for name, number in atoms.items()},
            hits=dict(hits),
            failed=frozenset(world[FAILED]),
        )

    def _template(self, layout: Layout, settled: _Settled) -> World:
        """The world before a request: what is given once, with its indexes."""
        world: World = [None] * RESERVED
        world += map(self._filling(layout, settled), layout.slots)
        return world

    def _filling(self, layout: Layout, settled: _Settled) -> Initial:
        """What fills the slots of a layout before a request comes."""
        return lambda slot: self._initial(slot, layout, settled)

    def _initial(self, slot: Slot, layout: Layout, settled: _Settled) -> Any:
        if slot.name in settled.names:
            if slot.kind is SlotKind.SEEN:
                return settled.seen[slot.name]
            if slot.kind is SlotKind.ATOMS:
                return settled.atoms[slot.name]
        if not layout.is_ready(slot.name):
            return None
        if slot.kind is SlotKind.ROWS:
            return self._given_rows(slot.name, layout)
        if slot.kind is SlotKind.INDEX:
            return self._index(slot, layout, settled)
        return None

    def _index(self, slot: Slot, layout: Layout, settled: _Settled) -> Index:
        asked = settled.asked.get(slot.name)
        if asked is not None:
            return AskedIndex(asked, slot.positions)
        index = self._indexes.get(slot)
        if index is None:
            derived = slot.name in settled.names
            rows = settled.atoms[slot.name] if derived else self._given_rows(slot.name, layout)
            index = self._indexes[slot] = indexed(rows, slot.positions, derived=derived)
        return index

    def _given_rows(self, name: str, layout: Layout) -> Sequence[Row]:
        rows = self._rows.get(name)
        if rows is None:
            rows = self._rows[name] = layout.given(name)
        return rows

    def _derived_by(self, position: int) -> str:
        """The definition that the clause at a position derives atoms of."""
        head = self._program.rules[position].head
        return head.predicate if isinstance(head, Derive) else ""

    # --- failures ---------------------------------------------------------------------------------------

    def _failure(self, failed: set[int], facts: FactSet, hits: Hits, settled: _Settled) -> Failure:
        """The failure to report: that of the first rule, and the least of its codes.

        The plan knows which rules fail; why, the plain interpreter finds out over the finished model, of which it
        is given what the rule reads. What was not asked for of a definition stands in no instance that fails.
        """
        rule = self._program.rules[min(failed)]
        read = {match.name for match in matches(rule.body)}
        known = [(p, fired) for p, fired in settled.hits.items() if self._derived_by(p) in read]
        firings = list(chain.from_iterable([fired for _, fired in (*known, *hits)]))
        asked = {name: each for name, each in settled.asked.items() if name in read}
        derived = {name: each.derived for name, each in asked.items()}
        model = Model(self._program, facts, firings, self._reference, derived)
        found = _failing(rule, model)
        if not found and asked:
            # What was asked for has been forgotten meanwhile.
            whole = {name: each.whole() for name, each in asked.items()}
            model = Model(self._program, facts, firings, self._reference, whole)
            found = _failing(rule, model)
        if not found:
            raise InternalError(f"`{rule.name}` failed, and the interpreter finds no failure")
        least = min(found, key=lambda failure: (failure.kind.value, failure.message))
        return Failure(rule.name, least.kind.value, least.message)


def _failing(rule: Rule, model: Model) -> list[CalculationFailure]:
    found = instances(rule.body, {}, model)
    return [instance for instance in found if isinstance(instance, CalculationFailure)]


_UNLIMITED: Final = Limits(seconds=float("inf"), memory=1 << 62)
_TOO_MUCH: Final = Failure(
    "", FailureKind.MEMORY_LIMIT.value, "the evaluation needs more memory than its limit"
)


def _too_long(limits: Limits) -> Failure:
    message = f"the evaluation takes longer than its limit of {limits.seconds:g} seconds"
    return Failure("", FailureKind.TIME_LIMIT.value, message)


def _position(hit: tuple[int, Sequence[Firing]]) -> int:
    return hit[0]
