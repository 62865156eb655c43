"""Rules without loops, as one function over the values of single rows."""

from __future__ import annotations

from typing import Any

import pytest

from policylang import Bundle, loads
from policylang.evaluate.firings import Evaluation, Firings, Limits, Pattern
from policylang.evaluate.plan import PlanEvaluator
from policylang.facts.factset import FactSet

HEAD = """module m
fact agent { id: String key, role: String, scopes: Set[String] }
optional fact note { text: String? }
facts linked { a: String, b: String }
action act { n: Int, d: Decimal(2) }
table one (k: String, v: Int) { | "a" | 1 | | "b" | 2 | }
table two (k: String, v: Int) { | "a" | 1 | | "a" | 2 | }
"""
GUARDED = "\n".join(
    f'rule r{i}: allow act if agent.role == "r{i}" and act.n > {i}' for i in range(20)
)


def evaluated(rules: str, **given: Any) -> tuple[Bundle, FactSet, Evaluation]:
    """A usual request evaluated by rules under the declarations above."""
    bundle = loads(HEAD + rules)
    request = {
        "action": "act",
        "args": {"n": given.get("n", 3), "d": "1.50"},
        "agent": {"id": "a", "role": given.get("role", "r2"), "scopes": ["x"]},
        **({"facts": {"note": given["note"]}} if "note" in given else {}),
    }
    facts = bundle.border.validate(request)
    assert isinstance(facts, FactSet)
    return bundle, facts, bundle.evaluator.evaluate(facts, Limits())


def pattern_of(evaluation: Evaluation) -> Pattern | None:
    """The pattern of firings, if an evaluator knows it."""
    assert isinstance(evaluation, Firings)
    return evaluation.pattern


@pytest.mark.parametrize(
    "rules",
    [
        "rule r: allow act if one(k: agent.id, v: V) and V < act.n",
        'rule r: allow act if (act.n > 5 or act.d > 1.00 or agent.scopes has "x")',
        "define d(X) if agent.id == X define d(X) if agent.role == X rule r: allow act if d(agent.role)",
        "rule r: allow act if not (act.n > 5 and one(k: agent.id, v: 9))",
        "rule r: allow act if act.d * 2 + act.n > 3.00",
        "rule z: allow act if d(agent.id) define d(X) if agent.id == X",
        "rule r: deny act if note.text is missing rule s: allow act if act.n in 1 .. 5",
        "define d(X, Y) if agent.id == X and act.n == Y define e(X) if d(X, Y) and Y > 1 and act.d < Y"
        " rule r: allow act if e(X) and X != agent.role rule s: deny act if d(X, X2) and X2 > 5",
        GUARDED,
        GUARDED + "\nrule last: deny act if act.n > 0 rule first: allow act if act.n > 1",
    ],
)
@pytest.mark.parametrize("note", [None, {}, {"text": "t"}])
def test_straight_rules_fire_as_in_any_plan(rules: str, note: Any) -> None:
    """What a straight function gives is what the plan gives for a request of any form, each rule once."""
    given = {} if note is None else {"note": note}
    bundle, facts, found = evaluated(rules, **given)
    evaluator = bundle.evaluator
    assert isinstance(evaluator, PlanEvaluator)
    pattern = pattern_of(found)
    assert pattern is not None
    assert isinstance(found, Firings)
    assert [rule.name for rule in pattern.rules] == [firing.rule for firing in found.own]
    assert found == evaluator._evaluate(facts, Limits())
    assert pattern_of(evaluator.evaluate(facts, Limits())) is pattern
    assert evaluator.usual_code("m.act") == PlanEvaluator(bundle.program).usual_code("m.act")


@pytest.mark.parametrize(
    "rules",
    [
        "rule r: allow act if two(k: agent.id, v: V) and V < act.n",
        "rule r: allow act if linked(a: agent.id)",
        "rule r: allow act if agent.scopes has X and X != agent.id",
        "rule r: allow act if count(linked(a: agent.id)) == 0",
        "rule r: allow act if one(v: act.n)  rule s: allow act if one(k: K, v: V) and V > 0",
        "define d(X) if linked(a: X) rule r: allow act if not d(agent.id)",
    ],
)
def test_rules_that_range_over_rows_are_not_straight(rules: str) -> None:
    """Where a rule ranges over rows, the whole action is evaluated by the plan for requests of any form."""
    bundle, facts, found = evaluated(rules)
    assert pattern_of(found) is None
    evaluator = bundle.evaluator
    assert isinstance(evaluator, PlanEvaluator)
    assert found == evaluator._evaluate(facts, Limits())
    assert evaluator.usual_code("m.act") is None


def test_what_fails_is_told_by_the_plan() -> None:
    """Where an operation fails, the straight function gives up and the failure is that of the plan."""
    rules = "rule r: allow act if 6 / act.n > 1"
    assert pattern_of(evaluated(rules, n=1)[2]) is not None
    bundle, facts, found = evaluated(rules, n=0)
    assert not isinstance(found, Firings)
    assert found.rule == "m.r"
    evaluator = bundle.evaluator
    assert isinstance(evaluator, PlanEvaluator)
    assert found == evaluator._evaluate(facts, Limits())


def test_a_constant_chooses_straight_rules() -> None:
    """Of many rules that a constant tells apart, those of its value are evaluated alone."""
    _, _, found = evaluated(GUARDED, role="r1", n=9)
    assert isinstance(found, Firings)
    assert [firing.rule for firing in found.own] == ["m.r1"]
    assert "GUARDS" in str(PlanEvaluator(loads(HEAD + GUARDED).program).usual_code("m.act"))
