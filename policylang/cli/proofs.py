"""Explanations as a reader and as a program want them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, Final

import click

from policylang.bundle.case import Case
from policylang.cli.output import colour
from policylang.cli.rendering import decision_text
from policylang.decide.decision import Outcome
from policylang.decide.json import decision_to_json
from policylang.explain import graph
from policylang.explain.json import Writer
from policylang.explain.proof import Proof
from policylang.explain.text import plain, render
from policylang.explain.tree import (
    Node,
    Tone,
    explanation_tree,
    proof_trees,
    why_not_outcome_tree,
    why_not_tree,
)
from policylang.explain.words import Voice, Words

_LOOKS: Final[dict[Tone, dict[str, Any]]] = {
    Tone.RULE: {"bold": True},
    Tone.FACT: {},
    Tone.CHECK: {"fg": "cyan"},
    Tone.ABSENT: {"fg": "magenta"},
    Tone.HOLDS: {"fg": "green"},
    Tone.FAILS: {"fg": "red"},
    Tone.UNBOUND: {"fg": "yellow"},
    Tone.NOTE: {"dim": True},
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be shown: trees for a reader (or a text, where there is nothing to prove), and JSON."""

    trees: tuple[Node, ...]
    json: Callable[[], dict[str, Any]]
    instead: Callable[[IO[Any]], str] | None = None

    def text(self, form: str, stream: IO[Any]) -> str:
        """The answer as `stream` is to show it, in one of the forms text, mermaid, svg, html."""
        if self.instead is not None:
            return self.instead(stream)
        match form:
            case "mermaid":
                return "\n".join(graph.mermaid(tree) for tree in self.trees).rstrip("\n")
            case "svg":
                return "\n".join(graph.svg(tree) for tree in self.trees).rstrip("\n")
            case "html":
                return "\n".join(graph.html(tree, tree.text) for tree in self.trees).rstrip("\n")
            case _:
                style = _dressed if colour(stream) else plain
                return "\n".join(render(tree, style) for tree in self.trees)


def about_decision(case: Case, *, atoms: bool = False, absent: bool = False) -> Answer:
    """Why the decision is what it is. A refusal and a failure are their own reasons."""
    decision = case.decision
    if decision.rejection is not None or decision.failure is not None:
        return Answer((), partial(_decision_json, case), partial(decision_text, decision))
    words = _words(case, atoms)
    explanation = case.explanation()
    tree = explanation_tree(explanation, words, absences=absent)
    writer = Writer(case.model, words, absences=absent)
    return Answer((tree,), lambda: _masked(case, writer.explanation(explanation)))


def _decision_json(case: Case) -> dict[str, Any]:
    return _masked(case, decision_to_json(case.decision))


def _masked(case: Case, form: dict[str, Any]) -> dict[str, Any]:
    from policylang.trace.masking import mask_decision

    return mask_decision(case.program, form)


def about_atom(case: Case, atom: str, *, atoms: bool = False, absent: bool = False) -> Answer:
    """Why an atom holds, or which rules come nearest to it.

    Raises `PolicyInvalid` where the text is no atom, or nothing was evaluated.
    """
    found = case.why(atom)
    words = _words(case, atoms)
    writer = Writer(case.model, words, absences=absent)
    if isinstance(found, Proof):
        trees = proof_trees(found, words, absences=absent)
        return Answer(trees, partial(writer.proof, found))
    return Answer((why_not_tree(found, words),), partial(writer.why_not, found))


def about_outcome(case: Case, outcome: Outcome, *, atoms: bool = False) -> Answer:
    """Why the decision has not that outcome; raises `PolicyInvalid` where nothing was evaluated."""
    found = case.why_not(outcome)
    words = _words(case, atoms)
    tree = why_not_outcome_tree(found, words)
    return Answer((tree,), partial(Writer(case.model, words).why_not_outcome, found))


def proof_text(case: Case, stream: IO[Any]) -> str:
    """The proof of a decision below its outcome, or the empty text where there is nothing to prove."""
    answer = about_decision(case)
    style = _dressed if colour(stream) else plain
    return "\n".join(render(child, style) for tree in answer.trees for child in tree.children)


def _words(case: Case, atoms: bool) -> Words:
    return Words(case.model, Voice.ATOMS if atoms else Voice.PROSE)


def _dressed(tone: Tone, text: str) -> str:
    return click.style(text, **_LOOKS[tone])
