"""Intervals and tests, held to what they promise by exact sums and by simulation with fixed seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random

import pytest

from policylang.rollout.beta import tail_above, tail_below
from policylang.rollout.statistics import (
    ALPHA,
    NOTHING_KNOWN,
    SPLIT_ALPHA,
    Interval,
    clopper_pearson,
    confidence_sequence,
    difference_sequence,
    harm_e_value,
    split_e_value,
    wilson,
)

INTERVALS = [wilson, clopper_pearson, confidence_sequence]


def _binomial(k: int, n: int, p: float) -> float:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


@pytest.mark.parametrize(("n", "p"), [(1, 0.3), (20, 0.05), (50, 0.5), (300, 0.01)])
def test_tails_of_beta_are_tails_of_binomials(n: int, p: float) -> None:
    """P(X >= k) of a binomial is the tail of a beta distribution below p, for every k."""
    for k in range(1, n + 1):
        tail = math.fsum(_binomial(i, n, p) for i in range(k, n + 1))
        assert tail_below(p, k, n - k + 1) == pytest.approx(tail, rel=1e-6, abs=1e-100)
        assert tail_above(1 - p, n - k + 1, k) == pytest.approx(tail, rel=1e-6, abs=1e-100)


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize(("events", "units"), [(0, 1), (1, 1), (3, 100), (99, 100), (0, 10**6)])
def test_intervals_hold_the_rate_that_was_seen(
    interval: Callable[[int, int], Interval], events: int, units: int
) -> None:
    """An interval lies within 0 and 1, has the observed rate in it, and is narrower at less confidence."""
    found = interval(events, units)
    assert 0 <= found.low <= events / units <= found.high <= 1
    assert found.high - found.low < 1


@pytest.mark.parametrize("interval", INTERVALS)
def test_nothing_is_known_of_no_units(interval: Callable[[int, int], Interval]) -> None:
    """Without units every rate is possible; more events than units are a mistake of the caller."""
    assert interval(0, 0) == NOTHING_KNOWN
    with pytest.raises(ValueError, match="2 events of 1 units"):
        interval(2, 1)


def test_published_examples() -> None:
    """81 of 263: the intervals that Newcombe (Statistics in Medicine 1998, table I) gives."""
    one, other = wilson(81, 263), clopper_pearson(81, 263)
    assert (round(one.low, 4), round(one.high, 4)) == (0.2553, 0.3662)
    assert (round(other.low, 4), round(other.high, 4)) == (0.2527, 0.3676)


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5])
def test_clopper_pearson_never_covers_less_than_it_says(p: float) -> None:
    """Summed exactly over all samples of 60, the rate lies inside with probability 95% or more."""
    covered = (_binomial(k, 60, p) for k in range(61) if p in clopper_pearson(k, 60))
    assert math.fsum(covered) >= 0.95


# --- looking often -------------------------------------------------------------------------------------


def _samples(random: Random, rate: float, looks: int, step: int) -> Iterator[tuple[int, int]]:
    """Events and units at each look at a growing sample."""
    events = 0
    for look in range(1, looks + 1):
        events += sum(random.random() < rate for _ in range(step))
        yield events, look * step


def _share(hits: Iterator[bool]) -> float:
    found = list(hits)
    return sum(found) / len(found)


def test_a_fixed_interval_is_wrong_when_it_is_looked_at_often() -> None:
    """What the rest is for: of samples looked at 100 times, Wilson's interval leaves out the rate in over 20%."""
    random = Random(1)
    wrong = _share(
        any(0.3 not in wilson(k, n) for k, n in _samples(random, 0.3, 100, 20)) for _ in range(200)
    )
    assert wrong > 0.2


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_a_confidence_sequence_stays_right_over_all_looks(rate: float) -> None:
    """Of 400 samples looked at 50 times each, at most 5% ever leave out the true rate."""
    random = Random(2)
    wrong = _share(
        any(rate not in confidence_sequence(k, n) for k, n in _samples(random, rate, 50, 20))
        for _ in range(400)
    )
    assert wrong <= ALPHA


