"""When candidates are asked: while callers pause, and in bursts where they do not.

Python runs one thread at a time. A candidate that is asked while a caller decides makes that caller wait; asked while it does
nothing, or waits for a disk, it costs the caller nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

MOST_WAITING: Final = 1_024
"""Decisions that wait to be compared."""

LONGEST_SECONDS: Final = 0.5
"""How long a decision waits at most until comparing begins, also where callers never pause."""

LOOK_SECONDS: Final = 0.002
"""Callers of whom none came since the last look pause."""

SHARE: Final = 1 / 12
"""The share of the time that bursts take beside callers who keep the processor busy."""

BUSY: Final = 0.5
"""The share of the time from which on callers count as keeping the processor busy."""

WINDOW_SECONDS: Final = 0.02
"""Over how long that is measured."""

NAP_SECONDS: Final = 0.000_05
"""A rest in which a caller who waits for the interpreter gets it; a rest of nothing would take it from under its nose."""


class Pace(Generic[T]):
    """Tells when the thread that compares has a burst to make, and how long one is."""

    def __init__(self, waiting: deque[T], clock: Callable[[], float] = time.monotonic) -> None:
        self._waiting = waiting
        self._clock = clock
        self._last: T | None = None
        self._since: float | None = None

    def burst(self, *, urgent: bool = False) -> int:
        """How many of those that wait are to be compared now: all, or none yet. Negative: all, until somebody comes.

        Called at each look. Nothing is waited for where it is `urgent`.
        """
        number, last = len(self._waiting), self._newest()
        now = self._clock()
        if self._since is None:
            self._since = now
        is_pause, self._last = last is self._last, last
        if urgent or 2 * number >= MOST_WAITING or now - self._since >= LONGEST_SECONDS:
            self._since = None
            return number
        return -number if is_pause else 0

    def rest(self) -> None:
        """Nothing waits any more."""
        self._since = None

    def is_pause(self) -> bool:
        """Whether nobody came since the last look."""
        return self._newest() in (None, self._last)

    def _newest(self) -> T | None:
        try:
            return self._waiting[-1]
        except IndexError:
            return None


class Share:
    """Keeps the share small that a thread takes of an interpreter which callers need; for that thread alone.

    After a piece of work it rests so long that its share is `SHARE` where callers keep the processor busy: the time that they
    lose to it is no more than that. Where they mostly wait for something else, a moment is enough to let one in who comes.
    """

    def __init__(self, clock: Callable[[], Times] | None = None) -> None:
        self._clock = clock or _times
        self._mark = self._last = self._clock()
        self._busy = 1.0

    def begin(self) -> None:
        """Forget what was before: the thread did nothing, or something else."""
        self._mark = self._last = self._clock()

    def rest(self) -> float:
        """For how many seconds to rest after the work since the last rest."""
        now = self._clock()
        work, self._last = now.own - self._last.own, now
        passed = now.wall - self._mark.wall
        if passed >= WINDOW_SECONDS:
            own = now.own - self._mark.own
            self._busy = (now.process - self._mark.process - own) / passed
            self._mark = now
        if self._busy < BUSY:
            return NAP_SECONDS
        return max(NAP_SECONDS, work * (1 / SHARE - 1))


class Times(NamedTuple):
    """The clock, the processor time of the whole process, and that of this thread."""

    wall: float
    process: float
    own: float


def _times() -> Times:
    return Times(time.perf_counter(), time.process_time(), time.thread_time())


class Bell:
    """What wakes a thread, and costs those nothing who come while it is awake."""

    def __init__(self) -> None:
        self.is_asleep = True
        self._rung = threading.Event()

    def ring(self) -> None:
        """Wake the thread, if it sleeps."""
        self._rung.set()

    def sleep(self, seconds: float, is_wanted: Callable[[], bool]) -> None:
        """Sleep until somebody rings, for at most so long; not at all where one is wanted already."""
        self._rung.clear()
        self.is_asleep = True
        # Who came before this line is seen by `is_wanted`; who comes after it sees that somebody sleeps, and rings.
        if not is_wanted():
            self._rung.wait(seconds)
        self.is_asleep = False
