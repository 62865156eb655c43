"""`AspEvaluator`: a program with its reference data, ready to evaluate fact sets by clingo."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import clingo

from policylang.errors import InternalError
from policylang.evaluate.asp.bounds import Bounds, Measure
from policylang.evaluate.asp.build import Access, fixed_predicates
from policylang.evaluate.asp.contained import Contained
from policylang.evaluate.asp.held import Held, Symbols
from policylang.evaluate.asp.layout import is_table
from policylang.evaluate.asp.lower import lower, lower_fixed
from policylang.evaluate.asp.many import Batches
from policylang.evaluate.asp.solve import Compiled, Found, row_symbols
from policylang.evaluate.asp.terms import AspProgram
from policylang.evaluate.firings import (
    NOTHING_SETTLED,
    About,
    Evaluation,
    Failure,
    Firing,
    Firings,
    Limits,
    Settled,
)
from policylang.facts.factset import FactSet, Row
from policylang.facts.values import Missing, Value
from policylang.semantics.program import Derive, Program
from policylang.semantics.slicing import Slice, matches, slice_for

_UNITS_HERE: Final = 100_000
"""The most that an evaluation in this process may cost, in instances of a rule."""

_UNITS_PER_SECOND: Final = 20_000
"""Fewer than any machine does: what is given less time than this needs is evaluated where it can be killed."""

_BYTES_PER_UNIT: Final = 1024

_UNITS_OF_FIXED: Final = 300_000
"""The most that is solved in this process once for reference data alone."""

_grounding = threading.RLock()
"""SOLVER: clingo's symbols live in one table of the process. One grounding at a time, and none during a fork."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_grounding.acquire,
        after_in_parent=_grounding.release,
        after_in_child=_grounding.release,
    )


@dataclass(frozen=True, slots=True)
class Fixed:
    """What the definitions that are the same for every request gave."""

    firings: tuple[tuple[str, tuple[Firing, ...]], ...]
    failure: Failure | None
    atoms: Mapping[str, Sequence[Sequence[Value | Missing]]]


@dataclass(frozen=True, slots=True)
class _Ready:
    """One action's slice, compiled: with what is held for it, and what the fixed definitions gave."""

    part: Slice
    compiled: Compiled
    measure: Measure
    bounds: Bounds
    held: Mapping[str, Held]
    settled: Settled
    failure: Failure | None
    places: Mapping[str, int]
    batches: Batches


