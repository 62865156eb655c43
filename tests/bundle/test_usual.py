"""Usual requests are decided in few steps, and nobody can tell."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policylang import Bundle, Decision, loads
from policylang.decide.decide import refuse
from policylang.decide.json import (
    canonical,
    decision_line,
    decision_to_json,
    facts_to_json,
    firings_to_json,
)
from policylang.decide.lines import LineWriter
from policylang.evaluate.firings import Firings
from policylang.facts.factset import FactSet
from policylang.facts.passage import Passage
from policylang.facts.rejection import Rejection

SHOP = """module shop version "1.0.0"
enum Tier normalize trim, lower { free, pro }
fact agent { id: String key, scopes: Set[String] }
fact customer { id: String, tier: Tier, age_days: Int in 0 .., flagged: Bool = false, note: String? secret }
optional fact region { name: String, tax: Decimal(3) }
facts order { id: String key, total: Decimal(2) }
action refund { order: ref order, amount: Decimal(2) in 0.00 .. 1_000.00, at: DateTime? }
action pay { amount: Decimal(2) }
action group money = refund, pay
decision speed: Int in 0 .. 9 default 3
param most: Decimal(2) = 200.00
table cap (tier: Tier, cap: Decimal(2)) { | free | 50.00 | | pro | 500.00 | }
define trusted(C) if customer.id == C and customer.age_days > 30
define trusted(C) if customer.id == C and customer.tier == pro
rule small: allow refund if trusted(customer.id) and cap(tier: customer.tier, cap: Cap) and refund.amount <= Cap
  because "{refund.amount} is within {Cap} for {customer.id}, a {customer.tier}, of {agent.id}"
