"""What of a policy its tests made fire: rules, clauses of definitions, and the branches of every `or`.

A branch counts where it held in an instance of its rule that fired. What stands under a `not` never holds in a
rule that fires, and an invariant is not meant to fire, so neither is counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from policylang.bundle.case import Case
from policylang.diagnostics import Span
from policylang.evaluate.interpret import Chosen, Ranged, Witness, solutions
from policylang.evaluate.model import Model
from policylang.semantics.program import Aggregate, Body, Literal, Never, Or, Program, Rule

MOST_INSTANCES: Final = 1_000
"""Instances of one firing that are looked at for branches that held."""


@dataclass(frozen=True, slots=True)
class Part:
    """A rule, or one branch of an `or` in it: what it is, and where it is written.

    `branch` tells the branches of a rule apart; it is empty for the rule itself.
    """

    rule: str
    branch: tuple[int, ...]
    span: Span

    @property
    def text(self) -> str:
        """What it is, for a reader."""
        kind = f"branch {self.branch[-1] + 1} of an `or` in" if self.branch else "rule"
        return f"{kind} {self.rule.rpartition('.')[2]}"


@dataclass(frozen=True, slots=True)
class Coverage:
    """The parts of a program, in the order of writing, and those of them that fired."""

    parts: tuple[Part, ...]
    fired: frozenset[Part]

    @property
    def missed(self) -> tuple[Part, ...]:
        """The parts that never fired."""
        return tuple(part for part in self.parts if part not in self.fired)

    @property
    def percent(self) -> int:
        """How much fired, rounded down, so that 100 says that nothing is missed."""
        return 100 * len(self.fired) // len(self.parts) if self.parts else 100


def coverage(program: Program, cases: Iterable[Case], modules: Collection[str]) -> Coverage:
    """What of the rules of these modules fired in the cases."""
    rules = {rule.name: rule for rule in program.rules if _counts(rule, modules)}
    parts = tuple(part for rule in rules.values() for part in _parts_of(rule))
    fired: set[Part] = set()
    for case in cases:
        fired.update(_fired(case, rules))
    return Coverage(parts, frozenset(fired))


def _counts(rule: Rule, modules: Collection[str]) -> bool:
    return not isinstance(rule.head, Never) and rule.name.rpartition(".")[0] in modules


def _parts_of(rule: Rule) -> Iterator[Part]:
    yield Part(rule.name, (), rule.origin.span)
    yield from _branches(rule.name, rule.body, ())


def _branches(rule: str, body: Body, path: tuple[int, ...]) -> Iterator[Part]:
    for position, literal in enumerate(body):
        match literal:
            case Or():
                for number, branch in enumerate(literal.branches):
                    inner = (*path, position, number)
                    yield Part(rule, inner, _span(branch, literal))
                    yield from _branches(rule, branch, inner)
            case Aggregate():
                yield from _branches(rule, literal.body, (*path, position))
            case _:
                pass


def _span(branch: Body, literal: Literal) -> Span:
    return branch[0].origin.span if branch else literal.origin.span


def _fired(case: Case, rules: dict[str, Rule]) -> Iterator[Part]:
    if case.facts is None:
        return
    model = Model(case.program, case.facts, case.decision.all_firings, case.reference)
    for firing in case.decision.all_firings:
        rule = rules.get(firing.rule)
        if rule is None:
            continue
        yield Part(rule.name, (), rule.origin.span)
        if any(True for _ in _branches(rule.name, rule.body, ())):
            names = [variable.name for variable in rule.variables]
            bindings = dict(zip(names, firing.bindings, strict=True))
            for instance in islice(solutions(rule.body, bindings, model), MOST_INSTANCES):
                yield from _held(rule.name, rule.body, instance.witnesses, ())


def _held(
    rule: str, body: Body, witnesses: Sequence[Witness], path: tuple[int, ...]
) -> Iterator[Part]:
    for position, (literal, witness) in enumerate(zip(body, witnesses, strict=True)):
        match literal, witness:
            case Or(), Chosen(number, inner):
                branch = literal.branches[number]
                here = (*path, position, number)
                yield Part(rule, here, _span(branch, literal))
                yield from _held(rule, branch, inner, here)
            case Aggregate(), Ranged(matches):
                for match in islice(matches, MOST_INSTANCES):
                    yield from _held(rule, literal.body, match.witnesses, (*path, position))
            case _:
                pass
