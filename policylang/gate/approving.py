"""`Approvals`: asking people about calls, taking their answers, and letting a call run once with a granted one."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from policylang.bundle.case import Case
from policylang.decide.decision import Outcome
from policylang.decide.heads import APPROVALS
from policylang.diagnostics import Diagnostic
from policylang.facts.border import utc_now
from policylang.facts.forms import write_datetime
from policylang.gate import approval_codes as codes
from policylang.gate import approvals_store as stored
from policylang.gate.answer import Answer, AnswerKind, Retry, When, refused
from policylang.gate.answer_making import answer_of
from policylang.gate.approvals import (
    Approval,
    ApprovalStatus,
    Binding,
    Needed,
    Vote,
    Voted,
    binding_of,
    needs_of,
    shown_of,
)
from policylang.gate.approvals_notice import Notice, notify
from policylang.gate.approvals_rights import Person, approving_action, decide_rights, person_seen
from policylang.rollout.deciding import Decider
from policylang.trace.identity import Identities
from policylang.trace.state import Transaction
from policylang.trace.store import TraceStore

DAY: Final = dt.timedelta(days=1)

_FIRST_LOOK: Final = 0.02
_LAST_LOOK: Final = 0.5

_NEVER: Final = Retry(When.NEVER)


@dataclass(frozen=True, slots=True)
class ApprovalSettings:
    """How approvals are handled where the policy does not say.

    `patience` is how long an answer is waited for, and how long a granted approval can be used where the rule has no
    `within`. For `refusal_holds` after a refusal the same call is not asked about again, but denied. `rights` maps
    actions to the actions that decide who may answer, where they are not called `approve_ACTION` or `approve`. With
    `trust_callers`, whoever calls `grant` is believed where the policy declares no such action. `notices` are
    called when an approval is asked for or settled.
    """

    patience: dt.timedelta = DAY
    refusal_holds: dt.timedelta = DAY
    rights: Mapping[str, str] = field(default_factory=dict)
    trust_callers: bool = False
    notices: Sequence[Notice] = ()


class Approvals:
    """The approvals of a store, for the calls that one decider decides. Thread-safe, and safe across processes.

    Every method raises `TraceUnavailableError` where the state or the record cannot be read or written: nothing may run then.
    """

    def __init__(
        self,
        store: TraceStore,
        decider: Decider,
        settings: ApprovalSettings | None = None,
        *,
        clock: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        self._store = store
        self._decider = decider
        self._settings = settings or ApprovalSettings()
        self._clock = clock
        self._identities = Identities()
        self._changed = threading.Condition()
        self._refused: tuple[object, dict[str, tuple[str, dt.datetime]]] = (None, {})

    # --- for the gate ---

    def rows(self, ticket: str | None) -> list[dict[str, Any]]:
        """The votes of a ticket as the `approvals` of a request, so that the call is decided with them."""
        found = None if ticket is None else self.get(ticket)
        if found is None or not found.status.is_open:
            return []
        return [
            {"by": vote.role, "id": _identity(found, vote), "time": write_datetime(vote.at)}
            for vote in found.votes
            if vote.granted
        ]

    def ready(self, case: Case, *, agent: str, subject: str = "") -> str | None:
        """The ticket of a granted approval of exactly this call, for a caller that holds none: decide again with it."""
        if case.decision.outcome is not Outcome.NEEDS_APPROVAL or not self._store.state.exists:
            return None
        binding = binding_of(case, agent, subject)
        with self._store.state.read() as reading:
            found = stored.find_open(reading, binding, self._clock())
        return found.id if found is not None and found.status is ApprovalStatus.GRANTED else None

    def answer(
        self,
        case: Case,
        decision_id: str,
        *,
        agent: str,
        subject: str = "",
        ticket: str | None = None,
    ) -> Answer:
        """The answer to a call that was just decided, with the votes of its ticket where it has one.

        Where the rules ask for an approval, it is asked for, once for each call. A ticket is used up by the answer
        that allows the call. A call that a person refused is denied whatever the rules say of it now.
        """
        if case.decision.outcome is Outcome.DENY or case.facts is None:
            return answer_of(case, decision_id, ticket)
        barred = self._barred(case, agent, subject, decision_id)
        if barred is not None:
            return barred
        if case.decision.outcome is Outcome.NEEDS_APPROVAL:
            return self._asked(case, decision_id, agent, subject, ticket)
        if ticket is not None:
            binding = binding_of(case, agent, subject)
            against = self._use(ticket, case, binding, decision_id)
            if against is not None:
                return against
        return answer_of(case, decision_id, ticket)

    # --- for people ---

    def get(self, ticket: str) -> Approval | None:
        """The approval of a ticket as it is now."""
        if not self._store.state.exists:
            return None
        with self._store.state.read() as reading:
            return stored.find(reading, ticket, self._clock())

    def all(self, status: ApprovalStatus | None = None) -> tuple[Approval, ...]:
        """Every approval, or those of a status, the oldest first."""
        if not self._store.state.exists:
            return ()
        with self._store.state.read() as reading:
            found = stored.find_all(reading, self._clock())
        return tuple(each for each in found if status in (None, each.status))

    def grant(
        self,
        ticket: str,
        *,
        by: str,
        facts: Mapping[str, Any] | None = None,
        role: str | None = None,
        note: str = "",
    ) -> Voted:
        """A person's yes. `by` is an identity that the caller has made sure of, `facts` what is known of the person.

        The policy decides whether the person may answer, for each role that is open or for the one that is named; the
        decision is recorded. Without enough others the approval stays pending.
        """
        return self._vote(ticket, Person(by, facts or {}), role, note, granted=True)

    def refuse(
        self,
        ticket: str,
        *,
        by: str,
        facts: Mapping[str, Any] | None = None,
        role: str | None = None,
        note: str = "",
    ) -> Voted:
        """A person's no, by the same rights as a yes: one is enough, and the call can never run."""
        return self._vote(ticket, Person(by, facts or {}), role, note, granted=False)

    def withdraw(self, ticket: str) -> Approval | None:
        """Take back a question that is open; None where there is none such."""
        now = self._clock()
        with self._store.state.transaction() as tx:
            found = stored.find(tx, ticket, now)
            if found is None or not found.status.is_open:
                return None
            withdrawn = stored.settle(tx, found, ApprovalStatus.WITHDRAWN, now)
        self._tell(withdrawn)
        return withdrawn

    def wait(self, ticket: str, timeout: float) -> Approval | None:
        """Wait until an approval is no longer pending, or the seconds are over; as it is then, None where there is none."""
        for pause in self._pauses(timeout):
            found = self.get(ticket)
            if found is None or found.status is not ApprovalStatus.PENDING:
                return found
            with self._changed:
                self._changed.wait(pause)
        return self.get(ticket)

    async def await_settled(self, ticket: str, timeout: float) -> Approval | None:
        """As `wait`, without holding up the loop."""
        for pause in self._pauses(timeout):
            found = await asyncio.to_thread(self.get, ticket)
            if found is None or found.status is not ApprovalStatus.PENDING:
                return found
            await asyncio.sleep(pause)
        return await asyncio.to_thread(self.get, ticket)

    def _pauses(self, timeout: float) -> Iterator[float]:
        """How long to pause between two looks: seldom after a while, since people take their time."""
        end, pause = time.monotonic() + timeout, _FIRST_LOOK
        while (left := end - time.monotonic()) > 0:
            yield min(pause, left)
            pause = min(pause * 1.5, _LAST_LOOK)

    # --- asking ---

    def _asked(
        self,
        case: Case,
        decision_id: str,
        agent: str,
        subject: str,
        ticket: str | None,
    ) -> Answer:
        now, needs = self._clock(), needs_of(case.decision.requires)
        binding = binding_of(case, agent, subject)
        with self._store.state.transaction() as tx:
            found = stored.find_open(tx, binding, now)
            if found is None and ticket is not None:
                against = _against(stored.find(tx, ticket, now), ticket, binding)
                if against is not None:
                    return self._denied(case, decision_id, ticket, against)
            is_new = found is None
            if found is None:
                found = self._new(case, decision_id, binding, agent, subject, needs, now)
                stored.insert(tx, found)
            elif found.status is ApprovalStatus.GRANTED and _knew(case, found):
                # It was decided with all votes, and the rules ask for something else besides.
                found = stored.ask_again(tx, found, needs, now)
        if is_new:
            self._tell(found)
        return answer_of(case, decision_id, found.id)

    def _new(
        self,
        case: Case,
        decision_id: str,
        binding: Binding,
        agent: str,
        subject: str,
        needs: tuple[Needed, ...],
        now: dt.datetime,
    ) -> Approval:
        return Approval(
            id=self._identities.new(),
            status=ApprovalStatus.PENDING,
            action=case.decision.action,
            agent=agent,
            subject=subject,
            decision=decision_id,
            binding=binding,
            requested_at=now,
            expires_at=now + self._settings.patience,
            needs=needs,
            votes=(),
            shown=shown_of(case),
        )

    # --- using ---

    def _use(self, ticket: str, case: Case, binding: Binding, decision_id: str) -> Answer | None:
        """Use up an approval for a call; the refusal where it does not serve."""
        now = self._clock()
        with self._store.state.transaction() as tx:
            found = stored.find(tx, ticket, now)
            against = _against(found, ticket, binding)
            if against is None and found is not None:
                if found.status is ApprovalStatus.PENDING:
                    return self._pending(case, decision_id, found)
                stored.settle(tx, found, ApprovalStatus.USED, now, used_by=decision_id)
                return None
        assert against is not None
        return self._denied(case, decision_id, ticket, against)

    def _pending(self, case: Case, decision_id: str, found: Approval) -> Answer:
        """The rules would let it run without the approval now, but a person was asked and has not answered."""
        message = "the approval that was asked for is not granted yet"
        kind, retry = AnswerKind.APPROVAL_PENDING, Retry(When.APPROVED)
        return refused(
            case.decision.action,
            kind,
            message,
            retry=retry,
            decision_id=decision_id,
            ticket=found.id,
            program=case.decision.program,
        )

    def _denied(
        self, case: Case, decision_id: str, ticket: str, against: tuple[AnswerKind, str]
    ) -> Answer:
        kind, message = against
        again = Retry(When.ANEW) if kind in _ASK_ANEW else _NEVER
        return refused(
            case.decision.action,
            kind,
            message,
            retry=again,
            decision_id=decision_id,
            ticket=ticket,
            program=case.decision.program,
        )

    def _barred(self, case: Case, agent: str, subject: str, decision_id: str) -> Answer | None:
        """The denial of a call that a person refused, as long as that holds: whatever the rules say by now."""
        refusals, since = self._refusals(), self._clock() - self._settings.refusal_holds
        if not refusals:
            return None
        found = refusals.get(binding_of(case, agent, subject).call)
        if found is None or found[1] <= since:
            return None
        return self._denied(case, decision_id, found[0], _SETTLED[ApprovalStatus.REFUSED])

    def _refusals(self) -> dict[str, tuple[str, dt.datetime]]:
        """The calls that were refused of late; read again only where the state has changed."""
        if not self._store.state.exists:
            return {}
        version = self._store.state.version()
        known, refusals = self._refused
        if known != version:
            with self._store.state.read() as reading:
                since = self._clock() - self._settings.refusal_holds
                refusals = stored.refusals(reading, since)
            self._refused = version, refusals
        return refusals

    # --- voting ---

    def _vote(
        self, ticket: str, person: Person, role: str | None, note: str, *, granted: bool
    ) -> Voted:
        found = self.get(ticket)
        problem = self._not_open(found, ticket, person, role)
        if problem is not None or found is None:
            return Voted(found, problem)
        roles = [role] if role is not None else [need.role for need in found.open_needs()]
        votes, against = self._entitled(found, roles, person, note, granted=granted)
        if not votes:
            return Voted(found, against[0], against[1])
        return self._counted(ticket, person, votes, role)

    def _not_open(
        self, found: Approval | None, ticket: str, person: Person, role: str | None
    ) -> Diagnostic | None:
        if found is None:
            return codes.UNKNOWN_TICKET.at(None, ticket=ticket[:64])
        if not person.id.strip():
            return codes.NO_IDENTITY.at(None)
        if person.id in (found.agent, found.subject):
            return codes.SELF_APPROVAL.at(None, person=person.id)
        if found.status is not ApprovalStatus.PENDING:
            return codes.ALREADY_SETTLED.at(
                None, status=found.status.value, next=_NEXT[found.status]
            )
        waiting = [need.role for need in found.open_needs()]
        if role is not None and role not in waiting:
            hint = "waited for: " + ", ".join(waiting)
            return codes.NOT_ASKED.at(None, role=role, hint=hint)
        return None

    def _entitled(
        self, found: Approval, roles: Sequence[str], person: Person, note: str, *, granted: bool
    ) -> tuple[list[Vote], tuple[Diagnostic, Answer | None]]:
        """The votes that the policy lets a person give, and why not where there are none."""
        deciding = approving_action(self._decider.program, found.action, self._settings.rights)
        now, votes = self._clock(), list[Vote]()
        if isinstance(deciding, Diagnostic):
            if self._settings.trust_callers:
                votes = [Vote(person.id, role, granted, now, "", note) for role in roles]
            return votes, (deciding, None)
        answer: Answer | None = None
        for role in roles:
            decided = decide_rights(self._decider, deciding, found, role, person)
            recorded = self._store.record(
                decided.case,
                agent=person.id,
                stage=decided.stage,
                bucket=decided.bucket,
                rollouts=[sliced.to_json() for sliced in decided.rollouts],
            )
            self._decider.settle(decided, recorded, person.id)
            answer = answer_of(decided.case, recorded)
            seen = person_seen(decided.case, person).id
            if seen in (found.agent, found.subject):
                return [], (codes.SELF_APPROVAL.at(None, person=person.id), None)
            if answer.allowed:
                votes.append(Vote(seen, role, granted, now, recorded, note))
        reason = "nothing was asked" if answer is None else answer.grounds[0].message
        listed = ", ".join(f"`{role}`" for role in roles)
        problems = () if answer is None else answer.problems
        refusal = codes.NOT_ENTITLED.at(
            None,
            person=person.id,
            roles=listed,
            reason=reason,
            notes=[str(problem) for problem in problems],
            hint=_FACTS_OF_A_PERSON if problems else None,
        )
        return votes, (refusal, answer)

    def _counted(
        self, ticket: str, person: Person, votes: Sequence[Vote], role: str | None
    ) -> Voted:
        """Count votes in one transaction: of two that come at once, each sees what the other did."""
        now = self._clock()
        with self._store.state.transaction() as tx:
            found = stored.find(tx, ticket, now)
            problem = self._not_open(found, ticket, person, role)
            if problem is not None or found is None:
                return Voted(found, problem)
            given = {vote.role for vote in found.votes if vote.person == votes[0].person}
            counting = [vote for vote in votes if vote.role not in given]
            if not counting:
                roles = ", ".join(f"`{vote.role}`" for vote in votes)
                problem = codes.VOTED_TWICE.at(None, person=person.id, roles=roles)
                return Voted(found, problem)
            found = self._settled(tx, stored.insert_votes(tx, found, counting), now)
        self._tell(found)
        return Voted(found)

    def _settled(self, tx: Transaction, found: Approval, now: dt.datetime) -> Approval:
        """The approval after votes: refused by one no, granted where no need is open."""
        if not all(vote.granted for vote in found.votes):
            return stored.settle(tx, found, ApprovalStatus.REFUSED, now)
        if found.open_needs():
            return found
        expires = _usable_until(found, now + self._settings.patience)
        return stored.settle(tx, found, ApprovalStatus.GRANTED, now, expires=expires)

    def _tell(self, approval: Approval) -> None:
        with self._changed:
            self._changed.notify_all()
        notify(self._settings.notices, approval)


