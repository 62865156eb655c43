"""Proofs of least height, from the firings of a finished evaluation.

The height of an atom is one more than the highest atom of the body that derives it; rows have height 0. Heights are
found as unit propagation does it (Dowling and Gallier 1984) with a queue by height (Knuth 1977): an instance waits
for its atoms, and of those that derive an atom the first by height and then by the order of rules and firings is
its proof. Every step so stands on strictly lower ones, whatever recursion there was. Nothing here recurses over the
depth of a proof.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from policylang.errors import InternalError
from policylang.evaluate.firings import Firing
from policylang.evaluate.interpret import Bindings, Chosen, Ranged, Witness, solutions
from policylang.evaluate.model import Atom, Model, read_off
from policylang.explain.proof import (
    Absent,
    Computed,
    GivenStep,
    Instance,
    Premise,
    Proof,
    Ranges,
    RuleStep,
    Step,
    Takes,
    Uses,
    uses,
)
from policylang.facts.factset import Row
from policylang.facts.values import Missing, Value
from policylang.semantics.program import Aggregate, Body, Derive, Literal, Match, Not, Or

Goal: TypeAlias = Atom | Firing
"""What is to be proved: a row or atom that holds, or that a rule fired."""


def find(model: Model, name: str, arguments: Sequence[Value | Missing | None]) -> Iterator[Atom]:
    """The rows or atoms of that name that hold and have these arguments; `None` stands for any."""
    bound = [(i, value) for i, value in enumerate(arguments) if value is not None]
    for row in model.candidates(name, bound):
        yield Atom(name, row.id)


def prove(model: Model, goals: Iterable[Goal]) -> Proof:
    """The proof of goals that hold, least in height; its roots are the goals in their order.

    `InternalError` where a goal has no proof, which is where the firings are not those of the model.
    """
    wanted = tuple(goals)
    chosen = _Search(model).run(wanted)
    table = _Table(model, chosen)
    roots = tuple(table.number(goal) for goal in wanted)
    return Proof(table.steps, roots)


@dataclass(slots=True)
class _Derivation:
    """One instance of a rule's body that derives a goal, and how many atoms it still waits for."""

    goal: Goal
    firing: Firing
    bindings: Bindings
    witnesses: tuple[Witness, ...]
    needs: frozenset[Atom]
    waits: int = 0
    order: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class _Settled:
    """The derivation that is the proof of a goal, and its height."""

    derivation: _Derivation
    height: int


