"""Numbers with the digits of their type: an Int that joins with a Decimal is one value, and two ways to write it.

A firing gives a value as its variable's type writes it, and an atom as its definition's does, whichever row came first.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from policylang.evaluate.plan.world import Layout
from policylang.facts import tree
from policylang.facts.types import INT, DecimalType, ListType, SetType, Type, base
from policylang.semantics.program import (
    Aggregate,
    AggregateKind,
    Bind,
    Body,
    Each,
    Expression,
    Match,
    Not,
    Or,
    Test,
    Variable,
)


def with_digits(code: ast.expr, type_: Type, given: Collection[Type | None]) -> ast.expr:
    """A number with the digits of a type; as it is where all it can come from gives it so."""
    wanted = base(type_)
    if not isinstance(wanted, DecimalType) or set(given) == {wanted}:
        return code
    return tree.call("shown", code, tree.constant(wanted.scale))


def _calculated(expression: Expression) -> Type | None:
    """The type whose digits the value of an expression has; None for a variable, which may have any."""
    return None if isinstance(expression, Variable) else base(expression.type)


def binding_types(body: Body, layout: Layout) -> dict[str, set[Type | None]]:
    """The types of all that can give each variable of a body its value; None where that may be any number's.

    Nested negations and aggregates are left out, since they give nothing.
    """
    found: dict[str, set[Type | None]] = {}
    for literal in body:
        match literal:
            case Match():
                for argument, type_ in zip(
                    literal.arguments, layout.types(literal.name), strict=True
                ):
                    if isinstance(argument, Variable):
                        found.setdefault(argument.name, set()).add(base(type_))
            case Each():
                if isinstance(literal.index, Variable):
                    found.setdefault(literal.index.name, set()).add(INT)
                kind = base(literal.collection.type)
                if isinstance(literal.element, Variable) and isinstance(kind, SetType | ListType):
                    found.setdefault(literal.element.name, set()).add(base(kind.element.type))
            case Bind():
                found.setdefault(literal.variable.name, set()).add(_calculated(literal.value))
            case Aggregate():
                counted = literal.kind is AggregateKind.COUNT
                type_ = INT if counted else base(literal.result.type)
                found.setdefault(literal.result.name, set()).add(type_)
            case Or():
                for branch in literal.branches:
                    for name, types in binding_types(branch, layout).items():
                        found.setdefault(name, set()).update(types)
            case Test() | Not():
                pass
    return found
