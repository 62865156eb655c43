"""The proof checker: small, independent of the prover, and the one that is to be believed.

It is given the program, the request and its firings, and looks at each step by itself. What a proof says positively
is checked down to the rows given; that something is absent, or that an aggregate ranged over all there is, is checked
against the firings, which the checker believes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from policylang.evaluate.calculate import aggregate, value_of
from policylang.evaluate.firings import Firing
from policylang.evaluate.model import Given, Reference
from policylang.explain.proof import (
    Absent,
    Computed,
    GivenStep,
    Instance,
    Premise,
    Proof,
    Ranges,
    RuleStep,
    Step,
    Takes,
    Uses,
)
from policylang.explain.world import (
    Entry,
    Env,
    Identity,
    World,
    agree,
    binds,
    derived,
    distinction,
    reads,
)
from policylang.facts.factset import FactSet
from policylang.semantics.program import (
    Aggregate,
    Bind,
    Body,
    Derive,
    Each,
    Literal,
    Match,
    Not,
    Or,
    Program,
    Rule,
    Test,
)


def verify(
    proof: Proof,
    program: Program,
    facts: FactSet,
    firings: Sequence[Firing],
    reference: Reference | None = None,
) -> tuple[str, ...]:
    """What is wrong with a proof, in words, step by step; empty where every step is right.

    `firings` are all of the evaluation (`Decision.all_firings`), those that no request changes included.
    """
    checker = _Checker(World(program, facts, firings, reference), facts, reference or {}, proof)
    return tuple(checker.problems())


class _WrongError(Exception):
    """A step is wrong; says how. Never leaves this module."""


def _require(condition: object, problem: str) -> None:
    if not condition:
        raise _WrongError(problem)


@dataclass(frozen=True, slots=True)
class _Checker:
    world: World
    facts: FactSet
    reference: Reference
    proof: Proof

    def problems(self) -> Iterator[str]:
        for number, step in enumerate(self.proof.steps):
            try:
                self._check(number, step)
            except _WrongError as wrong:
                yield f"step {number}: {wrong}"
        for root in self.proof.roots:
            if not 0 <= root < len(self.proof.steps):
                yield f"there is no step {root} to be the root"

    def _check(self, number: int, step: Step) -> None:
        match step:
            case GivenStep():
                _require(self.world.holds(step.relation, step.row), "no such row was given")
                _require(step.given is self._given(step.relation), "it was given elsewhere")
            case RuleStep():
                rule = self.world.rules.get(step.rule)
                _require(rule is not None, "there is no such rule")
                assert rule is not None
                self._rule(number, step, rule)
            case _:
                assert_never(step)

    def _given(self, relation: str) -> Given:
        if relation in self.world.program.tables:
            return Given.TABLE
        return Given.REFERENCE if relation in self.reference else Given.REQUEST

    def _rule(self, number: int, step: RuleStep, rule: Rule) -> None:
        about = not rule.actions or self.facts.action in rule.actions
        _require(about, "the rule is about another action")
        values = step.instance.values
        _require(all(v.name in values for v in rule.variables), "a variable has no value")
        if isinstance(rule.head, Derive):
            _require(step.atom == derived(rule.head, values), "the rule derives another atom")
        else:
            _require(step.atom is None, "the rule derives no atom")
        heights = [0]
        self._instance(number, rule.body, step.instance, {}, heights)
        _require(step.height == 1 + max(heights), "the height is another one")

    def _instance(
        self, number: int, body: Body, instance: Instance, around: Env, heights: list[int]
    ) -> tuple[Identity, ...]:
        """Check every literal of a body; returns what its matches matched, in the order of writing."""
        _require(len(instance.premises) == len(body), "a literal has no premise")
        _require(not instance.values.keys() & around.keys(), "a variable has two values")
        values = {**around, **instance.values}
        bound = {name for literal in body for name in binds(literal)}
        _require(instance.values.keys() <= bound, "a value belongs to no variable")
        matched: tuple[Identity, ...] = ()
        for literal, premise in zip(body, instance.premises, strict=True):
            matched += self._literal(number, literal, premise, values, heights)
        return matched

    def _literal(
        self, number: int, literal: Literal, premise: Premise, values: Env, heights: list[int]
    ) -> tuple[Identity, ...]:
        text = literal.origin.text
        match literal, premise:
            case Match(), Uses():
                return (self._match(number, literal, premise, values, heights),)
            case Or(), Takes():
                _require(0 <= premise.branch < len(literal.branches), f"no such branch: {text}")
                branch = literal.branches[premise.branch]
                return self._instance(number, branch, premise.instance, values, heights)
            case Aggregate(), Ranges():
                self._aggregate(number, literal, premise, values, heights)
            case Not(), Absent():
                _require(not list(self.world.instances(literal.body, values)), f"it holds: {text}")
            case ((Bind() | Test() | Each()), Computed()):
                _require(reads(literal) <= values.keys(), f"a variable has no value: {text}")
                ways = [found for found in self.world.ways(literal, values) if not found.fails]
                _require(any(found.env == values for found in ways), f"it does not hold: {text}")
            case _:
                raise _WrongError(f"that is no premise of: {text}")
        return ()

    def _match(
        self, number: int, literal: Match, premise: Uses, values: Env, heights: list[int]
    ) -> Identity:
        _require(0 <= premise.step < number, "a premise is no earlier step")
        step = self.proof.steps[premise.step]
        heights.append(step.height)
        entry = self._entry(step)
        _require(entry.identity[0] == literal.name, f"a premise is another fact: {literal.name}")
        enough = literal.source is None or entry.source >= literal.source
        _require(enough, f"a premise is of a lesser source: {literal.origin.text}")
        agrees = [found.env == values for found in agree(literal.arguments, entry, values)]
        _require(any(agrees), f"a premise does not match: {literal.origin.text}")
        return entry.identity

    def _entry(self, step: Step) -> Entry:
        if isinstance(step, GivenStep):
            return Entry((step.relation, step.row.id), step.row.values, step.row.source)
        head = self.world.rules[step.rule].head if step.rule in self.world.rules else None
        if not isinstance(head, Derive) or step.atom is None:
            raise _WrongError("a premise derives no atom")
        return Entry((head.predicate, step.atom), step.atom)

    def _aggregate(
        self, number: int, literal: Aggregate, premise: Ranges, values: Env, heights: list[int]
    ) -> None:
        text = literal.origin.text
        listed = set()
        environments = []
        for instance in premise.matches:
            matched = self._instance(number, literal.body, instance, values, heights)
            env = {**values, **instance.values}
            listed.add(distinction(literal, env, matched))
            environments.append(env)
        _require(len(listed) == len(environments), f"a match is listed twice: {text}")
        ranged = self.world.ranged(literal, values)
        _require(ranged is not None, f"it fails: {text}")
        _require(listed == set(ranged or ()), f"it ranges over other matches: {text}")
        if literal.value is None:
            result: object = len(environments)
        else:
            terms = [value_of(literal.value, env) for env in environments]
            type_ = literal.value.type
            result = aggregate(literal.kind, terms, type_, literal.result.type)
        _require(values.get(literal.result.name) == result, f"it has another value: {text}")