def _identity(approval: Approval, vote: Vote) -> str:
    """What a vote is called among the approvals of a request: people are told apart by it."""
    return f"{approval.id}/{vote.person}"


def _knew(case: Case, approval: Approval) -> bool:
    """Whether a call was decided with every vote of an approval; one may have come in just now."""
    assert case.facts is not None
    relation = case.program.schema.relations[APPROVALS]
    position = relation.position("id")
    known = {row.values[position] for row in case.facts.of(APPROVALS)}
    return all(
        _identity(approval, vote) in known and vote.at <= case.facts.now
        for vote in approval.votes
        if vote.granted
    )


def _usable_until(approval: Approval, latest: dt.datetime) -> dt.datetime:
    """Until when a granted approval serves: as long as enough votes of each role are young enough."""
    ends = (
        approval.grants(need.role)[need.count - 1].at + need.within
        for need in approval.needs
        if need.within is not None
    )
    return min([latest, *ends])


_SETTLED: Final = {
    ApprovalStatus.REFUSED: (
        AnswerKind.APPROVAL_REFUSED,
        "a person has refused this call, and it will not run",
    ),
    ApprovalStatus.USED: (AnswerKind.APPROVAL_USED, "the approval was used already"),
    ApprovalStatus.EXPIRED: (AnswerKind.APPROVAL_EXPIRED, "the approval has expired"),
    ApprovalStatus.WITHDRAWN: (AnswerKind.APPROVAL_EXPIRED, "the approval was withdrawn"),
}

