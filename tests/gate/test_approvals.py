"""Approvals: bound to one call, given by people the policy lets, used once, decided again when used."""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from policylang import loads
from policylang.gate.answer_text import for_model
from policylang.gate.approvals import ApprovalStatus
from policylang.gate.approving import ApprovalSettings
from policylang.gate.gate import Gate
from policylang.gate.verdict import Refused
from policylang.trace.reading import Filter
from tests.gate.refunds import BOARD, BOT, MANAGER, NOW, REFUNDS, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk over a store of its own."""
    opened = Desk(tmp_path / "traces.duckdb")
    yield opened
    opened.close()


def granted(desk: Desk, amount: str = "480.00") -> str:
    """The ticket of a refund that a manager has granted."""
    ticket = desk.call(amount).ticket
    assert desk.approvals.grant(ticket, by="maria", facts=MANAGER).accepted
    return str(ticket)


def test_an_approved_call_runs_once(desk: Desk) -> None:
    """A granted approval allows exactly one call; the second is told that it was used."""
    ticket = granted(desk)
    assert desk.call("480.00", ticket).allowed
    second = desk.call("480.00", ticket)
    assert (second.outcome.value, second.grounds[0].kind) == ("deny", "approval_used")


def test_field_failure_2_a_refused_call_never_runs_even_where_the_condition_became_false(
    desk: Desk,
) -> None:
    """After a person's no the call is denied with and without its ticket, whatever the rules say by then."""
    ticket = desk.call("480.00").ticket
    assert desk.approvals.refuse(ticket, by="maria", facts=MANAGER).accepted
    desk.change_policy(REFUNDS.replace("= 200.00", "= 1_000.00"))
    with_ticket, without = desk.call("480.00", ticket), desk.call("480.00")
    assert [a.grounds[0].kind for a in (with_ticket, without)] == ["approval_refused"] * 2
    assert not with_ticket.allowed
    assert not without.allowed
    assert without.retry.when.value == "never"
    assert "Do not try it again" in for_model(without)


def test_field_failure_3_approved_at_9_and_resumed_at_99999_is_refused(tmp_path: Path) -> None:
    """An approval of one amount does not serve for another."""
    desk = Desk(tmp_path / "traces.duckdb", REFUNDS.replace("= 200.00", "= 5.00"))
    ticket = granted(desk, "9")
    edited = desk.call("99999", ticket)
    assert (edited.outcome.value, edited.grounds[0].kind) == ("deny", "approval_of_another")
    assert desk.call("9.00", ticket).allowed
    desk.close()


def test_the_ticket_of_a_refused_call_never_serves_again(desk: Desk) -> None:
    """A refusal holds for its ticket for good; after `refusal_holds` the call may be asked about anew."""
    ticket = desk.call("480.00").ticket
    desk.approvals.refuse(ticket, by="maria", facts=MANAGER)
    desk.now += dt.timedelta(days=2)
    assert desk.call("480.00", ticket).grounds[0].kind == "approval_refused"
    again = desk.call("480.00")
    assert again.outcome.value == "needs_approval"
    assert again.ticket != ticket


@pytest.mark.parametrize(
    "change",
    [{"amount": "480.01"}, {"note": "hurry"}, {"agent": {**BOT, "id": "bot-8"}}],
    ids=["amount", "note", "agent"],
)
def test_an_approval_is_bound_to_the_call(desk: Desk, change: dict[str, Any]) -> None:
    """Other arguments, even ones that no rule reads, or another agent need another approval."""
    answer = desk.call(**{"amount": "480.00", **change}, ticket=granted(desk))
    assert (answer.allowed, answer.grounds[0].kind) == (False, "approval_of_another")


