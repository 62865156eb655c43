"""Short ways to build Python's syntax trees: code is made of these, never of text."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Final

Statements = list[ast.stmt]

NONE: Final = ast.Constant(None)


def name(identifier: str) -> ast.expr:
    """A variable that is read."""
    return ast.Name(identifier, ast.Load())


def constant(value: object) -> ast.expr:
    """A literal: a number, a string, a truth value or None."""
    return ast.Constant(value)  # type: ignore[arg-type]


def call(function: str | ast.expr, *arguments: ast.expr) -> ast.expr:
    """A call."""
    called = name(function) if isinstance(function, str) else function
    return ast.Call(called, list(arguments), [])


def method(value: ast.expr, attribute: str, *arguments: ast.expr) -> ast.expr:
    """A call of a method."""
    return ast.Call(read(value, attribute), list(arguments), [])


def read(value: ast.expr, attribute: str) -> ast.expr:
    """An attribute."""
    return ast.Attribute(value, attribute, ast.Load())


def item(value: ast.expr, index: ast.expr | int) -> ast.expr:
    """An element of a sequence or a value of a mapping."""
    where = constant(index) if isinstance(index, int) else index
    return ast.Subscript(value, where, ast.Load())


def pair(elements: Iterable[ast.expr]) -> ast.expr:
    """A tuple."""
    return ast.Tuple(list(elements), ast.Load())


def compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
    """A comparison."""
    return ast.Compare(left, [operator], [right])


def is_none(value: ast.expr) -> ast.expr:
    """Whether a value is None."""
    return compare(value, ast.Is(), NONE)


def negated(value: ast.expr) -> ast.expr:
    """`not value`, written as the opposite comparison where there is one."""
    if isinstance(value, ast.Compare) and len(value.ops) == 1:
        for operator, opposite in _OPPOSITES:
            if isinstance(value.ops[0], operator):
                return ast.Compare(value.left, [opposite()], value.comparators)
    return ast.UnaryOp(ast.Not(), value)


_OPPOSITES: Final[Sequence[tuple[type[ast.cmpop], type[ast.cmpop]]]] = (
    (ast.Eq, ast.NotEq),
    (ast.NotEq, ast.Eq),
    (ast.In, ast.NotIn),
    (ast.NotIn, ast.In),
    (ast.Is, ast.IsNot),
    (ast.IsNot, ast.Is),
)


def all_of(conditions: Sequence[ast.expr]) -> ast.expr:
    """The conjunction of conditions."""
    return _joined(ast.And(), conditions, empty=True)


def any_of(conditions: Sequence[ast.expr]) -> ast.expr:
    """The disjunction of conditions."""
    return _joined(ast.Or(), conditions, empty=False)


def _joined(operator: ast.boolop, conditions: Sequence[ast.expr], *, empty: bool) -> ast.expr:
    if len(conditions) > 1:
        return ast.BoolOp(operator, list(conditions))
    return conditions[0] if conditions else constant(empty)


def assign(identifier: str, value: ast.expr) -> ast.stmt:
    """A variable gets a value."""
    return ast.Assign([ast.Name(identifier, ast.Store())], value)


def assign_item(value: ast.expr, index: int, to: ast.expr) -> ast.stmt:
    """An element of a list gets a value."""
    return ast.Assign([ast.Subscript(value, constant(index), ast.Store())], to)


def unpack(identifiers: Sequence[str], value: ast.expr) -> ast.stmt:
    """Variables get the elements of a tuple."""
    names: list[ast.expr] = [ast.Name(each, ast.Store()) for each in identifiers]
    return ast.Assign([ast.Tuple(names, ast.Store())], value)


def when(condition: ast.expr, then: Statements, otherwise: Statements | None = None) -> ast.stmt:
    """A conditional; conditions that stand directly in each other become one."""
    if otherwise is None and len(then) == 1 and isinstance(then[0], ast.If) and not then[0].orelse:
        both = [*_conjuncts(condition), *_conjuncts(then[0].test)]
        return ast.If(all_of(both), then[0].body, [])
    return ast.If(condition, then, otherwise or [])


def _conjuncts(condition: ast.expr) -> list[ast.expr]:
    if isinstance(condition, ast.BoolOp) and isinstance(condition.op, ast.And):
        return condition.values
    return [condition]


def loop(identifier: str, over: ast.expr, body: Statements) -> ast.stmt:
    """A loop over the elements of something."""
    return ast.For(ast.Name(identifier, ast.Store()), over, body, [])


def loop_pairs(first: str, second: str, over: ast.expr, body: Statements) -> ast.stmt:
    """A loop over pairs."""
    target = ast.Tuple([ast.Name(n, ast.Store()) for n in (first, second)], ast.Store())
    return ast.For(target, over, body, [])


def attempt(body: Statements, caught: str, handler: Statements, otherwise: Statements) -> ast.stmt:
    """`try` with one handler, and what follows where nothing was raised."""
    return ast.Try(body, [ast.ExceptHandler(name(caught), None, handler)], otherwise, [])


def do(value: ast.expr) -> ast.stmt:
    """An expression for its effect."""
    return ast.Expr(value)


def give(value: ast.expr) -> ast.stmt:
    """`return value`."""
    return ast.Return(value)


def function(identifier: str, parameters: Sequence[str], doc: str, body: Statements) -> ast.stmt:
    """A function with its documentation."""
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(parameter) for parameter in parameters],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    documented: Statements = [do(constant(doc)), *body] if doc else body
    return ast.FunctionDef(identifier, arguments, documented, [])


def located(module: ast.Module) -> ast.Module:
    """The module with a place in each node, as Python's compiler wants it: there is no text to point into.

    Does what `ast.fix_missing_locations` does to nodes that have none, in a third of the time.
    """
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        for value in list(vars(node).values()):
            if isinstance(value, ast.AST):
                waiting.append(value)
            elif isinstance(value, list):
                waiting.extend(item for item in value if isinstance(item, ast.AST))
        if node._attributes:
            vars(node).update(_PLACE)
    return module


_PLACE: Final = {"lineno": 1, "col_offset": 0, "end_lineno": 1, "end_col_offset": 0}
