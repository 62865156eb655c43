"""The beta distribution, by logarithms: tails far out are what tests are about.

The incomplete beta function by its continued fraction (Abramowitz and Stegun 26.5.8), evaluated as Lentz does (Press
et al., Numerical Recipes, 6.4).
"""

from __future__ import annotations

import math
from typing import Final

_TINY: Final = 1e-300
_ENOUGH: Final = 1e-15
_MOST_TERMS: Final = 100_000


def log_beta(a: float, b: float) -> float:
    """The logarithm of the beta function."""
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def tail_below(rate: float, a: float, b: float) -> float:
    """The chance that a beta variable is at most `rate`."""
    return math.exp(_log_below(rate, a, b) - log_beta(a, b))


def tail_above(rate: float, a: float, b: float) -> float:
    """The chance that a beta variable is above `rate`.

    >>> round(tail_above(0.5, 2, 2), 12), round(tail_above(0.1, 1, 3), 12)
    (0.5, 0.729)
    """
    return tail_below(1.0 - rate, b, a)


def log_beta_above(rate: float, a: float, b: float) -> float:
    """The logarithm of the integral of `x^(a-1) (1-x)^(b-1)` from `rate` to 1."""
    return _log_below(1.0 - rate, b, a)


def _log_below(rate: float, a: float, b: float) -> float:
    """The logarithm of that integral from 0 to `rate`."""
    if rate <= 0.0:
        return -math.inf
    if rate >= 1.0:
        return log_beta(a, b)
    front = a * math.log(rate) + b * math.log1p(-rate)
    if rate < (a + 1) / (a + b + 2):
        return front - math.log(a) + math.log(_fraction(rate, a, b))
    # Beyond the middle the fraction for the other tail converges, and this one is what is left of the whole.
    whole = log_beta(a, b)
    other = front - math.log(b) + math.log(_fraction(1.0 - rate, b, a))
    return whole + math.log1p(-min(math.exp(other - whole), 1.0 - _ENOUGH))


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function."""
    c, d = 1.0, 1.0 / _apart(1.0 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _apart(1.0 + term * d)
            c = _apart(1.0 + term / c)
            found *= c * d
        if abs(c * d - 1.0) < _ENOUGH:
            break
    return found


def _apart(value: float) -> float:
    """The value, or one beside zero."""
    return value if abs(value) >= _TINY else _TINY