def test_an_approval_is_bound_to_the_facts_and_the_policy(desk: Desk) -> None:
    """Where a fact that a rule reads, or the policy, has changed, the approval does not serve."""
    ticket = granted(desk)
    wider = {**BOT, "scopes": ["refunds:write", "admin"]}
    assert "other facts" in desk.call("480.00", ticket, agent=wider).grounds[0].message
    desk.change_policy(REFUNDS.replace("= 200.00", "= 300.00"))
    assert "another version" in desk.call("480.00", ticket).grounds[0].message


def test_a_call_is_decided_again_when_it_runs(desk: Desk) -> None:
    """A deny rule that fires by now goes before the approval, which is not used up."""
    ticket = granted(desk)
    assert desk.call("480.00", ticket, customer={"flagged": True}).outcome.value == "deny"
    assert desk.approvals.get(ticket).status is ApprovalStatus.GRANTED  # type: ignore[union-attr]


def test_an_approval_expires(desk: Desk) -> None:
    """After the rule's `within` a granted approval serves no more, and neither does an unanswered one after a day."""
    ticket, waiting = granted(desk), desk.call("481.00").ticket
    desk.now += dt.timedelta(hours=4)
    assert desk.call("480.00", ticket).grounds[0].kind == "approval_expired"
    desk.now += dt.timedelta(days=1)
    late = desk.approvals.grant(waiting, by="maria", facts=MANAGER)
    assert late.problem is not None
    assert late.problem.code == "PL0821"


def test_the_same_call_is_asked_about_once(desk: Desk) -> None:
    """Asking again for what waits gives the same ticket."""
    assert desk.call("480.00").ticket == desk.call("480.00").ticket
    assert desk.call("480.00").ticket != desk.call("490.00").ticket


def test_what_is_wrong_with_the_facts_of_a_person_is_told(desk: Desk) -> None:
    """An answer whose facts are not as declared does not count, and says which they are."""
    ticket = desk.call("480.00").ticket
    voted = desk.approvals.grant(ticket, by="maria", facts={"approver": {"role": "manager"}})
    assert voted.problem is not None
    assert voted.problem.code == "PL0824"
    assert "approver.role: this field is not declared" in voted.problem.notes
    assert "--facts FILE" in (voted.problem.hint or "")


def test_the_policy_decides_who_may_answer(desk: Desk) -> None:
    """A person without the role may neither grant nor refuse, and the decision about that is recorded."""
    ticket = desk.call("480.00").ticket
    for vote in (desk.approvals.grant, desk.approvals.refuse):
        voted = vote(ticket, by="carl", facts=BOARD)
        assert voted.problem is not None
        assert voted.problem.code == "PL0824"
        assert voted.answer is not None
        with desk.store.view() as view:
            record = view.get(voted.answer.decision_id)
        assert record is not None
        assert record.body["decision"]["action"] == "refunds.approve_refund"
    assert desk.approvals.get(ticket).status is ApprovalStatus.PENDING  # type: ignore[union-attr]


def test_nobody_answers_for_their_own_call(desk: Desk) -> None:
    """The agent of a call cannot grant it, whatever roles it claims."""
    voted = desk.approvals.grant(desk.call("480.00").ticket, by="bot-7", facts=MANAGER)
    assert voted.problem is not None
    assert voted.problem.code == "PL0822"


def test_a_claimed_identity_is_overwritten(desk: Desk) -> None:
    """Who answers is who the caller says it is, and not what the facts claim."""
    ticket = desk.call("480.00").ticket
    facts = {"approver": {"id": "somebody", "roles": ["manager"]}}
    assert desk.approvals.grant(ticket, by="maria", facts=facts).accepted
    approval = desk.approvals.get(ticket)
    assert approval is not None
    assert approval.votes[0].person == "maria"


