"""What an approval is: a question to people about one call, bound to all that the call is decided on.

The states of an approval, and who changes them (`policylang.gate.approvals_store` makes each change one transaction):

    pending --votes--> granted --the call--> used
       |                  |
       +--a vote----------+--> refused, expired, withdrawn
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policylang.bundle.case import Case
from policylang.decide.decision import Requirement
from policylang.decide.heads import wanted
from policylang.decide.json import canonical, facts_to_json, plain
from policylang.decide.secrets import erasable_of, secrets_of
from policylang.decide.wording import SECRET_WORD, said
from policylang.diagnostics import Diagnostic
from policylang.explain.text import render
from policylang.explain.tree import explanation_tree
from policylang.explain.words import Words
from policylang.facts.factset import FactSet
from policylang.facts.schema import RelationKind
from policylang.facts.types import STRING
from policylang.facts.values import Missing
from policylang.gate.answer import Answer
from policylang.gate.answer_bounds import bounds_of
from policylang.semantics.program import Program
from policylang.semantics.slicing import slice_for

FORM: Final = 1
"""The version of the JSON form of an approval."""

_NOT_BOUND: Final = frozenset(
    {RelationKind.HISTORY, RelationKind.BUILTIN, RelationKind.GROUP, RelationKind.ACTION}
)
"""Rows that are no facts that an approval is bound to: time goes on, others call meanwhile, and arguments are told apart."""

_MOST_KEPT: Final = 1024


class ApprovalStatus(enum.Enum):
    """How far an approval is."""

    PENDING = "pending"
    GRANTED = "granted"
    REFUSED = "refused"
    USED = "used"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"

    @property
    def is_open(self) -> bool:
        """Whether something can still become of it."""
        return self in (ApprovalStatus.PENDING, ApprovalStatus.GRANTED)


@dataclass(frozen=True, slots=True)
class Needed:
    """What a rule asks for: so many people of a role, their votes not older than `within` when the call runs."""

    role: str
    count: int = 1
    within: dt.timedelta | None = None
    rule: str = ""

    def to_json(self) -> dict[str, Any]:
        """The form of records and of the state."""
        within = {} if self.within is None else {"within": plain(self.within)}
        return {"role": self.role, "count": self.count, **within, "rule": self.rule}


@dataclass(frozen=True, slots=True)
class Vote:
    """What a person answered for a role. `decision` is the recorded decision that the person may."""

    person: str
    role: str
    granted: bool
    at: dt.datetime
    decision: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Binding:
    """What an approval is bound to, as digests: the call (action, arguments, agent, subject), the facts, the program."""

    call: str
    facts: str
    program: str


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval as it is now. `id` is the ticket that an agent holds.

    `decision` is the recorded decision that asked for it. `shown` is what an approver has to see: arguments, reasons,
    bounds, and the proof. `used_by` is the decision of the call that ran with it.
    """

    id: str
    status: ApprovalStatus
    action: str
    agent: str
    subject: str
    decision: str
    binding: Binding
    requested_at: dt.datetime
    expires_at: dt.datetime
    needs: tuple[Needed, ...]
    votes: tuple[Vote, ...]
    shown: Mapping[str, Any]
    used_by: str = ""

    def open_needs(self) -> tuple[Needed, ...]:
        """What is asked for and not granted by enough people yet."""
        return tuple(need for need in self.needs if len(self.grants(need.role)) < need.count)

    def grants(self, role: str) -> tuple[Vote, ...]:
        """The votes for a role that grant, the newest first."""
        found = [vote for vote in self.votes if vote.granted and vote.role == role]
        return tuple(sorted(found, key=lambda vote: vote.at, reverse=True))

    def to_json(self) -> dict[str, Any]:
        """The documented JSON form: what an approver, and a webhook, get."""
        return {
            "form": FORM,
            "ticket": self.id,
            "status": self.status.value,
            "action": self.action,
            "agent": self.agent,
            **({"subject": self.subject} if self.subject else {}),
            "decision": self.decision,
            "program": self.binding.program,
            "requested_at": _stamp(self.requested_at),
            "expires_at": _stamp(self.expires_at),
            "needs": [need.to_json() for need in self.needs],
            "votes": [_vote(vote) for vote in self.votes],
            **self.shown,
            **({"used_by": self.used_by} if self.used_by else {}),
        }


@dataclass(frozen=True, slots=True)
class Voted:
    """What came of a vote: the approval as it is after it, or the problem for which it does not count.

    `answer` says why the policy does not allow this person to answer, where that is the problem.
    """

    approval: Approval | None
    problem: Diagnostic | None = None
    answer: Answer | None = None

    @property
    def accepted(self) -> bool:
        """Whether the vote counts."""
        return self.problem is None


