"""Sentences with their blanks filled in, and sentences made from names where a policy gives none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from policylang.decide.decision import Requirement
from policylang.decide.secrets import Secrets
from policylang.decide.wording import MISSING_WORD, SECRET_WORD, bare, said
from policylang.evaluate.calculate import value_of
from policylang.evaluate.interpret import solutions
from policylang.evaluate.model import Model, extended
from policylang.facts.types import DURATION, STRING
from policylang.facts.values import Value
from policylang.semantics.program import (
    Allow,
    Assign,
    Blank,
    Deny,
    Derive,
    Message,
    Never,
    Oblige,
    RequireApproval,
    Rule,
)


def fill(
    message: Message, rule: str, bindings: Mapping[str, Value], model: Model, secrets: Secrets
) -> str:
    """The sentence of a rule under a firing's bindings, by variable name.

    A blank whose read matches nothing or whose value is missing shows `(missing)`; one that cannot be
    calculated `(no value)`, since a message never changes a decision; one of a secret field `(secret)`.
    """
    return "".join(
        part if isinstance(part, str) else shown_blank(part, rule, bindings, model, secrets)
        for part in message.parts
    )


def shown_blank(
    blank: Blank, rule: str, bindings: Mapping[str, Value], model: Model, secrets: Secrets
) -> str:
    """What stands in the place of one blank. See `fill`."""
    if secrets.hides(blank.value, rule, *blank.reads):
        return SECRET_WORD
    values = _read(blank, bindings, model)
    if values is None:
        return MISSING_WORD
    return said(value_of(blank.value, values), blank.value.type)


def _read(blank: Blank, bindings: Mapping[str, Value], model: Model) -> Mapping[str, Value] | None:
    """The values that a blank may speak of; `None` where one of its reads matches nothing."""
    if len(blank.reads) > 1:
        found = next(solutions(blank.reads, bindings, model), None)
        return None if found is None else found.bindings
    # A message has one path in nearly every blank: that needs no search.
    for read in blank.reads:
        rows = model.matching(read, bindings)
        return next(filter(None, (extended(read, row, bindings) for row in rows)), None)
    return bindings


def default_sentence(rule: Rule, action: str, requirement: Requirement | None = None) -> str:
    """The sentence for a rule without `because`, made from the names of the rule and the asked action.

    `requirement` is what a rule that requires an approval asked for.
    """
    what, name = bare(action), bare(rule.name)
    match rule.head:
        case Allow():
            return f"{what} is allowed by the rule {name}"
        case Deny(limit=None):
            return f"{what} is forbidden by the rule {name}"
        case Deny():
            return f"the limit {name} on {what} is reached"
        case Never():
            return f"{what} would violate the invariant {name}"
        case RequireApproval():
            return (
                f"{what} needs an approval" if requirement is None else _approval(what, requirement)
            )
        case Oblige() | Assign() | Derive():
            return f"the rule {name} fired"
        case _:
            assert_never(rule.head)


def _approval(action: str, requirement: Requirement) -> str:
    by = said(requirement.by, STRING)
    if requirement.granted:
        return f"{action} has the approval by {by} that it needs"
    within = "" if requirement.within is None else f" within {said(requirement.within, DURATION)}"
    return f"{action} needs approval by {by}{within}"


def nothing_allows(action: str) -> str:
    """The sentence where no rule allows an action."""
    return f"nothing allows {bare(action)}"
