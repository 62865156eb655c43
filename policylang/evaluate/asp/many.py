"""Many requests in one grounding: their rows as symbols, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Final, TypeAlias

import clingo

from policylang.errors import InternalError
from policylang.evaluate.asp.build import Access
from policylang.evaluate.asp.calls import Answer, Asked
from policylang.evaluate.asp.constants import ABSENT_TERM
from policylang.evaluate.asp.held import Held, Symbols
from policylang.evaluate.asp.layout import Layout
from policylang.evaluate.asp.lower import lower
from policylang.evaluate.asp.solve import Compiled, Found
from policylang.evaluate.asp.terms import AspProgram
from policylang.evaluate.asp.together import Column, Tabulated, Together, together
from policylang.evaluate.asp.values import ONE_SYMBOL, Encoding, Table, number, symbol_of
from policylang.facts.factset import FactSet, Row
from policylang.facts.values import Missing, Value
from policylang.semantics.program import Program
from policylang.semantics.slicing import Slice

ABSENT: Final = symbol_of(ABSENT_TERM)
_MOST_KEPT: Final = 16
"""Programs that are kept for batches whose requests have several rows of different relations."""

_Column: TypeAlias = list[clingo.Symbol]
_Rows: TypeAlias = Mapping[str, Sequence[tuple[Row, ...]]]
"""The rows of each relation, request by request."""


class Batches:
    """A program for many requests at once, compiled for which relations they have several rows of.

    `table` is that of the program for one request, which has every constant.
    """

    def __init__(self, program: Program, part: Slice, access: Access, table: Table) -> None:
        self._rules = part.rules
        self._table = table
        self._lower = partial(lower, program, part, access, keyed=True)
        self._lowered: AspProgram | None = None
        self._known: dict[frozenset[str], tuple[Together, Compiled]] = {}

    def found(self, held: Mapping[str, Held], batch: Sequence[FactSet]) -> Found:
        """What holds for each request of a batch, by its place."""
        lowered = self._program()
        given = [facts.rows for facts in batch]
        rows = {name: [of.get(name, ()) for of in given] for name in lowered.inputs}
        single = frozenset(name for name, some in rows.items() if max(map(len, some)) <= 1)
        program, compiled = self._for(single)
        asked = compiled.asked(held)
        columns = _Columns(program, asked, rows, len(batch))
        asked.given = dict(columns.given())
        known = columns.known()
        return compiled.found(compiled.ground(asked, (), known), asked, known)

    def _program(self) -> AspProgram:
        if self._lowered is None:
            self._lowered = self._lower()
            if not all(map(self._table.has, self._lowered.constants)):
                raise InternalError("a batch has constants of its own")
        return self._lowered

    def _for(self, single: frozenset[str]) -> tuple[Together, Compiled]:
        known = self._known.get(single)
        if known is None:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            program = together(self._program(), single)
            compiled = Compiled(program.program, self._rules, self._table, program.entering)
            known = self._known[single] = program, compiled
        return known


class _Columns:
    """The rows of one batch as columns of symbols, by relation."""

    def __init__(self, program: Together, asked: Asked, rows: _Rows, count: int) -> None:
        self._program = program
        self._count = count
        self._asked = asked
        self._layouts = program.program.inputs
        self._values: dict[Column, _Symbols] = {}
        self._columns = {name: self._of_single(name, rows[name]) for name in program.singles}
        for name in program.rows:
            self._columns[name] = self._of_many(name, rows[name])
        self._there = {name for name in self._columns if any(rows[name])}
        self._answers: dict[str, Answer] = {}

    def given(self) -> Iterator[tuple[str, Answer]]:
        """What each call answers that brings the batch in."""
        program = self._program
        singles = chain.from_iterable(self._columns[name] for name in program.singles)
        yield program.requests, _tuples([_numbers(range(self._count)), *singles])
        for name, call in program.rows.items():
            yield call, _tuples(self._columns[name])
        for table in program.tables:
            self._answers[table.predicate] = self._tabulated(table)
            yield table.given, self._answers[table.predicate]

    def known(self) -> frozenset[str]:
        """The predicates of which there are atoms; after `given`."""
        rows = {self._layouts[name].predicate for name in self._there}
        answered = {predicate for predicate, answers in self._answers.items() if answers}
        return frozenset({self._program.program.requests} | rows | answered)

    def _of_single(self, name: str, rows: Sequence[tuple[Row, ...]]) -> list[_Column]:
        """A column for each place of a relation in the tuples of requests."""
        if not self._layouts[name].width:
            return [[ONE_SYMBOL if some else ABSENT for some in rows]]
        if all(rows):
            return self._read(self._layouts[name], [some[0] for some in rows])
        present = self._read(self._layouts[name], [some[0] for some in rows if some])
        return [list(_spread(column, rows)) for column in present]

    def _of_many(self, name: str, rows: Sequence[tuple[Row, ...]]) -> list[_Column]:
        """The number of the request and the arguments of every row."""
        requests = _numbers(i for i, some in enumerate(rows) for _ in some)
        return [requests, *self._read(self._layouts[name], list(chain.from_iterable(rows)))]

    def _read(self, layout: Layout, rows: Sequence[Row]) -> list[_Column]:
        columns: list[_Column] = []
        if layout.numbered:
            columns.append(_numbers(row.id for row in rows))
        if layout.sourced:
            columns.append(_numbers(int(row.source) for row in rows))
        for place in layout.columns:
            symbols = _Symbols(self._asked.encoding)
            self._values[layout.relation, len(columns)] = symbols
            columns.append([symbols[row.values[place]] for row in rows])
        return columns

    def _tabulated(self, table: Tabulated) -> Answer:
        """The atoms of a call for all that stands in its columns."""
        only = self._asked.encoding.known(table.only)
        answers: list[clingo.Symbol] = []
        for arguments, values in self._different(table):
            found = self._asked.answers(table.call, arguments, values)
            if only is None:
                answers.extend(_tuple((*arguments, answer)) for answer in found)
            elif only in found:
                answers.append(arguments[0] if len(arguments) == 1 else _tuple(arguments))
        return answers

    def _different(
        self, table: Tabulated
    ) -> Iterable[tuple[Symbols, Sequence[Value | Missing] | None]]:
        """The arguments of a call that differ, with their values where they are at hand."""
        if len(table.columns) == 1:
            known = self._values.get(table.columns[0])
            if known is not None:
                return [((symbol,), (value,)) for value, symbol in known.items()]
        columns = [self._column(relation, place) for relation, place in table.columns]
        # One object stands for one value of a column: to look at them so is faster than to compare them.
        different = {tuple(map(id, asked)): asked for asked in zip(*columns, strict=True)}
        return [(a, None) for a in different.values() if not any(s is ABSENT for s in a)]

    def _column(self, relation: str, place: int) -> _Column:
        return self._columns[relation][place + (relation in self._program.rows)]


class _Symbols(dict["Value | Missing", clingo.Symbol]):
    """The symbols of the values of one column. INVARIANT: values of one type are equal exactly if they are one."""

    def __init__(self, encoding: Encoding) -> None:
        self._symbol = encoding.symbol

    def __missing__(self, value: Value | Missing) -> clingo.Symbol:
        symbol = self[value] = self._symbol(value)
        return symbol


def _numbers(values: Iterable[int]) -> _Column:
    return list(map(number, values))


def _spread(column: _Column, rows: Sequence[tuple[Row, ...]]) -> Iterator[clingo.Symbol]:
    """The column with a place for every request."""
    present = iter(column)
    return (next(present) if some else ABSENT for some in rows)


def _tuples(columns: Sequence[_Column]) -> Answer:
    return list(map(_tuple, zip(*columns, strict=True)))


_tuple: Final = partial(clingo.Function, "")
