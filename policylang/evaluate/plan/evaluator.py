"""`PlanEvaluator`: programs evaluated by Python code compiled for them."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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
from policylang.evaluate.plan.compile import Compiled, Numbered, compiled, reads_of
from policylang.evaluate.plan.runtime import Hits
from policylang.evaluate.plan.straight import Straight, straight
from policylang.evaluate.plan.world import (
    FAILED,
    RESERVED,
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
from policylang.semantics.program import Derive, Program
from policylang.semantics.slicing import Slice, slice_for

VERSION: Final = "1"
"""Of the plan: changes where what it computes could."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What decisions about one action run: the code, the world it starts from, what is known before."""

    compiled: Compiled
    template: World
    settled: Hits
    shared: Settled
    failed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Settled:
    """The definitions that depend on tables and reference data alone, evaluated."""

    names: frozenset[str]
    seen: Mapping[str, dict[Any, None]]
    atoms: Mapping[str, list[Any]]
    hits: Mapping[int, Sequence[Firing]]
    failed: frozenset[int]


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

    def index(self, name: str, positions: tuple[int, ...]) -> Mapping[Any, Sequence[Any]]:
        slot = Slot(SlotKind.INDEX, name, positions)
        return self.evaluator._index(slot, self.layout, self.settled)

    def atoms(self, name: str) -> Mapping[tuple[Any, ...], None]:
        return self.settled.seen[name]


