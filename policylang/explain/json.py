"""The JSON form of proofs, explanations and why-nots, documented in `docs/reference/proof.md`.

Values of fields declared secret are written as `{"secret": true}`. What is absent is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, assert_never

from policylang.decide.json import Json, decision_to_json, typed
from policylang.decide.secrets import Secrets
from policylang.evaluate.model import Model
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
    Step,
    Takes,
    Uses,
)
from policylang.explain.why_not import NearMiss, WhyNot, WhyNotOutcome, why_absent
from policylang.explain.words import Voice, Words
from policylang.facts.schema import Source
from policylang.facts.types import Type
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

FORM: Final = 1
"""The version of the JSON form of a proof."""

SECRET: Final = {"secret": True}
"""What stands for a value that is not to be shown."""

_NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})


class Writer:
    """Writes what was explained over one model as plain dicts, lists, strings, ints and bools.

    With `absences`, each negation says what its body comes nearest to.
    """

    def __init__(self, model: Model, words: Words | None = None, *, absences: bool = False) -> None:
        self.model = model
        self.words = words or Words(model, Voice.PROSE)
        self.absences = absences
        self._types: dict[str, Mapping[str, Type]] = {}

    @property
    def _secrets(self) -> Secrets:
        return self.words.secrets

    # --- proofs ----------------------------------------------------------------------------------------

    def explanation(self, explanation: Explanation) -> dict[str, Any]:
        """The form of a decision with its proof."""
        return {
            **decision_to_json(explanation.decision),
            "proof": {
                **self.proof(explanation.proof),
                **({"deciding": list(explanation.deciding)} if explanation.deciding else {}),
                **({"overriding": list(explanation.overriding)} if explanation.overriding else {}),
                **({"more": explanation.more} if explanation.more else {}),
                **self._why_not_allowed(explanation.why_not),
            },
        }

    def _why_not_allowed(self, answer: WhyNotOutcome | None) -> dict[str, Any]:
        return {} if answer is None else {"why_not": self.why_not_outcome(answer)}

    def proof(self, proof: Proof) -> dict[str, Any]:
        """The form of a proof: its steps in order, and which of them were to be proved."""
        steps = [self._step(number, step) for number, step in enumerate(proof.steps)]
        return {"form": FORM, "steps": steps, "roots": list(proof.roots)}

    def _step(self, number: int, step: Step) -> dict[str, Any]:
        if isinstance(step, GivenStep):
            source = step.row.source
            return {
                "step": number,
                "kind": "given",
                "fact": step.relation,
                "row": step.row.id,
                "given": step.given.value,
                **({} if source is Source.SYSTEM else {"source": source.word}),
                "values": self._columns(step),
                "text": self.words.holding(step.relation, step.row.values),
            }
        rule = self.model.rules[step.rule]
        return {
            "step": number,
            "kind": "rule",
            "rule": step.rule,
            **self._atom(rule, step),
            "height": step.height,
            **self._instance(rule, rule.body, step.instance),
        }

    def _columns(self, step: GivenStep) -> dict[str, Any]:
        relation = self.model.program.schema.relations[step.relation]
        return {
            column.name: self._typed(step.relation, i, value)
            for i, (column, value) in enumerate(zip(relation.columns, step.row.values, strict=True))
            if not isinstance(value, Missing)
        }

    def _typed(self, name: str, position: int, value: Value) -> Json:
        if (name, position) in self._secrets.places:
            return SECRET
        return typed(value, self.words.type_of(name, position))

    def _atom(self, rule: Rule, step: RuleStep) -> dict[str, Any]:
        if step.atom is None or not isinstance(rule.head, Derive):
            return {}
        name = rule.head.predicate
        arguments = [self._typed(name, i, value) for i, value in enumerate(step.atom)]
        return {
            "atom": {"name": name, "arguments": arguments},
            "text": self.words.holding(name, step.atom),
        }

    def _instance(
        self, rule: Rule, body: Body, instance: Instance, around: Mapping[str, Value] = _NOTHING
    ) -> dict[str, Any]:
        values = {**around, **instance.values}
        premises = [
            {"text": literal.origin.text, **self._premise(rule, literal, premise, values)}
            for literal, premise in zip(body, instance.premises, strict=True)
        ]
        return {"values": self._values(rule, instance.values), "premises": premises}

    def _values(self, rule: Rule, values: Mapping[str, Value]) -> dict[str, Any]:
        types = self._types.get(rule.name)
        if types is None:
            types = self._types[rule.name] = dict(variable_types(rule.body))
        hidden = self._secrets.variables.get(rule.name, frozenset())
        return {
            name: SECRET if name in hidden else typed(value, types[name])
            for name, value in values.items()
            if name in types
        }

    def _premise(
        self, rule: Rule, literal: Literal, premise: Premise, values: Mapping[str, Value]
    ) -> dict[str, Any]:
        match premise:
            case Uses(step):
                return {"kind": "uses", "step": step}
            case Computed():
                return {"kind": "computed"}
            case Absent():
                return {"kind": "absent", **self._absent(rule, literal, values)}
            case Takes(branch, instance):
                assert isinstance(literal, Or)
                inner = self._instance(rule, literal.branches[branch], instance, values)
                return {"kind": "branch", "branch": branch, **inner}
            case Ranges(matches):
                assert isinstance(literal, Aggregate)
                ranged = [self._instance(rule, literal.body, match, values) for match in matches]
                return {"kind": "aggregate", "matches": ranged}
            case _:
                assert_never(premise)

    def _absent(self, rule: Rule, literal: Literal, values: Mapping[str, Value]) -> dict[str, Any]:
        if not (self.absences and isinstance(literal, Not)):
            return {}
        return {"nearest": self._miss(why_absent(self.model, literal, values, rule.name))}

    # --- why-not ---------------------------------------------------------------------------------------

    def why_not(self, answer: WhyNot) -> dict[str, Any]:
        """The form of a why-not about an atom; an argument that may be any is null."""
        arguments = [
            None
            if value is None or isinstance(value, Missing)
            else self._typed(answer.name, i, value)
            for i, value in enumerate(answer.arguments)
        ]
        return {
            "form": FORM,
            "atom": {"name": answer.name, "arguments": arguments},
            **self._misses(answer),
        }

    def why_not_outcome(self, answer: WhyNotOutcome) -> dict[str, Any]:
        """The form of a why-not about an outcome."""
        suppressed = [{"rule": s.rule, "by": s.by} for s in answer.suppressed]
        return {
            "form": FORM,
            "asked": answer.asked.value,
            "outcome": answer.outcome.value,
            **({"against": list(answer.against)} if answer.against else {}),
            **({"fired": list(answer.fired)} if answer.fired else {}),
            **({"suppressed": suppressed} if suppressed else {}),
            **self._misses(answer),
        }

    def _misses(self, answer: WhyNot | WhyNotOutcome) -> dict[str, Any]:
        return {
            "nearest": [self._miss(miss) for miss in answer.misses],
            **({"more": answer.more} if answer.more else {}),
            **({} if answer.complete else {"complete": False}),
        }

    def _miss(self, miss: NearMiss) -> dict[str, Any]:
        rule = self.model.rules[miss.rule]
        asked = dict(miss.asked_on)
        looks = [
            {
                **self._look(rule, look),
                **({"why_not": self.why_not(asked[i])} if i in asked else {}),
            }
            for i, look in enumerate(miss.nearest.looks)
        ]
        return {"rule": miss.rule, "missed": miss.nearest.missed, "literals": looks}

    def _look(self, rule: Rule, look: Look) -> dict[str, Any]:
        shown = self._shown(rule, look)
        branches = [[self._look(rule, inner) for inner in branch] for branch in look.branches]
        return {
            "text": look.literal.origin.text,
            "mark": look.mark.value,
            **({"shown": shown} if shown else {}),
            **({"branches": branches} if branches else {}),
        }

    def _shown(self, rule: Rule, look: Look) -> str | None:
        if look.mark is Mark.UNBOUND:
            return None
        match look.literal:
            case Test() as literal:
                return self.words.with_values(literal.condition, rule.name, look.values)
            case Match() as literal if look.row is not None:
                return self.words.atom(literal.name, look.row.values)
            case Match() as literal:
                return self.words.pattern(literal, look.values)
            case _:
                return None


def variable_types(body: Body) -> Iterator[tuple[str, Type]]:
    """The variables that a body binds, nested bodies included, each with its type."""
    for literal in body:
        match literal:
            case Match():
                yield from ((a.name, a.type) for a in literal.arguments if isinstance(a, Variable))
            case Each():
                for argument in (literal.element, literal.index):
                    if isinstance(argument, Variable):
                        yield argument.name, argument.type
            case Bind():
                yield literal.variable.name, literal.variable.type
            case Not():
                yield from variable_types(literal.body)
            case Or():
                for branch in literal.branches:
                    yield from variable_types(branch)
            case Aggregate():
                yield literal.result.name, literal.result.type
                yield from variable_types(literal.body)
            case Test():
                pass
            case _:
                assert_never(literal)
