"""Rules that add nothing, because another one does the same wherever they fire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policylang.diagnostics import Diagnostic, Label, Span
from policylang.semantics import codes
from policylang.semantics.lints.bundle import LintedBundle
from policylang.semantics.printer import print_lines
from policylang.semantics.program import Allow, Deny, Never, Rule

MOST_RULES = 1_000
"""Of more rules with one effect on one action, pairs are not compared."""


@dataclass(frozen=True, slots=True)
class _Printed:
    """A rule and its literals as text, which are equal where the literals are."""

    rule: Rule
    head: str
    literals: frozenset[str]


def covered_rules(bundle: LintedBundle) -> Iterator[Diagnostic]:
    """Warn of a rule with the effect of another, all of whose literals it has too, for no other action.

    Silent where overrides tell the two apart: a rule that overrides something, or one beside which
    the other may be suppressed.
    """
    overriders: dict[str, set[str]] = {}
    for rule in bundle.program.rules:
        for name in rule.overrides:
            overriders.setdefault(name, set()).add(rule.name)
    for group in _groups(bundle):
        for i, one in enumerate(group):
            other = next(
                (o for j, o in enumerate(group) if _covers(o, one, j < i, overriders)), None
            )
            if other is not None and bundle.own(one.rule.name):
                yield _report(one.rule, other.rule)


def _groups(bundle: LintedBundle) -> Iterator[list[_Printed]]:
    groups: dict[str, list[_Printed]] = {}
    for rule in bundle.program.rules:
        if rule.is_clause or isinstance(rule.head, Never):
            continue
        if isinstance(rule.head, Deny) and rule.head.limit is not None:
            continue
        head, *body = print_lines(bundle.program, rule)
        groups.setdefault(head, []).append(_Printed(rule, head, frozenset(body)))
    yield from (group for group in groups.values() if 1 < len(group) <= MOST_RULES)


def _covers(
    other: _Printed, one: _Printed, other_first: bool, overriders: dict[str, set[str]]
) -> bool:
    if other is one or not other.literals <= one.literals:
        return False
    if other.literals == one.literals and not other_first:
        return False
    if not set(other.rule.actions) >= set(one.rule.actions) or one.rule.overrides:
        return False
    suppressors = overriders.get(other.rule.name, set())
    return suppressors <= overriders.get(one.rule.name, set())


def _report(one: Rule, other: Rule) -> Diagnostic:
    verb = {Allow: "allows", Deny: "denies"}.get(type(one.head), "does the same")
    return codes.COVERED_RULE.at(
        _first_line(one),
        name=_bare(one.name),
        other=_bare(other.name),
        verb=verb,
        labels=[Label(_first_line(other), "this one covers it")],
    )


def _bare(name: str) -> str:
    return name.rpartition(".")[2]


def _first_line(rule: Rule) -> Span:
    span = rule.origin.span
    end = span.source.text.find("\n", span.start, span.end)
    return span.source.span(span.start, end if end >= 0 else span.end)
