"""Where generated programs get their choices from: hypothesis, a seed, or a recorded list of choices.

Every choice is a number below a bound, and 0 is the simplest: so hypothesis shrinks well, and a program
found by a seed shrinks by making its recorded choices smaller (`shrunk`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Draws(Protocol):
    """A source of choices."""

    def below(self, bound: int) -> int:
        """A number from 0 up to, not including, `bound`."""
        ...


class Seeded:
    """Choices from a seed, recorded in `choices`."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.choices: list[int] = []

    def below(self, bound: int) -> int:
        """The next number of the seed's."""
        self.choices.append(self._random.randrange(bound))
        return self.choices[-1]


class Recorded:
    """Choices read from a list; 0 for what is past its end."""

    def __init__(self, choices: Sequence[int]) -> None:
        self._choices = choices
        self.used = 0

    def below(self, bound: int) -> int:
        """The next number of the list, brought below the bound."""
        self.used += 1
        if self.used > len(self._choices):
            return 0
        return min(self._choices[self.used - 1], bound - 1)


class Searched:
    """Choices that hypothesis makes, and shrinks."""

    def __init__(self, draw: Callable[[st.SearchStrategy[int]], int]) -> None:
        self._draw = draw

    def below(self, bound: int) -> int:
        """A number that hypothesis draws."""
        return 0 if bound == 1 else self._draw(st.integers(0, bound - 1))


def pick(draws: Draws, options: Sequence[T]) -> T:
    """One of the options; the first is the simplest."""
    return options[draws.below(len(options))]


def chance(draws: Draws, percent: int) -> bool:
    """Whether something with this chance happens; that it does not is simplest."""
    return draws.below(100) >= 100 - percent


def some(draws: Draws, at_most: int, one: Callable[[], T], at_least: int = 0) -> list[T]:
    """A list of things, with `at_least` to `at_most` of them."""
    return [one() for _ in range(at_least + draws.below(at_most - at_least + 1))]


def shrunk(choices: Sequence[int], fails: Callable[[Sequence[int]], bool], tries: int) -> list[int]:
    """A shorter or smaller list of choices that still fails, after so many tries at most."""
    best = list(choices)
    budget = tries

    def better(candidate: list[int]) -> bool:
        nonlocal best, budget
        budget -= 1
        if budget < 0 or candidate == best or not fails(candidate):
            return False
        best = candidate
        return True

    improved = True
    while improved and budget > 0:
        improved = False
        for width in (64, 16, 4, 2, 1):
            at = len(best)
            while at > 0 and budget > 0:
                at = min(at, len(best)) - width
                start = max(at, 0)
                without = best[:start] + best[start + width :]
                zeroed = (
                    best[:start] + [0] * len(best[start : start + width]) + best[start + width :]
                )
                improved = better(without) or better(zeroed) or improved
        for at in range(len(best)):
            if at < len(best) and best[at] > 0:
                halved = [*best[:at], best[at] // 2, *best[at + 1 :]]
                lower = [*best[:at], best[at] - 1, *best[at + 1 :]]
                improved = better(halved) or better(lower) or improved
    return best
