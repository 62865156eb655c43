"""Circles in a graph: strongly connected components, and one circle through an edge."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

Graph = Mapping[str, Sequence[str]]


def components(graph: Graph) -> list[tuple[str, ...]]:
    """The strongly connected components, each after those it leads to.

    Tarjan's algorithm ("Depth-first search and linear graph algorithms", 1972), without recursion.
    Nodes without an entry in `graph` are left out. The order depends only on that of `graph`.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[tuple[str, ...]] = []
    for root in graph:
        if root in index:
            continue
        path = [(root, 0)]
        while path:
            node, position = path.pop()
            if position == 0:
                index[node] = low[node] = len(index)
                stack.append(node)
                on_stack.add(node)
            children = [child for child in graph[node] if child in graph]
            if position > 0:
                low[node] = min(low[node], low[children[position - 1]])
            while position < len(children):
                child = children[position]
                position += 1
                if child not in index:
                    path.append((node, position))
                    path.append((child, 0))
                    break
                if child in on_stack:
                    low[node] = min(low[node], index[child])
            else:
                if low[node] == index[node]:
                    found.append(_pop_component(node, stack, on_stack))
    return found


def _pop_component(root: str, stack: list[str], on_stack: set[str]) -> tuple[str, ...]:
    members: list[str] = []
    while True:
        node = stack.pop()
        on_stack.discard(node)
        members.append(node)
        if node == root:
            return tuple(reversed(members))


def shortest_way(graph: Graph, start: str, goal: str) -> tuple[str, ...]:
    """The nodes of a shortest way from `start` to `goal`, both included; empty where there is none."""
    came_from: dict[str, str] = {}
    waiting = deque([start])
    seen = {start}
    while waiting:
        node = waiting.popleft()
        if node == goal:
            way = [node]
            while node != start:
                node = came_from[node]
                way.append(node)
            return tuple(reversed(way))
        for child in graph.get(node, ()):
            if child not in seen:
                seen.add(child)
                came_from[child] = node
                waiting.append(child)
    return ()
