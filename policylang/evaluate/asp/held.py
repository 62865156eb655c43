"""Rows that are known before any request: reference data, tables, and what definitions make of them alone.

They are looked up by what is known of a row, through indexes that are built when first asked for: what a decision costs
follows the rows that it touches, not the rows there are.
"""

from __future__ import annotations

from collections.abc import Sequence

import clingo

from policylang.evaluate.asp.values import ONE_SYMBOL

Symbols = tuple[clingo.Symbol, ...]


class Held:
    """The atoms of one relation or definition, by their arguments."""

    def __init__(self, rows: Sequence[Symbols]) -> None:
        self.rows = rows
        self._indexes: dict[tuple[tuple[int, ...], tuple[int, ...]], _Index] = {}

    def looked_up(
        self, bound: tuple[int, ...], free: tuple[int, ...], known: Symbols
    ) -> Sequence[clingo.Symbol]:
        """For each row with these arguments at `bound` its `free` ones as a tuple; without any, 1 once."""
        return self._index(bound, free).answers(known)

    def largest(self, bound: tuple[int, ...]) -> int:
        """The most rows that one lookup by these positions can answer with."""
        return self._index(bound, ()).largest if bound else len(self.rows)

    def _index(self, bound: tuple[int, ...], free: tuple[int, ...]) -> _Index:
        index = self._indexes.get((bound, free))
        if index is None:
            index = self._indexes[bound, free] = _Index(self.rows, bound, free)
        return index


class _Index:
    """The rows by some of their arguments; what a lookup answers is made when it is first asked for."""

    def __init__(
        self, rows: Sequence[Symbols], bound: tuple[int, ...], free: tuple[int, ...]
    ) -> None:
        self._free = free
        self._rows: dict[Symbols, list[Symbols]] = {}
        self._answers: dict[Symbols, Sequence[clingo.Symbol]] = {}
        for row in rows:
            self._rows.setdefault(tuple(row[i] for i in bound), []).append(row)
        self.largest = max(map(len, self._rows.values()), default=0)

    def answers(self, known: Symbols) -> Sequence[clingo.Symbol]:
        answers = self._answers.get(known)
        if answers is None:
            rows = self._rows.get(known)
            if rows is None:
                return ()
            answers = self._answers[known] = self._made(rows)
        return answers

    def _made(self, rows: Sequence[Symbols]) -> Sequence[clingo.Symbol]:
        if not self._free:
            return (ONE_SYMBOL,)
        distinct = dict.fromkeys(tuple(row[i] for i in self._free) for row in rows)
        return tuple(clingo.Function("", row) for row in distinct)
