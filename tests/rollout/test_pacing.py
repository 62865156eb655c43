"""When candidates are asked, beside callers who pause and callers who do not."""

from __future__ import annotations

import threading
import time
from collections import deque

from policylang.rollout.pacing import (
    LONGEST_SECONDS,
    MOST_WAITING,
    NAP_SECONDS,
    SHARE,
    Bell,
    Pace,
    Share,
    Times,
)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def _paced() -> tuple[deque[object], Clock, Pace[object]]:
    waiting: deque[object] = deque()
    clock = Clock()
    return waiting, clock, Pace(waiting, clock)


def test_candidates_are_asked_where_nobody_came_since_the_last_look() -> None:
    """The first look only sees who is there; the second one finds a pause, which ends when somebody comes."""
    waiting, _, pace = _paced()
    waiting.extend([object(), object()])
    assert pace.burst() == 0
    assert pace.burst() == -2
    assert pace.is_pause()
    waiting.append(object())
    assert not pace.is_pause()
    assert pace.burst() == 0


def test_nobody_waits_longer_than_that_beside_callers_who_never_pause() -> None:
    """Where somebody comes between any two looks, all that wait are asked after the longest time."""
    waiting, clock, pace = _paced()
    found = []
    while clock.now <= 2 * LONGEST_SECONDS:
        waiting.append(object())
        found.append(pace.burst())
        if found[-1]:
            break
        clock.now += LONGEST_SECONDS / 8
    assert found == [0] * 8 + [9]
    waiting.clear()
    pace.rest()
    waiting.append(object())
    assert pace.burst() == 0


def test_a_queue_that_is_half_full_is_worked_off_at_once() -> None:
    """What would soon be dropped is not waited for, and neither is what is urgent."""
    waiting, _, pace = _paced()
    waiting.append(object())
    assert pace.burst(urgent=True) == 1
    waiting.extend(object() for _ in range(MOST_WAITING // 2))
    assert pace.burst() == MOST_WAITING // 2 + 1


def test_who_rings_while_a_thread_falls_asleep_wakes_it() -> None:
    """Between looking a last time and sleeping nobody is missed: who came before is seen, who comes later rings."""
    bell, slept = Bell(), []
    assert bell.is_asleep
    bell.sleep(60, lambda: True)
    assert not bell.is_asleep
    thread = threading.Thread(target=lambda: slept.append(bell.sleep(60, lambda: False)))
    thread.start()
    until = time.monotonic() + 30
    while not bell.is_asleep and time.monotonic() < until:
        time.sleep(0.001)
    bell.ring()
    thread.join(30)
    assert len(slept) == 1


class Meters:
    """Clocks that are moved by hand: work of this thread, work of others, and time."""

    def __init__(self) -> None:
        self.wall = self.process = self.own = 0.0

    def __call__(self) -> Times:
        """What they say."""
        return Times(self.wall, self.process, self.own)

    def pass_(self, *, own: float = 0.0, others: float = 0.0, idle: float = 0.0) -> None:
        """Let time pass."""
        self.wall += own + others + idle
        self.process += own + others
        self.own += own


def test_beside_callers_who_need_the_processor_a_thread_takes_its_share_and_no_more() -> None:
    """Whatever its pieces of work, of the time in which it works and rests it works for that share."""
    meters = Meters()
    share = Share(meters)
    worked = 0.0
    for number in range(1, 200):
        work = 0.0001 * (number % 7 + 1)
        meters.pass_(own=work)
        meters.pass_(others=share.rest())
        worked += work
    assert abs(worked / meters.wall - SHARE) < 0.001


def test_beside_callers_who_wait_for_something_else_it_rests_for_a_moment() -> None:
    """Where others use little of the processor, it is theirs to use; where they come to need it, that is seen."""
    meters = Meters()
    share = Share(meters)
    rests = []
    for _ in range(100):
        meters.pass_(own=0.0001, others=0.0001, idle=0.0003)
        rests.append(share.rest())
    assert rests[0] > NAP_SECONDS
    assert set(rests[60:]) == {NAP_SECONDS}
    for _ in range(100):
        meters.pass_(own=0.0001, others=0.0009)
        rests.append(share.rest())
    assert rests[-1] > 10 * NAP_SECONDS
