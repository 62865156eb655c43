"""Terms of an approval that are nearly `within` or `count`: `cuont: 2` asks for one person, and shows the number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policylang.diagnostics import Diagnostic
from policylang.semantics import codes
from policylang.semantics.lints.bundle import LintedBundle
from policylang.syntax import tree

_TERMS: Final = ("within", "count")


def misspelled_terms(bundle: LintedBundle) -> Iterator[Diagnostic]:
    """Warn of an argument of an approval that is one slip away from a term: it would only be shown."""
    for name, module in bundle.world.names.modules.items():
        if name in bundle.modules:
            for statement in module.module.statements:
                if isinstance(statement, tree.RuleStatement | tree.NeverStatement):
                    yield from _misspelled(statement.effect)


def _misspelled(effect: tree.Effect) -> Iterator[Diagnostic]:
    if not isinstance(effect, tree.RequireEffect):
        return
    given = [argument.name for argument in effect.arguments if argument.name is not None]
    missing = [term for term in _TERMS if all(name.text != term for name in given)]
    for name in given:
        for term in missing:
            if is_one_slip(name.text, term):
                yield codes.MISSPELLED_TERM.at(name.span, name=name.text, term=term)


def is_one_slip(one: str, other: str) -> bool:
    """Whether two words differ by one letter: another one, one too many, one too few, or two that changed places."""
    if len(one) > len(other):
        one, other = other, one
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    if len(one) < len(other):
        return one[start:] == other[start + 1 :]
    swapped = one[:start] + one[start : start + 2][::-1] + one[start + 2 :]
    return one != other and (one[start + 1 :] == other[start + 1 :] or swapped == other)
