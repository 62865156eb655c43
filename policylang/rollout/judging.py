"""Judging a version by what its module asks: the criteria of its stage, against what the store holds about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from policylang.rollout.criteria import Verdict, check
from policylang.rollout.figures import MOST_EXAMPLES
from policylang.rollout.observing import Observed, Period, observe, periods
from policylang.rollout.stages import Stage, Standing, transitions
from policylang.semantics.criteria import Criteria
from policylang.semantics.program import Program, Rollout
from policylang.trace.store import TraceStore

_NOTHING_SAID = Rollout()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was seen of a version in a period, and whether its criteria hold; None where its module has none."""

    period: Period
    observed: Observed
    promote: Verdict | None
    rollback: Verdict | None


def period_of(
    store: TraceStore, module: str, version: str, stage: Stage | None = None
) -> Period | None:
    """The stay of a version in shadow or canary, the latest (of that stage); None where it never was."""
    with store.state.read() as reading:
        found = periods(transitions(reading, module), module, version)
    wanted = [period for period in found if stage in (None, period.stage)]
    return wanted[-1] if wanted else None


def judge(
    store: TraceStore,
    program: Program | None,
    period: Period,
    counted: Mapping[str, int],
    now: dt.datetime,
    most_examples: int = MOST_EXAMPLES,
) -> Judgement:
    """What a store holds about a period of a version, and what follows by the criteria of its module.

    `program` is one with the version in it; None where it is part of none, and then nothing is asked of it. `counted` is
    what was counted of its rollout. Raises `TraceUnavailableError` where the store cannot be read.
    """
    said = _NOTHING_SAID if program is None else program.rollouts.get(period.module)
    said = said or _NOTHING_SAID
    with store.view() as view:
        observed = observe(view, period, counted, _paths(period, said), now, most_examples)
    stage = period.stage.value
    return Judgement(
        period,
        observed,
        _verdict(said.promote.get(stage), observed),
        _verdict(said.rollback.get(stage), observed),
    )


def refusal(
    store: TraceStore,
    program: Program,
    standing: Standing,
    counted: Mapping[str, int],
    now: dt.datetime,
) -> str:
    """Why a version may not be promoted by the criteria of its module; empty where they hold or there are none."""
    said = program.rollouts.get(standing.module, _NOTHING_SAID)
    if standing.stage.value not in said.promote:
        return ""
    period = period_of(store, standing.module, standing.version, standing.stage)
    if period is None:
        return ""
    verdict = judge(store, program, period, counted, now).promote
    if verdict is None or verdict.is_met:
        return ""
    return "; ".join(str(clause) for clause in verdict.unmet)


def _verdict(criteria: Criteria | None, observed: Observed) -> Verdict | None:
    return None if criteria is None else check(criteria, observed)


def _paths(period: Period, said: Rollout) -> tuple[str, ...]:
    """The key that the version is sliced by: what the operator gave, or what the module says."""
    if period.settings.by:
        return period.settings.by
    return (f"{said.key.relation}.{said.key.column}",) if said.key is not None else ()
