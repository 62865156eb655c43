"""One name that is local to several negations of a rule."""

from __future__ import annotations

from collections.abc import Iterator

from policylang.diagnostics import Diagnostic, Label
from policylang.semantics import codes
from policylang.semantics.lints.bundle import LintedBundle


def names_local_twice(bundle: LintedBundle) -> Iterator[Diagnostic]:
    """Warn where one name is a variable of its own in two negations of one rule."""
    for rule, name, places in bundle.world.local_names:
        if bundle.own(rule):
            first, second = places[0], places[1]
            yield codes.LOCAL_TWICE.at(second, name=name, labels=[Label(first, "and this one too")])