_FACTS_OF_A_PERSON: Final = "give what the policy reads of the person: `facts=`, or `--facts FILE`"

_NEXT: Final = {
    ApprovalStatus.GRANTED: "the call can be made with this ticket",
    ApprovalStatus.REFUSED: "the call is denied for a time; made again after that, it asks anew",
    ApprovalStatus.USED: "made again, the call asks anew",
    ApprovalStatus.EXPIRED: "made again, the call asks anew",
    ApprovalStatus.WITHDRAWN: "made again, the call asks anew",
}
"""What can be done about a call whose approval is settled."""

_ASK_ANEW: Final = frozenset(
    {
        AnswerKind.APPROVAL_EXPIRED,
        AnswerKind.APPROVAL_USED,
        AnswerKind.APPROVAL_OF_ANOTHER,
        AnswerKind.APPROVAL_UNKNOWN,
    }
)
"""Refusals after which the call may be asked for again, without this ticket."""


def _against(
    found: Approval | None, ticket: str, binding: Binding
) -> tuple[AnswerKind, str] | None:
    """Why an approval does not serve for a call; None where it may."""
    if found is None:
        return AnswerKind.APPROVAL_UNKNOWN, f"there is no approval {ticket[:64]}"
    differs = _difference(found.binding, binding)
    if differs is not None:
        return AnswerKind.APPROVAL_OF_ANOTHER, f"the approval is one of {differs}"
    return _SETTLED.get(found.status)


def _difference(approved: Binding, asked: Binding) -> str | None:
    """What an approval is of that the call is not; None where they agree."""
    if approved.call != asked.call:
        return "another call: other arguments, or another agent"
    if approved.program != asked.program:
        return "another version of the policy"
    return "other facts" if approved.facts != asked.facts else None
