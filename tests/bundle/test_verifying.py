"""A sample of live decisions is held to clingo."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from policylang import Bundle, Outcome, loads
from policylang.bundle import verifying
from policylang.bundle.batch import Conversation, answer_lines, line_of
from policylang.bundle.verifying import Incident, Verified
from policylang.evaluate.firings import Evaluation, Evaluator, Failure, Firings, Limits
from policylang.facts.factset import FactSet

POLICY = """module m
action pay { amount: Decimal(2) }
fact agent { id: String key }
facts blocked { agent: String }
define stopped(A) if blocked(agent: A)
rule small: allow pay if pay.amount <= 100.00
rule stop: deny pay if stopped(agent.id)
rule half: deny pay if 100 / pay.amount > 1000
"""


def request(number: int) -> dict[str, Any]:
    """The request of that number."""
    return {
        "action": "pay",
        "args": {"amount": f"{number}.00"},
        "agent": {"id": f"a{number % 3}"},
        "facts": {"blocked": [{"agent": "a1"}]},
        "now": "2026-11-22T10:00:00Z",
    }


class Other:
    """An evaluator that answers what it is told to, when it is let."""

    name = "another one"

    def __init__(self, answer: Evaluation | Exception) -> None:
        self.answer = answer
        self.may = threading.Event()
        self.may.set()

    def evaluate(self, facts: FactSet, limits: Limits) -> Evaluation:
        """The answer that was given."""
        self.may.wait(30)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def evaluate_many(self, batch: Sequence[FactSet], limits: Limits) -> Sequence[Evaluation]:
        """The same for each."""
        return [self.evaluate(facts, limits) for facts in batch]

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def told() -> list[Incident]:
    """What a callback is told."""
    return []


def held_to(other: Other, monkeypatch: pytest.MonkeyPatch, told: list[Incident]) -> Bundle:
    """A bundle all of whose decisions are evaluated again by another evaluator."""

    def chosen(*_: object) -> Evaluator:
        return other

    monkeypatch.setattr(verifying, "choose", chosen)
    return loads(POLICY, verify=1.0, on_incident=told.append)


def settled(bundle: Bundle) -> Verified:
    """What became of the sample, once all of it is evaluated."""
    assert bundle.verifier is not None
    bundle.verifier.settle()
    return bundle.verifier.verified


def incidents(bundle: Bundle) -> tuple[Incident, ...]:
    """The differences found so far."""
    assert bundle.verifier is not None
    return bundle.verifier.incidents


def test_clingo_agrees_with_every_decision_of_the_plan(told: list[Incident]) -> None:
    """With a rate of 1 every evaluation, failed ones too, is made again by clingo, and none differs."""
    with loads(POLICY, verify=1.0, on_incident=told.append) as bundle:
        for number in range(40):
            bundle.decide(request(number))
        list(bundle.decide_many(request(number) for number in range(40, 60)))
        bundle.case(request(60))
        assert bundle.decide("no request").outcome is Outcome.DENY
        assert settled(bundle) == Verified(agreed=61)
        assert (incidents(bundle), told) == ((), [])


def test_a_difference_is_an_incident_and_the_answer_stays(
    monkeypatch: pytest.MonkeyPatch, told: list[Incident]
) -> None:
    """Where the second evaluation differs the caller's answer is as without it, and the incident says all."""
    expected = loads(POLICY).decide(request(5))
    with held_to(Other(Firings(())), monkeypatch, told) as bundle:
        assert bundle.decide(request(5)) == expected
        assert settled(bundle) == Verified(differed=1)
        (incident,) = incidents(bundle)
        assert told == [incident]
        assert isinstance(incident.live, Firings)
        assert incident.live.firings == expected.firings
        assert incident.again == Firings(())
        assert (
            incident.facts.of("m.pay")[0].values
            == bundle.case(request(5)).facts.of("m.pay")[0].values
        )  # type: ignore[union-attr]
        assert (incident.live_by.split()[0], incident.again_by) == ("plan", "another one")


@pytest.mark.parametrize("code", ["PL0705", "PL0706", "PL0708"])
def test_a_limit_settles_nothing(
    code: str, monkeypatch: pytest.MonkeyPatch, told: list[Incident]
) -> None:
    """A second evaluation that hits a limit is no incident, and is counted."""
    with held_to(Other(Failure("", code, "")), monkeypatch, told) as bundle:
        bundle.decide(request(5))
        assert settled(bundle) == Verified(unsettled=1)
        assert incidents(bundle) == ()


def test_what_raises_in_the_second_evaluation_is_counted(
    monkeypatch: pytest.MonkeyPatch, told: list[Incident]
) -> None:
    """An error of the second evaluation, or of the callback, reaches no caller and ends nothing."""
    other = Other(RuntimeError("broken"))
    with held_to(other, monkeypatch, told) as bundle:
        assert bundle.decide(request(5)).outcome is Outcome.ALLOW
        assert settled(bundle) == Verified(failed=1)
        other.answer = Firings(())
        bundle.decide(request(6))
        assert settled(bundle) == Verified(differed=1, failed=1)