def test_so_many_of_a_role_are_needed_as_the_rule_counts(desk: Desk) -> None:
    """With `count: 2` two different people of the board are needed, beside the manager."""
    ticket = desk.call("6000.00").ticket
    assert desk.approvals.grant(ticket, by="maria", facts=MANAGER).accepted
    assert desk.approvals.grant(ticket, by="bo", facts=BOARD).accepted
    twice = desk.approvals.grant(ticket, by="bo", facts=BOARD)
    assert twice.problem is not None
    assert twice.problem.code == "PL0825"
    assert not desk.call("6000.00", ticket).allowed
    assert desk.approvals.grant(ticket, by="kim", facts=BOARD).approval.status.value == "granted"  # type: ignore[union-attr]
    assert desk.call("6000.00", ticket).allowed


def test_one_no_is_enough(desk: Desk) -> None:
    """Of several who are asked, one refusal refuses the call."""
    ticket = desk.call("6000.00").ticket
    desk.approvals.grant(ticket, by="maria", facts=MANAGER)
    assert desk.approvals.refuse(ticket, by="bo", facts=BOARD).accepted
    assert desk.call("6000.00", ticket).grounds[0].kind == "approval_refused"


def test_without_an_action_for_it_nobody_may_answer(tmp_path: Path) -> None:
    """Where the policy does not say who may, a vote is refused with what to declare, unless callers are trusted."""
    text = 'module m fact agent { id: String } action pay { amount: Int } rule ask: require approval(by: "boss") for pay if agent.id == "b"'
    for trusted in (False, True):
        settings = ApprovalSettings(trust_callers=trusted)
        desk = Desk(tmp_path / f"{trusted}.duckdb", text, settings)
        case = desk.bundle.case({"action": "pay", "args": {"amount": 1}, "agent": {"id": "b"}})
        ticket = desk.approvals.answer(case, desk.store.record(case), agent="b").ticket
        assert ticket is not None
        voted = desk.approvals.grant(ticket, by="maria")
        assert voted.accepted is trusted
        assert voted.problem is None or "approve_pay" in (voted.problem.hint or "")
        desk.close()


def test_an_approver_sees_what_will_run(desk: Desk) -> None:
    """The arguments as validated, the reasons, the bounds and the proof are shown, and secrets are not."""
    ticket = desk.call("480", note="the gate code is 1234").ticket
    shown = desk.approvals.get(ticket).to_json()  # type: ignore[union-attr]
    assert shown["arguments"] == {"customer_id": "c1", "amount": "480.00", "note": "(secret)"}
    assert shown["reasons"][0]["message"] == "480.00 is above 200.00"
    assert "480.00 > 200.00" in shown["proof"]
    assert "is 1234" not in json.dumps(shown)


def test_the_json_form_is_the_documented_one(tmp_path: Path) -> None:
    """Pending, granted by several, used and forgotten approvals are valid by the schema."""
    schema = Path(__file__).parents[2] / "docs" / "reference" / "schemas" / "approval.schema.json"
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    text = REFUNDS.replace("customer_id: String,", "customer_id: String personal,")
    for policy in (REFUNDS, text):
        desk = Desk(tmp_path / f"{len(policy)}.duckdb", policy)
        ticket = desk.call("6000.00").ticket
        for person, facts in (("maria", MANAGER), ("bo", BOARD), ("kim", BOARD)):
            validator.validate(desk.approvals.get(ticket).to_json())  # type: ignore[union-attr]
            assert desk.approvals.grant(ticket, by=person, facts=facts, note="seen").accepted
        assert desk.call("6000.00", ticket).allowed
        validator.validate(desk.approvals.get(ticket).to_json())  # type: ignore[union-attr]
        desk.close()


def test_every_change_is_in_the_chain(desk: Desk) -> None:
    """What was asked, who answered under which decision, and what used it are records of one ticket."""
    ticket = granted(desk)
    used_by = desk.call("480.00", ticket).decision_id
    with desk.store.view() as view:
        events = [r.body for r in view.records(Filter(kind="approval"))]
    assert [event["event"] for event in events] == ["requested", "voted", "granted", "used"]
    assert {event["ticket"] for event in events} == {ticket}
    assert events[1]["person"] == "maria"
    assert events[3]["used_by"] == used_by


