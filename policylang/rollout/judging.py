"""Judging a version by what its module asks: the criteria of its stage, against what the store holds about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policylang.rollout.criteria import Verdict, check
from policylang.rollout.observing import Observed, observe
from policylang.rollout.stages import Standing, transitions
from policylang.semantics.criteria import Criteria
from policylang.semantics.program import Program, Rollout
from policylang.trace.store import TraceStore

_NOTHING_SAID = Rollout()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was seen of a version, and whether its criteria hold; None where its module has none for its stage."""

    observed: Observed
    promote: Verdict | None
    rollback: Verdict | None

    def to_json(self) -> dict[str, Any]:
        """The verdicts, as reports show them."""
        verdicts = {"promote": self.promote, "rollback": self.rollback}
        return {name: verdict.to_json() for name, verdict in verdicts.items() if verdict}


def judge(
    store: TraceStore,
    program: Program | None,
    standing: Standing,
    counted: Mapping[str, int],
    now: dt.datetime,
) -> Judgement:
    """What a store holds about a version in shadow or canary, and what follows by the criteria of its module.

    `program` is one with the version in it; None where it is part of none, and then nothing is asked of it. Raises
    `TraceUnavailableError` where the store cannot be read.
    """
    said = _NOTHING_SAID if program is None else program.rollouts.get(standing.module)
    said = said or _NOTHING_SAID
    with store.state.read() as reading:
        history = transitions(reading, standing.module)
    with store.view() as view:
        observed = observe(view, standing, history, counted, _paths(standing, said), now)
    stage = standing.stage.value
    return Judgement(
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
    verdict = judge(store, program, standing, counted, now).promote
    if verdict is None or verdict.is_met:
        return ""
    return "; ".join(str(clause) for clause in verdict.unmet)


def _verdict(criteria: Criteria | None, observed: Observed) -> Verdict | None:
    return None if criteria is None else check(criteria, observed)


def _paths(standing: Standing, said: Rollout) -> tuple[str, ...]:
    """The key that the version is sliced by: what the operator gave, or what the module says."""
    if standing.settings.by:
        return standing.settings.by
    return (f"{said.key.relation}.{said.key.column}",) if said.key is not None else ()
