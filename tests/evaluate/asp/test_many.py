"""Many requests in one grounding: each is answered as if it were alone, whatever stands beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from policylang import Bundle, loads
from policylang.evaluate.asp.evaluator import AspEvaluator
from policylang.evaluate.firings import Limits
from policylang.facts.factset import FactSet

POLICY = """
module m
fact agent { id: String, scopes: Set[String], level: Int? }
optional fact seal { by: String }
facts part { price: Decimal(2), note: String? }
facts banned { id: String }
table cap (level: Int, most: Decimal(2)) {
  | 1 |  10.00 |
  | 2 | 100.00 |
}
action buy { amount: Decimal(2) }
action look {}
rule capped: allow buy if cap(level: agent.level, most: M) and buy.amount <= M
rule sealed: allow buy if seal is present and seal.by != agent.id
rule share: deny buy if part(price: P) and P > 0.00 and buy.amount / P > 3.00
rule noted: deny buy if part(price: P, note: N) and N like "bad*" and P > 1.00
rule total: deny buy if buy.amount < sum(P for part(price: P))
rule scope: deny buy if S in ["a", "b"] and agent.scopes has S
rule banned: deny any if banned(id: agent.id)
rule free: allow look if not seal is present
"""


def request(number: int, action: str = "m.buy") -> dict[str, Any]:
    """One of many requests: some with a seal or a level, and with none to three parts."""
    facts: dict[str, Any] = {
        "part": [
            {"price": f"{i}.50", **({"note": "bad one"} if i % 2 else {})}
            for i in range(number % 4)
        ],
        "banned": [{"id": f"a{number}"}] if number % 5 == 0 else [],
    }
    if number % 3 == 0:
        facts["seal"] = {"by": f"a{number % 2}"}
    level = {} if number % 4 == 1 else {"level": number % 3}
    return {
        "action": action,
        "args": {"amount": f"{number}.25"} if action == "m.buy" else {},
        "agent": {"id": f"a{number}", "scopes": ["a", "c"][: number % 3], **level},
        "facts": facts,
        "now": "2026-11-22T10:00:00Z",
    }


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The policy over reference data of its tables alone."""
    return loads(POLICY, evaluator="asp")


def validated(bundle: Bundle, given: Mapping[str, Any]) -> FactSet:
    """The facts of a request that is well formed."""
    facts = bundle.border.validate(given)
    assert isinstance(facts, FactSet)
    return facts


@pytest.mark.parametrize(
    "numbers",
    [range(40), range(0, 40, 4), range(1, 40, 4), [3, 9], [4, 4, 4]],
    ids=["all", "no parts", "one part", "a seal", "the same"],
)
def test_each_of_many_is_answered_as_if_it_were_alone(bundle: Bundle, numbers: list[int]) -> None:
    """A batch gives each request the evaluation that it gets by itself."""
    evaluator = AspEvaluator(bundle.program, {})
    batch = [
        validated(bundle, request(n, action)) for n in numbers for action in ("m.buy", "m.look")
    ]
    alone = [evaluator.evaluate(facts, Limits()) for facts in batch]
    assert evaluator.evaluate_many(batch, Limits()) == alone
    assert len(set(map(repr, alone))) > (len(set(numbers)) > 1)
