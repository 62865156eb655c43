"""Which rules can have instances at all, by which relations have rows: the others need not be grounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from policylang.evaluate.asp.terms import AspAtom, AspProgram, AspRule

_MOST_KEPT: Final = 256


class Reach:
    """The rules of a program that facts of some predicates can reach, found once for each set of those."""

    def __init__(self, program: AspProgram) -> None:
        self._rules = program.rules
        self._known: dict[frozenset[str], tuple[Sequence[int], frozenset[str]]] = {}

    def rules(self, given: frozenset[str]) -> Sequence[int]:
        """The numbers of the rules all of whose positive literals can hold over facts of these predicates."""
        return self._of(given)[0]

    def heads(self, given: frozenset[str]) -> frozenset[str]:
        """The predicates that those rules derive."""
        return self._of(given)[1]

    def _of(self, given: frozenset[str]) -> tuple[Sequence[int], frozenset[str]]:
        known = self._known.get(given)
        if known is None:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            known = self._known[given] = self._reached(given)
        return known

    def _reached(self, given: frozenset[str]) -> tuple[Sequence[int], frozenset[str]]:
        holds = set(given)
        reached: set[int] = set()
        waiting = {i: _positive(rule) for i, rule in enumerate(self._rules)}
        while new := [i for i, needed in waiting.items() if needed <= holds]:
            for i in new:
                reached.add(i)
                holds.add(self._rules[i].head.predicate)
                del waiting[i]
        return sorted(reached), frozenset(self._rules[i].head.predicate for i in reached)


def _positive(rule: AspRule) -> frozenset[str]:
    return frozenset(x.predicate for x in rule.body if isinstance(x, AspAtom))
