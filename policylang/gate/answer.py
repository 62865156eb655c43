"""`Answer`: what an agent or a program is told about a call that it asked for.

A decision says what the rules said. An answer says what follows from it for whoever asked: what stood in the way
with its value and its limit, what would be allowed instead, and whether asking again makes sense, and when. The form is
documented in `docs/reference/answers.md`; `policylang.gate.answer_json` and `policylang.gate.answer_text` write it.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from typing import Final

from policylang.decide.decision import Obligation, Requirement
from policylang.facts.rejection import NeededFact, Problem

FORM: Final = 1
"""The version of the JSON form of an answer."""


class AnswerOutcome(enum.Enum):
    """What may happen with the call.

    >>> AnswerOutcome("needs_facts")
    <AnswerOutcome.NEEDS_FACTS: 'needs_facts'>
    """

    ALLOW = "allow"
    DENY = "deny"
    NEEDS_APPROVAL = "needs_approval"
    NEEDS_FACTS = "needs_facts"


class AnswerKind(enum.Enum):
    """Why a call was refused where no rule of the policy says so: it was the gate.

    What rules and the border say is of a `ReasonKind`, whose words are different from these.
    """

    STOPPED = "stopped"
    """The kill switch is on for the agent, the action or all."""
    APPROVAL_PENDING = "approval_pending"
    """A person was asked and has not answered yet."""
    APPROVAL_REFUSED = "approval_refused"
    """A person refused the approval. This call can never run."""
    APPROVAL_EXPIRED = "approval_expired"
    """The approval came too late, or was not used in time."""
    APPROVAL_USED = "approval_used"
    """The approval was used by an earlier call."""
    APPROVAL_OF_ANOTHER = "approval_of_another"
    """The approval is one of other arguments, another agent, other facts or another version of the policy."""
    APPROVAL_UNKNOWN = "approval_unknown"
    """There is no such approval."""
    LIMIT_TAKEN = "limit_taken"
    """Calls that run at this moment take up what a limit allows."""
    UNAVAILABLE = "unavailable"
    """It could not be decided or recorded. Nothing runs then."""


class When(enum.Enum):
    """When it makes sense to ask again."""

    NEVER = "never"
    """The same call will get the same answer."""
    CHANGED = "changed"
    """With other arguments: `instead` says which."""
    CORRECTED = "corrected"
    """Once the values that are not valid are corrected."""
    FACTS = "facts"
    """Once the facts that are missing are there."""
    APPROVED = "approved"
    """Once a person has granted the approval."""
    ANEW = "anew"
    """Without the approval that does not serve: the call is then decided afresh."""
    LATER = "later"
    """At the time given or, where none is, a little later."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Whether asking again makes sense: when, and for `later` at which time where that is known."""

    when: When
    after: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """One ground of an answer: its kind, the rule behind it, and the sentence.

    `written` says that the sentence is the `because` of a rule, which was written for people; the others are made from
    names. `internal` ones are not for customers, nor for a model that talks to them.
    """

    kind: str
    rule: str
    message: str
    internal: bool = False
    written: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound that the call does not keep: `path` has `value`, and `path operator limit` would have to hold.

    `value` and `limit` are in the JSON forms of their types; `value` is absent where it is secret. `rule` is the rule that
    sets it, empty where the declaration of the field does; `param` the param that holds the limit. `says` is the
    bound in words: `at most 200.00`.
    """

    path: str
    operator: str
    limit: object
    value: object | None
    says: str
    rule: str = ""
    param: str | None = None
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Instead:
    """Values of one argument with which, all else equal, the call gets `outcome`: proved, not guessed.

    `low` and `high` are the first and last such value (absent where that end is open, or ends with the declared
    range of the field), in the JSON form of the type. `internal` says that a rule with an internal reason ends the range.
    """

    path: str
    outcome: AnswerOutcome
    low: object | None
    high: object | None
    says: str
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The structured answer to a call.

    `grounds` say why; `bounds` which comparisons stood in the way; `problems` and `needs` what is wrong with the request
    or missing in it; `instead` what would be allowed, where that could be proved. `ticket` names the approval that is asked for or
    was used. `retry` is absent where the call is allowed.
    """

    action: str
    outcome: AnswerOutcome
    grounds: tuple[Ground, ...]
    decision_id: str = ""
    bounds: tuple[Bound, ...] = ()
    problems: tuple[Problem, ...] = ()
    needs: tuple[NeededFact, ...] = ()
    instead: tuple[Instead, ...] = ()
    requires: tuple[Requirement, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    ticket: str | None = None
    retry: Retry | None = None
    program: str = ""
    more: int = 0
    """Problems that are counted and not listed."""

    @property
    def allowed(self) -> bool:
        """Whether the call may run."""
        return self.outcome is AnswerOutcome.ALLOW


def refused(
    action: str,
    kind: AnswerKind,
    message: str,
    *,
    retry: Retry,
    decision_id: str = "",
    ticket: str | None = None,
    program: str = "",
) -> Answer:
    """The answer where the gate refuses and no rule does: a stop, an approval that does not serve, a failure.

    >>> refused("refund", AnswerKind.STOPPED, "all calls are stopped", retry=Retry(When.NEVER)).allowed
    False
    """
    ground = Ground(kind.value, "", message)
    return Answer(
        action,
        AnswerOutcome.DENY,
        (ground,),
        decision_id=decision_id,
        ticket=ticket,
        retry=retry,
        program=program,
    )
