"""Explanations as trees of sentences, bounded in depth and breadth, which every rendering is made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import Final, assert_never

from policylang.decide.messages import fill
from policylang.decide.wording import FAILED_WORD, bare, written
from policylang.evaluate.exact import CalculationFailure
from policylang.evaluate.model import Given
from policylang.explain.explain import Explanation
from policylang.explain.nearest import Look, Mark
from policylang.explain.proof import (
    Absent,
    Computed,
    GivenStep,
    Instance,
    Premise,
    Proof,
    Ranges,
    RuleStep,
    Takes,
    Uses,
)
from policylang.explain.why_not import NearMiss, WhyNot, WhyNotOutcome, why_absent
from policylang.explain.words import Voice, Words
from policylang.facts.schema import RelationKind, Source
from policylang.facts.values import Missing, Value
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
    Rule,
    Test,
    Variable,
)

DEPTH: Final = 40
"""Levels of a tree; what is below is counted."""

ROWS: Final = 10
"""Matches of an aggregate, and steps of one kind, that are shown; the others are counted."""


class Tone(StrEnum):
    """What a line of a tree is, for whoever dresses it."""

    RULE = "rule"
    FACT = "fact"
    CHECK = "check"
    ABSENT = "absent"
    HOLDS = "holds"
    FAILS = "fails"
    UNBOUND = "unbound"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Node:
    """One line of an explanation, and what it stands on."""

    text: str
    tone: Tone
    children: tuple[Node, ...] = ()


_TONES: Final = {
    Mark.HOLDS: Tone.HOLDS,
    Mark.FAILS: Tone.FAILS,
    Mark.ERROR: Tone.FAILS,
    Mark.UNBOUND: Tone.UNBOUND,
}


def explanation_tree(
    explanation: Explanation, words: Words, depth: int = DEPTH, *, absences: bool = False
) -> Node:
    """The tree of a decision's explanation: its outcome, and under it the rules with their proofs.

    With `absences`, each negation shows what its body comes nearest to.
    """
    decision = explanation.decision
    planter = _Planter(words, explanation.proof, absences=absences)
    children = []
    for step in dict.fromkeys(explanation.deciding + explanation.overriding):
        node = planter.step(step, depth - 1)
        below = _overridden(explanation, step)
        text = f"{node.text}, and overrides {', '.join(below)}" if below else node.text
        children.append(replace(node, text=text))
    if explanation.more:
        children.append(Node(f"and {explanation.more} more", Tone.NOTE))
    if not explanation.deciding:
        children += [Node(reason.message, Tone.NOTE) for reason in decision.reasons]
    if explanation.why_not is not None:
        children += near_misses(explanation.why_not, words, depth - 1)
    return Node(
        f"{decision.outcome.value} {bare(decision.action)}".rstrip(), Tone.RULE, tuple(children)
    )


def _overridden(explanation: Explanation, step: int) -> list[str]:
    """The rules that the rule of a step suppresses."""
    rule = explanation.proof.steps[step]
    return [
        bare(suppression.rule)
        for suppression in explanation.decision.suppressed
        if isinstance(rule, RuleStep) and suppression.by == rule.rule
    ]


def proof_trees(
    proof: Proof, words: Words, depth: int = DEPTH, *, absences: bool = False
) -> tuple[Node, ...]:
    """The trees of a proof's roots. With `absences`, negations show what their bodies come nearest to."""
    planter = _Planter(words, proof, absences=absences)
    return tuple(planter.step(root, depth) for root in proof.roots)


def why_not_tree(answer: WhyNot, words: Words, depth: int = DEPTH) -> Node:
    """The tree of a why-not about an atom."""
    atom = words.atom(answer.name, answer.arguments)
    if not answer.misses:
        program = words.model.program
        reason = (
            "nothing derives it" if answer.name in program.predicates else "no such row was given"
        )
        return Node(f"{atom} does not hold: {reason}", Tone.FAILS)
    return Node(f"{atom} does not hold", Tone.FAILS, tuple(near_misses(answer, words, depth - 1)))


