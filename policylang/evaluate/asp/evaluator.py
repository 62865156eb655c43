"""`AspEvaluator`: a program with its reference data, ready to evaluate fact sets by clingo."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import clingo

from policylang.evaluate.asp.build import Access, fixed_predicates
from policylang.evaluate.asp.held import Held, Symbols
from policylang.evaluate.asp.layout import is_table
from policylang.evaluate.asp.lower import lower, lower_fixed
from policylang.evaluate.asp.solve import Compiled, Found, row_symbols
from policylang.evaluate.asp.terms import AspProgram
from policylang.evaluate.firings import Evaluation, Failure, Firing, Firings, Limits
from policylang.facts.factset import FactSet, Row
from policylang.semantics.program import Program
from policylang.semantics.slicing import Slice, slice_for


@dataclass(frozen=True, slots=True)
class _Ready:
    """One action's slice, compiled: with what is held for it, and what the fixed definitions gave."""

    part: Slice
    compiled: Compiled
    held: Mapping[str, Held]
    fixed: Mapping[int, tuple[Firing, ...]]
    failure: tuple[int, Failure] | None


class AspEvaluator:
    """Evaluates a program by grounding it with clingo.

    `reference` are the rows of reference facts, which do not change while the evaluator lives: whatever depends on
    them and on tables alone is solved once, and looked up afterwards.
    """

    def __init__(self, program: Program, reference: Mapping[str, tuple[Row, ...]]) -> None:
        self._program = program
        self._rows = {**_table_rows(program), **reference}
        self._ready: dict[tuple[str, bool], _Ready] = {}
        self._lock = threading.RLock()

    @property
    def name(self) -> str:
        """The evaluator and its version."""
        return f"clingo {clingo.__version__}"

    def evaluate(self, facts: FactSet, limits: Limits) -> Evaluation:
        """The firings for one request."""
        del limits
        with self._lock:
            ready = self._ready_for(facts.action, keyed=False)
            return _answer(ready, self._found(ready, [facts]), 0)

    def evaluate_many(self, batch: Sequence[FactSet], limits: Limits) -> Sequence[Evaluation]:
        """The firings for many requests, in their order: those of one action in one grounding."""
        del limits
        answers: dict[int, Evaluation] = {}
        by_action: dict[str, list[int]] = {}
        for number, facts in enumerate(batch):
            by_action.setdefault(facts.action, []).append(number)
        with self._lock:
            for action, numbers in by_action.items():
                ready = self._ready_for(action, keyed=True)
                found = self._found(ready, [batch[number] for number in numbers])
                for place, number in enumerate(numbers):
                    answers[number] = _answer(ready, found, place)
        return [answers[number] for number in range(len(batch))]

    def close(self) -> None:
        """Give back workers and memory."""
        self._ready.clear()

    def _found(self, ready: _Ready, batch: Sequence[FactSet]) -> Found:
        compiled = ready.compiled
        asked = compiled.asked(ready.held)
        keyed = compiled.program.keyed
        control = compiled.ground(
            asked,
            (
                fact
                for number, facts in enumerate(batch)
                for fact in compiled.facts(asked.encoding, facts.rows, number if keyed else None)
            ),
        )
        return compiled.found(control, asked)

    def _ready_for(self, action: str, keyed: bool) -> _Ready:
        ready = self._ready.get((action, keyed))
        if ready is None:
            ready = self._ready[action, keyed] = self._prepared(action, keyed)
        return ready

    def _prepared(self, action: str, keyed: bool) -> _Ready:
        part = slice_for(self._program, action)
        held = frozenset(self._rows)
        solved = fixed_predicates(part, held)
        access = Access(held=held, solved=solved, indexed=held | solved)
        compiled = Compiled(lower(self._program, part, access, keyed), part.rules)
        known = {
            name: Held([row_symbols(layout, row, compiled.table) for row in self._rows[name]])
            for name, layout in compiled.program.inputs.items()
            if name in self._rows
        }
        if not solved:
            return _Ready(part, compiled, known, {}, None)
        return self._with_fixed(part, compiled, known, held)

    def _with_fixed(
        self, part: Slice, compiled: Compiled, known: dict[str, Held], held: frozenset[str]
    ) -> _Ready:
        """Solve the definitions that are the same for every request, and hold their atoms."""
        program = lower_fixed(self._program, part, held)
        solver = Compiled(program, part.rules)
        asked = solver.asked({})
        rows = {name: self._rows[name] for name in program.inputs if name in self._rows}
        control = solver.ground(asked, solver.facts(asked.encoding, rows, None))
        found = solver.found(control, asked)
        for name, predicate in program.derived.items():
            width = len(self._program.predicates[name].types)
            atoms = solver.atoms(control, predicate, width)
            known[name] = Held([_moved(asked.values(atom), compiled) for atom in atoms])
        failure = found.failures.get(0)
        names = [rule.name for rule in part.rules]
        return _Ready(
            part=part,
            compiled=compiled,
            held=known,
            fixed=dict(found.firings.get(0, ())),
            failure=None if failure is None else (names.index(failure.rule), failure),
        )


def _moved(values: Sequence[object], compiled: Compiled) -> Symbols:
    return tuple(compiled.table.add(value) for value in values)  # type: ignore[arg-type]


def _answer(ready: _Ready, found: Found, request: int) -> Evaluation:
    failure = found.failures.get(request)
    if ready.failure is not None:
        fixed_rule, fixed_failure = ready.failure
        names = [rule.name for rule in ready.part.rules]
        if failure is None or fixed_rule <= names.index(failure.rule):
            return fixed_failure
    if failure is not None:
        return failure
    by_rule = {**ready.fixed, **dict(found.firings.get(request, ()))}
    return Firings(tuple(firing for rule in sorted(by_rule) for firing in by_rule[rule]))


def _table_rows(program: Program) -> dict[str, tuple[Row, ...]]:
    return {
        name: tuple(Row(id=i, values=values) for i, values in enumerate(lines))
        for name, lines in program.tables.items()
        if is_table(program, name)
    }


def asp_program(program: Program, action: str) -> AspProgram:
    """The lowered program of one action as a person reads it, with tables as facts and nothing looked up."""
    return lower(program, slice_for(program, action))