class _Search:
    """Finds the least derivation of goals and of everything they may stand on."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._positions = {rule.name: i for i, rule in enumerate(model.program.rules)}
        self._waiting: dict[Atom, list[_Derivation]] = {}
        self._ready: list[tuple[int, tuple[int, int], _Derivation]] = []
        self._count = 0

    def run(self, goals: Iterable[Goal]) -> dict[Goal, _Settled]:
        """The settled goals: all that have a proof of those asked for and of those they may need."""
        seen = {goal: None for goal in goals if self._is_derived(goal)}
        for goal in (queue := list(seen)):  # grows while it is read
            for derivation in self._derivations(goal):
                for atom in derivation.needs:
                    if atom not in seen:
                        seen[atom] = None
                        queue.append(atom)
        return self._settle()

    def _is_derived(self, goal: Goal) -> bool:
        return isinstance(goal, Firing) or goal.name in self.model.program.predicates

    def _derivations(self, goal: Goal) -> Iterator[_Derivation]:
        """Every way in which a goal is derived, put where its atoms will find it."""
        for firing in self._firings(goal):
            rule = self.model.rules[firing.rule]
            known = {v.name: b for v, b in zip(rule.variables, firing.bindings, strict=True)}
            for solution in solutions(rule.body, known, self.model, any_row=True):
                needs = frozenset(filter(self._is_derived, used(rule.body, solution.witnesses)))
                self._count += 1
                order = (self._positions[rule.name], self._count)
                found = _Derivation(
                    goal, firing, solution.bindings, solution.witnesses, needs, len(needs), order
                )
                for atom in needs:
                    self._waiting.setdefault(atom, []).append(found)
                if not needs:
                    heapq.heappush(self._ready, (1, order, found))
                yield found

    def _firings(self, goal: Goal) -> Sequence[Firing]:
        if isinstance(goal, Firing):
            return (goal,)
        return self.model.deriving(goal.name, self.model.row(goal).values)

    def _settle(self) -> dict[Goal, _Settled]:
        settled: dict[Goal, _Settled] = {}
        while self._ready:
            height, _, derivation = heapq.heappop(self._ready)
            if derivation.goal in settled:
                continue
            settled[derivation.goal] = _Settled(derivation, height)
            if isinstance(derivation.goal, Firing):
                continue
            for waiting in self._waiting.get(derivation.goal, ()):
                waiting.waits -= 1
                if not waiting.waits:
                    heapq.heappush(self._ready, (height + 1, waiting.order, waiting))
        return settled


def used(body: Body, witnesses: Iterable[Witness]) -> Iterator[Atom]:
    """Every row and atom that an instance stands on, those an aggregate ranged over included."""
    for literal, witness in zip(body, witnesses, strict=True):
        if isinstance(literal, Match) and isinstance(witness, Row):
            yield Atom(literal.name, witness.id)
        elif isinstance(literal, Or) and isinstance(witness, Chosen):
            yield from used(literal.branches[witness.branch], witness.witnesses)
        elif isinstance(literal, Aggregate) and isinstance(witness, Ranged):
            for solution in witness.matches:
                yield from used(literal.body, solution.witnesses)


class _Table:
    """The steps of a proof as they are written down, each after those it stands on."""

    def __init__(self, model: Model, settled: Mapping[Goal, _Settled]) -> None:
        self.model = model
        self._settled = settled
        self._steps: list[Step] = []
        self._numbers: dict[Goal, int] = {}

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps written down so far."""
        return tuple(self._steps)

    def number(self, goal: Goal) -> int:
        """The number of the step that proves a goal, written down with all it stands on."""
        waiting = [goal]
        while waiting:
            top = waiting[-1]
            if top in self._numbers:
                waiting.pop()
            elif lacking := [a for a in self._stands_on(top) if a not in self._numbers]:
                waiting.extend(reversed(lacking))
            else:
                self._numbers[top] = len(self._steps)
                self._steps.append(self._step(top))
        return self._numbers[goal]

    def _stands_on(self, goal: Goal) -> Iterator[Atom]:
        if isinstance(goal, Firing) or goal.name in self.model.program.predicates:
            settled = self._proof_of(goal)
            body = self.model.rules[settled.derivation.firing.rule].body
            yield from used(body, settled.derivation.witnesses)

    def _proof_of(self, goal: Goal) -> _Settled:
        settled = self._settled.get(goal)
        if settled is None:
            raise InternalError(f"{goal} holds and has no proof")
        return settled

    def _step(self, goal: Goal) -> Step:
        if isinstance(goal, Atom) and goal.name not in self.model.program.predicates:
            return GivenStep(goal.name, self.model.row(goal), self.model.given(goal.name))
        settled = self._proof_of(goal)
        derivation = settled.derivation
        rule = self.model.rules[derivation.firing.rule]
        atom = None
        if isinstance(rule.head, Derive):
            atom = read_off(rule, rule.head.arguments, derivation.firing)
        instance = self._instance(rule.body, derivation.bindings, derivation.witnesses, {})
        step = RuleStep(rule.name, atom, instance, settled.height)
        # INVARIANT: what a step stands on is strictly lower, so that no proof goes round.
        if any(self._steps[i].height >= step.height for i in uses(instance)):
            raise InternalError(f"the proof of {goal} stands on itself")
        return step

    def _instance(
        self, body: Body, values: Bindings, witnesses: Iterable[Witness], around: Bindings
    ) -> Instance:
        premises = tuple(
            self._premise(literal, witness, values)
            for literal, witness in zip(body, witnesses, strict=True)
        )
        own = {name: value for name, value in values.items() if name not in around}
        return Instance(own, premises)

    def _premise(self, literal: Literal, witness: Witness, values: Bindings) -> Premise:
        match literal, witness:
            case Match(), Row():
                return Uses(self._numbers[Atom(literal.name, witness.id)])
            case Or(), Chosen():
                branch = literal.branches[witness.branch]
                inner = self._instance(branch, witness.bindings, witness.witnesses, values)
                return Takes(witness.branch, inner)
            case Aggregate(), Ranged():
                return Ranges(
                    tuple(
                        self._instance(literal.body, found.bindings, found.witnesses, values)
                        for found in witness.matches
                    )
                )
            case Not(), _:
                return Absent()
            case _:
                return Computed()