def why_not_outcome_tree(answer: WhyNotOutcome, words: Words, depth: int = DEPTH) -> Node:
    """The tree of a why-not about an outcome."""
    if answer.asked is answer.outcome:
        return Node(f"the outcome is {answer.outcome.value}", Tone.HOLDS)
    head = f"not {answer.asked.value}: the outcome is {answer.outcome.value}"
    children = [Node(f"{bare(rule)} decided", Tone.RULE) for rule in answer.against]
    by = {s.rule: bare(s.by) for s in answer.suppressed}
    for rule in answer.fired:
        what = f"was overridden by {by[rule]}" if rule in by else "was outweighed"
        children.append(Node(f"{bare(rule)} fired and {what}", Tone.NOTE))
    children += near_misses(answer, words, depth - 1)
    return Node(head, Tone.FAILS, tuple(children))


def near_misses(answer: WhyNot | WhyNotOutcome, words: Words, depth: int) -> Iterator[Node]:
    """A tree for each rule that comes near."""
    for miss in answer.misses:
        yield _Looker(words, words.model.rules[miss.rule]).miss(miss, depth)
    if answer.more:
        yield Node(f"and {answer.more} more", Tone.NOTE)
    if not answer.complete:
        yield Node("the search was given up: there may be nearer ones", Tone.NOTE)


# --- proofs ----------------------------------------------------------------------------------------------


