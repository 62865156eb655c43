"""What a plan does not take, found without making code: `auto` then leaves the program to clingo."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

from policylang.evaluate.plan.bodies import UnplannableError, flattened
from policylang.facts.schema import Cardinality, RelationKind
from policylang.semantics.program import (
    Aggregate,
    Body,
    Derive,
    Each,
    Match,
    Not,
    Or,
    Program,
    Rule,
)

MOST_LITERALS: Final = 100
"""Literals of a body. Each is a level of nesting in the code, of which Python allows some hundreds."""
MOST_LOOPS: Final = 16
"""Loops inside each other; Python itself allows 20 blocks."""


class Refused(NamedTuple):
    """A rule that a plan cannot take, and why."""

    rule: Rule
    why: str

    def __str__(self) -> str:
        return f"in `{self.rule.name}`, {self.why}"


def refusal(program: Program, taken: Iterable[Rule] = ()) -> Refused | None:
    """Why a plan cannot take a program, as a sentence that names the rule; None where it can.

    `taken` are rules of another program that a plan takes: where the very same are in this one, nothing is asked of them.
    """
    single = frozenset(_single(program))
    known = {id(rule) for rule in taken}
    for rule in program.rules:
        if id(rule) in known:
            continue
        beside = _beside(program, rule)
        try:
            for body in bodies(rule.body):
                check(body, single, beside)
        except UnplannableError as problem:
            return Refused(rule, str(problem))
    return None


def check(body: Body, single: Collection[str], beside: Collection[str]) -> None:
    """Raise `UnplannableError` where a body is none for a plan.

    `single` relations have one row at most; `beside` are the definitions that a clause may be in recursion with.
    """
    for flat in flattened(body, (), beside, counted=True):
        if len(flat) > MOST_LITERALS:
            raise UnplannableError(f"a condition has more than {MOST_LITERALS} parts")
        loops = sum(_ranges(literal, single) for literal in flat)
        if loops > MOST_LOOPS:
            raise UnplannableError(f"a condition ranges over more than {MOST_LOOPS} relations")


def bodies(body: Body) -> Iterator[Body]:
    """A body and all bodies inside it."""
    yield body
    for literal in body:
        match literal:
            case Not() | Aggregate():
                yield from bodies(literal.body)
            case Or():
                for branch in literal.branches:
                    yield from bodies(branch)
            case _:
                pass


def _ranges(literal: object, single: Collection[str]) -> bool:
    return isinstance(literal, Each) or (isinstance(literal, Match) and literal.name not in single)


def _beside(program: Program, rule: Rule) -> frozenset[str]:
    if not isinstance(rule.head, Derive):
        return frozenset()
    return frozenset(p.name for p in program.predicates.values() if p.stratum == rule.stratum)


def _single(program: Program) -> Iterable[str]:
    for relation in program.schema.relations.values():
        once = relation.kind in (RelationKind.ACTION, RelationKind.GROUP)
        if once or (relation.cardinality is not Cardinality.MANY and relation.file is None):
            yield relation.name
