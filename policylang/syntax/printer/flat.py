"""Nodes on one line: what every layout falls back to and is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import assert_never

from policylang.syntax import tree as t
from policylang.syntax.grammar import keywords

# How tightly an operator binds. An operand is put in parentheses where it binds less than its place asks.
CONDITION, CONJUNCT, NEGATION, COMPARISON, SUM, PRODUCT, UNARY, PRIMARY = range(1, 9)

_plain = re.compile(r"[a-z][A-Za-z0-9_]*").fullmatch
_capital = re.compile(r"[A-Z][A-Za-z0-9_]*").fullmatch
_quantified = re.compile(r"(?:all|any)\b").match


def name(node: t.Name) -> str:
    """A name where only a name can stand: in backticks where it is a keyword or no plain name."""
    text = node.text
    return text if _plain(text) and text not in keywords() else f"`{text}`"


def field_name(node: t.Name) -> str:
    """A name after a dot, or that of a field before a colon, where keywords are names too."""
    return node.text if _plain(node.text) else f"`{node.text}`"


def type_name(node: t.Name) -> str:
    """The name of a type where it is declared."""
    return node.text if _capital(node.text) else f"`{node.text}`"


def path(node: t.Path) -> str:
    """A path of names."""
    first, *others = node.names
    return ".".join([name(first), *map(field_name, others)])


def paths(nodes: Iterable[t.Path]) -> str:
    """Paths with commas between."""
    return ", ".join(map(path, nodes))


def type_path(node: t.Path) -> str:
    """A path whose last name is that of a type."""
    *modules, last = node.names
    shown = last.text if _capital(last.text) else None
    if not modules:
        return shown or name(last)
    first, *others = modules
    return ".".join([name(first), *map(field_name, others), shown or field_name(last)])


# --- expressions ----------------------------------------------------------------------------------


def binding(node: t.Expr) -> int:
    """How tightly the outermost operator of an expression binds."""
    match node:
        case t.Or():
            return CONDITION
        case t.And():
            return CONJUNCT
        case t.Not():
            return NEGATION
        case (
            t.Comparison()
            | t.In()
            | t.InRange()
            | t.Has()
            | t.Like()
            | t.IsMissing()
            | t.IsPresent()
            | t.IsFrom()
        ):
            return COMPARISON
        case t.Arithmetic(operators=operators):
            return SUM if operators[0] in _ADDITIVE else PRODUCT
        case t.Negate():
            return UNARY
        case _:
            return PRIMARY


_ADDITIVE = (t.ArithmeticOperator.ADD, t.ArithmeticOperator.SUBTRACT)


def expression(node: t.Expr, place: int = CONDITION) -> str:
    """An expression where something that binds at least as tightly as `place` is asked for."""
    text = _bare(node)
    return f"({text})" if binding(node) < place else text


def _bare(node: t.Expr) -> str:
    match node:
        case t.Path():
            return path(node)
        case t.Variable():
            return node.name
        case t.Wildcard():
            return "_"
        case t.EnumValue():
            return f"{type_path(node.enum)}.{field_name(node.member)}"
        case t.PresenceMark():
            return "present" if node.present else "missing"
        case t.Call():
            return f"{path(node.callee)}{arguments(node.arguments)}"
        case t.Aggregate():
            return _aggregate(node)
        case t.ListLiteral():
            return f"[{', '.join(map(expression, node.items))}]"
        case t.RecordLiteral():
            return record(node.fields)
        case t.Not() | t.And() | t.Or() | t.Arithmetic() | t.Negate():
            return _operation(node)
        case (
            t.Comparison()
            | t.In()
            | t.InRange()
            | t.Has()
            | t.Like()
            | t.IsMissing()
            | t.IsPresent()
            | t.IsFrom()
        ):
            return f"{expression(subject(node), SUM)}{tail(node)}"
        case _:
            return literal(node)


def literal(node: t.Literal | t.Pattern | t.PercentLiteral) -> str:
    """A literal as it was written."""
    match node:
        case t.BoolLiteral():
            return "true" if node.value else "false"
        case t.DateLiteral():
            return node.value.isoformat()
        case (
            t.IntLiteral()
            | t.DecimalLiteral()
            | t.StringLiteral()
            | t.TimeLiteral()
            | t.DateTimeLiteral()
            | t.DurationLiteral()
            | t.PercentLiteral()
            | t.Pattern()
        ):
            return node.text
        case _:
            assert_never(node)


def _operation(node: t.Not | t.And | t.Or | t.Arithmetic | t.Negate) -> str:
    match node:
        case t.Not(operand=operand):
            return f"not {expression(operand, NEGATION)}"
        case t.And(operands=operands):
            return " and ".join(expression(operand, NEGATION) for operand in operands)
        case t.Or(operands=operands):
            return " or ".join(expression(operand, CONJUNCT) for operand in operands)
        case t.Negate(operand=operand):
            return f"-{expression(operand, UNARY)}"
        case t.Arithmetic(operands=operands, operators=operators):
            place = binding(node) + 1
            first, *others = (expression(operand, place) for operand in operands)
            steps = zip(operators, others, strict=True)
            return first + "".join(f" {operator.value} {other}" for operator, other in steps)
        case _:
            assert_never(node)


Tailed = t.Comparison | t.In | t.InRange | t.Has | t.Like | t.IsMissing | t.IsPresent | t.IsFrom


def subject(node: Tailed) -> t.Expr:
    """The left side of a comparison or test."""
    return node.left if isinstance(node, t.Comparison) else node.subject


def tail(node: Tailed) -> str:
    """What stands after the left side of a comparison or test, with a space before."""
    match node:
        case t.Comparison():
            return f" {node.operator.value} {expression(node.right, SUM)}"
        case t.In(position=None):
            return f" in {expression(node.collection, SUM)}"
        case t.In(position=position):
            assert position is not None
            return f" in {expression(node.collection, SUM)} at {expression(position, SUM)}"
        case t.InRange():
            return f" in {bounds(node.range)}"
        case t.Has():
            return f" has {_held(node)}"
        case t.Like():
            return f" like {expression(node.pattern, SUM)}"
        case t.IsMissing():
            return " is missing"
        case t.IsPresent():
            return " is present"
        case t.IsFrom():
            return f" is from {node.source.source.value}"
        case _:
            assert_never(node)


def _held(node: t.Has) -> str:
    value = expression(node.value, SUM)
    if node.quantifier is not t.Quantifier.ONE:
        return f"{node.quantifier.value} {value}"
    # A name `all` or `any` would be the quantifier here.
    found = _quantified(value)
    return f"`{found[0]}`{value[found.end() :]}" if found else value


def bounds(node: t.Range) -> str:
    """A range, either end of which may be open."""
    low = f"{expression(node.low, SUM)} " if node.low is not None else ""
    high = f" {expression(node.high, SUM)}" if node.high is not None else ""
    return f"{low}..{high}"


def argument(node: t.Argument) -> str:
    """One argument of a call."""
    value = expression(node.value)
    return value if node.name is None else f"{field_name(node.name)}: {value}"


def arguments(nodes: Iterable[t.Argument]) -> str:
    """The arguments of a call, with their parentheses."""
    return f"({', '.join(map(argument, nodes))})"


def _aggregate(node: t.Aggregate) -> str:
    condition = expression(node.condition)
    if node.value is None:
        return f"{node.function.value}({condition})"
    return f"{node.function.value}({expression(node.value)} for {condition})"


def field_value(node: t.FieldValue) -> str:
    """A field and its value in a record."""
    return f"{field_name(node.name)}: {expression(node.value, SUM)}"


def record(fields: Iterable[t.FieldValue]) -> str:
    """The fields of a record, with their braces."""
    inner = ", ".join(map(field_value, fields))
    return f"{{ {inner} }}" if inner else "{}"


# --- types ----------------------------------------------------------------------------------------


def type_spec(node: t.TypeSpec) -> str:
    """A type with what narrows it."""
    parts = [_base(node.base) + ("?" if node.optional else "")]
    if node.bounds is not None:
        parts.append(f"in {bounds(node.bounds)}")
    if node.max_length is not None:
        parts.append(f"max {node.max_length.text}")
    if node.normalizers:
        parts.append(f"normalize {', '.join(map(name, node.normalizers))}")
    return " ".join(parts)


def _base(node: t.BaseType) -> str:
    match node:
        case t.NamedType(arguments=()):
            return type_path(node.name)
        case t.NamedType():
            numbers = ", ".join(number.text for number in node.arguments)
            return f"{type_path(node.name)}({numbers})"
        case t.SetType():
            return f"Set[{type_spec(node.element)}]"
        case t.ListType():
            return f"List[{type_spec(node.element)}]"
        case t.RecordType():
            return fields(node.fields)
        case t.RefType():
            return f"ref {path(node.target)}"
        case _:
            assert_never(node)


def marked_type(node: t.Field) -> str:
    """The type of a field with its marks and default."""
    parts = [type_spec(node.type)]
    parts += [word for word in ("key", "secret", "personal") if getattr(node, word)]
    if node.default is not None:
        parts.append(f"= {expression(node.default, SUM)}")
    return " ".join(parts)


def field(node: t.Field) -> str:
    """A field of a fact, action, table or record type."""
    return f"{field_name(node.name)}: {marked_type(node)}"


def fields(nodes: Iterable[t.Field]) -> str:
    """Fields with their braces."""
    inner = ", ".join(map(field, nodes))
    return f"{{ {inner} }}" if inner else "{}"
