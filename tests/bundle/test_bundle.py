"""Answering requests with a bundle."""

from __future__ import annotations

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from policylang import Bundle, Outcome, PolicyInvalid, ReasonKind, loads
from policylang.bundle.bundle import BATCH
from policylang.bundle.evaluators import EvaluatorName

ROLES = """module roles version "1.0.0"
fact agent { id: String key }
facts role { agent: String, name: String }
facts inherits { role: String, from_role: String }
action read { document: String }
define has_role(A, R) if role(agent: A, name: R)
define has_role(A, S) if has_role(A, R) and inherits(role: R, from_role: S)
rule readers: allow read if has_role(agent.id, "reader")
"""
HELD: dict[str, Any] = {
    "role": [{"agent": "bot", "name": "editor"}],
    "inherits": [{"role": "editor", "from_role": "reader"}],
}


def read(agent: str) -> dict[str, Any]:
    """The request of an agent to read a document."""
    return {"action": "read", "args": {"document": "d"}, "agent": {"id": agent}}


@pytest.fixture(params=["asp", "plan"])
def evaluator(request: pytest.FixtureRequest) -> EvaluatorName:
    """Each evaluator in turn."""
    name: EvaluatorName = request.param
    return name


def test_reference_data_is_given_once(evaluator: EvaluatorName) -> None:
    """Rows held by the bundle are seen by every request, and no request may give them."""
    with loads(ROLES, reference=HELD, evaluator=evaluator) as bundle:
        assert bundle.decide(read("bot")).outcome is Outcome.ALLOW
        assert bundle.decide(read("other")).outcome is Outcome.DENY
        refused = bundle.decide({**read("other"), "facts": {"role": HELD["role"]}})
        assert refused.reasons[0].kind is ReasonKind.INVALID_FACTS


def test_refreshed_data_has_another_digest_and_leaves_the_old_bundle_as_it_was(
    evaluator: EvaluatorName,
) -> None:
    """Refreshing makes a new bundle; requests under way go on with the data they started with."""
    bundle = loads(ROLES, reference=HELD, evaluator=evaluator)
    with bundle, bundle.refreshed({"role": []}) as refreshed:
        assert refreshed.decide(read("bot")).outcome is Outcome.DENY
        assert bundle.decide(read("bot")).outcome is Outcome.ALLOW
        assert bundle.reference.digests != refreshed.reference.digests


@pytest.mark.parametrize("name", ["rolle", "agent"])
def test_reference_data_for_what_is_no_rows_is_refused(name: str) -> None:
    """Data for a fact nobody declares, or for a single fact, keeps the bundle from loading."""
    with pytest.raises(PolicyInvalid):
        loads(ROLES, reference={name: []})


def test_many_requests_are_answered_in_order_refused_ones_too(evaluator: EvaluatorName) -> None:
    """`decide_many` gives one answer a request, equal to that of `decide`, and reads ahead by a bound."""
    taken = 0

    def requests() -> Any:
        nonlocal taken
        for number in range(3 * BATCH):
            taken += 1
            yield "nonsense" if number % 7 == 0 else read("bot" if number % 3 else "other")

    with loads(ROLES, reference=HELD, evaluator=evaluator) as bundle:
        answers = bundle.decide_many(requests())
        first = next(answers)
        assert taken <= BATCH
        found = [first, *answers]
        assert len(found) == 3 * BATCH
        for number in (0, 1, 2, 3, 7, BATCH, 3 * BATCH - 1):
            asked = "nonsense" if number % 7 == 0 else read("bot" if number % 3 else "other")
            assert found[number] == bundle.decide(asked)


def test_threads_share_a_bundle(evaluator: EvaluatorName) -> None:
    """Threads that decide at once get the answers they would get one by one."""
    with loads(ROLES, reference=HELD, evaluator=evaluator) as bundle:
        agents = ["bot", "other"] * 20
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda agent: bundle.decide(read(agent)).outcome.value, agents))
        assert found == ["allow", "deny"] * 20


def test_now_is_the_clock_only_where_it_is_left_out() -> None:
    """The clock that is passed in gives `now`; a request's own `now` goes before it."""
    text = 'module t version "1"\naction go\nrule early: allow go if now < 2026-01-01T00:00:00Z\n'
    bundle = loads(text, clock=lambda: dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
    assert bundle.decide({"action": "go"}).outcome is Outcome.DENY
    assert bundle.decide({"action": "go", "now": "2025-01-01T00:00:00Z"}).outcome is Outcome.ALLOW


@pytest.mark.parametrize(
    "request_", ["", "{", "[]", "5", b"\xff", None, 5, [], {"action": 5}, {}, {"action": "no"}]
)
def test_what_is_no_request_is_denied(request_: Any) -> None:
    """Nothing that is asked raises; everything that is not understood is denied with a reason."""
    decision = loads(ROLES).decide(request_)
    assert decision.outcome is Outcome.DENY
    assert decision.reasons


def test_json_text_and_its_object_are_answered_alike() -> None:
    """A request may be an object or its JSON text, as str or as bytes."""
    bundle: Bundle = loads(ROLES, reference=HELD)
    text = json.dumps({**read("bot"), "now": "2026-01-01T00:00:00Z"})
    assert bundle.decide(text) == bundle.decide(text.encode()) == bundle.decide(json.loads(text))


SECRETS = """
module shop version "1.0.0"
fact customer { id: String key, card: String secret }
action refund { amount: Decimal(2), pin: String secret }
define has_card(C) if customer.card == C
rule small: allow refund
  if refund.amount <= 5.00 and has_card(refund.pin) because "paid to {customer.card}"
"""


@pytest.mark.parametrize("amount", ["1.00", "9.00", "1.001"])
def test_what_is_secret_is_not_shown_where_an_answer_is_printed(
    evaluator: EvaluatorName, amount: str
) -> None:
    """A decision or a case that ends up in a log takes no secret with it."""
    request = {
        "action": "refund",
        "args": {"amount": amount, "pin": "4711-card"},
        "facts": {"customer": {"id": "c1", "card": "4711-card"}},
    }
    with loads(SECRETS, evaluator=evaluator) as bundle:
        case = bundle.case(request)
    assert "4711-card" not in repr(case) + repr(case.decision)
    assert repr(case.decision) in repr(case)


def test_equal_decisions_are_one_in_a_set(evaluator: EvaluatorName) -> None:
    """A decision can be the key of what is known about it."""
    with loads(ROLES, reference=HELD, evaluator=evaluator) as bundle:
        decisions = [bundle.decide(read(agent)) for agent in ("bot", "bot", "other")]
        assert len({*decisions, bundle.decide({"action": "write"})}) == 3


def test_a_bundle_says_what_it_is_of() -> None:
    """Printed, a bundle names its modules with their versions, and its program."""
    bundle = loads('module a version "1.2.0"', "module b action ship rule all: allow ship")
    assert repr(bundle) == f"<Bundle of a 1.2.0, b: {bundle.program.digest[:12]}>"
