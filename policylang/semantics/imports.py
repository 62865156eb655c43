"""Imports between modules: circles."""

from __future__ import annotations

from itertools import pairwise

from policylang.diagnostics import Diagnostic, Label
from policylang.semantics import codes
from policylang.semantics.graph import components, shortest_way
from policylang.semantics.names import Kind, Names, Symbol


def check_imports(names: Names, problems: list[Diagnostic]) -> None:
    """Report each circle of modules that use each other, once."""
    uses = {name: _uses(names, name) for name in names.modules}
    graph = {name: tuple(found) for name, found in uses.items()}
    problems.extend(_circle(group, graph, uses) for group in components(graph) if len(group) > 1)


def _uses(names: Names, name: str) -> dict[str, Symbol]:
    imports = (s for s in names.modules[name].values.values() if s.kind is Kind.MODULE)
    return {symbol.name: symbol for symbol in imports}


def _circle(
    group: tuple[str, ...], graph: dict[str, tuple[str, ...]], uses: dict[str, dict[str, Symbol]]
) -> Diagnostic:
    inside = {name: tuple(n for n in graph[name] if n in group) for name in group}
    first = group[0]
    circle = (first, *shortest_way(inside, inside[first][0], first))
    steps = [uses[one][other] for one, other in pairwise(circle)]
    labels = [
        Label(step.span, f"used by `{one}` here")
        for one, step in zip(circle[1:], steps[1:], strict=False)
        if step.span is not None
    ]
    words = " -> ".join(f"`{name}`" for name in circle)
    return codes.IMPORT_CYCLE.at(steps[0].span, cycle=words, labels=labels)
