"""Overrides: the relation has no circles, and an overridden rule can fire where the other does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from policylang.diagnostics import Diagnostic, Label, Span
from policylang.semantics import codes
from policylang.semantics.graph import components, shortest_way
from policylang.semantics.program import Rule


def check_overrides(rules: Sequence[Rule], problems: list[Diagnostic]) -> None:
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
            problems.append(_circle((first, *way), named))


def _circle(circle: tuple[str, ...], named: Mapping[str, Rule]) -> Diagnostic:
    words = [f"`{_bare(name)}` (line {named[name].origin.span.line})" for name in circle[:-1]]
    labels = [
        Label(_head(named[name]), f"`{_bare(name)}` overrides `{_bare(other)}`")
        for name, other in pairwise(circle[1:])
    ]
    return codes.OVERRIDES_CYCLE.at(
        _head(named[circle[0]]),
        cycle=" -> ".join([*words, f"`{_bare(circle[-1])}`"]),
        labels=labels,
        hint="say which of them gives way, and drop the other `overrides`",
    )


def _head(rule: Rule) -> Span:
    """The first line of a statement."""
    span = rule.origin.span
    end = span.source.text.find("\n", span.start, span.end)
    return span.source.span(span.start, end if end >= 0 else span.end)


def _bare(name: str) -> str:
    return name.rpartition(".")[2]
