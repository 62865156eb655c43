"""What a store holds about one version in a stage: the figures of its comparisons, and the outcomes of its canary."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policylang.rollout.compared import COMPARISON, Comparison, Role
from policylang.rollout.figures import Figures
from policylang.rollout.metrics import NO_OUTCOMES, Outcomes, outcomes
from policylang.rollout.stages import Stage, Standing, Step, Transition
from policylang.rollout.tallying import DROPPED
from policylang.trace.metrics import METRIC
from policylang.trace.reading import Filter, TraceView


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of a version since it came into its stage, up to `until`."""

    standing: Standing
    until: dt.datetime
    figures: Figures
    outcomes: Outcomes = NO_OUTCOMES
    dropped: int = 0

    @property
    def age(self) -> dt.timedelta:
        """How long it has been in its stage."""
        if not self.standing.since:
            return dt.timedelta(0)
        return max(dt.timedelta(0), self.until - dt.datetime.fromisoformat(self.standing.since))


_ROLES = {Stage.SHADOW: Role.SHADOW, Stage.CANARY: Role.CANARY}


def observe(
    view: TraceView,
    standing: Standing,
    history: tuple[Transition, ...],
    counted: Mapping[str, int],
    paths: tuple[str, ...],
    now: dt.datetime,
) -> Observed:
    """What a store holds about a version in shadow or canary.

    `history` are the transitions of its module, `counted` what was counted of its rollout, `paths` the key that it is
    sliced by. Nothing is seen of a version in another stage.
    """
    role = _ROLES.get(standing.stage)
    if role is None:
        return Observed(standing, now, Figures())
    figures = Figures.of(_comparisons(view, standing, role))
    dropped = counted.get(DROPPED, 0)
    if standing.stage is not Stage.CANARY:
        return Observed(standing, now, figures, dropped=dropped)
    since = _sized(standing, history)
    found = outcomes(
        _decisions(view, since),
        view.records(Filter(kind=METRIC, since=_plain(since))),
        standing.rollout,
        standing.settings.share,
        paths,
        since,
    )
    return Observed(standing, now, figures, found, dropped)


def _comparisons(
    view: TraceView, standing: Standing, role: Role
) -> Iterator[tuple[str, Comparison]]:
    for record in view.records(Filter(kind=COMPARISON, since=_plain(standing.since))):
        body = record.body
        if body["rollout"] == standing.rollout and body["role"] == role.value:
            yield record.at, Comparison.from_json(body)


def _decisions(view: TraceView, since: str) -> Iterator[dict[str, Any]]:
    for record in view.records(Filter(kind="decision", since=_plain(since))):
        body = record.body
        if "rollouts" in body:
            yield {**body, "id": record.id}


def _sized(standing: Standing, history: tuple[Transition, ...]) -> str:
    """When the slice got the size it has: with another size other units are drawn."""
    steps = (Step.START, Step.PROMOTE, Step.SLICE)
    own = [t for t in history if t.rollout == standing.rollout and t.after is Stage.CANARY]
    return next((t.at for t in reversed(own) if t.step in steps), standing.since)


def _plain(moment_: str) -> str:
    """A time as filters take it: in UTC, without a zone."""
    return moment_.removesuffix("Z")
