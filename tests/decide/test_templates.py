"""Decisions by a pattern of rules are those by the firings."""

from __future__ import annotations

import dataclasses
import pickle

from policylang.decide.decide import Authorizer
from policylang.decide.json import decision_line, decision_to_json
from policylang.decide.lines import LineWriter
from policylang.decide.templates import put_together, travelling
from policylang.evaluate.firings import Firings, Limits
from policylang.evaluate.plan import refusal
from policylang.facts.schema import DecisionDeclaration
from policylang.facts.types import STRING, Domain
from tests.reference.draws import Seeded
from tests.reference.generator import case
from tests.reference.usual import UsualEvaluator, usual

SEEDS = 160


def test_a_decision_by_a_pattern_is_the_one_by_its_firings() -> None:
    """For generated programs, a decision by a pattern is equal to that by its firings alone, whole and in its parts."""
    met = 0
    for seed in range(SEEDS):
        found = case(Seeded(seed))
        if refusal(found.program) is not None:
            continue
        declared = DecisionDeclaration("m.queue", Domain(STRING), "normal")
        schema = dataclasses.replace(found.program.schema, decisions={"m.queue": declared})
        program = dataclasses.replace(found.program, schema=schema)
        evaluator = UsualEvaluator(program, found.reference)
        authorizer = Authorizer(program, found.reference)
        lines = LineWriter(authorizer.apart)
        for facts in found.requests:
            evaluation = evaluator.evaluate(facts, Limits())
            if not isinstance(evaluation, Firings) or evaluation.pattern is None:
                continue
            if facts.of("approval"):
                continue  # Approvals do not come by the short way.
            met += 1
            expected = authorizer.decide(facts, Firings(evaluation.own, evaluation.settled))
            given = usual(facts, program)
            for _ in range(2):  # The first one makes what the second one is made by.
                assert lines.write(authorizer.decide(given, evaluation)) == decision_line(expected)
                assert authorizer.decide(given, evaluation) == expected
            apart = authorizer.apart(authorizer.decide(given, evaluation))
            if apart is not None:
                common = pickle.loads(pickle.dumps(travelling(apart.common)))
                assert put_together(common, *apart[1:]) == expected
                assert decision_to_json(put_together(common, *apart[1:])) == decision_to_json(
                    expected
                )
    assert met >= 20