class PlanEvaluator:
    """The evaluator of one program with its reference data, as compiled Python code.

    Code is made for an action when it is first asked for, and definitions that depend on tables and reference
    data alone are evaluated once. What `refusal` refuses is answered with a failure.
    """

    def __init__(
        self, program: Program, reference: Mapping[str, Sequence[Row]] | None = None
    ) -> None:
        self._program = program
        self._reference = {name: tuple(rows) for name, rows in (reference or {}).items()}
        self._positions = {rule.name: i for i, rule in enumerate(program.rules)}
        self._reference_names = frozenset(self._reference)
        self._given = self._reference_names | frozenset(program.tables)
        self._plans: dict[tuple[str, frozenset[str]], _Plan] = {}
        self._usual: dict[str, _Plan] = {}
        """By action, for requests that add nothing to reference data."""
        self._indexes: dict[Slot, dict[Any, Any]] = {}
        self._rows: dict[str, Sequence[Row]] = {}
        self._settled: dict[frozenset[str], _Settled] = {}
        self._straight: dict[Shape, _Quick | None] = {}
        """What is made for requests of each shape; None where their rules need more."""
        self._lock = Lock()
        self._name = f"plan {VERSION}, Python {platform.python_version()}"

    @property
    def name(self) -> str:
        """The evaluator and its version, for traces."""
        return self._name

    def code(self, action: str) -> str:
        """The code for decisions about an action, as Python text that a person can read.

        This is the code for requests of any form; `usual_code` is that for the usual ones.
        """
        return self._plan(action, frozenset(), Limits()).compiled.text()

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
        quick = self._quick(Shape(action, tuple(given)), Limits())
        return None if quick is None else quick.straight.text()

    def evaluate(self, facts: FactSet, limits: Limits) -> Evaluation:
        """The firings for one request."""
        taken = facts.origin
        if taken is not None:
            shape = taken[0]
            quick = self._straight[shape] if shape in self._straight else self._quick(shape, limits)
            found = None if quick is None else quick.straight.run(taken[1], taken[5])
            if quick is not None and found is not None:
                key, own = found
                pattern = quick.patterns.get(key) or quick.straight.pattern(key)
                return patterned(own, quick.shared, pattern)
        return self._evaluate(facts, limits)

    def _evaluate(self, facts: FactSet, limits: Limits) -> Evaluation:
        """The firings for a request of any form."""
        plan = self._usual.get(facts.action)
        try:
            if plan is None or not self._reference_names.isdisjoint(facts.rows):
                plan = self._plan_for(facts, limits)
            world = started(plan.template, limits)
            hits = plan.compiled.decide(world, facts.rows)
        except TimeLimitError:
            return _too_long(limits)
        except (MemoryLimitError, MemoryError):
            return _TOO_MUCH
        except UnplannableError as problem:
            return Failure("", FailureKind.EVALUATOR.value, f"no plan can be made: {problem}")
        if world[FAILED] or plan.failed:
            everything = sorted([*hits, *plan.settled], key=_position)
            return self._failure({*world[FAILED], *plan.failed}, facts, everything)
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
        layout = Layout(self._program, self._reference)
        layout.settled = settled.names
        known = _Known(self, layout, settled)
        made = straight(self._open(part, settled), layout, shape, known)
        if made is None or settled.failed & {self._positions[rule.name] for rule in part.rules}:
            return None
        return _Quick(made, made.patterns, self._shared(hits, (shape.action, frozenset())))

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
        layout = Layout(self._program, self._reference, added)
        layout.settled = settled.names
        code = compiled(self._open(part, settled), layout)
        return _Plan(
            compiled=code,
            template=self._template(layout, settled),
            settled=hits,
            shared=self._shared(hits, (part.action, added)),
            failed=tuple(
                sorted(settled.failed & {self._positions[rule.name] for rule in part.rules})
            ),
        )

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

    def _shared(self, hits: Hits, about: About) -> Settled:
        firings = tuple(chain.from_iterable([fired for _, fired in hits]))
        return Settled(firings, self._positions, about) if firings else NOTHING_SETTLED

    def _settled_for(self, part: Slice, added: frozenset[str], limits: Limits) -> _Settled:
        """The settled definitions that a slice reads, evaluated."""
        names = self._settled_names(part, added)
        known = self._settled.get(names)
        if known is None:
            known = self._settled[names] = self._evaluate_settled(names, added, limits)
        return known

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
        rules: list[Numbered] = [
            (position, rule)
            for position, rule in enumerate(self._program.rules)
            if isinstance(rule.head, Derive) and rule.head.predicate in names
        ]
        layout = Layout(self._program, self._reference, added)
        seen = {name: layout.number(SlotKind.SEEN, name) for name in names}
        atoms = {name: layout.number(SlotKind.ATOMS, name) for name in names}
        nothing = _Settled(frozenset(), {}, {}, {}, frozenset())
        code = compiled(rules, layout)
        world = started(self._template(layout, nothing), limits)
        hits = code.decide(world, {})
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
        world += [self._initial(slot, layout, settled) for slot in layout.slots]
        return world

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

    def _index(self, slot: Slot, layout: Layout, settled: _Settled) -> dict[Any, Any]:
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

    # --- failures ---------------------------------------------------------------------------------------

    def _failure(self, failed: set[int], facts: FactSet, hits: Hits) -> Failure:
        """The failure to report: that of the first rule, and the least of its codes.

        The plan knows which rules fail; why, the plain interpreter finds out over the finished model.
        """
        firings = list(chain.from_iterable([fired for _, fired in hits]))
        model = Model(self._program, facts, firings, self._reference)
        rule = self._program.rules[min(failed)]
        found = [
            instance
            for instance in instances(rule.body, {}, model)
            if isinstance(instance, CalculationFailure)
        ]
        if not found:
            raise InternalError(f"`{rule.name}` failed, and the interpreter finds no failure")
        least = min(found, key=lambda failure: (failure.kind.value, failure.message))
        return Failure(rule.name, least.kind.value, least.message)


_TOO_MUCH: Final = Failure(
    "", FailureKind.MEMORY_LIMIT.value, "the evaluation needs more memory than its limit"
)


def _too_long(limits: Limits) -> Failure:
    message = f"the evaluation takes longer than its limit of {limits.seconds:g} seconds"
    return Failure("", FailureKind.TIME_LIMIT.value, message)


def _position(hit: tuple[int, Sequence[Firing]]) -> int:
    return hit[0]
