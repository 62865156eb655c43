"""What can be said of a rate from a sample: intervals, and tests that stay right however often they are looked at.

A fixed-size interval (`wilson`, `clopper_pearson`) is right for one look that was planned beforehand. Looked at
again and again until it says what is hoped for, it is wrong far more often than it says. What decides here are
**e-values**: non-negative quantities whose expectation under the null hypothesis is at most one at any time of
stopping, so that `e >= 1 / alpha` happens with probability at most alpha over all looks together (Ville's
inequality; Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference", Statistical Science 2023).

Counts are exact. Everything here is a bound on chances, computed in floating point by logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, TypeAlias

from policylang.rollout.beta import log_beta, log_beta_above, tail_above, tail_below

ALPHA: Final = 0.05
"""How often, at the most, a claim that is tested over all looks may be wrong."""

SPLIT_ALPHA: Final = 0.001
"""The same for the alarm that a split is not as it was asked for: it stops all conclusions."""

_CONCENTRATION: Final = 50.0
"""How near to no effect the effects are that `split_e_value` is most sensitive to, in prior observations."""

_SPLIT_CONCENTRATION: Final = 1_000.0
_HALVINGS: Final = 60
_GREATEST: Final = 700.0
"""The greatest logarithm whose power is still a float."""

_Refuted: TypeAlias = Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class Interval:
    """Two ends between which a rate, or a difference of rates, lies with the confidence that was asked for."""

    low: float
    high: float

    def __contains__(self, rate: float) -> bool:
        return self.low <= rate <= self.high


NOTHING_KNOWN: Final = Interval(0.0, 1.0)


def wilson(events: int, units: int, alpha: float = ALPHA) -> Interval:
    """The interval of Wilson ("Probable inference", JASA 1927) for one look: good on average, not always.

    >>> interval = wilson(2, 100)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.0055, 0.07)
    """
    _check(events, units)
    if units == 0:
        return NOTHING_KNOWN
    z = NormalDist().inv_cdf(1 - alpha / 2)
    rate, weight = events / units, z * z / units
    middle = (rate + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(rate * (1 - rate) / units + weight / (4 * units))
    low = 0.0 if events == 0 else max(0.0, middle - half)
    return Interval(low, 1.0 if events == units else min(1.0, middle + half))


def clopper_pearson(events: int, units: int, alpha: float = ALPHA) -> Interval:
    """The interval of Clopper and Pearson (Biometrika 1934) for one look: never covers less than it says.

    >>> interval = clopper_pearson(0, 100)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.0, 0.0362)
    """
    _check(events, units)
    others = units - events

    def too_low(rate: float) -> bool:
        # P(at least so many events) is the tail of a beta distribution below the rate.
        return tail_below(rate, events, others + 1) < alpha / 2

    def too_high(rate: float) -> bool:
        return tail_above(rate, events + 1, others) < alpha / 2

    low = 0.0 if events == 0 else _edge(too_low, 0.0, events / units)
    high = 1.0 if others == 0 else _edge(too_high, 1.0, events / units)
    return Interval(low, high)


def confidence_sequence(events: int, units: int, alpha: float = ALPHA) -> Interval:
    """The rates that the sample has not refuted, over all looks together: a confidence sequence.

    The mixture of Robbins ("Statistical methods related to the law of the iterated logarithm", 1970) with a uniform
    prior: a rate is refuted where the likelihood of what was seen, averaged over all rates, is 1 / alpha times its own.

    >>> interval = confidence_sequence(0, 1_000)
    >>> interval.low, round(interval.high, 4)
    (0.0, 0.0099)
    """
    _check(events, units)
    if units == 0:
        return NOTHING_KNOWN
    others = units - events
    least = log_beta(events + 1, others + 1) + math.log(alpha)

    def refuted(rate: float) -> bool:
        return _log_likelihood(rate, events, others) <= least

    low = 0.0 if events == 0 else _edge(refuted, 0.0, events / units)
    high = 1.0 if others == 0 else _edge(refuted, 1.0, events / units)
    return Interval(low, high)


def difference_sequence(
    events: int, units: int, other_events: int, other_units: int, alpha: float = ALPHA
) -> Interval:
    """The rate of one arm less that of the other, over all looks together.

    Of two confidence sequences at half the error each (Bonferroni): wider than it would have to be, and right.
    """
    one = confidence_sequence(events, units, alpha / 2)
    other = confidence_sequence(other_events, other_units, alpha / 2)
    return Interval(one.low - other.high, one.high - other.low)


def harm_e_value(events: int, other_events: int, share: float) -> float:
    """How strongly the arms of events speak against `the candidate does no harm`; 1 is nothing at all.

    Where units fall to the candidate with chance `share`, and it does not raise the chance of an event, each
    event is the candidate's with chance `share` at the most. The e-process is the likelihood ratio against `share`, averaged over
    greater chances by a beta distribution truncated to them: for each of those the ratio is a supermartingale under
    the whole null hypothesis, since it grows with the event's being the candidate's. (The mixture is Robbins';
    sequential tests on the arms of events are those of Lindon and Malek, "Anytime-valid inference for multinomial
    count data", NeurIPS 2022.) Only events are counted, so it does not matter when they are reported.

    >>> harm_e_value(0, 0, 0.05), harm_e_value(30, 200, 0.05) > 1_000, harm_e_value(5, 95, 0.05) < 1
    (1.0, True, True)
    """
    _check_share(share)
    a, b = _CONCENTRATION * share, _CONCENTRATION * (1 - share)
    mixed = log_beta_above(share, events + a, other_events + b) - log_beta_above(share, a, b)
    return _exp(mixed - _log_likelihood(share, events, other_events))


def split_e_value(inside: int, outside: int, share: float) -> float:
    """How strongly a split speaks against having been made with chance `share`, in either direction.

    The beta-binomial e-process of Lindon and Malek (above). A split that is not what was asked for says that units were lost
    or counted double, and nothing else that is found can be trusted.

    >>> split_e_value(50, 950, 0.05) < 1, split_e_value(150, 950, 0.05) > 1_000
    (True, True)
    """
    _check_share(share)
    a, b = _SPLIT_CONCENTRATION * share, _SPLIT_CONCENTRATION * (1 - share)
    mixed = log_beta(inside + a, outside + b) - log_beta(a, b)
    return _exp(mixed - _log_likelihood(share, inside, outside))


def _log_likelihood(rate: float, events: int, others: int) -> float:
    """The logarithm of the chance of a sequence with so many events and others."""
    if (rate <= 0.0 and events) or (rate >= 1.0 and others):
        return -math.inf
    found = events * math.log(rate) if events else 0.0
    return found + (others * math.log1p(-rate) if others else 0.0)


def _edge(refuted: _Refuted, outside: float, inside: float) -> float:
    """Where rates from `outside` to `inside` stop to be refuted, on the side of what is refuted."""
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        if refuted(middle):
            outside = middle
        else:
            inside = middle
    return outside


def _exp(logarithm: float) -> float:
    return math.exp(min(logarithm, _GREATEST))


def _check(events: int, units: int) -> None:
    if not 0 <= events <= units:
        raise ValueError(f"{events} events of {units} units")


def _check_share(share: float) -> None:
    if not 0.0 < share < 1.0:
        raise ValueError(f"{share} is no share of a split")