def _arms(
    random: Random, share: float, candidate: float, live: float, events: int
) -> Iterator[bool]:
    """Whether each event is the candidate's, where that has one rate of events and live another."""
    inside = share * candidate / (share * candidate + (1 - share) * live)
    return (random.random() < inside for _ in range(events))


def _alarm(arms: Iterator[bool], share: float, every: int = 1) -> int | None:
    """After how many events the test of harm alarms, looked at after each or so many; None where it does not."""
    inside = outside = 0
    for arm in arms:
        inside, outside = inside + arm, outside + (not arm)
        if (inside + outside) % every == 0 and harm_e_value(inside, outside, share) >= 1 / ALPHA:
            return inside + outside
    return None


@pytest.mark.parametrize("harmless", [0.01, 0.005])
def test_a_harmless_candidate_is_rarely_accused(harmless: float) -> None:
    """Of 300 canaries no worse than live, looked at 100 times in 300 events, at most 5% are ever accused."""
    random = Random(3)
    accused = _share(
        _alarm(_arms(random, 0.05, harmless, 0.01, 300), 0.05, 3) is not None for _ in range(300)
    )
    assert accused <= ALPHA


@pytest.mark.slow
def test_a_harmless_candidate_is_rarely_accused_at_any_size() -> None:
    """The same for slices of 1%, 20% and 50%, over 1,500 events."""
    for share in (0.01, 0.2, 0.5):
        random = Random(4)
        accused = _share(
            _alarm(_arms(random, share, 0.01, 0.01, 1_500), share, 10) is not None
            for _ in range(200)
        )
        assert accused <= ALPHA, share


@pytest.mark.parametrize(
    ("candidate", "live", "most"), [(0.015, 0.01, 5_000), (0.003, 0.001, 5_000)]
)
def test_a_harmful_candidate_is_found(candidate: float, live: float, most: int) -> None:
    """In a canary of 5%, half of the harmful versions are found within that many of their own units."""
    random, share = Random(5), 0.05
    rate = share * candidate + (1 - share) * live
    found = [_alarm(_arms(random, share, candidate, live, 4_000), share) for _ in range(40)]
    units = sorted(events / rate * share for events in found if events is not None)
    assert len(units) > 35
    assert units[19] < most


def test_a_true_split_is_rarely_doubted_and_a_false_one_soon() -> None:
    """Of 500 fair splits, each looked at 50 times, none is doubted; one that loses a fifth of its units is."""
    random = Random(6)
    doubted = _share(
        any(
            split_e_value(k, n - k, 0.1) >= 1 / SPLIT_ALPHA
            for k, n in _samples(random, 0.1, 50, 20)
        )
        for _ in range(500)
    )
    assert doubted <= 0.01
    looks = _samples(random, 0.08, 100, 200)
    assert any(split_e_value(k, n - k, 0.1) >= 1 / SPLIT_ALPHA for k, n in looks)


def test_a_difference_is_bounded_over_all_looks() -> None:
    """Of 200 pairs of samples, each looked at 30 times, at most 5% ever leave out the true difference."""
    random = Random(7)
    wrong = 0
    for _ in range(200):
        pairs = zip(_samples(random, 0.05, 30, 20), _samples(random, 0.03, 30, 60), strict=True)
        wrong += any(0.02 not in difference_sequence(*one, *other) for one, other in pairs)
    assert wrong / 200 <= ALPHA


def test_evidence_of_huge_samples_is_finite() -> None:
    """E-values of millions of events are numbers: large, small, never infinite."""
    assert harm_e_value(10**6, 10**6, 0.05) > 1e100
    assert 0 < harm_e_value(50_000, 950_000, 0.05) < 1
    assert math.isfinite(split_e_value(10**7, 10**7, 0.001))
