"""Figures: what comparisons of a candidate with live come to. Counts are exact; nothing is estimated here."""

from __future__ import annotations

import enum
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from policylang.rollout.compared import Comparison, Direction

MOST_EXAMPLES: Final = 5
"""Decisions that are kept as examples of each kind of difference, unless more are asked for."""

MOST_MESSAGES: Final = 50
NO_AGENT: Final = "(none)"
OTHER: Final = "(other)"


class Kind(enum.Enum):
    """How a candidate's answer differs from live's, by what it means to a caller."""

    SAME = "same"
    REASONS = "reasons"
    """The same outcome with the same duties, by other rules or for other reasons."""
    DUTIES = "duties"
    """The same outcome, with other requirements, obligations, values or violations."""
    TIGHTER = "tighter"
    LOOSER = "looser"
    ERROR = "error"
    """The candidate failed where live answered."""


def kind_of(comparison: Comparison) -> Kind:
    """What a comparison found. An error counts as one, whatever outcome it led to."""
    live, candidate = comparison.live, comparison.candidate
    if candidate.error and not live.error:
        return Kind.ERROR
    if comparison.direction is not Direction.SAME:
        return Kind(comparison.direction.value)
    if (live.outcome, live.told) != (candidate.outcome, candidate.told):
        return Kind.DUTIES
    same = (live.determining, live.reasons) == (candidate.determining, candidate.reasons)
    return Kind.SAME if same else Kind.REASONS


DISAGREEING: Final = frozenset({Kind.DUTIES, Kind.TIGHTER, Kind.LOOSER, Kind.ERROR})
"""The kinds in which callers are told something else."""


@dataclass(slots=True)
class Span:
    """One hour of comparisons: how many, and how many of them disagreed or were looser."""

    total: int = 0
    disagreeing: int = 0
    looser: int = 0


@dataclass(slots=True)
class Figures:
    """What was counted of comparisons.

    `kinds` counts how answers differ, `transitions` the outcomes of those that disagree; `actions`, `rules` and `agents`
    count these transitions by action, by each rule that decides on one side alone, and by agent. `seen` counts all by action.
    `latencies` are microseconds, `errors` messages, `examples` decisions by transition or kind; `hours` is keyed by
    the hour (`2026-11-20T09`).
    """

    kinds: Counter[Kind] = field(default_factory=Counter)
    transitions: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    actions: dict[str, Counter[str]] = field(default_factory=dict)
    rules: dict[str, Counter[str]] = field(default_factory=dict)
    agents: dict[str, Counter[str]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    hours: dict[str, Span] = field(default_factory=dict)
    live_latencies: array[int] = field(default_factory=lambda: array("q"))
    latencies: array[int] = field(default_factory=lambda: array("q"))
    acted: int = 0
    most_examples: int = MOST_EXAMPLES

    @classmethod
    def of(
        cls, found: Iterable[tuple[str, Comparison]], most_examples: int = MOST_EXAMPLES
    ) -> Self:
        """The figures of comparisons, each with the time of its record."""
        figures = cls(most_examples=most_examples)
        for at, comparison in found:
            figures.add(at, comparison)
        return figures

    @property
    def total(self) -> int:
        """How many requests both answered, errors included."""
        return self.kinds.total()

    @property
    def disagreeing(self) -> int:
        """How many of them callers would be told something else about."""
        return sum(self.kinds[kind] for kind in DISAGREEING)

    def add(self, at: str, comparison: Comparison) -> None:
        """Count one comparison, recorded at a time such as `2026-11-20T09:00:00Z`."""
        kind = kind_of(comparison)
        self.kinds[kind] += 1
        self.seen[comparison.action] += 1
        self.acted += comparison.acted_on_candidate
        self._latency(comparison)
        hour = self.hours.setdefault(at[:13], Span())
        hour.total += 1
        if kind is Kind.SAME:
            return
        hour.disagreeing += kind in DISAGREEING
        hour.looser += kind is Kind.LOOSER
        self._difference(kind, comparison)

    def _latency(self, comparison: Comparison) -> None:
        if comparison.live.microseconds is not None:
            self.live_latencies.append(comparison.live.microseconds)
        if comparison.candidate.microseconds is not None:
            self.latencies.append(comparison.candidate.microseconds)

    def _difference(self, kind: Kind, comparison: Comparison) -> None:
        told = comparison.transition if kind in DISAGREEING else kind.value
        if kind is Kind.DUTIES:
            told = f"{comparison.live.outcome}, other duties"
        if kind is Kind.ERROR:
            _bounded(self.errors, comparison.candidate.error)
        if kind in DISAGREEING:
            self.transitions[told] += 1
            _counted(self.actions, comparison.action)[told] += 1
            _counted(self.agents, comparison.agent or NO_AGENT)[told] += 1
        one, other = set(comparison.live.determining), set(comparison.candidate.determining)
        for rule in one ^ other:
            _counted(self.rules, rule)[told] += 1
        shown = self.examples.setdefault(told, [])
        if len(shown) < self.most_examples:
            shown.append(comparison.decision)


def _counted(counters: dict[str, Counter[str]], name: str) -> Counter[str]:
    return counters.setdefault(name, Counter())


def _bounded(counter: Counter[str], text: str) -> None:
    counter[text if text in counter or len(counter) < MOST_MESSAGES else OTHER] += 1


def quantile(latencies: array[int], share: float) -> int | None:
    """The least latency that this share of them does not exceed (nearest rank); None of none.

    >>> from array import array
    >>> quantile(array("q", [30, 10, 20, 40]), 0.5), quantile(array("q", [7]), 0.99), quantile(array("q"), 0.5)
    (20, 7, None)
    """
    if not latencies:
        return None
    ordered = sorted(latencies)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
