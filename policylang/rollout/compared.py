"""`Comparison`: what live answered to one request, and what a candidate says to the same one.

Comparisons are records of the kind `comparison` in the chain of the store, linked to the decision by its identity.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from policylang.decide.decision import Decision, Outcome
from policylang.decide.json import decision_to_json
from policylang.evaluate.firings import Failure

COMPARISON: Final = "comparison"
"""The kind of the records."""

PERSONAL: Final = ("live_reasons", "live_told", "candidate_reasons", "candidate_told")
"""The members of a record that may hold personal values: they are sealed as the decision is."""

TOLD: Final = ("violated", "requires", "obligations", "values")
"""What of a decision callers act on besides its outcome."""

_STRICTNESS: Final = {
    Outcome.ALLOW.value: 0,
    Outcome.NEEDS_APPROVAL.value: 1,
    Outcome.DENY.value: 2,
}


class Direction(enum.Enum):
    """Whether a candidate asks more than what is live, less, or the same: `allow` < `needs_approval` < `deny`."""

    SAME = "same"
    TIGHTER = "tighter"
    LOOSER = "looser"


class Role(enum.Enum):
    """In which stage the candidate was compared."""

    SHADOW = "shadow"
    CANARY = "canary"
    BACKTEST = "backtest"


@dataclass(frozen=True, slots=True)
class Judged:
    """What one program said: its outcome, the rules behind it, and what callers act on besides (`told`, as JSON).

    `reasons` are the messages. `error` says why there is no answer, or what failed in it, without values of the
    request; a program that could not be composed has no outcome (an empty text). Of a record that is sealed, `reasons` and
    `told` are placeholders, which are equal where the values are.
    """

    program: str
    outcome: str
    determining: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)
    microseconds: int | None = None
    error: str = ""

    @classmethod
    def of(cls, decision: Decision, microseconds: int | None = None) -> Self:
        """What a decision says."""
        failure = decision.failure
        # Most decisions tell nothing but their outcome, and this is done for every request beside a candidate.
        tells = decision.violated or decision.requires or decision.obligations or decision.values
        form = decision_to_json(decision) if tells else {}
        return cls(
            program=decision.program,
            outcome=decision.outcome.value,
            determining=decision.determining,
            reasons=tuple(reason.message for reason in decision.reasons),
            told={name: form[name] for name in TOLD if name in form},
            microseconds=microseconds,
            error="" if failure is None else failed(failure),
        )

    def to_json(self) -> dict[str, Any]:
        """The form of records without what may be personal; what is absent is left out."""
        form = {
            "program": self.program,
            "outcome": self.outcome,
            "determining": list(self.determining),
            "microseconds": self.microseconds,
            "error": self.error,
        }
        return {name: value for name, value in form.items() if value not in (None, "", [])}

    @classmethod
    def from_json(cls, form: Mapping[str, Any], reasons: Any, told: Any) -> Self:
        """What a record says; `reasons` and `told` are a list and an object, or placeholders where they are sealed."""
        return cls(
            program=form.get("program", ""),
            outcome=form.get("outcome", ""),
            determining=tuple(form.get("determining", ())),
            reasons=(reasons,) if isinstance(reasons, str) else tuple(reasons),
            told={"": told} if isinstance(told, str) else told,
            microseconds=form.get("microseconds"),
            error=form.get("error", ""),
        )


def failed(failure: Failure) -> str:
    """What is told of an evaluation that failed: its code and the rule. Its message may hold values of the request."""
    return f"{failure.code} in the rule {failure.rule}" if failure.rule else failure.code


@dataclass(frozen=True, slots=True)
class Comparison:
    """One request as live and a candidate answered it.

    `decision` is the identity of the live decision, `rollout` that of the rollout which `module` at `version` is
    in. `live` is what the active program says, also where the canary decided; `acted` says whose answer the
    caller got. `bucket` is there for canaries.
    """

    decision: str
    action: str
    agent: str
    module: str
    version: str
    rollout: str
    role: Role
    live: Judged
    candidate: Judged
    acted_on_candidate: bool = False
    bucket: int | None = None

    @property
    def direction(self) -> Direction:
        """How the candidate's outcome compares with live's. A candidate without an answer allows nothing."""
        return direction(self.live.outcome, self.candidate.outcome)

    @property
    def transition(self) -> str:
        """Both outcomes: `allow -> deny`; `(none)` stands for no answer."""
        return f"{self.live.outcome or '(none)'} -> {self.candidate.outcome or '(none)'}"

    @property
    def has_failed(self) -> bool:
        """Whether something is wrong with the candidate's answer that is not with live's."""
        return bool(self.candidate.error) and not self.live.error

    @property
    def is_same(self) -> bool:
        """Whether the candidate answered, with the same outcome, by the same rules, with all that callers act on."""
        one, other = self.live, self.candidate
        return (one.outcome, one.determining, one.told, bool(one.error)) == (
            other.outcome,
            other.determining,
            other.told,
            bool(other.error),
        )

    def to_json(self) -> dict[str, Any]:
        """The body of a `comparison` record. `direction` is in it for queries."""
        bucket = {} if self.bucket is None else {"bucket": self.bucket}
        agent = {"agent": self.agent} if self.agent else {}
        sides = (("live", self.live), ("candidate", self.candidate))
        reasons = {f"{side}_reasons": list(j.reasons) for side, j in sides if j.reasons}
        told = {f"{side}_told": dict(judged.told) for side, judged in sides if judged.told}
        return {
            "decision": self.decision,
            "action": self.action,
            **agent,
            "module": self.module,
            "version": self.version,
            "rollout": self.rollout,
            "role": self.role.value,
            **bucket,
            "direction": self.direction.value,
            "same": self.is_same,
            "acted": "candidate" if self.acted_on_candidate else "live",
            "live": self.live.to_json(),
            "candidate": self.candidate.to_json(),
            **reasons,
            **told,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """The comparison of a record's body."""
        return cls(
            decision=body["decision"],
            action=body["action"],
            agent=body.get("agent", ""),
            module=body["module"],
            version=body["version"],
            rollout=body["rollout"],
            role=Role(body["role"]),
            live=_side(body, "live"),
            candidate=_side(body, "candidate"),
            acted_on_candidate=body["acted"] == "candidate",
            bucket=body.get("bucket"),
        )


def _side(body: Mapping[str, Any], side: str) -> Judged:
    return Judged.from_json(
        body[side], body.get(f"{side}_reasons", ()), body.get(f"{side}_told", {})
    )


def direction(live: str, candidate: str) -> Direction:
    """How an outcome compares with that of live; no outcome counts as a denial.

    >>> direction("allow", "needs_approval")
    <Direction.TIGHTER: 'tighter'>
    """
    most = _STRICTNESS[Outcome.DENY.value]
    difference = _STRICTNESS.get(candidate, most) - _STRICTNESS.get(live, most)
    if difference == 0:
        return Direction.SAME
    return Direction.TIGHTER if difference > 0 else Direction.LOOSER
