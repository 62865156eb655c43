"""The nearest that a body comes to holding: a join that may miss literals, as few as possible.

With no literal missed, then one, then two..., instances are searched depth first over the finished model. What the
request itself says is fixed: the row of a fact that it has one of is never wished to be another. A search counts the
states it looks at and gives up after a number of them, so that it takes as long, and finds the same, on every machine.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from policylang.evaluate.exact import CalculationFailure
from policylang.evaluate.interpret import (
    Bindings,
    BodyReader,
    Solution,
    matches_of,
    solutions,
    value_over,
)
from policylang.evaluate.model import Model
from policylang.facts.factset import Row
from policylang.facts.schema import Cardinality
from policylang.facts.values import Missing, Value
from policylang.semantics.program import Aggregate, Body, Literal, Match, Not, Or

BUDGET: Final = 20_000
"""States that the search of one question looks at."""

_MOST_FOUND: Final = 50


class Mark(enum.Enum):
    """How a literal stands in the nearest instance."""

    HOLDS = "holds"
    FAILS = "fails"
    UNBOUND = "unbound"
    """It reads a variable that only a literal that fails would bind."""
    ERROR = "error"
    """Its calculation has no value."""


@dataclass(frozen=True, slots=True)
class Look:
    """One literal of the nearest instance: its mark, and what shows why.

    `values` are those known when it was looked at. `row` is the row that a match matched, or, where it fails, the
    one that the request has instead. `against` is what a failing negation holds for. `branches` are those of a failing
    `or`, each at its nearest. `result` is what a failing aggregate comes to.
    """

    literal: Literal
    mark: Mark
    values: Bindings
    row: Row | None = None
    against: Solution | None = None
    branches: tuple[tuple[Look, ...], ...] = ()
    result: Value | Missing | CalculationFailure | None = None


@dataclass(frozen=True, slots=True)
class Nearest:
    """How near a body comes: the literals in their order, how many fail, and how many cannot be told."""

    looks: tuple[Look, ...]
    missed: int
    unbound: int
    values: Bindings


@dataclass(slots=True)
class Budget:
    """How many states a search may still look at, and whether it ever wanted more."""

    left: int = BUDGET
    complete: bool = True
    given: int = BUDGET

    def spend(self) -> bool:
        """Take one; whether there was one."""
        if self.left <= 0:
            self.complete = False
            return False
        self.left -= 1
        return True

    def share(self, among: int) -> Budget:
        """A part of it for one of several searches."""
        part = self.left // among
        return Budget(part, given=part)

    def settle(self, share: Budget) -> None:
        """Take off what a search spent of its share."""
        self.left -= share.given - share.left
        self.complete = self.complete and share.complete


@dataclass(frozen=True, slots=True)
class _Partial:
    known: dict[str, Value]
    waiting: tuple[int, ...]
    looks: Mapping[int, Look] = field(default_factory=dict)
    missed: int = 0


def nearest(
    body: Body, known: Bindings, model: Model, budget: Budget, most: int = 1
) -> tuple[Nearest, ...]:
    """The nearest instances of a body that does not hold, best first; at least one.

    Fewest failing literals go first, then fewest that cannot be told, then the order of rows.
    """
    search = _Search(body, model, budget)
    start = _Partial(dict(known), tuple(range(len(body))))
    for limit in range(len(body) + 1):
        found = list(islice(search.within(start, limit), _MOST_FOUND))
        if found:
            return tuple(map(search.finished, _best(found, most)))
        if not budget.complete:
            break
    # The first way down, whatever it misses, is always there.
    unbounded = _Search(body, model, Budget(4 * len(body) + 4))
    return (unbounded.finished(next(unbounded.within(start, len(body)))),)


def _best(found: Sequence[_Partial], most: int) -> list[_Partial]:
    """The instances that miss least and then leave least open, the first for each set of places."""
    least = min((partial.missed, len(partial.waiting)) for partial in found)
    places: dict[tuple[object, ...], _Partial] = {}
    for partial in found:
        if (partial.missed, len(partial.waiting)) == least:
            failing = {i for i, look in partial.looks.items() if look.mark is not Mark.HOLDS}
            places.setdefault((frozenset(failing), partial.waiting), partial)
    return list(places.values())[:most]


class _Search:
    def __init__(self, body: Body, model: Model, budget: Budget) -> None:
        self.body = body
        self.model = model
        self.budget = budget
        self.reader = BodyReader(body, model, any_row=True)

    def within(self, start: _Partial, limit: int) -> Iterator[_Partial]:
        """The instances that miss at most `limit` literals, until the budget is spent."""
        stack: list[Iterator[_Partial]] = [iter((start,))]
        while stack:
            partial = next(stack[-1], None)
            if partial is None:
                stack.pop()
                continue
            if not self.budget.spend():
                return
            position = self.reader.next_literal(partial.known, partial.waiting)
            if position is None:
                yield partial
            else:
                stack.append(self._extended(partial, position, limit))

    def _extended(self, partial: _Partial, position: int, limit: int) -> Iterator[_Partial]:
        literal = self.body[position]
        failure, binds, holds = None, False, False
        for way in self.reader.ways(position, partial.known):
            if way.failure is not None:
                failure = way.failure
                continue
            holds, binds = True, binds or len(way.known) > len(partial.known)
            row = way.witness if isinstance(way.witness, Row) else None
            look = Look(literal, Mark.HOLDS, way.known, row)
            yield self._with(partial, position, look, way.known)
        may_miss = not holds or (binds and not self._is_fixed(literal))
        if may_miss and partial.missed < limit:
            mark = Mark.FAILS if failure is None or holds else Mark.ERROR
            look = Look(literal, mark, partial.known, result=failure)
            missed = self._with(partial, position, look, partial.known)
            yield replace(missed, missed=partial.missed + 1)

    def _with(
        self, partial: _Partial, position: int, look: Look, known: dict[str, Value]
    ) -> _Partial:
        waiting = tuple(i for i in partial.waiting if i != position)
        return _Partial(known, waiting, {**partial.looks, position: look}, partial.missed)

    def _is_fixed(self, literal: Literal) -> bool:
        """Whether a match reads what the request has one of, which is not wished to be otherwise."""
        if not isinstance(literal, Match):
            return False
        relation = self.model.program.schema.relations.get(literal.name)
        return relation is not None and relation.cardinality is not Cardinality.MANY

    def finished(self, partial: _Partial) -> Nearest:
        """A found instance, with what shows why each literal fails."""
        looks = []
        for i, literal in enumerate(self.body):
            look = partial.looks.get(i)
            if look is None:
                looks.append(Look(literal, Mark.UNBOUND, partial.known))
            else:
                looks.append(self._shown(look) if look.mark is Mark.FAILS else look)
        unbound = len(partial.waiting)
        return Nearest(tuple(looks), partial.missed, unbound, partial.known)

    def _shown(self, look: Look) -> Look:
        match look.literal:
            case Match() as literal:
                rows = self.model.rows(literal.name) if self._is_fixed(literal) else ()
                return replace(look, row=rows[0] if len(rows) == 1 else None)
            case Not() as literal:
                against = next(solutions(literal.body, look.values, self.model), None)
                return replace(look, against=against)
            case Or() as literal:
                branches = tuple(
                    nearest(branch, look.values, self.model, self.budget)[0].looks
                    for branch in literal.branches
                )
                return replace(look, branches=branches)
            case Aggregate() as literal:
                ranged = matches_of(literal, look.values, self.model)
                if isinstance(ranged, CalculationFailure):
                    return replace(look, result=ranged)
                return replace(look, result=value_over(literal, ranged))
            case _:
                return look