rule large: require approval(by: "lead", within: 4 hours) for refund if refund.amount > most
rule asks: require approval(by: agent.id) for refund if agent.scopes has "asks"
rule flagged: deny refund if customer.flagged because "{customer.note} is why, at {region.tax}"
rule sure: deny refund if not trusted(customer.id) and (agent.scopes has "x" or customer.age_days == 0)
rule vip: allow refund if agent.scopes has "vip" overrides flagged
rule tell: oblige notify(to: "ops") on refund if refund.amount > 100.00
rule tell_who: oblige log(who: customer.id, sum: S) on refund if S == refund.amount * 2
rule ratio: deny refund if refund.amount / customer.age_days > 100
rule cheap: allow money if money.amount > 0.00 and agent.scopes has "root"
never broke: allow refund if refund.amount == 666.00
"""


def request(**changes: Any) -> dict[str, Any]:
    """A usual request; changes are of fields, by their names."""
    made: dict[str, Any] = {
        "action": "refund",
        "args": {"order": "o1", "amount": "48.00"},
        "agent": {"id": "bot", "scopes": ["refunds"]},
        "facts": {
            "customer": {"id": "c1", "tier": "pro", "age_days": 40},
            "order": [{"id": "o1", "total": "90.00"}],
        },
        "now": "2026-11-22T10:00:00Z",
    }
    for name, value in changes.items():
        places = [made["args"], made["agent"], made["facts"]["customer"], made["facts"]]
        {**dict.fromkeys(("order", "amount", "at"), places[0]), "scopes": places[1]}.get(
            name, places[3] if name == "region" else places[2]
        )[name] = value
    return made


def slowly(bundle: Bundle, asked: Any) -> tuple[Decision, FactSet | None]:
    """The decision of a bundle by the whole way: each part of it made for requests of any form."""
    plan, _ = bundle.border._actions.prepared(asked["action"])
    facts = Passage(bundle.border._around, plan, copy.deepcopy(asked)).outcome()
    if isinstance(facts, Rejection):
        return refuse(bundle.program, facts), None
    return bundle._authorizer.decide(
        facts, bundle.evaluator.evaluate(facts, bundle._parts.limits)
    ), facts


AMOUNTS = st.sampled_from(
    [
        "48.00",
        "50.00",
        "50.01",
        "200.01",
        "666.00",
        "0.00",
        "-0.00",
        "1000.00",
        "1000.01",
        "48",
        48,
        "007.00",
        "1_0.00",
        " 48.00",
        "4.8e1",
        "NaN",
        "٤٨.00",
        48.5,
        None,
        True,
        "1E+2.00",
    ]
)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "amount": AMOUNTS,
        "scopes": st.lists(
            st.sampled_from(["x", "vip", "asks", "root", "é", "", "a\0"]), max_size=3
        ),
        "tier": st.sampled_from(["free", "pro", " PRO ", "gold", 1]),
        "age_days": st.sampled_from([0, 1, 31, -1, True, 10**30, "3"]),
        "flagged": st.sampled_from([True, False, 0, "true"]),
        "note": st.sampled_from(["é", "", None, "\ud800"]),
        "order": st.sampled_from(["o1", "o2", ""]),
        "at": st.sampled_from(
            ["2026-11-22T10:00:00Z", "2026-11-22T24:00:00Z", None, "2026-W47-7T10:00:00Z"]
        ),
        "region": st.sampled_from([{"name": "eu", "tax": "0.190"}, {"name": "eu"}, None, []]),
    },
)


@pytest.fixture(scope="module")
def shop() -> Bundle:
    """The bundle of the policy above."""
    return loads(SHOP)


@settings(max_examples=300)
@given(CHANGES)
def test_a_usual_request_is_decided_as_any_other(changes: dict[str, Any]) -> None:
    """Facts, firings, decision and their JSON are those of the whole way, for valid requests and others."""
    shop = BUNDLE
    asked = request(**changes)
    case = shop.case(asked)
    decision, facts = slowly(shop, asked)
    schema = shop.program.schema
    assert (case.facts is None) is (facts is None)
    if case.facts is not None and facts is not None:
        assert canonical(facts_to_json(case.facts, schema)) == canonical(
            facts_to_json(facts, schema)
        )
        assert case.facts == facts
    assert decision_to_json(case.decision) == decision_to_json(decision)
    assert case.decision == decision
    assert repr(case.decision) == repr(decision)
    for one, other in zip(case.decision.firings, decision.firings, strict=True):
        assert firings_to_json([one], shop.program) == firings_to_json([other], shop.program)
    assert LineWriter(shop._authorizer.apart).write(shop.decide(asked)) == decision_line(decision)


BUNDLE = loads(SHOP)


def test_the_usual_request_takes_the_short_ways(shop: Bundle) -> None:
    """The border and the evaluator take the usual request by the code that is made for it."""
    facts = shop.border.validate(request())
    assert isinstance(facts, FactSet)
    assert facts.origin is not None
    evaluation = shop.evaluator.evaluate(facts, shop._parts.limits)
    assert isinstance(evaluation, Firings)
    assert evaluation.pattern is not None
    assert [rule.name for rule in evaluation.pattern.rules] == [f.rule for f in evaluation.own]


def test_what_is_asked_for_later_is_what_was_decided(shop: Bundle) -> None:
    """A caller who changes the request after the decision changes nothing of the decision."""
    asked, before = request(), decision_to_json(shop.decide(request()))
    case = shop.case(asked)
    asked["args"]["amount"] = "999.00"
    asked["facts"]["customer"]["id"] = "mallory"
    asked["agent"]["scopes"].append("vip")
    asked["facts"]["order"].clear()
    assert decision_to_json(case.decision) == before
    assert case.facts == shop.case(request()).facts


def test_decisions_share_nothing_that_can_change(shop: Bundle) -> None:
    """Values of one decision, changed by its caller, are those of no other."""
    first, second = (shop.decide(request()) for _ in range(2))
    first.values.clear()  # type: ignore[attr-defined]
    assert second.values["shop.speed"].value == 3
    assert shop.decide(request()) == second


@pytest.mark.parametrize(
    "through", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_decision_survives_copies(shop: Bundle, through: Any) -> None:
    """A decision that nobody has looked at can be copied and pickled, and so can its facts."""
    expected = shop.case(request())
    case = shop.case(request())
    assert through(case.decision) == expected.decision
    assert through(case.facts) == expected.facts
    assert (
        dataclasses.replace(shop.decide(request()), action="x").reasons == expected.decision.reasons
    )


def test_threads_that_look_at_once_see_the_same(shop: Bundle) -> None:
    """A decision that several threads look at first at once has its fields, equal for each."""
    expected = decision_to_json(shop.decide(request()))
    with ThreadPoolExecutor(8) as threads:
        for _ in range(50):
            decision = shop.decide(request())
            assert all(found == expected for found in threads.map(decision_to_json, [decision] * 8))


def test_a_name_that_is_none_is_no_attribute(shop: Bundle) -> None:
    """A field that a decision does not have is an error, looked at before or not."""
    decision = shop.decide(request())
    for _ in range(2):
        with pytest.raises(AttributeError, match="'Decision' object has no attribute 'reason'"):
            _ = decision.reason  # type: ignore[attr-defined]
        assert decision.reasons
    assert json.loads(decision_line(decision)) == decision_to_json(decision)
