"""Criteria of rollouts: what a module asks of its own figures before it is promoted, or rolled back.

`MEASURES` is the closed list of what can be asked. Figures that policylang counts itself are exact: they
are of the requests that were seen. Those of outcomes that a host reports stand for requests to come, so
a comparison with them holds only where an interval around them lies on its side (`Measure.is_inferred`).
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias


class Unit(enum.Enum):
    """What a measure is compared with; the value is how messages call it."""

    COUNT = "a whole number"
    SHARE = "a percentage"
    DURATION = "a duration"
    AMOUNT = "a number"


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that criteria can ask for, in the stages where there is such a figure.

    `of_metric` measures take the name of a metric: `metric("complaints")`.
    """

    name: str
    unit: Unit
    about: str
    of_metric: bool = False
    is_inferred: bool = False
    stages: tuple[str, ...] = ("draft", "shadow", "canary")


STAGES: Final = {"promote": ("draft", "shadow", "canary"), "rollback": ("shadow", "canary")}
"""The stages that criteria can be about, by what they are for. The figures of a draft are those of its last backtest."""

_ACTED: Final = ("canary",)
_LIVE: Final = ("shadow", "canary")

_LISTED: Final = (
    Measure("decisions", Unit.COUNT, "requests that the candidate and live both answered"),
    Measure("disagreements", Unit.COUNT, "those that the two answered differently"),
    Measure("disagreement", Unit.SHARE, "the share of those that they answered differently"),
    Measure("loosened", Unit.COUNT, "requests for which the candidate asks less than live"),
    Measure("loosening", Unit.SHARE, "their share"),
    Measure("tightened", Unit.COUNT, "requests for which the candidate asks more than live"),
    Measure("tightening", Unit.SHARE, "their share"),
    Measure("reasons_changed", Unit.COUNT, "same outcome, by other rules or for other reasons"),
    Measure("errors", Unit.COUNT, "requests in which the candidate failed"),
    Measure("error_rate", Unit.SHARE, "their share"),
    Measure("dropped", Unit.COUNT, "requests that the shadow was too busy for", stages=("shadow",)),
    Measure("latency_p50", Unit.DURATION, "the time the candidate takes, the median", stages=_LIVE),
    Measure(
        "latency_p95",
        Unit.DURATION,
        "the time within which 95% of its decisions are made",
        stages=_LIVE,
    ),
    Measure(
        "latency_p99",
        Unit.DURATION,
        "the time within which 99% of its decisions are made",
        stages=_LIVE,
    ),
    Measure(
        "reported",
        Unit.COUNT,
        "decisions of the candidate of which the metric was reported",
        of_metric=True,
        stages=_ACTED,
    ),
    Measure(
        "total",
        Unit.AMOUNT,
        "the sum of the metric over the candidate's decisions",
        of_metric=True,
        stages=_ACTED,
    ),
    Measure(
        "metric",
        Unit.SHARE,
        "the share of the candidate's units with the metric, bounded by a confidence sequence",
        of_metric=True,
        is_inferred=True,
        stages=_ACTED,
    ),
    Measure(
        "harm",
        Unit.SHARE,
        "how much greater that share is than with live, bounded in the same way",
        of_metric=True,
        is_inferred=True,
        stages=_ACTED,
    ),
)
MEASURES: Final = {measure.name: measure for measure in _LISTED}
"""Every measure by its name."""

Bound: TypeAlias = int | Decimal | dt.timedelta


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison: `disagreement <= 2%`. `text` is as written; a share is kept as 0.02."""

    measure: str
    metric: str
    operator: str
    bound: Bound
    text: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds where every part does."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where a part does."""

    parts: tuple[Condition, ...]


Condition: TypeAlias = Clause | AllOf | AnyOf


class Purpose(enum.Enum):
    """What is done where criteria hold."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Criteria:
    """`promote when shadow: CONDITION for 24 hours`.

    The figures are of all that the version has seen in this stage; `lasting` is how long it has to have
    been in it, at the least (of a draft: what time its backtest spans). `text` is the statement as written.
    """

    purpose: Purpose
    stage: str
    condition: Condition
    lasting: dt.timedelta | None
    text: str


def clauses(condition: Condition) -> tuple[Clause, ...]:
    """Every clause of a condition, in the order of writing."""
    if isinstance(condition, Clause):
        return (condition,)
    return tuple(clause for part in condition.parts for clause in clauses(part))
