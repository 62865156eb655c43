"""The builders of expressions and conditions."""

# ruff: noqa: ARG002, D102 - one method a rule: its arguments and meaning stand in the grammar

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from policylang.diagnostics import Diagnostic, Span
from policylang.syntax import codes
from policylang.syntax import tree as t
from policylang.syntax.build.parts import (
    Bracketed,
    Spanned,
    choose,
    join,
    last_of,
    name_of,
    nodes,
)
from policylang.syntax.literals import read_pattern
from policylang.syntax.problems import Malformed
from policylang.syntax.tokens import Token

LONGEST_PATH = 16
_COMPARISONS = {operator.value: operator for operator in t.ComparisonOperator}
_ARITHMETIC = {operator.value: operator for operator in t.ArithmeticOperator}
_QUANTIFIERS = {quantifier.value: quantifier for quantifier in t.Quantifier}
_AGGREGATES = {function.value: function for function in t.AggregateFunction}


def _within(first: t.Node, last: t.Node) -> Span:
    return Span(first.span.source, first.span.start, last.span.end)


class ExpressionRules:
    """One method a rule of the grammar's part on expressions."""

    def visit_literal(self, token: Token) -> t.Literal:
        return cast("t.Literal", token.node)

    def visit_path(self, first: Token | t.Path, name: Token | None = None) -> t.Path:
        if isinstance(first, Token):
            return t.Path(first.span, (name_of(first),))
        assert name is not None
        names = (*first.names, name_of(name))
        span = join(first, name)
        if len(names) > LONGEST_PATH:
            raise Malformed(codes.TOO_LONG_PATH.at(span, limit=LONGEST_PATH))
        return t.Path(span, names)

    def visit_paths(self, *paths: t.Path) -> tuple[t.Path, ...]:
        return paths

    def visit_variable(self, token: Token) -> t.Variable:
        return t.Variable(token.span, name_of(token).text)

    def visit_wildcard(self, token: Token) -> t.Wildcard:
        return t.Wildcard(token.span)

    def visit_enum_value(self, module: t.Path | None, enum: Token, member: Token) -> t.EnumValue:
        path = t.Path(enum.span, (name_of(enum),))
        if module is not None:
            path = t.Path(join(module, enum), (*module.names, name_of(enum)))
        return t.EnumValue(join(path, member), path, name_of(member))

    def visit_group(self, opening: Token, inner: t.Expr, closing: Token) -> t.Expr:
        return replace(inner, span=join(opening, closing))

    def visit_list_(self, opening: Token, *rest: Spanned) -> t.ListLiteral:
        return t.ListLiteral(join(opening, rest[-1]), cast("Any", rest[:-1]))

    def visit_record(self, opening: Token, *rest: Spanned) -> t.RecordLiteral:
        return t.RecordLiteral(join(opening, rest[-1]), nodes(t.FieldValue, rest))

    def visit_field_value(self, name: Token, value: t.Expr) -> t.FieldValue:
        return t.FieldValue(join(name, value), name_of(name), value)

    def visit_presence(self, token: Token) -> t.PresenceMark:
        return t.PresenceMark(token.span, token.type == "PRESENT")

    # --- calls ---------------------------------------------------------------------------------

    def visit_named_argument(self, name: Token, value: t.Expr) -> t.Argument:
        return t.Argument(join(name, value), name_of(name), value)

    def visit_arguments(self, opening: Token, *rest: Spanned) -> Bracketed:
        return Bracketed(join(opening, rest[-1]), _arguments(rest[:-1]))

    def visit_call(self, callee: t.Path, opening: Token, *rest: Spanned) -> t.Call | t.Aggregate:
        span, arguments = join(callee, rest[-1]), _arguments(rest[:-1])
        if callee.text == "count":
            return _count(span, arguments)
        if callee.text == "sum":
            raise Malformed(_bad_sum(span))
        return t.Call(span, callee, arguments)

    def visit_aggregate(
        self, callee: t.Path, opening: Token, value: t.Expr, condition: t.Expr, closing: Token
    ) -> t.Aggregate:
        function = _AGGREGATES.get(callee.text)
        span = join(callee, closing)
        if function is None:
            advice = "`for` stands in `sum`, `min` and `max`"
            problem = f"`{callee.text}` is not an aggregate"
            raise Malformed(codes.BAD_AGGREGATE.at(callee.span, problem=problem, advice=advice))
        if function is t.AggregateFunction.COUNT:
            raise Malformed(_bad_count(span))
        return t.Aggregate(span, function, value, condition)

    # --- operators -----------------------------------------------------------------------------

    def visit_or_(self, *operands: t.Expr) -> t.Or:
        return t.Or(_within(operands[0], operands[-1]), operands)

    def visit_and_(self, *operands: t.Expr) -> t.And:
        return t.And(_within(operands[0], operands[-1]), operands)

    def visit_not_(self, word: Token, operand: t.Expr) -> t.Not:
        return t.Not(join(word, operand), operand)

    def visit_compare(self, left: t.Expr, operator: Token, right: t.Expr) -> t.Comparison:
        return t.Comparison(_within(left, right), _COMPARISONS[operator.text], left, right)

    def visit_in_(
        self, subject: t.Expr, word: Token, collection: t.Expr, position: t.Expr | None
    ) -> t.In:
        span = join(subject, last_of(collection, position))
        return t.In(span, subject, collection, position)

    def visit_in_closed_range(
        self, subject: t.Expr, word: Token, low: t.Expr, dots: Token, high: t.Expr | None
    ) -> t.InRange:
        bounds = t.Range(join(low, last_of(dots, high)), low, high)
        return t.InRange(_within(subject, bounds), subject, bounds)

    def visit_in_open_range(
        self, subject: t.Expr, word: Token, dots: Token, high: t.Expr | None
    ) -> t.InRange:
        bounds = t.Range(join(dots, last_of(dots, high)), None, high)
        return t.InRange(_within(subject, bounds), subject, bounds)

    def visit_has(
        self, subject: t.Expr, word: Token, quantifier: Token | None, value: t.Expr
    ) -> t.Has:
        many = t.Quantifier.ONE if quantifier is None else _QUANTIFIERS[quantifier.text]
        return t.Has(_within(subject, value), subject, many, value)

    def visit_like(self, subject: t.Expr, word: Token, pattern: t.Expr) -> t.Like:
        span = _within(subject, pattern)
        if isinstance(pattern, t.StringLiteral):
            return t.Like(span, subject, read_pattern(pattern))
        return t.Like(span, subject, pattern)

    def visit_is_missing(self, subject: t.Expr, word: Token, end: Token) -> t.IsMissing:
        return t.IsMissing(join(subject, end), subject)

    def visit_is_present(self, subject: t.Expr, word: Token, end: Token) -> t.IsPresent:
        return t.IsPresent(join(subject, end), subject)

    def visit_is_from(
        self, subject: t.Expr, word: Token, preposition: Token, source: Token
    ) -> t.IsFrom:
        return t.IsFrom(join(subject, source), subject, source_word(source))

    def visit_arithmetic(self, *parts: Spanned) -> t.Arithmetic:
        operators = tuple(_ARITHMETIC[part.text] for part in parts[1::2] if isinstance(part, Token))
        return t.Arithmetic(join(parts[0], parts[-1]), cast("Any", parts[::2]), operators)

    def visit_negate(self, minus: Token, operand: t.Expr) -> t.Expr:
        return negative(minus, operand)


