"""Recursive definitions over reference data, derived as far as requests ask."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from policylang import Bundle, loads
from policylang.evaluate.firings import Evaluation, Failure, FailureKind, Firings, Limits
from policylang.evaluate.plan import PlanEvaluator, demand, refusal
from policylang.evaluate.plan.demand import Asked
from policylang.facts.factset import FactSet
from tests.reference.draws import Seeded
from tests.reference.generator import case
from tests.reference.usual import usual

HEAD = """module m
facts edge { a: String, b: String }
facts rank { of: String, level: Int }
facts wide { a: Decimal(2), b: Decimal(2) }
fact agent { id: String key }
action act { to: String, n: Int }
"""
EDGES = [{"a": f"e{i}", "b": f"e{i // 3}"} for i in range(1, 60)]
EDGES += [{"a": "e1", "b": "e7"}, {"a": "x", "b": "y"}, {"a": "y", "b": "x"}]
RANKS = [{"of": f"e{i}", "level": i % 5} for i in range(60)]
WIDE = [{"a": f"{i}.00", "b": f"{i + 1}.00"} for i in range(20)]

LEFT = "define up(A, B) if edge(A, B) define up(A, C) if up(A, B) and edge(B, C) "
RIGHT = "define up(A, B) if edge(A, B) define up(A, C) if edge(A, B) and up(B, C) "
BOTH = "define up(A, B) if edge(A, B) define up(A, C) if up(A, B) and up(B, C) "
EITHER = "define up(A, C) if edge(A, C) or (edge(A, B) and up(B, C)) "
ROOTS = 'define up(A, B) if A == "e0" and B == A define up(A, C) if up(B, C) and edge(A, B) '
RANKED = (
    "define up(A, B) if edge(A, B) and not rank(of: B, level: 3)"
    " define up(A, C) if up(A, B) and edge(B, C) and rank(of: C, level: L) and L < 4 "
)
CONSTANT = 'define up(A, B) if edge(A, B) define up("e5", C) if up("e9", C) '
ALONE = (
    'define below(X) if X == "e0" define below(X) if edge(a: X, b: Y) and below(Y)'
    " define up(A, B) if below(A) and edge(A, B) define up(A, C) if up(A, B) and edge(B, C) "
)
DEFINITIONS = [LEFT, RIGHT, BOTH, EITHER, ROOTS, RANKED, CONSTANT, ALONE]
RULES = [
    "rule r: allow act if up(agent.id, act.to)",
    "rule r: allow act if up(agent.id, B) and rank(of: B, level: 2) and B != act.to",
    'rule r: allow act if up(A, act.to) and A like "e1*"',
    "rule r: allow act if not up(agent.id, act.to)",
    "rule r: allow act if count(up(agent.id, B)) > act.n",
    "rule r: allow act if up(A, A) and act.to != A",
    "rule r: allow act if up(agent.id, B) and 6 / act.n > 0",
    "rule r: allow act if 6 / act.n > 0 and not up(agent.id, act.to)",
]


def bundle_of(rules: str, rows: int = 100) -> Bundle:
    """A bundle of rules under the declarations above, over the last rows of edges."""
    reference = {"edge": EDGES[-rows:], "rank": RANKS, "wide": WIDE}
    return loads(HEAD + rules, reference=reference, evaluator="plan")


def requests(bundle: Bundle) -> Iterator[FactSet]:
    """Requests about what the reference data holds, and about what it does not."""
    for id_, to in [
        ("e40", "e0"),
        ("e40", "e13"),
        ("e7", "e0"),
        ("x", "x"),
        ("e9", "no"),
        ("no", "e0"),
    ]:
        for n in (0, 2):
            request = {"action": "act", "args": {"to": to, "n": n}, "agent": {"id": id_}}
            facts = bundle.border.validate({**request, "now": "2026-11-22T10:00:00Z"})
            assert isinstance(facts, FactSet)
            yield facts


def asked_by(evaluator: PlanEvaluator) -> dict[str, Asked]:
    """What an evaluator derives as far as requests ask."""
    return {name: each for s in evaluator._settled.values() for name, each in s.asked.items()}


def asking(bundle: Bundle) -> PlanEvaluator:
    """An evaluator that derives no recursive definition as a whole."""
    return PlanEvaluator(bundle.program, bundle.reference.rows, many=0)


@pytest.mark.parametrize("definition", DEFINITIONS)
@pytest.mark.parametrize("rule", RULES)
def test_answers_are_those_of_definitions_derived_as_a_whole(definition: str, rule: str) -> None:
    """Whatever rules ask of a definition, evaluations are equal to those that derive all of it, settled firings too."""
    bundle = bundle_of(definition + rule)
    evaluator = asking(bundle)
    for facts in requests(bundle):
        expected = bundle.evaluator.evaluate(facts, Limits())
        for given in (facts, usual(facts, bundle.program)):
            assert evaluator.evaluate(given, Limits()) == expected
    assert asked_by(evaluator)


@pytest.mark.parametrize("definition", [LEFT, RIGHT, BOTH, EITHER])
def test_only_what_a_request_asks_for_is_derived(definition: str) -> None:
    """A request about one value derives the atoms with that value, and none of the others."""
    bundle = bundle_of(definition + RULES[0])
    evaluator = asking(bundle)
    facts = next(requests(bundle))
    assert isinstance(evaluator.evaluate(facts, Limits()), Firings)
    (asked,) = asked_by(evaluator).values()
    assert {atom[0] for atom in asked.derived} == {"e40"}


def test_values_that_nothing_holds_for_are_not_kept() -> None:
    """Of values that come with requests and are in no atom nothing stays in memory."""
    bundle = bundle_of(LEFT + RULES[0])
    evaluator = asking(bundle)
    evaluator.evaluate(next(requests(bundle)), Limits())
    (asked,) = asked_by(evaluator).values()
    kept = list(asked.derived)
    assert not any(asked.holds((f"n{i}", "e0")) for i in range(100))
    assert list(asked.derived) == kept


@pytest.mark.parametrize("limit", ["MOST_STEPS", "MOST_KEPT"])
def test_answers_do_not_depend_on_what_is_kept(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one value takes many steps, or little is kept, the answers are the same."""
    monkeypatch.setattr(demand, limit, 5)
    for rule in RULES:
        bundle = bundle_of(BOTH + rule)
        evaluator = asking(bundle)
        for facts in requests(bundle):
            expected = bundle.evaluator.evaluate(facts, Limits())
            assert evaluator.evaluate(facts, Limits()) == expected
            assert evaluator.evaluate(usual(facts, bundle.program), Limits()) == expected


