"""Lints: what is allowed and probably not meant. They look only at bundles without errors.

Each module holds one kind of lint; `run_lints` runs them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from policylang.diagnostics import Diagnostic, Span
from policylang.semantics import codes
from policylang.semantics.lints.alone import variables_alone
from policylang.semantics.lints.bundle import LintedBundle
from policylang.semantics.lints.covered import covered_rules
from policylang.semantics.lints.locals import names_local_twice
from policylang.semantics.lints.members import unmentioned_members
from policylang.semantics.lints.missing import optional_values
from policylang.semantics.lints.never import conditions_without_choice
from policylang.semantics.lints.terms import misspelled_terms
from policylang.semantics.lints.unread import unread_declarations

LINTS: Final[tuple[Callable[[LintedBundle], Iterator[Diagnostic]], ...]] = (
    unread_declarations,
    unmentioned_members,
    optional_values,
    names_local_twice,
    variables_alone,
    misspelled_terms,
    conditions_without_choice,
    covered_rules,
)


def run_lints(bundle: LintedBundle) -> Iterator[Diagnostic]:
    """The warnings of all lints about the modules that are linted.

    Of a rule that can never fire it is not said that another covers it.
    """
    found = [problem for lint in LINTS for problem in lint(bundle)]
    dead = [p.span for p in found if p.code == codes.NEVER_FIRES.id and p.span is not None]
    for problem in found:
        if problem.code != codes.COVERED_RULE.id or not _is_around(problem, bundle, dead):
            yield problem


def _is_around(problem: Diagnostic, bundle: LintedBundle, spans: list[Span]) -> bool:
    """Whether one of the spans lies in the rule that a problem is about."""
    start = problem.span
    rule = next((r.origin.span for r in bundle.rules() if _starts_at(r.origin.span, start)), None)
    return rule is not None and any(
        span.source is rule.source and rule.start <= span.start < rule.end for span in spans
    )


def _starts_at(span: Span, other: Span | None) -> bool:
    return other is not None and span.source is other.source and span.start == other.start
