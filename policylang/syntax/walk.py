"""Ways through a syntax tree that do not depend on the kinds of its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from policylang.syntax.tree import Node

_known_fields: dict[type, tuple[str, ...]] = {}


def _field_names(kind: type) -> tuple[str, ...]:
    names = _known_fields.get(kind)
    if names is None:
        names = tuple(field.name for field in fields(kind) if field.name != "span")
        _known_fields[kind] = names
    return names


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below `node`, in the order of its fields."""
    for name in _field_names(type(node)):
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, Node))


def walk(node: Node) -> Iterator[Node]:
    """`node` and all nodes below it, each before its children, left to right, of any depth."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(tuple(children(current))))


def same_tree(one: Node, other: Node) -> bool:
    """Whether two trees are equal in everything but their spans and comments."""
    pending: list[tuple[object, object]] = [(one, other)]
    while pending:
        left, right = pending.pop()
        if isinstance(left, Node):
            if type(left) is not type(right):
                return False
            names = (name for name in _field_names(type(left)) if name != "comments")
            pending.extend((getattr(left, name), getattr(right, name)) for name in names)
        elif isinstance(left, tuple):
            if not isinstance(right, tuple) or len(left) != len(right):
                return False
            pending.extend(zip(left, right, strict=True))
        elif type(left) is not type(right) or left != right:
            return False
    return True
