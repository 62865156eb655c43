"""Prepared sentences say what the plain reading of a message says."""

from __future__ import annotations

from typing import Any

import pytest

from policylang import loads
from policylang.decide.messages import fill
from policylang.decide.secrets import secrets_of
from policylang.evaluate.model import Model

POLICY = """module m
enum Tier { free, pro }
fact agent { id: String key, token: String secret, note: String? }
optional fact photo { id: String }
facts linked { a: String, b: String }
facts held { name: String }
action pay { amount: Decimal(2), at: Duration?, by: Set[String], tier: Tier }
param most: Decimal(2) = 200.00
table cap (tier: Tier, most: Decimal(2)) {
  | free |  50.00 |
  | pro  | 500.00 |
}
define near(X) if linked(a: X)
rule plain: allow pay if pay.amount >= 0.00 because "nothing to fill in"
rule fields: allow pay if pay.amount >= 0.00
  because "{pay.amount} by {pay.by}, {pay.tier}, at {pay.at}, under {most}, {agent.note}, {agent.token}"
rule absent: allow pay if pay.amount >= 0.00 because "photo {photo.id}"
rule bound: allow pay if linked(X, Y) and X == agent.id because "{X} to {Y}"
rule made: allow pay if pay.amount >= 0.00 because "half is {pay.amount / 2} of {most + 1.00}"
rule tables: allow pay if cap(tier: T, most: M) because "{T} has {M}"
rule derived: deny pay if near(X) because "{X} is near"
"""


def request(**args: Any) -> dict[str, Any]:
    """A request with these arguments beside the usual ones."""
    return {
        "action": "pay",
        "args": {"amount": "48", "by": ["x", "a"], "tier": "pro", **args},
        "agent": {"id": "a", "token": "hush"},
        "facts": {"linked": [{"a": "a", "b": "c"}, {"a": "a", "b": "d"}]},
        "now": "2026-11-22T10:00:00Z",
    }


@pytest.mark.parametrize("args", [{}, {"amount": "100"}, {"at": "4 hours"}, {"tier": "free"}])
def test_a_prepared_sentence_is_the_filled_one(args: dict[str, Any]) -> None:
    """For every firing of a rule with a message, the prepared sentence and `fill` give the same text."""
    bundle = loads(POLICY)
    case = bundle.case(request(**args))
    assert case.facts is not None, case.decision
    facts, program = case.facts, bundle.program
    model = Model(program, facts, case.decision.firings, case.reference)
    rules = {rule.name: rule for rule in program.rules}
    said = 0
    for firing in case.decision.firings:
        rule = rules[firing.rule]
        if rule.message is None:
            continue
        bindings = {v.name: b for v, b in zip(rule.variables, firing.bindings, strict=True)}
        whole = fill(rule.message, rule.name, bindings, model, secrets_of(program))
        say = bundle._authorizer.sentence(rule, rule.message)
        made = say if isinstance(say, str) else say(facts, firing, lambda: model)
        assert made == whole
        said += 1
    assert said >= 8
    assert "hush" not in str([reason.message for reason in case.decision.reasons])
