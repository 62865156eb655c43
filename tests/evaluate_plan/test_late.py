"""Rules that a constant tells apart: their code is made when a request brings the constant."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from policylang import loads
from policylang.evaluate.firings import Evaluation, Failure, Firings, Limits
from policylang.evaluate.plan import PlanEvaluator, straight
from policylang.evaluate.plan import compile as plan_compile
from policylang.facts.factset import FactSet
from tests.reference.evaluator import evaluate
from tests.reference.usual import usual

HEAD = """module m
fact agent { id: String key, role: String, scopes: Set[String] }
optional fact note { text: String? }
facts linked { a: String, b: String, n: Int }
facts shared { a: String, b: String }
action act { n: Int, d: Decimal(2) }
table names (k: String, v: Int) { | "a" | 1 | | "b" | 2 | | "c" | 2 | }
define far(A, B) if linked(a: A, b: B)
define far(A, C) if far(A, B) and linked(a: B, b: C)
rule always: deny act if act.n > 90
"""
BODIES = [
    "act.n > 2",
    "linked(a: agent.id, b: B) and shared(a: B)",
    "far(agent.id, B) and shared(a: B, b: C) and C != agent.id",
    "sum(N for linked(a: agent.id, n: N)) > act.n",
    "count(shared(a: A, b: agent.id)) == 1 and names(v: act.n)",
    "6 / act.n > 1",
    "note.text is missing and not far(agent.id, agent.id)",
    "names(k: agent.id, v: V) and V < act.n or act.n == 0 and note is present",
    "agent.scopes has X and shared(a: X)",
    "act.d * 2 > 3.00 and note.text == agent.role",
]
CHOSEN = "\n".join(
    f'rule r{i}: allow act if agent.role == "r{i}" and ({body})' for i, body in enumerate(BODIES)
)
BY_SCOPE = "\n".join(
    f'rule s{i}: allow act if agent.scopes has "s{i}" and ({body})' for i, body in enumerate(BODIES)
)
ROWS: dict[str, Any] = {
    "linked": [{"a": "a", "b": "b", "n": 3}, {"a": "b", "b": "c", "n": 4}],
    "shared": [{"a": "b", "b": "a"}, {"a": "c", "b": "d"}, {"a": "x", "b": "y"}],
}
GIVEN = [{"a": "b", "b": "c"}]


def facts_of(bundle: Any, role: str, n: int, note: Any) -> FactSet:
    """A request of a role, whose scopes are those of three rules."""
    facts = {**ROWS, **({} if note is None else {"note": note})}
    request = {
        "action": "act",
        "args": {"n": n, "d": "1.75"},
        "agent": {"id": "a", "role": role, "scopes": ["s0", f"s{n}", "s8", "x"]},
        "facts": facts,
        "now": "2026-11-22T10:00:00Z",
    }
    found = bundle.border.validate(request)
    assert isinstance(found, FactSet)
    return found


@pytest.mark.parametrize("rules", [CHOSEN, BY_SCOPE, CHOSEN + "\n" + BY_SCOPE])
def test_chosen_rules_are_evaluated_as_the_reference_does(rules: str) -> None:
    """Whatever a rule that a constant chooses reads, it fires and fails as the definition of a program says."""
    bundle = loads(HEAD + rules, evaluator="plan")
    evaluator = PlanEvaluator(bundle.program)
    for n in (0, 1, 2, 5, 91):
        for note in (None, {}, {"text": "r9"}):
            for role in [*(f"r{i}" for i in range(len(BODIES))), "nobody"]:
                facts = facts_of(bundle, role, n, note)
                right = evaluate(bundle.program, {}, facts)
                for given in (facts, usual(facts, bundle.program)):
                    assert _told(evaluator.evaluate(given, Limits())) == _told(right)


def _told(evaluation: Evaluation) -> object:
    """Firings, or which rule failed how: the reference has no messages."""
    if isinstance(evaluation, Failure):
        return evaluation.rule, evaluation.code
    return evaluation.firings


def test_rows_added_to_reference_data_are_seen_by_chosen_rules() -> None:
    """A chosen rule reads the rows of reference data, and those that one request adds to them."""
    head = HEAD.replace("facts shared {", 'facts shared from "shared.csv" {')
    rules = head + CHOSEN
    bundle = loads(rules, reference={"shared": GIVEN}, evaluator="plan")
    evaluator = PlanEvaluator(bundle.program, bundle.reference.rows)
    facts = facts_of(loads(HEAD + CHOSEN), "r1", 5, None)
    alone = FactSet(
        facts.action, facts.now, {k: v for k, v in facts.rows.items() if k != "m.shared"}
    )
    for each in (alone, facts, alone):
        right = evaluate(bundle.program, bundle.reference.rows, each)
        assert _told(evaluator.evaluate(each, Limits())) == _told(right)


def test_code_is_made_for_the_constants_that_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of a constant are compiled once, when a request first brings it, and no others are."""
    made: list[int] = []
    late = straight._Compiler._late

    def counted(self: Any, position: int, rule: Any) -> Any:
        made.append(position)
        return late(self, position, rule)

    monkeypatch.setattr(straight._Compiler, "_late", counted)
    simple = "\n".join(
        f'rule r{i}: allow act if agent.role == "r{i}" and act.n > 1' for i in range(20)
    )
    bundle = loads(HEAD + simple, evaluator="plan")
    for role in ("nobody", "r3", "r3", "r7", "nobody", "r3"):
        bundle.evaluator.evaluate(facts_of(bundle, role, 2, None), Limits())
    names = [bundle.program.rules[position].name for position in made]
    assert names == ["m.r3", "m.r7"]


