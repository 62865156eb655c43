"""Firings of reference data alone: found again where other processes decided, when somebody asks."""

from __future__ import annotations

import pytest

from policylang import loads
from policylang.bundle.evaluators import EvaluatorName

POLICY = """
module m
facts inherits { role: String, of: String }
action act { role: String }
define below(R, S) if inherits(role: R, of: S)
define below(R, S) if below(R, T) and inherits(role: T, of: S)
rule top: allow act if below(act.role, "r0")
"""
ROWS = [{"role": f"r{i}", "of": f"r{i // 2}"} for i in range(1, 30)]
REQUESTS = [
    {"action": "act", "args": {"role": f"r{i}"}, "now": "2026-11-22T10:00:00Z"} for i in range(40)
]


@pytest.mark.parametrize("evaluator", ["plan", "asp"])
def test_decisions_of_other_processes_have_their_settled_firings(evaluator: EvaluatorName) -> None:
    """Whoever decided, a decision has the same firings, settled ones too."""
    with loads(POLICY, reference={"inherits": ROWS}, evaluator=evaluator) as bundle:
        here = list(bundle.decide_many(REQUESTS))
        there = list(bundle.decide_many(REQUESTS, jobs=2))
    assert there == here
    assert [d.settled.firings for d in there] == [d.settled.firings for d in here]
    assert len(there[7].settled.firings) > len(ROWS)


def test_settled_firings_are_not_looked_for_until_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A batch over processes settles nothing in the process that asked for it, and later once."""
    with loads(POLICY, reference={"inherits": ROWS}, evaluator="plan") as bundle:
        asked: list[object] = []
        settled = type(bundle)._settled

        def counted(self: object, about: object) -> object:
            asked.append(about)
            return settled(self, about)  # type: ignore[arg-type]

        monkeypatch.setattr(type(bundle), "_settled", counted)
        decisions = list(bundle.decide_many(REQUESTS, jobs=2))
        assert [d.reasons for d in decisions]
        assert asked == []
        assert all(decision.settled.firings for decision in decisions)
    assert len(asked) == 1
