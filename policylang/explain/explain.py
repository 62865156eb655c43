"""Why a decision is what it is, and why an atom holds or does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from policylang.decide.decision import Decision, Outcome, ReasonKind
from policylang.evaluate.firings import Firing
from policylang.evaluate.model import Atom, Model, Reference
from policylang.explain.proof import Proof
from policylang.explain.prove import find, prove
from policylang.explain.why_not import (
    DEPTH,
    Arguments,
    WhyNot,
    WhyNotOutcome,
    why_not,
    why_not_outcome,
)
from policylang.facts.factset import FactSet
from policylang.semantics.program import Program

MOST_FIRINGS: Final = 5
"""Firings of one rule that an explanation proves; the others are counted."""

MOST_ATOMS: Final = 10
"""Atoms that an answer about an atom with open arguments proves."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The proof of a decision.

    `deciding` are the steps of the rules that decided it, `overriding` those of the rules that suppressed others; both
    are roots of `proof`. `more` counts firings of these rules that are not proved. Where nothing allows the
    action, `why_not` says which rules come nearest to allowing it. A failure or a refusal has nothing to prove.

    >>> from policylang import loads
    >>> bundle = loads("module shop action ship rule all: allow ship")
    >>> explanation = bundle.case({"action": "ship"}).explanation()
    >>> [explanation.proof.steps[step].rule for step in explanation.deciding]
    ['shop.all']
    """

    decision: Decision
    proof: Proof
    deciding: tuple[int, ...] = ()
    overriding: tuple[int, ...] = ()
    more: int = 0
    why_not: WhyNotOutcome | None = None


def model_of(
    program: Program, facts: FactSet, decision: Decision, reference: Reference | None = None
) -> Model:
    """The finished model behind a decision: its facts and firings."""
    return Model(program, facts, decision.all_firings, reference)


def explain(model: Model, decision: Decision, depth: int = DEPTH) -> Explanation:
    """The proof of a decision over its model."""
    if decision.failure is not None or decision.rejection is not None:
        return Explanation(decision, Proof((), ()))
    deciding, left = _firings(decision, decision.determining)
    overriding, also_left = _firings(decision, {s.by for s in decision.suppressed})
    proof = prove(model, [*deciding, *overriding])
    nothing = any(reason.kind is ReasonKind.NOTHING_ALLOWS for reason in decision.reasons)
    return Explanation(
        decision=decision,
        proof=proof,
        deciding=proof.roots[: len(deciding)],
        overriding=proof.roots[len(deciding) :],
        more=left + also_left,
        why_not=why_not_outcome(model, decision, Outcome.ALLOW, depth) if nothing else None,
    )


def _firings(decision: Decision, rules: Iterable[str]) -> tuple[list[Firing], int]:
    """The first firings of each of these rules, and how many there are besides."""
    wanted = frozenset(rules)
    firings = [firing for firing in decision.firings if firing.rule in wanted]
    counted: dict[str, int] = {}
    first = []
    for firing in firings:
        counted[firing.rule] = counted.get(firing.rule, 0) + 1
        if counted[firing.rule] <= MOST_FIRINGS:
            first.append(firing)
    return first, len(firings) - len(first)


def why(model: Model, name: str, arguments: Arguments, depth: int = DEPTH) -> Proof | WhyNot:
    """Why an atom or row holds, or why it does not; `None` among the arguments stands for any.

    `name` is the qualified name of a definition or relation and there is one argument for each of its own.
    At most `MOST_ATOMS` atoms are proved.
    """
    atoms: list[Atom] = list(islice(find(model, name, arguments), MOST_ATOMS))
    return prove(model, atoms) if atoms else why_not(model, name, arguments, depth)
