"""What a decision about one action reads: the rules that can fire for it, and what those depend on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policylang.semantics.program import (
    Aggregate,
    Bind,
    Body,
    Derive,
    Each,
    Match,
    Not,
    Or,
    Program,
    Rule,
    Test,
)


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a program that a decision about `action` evaluates; the rest can neither fire nor fail.

    `rules` are in the order of the program; `predicates` and `relations` are what their bodies match.
    """

    action: str
    rules: tuple[Rule, ...]
    predicates: frozenset[str]
    relations: frozenset[str]


def matches(body: Body) -> Iterator[Match]:
    """Every match of a body, nested ones included, in the order of writing."""
    for literal in body:
        match literal:
            case Match():
                yield literal
            case Not() | Aggregate():
                yield from matches(literal.body)
            case Or():
                for branch in literal.branches:
                    yield from matches(branch)
            case Each() | Bind() | Test():
                pass


def slice_for(program: Program, action: str) -> Slice:
    """The slice of a program for one action (a qualified name, declared or not)."""
    clauses: dict[str, list[Rule]] = {}
    for rule in program.rules:
        if isinstance(rule.head, Derive):
            clauses.setdefault(rule.head.predicate, []).append(rule)
    chosen = {r.name for r in program.rules if not r.is_clause and _is_about(r, action)}
    waiting = [r for r in program.rules if r.name in chosen]
    predicates: set[str] = set()
    relations: set[str] = set()
    while waiting:
        for match in matches(waiting.pop().body):
            if match.name not in clauses and match.name not in program.predicates:
                relations.add(match.name)
            elif match.name not in predicates:
                predicates.add(match.name)
                found = clauses.get(match.name, ())
                chosen.update(r.name for r in found)
                waiting.extend(found)
    return Slice(
        action=action,
        rules=tuple(r for r in program.rules if r.name in chosen),
        predicates=frozenset(predicates),
        relations=frozenset(relations),
    )


def _is_about(rule: Rule, action: str) -> bool:
    return not rule.actions or action in rule.actions
