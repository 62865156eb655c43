"""Advancing: what criteria say is done by itself, once, with the figures that led to it in the history.

For a scheduler. A step is taken only from the stage in which its criteria were checked, in one transaction with its
guards: of two schedulers at once one takes it, and the other is told that it was taken.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policylang.rollout.composing import Composer
from policylang.rollout.criteria import Verdict
from policylang.rollout.guards import Guard, RefusedStepError
from policylang.rollout.judging import Judgement, judge, period_of
from policylang.rollout.observing import OBSERVED_STAGES
from policylang.rollout.reporting import program_with
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import Standing
from policylang.rollout.versions import find_version
from policylang.trace.store import TraceStore

CRITERIA: Final = "criteria"
"""Who takes the steps, in the history."""


class Did(enum.Enum):
    """What was done with a version; the value is how commands say it."""

    ROLLED_BACK = "rolled back"
    PROMOTED = "promoted"
    WAITS = "waits"
    """Its criteria do not hold, or not yet."""
    HELD = "held"
    """Its criteria hold, and somebody holds it."""
    REFUSED = "refused"
    """Its criteria hold, and another guard refuses the step."""
    BROKEN = "is no program"
    """With what is active by now; nobody knows its criteria, and nothing is done with it."""
    TAKEN = "taken by another"
    """Somebody else took a step meanwhile."""
    WOULD_ROLL_BACK = "would be rolled back"
    WOULD_PROMOTE = "would be promoted"


@dataclass(frozen=True, slots=True)
class Advance:
    """What was done with one version, by which verdicts; `refused` is what a guard said, or what is wrong with it."""

    name: str
    stage: str
    did: Did
    verdicts: tuple[Verdict, ...]
    refused: str = ""

    def to_json(self) -> dict[str, Any]:
        """The form of `--json`."""
        form: dict[str, Any] = {
            "version": self.name,
            "stage": self.stage,
            "did": self.did.value,
            "refused": self.refused,
            "criteria": [verdict.to_json() for verdict in self.verdicts],
        }
        return {name: value for name, value in form.items() if value}


def advance(
    store: TraceStore,
    module: str | None = None,
    *,
    dry_run: bool = False,
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> tuple[Advance, ...]:
    """Do what the criteria of all modules, or of one, say about versions in shadow and canary that have some.

    Criteria for rolling back come first. What is not there to be judged (nothing seen, too few units) waits. A version
    that is no program any more with what is active is told, whether it has criteria or not, and left where it is.
    Raises `PolicyInvalid` where nobody published the module.
    """
    composer = Composer(store.state)
    rollouts = Rollouts(store, clock=clock, composer=composer)
    status = rollouts.status(module)
    waiting = [
        standing
        for known in status.modules.values()
        for standing in known.versions.values()
        if standing.stage in OBSERVED_STAGES
    ]
    found = []
    for standing in sorted(waiting, key=lambda s: (s.module, s.version)):
        counted = status.counted.get(standing.rollout, {})
        judged = _judged(store, composer, standing, counted, clock())
        if isinstance(judged, str):
            found.append(Advance(standing.name, standing.stage.value, Did.BROKEN, (), judged))
        elif judged is not None and (judged.promote or judged.rollback):
            found.append(_advanced(rollouts, standing, judged, dry_run=dry_run))
    return tuple(found)


def _judged(
    store: TraceStore,
    composer: Composer,
    standing: Standing,
    counted: Mapping[str, int],
    now: dt.datetime,
) -> Judgement | str | None:
    """What is to be said of a version; what is wrong with its program, in words, where it is none."""
    with store.state.read() as reading:
        version = find_version(reading, standing.module, standing.version)
    period = period_of(store, standing.module, standing.version, standing.stage)
    if version is None or period is None:
        return None
    program = program_with(store, version, composer)
    return program if isinstance(program, str) else judge(store, program, period, counted, now)


def _advanced(
    rollouts: Rollouts, standing: Standing, judged: Judgement, *, dry_run: bool
) -> Advance:
    back, on = judged.rollback, judged.promote
    if back is not None and back.is_met:
        return _taken(rollouts, standing, back, _roll_back, Did.ROLLED_BACK, dry_run=dry_run)
    verdicts = tuple(verdict for verdict in (on, back) if verdict is not None)
    if on is None or not on.is_met:
        return Advance(standing.name, standing.stage.value, Did.WAITS, verdicts)
    if standing.is_held:
        return Advance(standing.name, standing.stage.value, Did.HELD, verdicts)
    return _taken(rollouts, standing, on, _promote, Did.PROMOTED, dry_run=dry_run)


_Take = Callable[[Rollouts, Standing, str], object]


def _taken(
    rollouts: Rollouts,
    standing: Standing,
    verdict: Verdict,
    take: _Take,
    did: Did,
    *,
    dry_run: bool,
) -> Advance:
    refused = ""
    if dry_run:
        did = Did.WOULD_PROMOTE if did is Did.PROMOTED else Did.WOULD_ROLL_BACK
    else:
        try:
            take(rollouts, standing, f"{verdict.criteria.text}: {verdict.explained()}")
        except RefusedStepError as refusal:
            did = Did.TAKEN if refusal.guard is Guard.STATE else Did.REFUSED
            refused = "" if did is Did.TAKEN else refusal.diagnostics[0].message
    return Advance(standing.name, standing.stage.value, did, (verdict,), refused)


def _promote(rollouts: Rollouts, standing: Standing, why: str) -> None:
    rollouts.promote(standing.name, by=CRITERIA, why=why, seen=standing.stage, is_automatic=True)


def _roll_back(rollouts: Rollouts, standing: Standing, why: str) -> None:
    rollouts.rollback(standing.name, by=CRITERIA, why=why, seen=standing.stage, is_automatic=True)
