"""Firings: what an evaluator answers, whoever it is."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from policylang.facts.factset import FactSet
from policylang.facts.values import Value


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule whose body held, under these values of `Rule.variables` (in that order)."""

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


@dataclass(frozen=True, slots=True)
class Firings:
    """All firings of the slice of the asked action, clauses of definitions included.

    INVARIANT: sorted by the order of rules in the program, then by `policylang.facts.order.value_key` of the bindings, so
    that every evaluator gives equal firings for equal input.
    """

    firings: tuple[Firing, ...]


Evaluation: TypeAlias = Firings | Failure
"""Of several failures, the first in the order of rules (then by code) is the one reported."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one evaluation may use: seconds and bytes."""

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
