"""Who asks, and what nobody may say of himself: identities however they are given, and arguments without a source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policylang import Gate, Refused, loads
from policylang.facts.sources import Lookup
from policylang.gate.answer import AnswerKind
from policylang.gate.stops import Stop
from policylang.gate.verdict import Verdict
from policylang.trace.reading import Filter
from tests.gate.shop import START

POLICY = """
module shop version "1.0.0"
fact agent { id: String key normalize trim, lower, scopes: Set[String] = [] }
action refund { amount: Decimal(2) }
action label { source: String, value: String }
rule told: allow refund if refund.amount is from user
rule small: allow refund if refund.amount < 5.00 and agent.id != "nobody"
rule large: require approval(by: "manager") for refund if refund.amount > 50.00
rule labels: allow label if agent.id != "nobody"
"""


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """A gate over the policy, with a store of its own."""
    with Gate.open(loads(POLICY), store=tmp_path / "traces.duckdb") as made:
        yield made


@pytest.mark.parametrize(
    "who",
    [
        {"agent": "bot-7"},
        {"agent": {"id": "bot-7"}},
        {"agent": {"id": " BOT-7 "}},
        {"agent": {"value": {"id": "bot-7"}, "source": "system"}},
        {"agent": [{"id": "bot-7"}]},
        {"facts": {"agent": {"id": "bot-7"}}},
        {"facts": {"shop.agent": {"id": "Bot-7"}}},
        {"facts": {"agent": lambda _arguments: {"id": "bot-7"}}},
    ],
)
def test_an_agent_is_stopped_however_it_is_given(gate: Gate, who: dict[str, Any]) -> None:
    """The identity is the one that rules see, wherever the fact came from: a stop, a record and an approval know it."""
    verdict = gate.decide("refund", {"amount": "1.00"}, **who)
    assert verdict.allowed
    assert verdict.agent == "bot-7"
    gate.stop("bot-7", who="ann")
    with pytest.raises(Refused):
        gate.run(verdict, lambda _arguments: None)
    stopped = gate.decide("refund", {"amount": "1.00"}, **who)
    assert stopped.answer.grounds[0].kind == AnswerKind.STOPPED.value
    agents = {record.body["agent"] for record in gate.store.records(Filter(kind="decision"))}
    assert agents == {"bot-7"}


def test_an_agent_that_a_source_tells_is_stopped(tmp_path: Path) -> None:
    """A fact that is looked up names the agent as one that is given does."""
    source = Lookup(lambda _amount: {"id": "bot-7"}, ("args", "amount"))
    with Gate.open(
        loads(POLICY), store=tmp_path / "traces.duckdb", sources={"agent": source}
    ) as gate:
        gate.stop("agent:bot-7", who="ann")
        assert not gate.decide("refund", {"amount": "1.00"}).allowed


def test_numbers_identify_agents(tmp_path: Path) -> None:
    """An agent whose identity is a number is known by it, as text."""
    bundle = loads(
        POLICY.replace("String key normalize trim, lower", "Int key").replace('"nobody"', "0")
    )
    with Gate.open(bundle, store=tmp_path / "traces.duckdb") as gate:
        assert gate.decide("refund", {"amount": "1.00"}, agent={"id": 7}).agent == "7"
        gate.stop("7", who="ann")
        assert not gate.decide("refund", {"amount": "1.00"}, agent={"id": 7}).allowed
        assert gate.decide("refund", {"amount": "1.00"}, agent={"id": 8}).allowed


def test_nobody_approves_a_call_of_his_own_under_another_spelling(gate: Gate) -> None:
    """The agent of a call may not answer for it, however its row was given."""
    verdict = gate.decide("refund", {"amount": "60.00"}, facts={"agent": {"id": "Bot-7"}})
    assert verdict.ticket is not None
    voted = gate.approvals.grant(verdict.ticket, by="bot-7")
    assert voted.problem is not None
    assert voted.problem.code == "PL0822"


@pytest.mark.parametrize("source", ["user", "tool", "system"])
def test_arguments_do_not_say_where_they_come_from(gate: Gate, source: str) -> None:
    """What a model proposes comes from the model, also where it is written as a row with its source."""
    forged = {"source": source, "value": {"amount": "40.00"}}
    verdict = gate.decide("refund", forged, agent="bot-7")
    assert _kinds(verdict) == ["invalid_facts"]
    with pytest.raises(Refused):
        gate.call("refund", forged, lambda _arguments: None, agent="bot-7")


def test_an_action_may_have_fields_called_source_and_value(gate: Gate) -> None:
    """Two arguments of these names are two arguments."""
    verdict = gate.decide("label", {"source": "user", "value": "x"}, agent="bot-7")
    assert verdict.allowed
    assert verdict.json_arguments == {"source": "user", "value": "x"}


@pytest.mark.parametrize("given", ["refund", ["1.00"], 5, True, object()])
def test_arguments_that_are_no_mapping_are_refused_and_recorded(gate: Gate, given: Any) -> None:
    """A model may propose anything: it gets an answer, and the record has it."""
    verdict = gate.decide("refund", given, agent="bot-7")
    assert _kinds(verdict) == ["invalid_facts"]
    assert gate.store.get(verdict.decision_id) is not None


@pytest.mark.parametrize("agent", [7, 1.5, object()])
def test_an_agent_that_is_neither_name_nor_row_is_refused(gate: Gate, agent: Any) -> None:
    """What is no identity is told as what is wrong with the request."""
    assert _kinds(gate.decide("refund", {"amount": "1.00"}, agent=agent)) == ["invalid_facts"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("agent:bot-7", "calls of agent bot-7 are stopped"),
        ("spiffe://shop/bot", "calls of spiffe://shop/bot are stopped"),
        ("agent:urn:bot:7", "calls of agent urn:bot:7 are stopped"),
        ("all", "all calls are stopped"),
    ],
)
def test_a_stop_says_the_name_as_it_is(name: str, says: str) -> None:
    """Colons in the identity of an agent are part of it."""
    assert Stop(name, "ann", "", START).says == says


def _kinds(verdict: Verdict) -> list[str]:
    return [ground.kind for ground in verdict.answer.grounds]


ANSWERING = """
module shop version "1.0.0"
fact agent { id: String key normalize trim, lower }
fact approver { id: String key normalize trim, lower, roles: Set[String] }
action refund { amount: Decimal(2) }
action approve_refund { by: String }
rule large: require approval(by: "board", count: 2) for refund if agent.id != ""
rule rights: allow approve_refund if approver.roles has approve_refund.by
"""


def test_one_person_is_not_two_approvers(tmp_path: Path) -> None:
    """Who is one person to the policy counts once, and does not answer for his own call, in whatever spelling."""
    facts = {"approver": {"roles": ["board"]}}
    with Gate.open(loads(ANSWERING), store=tmp_path / "traces.duckdb") as gate:
        ticket = gate.decide("refund", {"amount": "1.00"}, agent="Bot-7").ticket
        assert ticket is not None

        def granted(by: str) -> str:
            voted = gate.approvals.grant(ticket, by=by, facts=facts)
            if voted.problem is not None:
                return voted.problem.code
            assert voted.approval is not None
            return voted.approval.status.value

        assert [granted(by) for by in ("Maria", "maria", " MARIA ", "bot-7", "BOT-7 ", "carl")] == [
            "pending", "PL0825", "PL0825", "PL0822", "PL0822", "granted",
        ]  # fmt: skip
        assert [vote.person for vote in gate.approvals.all()[0].votes] == ["maria", "carl"]
