"""Who is told of decisions as they are made: the seam for telemetry.

An observer looks on. What it raises is logged, and changes nothing: a decision does not depend on who watches.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from policylang.decide.decision import Decision

_log = logging.getLogger("policylang.trace")


@dataclass(frozen=True, slots=True)
class Observed:
    """A decision that was made and recorded. `started` is the clock's reading in UTC, `took` what deciding took.

    `id` is its identity in the store, empty where it is in none. `recorded` is what recording it took.
    """

    decision: Decision
    started: dt.datetime
    took: dt.timedelta
    id: str = ""
    agent: str = ""
    stage: str = "active"
    bucket: int | None = None
    evaluator: str = ""
    recorded: dt.timedelta | None = None


@dataclass(frozen=True, slots=True)
class Became:
    """What became of the action of a decision: `executed`, `failed`, `skipped` or `compensated`."""

    decision: str
    action: str
    status: str
    agent: str = ""


class Observer(Protocol):
    """Is told of decisions and of what became of their actions, in the thread that decides: be quick."""

    def decided(self, seen: Observed) -> None:
        """A decision was made."""
        ...

    def became(self, seen: Became) -> None:
        """The action of a decision ended in some way."""
        ...


def tell_decided(observers: Iterable[Observer], seen: Observed) -> None:
    """Tell every observer of a decision. Never raises for what one of them does."""
    for observer in observers:
        try:
            observer.decided(seen)
        except Exception:  # noqa: BLE001  (whatever it is, a decision does not depend on who watches)
            _log.exception("an observer of decisions failed")


def tell_became(observers: Iterable[Observer], seen: Became) -> None:
    """Tell every observer of what became of an action. Never raises for what one of them does."""
    for observer in observers:
        try:
            observer.became(seen)
        except Exception:  # noqa: BLE001  (whatever it is, a decision does not depend on who watches)
            _log.exception("an observer of outcomes failed")
