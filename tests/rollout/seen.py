"""Comparisons that are made up, for the tests of what is counted and concluded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from policylang.rollout.compared import Comparison, Judged, Role
from policylang.rollout.figures import Figures

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


def judged(outcome: str, *rules: str, **given: Any) -> Judged:
    """An answer."""
    return Judged("p", outcome, determining=rules, **given)


def comparison(live: Judged, candidate: Judged, number: int = 0, **given: Any) -> Comparison:
    """What live and a candidate said to one request."""
    said = {"action": "shop.ship", "agent": "bot", "role": Role.SHADOW, **given}
    return Comparison(
        decision=f"d{number}",
        module="shop",
        version="1.1.0",
        rollout="r1",
        live=live,
        candidate=candidate,
        **said,
    )


ALLOWED = judged("allow", "shop.few", reasons=("few",), microseconds=10)
DENIED = judged("deny", reasons=("none",), microseconds=30)
ASKED = judged("needs_approval", "shop.ask", microseconds=20)
OTHERWISE = judged("allow", "shop.all", reasons=("all",), microseconds=10)
DUTY = judged("allow", "shop.few", reasons=("few",), told={"obligations": [{"name": "log"}]})
BROKEN = judged("deny", error="EVALUATION: divided by zero")


def figures(*pairs: tuple[Judged, Judged, int]) -> Figures:
    """The figures of so many comparisons of each pair, a minute apart."""
    return Figures.of(_numbered(pairs))


def _numbered(pairs: Iterable[tuple[Judged, Judged, int]]) -> Iterable[tuple[str, Comparison]]:
    number = 0
    for live, candidate, times in pairs:
        for _ in range(times):
            at = (NOW + dt.timedelta(minutes=number)).isoformat().replace("+00:00", "Z")
            yield at, comparison(live, candidate, number)
            number += 1
