"""What the code of a plan calls: the few steps that are the same for every program."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, NoReturn, TypeAlias

from policylang.errors import InternalError
from policylang.evaluate.calculate import aggregate, is_like, value_of
from policylang.evaluate.exact import CalculationFailure
from policylang.evaluate.firings import Firing
from policylang.evaluate.plan import numbers
from policylang.evaluate.plan.numbers import summed
from policylang.evaluate.plan.world import Layout, SlotKind, World, indexed, tick
from policylang.facts.factset import Row
from policylang.facts.order import bindings_key
from policylang.facts.types import INT, DecimalType, base
from policylang.facts.values import MISSING, Value
from policylang.semantics.program import Aggregate, AggregateKind

Bindings: TypeAlias = tuple[Value, ...]
Hits: TypeAlias = list[tuple[int, Sequence[Firing]]]
"""Firings by the position of their rule in the program."""

new: Final = tuple.__new__
"""Makes a firing without the cost of a call of `Firing`."""

RuleFunction: TypeAlias = Callable[[World], Sequence[Firing]]


@dataclass(slots=True)
class Growing:
    """A definition in recursion: the slots of its atoms and of the indexes that grow with them."""

    seen: int
    atoms: int
    indexes: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)


def insert(world: World, growing: Growing, atom: tuple[Any, ...]) -> None:
    """Add an atom to a definition in recursion, unless it is there."""
    seen = world[growing.seen]
    if atom in seen:
        return
    seen[atom] = None
    world[growing.atoms].append(atom)
    for number, positions in growing.indexes:
        key = atom[positions[0]] if len(positions) == 1 else tuple([atom[p] for p in positions])
        world[number].setdefault(key, []).append(atom)


def saturate(
    world: World, parts: Sequence[tuple[int, Sequence[Callable[[World, Any], None]]]]
) -> None:
    """Derive all that a recursion derives: each atom is given once to each clause that reads it.

    Semi-naive evaluation with a queue in place of rounds: an atom joins with all atoms known when its turn comes,
    and atoms that come later find it in turn.
    """
    turns = [0] * len(parts)
    moved = True
    while moved:
        moved = False
        for part, (number, readers) in enumerate(parts):
            atoms = world[number]
            while turns[part] < len(atoms):
                atom = atoms[turns[part]]
                turns[part] += 1
                moved = True
                world[0] -= 1
                if world[0] < 0:
                    tick(world)
                for reader in readers:
                    reader(world, atom)


def store(seen: dict[Any, None], atoms: list[Any], new: Iterable[tuple[Any, ...]]) -> None:
    """Add the atoms that a clause derives."""
    for atom in new:
        if atom not in seen:
            seen[atom] = None
            atoms.append(atom)


def fire(rule: str, found: Collection[Bindings], plain: bool) -> Sequence[Firing]:
    """The firings of a rule, sorted. `plain` bindings sort by themselves as `bindings_key` sorts them."""
    if len(found) == 1:
        return (new(Firing, (rule, next(iter(found)))),)
    ordered = sorted(found) if plain else sorted(found, key=bindings_key)
    return [new(Firing, (rule, bindings)) for bindings in ordered]


def total(literal: Aggregate, values: Iterable[Any]) -> Any:
    """The value of an aggregate over the values of its matches; None where it fails."""
    kind = base(literal.result.type)
    if (
        literal.kind is AggregateKind.SUM
        and isinstance(kind, DecimalType)
        and kind.scale is not None
    ):
        return summed([value for value in values if value is not MISSING], kind.scale)
    type_ = literal.result.type if literal.value is None else literal.value.type
    calculated = aggregate(literal.kind, values, type_, literal.result.type)
    if not isinstance(calculated, CalculationFailure):
        return calculated
    if kind is INT:
        raise InternalError(f"`{literal.kind.value}` of Int failed")
    return None


def joined(given: Sequence[Row], rows: Sequence[Row]) -> Sequence[Row]:
    """The rows of reference data and after them those of a request, each with an id of its own."""
    if not given:
        return rows
    return [*given, *(row._replace(id=len(given) + row.id) for row in rows)]


def index_builder(layout: Layout) -> Callable[[World, int], Mapping[Any, Any]]:
    """The function that builds the index of a slot when it is first asked for."""

    def build_index(world: World, number: int) -> Mapping[Any, Any]:
        slot = layout.slot(number)
        derived = layout.is_derived(slot.name)
        kind = SlotKind.ATOMS if derived else SlotKind.ROWS
        rows = world[layout.number(kind, slot.name)]
        index = world[number] = indexed(rows, slot.positions, derived=derived)
        return index

    return build_index


class Chosen(dict[object, Sequence[tuple[int, RuleFunction]]]):
    """The rules that each constant chooses, by position. Their code is made when a request first brings the constant.

    `waiting` are their positions, `make` gives the function of a rule. A value that chooses nothing is not kept: it
    comes from a request.
    """

    def __init__(
        self, waiting: Mapping[Any, Sequence[int]], make: Callable[[int], RuleFunction]
    ) -> None:
        super().__init__()
        self._waiting = waiting
        self._make = make

    def __missing__(self, value: object) -> Sequence[tuple[int, RuleFunction]]:
        positions = self._waiting.get(value)
        if positions is None:
            return ()
        chosen = self[value] = tuple([(position, self._make(position)) for position in positions])
        return chosen


class Late:
    """Functions of rules, each made when it is first asked for, and once. Thread-safe."""

    def __init__(self, make: Callable[[int], RuleFunction]) -> None:
        self._make = make
        self._made: dict[int, RuleFunction] = {}
        self._lock = Lock()

    def function(self, position: int) -> RuleFunction:
        """The function of the rule at a position."""
        with self._lock:
            made = self._made.get(position)
            if made is None:
                made = self._made[position] = self._make(position)
            return made


class GaveUpError(ArithmeticError):
    """A rule needs more than the values of single rows: the request is evaluated as any other."""


def gives_up(*_: object) -> NoReturn:
    """Stands for a rule that needs more than the values of single rows."""
    raise GaveUpError


@dataclass(frozen=True, slots=True)
class Guard:
    """A test on a column of a single row that chooses, by its value, the rules that can fire.

    `each` says that the column holds a set, whose elements choose.
    """

    slot: int
    column: int
    each: bool
    rules: Chosen

    def chosen(self, world: World) -> Iterable[tuple[int, RuleFunction]]:
        """The rules that can fire, with their positions."""
        values = world[self.slot]
        if values is None:
            return ()
        value = values[self.column]
        if not self.each:
            return self.rules[value]
        if value is MISSING:
            return ()
        found = {pair for element in value for pair in self.rules[element]}
        return sorted(found, key=_position)


def _position(pair: tuple[int, Any]) -> int:
    return pair[0]


def run_chosen(world: World, guards: Sequence[Guard], hits: Hits) -> None:
    """Evaluate the rules that guards choose."""
    for guard in guards:
        for position, rule in guard.chosen(world):
            fired = rule(world)
            if fired:
                hits.append((position, fired))


def keyed(
    hits: list[tuple[int, tuple[Firing, ...]]],
) -> tuple[tuple[int, ...], tuple[Firing, ...]]:
    """The positions of the rules that fired, each once, and their firings, in the order of the program."""
    if len(hits) > 1:
        hits.sort(key=_position)
    own: tuple[Firing, ...] = ()
    for _, fired in hits:
        own += fired
    return tuple([position for position, _ in hits]), own


def only(rows: Mapping[str, Sequence[Row]], name: str) -> tuple[Any, ...] | None:
    """The values of the one row of a relation, or None."""
    given = rows.get(name)
    return given[0].values if given else None


def in_order(hits: Hits) -> Hits:
    """Firings in the order of their rules."""
    hits.sort(key=_position)
    return hits


GLOBALS: Final[Mapping[str, object]] = {
    "FAILS": numbers.FAILS,
    "between": numbers.between,
    "minus": numbers.minus,
    "minus_shown": numbers.minus_shown,
    "plus": numbers.plus,
    "plus_shown": numbers.plus_shown,
    "shown": numbers.shown,
    "sure": numbers.sure,
    "times": numbers.times,
    "times_shown": numbers.times_shown,
    "CalculationFailure": CalculationFailure,
    "Firing": Firing,
    "MISSING": MISSING,
    "fire": fire,
    "gives_up": gives_up,
    "in_order": in_order,
    "insert": insert,
    "is_like": is_like,
    "joined": joined,
    "new": new,
    "run_chosen": run_chosen,
    "saturate": saturate,
    "store": store,
    "tick": tick,
    "total": total,
    "value_of": value_of,
}
"""The names that the code of a plan may use, beside Python's own."""
