"""From what an evaluator answered to a `Decision`.

The outcome itself is `policylang.decide.authorize`; here are the rules that fired for it, and the reasons. Nothing
here can turn a failure into an allow: a failed evaluation is a denial, and so is a request that was refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from policylang.decide.authorize import Fired, Says, Verdict, authorize
from policylang.decide.decision import Decision, Outcome, Reason, ReasonKind, Requirement
from policylang.decide.heads import Approvals, assignments, misfit, obligations, requirement
from policylang.decide.messages import default_sentence, fill, nothing_allows
from policylang.decide.secrets import Secrets, secrets_of
from policylang.decide.wording import bare
from policylang.errors import InternalError
from policylang.evaluate.firings import Evaluation, Failure, Firing, Firings
from policylang.evaluate.model import Model, Reference
from policylang.facts.factset import FactSet
from policylang.facts.rejection import Rejection
from policylang.facts.schema import DecisionDeclaration
from policylang.semantics.program import (
    Allow,
    Deny,
    Never,
    NeverEffect,
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
        self.secrets = secrets_of(program)
        self._rules = {rule.name: rule for rule in program.rules}

    def decide(self, facts: FactSet, evaluation: Evaluation) -> Decision:
        """The decision about one request. See `decide`."""
        if isinstance(evaluation, Failure):
            return self._failed(facts, evaluation)
        fired = self._fired(facts.action, evaluation)
        failure = misfit(fired, self.program.schema.decisions)
        if failure is not None:
            return self._failed(facts, failure)
        model = Model(self.program, facts, evaluation.firings, self.reference)
        return _Case(self.program, model, self.secrets, fired).decision()

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
        for firing in evaluation.firings:
            rule = self._rules.get(firing.rule)
            if rule is None or (rule.actions and action not in rule.actions):
                raise InternalError(f"`{firing.rule}` fired and is no rule about `{action}`")
            if not rule.is_clause:
                fired.setdefault(rule.name, (rule, []))[1].append(firing)
        return list(fired.values())


_AllFired: TypeAlias = list[tuple[Rule, list[Firing]]]


class _Case:
    """One request on its way to a decision: the rules that fired, and what follows from them."""

    def __init__(self, program: Program, model: Model, secrets: Secrets, fired: _AllFired) -> None:
        self.program = program
        self.model = model
        self.secrets = secrets
        self.fired = fired
        self.requirements = self._required()
        self.verdict = self._judged()
        self.determining = self._determining()

    def decision(self) -> Decision:
        counting = [
            (rule, firings) for rule, firings in self.fired if self.verdict.counts(rule.name)
        ]
        asked = [r for rule, _ in counting for _, r in self.requirements.get(rule.name, ())]
        return Decision(
            action=self.model.facts.action,
            outcome=self.verdict.outcome,
            reasons=tuple(dict.fromkeys(self._reasons())),
            determining=tuple(sorted(self.determining)),
            suppressed=tuple(sorted(self.verdict.suppressed, key=lambda s: (s.rule, s.by))),
            violated=tuple(sorted(self.verdict.violated)),
            requires=tuple(dict.fromkeys(asked)),
            obligations=obligations(counting),
            values=assignments(counting, self._wanted()),
            program=self.program.digest,
            modules=self.program.modules,
            firings=tuple(self.model.firings),
        )

    def _wanted(self) -> Mapping[str, DecisionDeclaration]:
        """The decisions that the request asks for; all where it names none."""
        declared, asked = self.program.schema.decisions, self.model.facts.asked
        return {name: declared[name] for name in asked} if asked else declared

    def _required(self) -> Mapping[str, list[tuple[Firing, Requirement]]]:
        asking = [(rule, f) for rule, f in self.fired if isinstance(rule.head, RequireApproval)]
        if not asking:
            return {}
        approvals = Approvals(self.model.facts, self.program.schema)
        return {
            rule.name: [(f, requirement(rule, rule.head, f, approvals)) for f in firings]
            for rule, firings in asking
            if isinstance(rule.head, RequireApproval)
        }

    def _judged(self) -> Verdict:
        return authorize(
            {
                rule.name: Fired(self._says(rule), rule.overrides)
                for rule, _ in self.fired
                if not isinstance(rule.head, Never)
            },
            {
                rule.name: _OUTCOMES[rule.head.effect]
                for rule, _ in self.fired
                if isinstance(rule.head, Never)
            },
        )

    def _says(self, rule: Rule) -> Says:
        match rule.head:
            case Allow():
                return Says.ALLOW
            case Deny():
                return Says.DENY
            case RequireApproval():
                granted = all(r.granted for _, r in self.requirements[rule.name])
                return Says.ALLOW if granted else Says.ASK
            case _:
                return Says.NOTHING

    def _determining(self) -> frozenset[str]:
        """The rules at the deciding level: invariants where they turned the outcome, else both."""
        if self.verdict.outcome is not self.verdict.ruled:
            return self.verdict.violated
        return self.verdict.deciding | self.verdict.violated

    def _reasons(self) -> Iterator[Reason]:
        for rule, firings in self.fired:
            if rule.name in self.determining:
                for firing in firings:
                    yield from self._reason(rule, firing)
        if self.verdict.ruled is Outcome.DENY and not self.verdict.deciding:
            action = self.model.facts.action
            yield Reason(ReasonKind.NOTHING_ALLOWS, "", nothing_allows(action))

    def _reason(self, rule: Rule, firing: Firing) -> Iterator[Reason]:
        asked = None
        if isinstance(rule.head, RequireApproval):
            asked = next(r for f, r in self.requirements[rule.name] if f is firing)
            if asked.granted and self.verdict.ruled is Outcome.NEEDS_APPROVAL:
                return
        if rule.message is None:
            message, internal = default_sentence(rule, self.model.facts.action, asked), False
        else:
            bindings = {v.name: b for v, b in zip(rule.variables, firing.bindings, strict=True)}
            message = fill(rule.message, rule.name, bindings, self.model, self.secrets)
            internal = rule.message.internal
        yield Reason(_kind(rule, self.verdict.ruled), rule.name, message, internal)


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
