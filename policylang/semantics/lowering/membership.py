"""Membership: `X in [a, b]`, `X in LIST at I`, `X in NET`, `S has E`, `S has all T`."""

from __future__ import annotations

from dataclasses import dataclass

from policylang.facts.types import (
    BOOL,
    CIDR,
    INT,
    IP,
    Domain,
    ListType,
    SetType,
    Type,
    base,
)
from policylang.semantics.lowering.calls import Calls
from policylang.semantics.lowering.context import Scope
from policylang.semantics.lowering.expressions import (
    Expressions,
    report_mismatch,
)
from policylang.semantics.operations import Mismatch, result_type, same_kind, unify
from policylang.semantics.program import (
    ANY,
    Apply,
    Argument,
    Bind,
    Constant,
    Each,
    Expression,
    Literal,
    Operation,
    Or,
    Test,
    Variable,
)
from policylang.semantics.words import a_type, with_article
from policylang.syntax import tree


@dataclass(frozen=True, slots=True)
class Membership:
    """Lowers what asks for elements."""

    expressions: Expressions
    calls: Calls

    def lower_in(self, scope: Scope, node: tree.In) -> None:
        """Emit a generator where `X in C` binds something, else a test."""
        if isinstance(node.collection, tree.ListLiteral) and node.position is None:
            self._in_list(scope, node, node.collection)
            return
        collection = self.expressions.lower(scope, node.collection)
        if collection is None:
            return
        kind = base(collection.type)
        if kind is CIDR and node.position is None:
            self._in_network(scope, node, collection)
        elif isinstance(kind, ListType) or (isinstance(kind, SetType) and node.position is None):
            element = self._part(scope, node.subject, kind.element)
            index: Argument | None = ANY
            if node.position is not None:
                index = self._part(scope, node.position, Domain(INT))
            if element is not None and index is not None:
                self._each(scope, node, node.subject, collection, element, index)
        else:
            wanted = (
                "a list" if node.position is not None else "a list, a set, a range or a network"
            )
            text = f"`{node.collection.span.text}`"
            report_mismatch(scope, node.collection, text, kind, wanted)

    def _part(self, scope: Scope, node: tree.Expr, domain: Domain) -> Argument | None:
        """An element or a position: of the kind that the collection holds, whatever its bounds."""
        return self.calls.argument(scope, node, Domain(domain.type), "")

    def _each(
        self,
        scope: Scope,
        node: tree.In | tree.Has,
        written: tree.Expr,
        collection: Expression,
        element: Argument,
        index: Argument,
    ) -> None:
        """A generator where it binds something or asks for a position, a test where it does not."""
        binds = isinstance(written, tree.Variable) and scope.binds_here(written.name)
        if binds or index is not ANY or not isinstance(element, Variable | Constant):
            scope.emit(Each(collection, element, index, scope.origin(node)))
        else:
            test = Apply(Operation.HAS, (collection, element), BOOL)
            if isinstance(node, tree.In):
                test = Apply(Operation.IN, (element, collection), BOOL)
            scope.emit(Test(test, scope.origin(node)))

    def _in_list(self, scope: Scope, node: tree.In, items: tree.ListLiteral) -> None:
        """`X in [a, b]`: a generator or a test on constants, else an `or` of comparisons."""
        if not items.items:
            scope.emit(Test(Constant(False, BOOL), scope.origin(node)))
            return
        subject = node.subject
        if isinstance(subject, tree.Variable) and scope.binds_here(subject.name):
            expected = scope.rule.types.get(scope.names[subject.name])
        else:
            lowered = self.expressions.lower(scope, subject)
            if lowered is None:
                return
            expected = lowered.type
        values = [self.expressions.lower(scope, item, expected) for item in items.items]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return
        first = expected or known[0].type
        for item, value in zip(items.items, known, strict=True):
            if not same_kind(first, value.type):
                report_mismatch(scope, item, f"`{item.span.text}`", value.type, a_type(first))
                return
        if all(isinstance(value, Constant) for value in known):
            constants = [value for value in known if isinstance(value, Constant)]
            self._in_constants(scope, node, first, constants)
        else:
            self._in_values(scope, node, first, known)

    def _in_constants(
        self, scope: Scope, node: tree.In, kind: Type, constants: list[Constant]
    ) -> None:
        for constant in constants:
            kind = unify(kind, constant.type) or kind
        values = tuple(constant.value for constant in constants)
        collection = Constant(values, ListType(Domain(kind)))
        element = self._part(scope, node.subject, Domain(kind))
        if element is not None:
            self._each(scope, node, node.subject, collection, element, ANY)

    def _in_values(self, scope: Scope, node: tree.In, kind: Type, values: list[Expression]) -> None:
        element = self._part(scope, node.subject, Domain(kind))
        if not isinstance(element, Variable | Constant):
            return
        origin = scope.origin(node)
        binds = isinstance(node.subject, tree.Variable) and scope.binds_here(node.subject.name)
        branches: list[tuple[Literal, ...]] = []
        for value in values:
            if binds and isinstance(element, Variable):
                branches.append((Bind(element, value, origin),))
            else:
                branches.append((Test(Apply(Operation.EQ, (element, value), BOOL), origin),))
        bound = (element,) if binds and isinstance(element, Variable) else ()
        scope.emit(Or(tuple(branches), bound, origin))

    def _in_network(self, scope: Scope, node: tree.In, network: Expression) -> None:
        subject = self.expressions.lower(scope, node.subject, IP)
        if subject is None:
            return
        if base(subject.type) is not IP:
            text = f"`{node.subject.span.text}`"
            report_mismatch(scope, node.subject, text, subject.type, "an Ip")
            return
        test = Apply(Operation.IN_NETWORK, (subject, network), BOOL)
        scope.emit(Test(test, scope.origin(node)))

    def lower_has(self, scope: Scope, node: tree.Has) -> None:
        """Emit a generator where `C has X` binds X, else a test."""
        subject = self.expressions.lower(scope, node.subject)
        if subject is None:
            return
        kind = base(subject.type)
        if not isinstance(kind, SetType | ListType):
            text = f"`{node.subject.span.text}`"
            report_mismatch(scope, node.subject, text, kind, "a set or a list")
        elif node.quantifier is tree.Quantifier.ONE:
            element = self._part(scope, node.value, kind.element)
            if element is not None:
                self._each(scope, node, node.value, subject, element, ANY)
        else:
            self._has_several(scope, node, subject, kind)

    def _has_several(
        self, scope: Scope, node: tree.Has, subject: Expression, kind: SetType | ListType
    ) -> None:
        every = node.quantifier is tree.Quantifier.ALL
        if isinstance(node.value, tree.ListLiteral):
            lowered = [
                self.expressions.lower(scope, item, kind.element.type) for item in node.value.items
            ]
            if any(not isinstance(value, Constant) for value in lowered):
                self._has_each(scope, node, subject, node.value.items, lowered, every)
                return
        value = self.expressions.lower(scope, node.value, SetType(kind.element))
        if value is None:
            return
        operation = Operation.HAS_ALL if every else Operation.HAS_ANY
        found = result_type(operation, [subject.type, value.type])
        if isinstance(found, Mismatch):
            at, typed = ((node.subject, subject), (node.value, value))[found.argument or 0]
            wanted = with_article(found.expected)
            report_mismatch(scope, at, f"`{at.span.text}`", typed.type, wanted)
            return
        scope.emit(Test(Apply(operation, (subject, value), BOOL), scope.origin(node)))

    def _has_each(
        self,
        scope: Scope,
        node: tree.Has,
        subject: Expression,
        items: tuple[tree.Expr, ...],
        lowered: list[Expression | None],
        every: bool,
    ) -> None:
        """`S has all [X, "b"]` with variables: each of them, or one of them."""
        tests: list[Literal] = []
        for item, value in zip(items, lowered, strict=True):
            if value is None:
                return
            found = result_type(Operation.HAS, [subject.type, value.type])
            if isinstance(found, Mismatch):
                report_mismatch(
                    scope, item, f"`{item.span.text}`", value.type, with_article(found.expected)
                )
                return
            tests.append(Test(Apply(Operation.HAS, (subject, value), BOOL), scope.origin(node)))
        if every:
            for test in tests:
                scope.emit(test)
        else:
            scope.emit(Or(tuple((test,) for test in tests), (), scope.origin(node)))
