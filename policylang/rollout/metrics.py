"""Outcomes of a canary beside those of live: what hosts report against decisions, by arm.

The arms are those of the slice, whoever decided in the end: a unit (one value of the key that slices) is in the canary's arm where its
bucket is in the slice. That is what was drawn by lot, so that is what can be compared; where `canary if` leaves some of
the slice out, or live answers in the canary's place, a difference is diluted and not invented. Decisions about one unit are not independent
of each other: units are counted, each once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from policylang.rollout.slicing import is_inside
from policylang.rollout.statistics import (
    ALPHA,
    SPLIT_ALPHA,
    Interval,
    confidence_sequence,
    difference_sequence,
    harm_e_value,
    split_e_value,
)
from policylang.trace.chain import Record
from policylang.trace.metrics import read_value

LEAST_UNITS: Final = 100
"""Units in each arm below which nothing is concluded from a metric."""


@dataclass(slots=True)
class Arm:
    """What is known of one metric in one arm: the decisions that reported it, their sum, and the units with any of it."""

    reported: int = 0
    total: Decimal = Decimal(0)
    units: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One metric in both arms: units with it, of how many, and what follows. `share` is the chance of the canary's arm."""

    name: str
    events: int
    units: int
    live_events: int
    live_units: int
    reported: int
    live_reported: int
    total: Decimal
    live_total: Decimal
    share: float

    @property
    def rate(self) -> Interval:
        """The share of the canary's units with the metric, over all looks."""
        return confidence_sequence(self.events, self.units)

    @property
    def live_rate(self) -> Interval:
        """The same of live's."""
        return confidence_sequence(self.live_events, self.live_units)

    @property
    def difference(self) -> Interval:
        """How much greater the canary's share is, over all looks."""
        return difference_sequence(self.events, self.units, self.live_events, self.live_units)

    @property
    def harm(self) -> float:
        """The e-value against the canary's doing no harm: `1 / ALPHA` is an alarm."""
        return 1.0 if self.share >= 1 else harm_e_value(self.events, self.live_events, self.share)

    @property
    def is_enough(self) -> bool:
        """Whether both arms have the units that a conclusion takes."""
        return min(self.units, self.live_units) >= LEAST_UNITS

    @property
    def finding(self) -> str:
        """What can be said now: `harmful`, `no worse`, or that nothing can yet."""
        if self.harm >= 1 / ALPHA:
            return "harmful"
        if not self.is_enough:
            return "too few units"
        return "no difference found"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The metrics of a canary, and the split that they stand on. `since` is when the slice got its size."""

    since: str = ""
    share: float = 0.0
    inside: int = 0
    outside: int = 0
    metrics: Mapping[str, Outcome] = field(default_factory=dict)

    @property
    def split(self) -> float:
        """The e-value against the split's being what was asked for."""
        if not 0 < self.share < 1:
            return 1.0
        return split_e_value(self.inside, self.outside, self.share)

    @property
    def is_split_wrong(self) -> bool:
        """Whether units seem to be lost or counted double in an arm: then nothing can be concluded."""
        return self.split >= 1 / SPLIT_ALPHA


NO_OUTCOMES: Final = Outcomes()


def outcomes(
    decisions: Iterable[Mapping[str, Any]],
    reports: Iterable[Record],
    rollout: str,
    share: int,
    paths: Sequence[str],
    since: str,
) -> Outcomes:
    """The outcomes of a rollout's canary.

    `decisions` are bodies of `decision` records with their `id`, from when the slice got its size; `reports` are
    `metric` records. `share` is per mille; `paths` name the key that slices.
    """
    arms = {True: set[str](), False: set[str]()}
    unit_of: dict[str, tuple[bool, str]] = {}
    for body in decisions:
        bucket = _bucket(body, rollout)
        if bucket is not None:
            arm, unit = is_inside(bucket, share), _unit(body, paths, bucket)
            arms[arm].add(unit)
            unit_of[body["id"]] = arm, unit
    found: dict[str, dict[bool, Arm]] = {}
    for record in reports:
        _report(record.body, unit_of, found)
    inside, outside = len(arms[True]), len(arms[False])
    metrics = {
        name: _outcome(name, by_arm, inside, outside, share / 1_000)
        for name, by_arm in sorted(found.items())
    }
    return Outcomes(since, share / 1_000, inside, outside, metrics)


def _outcome(name: str, arms: dict[bool, Arm], units: int, others: int, share: float) -> Outcome:
    canary, live = arms[True], arms[False]
    return Outcome(
        name=name,
        events=len(canary.units),
        units=units,
        live_events=len(live.units),
        live_units=others,
        reported=canary.reported,
        live_reported=live.reported,
        total=canary.total,
        live_total=live.total,
        share=share,
    )


def _report(
    body: Mapping[str, Any],
    unit_of: Mapping[str, tuple[bool, str]],
    found: dict[str, dict[bool, Arm]],
) -> None:
    known = unit_of.get(body["decision"])
    if known is None:
        return
    inside, unit = known
    arm = found.setdefault(body["name"], {True: Arm(), False: Arm()})[inside]
    value = read_value(body["value"])
    arm.reported += 1
    arm.total += value
    if value:
        arm.units.add(unit)


def _bucket(body: Mapping[str, Any], rollout: str) -> int | None:
    for sliced in body.get("rollouts", ()):
        if sliced["rollout"] == rollout:
            bucket: int | None = sliced.get("bucket")
            return bucket
    return None


def _unit(body: Mapping[str, Any], paths: Sequence[str], bucket: int) -> str:
    """What tells one unit from another: the value of the key, or its bucket where that is not kept."""
    rows = body.get("facts", {}).get("rows", {})
    for path in paths:
        relation, _, column = path.rpartition(".")
        for name, given in rows.items():
            if (name == relation or name.endswith(f".{relation}")) and given:
                value = given[0].get("values", {}).get(column)
                if value is not None:
                    return f"{bucket}/{value}"
    return str(bucket)
