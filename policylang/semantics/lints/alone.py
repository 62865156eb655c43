"""Variables that look like values: `customer.flagged == True` gives the variable `True` the value, and asks nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from policylang.diagnostics import Diagnostic
from policylang.semantics import codes
from policylang.semantics.lints.bundle import LintedBundle
from policylang.syntax import tree
from policylang.syntax.walk import walk

_WORDS: Final = {
    "True": "write `true`",
    "False": "write `false`",
    "None": "write `is missing`",
    "Null": "write `is missing`",
}
"""Words of other languages that are variables here, and what they stand for."""

_WITH_CONDITIONS: Final = (
    tree.RuleStatement,
    tree.DefineStatement,
    tree.NeverStatement,
    tree.LimitStatement,
    tree.CanaryStatement,
)


def variables_alone(bundle: LintedBundle) -> Iterator[Diagnostic]:
    """Warn of an `==` with a variable that stands nowhere else: it binds the variable, and holds whatever the value is."""
    for name, module in bundle.world.names.modules.items():
        if name in bundle.modules:
            for statement in module.module.statements:
                if isinstance(statement, _WITH_CONDITIONS):
                    yield from _alone(statement)


def _alone(statement: tree.Node) -> Iterator[Diagnostic]:
    nodes = list(walk(statement))
    times = Counter(node.name for node in nodes if isinstance(node, tree.Variable))
    for node in nodes:
        if isinstance(node, tree.Comparison) and node.operator is tree.ComparisonOperator.EQ:
            for side in (node.left, node.right):
                if isinstance(side, tree.Variable) and _looks_like_a_value(side.name, times):
                    yield codes.VARIABLE_ALONE.at(side.span, name=side.name, hint=_hint(side.name))


def _looks_like_a_value(name: str, times: Counter[str]) -> bool:
    # Two of these words share a variable, and compare with each other what was to be compared with a value.
    return times[name] == 1 or name in _WORDS


def _hint(name: str) -> str:
    known = _WORDS.get(name)
    if known is not None:
        return known
    value = name[:1].lower() + name[1:]
    return f"write `{value}` where that value is meant, or `is present` where any is"
