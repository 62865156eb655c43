"""Firings: what an evaluator answers, whoever it is."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

from policylang.facts.factset import FactSet
from policylang.facts.values import Value
from policylang.semantics.program import Rule


class Firing(NamedTuple):
    """A rule whose body held, under these values of `Rule.variables` (in that order).

    A tuple because many are made for each request: a frozen dataclass takes three times as long.
    """

    rule: str
    bindings: tuple[Value, ...]


class FailureKind(enum.Enum):
    """Why an evaluation has no answer; the value is the diagnostic code that names it."""

    DIVISION_BY_ZERO = "PL0701"
    TOO_MANY_DIGITS = "PL0702"
    TOO_MANY_PLACES = "PL0703"
    OUT_OF_RANGE = "PL0704"
    TIME_LIMIT = "PL0705"
    MEMORY_LIMIT = "PL0706"
    UNKNOWN_ZONE = "PL0707"
    EVALUATOR = "PL0708"


@dataclass(frozen=True, slots=True, order=True)
class Failure:
    """An evaluation that failed, and where: `rule` is empty where no single rule is to blame."""

    rule: str
    code: str
    message: str


About: TypeAlias = tuple[str, frozenset[str]]
"""An action, and the relations of which a request has rows of its own beside reference data."""


class Settled:
    """The firings of what depends on tables and reference data alone, which is the same for every request.

    They may be many: one object is shared by all evaluations, and nothing walks it unless a proof asks.
    `positions` are the places of all rules in the program. `about` says what they were settled for: they do not
    travel between processes, and `found` finds them in another one when somebody asks.
    """

    __slots__ = ("_find", "_firings", "about", "positions")

    def __init__(
        self,
        firings: tuple[Firing, ...] = (),
        positions: Mapping[str, int] | None = None,
        about: About | None = None,
    ) -> None:
        self._firings = firings
        self._find: Callable[[], Settled] | None = None
        self.positions: Mapping[str, int] = {} if positions is None else positions
        self.about = about

    @classmethod
    def found(cls, about: About, find: Callable[[], Settled]) -> Settled:
        """Settled firings that are found when they are first asked for."""
        made = cls(about=about)
        made._find = find
        return made

    @property
    def firings(self) -> tuple[Firing, ...]:
        """The firings, in the order of the program."""
        if self._find is not None:
            there = self._find()
            self._firings, self.positions, self._find = there.firings, there.positions, None
        return self._firings

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settled) and self.firings == other.firings

    def __hash__(self) -> int:
        return hash(self.about)

    def __repr__(self) -> str:
        return f"Settled({self.firings!r})"

    def __reduce__(self) -> tuple[type[Settled], tuple[object, ...]]:
        return Settled, (self.firings, self.positions, self.about)


NOTHING_SETTLED: Final = Settled()


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """Which rules fired, each once: `Firings.own[i]` is a firing of `rules[i]`. Told apart by identity.

    What follows from the names of the rules alone is found once for each.
    """

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Firings:
    """All firings of the slice of the asked action, clauses of definitions included.

    `own` are those that depend on the request, `settled` those that do not. Equal where all firings are.

    INVARIANT: both are sorted by the order of rules in the program, then by `policylang.facts.order.value_key` of
    the bindings, so that every evaluator gives equal firings for equal input.
    """

    own: tuple[Firing, ...]
    settled: Settled = NOTHING_SETTLED
    pattern: Pattern | None = field(default=None, repr=False)
    """The rules of `own`, where an evaluator knows them and each fired once."""

    @property
    def firings(self) -> tuple[Firing, ...]:
        """All of them in order. Takes time and memory by their number."""
        return merged(self.own, self.settled)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Firings) and self.firings == other.firings

    def __hash__(self) -> int:
        return hash(self.own)


_OWN: Final[Any] = vars(Firings)["own"].__set__
_SETTLED: Final[Any] = vars(Firings)["settled"].__set__
_PATTERN: Final[Any] = vars(Firings)["pattern"].__set__
_NEW: Final = object.__new__


def patterned(own: tuple[Firing, ...], settled: Settled, pattern: Pattern) -> Firings:
    """Firings made in half the time of their own constructor, which a frozen dataclass makes slow."""
    firings = _NEW(Firings)
    _OWN(firings, own)
    _SETTLED(firings, settled)
    _PATTERN(firings, pattern)
    return firings


def merged(own: tuple[Firing, ...], settled: Settled) -> tuple[Firing, ...]:
    """Firings of requests and settled ones together, in the order of the program.

    No rule has firings of both kinds, so that a stable order by rule is the order of all.
    """
    if not settled.firings:
        return own
    firings, places = settled.firings, settled.positions
    return tuple(sorted((*firings, *own), key=lambda firing: places[firing.rule]))


Evaluation: TypeAlias = Firings | Failure
"""Of several failures, the first in the order of rules (then by code) is the one reported."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one evaluation may use: seconds and bytes.

    >>> from policylang import loads
    >>> bundle = loads("module shop action ship rule all: allow ship", limits=Limits(seconds=0.5))
    """

    seconds: float = 5.0
    memory: int = 1 << 30


class Evaluator(Protocol):
    """A compiled program with its reference data, ready to evaluate fact sets.

    Compiled once a program; thread-safe. Never raises for what the facts contain: a `Failure` is a value.
    """

    @property
    def name(self) -> str:
        """The evaluator and its version, for traces (`clingo 5.8.3`)."""
        ...

    def evaluate(self, facts: FactSet, limits: Limits) -> Evaluation:
        """The firings for one request."""
        ...

    def evaluate_many(self, batch: Sequence[FactSet], limits: Limits) -> Sequence[Evaluation]:
        """The firings for many requests, in their order."""
        ...

    def close(self) -> None:
        """Give back workers and memory. Evaluating after that is an error of the caller."""
        ...


@runtime_checkable
class Settling(Protocol):
    """An evaluator that can say again what is settled."""

    def settled(self, about: About, limits: Limits) -> Settled:
        """What is settled for an action; nothing where that fails."""
        ...
