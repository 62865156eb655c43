"""Policies as text mean what the generated programs mean that they were written from."""

from __future__ import annotations

from typing import TypeAlias

import pytest

from policylang.bundle.loading import loads
from policylang.errors import PolicyInvalid
from policylang.evaluate.firings import Evaluation, Failure
from policylang.facts.values import Value
from policylang.semantics.program import Program
from tests.reference.compare import differences
from tests.reference.draws import Seeded
from tests.reference.evaluator import evaluate
from tests.reference.generator import Case, case
from tests.reference.written import module_text

FAST = 120
SLOW = 2_000

REFUSED = {"PL0306", "PL0314"}
"""A constant that is no value of the type that the checker finds for an argument from all its clauses; and that there is no
such type, for a definition that nothing but its own recursion gives a value."""

Told: TypeAlias = "tuple[str, str] | set[tuple[str, frozenset[tuple[str, Value]]]]"


def _read_back(given: Case) -> Program | None:
    """The program of the text of a program; None where the checker rightly refuses it."""
    reference = {name.removeprefix("m."): [] for name in given.reference}
    try:
        return loads(module_text(given.program), reference=reference).program
    except PolicyInvalid as invalid:
        if {str(d.code) for d in invalid.diagnostics if d.severity.name == "ERROR"} <= REFUSED:
            return None
        raise


def _told(program: Program, evaluation: Evaluation) -> Told:
    """Firings with their bindings by name: the text decides in which order variables come."""
    if isinstance(evaluation, Failure):
        return evaluation.rule, evaluation.code
    names = {rule.name: [v.name for v in rule.variables] for rule in program.rules}
    return {
        (firing.rule, frozenset(zip(names[firing.rule], firing.bindings, strict=True)))
        for firing in evaluation.firings
    }


def _compared(seed: int) -> bool:
    """Compare one case; whether the checker took it."""
    given = case(Seeded(seed), writable=True)
    program = _read_back(given)
    if program is None:
        return False
    for facts in given.requests:
        expected = _told(given.program, evaluate(given.program, given.reference, facts))
        assert _told(program, evaluate(program, given.reference, facts)) == expected, repr(given)
    assert not list(differences(Case(program, given.reference, given.requests)))
    return True


@pytest.mark.parametrize("start", range(0, FAST, 20))
def test_text_means_what_it_was_written_from(start: int) -> None:
    """A program written as a policy, parsed and checked fires as the program does, on every evaluator."""
    taken = sum(_compared(seed) for seed in range(start, start + 20))
    assert taken >= 16


@pytest.mark.slow
@pytest.mark.parametrize("start", range(FAST, FAST + SLOW, 100))
def test_many_texts_mean_what_they_were_written_from(start: int) -> None:
    """The same for 2,000 more programs."""
    taken = sum(_compared(seed) for seed in range(start, start + 100))
    assert taken >= 85
