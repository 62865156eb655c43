"""What a store holds about one version in a stage: the figures of its comparisons, and the outcomes of its canary."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from policylang.rollout.compared import COMPARISON, Comparison, Role
from policylang.rollout.figures import MOST_EXAMPLES, Figures
from policylang.rollout.metrics import NO_OUTCOMES, Outcomes, outcomes
from policylang.rollout.stages import Settings, Stage, Step, Transition
from policylang.rollout.tallying import DROPPED
from policylang.trace.metrics import METRIC
from policylang.trace.reading import Filter, TraceView

SKEW: Final = dt.timedelta(hours=1)
"""How far the clocks of machines may be apart: records that name their rollout are looked for from so long before it."""

OBSERVED_STAGES: Final = {Stage.SHADOW: Role.SHADOW, Stage.CANARY: Role.CANARY}
"""The stages in which a version is compared with live."""


@dataclass(frozen=True, slots=True)
class Period:
    """A version's stay in shadow or canary. `until` is None while it is there; `sized` is when its slice got its size."""

    module: str
    version: str
    rollout: str
    stage: Stage
    settings: Settings
    since: str
    sized: str
    until: str | None = None

    @property
    def name(self) -> str:
        """The version: `refunds@1.4.0`."""
        return f"{self.module}@{self.version}"

    def age(self, now: dt.datetime) -> dt.timedelta:
        """How long it has been, or was."""
        end = now if self.until is None else dt.datetime.fromisoformat(self.until)
        return max(dt.timedelta(0), end - dt.datetime.fromisoformat(self.since))


def periods(history: tuple[Transition, ...], module: str, version: str) -> tuple[Period, ...]:
    """Every stay of a version in shadow or canary, the latest last, by the transitions of its module."""
    found: list[Period] = []
    current: Period | None = None
    for taken in history:
        is_about = (taken.module, taken.version) == (module, version)
        if not is_about or taken.step is Step.NOTE:
            continue
        if current is not None and (current.rollout, current.stage) == (taken.rollout, taken.after):
            current = _gone_on(current, taken)
            continue
        if current is not None:
            found.append(replace(current, until=taken.at))
            current = None
        if taken.after in OBSERVED_STAGES:
            current = Period(
                module, version, taken.rollout, taken.after, taken.settings, taken.at, taken.at
            )
    return (*found, current) if current is not None else tuple(found)


def _gone_on(current: Period, taken: Transition) -> Period:
    resized = taken.settings.share != current.settings.share
    sized = taken.at if resized else current.sized
    return replace(current, settings=taken.settings, sized=sized)


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of a version in one period. `age` is how long that is by now."""

    figures: Figures
    age: dt.timedelta
    outcomes: Outcomes = NO_OUTCOMES
    dropped: int = 0


def observe(
    view: TraceView,
    period: Period,
    counted: Mapping[str, int],
    paths: tuple[str, ...],
    now: dt.datetime,
    most_examples: int = MOST_EXAMPLES,
) -> Observed:
    """What a store holds about a period: `counted` is what was counted of its rollout, `paths` the key of its slices."""
    figures = Figures.of(_comparisons(view, period), most_examples)
    if period.stage is not Stage.CANARY:
        return Observed(figures, period.age(now), dropped=counted.get(DROPPED, 0))
    found = outcomes(
        _decisions(view, period),
        view.records(Filter(kind=METRIC, since=_before(period.sized))),
        period.rollout,
        period.settings.share,
        paths,
        period.sized,
    )
    return Observed(figures, period.age(now), found, counted.get(DROPPED, 0))


def _comparisons(view: TraceView, period: Period) -> Iterator[tuple[str, Comparison]]:
    role = OBSERVED_STAGES[period.stage].value
    for record in view.records(Filter(kind=COMPARISON, since=_before(period.since))):
        body = record.body
        if body["rollout"] == period.rollout and body["role"] == role:
            yield record.at, Comparison.from_json(body)


def _decisions(view: TraceView, period: Period) -> Iterator[dict[str, Any]]:
    until = None if period.until is None else _plain(period.until)
    chosen = Filter(kind="decision", since=_plain(period.sized), until=until)
    for record in view.records(chosen):
        body = record.body
        if "rollouts" in body:
            yield {**body, "id": record.id}


def _before(moment: str) -> str:
    """So long before a time that no clock is further behind."""
    earlier = dt.datetime.fromisoformat(moment).astimezone(dt.UTC) - SKEW
    return earlier.replace(tzinfo=None).isoformat()


def _plain(moment: str) -> str:
    """A time as filters take it: in UTC, without a zone."""
    return moment.removesuffix("Z")