class _Planter:
    """Makes trees of the steps of one proof; a step that was shown before is only named.

    With `absences`, a negation shows what its body comes nearest to.
    """

    def __init__(self, words: Words, proof: Proof, *, absences: bool = False) -> None:
        self.words = words
        self.proof = proof
        self.absences = absences
        self._shown: set[int] = set()

    def step(self, number: int, depth: int) -> Node:
        step = self.proof.steps[number]
        if isinstance(step, GivenStep):
            return Node(self._given(step), Tone.FACT)
        rule = self.words.model.rules[step.rule]
        text = self._conclusion(step, rule)
        if number in self._shown and step.height > 1:
            return Node(f"{text} (shown above)", Tone.RULE)
        if depth <= 0:
            return Node(f"{text} (and {step.height} levels below)", Tone.RULE)
        self._shown.add(number)
        children = self._body(rule, rule.body, step.instance, {}, depth - 1)
        return Node(text, Tone.RULE, tuple(children))

    def _given(self, step: GivenStep) -> str:
        text = self.words.holding(step.relation, step.row.values)
        if step.given is not Given.REQUEST:
            return f"{text} [{step.given.value}]"
        return text if step.row.source is Source.SYSTEM else f"{text} [from {step.row.source.word}]"

    def _conclusion(self, step: RuleStep, rule: Rule) -> str:
        if step.atom is None or not isinstance(rule.head, Derive):
            return self._fired(rule, step)
        text = self.words.holding(rule.head.predicate, step.atom)
        return text if self.words.voice is Voice.PROSE else f"{text}, by {bare(rule.name)}"

    def _fired(self, rule: Rule, step: RuleStep) -> str:
        if self.words.voice is Voice.ATOMS or rule.message is None:
            return f"{bare(rule.name)} fired"
        values = step.instance.values
        message = fill(rule.message, rule.name, values, self.words.model, self.words.secrets)
        return f"{bare(rule.name)}: {message}"

    def _body(
        self,
        rule: Rule,
        body: Body,
        instance: Instance,
        around: Mapping[str, Value],
        depth: int,
    ) -> Iterator[Node]:
        values = {**around, **instance.values}
        for literal, premise in zip(body, instance.premises, strict=True):
            yield from self._premise(rule, literal, premise, values, depth)

    def _premise(
        self,
        rule: Rule,
        literal: Literal,
        premise: Premise,
        values: Mapping[str, Value],
        depth: int,
    ) -> Iterator[Node]:
        match premise:
            case Uses(number):
                yield from self._match(literal, number, depth)
            case Takes(branch, instance):
                assert isinstance(literal, Or)
                yield from self._body(rule, literal.branches[branch], instance, values, depth)
            case Ranges(matches):
                assert isinstance(literal, Aggregate)
                yield self._aggregate(rule, literal, matches, values, depth)
            case Absent():
                yield self._absent(rule, literal, values, depth)
            case Computed():
                text = _checked(self.words, rule, literal, values)
                if text is not None:
                    yield Node(text, Tone.CHECK)
            case _:
                assert_never(premise)

    def _absent(
        self, rule: Rule, literal: Literal, values: Mapping[str, Value], depth: int
    ) -> Node:
        children: tuple[Node, ...] = ()
        if self.absences and depth > 0 and isinstance(literal, Not):
            miss = why_absent(self.words.model, literal, values, rule.name)
            children = _Looker(self.words, rule).miss(miss, depth).children
        return Node(literal.origin.text, Tone.ABSENT, children)

    def _match(self, literal: Literal, number: int, depth: int) -> Iterator[Node]:
        """A match: nothing for the reading of a path, whose value the comparison beside it shows.

        Where the value is of a lesser source than the system's, that is said.
        """
        step = self.proof.steps[number]
        if not (isinstance(literal, Match) and literal.path and isinstance(step, GivenStep)):
            yield self.step(number, depth)
            return
        kind = self.words.model.program.schema.relations[step.relation].kind
        if step.row.source is Source.SYSTEM or kind in (RelationKind.ACTION, RelationKind.GROUP):
            return
        for position, argument in enumerate(literal.arguments):
            if isinstance(argument, Variable):
                shown = self.words.holding_value(step.relation, position, step.row)
                text = f"{literal.path} is {shown} [from {step.row.source.word}]"
                yield Node(text, Tone.FACT)

    def _aggregate(
        self,
        rule: Rule,
        literal: Aggregate,
        matches: Sequence[Instance],
        values: Mapping[str, Value],
        depth: int,
    ) -> Node:
        result = self.words.value(literal.result, rule.name, values)
        children = [
            node
            for instance in islice(matches, ROWS)
            for node in self._body(rule, literal.body, instance, values, depth - 1)
            if node.tone is not Tone.CHECK
        ]
        if len(matches) > ROWS:
            children.append(Node(f"and {len(matches) - ROWS} more", Tone.NOTE))
        return Node(f"{literal.origin.text} is {result}", Tone.CHECK, tuple(children))


def _checked(words: Words, rule: Rule, literal: Literal, values: Mapping[str, Value]) -> str | None:
    """A calculation or comparison with its values; `None` where the text already says it all."""
    text = literal.origin.text
    match literal:
        case Test():
            shown = words.with_values(literal.condition, rule.name, values)
        case Bind():
            if literal.variable.hidden:
                return None
            shown = f"{literal.variable.name} is {words.value(literal.variable, rule.name, values)}"
        case Each():
            if not isinstance(literal.element, Variable):
                return text
            shown = words.value(literal.element, rule.name, values)
        case _:
            return text
    return text if shown == text or not shown else f"{text}: {shown}" if text else shown


# --- why-not ---------------------------------------------------------------------------------------------