def _vote(vote: Vote) -> dict[str, Any]:
    note = {"note": vote.note} if vote.note else {}
    decision = {"decision": vote.decision} if vote.decision else {}
    return {
        "person": vote.person,
        "role": vote.role,
        "granted": vote.granted,
        "at": _stamp(vote.at),
        **decision,
        **note,
    }


def _stamp(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


# --- what it is bound to ---------------------------------------------------------------------------------


def binding_of(case: Case, agent: str, subject: str) -> Binding:
    """What an approval of a decided call is bound to.

    The facts are those that rules of the action read: rows of facts, reference data by its digest. Not the time and not
    earlier calls, which the call is decided on again.
    """
    assert case.facts is not None
    schema, facts = case.program.schema, case.facts
    read = _read_by(case.program, facts.action)
    rows = {
        name: rows
        for name, rows in facts.rows.items()
        if name in read and schema.relations[name].kind not in _NOT_BOUND
    }
    call = facts_to_json(_only(facts, {facts.action: facts.of(facts.action)}), schema)
    told = facts_to_json(_only(facts, rows), schema)
    reference = {name: digest for name, digest in facts.reference.items() if name in read}
    asked = {"action": facts.action, "agent": agent, "subject": subject}
    return Binding(
        call=_digest({"rows": call.get("rows", {}), **asked}),
        facts=_digest({"rows": told.get("rows", {}), "reference": reference}),
        program=case.program.digest,
    )


_READ: dict[tuple[str, str], frozenset[str]] = {}


def _read_by(program: Program, action: str) -> frozenset[str]:
    """The relations that rules of an action read, found once a program."""
    known = _READ.get((program.digest, action))
    if known is None:
        if len(_READ) >= _MOST_KEPT:
            _READ.clear()
        known = _READ[program.digest, action] = slice_for(program, action).relations
    return known


def _only(facts: FactSet, rows: Mapping[str, Any]) -> FactSet:
    return FactSet(facts.action, facts.now, rows)


def _digest(form: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(form)).hexdigest()


# --- what is asked, and what is shown --------------------------------------------------------------------


def needs_of(requires: Sequence[Requirement]) -> tuple[Needed, ...]:
    """What requirements that are not granted ask for; of two about one role the stricter."""
    needs: dict[str, Needed] = {}
    for each in requires:
        if not each.granted:
            role = said(each.by, STRING)
            within = each.within if isinstance(each.within, dt.timedelta) else None
            need = Needed(role, wanted(each.others), within, each.rule)
            needs[role] = _stricter(needs.get(role), need)
    return tuple(needs.values())


def _stricter(one: Needed | None, other: Needed) -> Needed:
    if one is None:
        return other
    withins = [w for w in (one.within, other.within) if w is not None]
    return Needed(
        one.role, max(one.count, other.count), min(withins) if withins else None, one.rule
    )


def shown_of(case: Case) -> dict[str, Any]:
    """What an approver has to see of a call: its arguments, the reasons, the bounds, and the proof.

    Values of fields that are declared secret are masked. `personal` says that values of fields declared personal may be
    among them: all of it is dropped from the state once the approval is settled, and stays in the trace, where it is sealed.
    """
    decision = case.decision
    personal = {"personal": True} if erasable_of(case.program).places else {}
    return {
        **personal,
        "arguments": arguments_of(case),
        "reasons": [
            {"rule": reason.rule, "message": reason.message} for reason in decision.reasons
        ],
        "bounds": [
            {
                "path": bound.path,
                "says": bound.says,
                **({} if bound.value is None else {"value": bound.value}),
            }
            for bound in bounds_of(case)
        ],
        "requires": [
            {name: plain(value) for name, value in (("by", each.by), *each.others)}
            for each in decision.requires
        ],
        "proof": render(explanation_tree(case.explanation(), Words(case.model))),
    }


def arguments_of(case: Case) -> dict[str, Any]:
    """The validated arguments of a call in the forms of their types, secret ones masked."""
    assert case.facts is not None
    relation = case.program.schema.relations[case.facts.action]
    secret = secrets_of(case.program).places
    form = facts_to_json(
        _only(case.facts, {relation.name: case.facts.of(relation.name)}), case.program.schema
    )
    rows = form.get("rows", {}).get(relation.name, [{"values": {}}])
    hidden = {c.name for i, c in enumerate(relation.columns) if (relation.name, i) in secret}
    values: dict[str, Any] = rows[0]["values"]
    return {
        name: SECRET_WORD if name in hidden else value
        for name, value in values.items()
        if not isinstance(value, Missing)
    }
