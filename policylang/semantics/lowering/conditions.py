"""Conditions: what holds or does not, as the literals of a body."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from policylang.facts.schema import Cardinality
from policylang.facts.types import (
    BOOL,
    base,
)
from policylang.semantics import codes
from policylang.semantics.lowering.binding import conjuncts
from policylang.semantics.lowering.calls import Calls, is_function
from policylang.semantics.lowering.comparisons import Comparisons
from policylang.semantics.lowering.context import Scope, branch_scope, inner_scope
from policylang.semantics.lowering.expressions import (
    Expressions,
    local_variables,
    report_unknown_name,
)
from policylang.semantics.lowering.membership import Membership
from policylang.semantics.lowering.presence import Presence
from policylang.semantics.names import Found, Kind, look_up
from policylang.semantics.program import (
    Constant,
    Not,
    Or,
    Test,
    Variable,
)
from policylang.semantics.words import a_type
from policylang.syntax import tree


def lower_body(scope: Scope) -> None:
    """Lower every conjunct of a scope: plain ones first, so that nested bodies know what is read.

    Of these, what binds comes in the order of binding, so that types are known before they are needed.
    """
    order = {item: place for place, item in reversed(list(enumerate(scope.binders.values())))}
    last = len(order)
    for i in sorted(
        range(len(scope.items)), key=lambda i: (_rank(scope.items[i]), order.get(i, last))
    ):
        scope.slot = i
        CONDITIONS.lower(scope, scope.items[i])


def _rank(item: tree.Expr) -> int:
    match item:
        case tree.Or() | tree.Not():
            return 2
        case tree.Comparison() if _aggregates(item.left) or _aggregates(item.right):
            return 1
        case tree.Comparison() | tree.Call() | tree.Path():
            return 0
        case _:
            return 1


def _aggregates(node: tree.Expr) -> bool:
    match node:
        case tree.Path() | tree.Variable():
            return False
        case tree.Arithmetic():
            return any(map(_aggregates, node.operands))
        case tree.Aggregate() | tree.Call():
            return True
        case _:
            return False


def open_aggregate(scope: Scope, node: tree.Aggregate) -> Scope:
    """The scope of an aggregate's condition, lowered; one slot is left for its value."""
    inner = inner_scope(scope, conjuncts(node.condition), "aggregate", node.span, extra=1)
    lower_body(inner)
    return inner


EXPRESSIONS: Final = Expressions(open_aggregate)
CALLS: Final = Calls(EXPRESSIONS)
COMPARISONS: Final = Comparisons(EXPRESSIONS)
MEMBERSHIP: Final = Membership(EXPRESSIONS, CALLS)
PRESENCE: Final = Presence(EXPRESSIONS, CALLS)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Lowers conditions into the scope they stand in."""

    expressions: Expressions = field(default=EXPRESSIONS)

    def lower(self, scope: Scope, node: tree.Expr) -> None:
        """Emit the literals of one condition; problems are reported, and then nothing is emitted."""
        match node:
            case tree.And():
                for operand in node.operands:
                    self.lower(scope, operand)
            case tree.Or():
                self._or(scope, node)
            case tree.Not():
                self._not(scope, node)
            case tree.BoolLiteral():
                if not node.value:
                    scope.emit(Test(Constant(False, BOOL), scope.origin(node)))
            case tree.Call():
                self._call(scope, node)
            case tree.Path():
                self._path(scope, node)
            case tree.IsMissing():
                self._missing(scope, node)
            case tree.IsPresent():
                PRESENCE.present(scope, node, node.subject)
            case tree.IsFrom():
                PRESENCE.lower_from(scope, node)
            case _:
                self._test(scope, node)

    def _test(self, scope: Scope, node: tree.Expr) -> None:
        match node:
            case tree.Comparison():
                COMPARISONS.lower_comparison(scope, node)
            case tree.InRange():
                COMPARISONS.lower_range(scope, node)
            case tree.In():
                MEMBERSHIP.lower_in(scope, node)
            case tree.Has():
                MEMBERSHIP.lower_has(scope, node)
            case tree.Like():
                COMPARISONS.lower_like(scope, node)
            case _:
                self._value(scope, node)

    # --- connectives --------------------------------------------------------------------------------------

    def _or(self, scope: Scope, node: tree.Or) -> None:
        shared = {n: scope.names[n] for n, i in scope.binders.items() if i == scope.slot}
        branches = []
        for operand in node.operands:
            inner = branch_scope(scope, conjuncts(operand), shared)
            lower_body(inner)
            branches.append(inner.body())
        binds = [Variable(u, t) for u in shared.values() if (t := scope.rule.types.get(u))]
        scope.emit(Or(tuple(branches), tuple(binds), scope.origin(node)))

    def _not(self, scope: Scope, node: tree.Not) -> None:
        inner = inner_scope(scope, conjuncts(node.operand), "not", node.span)
        lower_body(inner)
        scope.emit(Not(inner.body(), local_variables(inner), scope.origin(node)))

    # --- names as conditions --------------------------------------------------------------------------------

    def _path(self, scope: Scope, node: tree.Path) -> None:
        """A Bool field or param, or a definition without arguments."""
        found = look_up(scope.rule.world.names, scope.rule.module, node)
        if found is None:
            report_unknown_name(scope, node, "name")
            return
        match found.symbol.kind:
            case Kind.DEFINITION if not found.rest:
                CALLS.atom(scope, node, found, ())
            case Kind.FACT | Kind.ACTION | Kind.GROUP | Kind.TABLE if not found.rest:
                self._report_fact(scope, node, found)
            case _:
                self._value(scope, node)

    def _report_fact(self, scope: Scope, node: tree.Path, found: Found) -> None:
        kind = found.symbol.kind
        relation = scope.rule.world.relations.get(found.symbol.name)
        columns = relation.columns if relation is not None else ()
        field = columns[0].name if columns else "field"
        hint = f"ask for one of its fields, such as `{node.text}.{field} == ...`"
        if relation is not None and relation.cardinality is Cardinality.MANY:
            hint = f"write `{node.text}({field}: X)`, with what its row has to hold"
        elif relation is not None and relation.cardinality is Cardinality.OPTIONAL:
            hint = f"write `{node.text} is present`, or ask for one of its fields"
        scope.rule.report(
            codes.NOT_A_CONDITION.at(node.span, what=f"`{node.text}`", found=kind.value, hint=hint)
        )

    def _value(self, scope: Scope, node: tree.Expr) -> None:
        """Anything else has to be a Bool."""
        value = self.expressions.lower(scope, node)
        if value is None:
            return
        if base(value.type) is not BOOL:
            found = a_type(value.type)
            hint = f"compare it, such as with `{node.span.text} == ...`"
            scope.rule.report(
                codes.NOT_A_CONDITION.at(
                    node.span, what=f"`{node.span.text}`", found=found, hint=hint
                )
            )
            return
        scope.emit(Test(value, scope.origin(node)))

    def _call(self, scope: Scope, node: tree.Call) -> None:
        if is_function(node):
            self._value(scope, node)
        else:
            CALLS.match(scope, node, None)

    def _missing(self, scope: Scope, node: tree.IsMissing) -> None:
        inner = inner_scope(scope, (node.subject,), "not", node.span)
        PRESENCE.present(inner, node, node.subject)
        scope.emit(Not(inner.body(), local_variables(inner), scope.origin(node)))


CONDITIONS: Final = Conditions()
