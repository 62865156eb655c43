"""The bound that is known before a grounding holds for what the grounding makes."""

from __future__ import annotations

import pytest

from policylang.evaluate.asp.bounds import Bounds, Measure
from policylang.evaluate.asp.evaluator import _UNITS_HERE, AspEvaluator
from policylang.evaluate.asp.lower import lower
from policylang.evaluate.asp.solve import Compiled
from policylang.semantics.slicing import slice_for
from tests.evaluate.asp.policies import Policy
from tests.reference.draws import Seeded
from tests.reference.generator import case


@pytest.mark.parametrize("start", range(0, 80, 20))
def test_no_grounding_is_larger_than_its_bound(start: int) -> None:
    """Over generated programs and requests, clingo derives no more atoms than the bound says."""
    for seed in range(start, start + 20):
        made = case(Seeded(seed))
        for facts in made.requests:
            part = slice_for(made.program, facts.action)
            lowered = lower(made.program, part)
            compiled = Compiled(lowered, part.rules)
            rows = {**made.reference, **facts.rows}
            units = Bounds(lowered, {}).units(Measure(made.program, lowered).of_rows(rows))
            asked = compiled.asked({})
            given = compiled.given(rows)
            control = compiled.ground(asked, compiled.facts(asked.encoding, rows), given)
            tables = sum(len(lines) for lines in made.program.tables.values())
            assert sum(1 for _ in control.symbolic_atoms) <= units + tables, seed


def units(policy: Policy, action: str, **facts: list[dict[str, object]]) -> float:
    """The bound of a request."""
    evaluator: AspEvaluator = policy.evaluator
    given = policy.facts(action, {"n": "a"}, **facts)
    ready = evaluator._ready_for(given.action)
    assert ready is not None
    return ready.bounds.units(ready.measure.of_rows(given.rows))


JOINS = """
module m version "1.0.0"
facts edge { a: String, b: String }
action chain { n: String }
action reach { n: String }
action cross { n: String }
define path(X, Y) if edge(X, Y)
define path(X, Z) if edge(X, Y) and path(Y, Z)
rule step: allow chain if edge(chain.n, X)
rule far: allow reach if path(reach.n, "z")
rule all: allow cross if edge(a: A) and edge(a: B) and edge(a: C) and A != B and B != C
"""


def test_bounds_follow_what_a_join_can_meet() -> None:
    """A step costs what there are rows, a closure less than their square times a row, a product their product."""
    policy = Policy(JOINS)
    rows: list[dict[str, object]] = [{"a": f"x{i}", "b": f"x{i + 1}"} for i in range(64)]
    assert units(policy, "chain", edge=rows) < 64 * 20
    assert 64**2 < units(policy, "reach", edge=rows) < 64**3 * 4
    assert units(policy, "cross", edge=rows) > _UNITS_HERE
    assert units(policy, "cross", edge=rows[:3]) < 1000


def test_long_texts_count() -> None:
    """Looking through a megabyte costs more than looking at a word."""
    policy = Policy("""
    module m version "1.0.0"
    facts note { text: String }
    action read { n: String }
    rule bad: deny read if note(text: T) and T like "*a*b*"
    """)
    short = units(policy, "read", note=[{"text": "a"}])
    assert units(policy, "read", note=[{"text": "a" * 500_000}]) > 10 * short