def test_no_more_is_kept_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that are asked for one after the other leave no more atoms behind than the bound."""
    monkeypatch.setattr(demand, "MOST_KEPT", 20)
    bundle = bundle_of(LEFT + RULES[0])
    evaluator = asking(bundle)
    evaluator.evaluate(next(requests(bundle)), Limits())
    (asked,) = asked_by(evaluator).values()
    for i in range(1, 60):
        assert asked.holds((f"e{i}", f"e{i // 3}"))
        assert len(list(asked.derived)) <= 20


CHAIN = [{"a": f"e{i}", "b": f"e{i + 1}"} for i in range(2_000)]


@pytest.mark.parametrize("rules", [LEFT + RULES[5], RIGHT + RULES[4]])
def test_what_takes_too_long_is_a_failure_of_its_request(rules: str) -> None:
    """Where what a request asks for is past its time limit it fails, however it comes, and other requests do not."""
    bundle = loads(HEAD + rules, reference={"edge": CHAIN, "rank": [], "wide": []})
    evaluator = asking(bundle)
    first, *_, last = requests(bundle)
    for facts in (first, usual(first, bundle.program)):
        found = evaluator.evaluate(facts, Limits(seconds=0.05))
        assert isinstance(found, Failure)
        assert found.code == FailureKind.TIME_LIMIT.value
    if RULES[5] not in rules:
        assert isinstance(evaluator.evaluate(last, Limits()), Firings)


@pytest.mark.parametrize(
    "definition",
    [
        "define up(A, B) if edge(A, B) define up(A, C) if up(A, B) and edge(B, C) and 1 / len(C) > 0 ",
        "define up(A, B) if edge(A, B) define up(A, C) if up(A, B) and edge(B, C) define top(A) if up(A, A) ",
        "define up(A, B) if edge(A, B) define up(A, C) if down(A, B) and edge(B, C)"
        " define down(A, B) if up(A, B) and rank(of: B) ",
    ],
)
def test_other_definitions_are_derived_as_a_whole(definition: str) -> None:
    """A clause that can fail, a definition that another one reads, and two in one recursion are derived at once."""
    more = " rule s: deny act if top(act.to)" if "top" in definition else ""
    bundle = bundle_of(definition + RULES[0] + more)
    evaluator = asking(bundle)
    facts = next(requests(bundle))
    assert evaluator.evaluate(facts, Limits()) == bundle.evaluator.evaluate(facts, Limits())
    assert not asked_by(evaluator)


def test_few_rows_are_derived_as_a_whole() -> None:
    """Below a number of rows a definition is derived at once, which makes looking at it as fast as can be."""
    bundle = bundle_of(LEFT + RULES[0])
    evaluator = PlanEvaluator(bundle.program, bundle.reference.rows)
    evaluator.evaluate(next(requests(bundle)), Limits())
    assert not asked_by(evaluator)


def test_threads_ask_at_the_same_time() -> None:
    """Requests that ask in eight threads are answered as one after the other."""
    bundle = bundle_of(RIGHT + RULES[1])
    evaluator = asking(bundle)
    asked = list(requests(bundle)) * 20

    def evaluated(facts: FactSet) -> Evaluation:
        return evaluator.evaluate(facts, Limits())

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(evaluated, asked))
    assert found == [bundle.evaluator.evaluate(facts, Limits()) for facts in asked]


def drawn(draw: Random) -> str:
    """A recursive definition of two arguments: its clauses match in any order and direction, and some test."""
    clauses = []
    for number in range(draw.randint(2, 3)):
        known, parts = ["A"], []
        for last in [False] * draw.randint(0, 2 if number else 1) + [True]:
            pair = [draw.choice(known), "C" if last else draw.choice("ABC")]
            known += pair
            name = "up" if number and draw.random() < 0.6 else "edge"
            parts.append(f"{name}({', '.join(draw.sample(pair, 2))})")
        joined = " and ".join(
            draw.sample(parts, len(parts)) + draw.sample(_BESIDE, draw.randint(0, 1))
        )
        if number and draw.random() < 0.2:
            joined = f"({joined}) or edge(A, C)"
        head = draw.choice(["A, C", "A, C", "C, A", "A, A", '"e2", C'])
        clauses.append(f"define up({head}) if {joined}")
    return " ".join(clauses) + " "


_BESIDE = [
    "A != C",
    "rank(of: C, level: L) and L < 4",
    "not rank(of: A, level: 3)",
    'A like "e*"',
    'A != "e3"',
    "count(rank(of: A)) == 1",
]


def test_drawn_definitions_are_answered_alike() -> None:
    """Definitions drawn at random, derived as far as requests ask, answer as the definition of a program says."""
    met = different = 0
    for seed in range(80):
        draw = Random(seed)
        bundle = bundle_of(drawn(draw) + draw.choice(RULES), 14)
        evaluator = asking(bundle)
        for facts in draw.sample(list(requests(bundle)), 3):
            expected = _shown(bundle.evaluator.evaluate(facts, Limits()))
            assert _shown(evaluator.evaluate(facts, Limits())) == expected, seed
            assert _shown(evaluator.evaluate(usual(facts, bundle.program), Limits())) == expected
            different += "m.r" in expected
        met += bool(asked_by(evaluator))
    assert met > 50
    assert different > 50


def test_generated_programs_are_answered_alike() -> None:
    """On generated programs, whatever is derived as far as requests ask, evaluations are equal."""
    for seed in range(700_000, 700_040):
        given = case(Seeded(seed))
        if refusal(given.program) is not None:
            continue
        evaluator = PlanEvaluator(given.program, given.reference, many=0)
        whole = PlanEvaluator(given.program, given.reference)
        for facts in given.requests:
            expected = _shown(whole.evaluate(facts, Limits()))
            assert _shown(evaluator.evaluate(facts, Limits())) == expected, seed


def _shown(evaluation: Evaluation) -> str:
    """An evaluation with numbers as they print, since a trace holds what is printed."""
    return repr(evaluation.firings if isinstance(evaluation, Firings) else evaluation)
