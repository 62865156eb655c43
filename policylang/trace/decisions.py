"""A decision as a record, with everything it was decided on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policylang.bundle.case import Case
from policylang.decide.json import decision_to_json, facts_to_json, firings_to_json
from policylang.trace.received import received_form
from policylang.trace.versions import versions

LONGEST_AGENT = 200
"""Code points of an agent's name."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of a decision beside its request: who asked, under which stage, how long it took.

    `rollouts` says, in the form of records, where the request fell in each rollout that concerns it.
    """

    agent: str | None = None
    stage: str = "active"
    bucket: int | None = None
    duration: dt.timedelta | None = None
    rollouts: Sequence[Mapping[str, Any]] = ()


def decision_body(case: Case, around: Circumstances) -> dict[str, Any]:
    """What a `decision` record says. What is not there is left out.

    A request that was refused before any rule has no facts and no firings: its decision tells what was
    received, bounded, and masked where it is secret.
    """
    decision = case.decision
    facts = case.facts
    body: dict[str, Any] = {
        "stage": around.stage,
        "decision": decision_to_json(decision),
        "versions": versions(),
    }
    if around.agent is not None:
        body["agent"] = _clean(around.agent[:LONGEST_AGENT])
    if around.bucket is not None:
        body["bucket"] = around.bucket
    if around.rollouts:
        body["rollouts"] = [dict(sliced) for sliced in around.rollouts]
    if around.duration is not None:
        body["microseconds"] = around.duration // dt.timedelta(microseconds=1)
    if case.evaluator:
        body["evaluator"] = case.evaluator
    if case.received is not None:
        body["received"] = received_form(case.received)
    if facts is not None:
        body["facts"] = facts_to_json(facts, case.program.schema)
        body["firings"] = firings_to_json(decision.firings, case.program)
    return body


def _clean(text: str) -> str:
    """The text without halves of surrogate pairs, which no encoding can hold."""
    return text.encode("utf-8", "replace").decode()
