"""Expressions as Python code: inline where Python's own operator is exact, else by the exact calculation."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Final

from policylang.evaluate.calculate import is_like
from policylang.evaluate.plan.bodies import expression_can_fail, is_decimal, is_present
from policylang.evaluate.scopes import expression_variables
from policylang.facts import tree
from policylang.facts.types import (
    DATETIME,
    DURATION,
    INT,
    MAX_DIGITS,
    STRING,
    DecimalType,
    EnumType,
    base,
    is_number,
)
from policylang.facts.values import Value
from policylang.semantics.program import Apply, Constant, Expression, Operation, Variable

_COMPARED: Final[Mapping[Operation, type[ast.cmpop]]] = {
    Operation.EQ: ast.Eq,
    Operation.NE: ast.NotEq,
    Operation.LT: ast.Lt,
    Operation.LE: ast.LtE,
    Operation.GT: ast.Gt,
    Operation.GE: ast.GtE,
}
_ORDERED: Final = frozenset({Operation.LT, Operation.LE, Operation.GT, Operation.GE})
_ARITHMETIC: Final[Mapping[Operation, type[ast.operator]]] = {
    Operation.ADD: ast.Add,
    Operation.SUB: ast.Sub,
    Operation.MUL: ast.Mult,
}
_DECIMAL: Final[Mapping[Operation, str]] = {
    Operation.ADD: "plus",
    Operation.SUB: "minus",
    Operation.MUL: "times",
}
_TIMED: Final = frozenset({DATETIME, DURATION})
_METHODS: Final[Mapping[Operation, str]] = {
    Operation.STARTS_WITH: "startswith",
    Operation.ENDS_WITH: "endswith",
    Operation.LOWER: "lower",
    Operation.UPPER: "upper",
    Operation.HAS_ALL: "issuperset",
}


class Constants:
    """The values that code reads by name, beside its literals.

    Equal values keep names of their own: `48.0` and `48.00` are equal and do not print alike.
    """

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self._names: dict[int, str] = {}
        self._orders: dict[EnumType, dict[Value, int]] = {}

    def named(self, value: object, prefix: str = "k") -> ast.expr:
        """The name of a value in the code."""
        identifier = self._names.get(id(value))
        if identifier is None:
            identifier = self._names[id(value)] = f"{prefix}{len(self.values)}"
            self.values[identifier] = value
        return tree.name(identifier)

    def order(self, type_: EnumType) -> ast.expr:
        """The name of the mapping from an enum's members to their positions."""
        order = self._orders.get(type_)
        if order is None:
            order = {member: i for i, member in enumerate(type_.member_names)}
            self._orders[type_] = order
        return self.named(order, "order")

    def of(self, value: Value) -> ast.expr:
        """A value of the language as code: a literal of Python where there is an equal one."""
        if isinstance(value, bool | str) or type(value) is int:
            return tree.constant(value)
        return self.named(value)


