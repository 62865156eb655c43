"""One case through every evaluator: what differs from the reference, in words."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import permutations

from policylang.evaluate.asp.evaluator import AspEvaluator
from policylang.evaluate.firings import Evaluation, Evaluator, Failure, Firings, Limits
from policylang.evaluate.plan import PlanEvaluator, refusal
from policylang.facts.factset import FactSet, Row
from policylang.semantics.program import Program
from tests.reference.draws import Recorded, Seeded, shrunk
from tests.reference.evaluator import evaluate
from tests.reference.generator import Case, case
from tests.reference.usual import UsualEvaluator

LIMITS = Limits(seconds=60.0)
TRIES = 1500
"""Attempts at making a case that differs smaller."""

EVALUATORS: Mapping[str, Callable[[Program, Mapping[str, tuple[Row, ...]]], Evaluator]] = {
    "clingo": AspEvaluator,
    "plan": PlanEvaluator,
    "plan, usual requests": UsualEvaluator,
}


def differences(given: Case, names: Sequence[str] = tuple(EVALUATORS)) -> Iterator[str]:
    """Every way in which an evaluator disagrees with the reference or with another one."""
    batch = [*given.requests, *_crossed(given.requests)]
    expected = [evaluate(given.program, given.reference, facts) for facts in batch]
    answers: dict[str, Sequence[Evaluation]] = {}
    plan: Evaluator | None = None
    for name in names:
        if name.startswith("plan") and refusal(given.program) is not None:
            continue  # What a plan refuses goes to clingo.
        evaluator = EVALUATORS[name](given.program, given.reference)
        if isinstance(evaluator, UsualEvaluator) and isinstance(plan, PlanEvaluator):
            evaluator.beside(plan)
        plan = evaluator
        try:
            answers[name] = [evaluator.evaluate(facts, LIMITS) for facts in given.requests]
            answers[f"{name}, many at once"] = evaluator.evaluate_many(batch, LIMITS)
        except Exception:  # noqa: BLE001 - whatever an evaluator raises is a difference to report
            yield f"{name} raised\n{traceback.format_exc()}"
        evaluator.close()
    for name, found in answers.items():
        for facts, right, answer in zip(batch, expected, found, strict=False):
            if not _agree(right, answer):
                yield f"{name}, {facts.action}: {answer}\n  the reference: {right}"
    alone = len(given.requests)
    messages = {
        name: [a for a in found[:alone] if isinstance(a, Failure)]
        for name, found in answers.items()
    }
    if len(set(map(tuple, messages.values()))) > 1:
        yield f"failures are told differently: {messages}"


def _crossed(requests: Sequence[FactSet]) -> Iterator[FactSet]:
    """Each request with the facts of every other: a batch is to hold several requests of one action."""
    actions = {facts.action for facts in requests}
    for one, other in permutations(requests, 2):
        rows = {name: rows for name, rows in other.rows.items() if name not in actions}
        own = {name: rows for name, rows in one.rows.items() if name in actions}
        yield FactSet(one.action, one.now, {**rows, **own}, one.reference)


def _agree(right: Evaluation, answer: Evaluation) -> bool:
    """Whether an answer is right. The reference has no messages for failures."""
    if isinstance(right, Failure) or isinstance(answer, Failure):
        return (
            isinstance(right, Failure)
            and isinstance(answer, Failure)
            and (right.rule, right.code) == (answer.rule, answer.code)
        )
    return isinstance(answer, Firings) and _written(right) == _written(answer)


def _written(firings: Firings) -> list[tuple[str, list[object]]]:
    """Firings with numbers as they print, since a trace holds what is printed."""
    return [
        (firing.rule, [str(v) if isinstance(v, int | Decimal) else v for v in firing.bindings])
        for firing in firings.firings
    ]


def report(seed: int, names: Sequence[str] = tuple(EVALUATORS)) -> str:
    """What differs for the case of a seed, made as small as it goes; empty where all agree."""
    draws = Seeded(seed)
    found = list(differences(case(draws), names))
    if not found:
        return ""

    def differs(choices: Sequence[int]) -> bool:
        return bool(list(differences(case(Recorded(choices)), names)))

    smallest = case(Recorded(shrunk(draws.choices, differs, TRIES)))
    again = list(differences(smallest, names)) or ["(not seen again; it was:)", *found]
    return "\n".join([f"seed {seed}", repr(smallest), *again])
