"""The state of approvals: each change is one transaction, with its event for the chain.

INVARIANT: an approval is used where one transaction saw it granted and changed it to used. Whoever comes second, on
whatever process, sees it used.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from policylang.facts.forms import read_duration
from policylang.gate.approvals import Approval, ApprovalStatus, Binding, Needed, Vote
from policylang.trace.state import Reading, Transaction, tables

EVENT: Final = "approval"
"""The kind of record that the chain holds of each change."""

_TABLES: Final = (
    """CREATE TABLE approvals (
        id TEXT PRIMARY KEY, status TEXT NOT NULL, action TEXT NOT NULL, agent TEXT NOT NULL,
        subject TEXT NOT NULL, decision TEXT NOT NULL, call TEXT NOT NULL, facts TEXT NOT NULL,
        program TEXT NOT NULL, requested INTEGER NOT NULL, expires INTEGER NOT NULL, settled INTEGER,
        used_by TEXT NOT NULL DEFAULT '', needs TEXT NOT NULL, shown TEXT NOT NULL)""",
    "CREATE INDEX approvals_by_call ON approvals (call, status)",
    """CREATE TABLE approval_votes (
        approval TEXT NOT NULL, role TEXT NOT NULL, person TEXT NOT NULL, granted INTEGER NOT NULL,
        at INTEGER NOT NULL, decision TEXT NOT NULL, note TEXT NOT NULL,
        PRIMARY KEY (approval, role, person))""",
)
tables("approvals", *_TABLES)

_COLUMNS: Final = (
    "id, status, action, agent, subject, decision, call, facts, program, requested, expires,"
    " used_by, needs, shown"
)
FORGOTTEN: Final[Mapping[str, Any]] = {
    "forgotten": True,
    "arguments": {},
    "reasons": [],
    "proof": "",
}
"""What is left of what was shown, where that may have been personal."""

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def micros(moment: dt.datetime) -> int:
    """A moment as the state holds it."""
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def moment_of(stored: int) -> dt.datetime:
    """The moment that the state holds."""
    return _EPOCH + dt.timedelta(microseconds=stored)


# --- reading -----------------------------------------------------------------------------------------------


def find(tx: Reading, id_: str, now: dt.datetime) -> Approval | None:
    """The approval of that ticket as it is at a moment."""
    return next(iter(_read(tx, "WHERE id = ?", (id_,), now)), None)


def find_all(tx: Reading, now: dt.datetime) -> tuple[Approval, ...]:
    """Every approval, the oldest first."""
    return tuple(_read(tx, "ORDER BY requested, id", (), now))


def find_open(tx: Reading, binding: Binding, now: dt.datetime) -> Approval | None:
    """The open approval of exactly this call on these facts under this program."""
    where = "WHERE call = ? AND facts = ? AND program = ? AND status IN ('pending', 'granted')"
    found = _read(tx, where, (binding.call, binding.facts, binding.program), now)
    return next((approval for approval in found if approval.status.is_open), None)


def refusals(tx: Reading, since: dt.datetime) -> dict[str, tuple[str, dt.datetime]]:
    """The calls that were refused since a moment: their digests, each with ticket and time of the last refusal."""
    rows = tx.execute(
        "SELECT call, id, settled FROM approvals WHERE status = 'refused' AND settled > ? ORDER BY settled",
        (micros(since),),
    )
    return {call: (id_, moment_of(settled)) for call, id_, settled in rows}


def _read(tx: Reading, where: str, values: tuple[str, ...], now: dt.datetime) -> Iterable[Approval]:
    for row in tx.execute(f"SELECT {_COLUMNS} FROM approvals {where}", values):
        votes = tx.execute(
            "SELECT person, role, granted, at, decision, note FROM approval_votes"
            " WHERE approval = ? ORDER BY at, person, role",
            (row[0],),
        )
        yield _approval(row, [_vote(vote) for vote in votes], now)


def _approval(row: tuple[Any, ...], votes: list[Vote], now: dt.datetime) -> Approval:
    status, expires = ApprovalStatus(row[1]), moment_of(row[10])
    if status.is_open and expires <= now:
        status = ApprovalStatus.EXPIRED
    return Approval(
        id=row[0],
        status=status,
        action=row[2],
        agent=row[3],
        subject=row[4],
        decision=row[5],
        binding=Binding(row[6], row[7], row[8]),
        requested_at=moment_of(row[9]),
        expires_at=expires,
        used_by=row[11],
        needs=tuple(_need(need) for need in json.loads(row[12])),
        votes=tuple(votes),
        shown=json.loads(row[13]),
    )


def _vote(row: tuple[Any, ...]) -> Vote:
    return Vote(row[0], row[1], bool(row[2]), moment_of(row[3]), row[4], row[5])


def _need(form: Mapping[str, Any]) -> Needed:
    within = read_duration(form["within"]) if "within" in form else None
    return Needed(form["role"], form["count"], within, form["rule"])


# --- changing ----------------------------------------------------------------------------------------------


def insert(tx: Transaction, approval: Approval) -> None:
    """Put a new approval into the state."""
    tx.change(
        f"INSERT INTO approvals ({_COLUMNS}) VALUES ({', '.join('?' * 14)})",
        (
            approval.id,
            approval.status.value,
            approval.action,
            approval.agent,
            approval.subject,
            approval.decision,
            approval.binding.call,
            approval.binding.facts,
            approval.binding.program,
            micros(approval.requested_at),
            micros(approval.expires_at),
            approval.used_by,
            _needs_text(approval),
            json.dumps(approval.shown, ensure_ascii=False),
        ),
    )
    forget(tx, approval.requested_at)
    tx.event(EVENT, {"event": "requested", **_told(approval), **_asked(approval)})


def _needs_text(approval: Approval) -> str:
    return json.dumps([need.to_json() for need in approval.needs], ensure_ascii=False)


def insert_votes(tx: Transaction, approval: Approval, votes: Iterable[Vote]) -> Approval:
    """Add votes to an approval; the approval with them."""
    added = tuple(votes)
    for vote in added:
        tx.change(
            "INSERT INTO approval_votes VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                approval.id,
                vote.role,
                vote.person,
                int(vote.granted),
                micros(vote.at),
                vote.decision,
                vote.note,
            ),
        )
        tx.event(EVENT, {"event": "voted", **_told(approval), **_said(vote)})
    return replace(approval, votes=(*approval.votes, *added))


def settle(
    tx: Transaction,
    approval: Approval,
    status: ApprovalStatus,
    now: dt.datetime,
    *,
    expires: dt.datetime | None = None,
    used_by: str = "",
) -> Approval:
    """Change the status of an approval, and say so in the chain; the approval with it."""
    changed = replace(
        approval, status=status, expires_at=expires or approval.expires_at, used_by=used_by
    )
    if not status.is_open:
        forget(tx, now, approval.id)
    tx.change(
        "UPDATE approvals SET status = ?, settled = ?, expires = ?, used_by = ? WHERE id = ?",
        (status.value, micros(now), micros(changed.expires_at), used_by, approval.id),
    )
    by = {"used_by": used_by} if used_by else {}
    tx.event(EVENT, {"event": status.value, **_told(approval), **by})
    return changed


def forget(tx: Transaction, now: dt.datetime, id_: str = "") -> None:
    """Drop what was shown of a settled approval, and of those that have expired, where it may be personal.

    The decision that asked holds all of it, sealed with the keys of its subjects; here it would outlive their erasure.
    """
    tx.change(
        """UPDATE approvals SET shown = ? WHERE json_extract(shown, '$.personal')
            AND (id = ? OR (status IN ('pending', 'granted') AND expires <= ?))""",
        (json.dumps(FORGOTTEN), id_, micros(now)),
    )


def ask_again(
    tx: Transaction, approval: Approval, needs: tuple[Needed, ...], now: dt.datetime
) -> Approval:
    """Make an approval pending for what else is asked for; votes for other roles stay."""
    asked = {need.role for need in needs}
    for role in asked:
        values = (approval.id, role)
        tx.change("DELETE FROM approval_votes WHERE approval = ? AND role = ?", values)
    known = {need.role: need for need in approval.needs}
    changed = replace(
        approval,
        needs=tuple({**known, **{need.role: need for need in needs}}.values()),
        status=ApprovalStatus.PENDING,
        votes=tuple(vote for vote in approval.votes if vote.role not in asked),
    )
    tx.change(
        "UPDATE approvals SET status = 'pending', settled = ?, needs = ? WHERE id = ?",
        (micros(now), _needs_text(changed), approval.id),
    )
    tx.event(EVENT, {"event": "asked_again", **_told(changed), **_asked(changed)})
    return changed


def _told(approval: Approval) -> dict[str, Any]:
    """What every event says: of which approval, and what it is bound to."""
    subject = {"subject": approval.subject} if approval.subject else {}
    return {
        "ticket": approval.id,
        "decision": approval.decision,
        "action": approval.action,
        "agent": approval.agent,
        **subject,
        "call": approval.binding.call,
        "facts": approval.binding.facts,
        "program": approval.binding.program,
    }


def _asked(approval: Approval) -> dict[str, Any]:
    return {"needs": [need.to_json() for need in approval.needs]}


def _said(vote: Vote) -> dict[str, Any]:
    note = {"note": vote.note} if vote.note else {}
    by = {"by_decision": vote.decision} if vote.decision else {}
    return {"person": vote.person, "role": vote.role, "granted": vote.granted, **by, **note}