def test_a_caller_never_waits(monkeypatch: pytest.MonkeyPatch, told: list[Incident]) -> None:
    """Where the second evaluations do not keep up decisions go on, and what is dropped is counted."""
    monkeypatch.setattr(verifying, "MOST_WAITING", 4)
    other = Other(Firings(()))
    other.may.clear()
    with held_to(other, monkeypatch, told) as bundle:
        for number in range(50):
            bundle.decide(request(number))
        other.may.set()
        verified = settled(bundle)
        assert verified.dropped >= 45
        assert verified.dropped + verified.differed == 50


def test_the_sample_is_the_same_each_time() -> None:
    """Which requests are sampled depends on them alone, and their share is the rate."""
    with loads(POLICY, verify=0.25) as bundle, loads(POLICY, verify=0.5) as more:
        facts = [bundle.case(request(number)).facts for number in range(2000)]
        first, second = bundle.verifier, more.verifier
        assert first is not None
        assert second is not None
        sampled = {i for i, each in enumerate(facts) if each is not None and first.samples(each)}
        wider = {i for i, each in enumerate(facts) if each is not None and second.samples(each)}
        assert 400 < len(sampled) < 600
        assert 900 < len(wider) < 1100
        assert sampled < wider


def test_decisions_of_other_processes_are_verified_here(told: list[Incident]) -> None:
    """Of a batch over processes the same requests are in the sample as of one without, failed ones too, and clingo agrees."""
    asked = [request(number) for number in range(60)]
    with (
        loads(POLICY, verify=0.5) as alone,
        loads(POLICY, verify=0.5, on_incident=told.append) as bundle,
    ):
        answers = list(alone.decide_many(asked))
        assert list(bundle.decide_many(asked, jobs=2)) == answers
        lines = [line_of(each) for each in answers]
        assert list(answer_lines(bundle, asked, jobs=2)) == lines
        once = settled(alone)
        assert 15 < once.agreed < 45
        assert once == Verified(agreed=once.agreed)
        assert settled(bundle) == Verified(agreed=2 * once.agreed)
        assert told == []


def test_a_difference_in_another_process_is_an_incident_here(
    monkeypatch: pytest.MonkeyPatch, told: list[Incident]
) -> None:
    """What a worker decided live is what the incident holds, with firings of reference data as they are found here."""
    policy = POLICY + "facts root { name: String } define known(A) if root(name: A)\n"
    policy += 'rule first: allow pay if known("a") and pay.amount > 0.00\n'
    monkeypatch.setattr(verifying, "choose", lambda *_: Other(Firings(())))
    with loads(
        policy, reference={"root": [{"name": "a"}]}, verify=1.0, on_incident=told.append
    ) as bundle:
        (expected,) = bundle.decide_many([request(5)], jobs=2)
        assert settled(bundle) == Verified(differed=1)
        (incident,) = told
        assert isinstance(incident.live, Firings)
        assert incident.live.firings == expected.all_firings
        assert any(firing.rule == "m.known/1" for firing in incident.live.firings)
        assert incident.facts.of("m.pay")[0].values == (Decimal("5.00"),)


def test_other_processes_keep_no_sample_that_nobody_asks_for() -> None:
    """Without a rate a worker hands back no request, and a copy of a bundle in another process samples nothing."""
    with loads(POLICY, verify=1.0) as bundle:
        copy = pickle.loads(pickle.dumps(bundle))
        copy.decide(request(5))
        assert copy.verifier is None
        talk = Conversation(copy)
        _, found, sampled = pickle.loads(talk.answered(pickle.dumps((False, [request(5)]))))
        assert (len(found), sampled) == (1, [])


@pytest.mark.parametrize("rate", [-0.1, 1.5, float("nan")])
def test_a_rate_is_a_share(rate: float) -> None:
    """A rate outside of 0 to 1 is an error of the caller."""
    with pytest.raises(ValueError, match="verify"):
        loads(POLICY, verify=rate)


def test_nothing_is_verified_that_clingo_decides() -> None:
    """A bundle without a rate, and one that clingo decides, sample nothing."""
    with loads(POLICY) as plain, loads(POLICY, evaluator="asp", verify=1.0) as asp:
        assert (plain.verifier, asp.verifier) == (None, None)


def test_a_closed_bundle_ends_its_thread(
    monkeypatch: pytest.MonkeyPatch, told: list[Incident]
) -> None:
    """Closing ends the thread; what still waits counts as dropped."""
    other = Other(Firings(()))
    other.may.clear()
    bundle = held_to(other, monkeypatch, told)
    for number in range(10):
        bundle.decide(request(number))
    verifier = bundle.verifier
    assert verifier is not None
    closing = threading.Thread(target=bundle.close)
    closing.start()
    while not verifier._is_closed:
        pass
    other.may.set()
    closing.join(30)
    assert not closing.is_alive()
    assert not [t for t in threading.enumerate() if t.name == "policylang-verify" and t.is_alive()]
    verified = verifier.verified
    assert verified.differed + verified.dropped == 10
    assert verified.dropped >= 8


def test_refreshed_bundles_verify_too() -> None:
    """A bundle over refreshed data samples as the one that it was made from."""
    with loads(POLICY, verify=1.0) as bundle, bundle.refreshed() as refreshed:
        refreshed.decide(request(3))
        assert settled(refreshed) == Verified(agreed=1)
        assert settled(bundle) == Verified()
