"""Golden cases of decisions and proofs: a policy, a request, and what a person reads of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from policylang.bundle.case import Case as Decided
from policylang.bundle.loading import loads
from policylang.decide.decision import Outcome
from policylang.decide.text import render as decision_text
from policylang.explain.text import render
from policylang.explain.tree import explanation_tree, why_not_outcome_tree
from policylang.explain.verify import verify
from policylang.explain.words import Voice, Words
from tests.golden import Case, Golden, cases, name


def _decided(case: Case) -> Decided:
    with loads(case.policy) as bundle:
        return bundle.case(case.sections["request"])


def _decision(case: Case) -> str:
    return decision_text(_decided(case).decision) + "\n"


def _proof(voice: Voice, case: Case) -> str:
    decided = _decided(case)
    if decided.facts is None or decided.decision.failure is not None:
        return "nothing to prove\n"
    explanation = decided.explanation()
    firings = decided.decision.all_firings
    assert not verify(explanation.proof, decided.program, decided.facts, firings, decided.reference)
    words = Words(decided.model, voice)
    return render(explanation_tree(explanation, words, absences=True)) + "\n"


def _why_not(case: Case) -> str:
    decided = _decided(case)
    if decided.facts is None or decided.decision.failure is not None:
        return "nothing to ask\n"
    answer = decided.why_not(Outcome.ALLOW)
    return render(why_not_outcome_tree(answer, Words(decided.model))) + "\n"


@pytest.mark.parametrize("path", cases("explain"), ids=name)
def test_what_is_read_of_a_decision(path: Path, golden: Golden) -> None:
    """The decision, its proof in both voices and why it is no allow read as the case file says."""
    golden.check(
        path,
        {
            "decision": _decision,
            "proof": lambda case: _proof(Voice.PROSE, case),
            "atoms": lambda case: _proof(Voice.ATOMS, case),
            "why not": _why_not,
        },
    )