def test_a_vote_that_comes_while_a_call_is_decided_is_not_lost(desk: Desk) -> None:
    """A call that was decided before the vote waits on; the vote stays, and the next call runs with it."""
    ticket = desk.call("480.00").ticket
    before = desk.case("480.00", ticket)
    desk.now += dt.timedelta(minutes=1)
    desk.approvals.grant(ticket, by="maria", facts=MANAGER)
    desk.now -= dt.timedelta(minutes=1)
    early = desk.case("480.00", ticket)
    for case in (before, early):
        answer = desk.approvals.answer(case, "d", agent="bot-7", ticket=ticket)
        assert (answer.outcome.value, answer.ticket) == ("needs_approval", ticket)
    desk.now += dt.timedelta(minutes=2)
    assert desk.call("480.00", ticket).allowed


def test_what_a_policy_asks_for_besides_is_asked_on_the_same_ticket(tmp_path: Path) -> None:
    """Where rules ask for more once a vote is there, the approval goes on waiting for that."""
    text = REFUNDS + (
        'rule second: require approval(by: "board") for refund if approval(by: "manager")\n'
    )
    desk = Desk(tmp_path / "traces.duckdb", text)
    ticket = granted(desk)
    more = desk.call("480.00", ticket)
    assert (more.outcome.value, more.ticket) == ("needs_approval", ticket)
    assert desk.approvals.grant(ticket, by="bo", facts=BOARD).accepted
    assert desk.call("480.00", ticket).allowed
    desk.close()


def test_a_granted_approval_is_found_by_its_call(desk: Desk) -> None:
    """A caller without the ticket finds it by asking for exactly the same call, and for no other."""
    ticket = granted(desk)
    assert desk.call("480.00").ticket == ticket
    cases = [desk.case(amount) for amount in ("480.00", "481.00", "48.00")]
    assert [desk.approvals.ready(case, agent="bot-7") for case in cases] == [ticket, None, None]
    assert desk.call("480.00", ticket).allowed
    assert desk.approvals.ready(cases[0], agent="bot-7") is None


def test_a_withdrawn_question_is_no_approval(desk: Desk) -> None:
    """Nobody can answer what was withdrawn, and its ticket serves for nothing."""
    ticket = desk.call("480.00").ticket
    assert desk.approvals.withdraw(ticket) is not None
    assert not desk.approvals.grant(ticket, by="maria", facts=MANAGER).accepted
    assert desk.call("480.00", ticket).grounds[0].kind == "approval_expired"
    assert desk.approvals.withdraw(ticket) is None


def test_waiting_ends_with_the_answer_or_the_time(desk: Desk) -> None:
    """A wait gives the approval as it is when it is answered, or pending when the time is over."""
    ticket = desk.call("480.00").ticket
    assert desk.approvals.wait(ticket, 0.05).status is ApprovalStatus.PENDING  # type: ignore[union-attr]
    desk.approvals.grant(ticket, by="maria", facts=MANAGER)
    assert desk.approvals.wait(ticket, 60).status is ApprovalStatus.GRANTED  # type: ignore[union-attr]
    assert desk.approvals.wait("nothing", 60) is None


async def test_a_coroutine_waits_without_holding_up_the_loop(desk: Desk) -> None:
    """An answer that comes while a coroutine waits ends the wait."""
    import asyncio

    ticket = desk.call("480.00").ticket
    waiting = asyncio.create_task(desk.approvals.await_settled(ticket, 60))
    await asyncio.to_thread(desk.approvals.grant, ticket, by="maria", facts=MANAGER)
    found = await waiting
    assert found is not None
    assert found.status is ApprovalStatus.GRANTED


