"""Comparisons: `A == B`, `X in 1 .. 10`, `S like "*.com"`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from policylang.facts.types import (
    BOOL,
    STRING,
    EnumType,
    base,
)
from policylang.semantics import codes
from policylang.semantics.lowering.context import Scope
from policylang.semantics.lowering.expressions import (
    Expressions,
    report_mismatch,
    wants_type,
)
from policylang.semantics.operations import Mismatch, result_type
from policylang.semantics.program import (
    Apply,
    Bind,
    Constant,
    Expression,
    Operation,
    Test,
    Variable,
)
from policylang.semantics.words import a_type, with_article
from policylang.syntax import tree

_COMPARISONS: Final = {
    tree.ComparisonOperator.EQ: Operation.EQ,
    tree.ComparisonOperator.NE: Operation.NE,
    tree.ComparisonOperator.LT: Operation.LT,
    tree.ComparisonOperator.LE: Operation.LE,
    tree.ComparisonOperator.GT: Operation.GT,
    tree.ComparisonOperator.GE: Operation.GE,
}


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Lowers comparisons; an equation may bind a variable."""

    expressions: Expressions

    def lower_comparison(self, scope: Scope, node: tree.Comparison) -> None:
        """Emit a test, or for an equation that binds a variable what binds it."""
        if node.operator is tree.ComparisonOperator.EQ:
            for side, other in ((node.left, node.right), (node.right, node.left)):
                if isinstance(side, tree.Variable) and self._bind(scope, node, side, other):
                    return
        pair = self._pair(scope, node.left, node.right)
        if pair is None:
            return
        operation = _COMPARISONS[node.operator]
        kind = result_type(operation, [value.type for value in pair])
        if isinstance(kind, Mismatch):
            _report_incomparable(scope, node, operation, pair)
            return
        scope.emit(Test(Apply(operation, pair, BOOL), scope.origin(node)))

    def _bind(
        self, scope: Scope, node: tree.Comparison, side: tree.Variable, other: tree.Expr
    ) -> bool:
        """Emit what binds a variable, where this comparison is what does."""
        if not scope.binds_here(side.name):
            return False
        name = scope.names[side.name]
        if isinstance(other, tree.Aggregate):
            self.expressions.aggregate(scope, other, name, node)
            return True
        value = self.expressions.lower(scope, other, scope.rule.types.get(name))
        if value is None:
            return True
        scope.rule.learn(name, value.type, side.span)
        known = scope.rule.types.get(name, value.type)
        scope.emit(Bind(Variable(name, known), value, scope.origin(node)))
        return True

    def _pair(
        self, scope: Scope, left: tree.Expr, right: tree.Expr
    ) -> tuple[Expression, Expression] | None:
        """Two expressions that are compared: each gives the other the type to read literals by."""
        if wants_type(left) and not wants_type(right):
            second = self.expressions.lower(scope, right)
            first = self.expressions.lower(scope, left, second.type) if second else None
        else:
            first = self.expressions.lower(scope, left)
            second = self.expressions.lower(scope, right, first.type) if first else None
            if first is None and not wants_type(right):
                self.expressions.lower(scope, right)
        return (first, second) if first is not None and second is not None else None

    def lower_range(self, scope: Scope, node: tree.InRange) -> None:
        """Emit the test of `X in LOW .. HIGH`, either end of which may be open."""
        subject = self.expressions.lower(scope, node.subject)
        if subject is None:
            return
        ends: list[Expression] = []
        for written in (node.range.low, node.range.high):
            if written is not None:
                end = self.expressions.lower(scope, written, subject.type)
                if end is None:
                    return
                ends.append(end)
        operation = _range_operation(node.range)
        if operation is None:
            scope.rule.report(
                codes.BAD_OPERAND.at(
                    node.range.span,
                    operator="in",
                    found="a range without ends",
                    wanted="a low or a high end",
                )
            )
            return
        values = (subject, *ends)
        kind = result_type(operation, [value.type for value in values])
        if isinstance(kind, Mismatch):
            nodes = [node.subject, *(e for e in (node.range.low, node.range.high) if e is not None)]
            at = nodes[kind.argument or 0]
            report_mismatch(
                scope,
                at,
                f"`{at.span.text}`",
                values[kind.argument or 0].type,
                with_article(kind.expected),
            )
            return
        scope.emit(Test(Apply(operation, values, BOOL), scope.origin(node)))

    def lower_like(self, scope: Scope, node: tree.Like) -> None:
        """Emit the test of `S like P`."""
        subject = self.expressions.lower(scope, node.subject)
        pattern: Expression | None
        if isinstance(node.pattern, tree.Pattern):
            pattern = Constant(pattern_text(node.pattern), STRING)
        else:
            pattern = self.expressions.lower(scope, node.pattern)
        for written, value in ((node.subject, subject), (node.pattern, pattern)):
            if value is not None and base(value.type) is not STRING:
                report_mismatch(scope, written, f"`{written.span.text}`", value.type, "a String")
                return
        if subject is not None and pattern is not None:
            test = Apply(Operation.LIKE, (subject, pattern), BOOL)
            scope.emit(Test(test, scope.origin(node)))


def pattern_text(pattern: tree.Pattern) -> str:
    """The pattern of a `like` as evaluators read it: `*` any text, `\\*` a star, `\\\\` a backslash."""
    escaped = (piece.replace("\\", "\\\\").replace("*", "\\*") for piece in pattern.pieces)
    return "*".join(escaped)


def _report_incomparable(
    scope: Scope, node: tree.Comparison, operation: Operation, pair: tuple[Expression, Expression]
) -> None:
    left, right = pair
    hint = None
    for one, other in ((left, right), (right, left)):
        kind = base(one.type)
        if isinstance(kind, EnumType) and isinstance(other, Constant) and other.type is STRING:
            hint = f"a member of `{kind}` is written without quotes"
    scope.rule.report(
        codes.NOT_COMPARABLE.at(
            node.span,
            operator=operation.value,
            left=a_type(left.type),
            right=a_type(right.type),
            hint=hint,
        )
    )


def _range_operation(written: tree.Range) -> Operation | None:
    match (written.low, written.high):
        case (None, None):
            return None
        case (_, None):
            return Operation.GE
        case (None, _):
            return Operation.LE
        case _:
            return Operation.BETWEEN
