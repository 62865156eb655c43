"""Definitions in the order in which they can be evaluated, those that depend on each other together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from policylang.semantics.program import Derive, Rule
from policylang.semantics.slicing import matches


@dataclass(frozen=True, slots=True)
class Component:
    """Definitions that all depend on each other; `recursive` where one depends on itself."""

    names: frozenset[str]
    recursive: bool


def components(clauses: Iterable[Rule]) -> tuple[Component, ...]:
    """The strongly connected components of the definitions of some clauses, each after those it reads.

    Tarjan's algorithm (1972), without recursion of its own.
    """
    reads: dict[str, dict[str, None]] = {}
    for rule in clauses:
        if isinstance(rule.head, Derive):
            found = reads.setdefault(rule.head.predicate, {})
            found.update(dict.fromkeys(match.name for match in matches(rule.body)))
    known = {name: [n for n in names if n in reads] for name, names in reads.items()}
    return tuple(
        Component(frozenset(names), len(names) > 1 or names[0] in known[names[0]])
        for names in _strongly_connected(known)
    )


def _strongly_connected(graph: Mapping[str, list[str]]) -> Iterator[list[str]]:
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    waiting: set[str] = set()
    for root in graph:
        if root in number:
            continue
        path: list[tuple[str, Iterator[str]]] = []
        _enter(root, graph, number, low, stack, waiting, path)
        while path:
            name, following = path[-1]
            other = next(following, None)
            if other is None:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[name])
                if low[name] == number[name]:
                    component = _popped(name, stack)
                    waiting.difference_update(component)
                    yield component
            elif other not in number:
                _enter(other, graph, number, low, stack, waiting, path)
            elif other in waiting:
                low[name] = min(low[name], number[other])


def _enter(
    name: str,
    graph: Mapping[str, list[str]],
    number: dict[str, int],
    low: dict[str, int],
    stack: list[str],
    waiting: set[str],
    path: list[tuple[str, Iterator[str]]],
) -> None:
    number[name] = low[name] = len(number)
    stack.append(name)
    waiting.add(name)
    path.append((name, iter(graph[name])))


def _popped(name: str, stack: list[str]) -> list[str]:
    component = [stack.pop()]
    while component[-1] != name:
        component.append(stack.pop())
    return component