def test_values_that_choose_nothing_are_not_kept() -> None:
    """Constants that come with requests and choose no rule leave nothing behind."""
    bundle = loads(HEAD + CHOSEN, evaluator="plan")
    evaluator = PlanEvaluator(bundle.program)
    asked = [facts_of(bundle, f"n{i}", 2, None) for i in range(50)]
    for facts in asked:
        evaluator.evaluate(facts, Limits())
    (plan,) = evaluator._plans.values()
    guards = plan.decide.__globals__["GUARDS"]  # type: ignore[attr-defined]
    assert [len(guard.rules) for guard in guards] == [0] * len(guards)


def test_threads_meet_constants_at_the_same_time() -> None:
    """Requests of many constants in eight threads are answered as one after the other."""
    bundle = loads(HEAD + CHOSEN + "\n" + BY_SCOPE, evaluator="plan")
    asked = [
        facts_of(bundle, f"r{i % 12}", i % 3 + 1, None if i % 2 else {"text": "r9"})
        for i in range(120)
    ]
    alone = PlanEvaluator(bundle.program)
    expected = [alone.evaluate(facts, Limits()) for facts in asked]
    for _ in range(5):
        evaluate_one = partial(PlanEvaluator(bundle.program).evaluate, limits=Limits())
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(evaluate_one, asked)) == expected


def test_a_rule_too_deep_for_python_fails_the_requests_it_is_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the code of a chosen rule cannot be made, requests that bring its constant fail, and others do not."""
    bundle = loads(HEAD + CHOSEN, evaluator="plan")
    evaluator = PlanEvaluator(bundle.program)
    assert isinstance(evaluator.evaluate(facts_of(bundle, "nobody", 2, None), Limits()), Firings)

    def too_deep(*_: object) -> object:
        raise plan_compile.UnplannableError("its code is too deep for Python")

    monkeypatch.setattr(plan_compile._Compiler, "rule", too_deep)
    found = evaluator.evaluate(facts_of(bundle, "r2", 2, None), Limits())
    assert isinstance(found, Failure)
    assert "too deep" in found.message
    assert isinstance(evaluator.evaluate(facts_of(bundle, "nobody", 2, None), Limits()), Firings)
