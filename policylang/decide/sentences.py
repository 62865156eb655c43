"""The `because` of a rule, prepared once a program: `policylang.decide.messages.fill` in fewer steps.

Nearly every blank is a param or a field of the one row of a fact. Those are read straight from the rows of the request;
whatever else a blank holds is left to `fill`'s own reading, over the finished model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from policylang.decide.messages import shown_blank
from policylang.decide.secrets import Secrets
from policylang.decide.wording import MISSING_WORD, number, said
from policylang.evaluate.firings import Firing
from policylang.evaluate.model import Model, Reference
from policylang.facts.factset import FactSet
from policylang.facts.types import DecimalType, Type
from policylang.facts.values import MISSING
from policylang.semantics.program import (
    ANY,
    Blank,
    Constant,
    Match,
    Message,
    Program,
    Rule,
    Variable,
)

Finished: TypeAlias = "Callable[[], Model]"
"""Gives the finished model where a blank has to be searched for in it."""

Sentence: TypeAlias = "Callable[[FactSet, Firing, Finished], str]"
"""The sentence of a rule: from the facts of a request and a firing of the rule."""

_Part: TypeAlias = "str | Sentence"


def sentence_of(
    rule: Rule, message: Message, program: Program, reference: Reference | None, secrets: Secrets
) -> Sentence | str:
    """What `fill` says of every firing of the rule: a text where it is always the same."""
    given = {*program.tables, *program.predicates, *(reference or ())}
    parts: list[_Part] = []
    for part in message.parts:
        made = part if isinstance(part, str) else _blank(part, rule, given, secrets)
        if parts and isinstance(made, str) and isinstance(parts[-1], str):
            parts[-1] += made
        else:
            parts.append(made)
    return _joined(tuple(parts))


def _joined(parts: tuple[_Part, ...]) -> Sentence | str:
    if all(isinstance(part, str) for part in parts):
        return "".join(part for part in parts if isinstance(part, str))

    def joined(facts: FactSet, firing: Firing, finished: Finished) -> str:
        return "".join(
            [part if type(part) is str else part(facts, firing, finished) for part in parts]  # type: ignore[operator]
        )

    return joined


def _blank(blank: Blank, rule: Rule, given: set[str], secrets: Secrets) -> _Part:
    hidden = secrets.hides(blank.value, rule.name, *blank.reads)
    value = blank.value
    if not hidden and not blank.reads:
        if isinstance(value, Constant):
            return said(value.value, value.type)
        if isinstance(value, Variable) and value in rule.variables:
            return _bound(rule.variables.index(value), value.type)
    if not hidden and len(blank.reads) == 1 and isinstance(value, Variable):
        position = _position(blank.reads[0], value, rule, given)
        if position is not None:
            return _cell(blank.reads[0].name, position, value.type)
    return _searched(blank, rule, secrets)


def _position(read: Match, value: Variable, rule: Rule, given: set[str]) -> int | None:
    """The column that a read takes its only value from; None where it does more than that."""
    if read.name in given or read.source is not None or _is_bound(value, rule):
        return None
    places = [i for i, argument in enumerate(read.arguments) if argument is not ANY]
    if len(places) != 1:
        return None
    argument = read.arguments[places[0]]
    named = isinstance(argument, Variable) and argument.name == value.name
    return places[0] if named else None


def _is_bound(value: Variable, rule: Rule) -> bool:
    return any(variable.name == value.name for variable in rule.variables)


def _bound(position: int, type_: Type) -> Sentence:
    return lambda _facts, firing, _finished: said(firing.bindings[position], type_)


def _cell(relation: str, position: int, type_: Type) -> Sentence:
    say = number if isinstance(type_, DecimalType) else said

    def cell(facts: FactSet, _firing: Firing, _finished: Finished) -> str:
        for values in facts.values_of(relation):
            value = values[position]
            if value is not MISSING:
                return value if type(value) is str else say(value, type_)  # type: ignore[arg-type]
        return MISSING_WORD

    return cell


def _searched(blank: Blank, rule: Rule, secrets: Secrets) -> Sentence:
    names = [variable.name for variable in rule.variables]

    def searched(_facts: FactSet, firing: Firing, finished: Finished) -> str:
        bindings = dict(zip(names, firing.bindings, strict=True))
        return shown_blank(blank, rule.name, bindings, finished(), secrets)

    return searched
