"""A decision as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from policylang.decide.decision import Assignment, Decision, Reason, Requirement
from policylang.decide.wording import bare, said
from policylang.diagnostics import visible
from policylang.facts.types import STRING
from policylang.facts.values import Value

Role: TypeAlias = Literal["allow", "deny", "needs_approval", "rule", "label", "quiet"]
Style: TypeAlias = Callable[[Role, str], str]
"""Dresses a piece of text for its role; the text without the dress stays the same."""


def plain(_role: Role, text: str) -> str:
    """The style that leaves every text as it is."""
    return text


def render(decision: Decision, style: Style = plain) -> str:
    """The decision as lines of text: the outcome, its reasons, and whatever else it says.

    No line end after the last line. Control characters in what a request brought are shown as marks.
    """
    return "\n".join(_lines(decision, style))


def _lines(decision: Decision, style: Style) -> Iterator[str]:
    role: Role = decision.outcome.value
    yield f"{style(role, decision.outcome.value)} {visible(bare(decision.action))}".rstrip()
    yield from (_reason(reason, style) for reason in decision.reasons)
    for label, texts in _sections(decision, style):
        yield from (f"  {style('label', label)} {text}" for text in texts)


def _sections(decision: Decision, style: Style) -> Iterator[tuple[str, Iterator[str]]]:
    def rule(name: str) -> str:
        return style("rule", bare(name))

    yield "suppressed", (f"{rule(s.rule)} by {rule(s.by)}" for s in decision.suppressed)
    yield "requires", (_requirement(r, style) for r in decision.requires)
    yield (
        "obliges",
        (f"{o.name}({_arguments(o.arguments)}), by {rule(o.rule)}" for o in decision.obligations),
    )
    yield "sets", (_assignment(decision.values[name], style) for name in sorted(decision.values))
    if decision.failure is not None:
        yield "error", iter([f"{decision.failure.code}: {visible(decision.failure.message)}"])


def _reason(reason: Reason, style: Style) -> str:
    by = f" {style('quiet', '(' + bare(reason.rule) + ')')}" if reason.rule else ""
    return f"  {visible(reason.message)}{by}"


def _requirement(requirement: Requirement, style: Style) -> str:
    parts = [f"approval by {_value(requirement.by)}"]
    if requirement.within is not None:
        parts.append(f"within {_value(requirement.within)}")
    parts.append("(granted)" if requirement.granted else "(not granted)")
    others = _arguments(requirement.others)
    return " ".join(parts) + (f", {others}" if others else "") + _by((requirement.rule,), style)


def _assignment(assignment: Assignment, style: Style) -> str:
    name = bare(assignment.decision)
    if assignment.conflict:
        return f"{name} to nothing: rules conflict{_by(assignment.rules, style)}"
    value = "nothing" if assignment.value is None else _value(assignment.value)
    return f"{name} to {value}" + (_by(assignment.rules, style) or " (default)")


def _by(rules: tuple[str, ...], style: Style) -> str:
    return ", by " + ", ".join(style("rule", bare(name)) for name in rules) if rules else ""


def _arguments(arguments: tuple[tuple[str, Value], ...]) -> str:
    return ", ".join(f"{name}: {_value(value)}" for name, value in arguments)


def _value(value: Value) -> str:
    # The values of a decision are written as their types write them: the type adds nothing.
    return visible(said(value, STRING))