def source_word(token: Token) -> t.SourceWord:
    """The source of a fact that a word names."""
    return t.SourceWord(token.span, choose(token, t.FactSource, "a source of facts"))


def negative(minus: Token, operand: t.Expr) -> t.Expr:
    """The negation of an expression; a number that is written with a minus is one literal."""
    span = join(minus, operand)
    match operand:
        case t.IntLiteral(value=value, text=text) if not text.startswith("-"):
            return t.IntLiteral(span, -value, f"-{text}")
        case t.DecimalLiteral(value=value, text=text) if not text.startswith("-"):
            return t.DecimalLiteral(span, value.copy_negate() if value else value, f"-{text}")
        # The longest durations have no negative: `-` on them is an operation, which fails.
        case t.DurationLiteral(value=value, text=text) if (
            not text.startswith("-") and value <= -timedelta.min
        ):
            return t.DurationLiteral(span, -value, f"-{text}")
        case _:
            return t.Negate(span, operand)


def _arguments(items: tuple[Spanned, ...]) -> tuple[t.Argument, ...]:
    return tuple(
        item if isinstance(item, t.Argument) else t.Argument(item.span, None, cast("t.Expr", item))
        for item in items
    )


def _count(span: Span, arguments: tuple[t.Argument, ...]) -> t.Aggregate:
    match arguments:
        case (t.Argument(name=None, value=condition),):
            return t.Aggregate(span, t.AggregateFunction.COUNT, None, condition)
        case _:
            raise Malformed(_bad_count(span))


def _bad_count(span: Span) -> Diagnostic:
    return codes.BAD_AGGREGATE.at(
        span,
        problem="`count` takes one condition",
        advice="write `count(p(X) and q(X))`",
    )


def _bad_sum(span: Span) -> Diagnostic:
    return codes.BAD_AGGREGATE.at(
        span,
        problem="`sum` has to say over which rows",
        advice="write `sum(X for p(X))`",
    )
