"""Why an atom does not hold, or an outcome was not reached: the rules that come nearest to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from policylang.decide.decision import Decision, Outcome, Suppression
from policylang.evaluate.model import Model
from policylang.explain.nearest import Budget, Look, Mark, Nearest, nearest
from policylang.facts.values import Missing, Value
from policylang.semantics.program import (
    Allow,
    Constant,
    Deny,
    Derive,
    Match,
    Not,
    RequireApproval,
    Rule,
    Variable,
)

Arguments: TypeAlias = "tuple[Value | Missing | None, ...]"
"""The arguments of an atom that is asked about; `None` where any will do."""

DEPTH: Final = 3
"""How many definitions deep a why-not asks on."""

MOST_RULES: Final = 5
"""Rules that one answer names; the others are counted."""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule that does not fire, at its nearest.

    `asked_on` answers for failing matches of definitions, by their position in `nearest.looks`.
    """

    rule: str
    nearest: Nearest
    asked_on: tuple[tuple[int, WhyNot], ...] = ()


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why an atom does not hold: the nearest clauses of its definition, best first.

    Of a relation, which has no clauses, there are none: no such row was given. `more` counts the clauses
    not named, `complete` says whether the search came to its end.
    """

    name: str
    arguments: Arguments
    misses: tuple[NearMiss, ...]
    more: int = 0
    complete: bool = True


@dataclass(frozen=True, slots=True)
class WhyNotOutcome:
    """Why a decision has not another outcome.

    `against` are the rules that decided otherwise, `fired` those that spoke for the asked outcome and did not
    decide it, `suppressed` the ones among them that were overridden. `misses` are the nearest of those that did not
    fire (none where one fired that would have been enough), and of those that would override what is against it.
    """

    asked: Outcome
    outcome: Outcome
    against: tuple[str, ...]
    fired: tuple[str, ...]
    suppressed: tuple[Suppression, ...]
    misses: tuple[NearMiss, ...]
    more: int = 0
    complete: bool = True


def why_not(model: Model, name: str, arguments: Arguments, depth: int = DEPTH) -> WhyNot:
    """Why no atom of that name with these arguments holds.

    A failing literal about another definition is asked on, `depth` definitions deep, and no atom twice.
    """
    return _Asking(model, Budget()).atom(name, arguments, depth, frozenset())


def why_not_outcome(
    model: Model, decision: Decision, asked: Outcome, depth: int = DEPTH
) -> WhyNotOutcome:
    """Why a decision has not the asked outcome; nothing where it has."""
    if asked is decision.outcome:
        return WhyNotOutcome(asked, asked, (), (), (), ())
    fired = {firing.rule for firing in decision.firings}
    out = {suppression.rule for suppression in decision.suppressed}
    rules = [rule for rule in model.program.rules if decision.action in rule.actions]
    speaking = [rule.name for rule in rules if isinstance(rule.head, _SPEAKING[asked])]
    spoke = tuple(name for name in speaking if name in fired)
    enough = any(
        isinstance(model.rules[name].head, _SPEAKING[asked][0]) for name in spoke if name not in out
    )
    # Where one that counts fired, what matters is what would take away that which stands against it.
    missed = [
        rule
        for rule in rules
        if rule.name not in fired
        and (
            (rule.name in speaking and not enough)
            or set(rule.overrides) & set(decision.determining)
        )
    ]
    asking = _Asking(model, Budget())
    misses, more = asking.rules(missed, {}, depth, frozenset())
    return WhyNotOutcome(
        asked=asked,
        outcome=decision.outcome,
        against=decision.determining,
        fired=tuple(name for name in spoke if name not in decision.determining),
        suppressed=tuple(s for s in decision.suppressed if s.rule in spoke),
        misses=misses,
        more=more,
        complete=asking.budget.complete,
    )


def why_absent(
    model: Model, literal: Not, values: Mapping[str, Value], rule: str = "", depth: int = DEPTH
) -> NearMiss:
    """Why a negation holds under values: what its body comes nearest to, and why each part of it fails.

    `rule` is the rule in which it stands.
    """
    asking = _Asking(model, Budget())
    best = nearest(literal.body, values, model, asking.budget)[0]
    return NearMiss(rule, best, tuple(asking.asked_on(best, depth, frozenset())))


_SPEAKING: Final[Mapping[Outcome, tuple[type, ...]]] = {
    Outcome.ALLOW: (Allow, RequireApproval),
    Outcome.NEEDS_APPROVAL: (RequireApproval,),
    Outcome.DENY: (Deny,),
}


class _Asking:
    """One question, with the atoms that were asked on."""

    def __init__(self, model: Model, budget: Budget) -> None:
        self.model = model
        self.budget = budget

    def atom(
        self, name: str, arguments: Arguments, depth: int, asked: frozenset[tuple[str, Arguments]]
    ) -> WhyNot:
        known = {}
        for rule in self.model.program.rules:
            if isinstance(rule.head, Derive) and rule.head.predicate == name:
                values = _head_values(rule.head, arguments)
                if values is not None:
                    known[rule.name] = values
        clauses = [self.model.rules[rule] for rule in known]
        misses, more = self.rules(clauses, known, depth, asked | {(name, arguments)})
        return WhyNot(name, arguments, misses, more, self.budget.complete)

    def rules(
        self,
        rules: Sequence[Rule],
        known: dict[str, dict[str, Value]],
        depth: int,
        asked: frozenset[tuple[str, Arguments]],
    ) -> tuple[tuple[NearMiss, ...], int]:
        """The nearest of rules that do not fire, and how many are left out."""
        found = []
        for i, rule in enumerate(rules):
            # Each rule has its share of what is left, so that a large one does not starve the others.
            share = self.budget.share(len(rules) - i)
            values = known.get(rule.name, {})
            found += [(rule, best) for best in nearest(rule.body, values, self.model, share)]
            self.budget.settle(share)
        found.sort(key=lambda pair: (pair[1].missed, pair[1].unbound))
        misses = tuple(
            NearMiss(rule.name, best, tuple(self.asked_on(best, depth, asked)))
            for rule, best in found[:MOST_RULES]
        )
        return misses, len(found) - len(misses)

    def asked_on(
        self, best: Nearest, depth: int, asked: frozenset[tuple[str, Arguments]]
    ) -> Iterator[tuple[int, WhyNot]]:
        """An answer for each failing literal about a definition of which something is known."""
        if depth <= 1:
            return
        for position, look in enumerate(best.looks):
            if look.mark is Mark.FAILS and isinstance(look.literal, Match):
                name = look.literal.name
                arguments = _arguments(look.literal, look)
                known = not arguments or any(value is not None for value in arguments)
                is_defined = name in self.model.program.predicates
                if is_defined and known and (name, arguments) not in asked:
                    yield position, self.atom(name, arguments, depth - 1, asked)


def _head_values(head: Derive, arguments: Arguments) -> dict[str, Value] | None:
    """The values that asked arguments give to a head's variables; `None` where the head is about others."""
    values: dict[str, Value] = {}
    for term, value in zip(head.arguments, arguments, strict=True):
        if value is None:
            continue
        if isinstance(value, Missing):
            return None
        if isinstance(term, Constant):
            if term.value != value:
                return None
        elif values.setdefault(term.name, value) != value:
            return None
    return values


def _arguments(match: Match, look: Look) -> Arguments:
    """What is known of the arguments of a match that fails."""
    return tuple(
        argument.value
        if isinstance(argument, Constant)
        else look.values.get(argument.name)
        if isinstance(argument, Variable)
        else None
        for argument in match.arguments
    )
