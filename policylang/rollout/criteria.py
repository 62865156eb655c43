"""Criteria checked: what a module asks of its rollout, against what was seen, clause by clause.

A clause holds, fails, or is open: where nothing was seen yet, or a share that stands for requests to come is known only within bounds
that reach over what it is compared with. What is open neither promotes nor rolls back.
"""

from __future__ import annotations

import datetime as dt
import enum
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, TypeAlias, assert_never

from policylang.errors import InternalError
from policylang.rollout.figures import Figures, Kind, quantile
from policylang.rollout.metrics import LEAST_UNITS, Outcome
from policylang.rollout.observing import Observed
from policylang.rollout.statistics import ALPHA, Interval
from policylang.semantics.criteria import (
    MEASURES,
    AllOf,
    AnyOf,
    Clause,
    Condition,
    Criteria,
)


class Holds(enum.Enum):
    """Whether a clause, or all criteria, hold."""

    YES = "met"
    NO = "not met"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Checked:
    """One clause: what was needed, what was seen (in words), and whether it holds. `note` says why it is open."""

    clause: str
    value: str
    holds: Holds
    note: str = ""

    def __str__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        return f"{self.holds.value}: {self.clause}: it is {self.value}{note}"

    def to_json(self) -> dict[str, str]:
        """The form of reports."""
        form = {"clause": self.clause, "value": self.value, "holds": self.holds.value}
        return {**form, "note": self.note} if self.note else form


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether criteria hold, with every clause."""

    criteria: Criteria
    holds: Holds
    clauses: tuple[Checked, ...]

    @property
    def is_met(self) -> bool:
        """Whether what the criteria are for is to be done."""
        return self.holds is Holds.YES

    @property
    def unmet(self) -> tuple[Checked, ...]:
        """The clauses that do not hold, or are open."""
        return tuple(c for c in self.clauses if c.holds is not Holds.YES)

    def explained(self) -> str:
        """Every clause on one line, for the history."""
        return "; ".join(f"{c.clause}: {c.value}, {c.holds.value}" for c in self.clauses)

    def to_json(self) -> dict[str, Any]:
        """The form of reports."""
        return {
            "criteria": self.criteria.text,
            "purpose": self.criteria.purpose.value,
            "holds": self.holds.value,
            "clauses": [clause.to_json() for clause in self.clauses],
        }


def check(criteria: Criteria, observed: Observed) -> Verdict:
    """Whether criteria hold for what was seen of a version in their stage."""
    found: list[Checked] = []
    holds = _holds(criteria.condition, observed, found)
    if criteria.lasting is not None:
        age = _age(criteria.lasting, observed.age)
        found.append(age)
        holds = _all(holds, age.holds)
    return Verdict(criteria, holds, tuple(found))


def _holds(condition: Condition, observed: Observed, found: list[Checked]) -> Holds:
    match condition:
        case Clause():
            checked = _checked(condition, observed)
            found.append(checked)
            return checked.holds
        case AllOf():
            return _all(*[_holds(part, observed, found) for part in condition.parts])
        case AnyOf():
            return _any(*[_holds(part, observed, found) for part in condition.parts])
        case _:
            assert_never(condition)


def _all(*parts: Holds) -> Holds:
    """The strong conjunction of Kleene: one that fails decides."""
    if Holds.NO in parts:
        return Holds.NO
    return Holds.OPEN if Holds.OPEN in parts else Holds.YES


def _any(*parts: Holds) -> Holds:
    if Holds.YES in parts:
        return Holds.YES
    return Holds.OPEN if Holds.OPEN in parts else Holds.NO


def _age(wanted: dt.timedelta, age: dt.timedelta) -> Checked:
    holds = Holds.YES if age >= wanted else Holds.OPEN
    return Checked(f"for {spoken(wanted)}", spoken(_whole(age)), holds)


def _whole(age: dt.timedelta) -> dt.timedelta:
    """The age without what nobody counts."""
    return dt.timedelta(seconds=age // dt.timedelta(seconds=1))


# --- clauses ---------------------------------------------------------------------------------------------

_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_Exact: TypeAlias = int | Fraction | Decimal | dt.timedelta


def _checked(clause: Clause, observed: Observed) -> Checked:
    if MEASURES[clause.measure].of_metric:
        return _of_metric(clause, observed)
    value = _value(clause.measure, observed)
    if value is None:
        return Checked(clause.text, "unknown", Holds.OPEN, "nothing was seen yet")
    if isinstance(value, Fraction):
        count = _COUNTS[_SHARES[clause.measure]](observed.figures)
        said = f"{written(value)}, {count:,} of {observed.figures.total:,}"
        return replace(_compared(clause, value), value=said)
    return _compared(clause, value)


def _compared(clause: Clause, value: _Exact) -> Checked:
    bound: Any = clause.bound
    if isinstance(value, Fraction):
        bound = Fraction(bound)
    holds = Holds.YES if _COMPARE[clause.operator](value, bound) else Holds.NO
    return Checked(clause.text, written(value), holds)


def _value(measure: str, observed: Observed) -> _Exact | None:
    """The exact value of a measure; None where there is none yet."""
    figures, kinds = observed.figures, observed.figures.kinds
    if measure == "dropped":
        return observed.dropped
    if measure in _COUNTS:
        return _COUNTS[measure](figures)
    if measure in _SHARES:
        return Fraction(_COUNTS[_SHARES[measure]](figures), kinds.total()) if kinds else None
    if measure in _QUANTILES:
        found = quantile(figures.latencies, _QUANTILES[measure])
        return None if found is None else dt.timedelta(microseconds=found)
    raise InternalError(f"the measure {measure} has no value")


_COUNTS: Final[Mapping[str, Callable[[Figures], int]]] = {
    "decisions": lambda figures: figures.total,
    "disagreements": lambda figures: figures.disagreeing,
    "loosened": lambda figures: figures.kinds[Kind.LOOSER],
    "tightened": lambda figures: figures.kinds[Kind.TIGHTER],
    "reasons_changed": lambda figures: figures.kinds[Kind.REASONS],
    "errors": lambda figures: figures.kinds[Kind.ERROR],
}
_SHARES: Final = {
    "disagreement": "disagreements",
    "loosening": "loosened",
    "tightening": "tightened",
    "error_rate": "errors",
}
_QUANTILES: Final = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}


# --- metrics -----------------------------------------------------------------------------------------------


def _of_metric(clause: Clause, observed: Observed) -> Checked:
    found = observed.outcomes
    outcome = found.metrics.get(clause.metric)
    if clause.measure == "reported":
        return _compared(clause, 0 if outcome is None else outcome.reported)
    if clause.measure == "total":
        return _compared(clause, Decimal(0) if outcome is None else outcome.total)
    if found.is_split_wrong:
        note = "the split is not what was asked for: units are lost or counted double"
        return Checked(clause.text, "unknown", Holds.OPEN, note)
    if outcome is None:
        return Checked(clause.text, "unknown", Holds.OPEN, "nothing was reported")
    return _share(clause, outcome) if clause.measure == "metric" else _harm(clause, outcome)


def _share(clause: Clause, outcome: Outcome) -> Checked:
    return _within(clause, outcome.rate, outcome.units)


def _harm(clause: Clause, outcome: Outcome) -> Checked:
    """Against no harm at all the test on the arms of events is the sharper one."""
    asks_for_any = clause.operator in (">", ">=") and clause.bound == 0
    if asks_for_any and outcome.harm >= 1 / ALPHA:
        value = f"above 0%, with an e-value of {outcome.harm:.3g}"
        return Checked(clause.text, value, Holds.YES)
    return _within(clause, outcome.difference, min(outcome.units, outcome.live_units))


def _within(clause: Clause, bounds: Interval, units: int) -> Checked:
    value = f"{_percent(bounds.low)} to {_percent(bounds.high)}"
    if units < LEAST_UNITS:
        note = f"{units} units, and no fewer than {LEAST_UNITS} say anything"
        return Checked(clause.text, value, Holds.OPEN, note)
    compare, bound = _COMPARE[clause.operator], _number(clause)
    one, other = compare(bounds.low, bound), compare(bounds.high, bound)
    if one and other:
        return Checked(clause.text, value, Holds.YES)
    if not one and not other:
        return Checked(clause.text, value, Holds.NO)
    return Checked(clause.text, value, Holds.OPEN, f"{clause.bound:%} is within")


def _number(clause: Clause) -> float:
    if isinstance(clause.bound, dt.timedelta):
        raise InternalError(f"a share is compared with a duration in {clause.text}")
    return float(clause.bound)


# --- words -------------------------------------------------------------------------------------------------


def written(value: _Exact) -> str:
    """A value as reports show it; a share as a percentage, rounded where it does not end soon.

    >>> written(1_200), written(Fraction(1, 3)), written(dt.timedelta(microseconds=1_500))
    ('1,200', '33.33%', '1.5 milliseconds')
    """
    match value:
        case Fraction():
            return _percent(float(value))
        case dt.timedelta():
            return spoken(value)
        case int():
            return f"{value:,}"
        case Decimal():
            return f"{value:,f}"
        case _:
            assert_never(value)


def _percent(share: float) -> str:
    text = f"{share * 100:.2f}".rstrip("0").rstrip(".")
    return f"{'0' if text in ('-0', '') else text}%"


def spoken(duration: dt.timedelta) -> str:
    """A duration in its greatest whole unit, or in milliseconds."""
    for name, size in _UNITS:
        if duration >= size and duration % size == dt.timedelta(0):
            number = duration // size
            return f"{number} {name}" + ("" if number == 1 else "s")
    text = f"{duration / dt.timedelta(milliseconds=1):.3f}".rstrip("0").rstrip(".")
    return f"{text} milliseconds"


_UNITS: Final = (
    ("day", dt.timedelta(days=1)),
    ("hour", dt.timedelta(hours=1)),
    ("minute", dt.timedelta(minutes=1)),
    ("second", dt.timedelta(seconds=1)),
)