def test_what_is_personal_is_not_kept_past_the_question(tmp_path: Path) -> None:
    """Where personal values may have been shown, the state forgets them when the approval is used or has expired."""
    text = REFUNDS.replace("customer_id: String,", "customer_id: String personal,")
    desk = Desk(tmp_path / "traces.duckdb", text)
    used, expired = granted(desk), desk.call("490.00").ticket
    assert desk.approvals.get(expired).shown["arguments"]["customer_id"] == "c1"  # type: ignore[union-attr]
    assert desk.call("480.00", used).allowed
    desk.now += dt.timedelta(days=2)
    desk.call("500.00")
    for ticket in (used, expired):
        approval = desk.approvals.get(ticket)
        assert approval is not None
        assert approval.shown["forgotten"]
        assert '"c1"' not in json.dumps(approval.to_json())
    desk.close()


def test_field_failures_2_and_3_hold_through_a_gate(tmp_path: Path) -> None:
    """With a gate before the tool: what a person refused, and what was approved with other arguments, does not run."""
    ran: list[Any] = []
    facts = {"customer": {"id": "c1"}}

    def call(gate: Gate, amount: str, ticket: str | None = None) -> str:
        args = {"customer_id": "c1", "amount": amount}
        try:
            gate.call(
                "refund",
                args,
                lambda decided: ran.append(decided["amount"]),
                agent=BOT,
                facts=facts,
                approval=ticket,
            )
        except Refused as refused:
            return f"{refused.answer.grounds[0].kind} {refused.answer.ticket}"
        return "ran"

    store = tmp_path / "traces.duckdb"
    with Gate.open(loads(REFUNDS.replace("= 200.00", "= 5.00")), store=store) as gate:
        nine, refused = (call(gate, amount).split()[1] for amount in ("9", "900.00"))
        assert gate.approvals.grant(nine, by="maria", facts=MANAGER).accepted
        assert gate.approvals.refuse(refused, by="maria", facts=MANAGER).accepted
        assert call(gate, "99999", nine).startswith("approval_of_another")
    with Gate.open(loads(REFUNDS.replace("= 200.00", "= 1_000.00")), store=store) as gate:
        assert call(gate, "900.00", refused).startswith("approval_refused")
        assert call(gate, "900.00").startswith("approval_refused")
    assert ran == []


def test_threads_ask_once_and_use_once(desk: Desk) -> None:
    """Eight threads that make one call at once get one ticket; eight that use it at once run once."""
    with ThreadPoolExecutor(8) as pool:
        tickets = {answer.ticket for answer in pool.map(desk.call, ["480.00"] * 8)}
        (ticket,) = tickets
        assert desk.approvals.grant(ticket, by="maria", facts=MANAGER).accepted
        used = list(pool.map(lambda _: desk.call("480.00", ticket).allowed, range(8)))
    assert sum(used) == 1


def _granting(path: str, ticket: str, person: str, start: Any, answers: Any) -> None:
    desk = Desk(Path(path))
    start.wait(60)
    answers.put(desk.approvals.grant(ticket, by=person, facts=MANAGER).accepted)
    desk.close()


def _calling(path: str, ticket: str, _person: str, start: Any, answers: Any) -> None:
    desk = Desk(Path(path))
    start.wait(60)
    answers.put(desk.call("480.00", ticket).allowed)
    desk.close()


@pytest.mark.slow
@pytest.mark.parametrize("work", [_granting, _calling], ids=["grants", "uses"])
def test_of_two_processes_at_once_one_wins(desk: Desk, work: Any) -> None:
    """Two people who grant at once, and two workers who use a ticket at once: one of them does."""
    ticket = granted(desk) if work is _calling else desk.call("480.00").ticket
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(2), context.Queue()
    path = str(desk.store.path)
    workers = [
        context.Process(target=work, args=(path, ticket, person, start, answers))
        for person in ("maria", "mario")
    ]
    for worker in workers:
        worker.start()
    won = [answers.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(60)
    assert sorted(won) == [False, True]
    assert desk.now == NOW
