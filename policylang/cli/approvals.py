"""`policylang approvals`: what people are asked about, and their answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policylang.cli.output import (
    ExitCode,
    diagnostics_json,
    json_option,
    report,
    write_json,
)
from policylang.cli.output import refuse as refuse_with
from policylang.cli.traces import existing, said, store_option
from policylang.diagnostics import visible

if TYPE_CHECKING:
    from policylang.gate.approvals import Approval, Voted
    from policylang.gate.approving import Approvals
    from policylang.trace.store import TraceStore

_STATUSES = ("pending", "granted", "refused", "used", "expired", "withdrawn")


@click.group("approvals")
def command() -> None:
    """See which calls wait for a person, and answer.

    \b
    policylang approvals list --store traces.duckdb --status pending
    policylang approvals show TICKET --store traces.duckdb
    policylang approvals grant TICKET --store traces.duckdb --as maria --facts maria.json
    """


@command.command("list")
@click.option("--status", type=click.Choice(_STATUSES), help="Only those.")
@store_option
@json_option
def list_(status: str | None, store_path: str, as_json: bool) -> None:
    """List approvals, the oldest first.

    \b
    policylang approvals list --status pending --store traces.duckdb
    """
    from policylang.gate.approvals import ApprovalStatus

    with _store(store_path) as store:
        found = _reader(store).all(None if status is None else ApprovalStatus(status))
    if as_json:
        write_json([approval.to_json() for approval in found])
        return
    for approval in found:
        click.echo(_line(approval))
    if not found:
        click.echo("no approvals")


@command.command("show")
@click.argument("ticket")
@store_option
@json_option
def show(ticket: str, store_path: str, as_json: bool) -> None:
    """Show what TICKET asks: the arguments that will run, why it is asked, and the proof.

    \b
    policylang approvals show TICKET --store traces.duckdb
    """
    with _store(store_path) as store:
        approval = _found(store, ticket)
    if as_json:
        write_json(approval.to_json())
    else:
        # INVARIANT: what is approved is what is read: no value moves the cursor or begins a line.
        click.echo("\n".join(map(visible, _whole(approval))))


def _voting(group: Any) -> Any:
    for option in (
        click.argument("ticket"),
        click.option("--as", "person", required=True, metavar="PERSON", help="Who answers."),
        click.option(
            "--facts",
            metavar="FILE|JSON",
            help='What is known of the person, by fact: {"approver": {"roles": ["manager"]}}.',
        ),
        click.option("--role", help="Answer for this role alone."),
        click.option("--note", default="", help="A word that is recorded with it."),
        click.option(
            "--trusted",
            is_flag=True,
            help="Where the policy does not say who may answer, believe whoever runs this.",
        ),
        click.option(
            "--policy",
            metavar="PATH",
            help="These policies decide who may answer, and not the recorded ones that asked.",
        ),
        store_option,
        json_option,
    ):
        group = option(group)
    return group


@command.command("grant")
@_voting
def grant(ticket: str, store_path: str, as_json: bool, **given: Any) -> None:
    """Grant what TICKET asks, as a person whom the policy lets.

    The policy decides by its action `approve_ACTION`, with the facts that are given. Whoever may write to the
    store is believed about who they are: protect its files.

    \b
    policylang approvals grant TICKET --as maria --facts maria.json --store traces.duckdb
    policylang approvals grant TICKET --as maria --role finance --note "seen the invoice" --store traces.duckdb
    """
    _vote(ticket, store_path, as_json, given, granted=True)


@command.command("refuse")
@_voting
def refuse(ticket: str, store_path: str, as_json: bool, **given: Any) -> None:
    """Refuse what TICKET asks: the call can never run.

    \b
    policylang approvals refuse TICKET --as maria --note "not our customer" --store traces.duckdb
    """
    _vote(ticket, store_path, as_json, given, granted=False)


@command.command("withdraw")
@click.argument("ticket")
@store_option
@json_option
def withdraw(ticket: str, store_path: str, as_json: bool) -> None:
    """Take the question of TICKET back, so that nobody can grant it any more.

    \b
    policylang approvals withdraw TICKET --store traces.duckdb
    """
    with _store(store_path) as store:
        approval = _reader(store).withdraw(ticket)
    if approval is None:
        raise click.ClickException(f"{ticket} is no approval that is open")
    if as_json:
        write_json(approval.to_json())
    else:
        click.echo(_line(approval))


def _vote(
    ticket: str, store_path: str, as_json: bool, given: dict[str, Any], *, granted: bool
) -> None:
    facts = _facts(given["facts"])
    with _store(store_path) as store:
        approval = _found(store, ticket)
        desk = _desk(store, approval, given["policy"], trusted=given["trusted"])
        answering = desk.grant if granted else desk.refuse
        voted = answering(
            approval.id, by=given["person"], facts=facts, role=given["role"], note=given["note"]
        )
    if as_json:
        write_json(_voted_json(voted))
    if voted.problem is not None:
        report([voted.problem])
        denied = voted.answer is not None
        raise click.exceptions.Exit(ExitCode.DENY if denied else ExitCode.FAILED)
    if not as_json and voted.approval is not None:
        click.echo(_line(voted.approval))


def _voted_json(voted: Voted) -> dict[str, Any]:
    from policylang.gate.answer_json import answer_to_json

    problems = [] if voted.problem is None else diagnostics_json([voted.problem])
    return {
        "accepted": voted.accepted,
        **({"approval": voted.approval.to_json()} if voted.approval is not None else {}),
        **({"diagnostics": problems} if problems else {}),
        **({"answer": answer_to_json(voted.answer)} if voted.answer is not None else {}),
    }


def _facts(text: str | None) -> dict[str, Any]:
    from policylang.facts.forms import Unfit
    from policylang.facts.json_text import read_json

    if text is None:
        return {}
    content = text if text.lstrip().startswith("{") else Path(text).read_bytes()
    try:
        facts = read_json(content)
    except Unfit as unfit:
        raise click.BadParameter(f"this is no JSON: {unfit.detail}", param_hint="--facts") from None
    if not isinstance(facts, dict):
        raise click.BadParameter("an object of facts is expected", param_hint="--facts")
    return facts


# --- the store ---------------------------------------------------------------------------------------------


@contextmanager
def _store(store_path: str) -> Iterator[TraceStore]:
    from policylang.trace.store import TraceStore

    path = existing(store_path)
    with said(), TraceStore.open(path) as store:
        yield store


def _reader(store: TraceStore) -> Approvals:
    """Approvals that are looked at, or taken back: nothing is decided about them."""
    from policylang.bundle.loading import loads
    from policylang.gate.approving import Approvals
    from policylang.rollout.deciding import SingleBundle

    return Approvals(store, SingleBundle(loads("module none")))


def _found(store: TraceStore, ticket: str) -> Approval:
    """The approval of a ticket, or of the beginning of one that no other ticket has."""
    reader = _reader(store)
    exact = reader.get(ticket)
    if exact is not None:
        return exact
    begun = [each for each in reader.all() if each.id.startswith(ticket)]
    if len(ticket) < _LEAST or not begun:
        from policylang.gate.approval_codes import UNKNOWN_TICKET

        refuse_with([UNKNOWN_TICKET.at(None, ticket=ticket[:64])])
        raise click.exceptions.Exit(ExitCode.FAILED)
    if len(begun) > 1:
        raise click.ClickException(f"{len(begun)} approvals begin with {ticket}")
    return begun[0]


_LEAST = 8


def _desk(store: TraceStore, approval: Approval, policy: str | None, *, trusted: bool) -> Approvals:
    from policylang.bundle.loading import load
    from policylang.gate.approving import Approvals, ApprovalSettings
    from policylang.gate.recorded import recorded_bundle
    from policylang.rollout.deciding import SingleBundle

    bundle = load(policy) if policy else recorded_bundle(store, approval.binding.program)
    return Approvals(store, SingleBundle(bundle), ApprovalSettings(trust_callers=trusted))


# --- text --------------------------------------------------------------------------------------------------


def _line(approval: Approval) -> str:
    waiting = ", ".join(_need(need) for need in approval.open_needs())
    rest = f"  waits for {waiting}" if approval.status.value == "pending" and waiting else ""
    action = approval.action.rpartition(".")[2]
    return visible(f"{approval.id}  {approval.status.value:9}  {action} for {approval.agent}{rest}")


def _need(need: Any) -> str:
    return need.role if need.count == 1 else f"{need.count} of {need.role}"


def _whole(approval: Approval) -> Iterator[str]:
    yield _line(approval)
    yield f"  asked    {approval.requested_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"  expires  {approval.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"  decision {approval.decision}"
    yield "arguments"
    for name, value in approval.shown["arguments"].items():
        yield f"  {name}: {value}"
    yield "reasons"
    for reason in approval.shown["reasons"]:
        yield f"  {reason['message']}"
    if approval.votes:
        yield "answers"
    for vote in approval.votes:
        word = "granted" if vote.granted else "refused"
        note = f": {vote.note}" if vote.note else ""
        yield f"  {word} by {vote.person} as {vote.role}{note}"
    yield "proof"
    yield from (f"  {line}" for line in approval.shown["proof"].splitlines())