class AspEvaluator:
    """Evaluates a program by grounding it with clingo.

    `reference` are the rows of reference facts, which do not change while the evaluator lives: whatever depends on
    them and on tables alone is solved once, and looked up afterwards. What may take long is evaluated in a
    process that can be killed, unless `contained` is false (which is how that process calls it).
    """

    def __init__(
        self,
        program: Program,
        reference: Mapping[str, tuple[Row, ...]],
        contained: bool = True,
    ) -> None:
        self._program = program
        self._positions = {rule.name: i for i, rule in enumerate(program.rules)}
        self._rows = {**_table_rows(program), **reference}
        self._ready: dict[str, _Ready] = {}
        self._solved: dict[frozenset[str], Fixed] = {}
        self._contained = Contained(program, reference) if contained else None

    @property
    def name(self) -> str:
        """The evaluator and its version."""
        return f"clingo {clingo.__version__}"

    def evaluate(self, facts: FactSet, limits: Limits) -> Evaluation:
        """The firings for one request."""
        ready = self._ready_within(facts.action, limits)
        if isinstance(ready, Failure):
            return ready
        if self._contained is not None and _units(ready, facts) > _allowed(limits):
            answer = self._contained.evaluate(facts, limits)
            return Firings(answer.own, ready.settled) if isinstance(answer, Firings) else answer
        with _grounding:
            return _answer(ready, _found(ready, facts), 0)

    def evaluate_many(self, batch: Sequence[FactSet], limits: Limits) -> Sequence[Evaluation]:
        """The firings for many requests, in their order: those of one action in one grounding, as far as it goes."""
        answers: dict[int, Evaluation] = {}
        by_action: dict[str, list[int]] = {}
        for number, facts in enumerate(batch):
            by_action.setdefault(facts.action, []).append(number)
        for action, numbers in by_action.items():
            for group in self._groups(action, batch, numbers, limits):
                if len(group) == 1:
                    answers[group[0]] = self.evaluate(batch[group[0]], limits)
                    continue
                with _grounding:
                    ready = self._ready_for(action)
                    if ready is None:
                        raise InternalError("a batch over what is not solved")
                    found = ready.batches.found(ready.held, [batch[number] for number in group])
                    for place, number in enumerate(group):
                        answers[number] = _answer(ready, found, place)
        return [answers[number] for number in range(len(batch))]

    def fixed(self, action: str) -> Fixed:
        """What the definitions give that an action reads and that are the same for every request."""
        with _grounding:
            self._ready_for(action)
            return self._solved[self._solved_for(slice_for(self._program, action))]

    def settled(self, about: About, limits: Limits) -> Settled:
        """What is settled for an action; nothing where that fails."""
        ready = self._ready_within(about[0], limits)
        return NOTHING_SETTLED if isinstance(ready, Failure) else ready.settled

    def close(self) -> None:
        """Give back workers and memory."""
        self._ready.clear()
        if self._contained is not None:
            self._contained.close()

    def _groups(
        self, action: str, batch: Sequence[FactSet], numbers: Sequence[int], limits: Limits
    ) -> Iterator[list[int]]:
        """Requests that are evaluated together: as many as may be in this process at once."""
        ready = self._ready_within(action, limits)
        if isinstance(ready, Failure):
            yield from ([number] for number in numbers)
            return
        units = [_units(ready, batch[number]) for number in numbers]
        group: list[int] = []
        total = 0.0
        for number, cost in zip(numbers, units, strict=True):
            if group and total + cost > _allowed(limits):
                yield group
                group, total = [], 0.0
            group.append(number)
            total += cost
        yield group

    # --- preparation ---------------------------------------------------------------------------------

    def _ready_within(self, action: str, limits: Limits) -> _Ready | Failure:
        """An action's compiled slice; what is fixed of it is solved where it can be killed if that may take long."""
        with _grounding:
            ready = self._ready_for(action)
        if ready is not None:
            return ready
        if self._contained is None:
            raise InternalError("nothing contains a worker")
        fixed = self._contained.fixed(action, limits)
        if isinstance(fixed, Failure):
            return fixed
        if not isinstance(fixed, Fixed):
            raise InternalError("a worker that answers what it was not asked")
        with _grounding:
            self._solved[self._solved_for(slice_for(self._program, action))] = fixed
            return self._ready_for(action) or self._ready_within(action, limits)

    def _ready_for(self, action: str) -> _Ready | None:
        """An action's compiled slice; None where something fixed is not solved and may take long."""
        ready = self._ready.get(action)
        if ready is None:
            part = slice_for(self._program, action)
            solved = self._solved_for(part)
            fixed = self._solved.get(solved) or self._solve_fixed(part, solved)
            if fixed is None:
                return None
            self._solved[solved] = fixed
            ready = self._ready[action] = self._prepared(part, solved, fixed)
        return ready

    def _solved_for(self, part: Slice) -> frozenset[str]:
        return fixed_predicates(part, frozenset(self._rows))

    def _prepared(self, part: Slice, solved: frozenset[str], fixed: Fixed) -> _Ready:
        held = frozenset(self._rows)
        access = Access(held=held, solved=solved, indexed=held | solved)
        compiled = Compiled(lower(self._program, part, access), part.rules)
        known = {
            name: Held([row_symbols(layout, row, compiled.table) for row in self._rows[name]])
            for name, layout in compiled.program.inputs.items()
            if name in self._rows
        }
        for name, atoms in fixed.atoms.items():
            known[name] = Held([_moved(atom, compiled) for atom in atoms])
        places = {rule.name: place for place, rule in enumerate(part.rules)}
        by_place = sorted((places[rule], firings) for rule, firings in fixed.firings)
        fixed_firings = tuple(chain.from_iterable(firings for _, firings in by_place))
        return _Ready(
            part=part,
            compiled=compiled,
            measure=Measure(self._program, compiled.program),
            bounds=Bounds(compiled.program, known),
            held=known,
            settled=Settled(fixed_firings, self._positions, (part.action, frozenset()))
            if fixed_firings
            else NOTHING_SETTLED,
            failure=fixed.failure,
            places=places,
            batches=Batches(self._program, part, access, compiled.table),
        )

    def _solve_fixed(self, part: Slice, solved: frozenset[str]) -> Fixed | None:
        """Solve the fixed definitions of a slice; None where that may take too long in this process."""
        if not solved:
            return Fixed((), None, {})
        part = _only(part, solved)
        program = lower_fixed(self._program, part, frozenset(self._rows))
        rows = {name: self._rows[name] for name in program.inputs if name in self._rows}
        if self._contained is not None:
            sizes = Measure(self._program, program).of_rows(rows)
            if Bounds(program, {}).units(sizes) > _UNITS_OF_FIXED:
                return None
        solver = Compiled(program, part.rules)
        asked = solver.asked({})
        known = solver.facts(asked.encoding, rows)
        given = solver.given(rows)
        control = solver.ground(asked, known, given)
        found = solver.found(control, asked, given)
        return Fixed(
            firings=tuple((part.rules[i].name, some) for i, some in found.firings.get(0, ())),
            failure=found.failures.get(0),
            atoms={
                name: [
                    tuple(asked.values(atom))
                    for atom in solver.atoms(control, predicate, self._width(name))
                ]
                for name, predicate in program.derived.items()
            },
        )

    def _width(self, predicate: str) -> int:
        return len(self._program.predicates[predicate].types)


