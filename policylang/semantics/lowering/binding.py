"""Which variables a conjunction binds, and which of its literals binds each.

A variable is bound by a call of rows, by `X == E` where the variables of E are bound, by `X in C`,
`X in C at I` and `C has X` where those of C are, and by an `or` every branch of which binds it. The
least set that is closed under this is found with a list of literals to look at again; what binds first
is the binder, calls of rows before everything else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from policylang.syntax import tree

Rows = Callable[[tree.Call], bool]
"""Whether a call reads rows or atoms, and is not that of a function."""
Network = Callable[[tree.Expr], bool]
"""Whether an expression is an IP network, in which no address can be listed."""


def conjuncts(condition: tree.Expr | None) -> tuple[tree.Expr, ...]:
    """The conditions that all have to hold, those of nested `and`s included."""
    if condition is None:
        return ()
    if isinstance(condition, tree.And):
        return tuple(inner for operand in condition.operands for inner in conjuncts(operand))
    return (condition,)


def variables(expression: tree.Expr, *, inside_aggregates: bool = True) -> Iterator[str]:
    """The names of the variables of an expression, in the order of writing, repeated ones too."""
    for node in occurrences(expression, inside_aggregates=inside_aggregates):
        yield node.name


def occurrences(
    expression: tree.Node, *, inside_aggregates: bool = True
) -> Iterator[tree.Variable]:
    """The variables of an expression, in the order of writing."""
    match expression:
        case tree.Variable():
            yield expression
        case tree.Aggregate() if not inside_aggregates:
            return
        case tree.Aggregate():
            if expression.value is not None:
                yield from occurrences(expression.value)
            yield from occurrences(expression.condition)
        case _:
            for child in _operands(expression):
                yield from occurrences(child, inside_aggregates=inside_aggregates)


def _operands(node: tree.Node) -> Sequence[tree.Node]:
    match node:
        case tree.And() | tree.Or() | tree.Arithmetic():
            return node.operands
        case tree.Not() | tree.Negate():
            return (node.operand,)
        case tree.Comparison():
            return (node.left, node.right)
        case tree.InRange():
            ends = (node.range.low, node.range.high)
            return (node.subject, *(end for end in ends if end is not None))
        case tree.In():
            return (node.subject, node.collection, *([node.position] if node.position else []))
        case tree.Has():
            return (node.subject, node.value)
        case tree.Like():
            return (node.subject, node.pattern)
        case tree.IsMissing() | tree.IsPresent() | tree.IsFrom():
            return (node.subject,)
        case tree.Call():
            return tuple(argument.value for argument in node.arguments)
        case tree.ListLiteral():
            return node.items
        case tree.RecordLiteral():
            return tuple(field.value for field in node.fields)
        case _:
            return ()


_BINDING = (tree.Comparison, tree.In, tree.Has, tree.Or)


def _mentions(items: Sequence[tree.Expr], positions: Iterable[int]) -> dict[str, list[int]]:
    """The items, of those at the positions, that mention each variable."""
    found: dict[str, list[int]] = {}
    for i in positions:
        for name in dict.fromkeys(variables(items[i])):
            found.setdefault(name, []).append(i)
    return found


class Binding:
    """Finds what conjunctions bind; remembers the answers for each `or`."""

    def __init__(self, rows: Rows, network: Network) -> None:
        self._rows = rows
        self._network = network
        self._known: dict[tuple[int, frozenset[str]], frozenset[str]] = {}

    def binders(self, items: Sequence[tree.Expr], outer: frozenset[str]) -> dict[str, int]:
        """The variables that a conjunction binds beyond `outer`: name -> the item that binds it."""
        found: dict[str, int] = {}
        for i, item in enumerate(items):
            for name in self._row_variables(item):
                if name not in outer:
                    found.setdefault(name, i)
        bound = set(outer) | set(found)
        waiting = deque(i for i, item in enumerate(items) if isinstance(item, _BINDING))
        queued = set(waiting)
        mentions = _mentions(items, waiting)
        while waiting:
            i = waiting.popleft()
            queued.discard(i)
            for name in list(self._binds(items[i], bound)):
                if name not in bound:
                    bound.add(name)
                    found[name] = i
                    again = [j for j in mentions.get(name, ()) if j != i and j not in queued]
                    waiting.extend(again)
                    queued.update(again)
        return found

    def _row_variables(self, item: tree.Expr) -> Iterable[str]:
        if isinstance(item, tree.IsFrom):
            item = item.subject
        if not isinstance(item, tree.Call) or not self._rows(item):
            return ()
        values = (argument.value for argument in item.arguments)
        return [value.name for value in values if isinstance(value, tree.Variable)]

    def _binds(self, item: tree.Expr, bound: set[str]) -> Iterable[str]:
        match item:
            case tree.Comparison(operator=tree.ComparisonOperator.EQ):
                return self._equated(item, bound)
            case tree.In() if not self._network(item.collection):
                return self._listed(item.collection, [item.subject, item.position], bound)
            case tree.Has(quantifier=tree.Quantifier.ONE):
                return self._listed(item.subject, [item.value], bound)
            case tree.Or():
                return sorted(self._by_every_branch(item, bound))
            case _:
                return ()

    @staticmethod
    def _equated(item: tree.Comparison, bound: set[str]) -> Iterator[str]:
        for side, other in ((item.left, item.right), (item.right, item.left)):
            if (
                isinstance(side, tree.Variable)
                and side.name not in bound
                and side.name not in variables(other)
                and bound.issuperset(variables(other, inside_aggregates=False))
            ):
                yield side.name

    @staticmethod
    def _listed(
        collection: tree.Expr, parts: Sequence[tree.Expr | None], bound: set[str]
    ) -> Iterator[str]:
        if bound.issuperset(variables(collection, inside_aggregates=False)):
            for part in parts:
                if isinstance(part, tree.Variable) and part.name not in variables(collection):
                    yield part.name

    def _by_every_branch(self, item: tree.Or, bound: set[str]) -> frozenset[str]:
        relevant = frozenset(bound.intersection(variables(item)))
        key = (id(item), relevant)
        known = self._known.get(key)
        if known is None:
            branches = [
                frozenset(self.binders(conjuncts(operand), relevant)) for operand in item.operands
            ]
            known = frozenset.intersection(*branches)
            self._known[key] = known
        return known
