"""Overrides: the relation has no circles, and an overridden rule can fire where the other does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from policylang.diagnostics import Diagnostic, Label, Span
from policylang.semantics import codes
from policylang.semantics.graph import components, shortest_way
from policylang.semantics.names import Names
from policylang.semantics.program import Rule
from policylang.syntax import tree


def check_overrides(rules: Sequence[Rule], names: Names, problems: list[Diagnostic]) -> None:
    """Report each circle of rules that override each other, once."""
    named = {rule.name: rule for rule in rules if not rule.is_clause}
    graph = {name: rule.overrides for name, rule in named.items()}
    for group in components(graph):
        first = group[0]
        if len(group) > 1 or first in graph[first]:
            way = shortest_way({n: graph[n] for n in group}, graph[first][0], first)
            if not way:
                start = next(t for t in graph[first] if t in group)
                way = shortest_way({n: graph[n] for n in group}, start, first)
            problems.append(_circle((first, *way), named, names))


def _circle(circle: tuple[str, ...], named: Mapping[str, Rule], names: Names) -> Diagnostic:
    words = [f"`{_bare(name)}` (line {named[name].origin.span.line})" for name in circle[:-1]]
    first, *others = [
        Label(_place(named[name], other, names), f"`{_bare(name)}` overrides `{_bare(other)}`")
        for name, other in pairwise(circle)
    ]
    return codes.OVERRIDES_CYCLE.at(
        first.span,
        cycle=" -> ".join([*words, f"`{_bare(circle[-1])}`"]),
        label=first.text,
        labels=others,
    )


def _place(rule: Rule, other: str, names: Names) -> Span:
    """Where a rule says that it overrides another one."""
    module, _, bare = rule.name.rpartition(".")
    node = names.modules[module].rules[bare].node
    paths = node.overrides if isinstance(node, tree.RuleStatement | tree.LimitStatement) else ()
    named = (path.span for path in paths if _bare(path.text) == _bare(other))
    return next(named, rule.origin.span)


def _bare(name: str) -> str:
    return name.rpartition(".")[2]