class _Looker:
    """Makes trees of the literals of one rule that does not fire."""

    def __init__(self, words: Words, rule: Rule) -> None:
        self.words = words
        self.rule = rule

    def miss(self, miss: NearMiss, depth: int) -> Node:
        """The tree of a near miss: a line for each literal."""
        asked = dict(miss.asked_on)
        children = [
            self._look(look, asked.get(i), depth - 1)
            for i, look in enumerate(miss.nearest.looks)
            if not _is_quiet(look)
        ]
        text = f"{bare(self.rule.name)} did not fire"
        return Node(text, Tone.FAILS, tuple(children) if depth > 0 else ())

    def _look(self, look: Look, asked: WhyNot | None, depth: int) -> Node:
        children: tuple[Node, ...] = ()
        if asked is not None and asked.misses and depth > 0:
            children = tuple(near_misses(asked, self.words, depth - 1))
        if look.branches and depth > 0:
            children = tuple(self._branches(look, depth))
        return Node(self._text(look), _TONES[look.mark], children)

    def _branches(self, look: Look, depth: int) -> Iterator[Node]:
        """The branches of a failing `or`: one line each, or a group where a branch has several."""
        shown = [
            [self._look(inner, None, depth - 1) for inner in branch if not _is_quiet(inner)]
            for branch in look.branches
        ]
        for number, nodes in enumerate(shown):
            if len(nodes) == 1:
                yield nodes[0]
            else:
                yield Node("or" if number else "either", Tone.FAILS, tuple(nodes))

    def _text(self, look: Look) -> str:
        text = look.literal.origin.text
        match look.mark:
            case Mark.HOLDS:
                return self._holding(look)
            case Mark.UNBOUND:
                return f"{text}: not known without the above"
            case Mark.ERROR:
                problem = look.result
                message = (
                    problem.message if isinstance(problem, CalculationFailure) else FAILED_WORD
                )
                return f"{text}: {message}"
            case Mark.FAILS:
                return self._failing(look)
            case _:
                assert_never(look.mark)

    def _holding(self, look: Look) -> str:
        match look.literal:
            case Match(name=name) if look.row is not None:
                return self.words.holding(name, look.row.values)
            case Aggregate() as literal:
                return f"{literal.origin.text} is {self._value(literal.result.name, look)}"
            case literal:
                shown = _checked(self.words, self.rule, literal, look.values)
                return literal.origin.text if shown is None else shown

    def _value(self, name: str, look: Look) -> str:
        literal = look.literal
        if isinstance(literal, Aggregate) and name in look.values:
            return self.words.value(literal.result, self.rule.name, look.values)
        return FAILED_WORD

    def _failing(self, look: Look) -> str:
        literal = look.literal
        text = literal.origin.text
        match literal:
            case Match():
                pattern = self.words.pattern(literal, look.values)
                if literal.name in self.words.model.program.predicates:
                    return f"{pattern} does not hold"
                if look.row is None:
                    return f"no {pattern}"
                return f"{text}: there is {self.words.atom(literal.name, look.row.values)}"
            case Not() if look.against is not None:
                return f"{text}: {self._against(literal, look.against.bindings)}"
            case Aggregate():
                return f"{text}: {self._result(literal, look)}"
            case Bind() | Each():
                shown = _checked(self.words, self.rule, literal, look.values)
                return text if shown is None else shown
            case Test():
                return _checked(self.words, self.rule, literal, look.values) or text
            case _:
                return text

    def _against(self, literal: Not, values: Mapping[str, Value]) -> str:
        found = [
            self.words.pattern(inner, values) for inner in literal.body if isinstance(inner, Match)
        ]
        return "there is " + " and ".join(found) if found else "it holds"

    def _result(self, literal: Aggregate, look: Look) -> str:
        match look.result:
            case None | Missing():
                return "there is none"
            case CalculationFailure() as failure:
                return failure.message
            case value:
                if self.words.secrets.hides(literal.result, self.rule.name):
                    return "it is another value"
                return f"it is {written(value, literal.result.type)}"


def _is_quiet(look: Look) -> bool:
    """Whether a literal says nothing of its own: a path that was read, and holds."""
    literal = look.literal
    if look.mark is not Mark.HOLDS:
        return False
    if isinstance(literal, Match):
        return literal.path is not None
    return isinstance(literal, Bind) and literal.variable.hidden
