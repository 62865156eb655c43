"""From what an evaluator answered to a `Decision`.

The outcome itself is `policylang.decide.authorize`; here are the rules that fired for it, and the reasons. Nothing
here can turn a failure into an allow: a failed evaluation is a denial, and so is a request that was refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final, TypeAlias

from policylang.decide.authorize import Fired, Says, Verdict, authorize
from policylang.decide.decision import (
    Decision,
    Later,
    Outcome,
    Reason,
    ReasonKind,
    Requirement,
    Suppression,
    deferred_decision,
)
from policylang.decide.heads import Approvals, assignments, misfit, obligations, requirement
from policylang.decide.messages import default_sentence, nothing_allows
from policylang.decide.secrets import Secrets, secrets_of
from policylang.decide.sentences import Sentence, sentence_of
from policylang.decide.templates import Apart, Common, Spoken, Template, later_of
from policylang.decide.wording import bare
from policylang.errors import InternalError
from policylang.evaluate.firings import Evaluation, Failure, Firing, Firings, Pattern
from policylang.evaluate.model import Model, Reference
from policylang.facts.factset import FactSet
from policylang.facts.rejection import Rejection
from policylang.facts.schema import DecisionDeclaration
from policylang.semantics.program import (
    Allow,
    Assign,
    Deny,
    Derive,
    Message,
    Never,
    NeverEffect,
    Oblige,
    Program,
    RequireApproval,
    Rule,
)

_OUTCOMES: Final = {
    NeverEffect.ALLOW: Outcome.ALLOW,
    NeverEffect.DENY: Outcome.DENY,
    NeverEffect.NEEDS_APPROVAL: Outcome.NEEDS_APPROVAL,
}


def decide(
    program: Program, facts: FactSet, evaluation: Evaluation, reference: Reference | None = None
) -> Decision:
    """The decision about one request, from the firings for it or the failure to find them.

    `reference` are the rows of reference facts, which messages may speak of. For many requests make one
    `Authorizer`. `InternalError` where the firings are not of this program and action.
    """
    return Authorizer(program, reference).decide(facts, evaluation)


def refuse(program: Program, rejection: Rejection) -> Decision:
    """The decision about a request that the border refused: a denial, with one reason a problem.

    Its kind of reason tells what a caller can do: `needs_facts` names what to fetch before asking again.
    """
    kind = ReasonKind(rejection.kind.value)
    messages = [str(problem) for problem in rejection.problems]
    if rejection.more:
        messages.append(f"and {rejection.more} more")
    return Decision(
        action=rejection.action,
        outcome=Outcome.DENY,
        reasons=tuple(Reason(kind, "", message) for message in dict.fromkeys(messages)),
        program=program.digest,
        modules=program.modules,
        rejection=rejection,
    )


class Authorizer:
    """Decides requests by one program. Thread-safe; what can be found once a program is found once."""

    def __init__(self, program: Program, reference: Reference | None = None) -> None:
        self.program = program
        self.reference = reference
        self._rules = {rule.name: rule for rule in program.rules}
        self._assigns = any(isinstance(rule.head, Assign) for rule in program.rules)
        self._sentences: dict[str, Sentence | str] = {}
        self._courses: dict[_Key, _Course] = {}
        self._patterns: dict[Pattern, _Course] = {}
        self._templates: dict[Pattern, Template] = {}

    @cached_property
    def secrets(self) -> Secrets:
        """The secrets of the program, found when a sentence first has to be made that could hold one."""
        return secrets_of(self.program)

    def decide(self, facts: FactSet, evaluation: Evaluation) -> Decision:
        """The decision about one request. See `decide`."""
        if isinstance(evaluation, Failure):
            return self._failed(facts, evaluation)
        pattern = evaluation.pattern
        if pattern is not None:
            course = self._patterns.get(pattern) or self._course(facts.action, pattern)
            if not course.assigns:
                origin = (self._later, course, facts, evaluation)
                return deferred_decision(origin, course.outcome, course.named, evaluation.own)
        fired = self._fired(facts.action, evaluation)
        if self._assigns:
            failure = misfit(fired, self.program.schema.decisions)
            if failure is not None:
                return self._failed(facts, failure)
        case = _Case(self, facts, evaluation, fired)
        return deferred_decision(
            (case.later,), case.course.outcome, case.course.named, evaluation.own
        )

    def _course(self, action: str, pattern: Pattern) -> _Course:
        """What follows from a pattern. Requests that have one come without approvals."""
        for rule in pattern.rules:
            if rule.actions and action not in rule.actions:
                raise InternalError(f"`{rule.name}` fired and is no rule about `{action}`")
        rules = [rule for rule in pattern.rules if not rule.is_clause]
        if len(self._patterns) >= _MOST_COURSES:
            self._patterns.clear()
        course = _course(rules, tuple(False for rule in rules if _asks(rule)))
        self._patterns[pattern] = course
        return course

    def _later(self, course: _Course, facts: FactSet, evaluation: Firings) -> Later:
        """What is left to make of a decision by a pattern."""
        pattern = evaluation.pattern
        assert pattern is not None
        template = self._templates.get(pattern)
        if template is not None:
            own, finished = evaluation.own, partial(self.model, facts, evaluation)
            return later_of(template.common, template.messages(facts, own, finished))
        fired = [
            (rule, [firing])
            for rule, firing in zip(pattern.rules, evaluation.own, strict=True)
            if not rule.is_clause
        ]
        case = _Case(self, facts, evaluation, fired, course)
        later = case.later()
        if not any(rule.variables and _says_more(rule) for rule in pattern.rules):
            if len(self._templates) >= _MOST_COURSES:
                self._templates.clear()
            self._templates[pattern] = case.template(pattern.rules, later)
        return later

    def apart(self, decision: Decision) -> Apart | None:
        """What a decision has of its own, where it has most in common with others and nobody looked at it yet."""
        origin = decision.origin
        if origin is None or origin[0] != self._later:
            return None
        _, _, facts, evaluation = origin
        template = self._templates.get(evaluation.pattern)
        if template is None:
            return None
        own, finished = evaluation.own, partial(self.model, facts, evaluation)
        bindings = tuple([firing.bindings for firing in own])
        return Apart(template.common, bindings, template.messages(facts, own, finished))

    def course(self, action: str, fired: _AllFired, granted: tuple[bool, ...]) -> _Course:
        """What follows from the rules that fired: the same for all requests that fire the same rules.

        `granted` says for each of them that requires an approval whether it has all that it requires.
        """
        key = (action, tuple([rule.name for rule, _ in fired]), granted)
        known = self._courses.get(key)
        if known is None:
            if len(self._courses) >= _MOST_COURSES:
                self._courses.clear()
            known = self._courses[key] = _course([rule for rule, _ in fired], granted)
        return known

    def sentence(self, rule: Rule, message: Message) -> Sentence | str:
        """The sentence of a rule, prepared; a text where it is always the same."""
        known = self._sentences.get(rule.name)
        if known is None:
            known = sentence_of(rule, message, self.program, self.reference, self.secrets)
            self._sentences[rule.name] = known
        return known

    def model(self, facts: FactSet, evaluation: Firings) -> Model:
        """The finished model of one request."""
        return Model(self.program, facts, evaluation.firings, self.reference)

    def _failed(self, facts: FactSet, failure: Failure) -> Decision:
        message = failure.message
        if failure.rule:
            message = f"the rule {bare(failure.rule)} could not be evaluated: {message}"
        reason = Reason(ReasonKind.EVALUATION_FAILED, failure.rule, message)
        return Decision(
            action=facts.action,
            outcome=Outcome.DENY,
            reasons=(reason,),
            program=self.program.digest,
            modules=self.program.modules,
            failure=failure,
        )

    def _fired(self, action: str, evaluation: Firings) -> _AllFired:
        """The rules that fired, clauses of definitions apart, in the order of the program."""
        fired: dict[str, tuple[Rule, list[Firing]]] = {}
        for firing in evaluation.own:
            rule = self._rules.get(firing.rule)
            if rule is None or (rule.actions and action not in rule.actions):
                raise InternalError(f"`{firing.rule}` fired and is no rule about `{action}`")
            if not isinstance(rule.head, Derive):
                fired.setdefault(rule.name, (rule, []))[1].append(firing)
        return list(fired.values())


_AllFired: TypeAlias = list[tuple[Rule, list[Firing]]]
_Key: TypeAlias = tuple[str, tuple[str, ...], tuple[bool, ...]]

_MOST_COURSES: Final = 4096
"""Courses that are kept: a bound on memory where rules fire in ever new combinations."""


@dataclass(frozen=True, slots=True)
class _Course:
    """What follows from the names of the rules that fired, whatever they are bound to."""

    outcome: Outcome
    ruled: Outcome
    determining: frozenset[str]
    named: tuple[str, ...]
    suppressed: tuple[Suppression, ...]
    violated: tuple[str, ...]
    counting: frozenset[str]
    obliges: bool
    assigns: bool
    nothing_allows: bool


def _course(rules: Sequence[Rule], granted: tuple[bool, ...]) -> _Course:
    asking = iter(granted)
    says = {rule.name: _says(rule, asking) for rule in rules}
    verdict = authorize(
        {
            rule.name: Fired(says[rule.name], rule.overrides)
            for rule in rules
            if not isinstance(rule.head, Never)
        },
        {rule.name: _OUTCOMES[rule.head.effect] for rule in rules if isinstance(rule.head, Never)},
    )
    counting = frozenset(rule.name for rule in rules if verdict.counts(rule.name))
    determining = _determining(verdict)
    return _Course(
        outcome=verdict.outcome,
        ruled=verdict.ruled,
        determining=determining,
        named=tuple(sorted(determining)),
        suppressed=tuple(sorted(verdict.suppressed, key=lambda s: (s.rule, s.by))),
        violated=tuple(sorted(verdict.violated)),
        counting=counting,
        obliges=any(isinstance(rule.head, Oblige) for rule in rules),
        assigns=any(isinstance(rule.head, Assign) for rule in rules),
        nothing_allows=verdict.ruled is Outcome.DENY and not verdict.deciding,
    )


def _says_more(rule: Rule) -> bool:
    """Whether a rule says of its own what a decision has: an approval, a duty."""
    return isinstance(rule.head, RequireApproval | Oblige)


def _asks(rule: Rule) -> bool:
    return isinstance(rule.head, RequireApproval)


def _says(rule: Rule, granted: Iterator[bool]) -> Says:
    match rule.head:
        case Allow():
            return Says.ALLOW
        case Deny():
            return Says.DENY
        case RequireApproval():
            return Says.ALLOW if next(granted) else Says.ASK
        case _:
            return Says.NOTHING


def _determining(verdict: Verdict) -> frozenset[str]:
    """The rules at the deciding level: invariants where they turned the outcome, else both."""
    if verdict.outcome is not verdict.ruled:
        return verdict.violated
    return verdict.deciding | verdict.violated


class _Case:
    """One request on its way to a decision: the rules that fired, and what follows from them."""

    __slots__ = ("authorizer", "course", "evaluation", "facts", "fired", "made", "requirements")

    def __init__(
        self,
        authorizer: Authorizer,
        facts: FactSet,
        evaluation: Firings,
        fired: _AllFired,
        course: _Course | None = None,
    ) -> None:
        self.authorizer = authorizer
        self.facts = facts
        self.evaluation = evaluation
        self.fired = fired
        self.made: Model | None = None
        self.requirements = self._required()
        if course is None:
            given = self.requirements.values()
            granted = tuple([all(r.granted for _, r in some) for some in given])
            course = authorizer.course(facts.action, fired, granted)
        self.course = course

    def later(self) -> Later:
        """The fields of the decision that are not made yet."""
        program, course = self.authorizer.program, self.course
        reasons = list(self._reasons())
        declared = program.schema.decisions
        return Later(
            action=self.facts.action,
            reasons=tuple(dict.fromkeys(reasons)) if len(reasons) > 1 else tuple(reasons),
            suppressed=course.suppressed,
            violated=course.violated,
            requires=self._asked() if self.requirements else (),
            obligations=obligations(self._counting()) if course.obliges else (),
            values=assignments(self._counting(), self._wanted(declared)) if declared else {},
            program=program.digest,
            modules=program.modules,
            settled=self.evaluation.settled,
        )

    def template(self, rules: Sequence[Rule], later: Later) -> Template:
        """What every decision whose firings are of these rules, each once, has in common with this one."""
        spoken: list[Spoken] = []
        places = {reason.rule: place for place, reason in enumerate(later.reasons)}
        for i, rule in enumerate(rules):
            if rule.message is not None and rule.name in places:
                say = self.authorizer.sentence(rule, rule.message)
                if not isinstance(say, str):
                    spoken.append((places[rule.name], say, i))
        names = tuple(rule.name for rule in rules)
        said = tuple(place for place, _, _ in spoken)
        outcome, named = self.course.outcome, self.course.named
        return Template(Common(outcome, named, names, later, said), spoken)

    def _counting(self) -> _AllFired:
        """The rules that fired and were not suppressed."""
        return [(rule, some) for rule, some in self.fired if rule.name in self.course.counting]

    def _asked(self) -> tuple[Requirement, ...]:
        counting, required = self.course.counting, self.requirements
        asked = [r for name, some in required.items() if name in counting for _, r in some]
        return tuple(dict.fromkeys(asked))

    def _wanted(
        self, declared: Mapping[str, DecisionDeclaration]
    ) -> Mapping[str, DecisionDeclaration]:
        """The decisions that the request asks for; all where it names none."""
        asked = self.facts.asked
        return {name: declared[name] for name in asked} if asked else declared

    def _required(self) -> Mapping[str, list[tuple[Firing, Requirement]]]:
        found: dict[str, list[tuple[Firing, Requirement]]] = {}
        approvals: Approvals | None = None
        for rule, firings in self.fired:
            if isinstance(head := rule.head, RequireApproval):
                if approvals is None:
                    approvals = Approvals(self.facts, self.authorizer.program.schema)
                given = approvals
                found[rule.name] = [(f, requirement(rule, head, f, given)) for f in firings]
        return found

    def _reasons(self) -> Iterator[Reason]:
        for rule, firings in self.fired:
            if rule.name in self.course.determining:
                for firing in firings:
                    yield from self._reason(rule, firing)
        if self.course.nothing_allows:
            yield Reason(ReasonKind.NOTHING_ALLOWS, "", nothing_allows(self.facts.action))

    def _reason(self, rule: Rule, firing: Firing) -> Iterator[Reason]:
        asked, ruled, message = None, self.course.ruled, rule.message
        if isinstance(rule.head, RequireApproval):
            asked = next(r for f, r in self.requirements[rule.name] if f is firing)
            if asked.granted and ruled is Outcome.NEEDS_APPROVAL:
                return
        if message is None:
            text = default_sentence(rule, self.facts.action, asked)
            yield Reason(_kind(rule, ruled), rule.name, text)
        else:
            say = self.authorizer.sentence(rule, message)
            text = say if isinstance(say, str) else say(self.facts, firing, self._finished)
            yield Reason(_kind(rule, ruled), rule.name, text, message.internal)

    def _finished(self) -> Model:
        """The finished model, made where a sentence has to search it."""
        if self.made is None:
            self.made = self.authorizer.model(self.facts, self.evaluation)
        return self.made


def _kind(rule: Rule, ruled: Outcome) -> ReasonKind:
    """What a determining rule stands for, where the rules alone gave `ruled`."""
    match rule.head:
        case Never():
            return ReasonKind.INVARIANT_VIOLATED
        case Deny(limit=None):
            return ReasonKind.FORBIDDEN
        case Deny():
            return ReasonKind.LIMIT_REACHED
        case RequireApproval() if ruled is Outcome.NEEDS_APPROVAL:
            return ReasonKind.NEEDS_APPROVAL
        case _:
            return ReasonKind.ALLOWED