def _only(part: Slice, definitions: frozenset[str]) -> Slice:
    """The part of a slice that derives some definitions, which read nothing that others derive."""
    rules = tuple(
        rule
        for rule in part.rules
        if isinstance(rule.head, Derive) and rule.head.predicate in definitions
    )
    read = frozenset(match.name for rule in rules for match in matches(rule.body))
    return Slice(part.action, rules, definitions, read - definitions)


def _units(ready: _Ready, facts: FactSet) -> float:
    return ready.bounds.units(ready.measure.of_rows(facts.rows))


def _allowed(limits: Limits) -> float:
    """The greatest bound of an evaluation that surely ends within its limits."""
    return min(_UNITS_HERE, limits.seconds * _UNITS_PER_SECOND, limits.memory / _BYTES_PER_UNIT)


def _found(ready: _Ready, facts: FactSet) -> Found:
    compiled = ready.compiled
    asked = compiled.asked(ready.held)
    given = compiled.given(facts.rows)
    atoms = compiled.facts(asked.encoding, facts.rows)
    return compiled.found(compiled.ground(asked, atoms, given), asked, given)


def _moved(values: Sequence[Value | Missing], compiled: Compiled) -> Symbols:
    return tuple(map(compiled.table.add, values))


def _answer(ready: _Ready, found: Found, request: int) -> Evaluation:
    failures = [f for f in (found.failures.get(request), ready.failure) if f is not None]
    if failures:
        return min(failures, key=lambda failure: ready.places[failure.rule])
    by_rule = dict(found.firings.get(request, ()))
    own = tuple(chain.from_iterable(by_rule[rule] for rule in sorted(by_rule)))
    return Firings(own, ready.settled)


def _table_rows(program: Program) -> dict[str, tuple[Row, ...]]:
    return {
        name: tuple(Row(id=i, values=values) for i, values in enumerate(lines))
        for name, lines in program.tables.items()
        if is_table(program, name)
    }


def asp_program(program: Program, action: str) -> AspProgram:
    """The lowered program of one action as a person reads it, with nothing looked up."""
    return lower(program, slice_for(program, action))