class Expressions:
    """Makes code of expressions. `names` are the Python names of variables."""

    def __init__(self, constants: Constants) -> None:
        self._constants = constants

    def inline(self, expression: Expression, names: Mapping[str, str]) -> ast.expr | None:
        """Code whose value is exactly that of an expression, or None where there is no such operator."""
        match expression:
            case Variable():
                return tree.name(names[expression.name])
            case Constant():
                return self._constants.of(expression.value)
            case Apply():
                if expression_can_fail(expression) or not is_present(expression):
                    return None
                return self._applied(expression, names)

    def calculated(self, expression: Expression, names: Mapping[str, str]) -> ast.expr:
        """Code that calls the exact calculation: its value, MISSING, or a failure."""
        variables = sorted(set(expression_variables(expression)))
        environment = ast.Dict(
            [tree.constant(variable) for variable in variables],
            [tree.name(names[variable]) for variable in variables],
        )
        return tree.call("value_of", self._constants.named(expression, "e"), environment)

    def checked(self, expression: Expression, names: Mapping[str, str]) -> ast.expr:
        """The same, where a failure is raised."""
        return tree.call("sure", self.calculated(expression, names))

    def quick_test(self, condition: Expression, names: Mapping[str, str]) -> ast.expr:
        """Code for whether a condition is true; it raises where the condition fails."""
        code = self.quick(condition, names, shown=False)
        if code is not None:
            return code
        return tree.compare(self.checked(condition, names), ast.Is(), tree.constant(True))

    def quick(
        self, expression: Expression, names: Mapping[str, str], *, shown: bool
    ) -> ast.expr | None:
        """Code whose value is that of an expression, and that raises where it fails; None if there is none.

        Where the value is `shown` it has the digits of its type, else it need only be equal.
        """
        plain = self.inline(expression, names)
        if plain is not None or not isinstance(expression, Apply) or not is_present(expression):
            return plain
        if expression.operation in _COMPARED or expression.operation is Operation.BETWEEN:
            if any(isinstance(base(a.type), EnumType) for a in expression.arguments):
                return None
            return self._quick_comparison(expression, names)
        codes = [self.quick(a, names, shown=False) for a in expression.arguments]
        given = [code for code in codes if code is not None]
        if len(given) < len(codes):
            return None
        return self._quick_arithmetic(expression, given, shown=shown)

    def _quick_comparison(self, expression: Apply, names: Mapping[str, str]) -> ast.expr | None:
        codes = [self.quick(a, names, shown=False) for a in expression.arguments]
        given = [code for code in codes if code is not None]
        if len(given) < len(codes):
            return None
        if expression.operation is Operation.BETWEEN:
            # In the order of writing, since all three are calculated before any is compared.
            return tree.call("between", *given)
        return tree.compare(given[0], _COMPARED[expression.operation](), given[1])

    def _quick_arithmetic(
        self, expression: Apply, given: list[ast.expr], *, shown: bool
    ) -> ast.expr | None:
        operation, kind = expression.operation, base(expression.type)
        types = {base(argument.type) for argument in expression.arguments}
        if operation not in _ARITHMETIC:
            return None
        if types <= _TIMED and operation is not Operation.MUL:
            return ast.BinOp(given[0], _ARITHMETIC[operation](), given[1])
        if isinstance(kind, DecimalType) and kind.scale is not None and kind.scale < MAX_DIGITS:
            scale = tree.constant(kind.scale)
            function = _DECIMAL[operation] + ("_shown" if shown else "")
            return tree.call(function, *given, scale)
        return None

    def _applied(self, expression: Apply, names: Mapping[str, str]) -> ast.expr | None:
        operation, arguments = expression.operation, expression.arguments
        if operation in _ORDERED or operation is Operation.BETWEEN:
            return self._compared(expression, names)
        codes = [self.inline(argument, names) for argument in arguments]
        given = [code for code in codes if code is not None]
        if len(given) < len(codes):
            return None
        if operation in (Operation.EQ, Operation.NE):
            return tree.compare(given[0], _COMPARED[operation](), given[1])
        if operation in (Operation.IN, Operation.HAS, Operation.IN_NETWORK):
            return self._contained(expression, given)
        if operation in _METHODS:
            return tree.method(given[0], _METHODS[operation], *given[1:])
        if operation is Operation.HAS_ANY:
            return tree.negated(tree.method(given[0], "isdisjoint", given[1]))
        if operation is Operation.LIKE:
            return self._like(arguments[1], given)
        return self._arithmetic(expression, given)

    def _compared(self, expression: Apply, names: Mapping[str, str]) -> ast.expr | None:
        codes: list[ast.expr] = []
        for argument in expression.arguments:
            code = self._ordered(argument, names)
            if code is None:
                return None
            codes.append(code)
        if expression.operation is Operation.BETWEEN:
            return ast.Compare(codes[1], [ast.LtE(), ast.LtE()], [codes[0], codes[2]])
        return tree.compare(codes[0], _COMPARED[expression.operation](), codes[1])

    def _ordered(self, argument: Expression, names: Mapping[str, str]) -> ast.expr | None:
        """What to compare by: the value itself, or the position of an enum's member."""
        type_ = base(argument.type)
        if not isinstance(type_, EnumType):
            return self.inline(argument, names)
        if isinstance(argument, Constant):
            return tree.constant(type_.member_names.index(str(argument.value)))
        code = self.inline(argument, names)
        if code is None:
            return None
        return tree.item(self._constants.order(type_), code)

    def _contained(self, expression: Apply, given: list[ast.expr]) -> ast.expr:
        first, second = given if expression.operation is not Operation.HAS else reversed(given)
        collection = expression.arguments[0 if expression.operation is Operation.HAS else 1]
        if isinstance(collection, Constant) and isinstance(collection.value, tuple):
            second = self._constants.named(frozenset(collection.value))
        return tree.compare(first, ast.In(), second)

    def _like(self, pattern: Expression, given: list[ast.expr]) -> ast.expr:
        if isinstance(pattern, Constant):
            return tree.call(
                self._constants.named(_like_pattern(str(pattern.value)), "like"), given[0]
            )
        return tree.call("is_like", *given)

    def _arithmetic(self, expression: Apply, given: list[ast.expr]) -> ast.expr | None:
        operation, kind = expression.operation, base(expression.type)
        if operation is Operation.LEN:
            return tree.call("len", given[0])
        if operation in (Operation.MIN, Operation.MAX):
            if isinstance(kind, EnumType) or is_decimal(kind):
                return None
            return tree.call(operation.value, *given)
        if kind is STRING and operation is Operation.ADD:
            return ast.BinOp(given[0], ast.Add(), given[1])
        if kind is not INT or not all(
            is_number(argument.type) for argument in expression.arguments
        ):
            return None
        if operation in _ARITHMETIC:
            return ast.BinOp(given[0], _ARITHMETIC[operation](), given[1])
        if operation is Operation.NEG:
            return ast.UnaryOp(ast.USub(), given[0])
        return tree.call("abs", given[0]) if operation is Operation.ABS else None


def _like_pattern(pattern: str) -> Callable[[str], bool]:
    def like(text: str) -> bool:
        return is_like(text, pattern)

    return like
