"""Conditions: what holds or does not, as the literals of a body."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from policylang.diagnostics import Span
from policylang.facts.schema import Cardinality, Relation, Source
from policylang.facts.types import (
    BOOL,
    CIDR,
    INT,
    IP,
    STRING,
    Domain,
    EnumType,
    ListType,
    SetType,
    Type,
    base,
)
from policylang.semantics import codes
from policylang.semantics.lowering.binding import conjuncts
from policylang.semantics.lowering.context import Scope, branch_scope, inner_scope
from policylang.semantics.lowering.expressions import (
    Expressions,
    coerced,
    local_variables,
    report_mismatch,
    report_unknown_name,
    wants_type,
)
from policylang.semantics.lowering.paths import (
    FieldPath,
    Rows,
    arguments,
    field_path,
    is_rows,
    leading_reference,
    read,
    report_unknown_field,
    rows_of,
)
from policylang.semantics.names import Found, Kind, look_up
from policylang.semantics.operations import FUNCTIONS, Mismatch, result_type, same_kind, unify
from policylang.semantics.program import (
    ABSENT,
    ANY,
    PRESENT,
    Apply,
    Argument,
    Bind,
    Constant,
    Each,
    Expression,
    Literal,
    Match,
    Not,
    Operation,
    Or,
    Test,
    Variable,
)
from policylang.semantics.relations import SOURCES
from policylang.semantics.words import a_type, article, plural
from policylang.semantics.world import Signature
from policylang.syntax import tree

_COMPARISONS: Final = {
    tree.ComparisonOperator.EQ: Operation.EQ,
    tree.ComparisonOperator.NE: Operation.NE,
    tree.ComparisonOperator.LT: Operation.LT,
    tree.ComparisonOperator.LE: Operation.LE,
    tree.ComparisonOperator.GT: Operation.GT,
    tree.ComparisonOperator.GE: Operation.GE,
}


def lower_body(scope: Scope) -> None:
    """Lower every conjunct of a scope: plain ones first, so that nested bodies know what is read."""
    for i in sorted(range(len(scope.items)), key=lambda i: _rank(scope.items[i])):
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
            case tree.Comparison():
                self._comparison(scope, node)
            case tree.InRange():
                self._in_range(scope, node)
            case tree.In():
                self._in(scope, node)
            case tree.Has():
                self._has(scope, node)
            case tree.Like():
                self._like(scope, node)
            case tree.IsMissing():
                self._presence(scope, node, node.subject, present=False)
            case tree.IsPresent():
                self._presence(scope, node, node.subject, present=True)
            case tree.IsFrom():
                self._from(scope, node)
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
                self._atom(scope, node, found, ())
            case Kind.FACT | Kind.ACTION | Kind.GROUP | Kind.TABLE if not found.rest:
                self._report_fact(scope, node, found.symbol.kind)
            case _:
                self._value(scope, node)

    def _report_fact(self, scope: Scope, node: tree.Path, kind: Kind) -> None:
        hint = f"write `{node.text} is present`, or ask for one of its fields"
        if kind is Kind.TABLE:
            hint = f"write `{node.text}(column: X)`"
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
            scope.rule.report(
                codes.NOT_A_CONDITION.at(node.span, what=f"`{node.span.text}`", found=found)
            )
            return
        scope.emit(Test(value, scope.origin(node)))

    # --- calls -------------------------------------------------------------------------------------------------

    def _call(self, scope: Scope, node: tree.Call) -> None:
        if is_function(node):
            self._value(scope, node)
        else:
            self._match(scope, node, None)

    def _match(self, scope: Scope, node: tree.Call, source: Source | None) -> None:
        found = look_up(scope.rule.world.names, scope.rule.module, node.callee)
        if found is None:
            report_unknown_name(scope, node.callee, "fact or definition", tuple(FUNCTIONS))
            scope.rule.incomplete = True
        elif not is_rows(found):
            scope.rule.report(
                codes.WRONG_KIND.at(
                    node.callee.span, name=node.callee.text, found=found.symbol.kind.value,
                    wanted="a fact, a table or a definition",
                )
            )  # fmt: skip
        elif found.symbol.kind is Kind.DEFINITION and not found.rest:
            self._atom(scope, node, found, node.arguments, source)
        else:
            rows = rows_of(scope, node.callee, found)
            if rows is None:
                scope.rule.incomplete = True
            else:
                self._rows(scope, node, rows, source)

    def _atom(
        self,
        scope: Scope,
        node: tree.Call | tree.Path,
        found: Found,
        given: tuple[tree.Argument, ...],
        source: Source | None = None,
    ) -> None:
        signature = scope.rule.world.signatures[found.symbol.name]
        name = found.symbol.bare
        if source is not None:
            hint = "ask where the facts come from that it is made of"
            scope.rule.report(
                codes.WRONG_KIND.at(
                    node.span, name=name, found="a definition", wanted="a fact", hint=hint
                )
            )
        named = next((argument for argument in given if argument.name is not None), None)
        if named is not None:
            hint = f"write `{_usage(name, signature)}`"
            scope.rule.report(codes.MIXED_ARGUMENTS.at(named.span, this="a name", hint=hint))
            return
        if len(given) != len(signature.types):
            _report_count(scope, node.span, name, len(given), signature)
            return
        arguments = [
            self._argument(
                scope,
                argument.value,
                Domain(known) if known is not None else None,
                f"argument {i + 1} of `{name}`",
            )
            for i, (argument, known) in enumerate(zip(given, signature.types, strict=True))
        ]
        if any(known is None for known in signature.types):
            scope.rule.stale = True
        self._emit_match(scope, found.symbol.name, arguments, node, None)

    def _rows(self, scope: Scope, node: tree.Call, rows: Rows, source: Source | None) -> None:
        relation = rows.relation
        placed = _placed(scope, node, relation)
        if placed is None:
            return
        arguments: list[Argument | None] = [ANY] * len(relation.columns)
        if rows.reference is not None and rows.key is not None:
            arguments[rows.key] = read(scope, rows.reference)
            twice = next((argument for i, argument in placed if i == rows.key), None)
            if twice is not None and twice.name is not None:
                name = twice.name.text
                scope.rule.report(codes.DUPLICATE_ARGUMENT.at(twice.name.span, name=name))
                return
        for position, argument in placed:
            column = relation.columns[position]
            what = f"field `{column.name}` of `{relation.bare_name}`"
            if isinstance(argument.value, tree.PresenceMark):
                arguments[position] = PRESENT if argument.value.present else ABSENT
            else:
                arguments[position] = self._argument(scope, argument.value, column.domain, what)
        self._emit_match(scope, relation.name, arguments, node, source)

    def _emit_match(
        self,
        scope: Scope,
        name: str,
        arguments: list[Argument | None],
        node: tree.Node,
        source: Source | None,
    ) -> None:
        known = [argument for argument in arguments if argument is not None]
        if len(known) == len(arguments):
            scope.emit(Match(name, tuple(known), scope.origin(node), source))

    def _argument(
        self, scope: Scope, node: tree.Expr, domain: Domain | None, what: str
    ) -> Argument | None:
        """One argument of a call: a term, or a hole; an expression is computed into a hidden variable."""
        match node:
            case tree.Wildcard():
                return ANY
            case tree.Variable():
                return scope.variable(node, domain.type if domain else None)
            case tree.PresenceMark():
                hint = "only the fields of facts can be missing"
                scope.rule.report(
                    codes.NOT_A_VALUE.at(node.span, what=f"`{node.span.text}`", hint=hint)
                )
                return None
            case _:
                value = self.expressions.lower(scope, node, domain.type if domain else None)
                return self._term(scope, node, value, domain, what)

    def _term(
        self,
        scope: Scope,
        node: tree.Expr,
        value: Expression | None,
        domain: Domain | None,
        what: str,
    ) -> Argument | None:
        if value is None:
            return None
        if domain is not None:
            if not same_kind(value.type, domain.type):
                hint = f"{what} is {a_type(domain.type)}" if what else None
                wanted = a_type(domain.type)
                report_mismatch(scope, node, f"`{node.span.text}`", value.type, wanted, hint)
                return None
            value = coerced(scope, value, node, domain)
        if isinstance(value, Apply):
            variable = scope.new_hidden(value.type)
            scope.emit(Bind(variable, value, scope.origin(node)))
            return variable
        return value

    # --- comparisons ----------------------------------------------------------------------------------------------

    def _comparison(self, scope: Scope, node: tree.Comparison) -> None:
        if node.operator is tree.ComparisonOperator.EQ:
            for side, other in ((node.left, node.right), (node.right, node.left)):
                if isinstance(side, tree.Variable) and self._bind(scope, node, side, other):
                    return
        pair = self.pair(scope, node.left, node.right)
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

    def pair(
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

    def _in_range(self, scope: Scope, node: tree.InRange) -> None:
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
                scope, at, f"`{at.span.text}`", values[kind.argument or 0].type, _a(kind.expected)
            )
            return
        scope.emit(Test(Apply(operation, values, BOOL), scope.origin(node)))

    # --- membership ---------------------------------------------------------------------------------------------------

    def _in(self, scope: Scope, node: tree.In) -> None:
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
        return self._argument(scope, node, Domain(domain.type), "")

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

    def _has(self, scope: Scope, node: tree.Has) -> None:
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
            wanted = _a(found.expected)
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
                report_mismatch(scope, item, f"`{item.span.text}`", value.type, _a(found.expected))
                return
            tests.append(Test(Apply(Operation.HAS, (subject, value), BOOL), scope.origin(node)))
        if every:
            for test in tests:
                scope.emit(test)
        else:
            scope.emit(Or(tuple((test,) for test in tests), (), scope.origin(node)))

    def _like(self, scope: Scope, node: tree.Like) -> None:
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

    # --- presence and provenance --------------------------------------------------------------------------------------

    def _presence(
        self, scope: Scope, node: tree.Node, subject: tree.Expr, *, present: bool
    ) -> None:
        if present:
            self._present(scope, node, subject)
            return
        inner = inner_scope(scope, (subject,), "not", node.span)
        inner.slot = 0
        self._present(inner, node, subject)
        scope.emit(Not(inner.body(), local_variables(inner), scope.origin(node)))

    def _present(self, scope: Scope, node: tree.Node, subject: tree.Expr) -> None:
        match subject:
            case tree.Path():
                self._path_present(scope, node, subject, None)
            case tree.Call() if not is_function(subject):
                hint = f"write `{subject.span.text}` or `not {subject.span.text}`"
                scope.rule.report(
                    codes.NOT_A_VALUE.at(
                        subject.span, what=f"`{subject.callee.text}(...)`", hint=hint
                    )
                )
            case _:
                value = self.expressions.lower(scope, subject)
                if value is not None and not isinstance(value, Variable | Constant):
                    hidden = scope.new_hidden(value.type)
                    scope.emit(Bind(hidden, value, scope.origin(node)))

    def _path_present(
        self, scope: Scope, node: tree.Node, path: tree.Path, source: Source | None
    ) -> None:
        """A match that asks that a path has a value, or that an optional fact is there at all."""
        found = look_up(scope.rule.world.names, scope.rule.module, path)
        if found is None:
            report_unknown_name(scope, path, "name")
            return
        if found.symbol.kind not in (Kind.FACT, Kind.ACTION, Kind.GROUP):
            scope.rule.report(
                codes.WRONG_KIND.at(
                    path.span,
                    name=path.text,
                    found=found.symbol.kind.value,
                    wanted="a fact or a field",
                )
            )
            return
        if not found.rest:
            self._fact_present(scope, node, path, found, source)
            return
        read = field_path(scope, path, found)
        if read is not None:
            self._emit_present(scope, node, read, source)

    def _fact_present(
        self, scope: Scope, node: tree.Node, path: tree.Path, found: Found, source: Source | None
    ) -> None:
        relation = scope.rule.world.relations[found.symbol.name]
        if relation.cardinality is Cardinality.MANY:
            hint = f"write `{path.text}({_first_column(relation)}: _)`"
            scope.rule.report(
                codes.MANY_ROWS.at(path.span, name=path.text, path=path.text, hint=hint)
            )
            return
        scope.present.add(relation.name)
        holes = (ANY,) * len(relation.columns)
        scope.emit(Match(relation.name, holes, scope.origin(node), source, path.text))

    def _emit_present(
        self, scope: Scope, node: tree.Node, path: FieldPath, source: Source | None
    ) -> None:
        reference = leading_reference(scope, path)
        last = path.steps[-1]
        scope.present.add(path.key)
        found = arguments(last, PRESENT, reference)
        scope.emit(Match(last.relation.name, found, scope.origin(node), source, last.text))

    def _from(self, scope: Scope, node: tree.IsFrom) -> None:
        source = SOURCES[node.source.source]
        match node.subject:
            case tree.Path():
                self._path_present(scope, node, node.subject, source)
            case tree.Call() if not is_function(node.subject):
                self._match(scope, node.subject, source)
            case _:
                scope.rule.report(
                    codes.NOT_A_VALUE.at(
                        node.subject.span,
                        what=f"`{node.subject.span.text}`",
                        hint="only facts and their fields come from somewhere",
                    )
                )


CONDITIONS: Final = Conditions()


def is_function(node: tree.Call) -> bool:
    """Whether a call is one of a function of the language."""
    name = node.callee.text
    return name in FUNCTIONS or name in ("ip", "cidr")


def pattern_text(pattern: tree.Pattern) -> str:
    """The pattern of a `like` as evaluators read it: `*` any text, `\\*` a star, `\\\\` a backslash."""
    escaped = (piece.replace("\\", "\\\\").replace("*", "\\*") for piece in pattern.pieces)
    return "*".join(escaped)


def _placed(
    scope: Scope, node: tree.Call, relation: Relation
) -> list[tuple[int, tree.Argument]] | None:
    """The column of each argument; None where they do not fit, which is reported."""
    named = [argument for argument in node.arguments if argument.name is not None]
    if not named and node.arguments:
        return _by_position(scope, node, relation)
    if len(named) < len(node.arguments):
        odd = next(argument for argument in node.arguments if argument.name is None)
        scope.rule.report(codes.MIXED_ARGUMENTS.at(odd.span, this="none"))
        return None
    columns = {column.name: i for i, column in enumerate(relation.columns)}
    placed: dict[int, tree.Argument] = {}
    for argument in named:
        assert argument.name is not None
        position = columns.get(argument.name.text)
        if position is None:
            if f"{relation.name}.{argument.name.text}" not in scope.rule.world.spoiled:
                report_unknown_field(scope, relation, argument.name)
            scope.rule.incomplete = True
            return None
        if position in placed:
            scope.rule.report(
                codes.DUPLICATE_ARGUMENT.at(argument.name.span, name=argument.name.text)
            )
            return None
        placed[position] = argument
    return list(placed.items())


def _by_position(
    scope: Scope, node: tree.Call, relation: Relation
) -> list[tuple[int, tree.Argument]] | None:
    if len(node.arguments) == len(relation.columns):
        return list(enumerate(node.arguments))
    count = len(node.arguments)
    names = ", ".join(
        f"{column.name}: {column.name.capitalize()}" for column in relation.columns[:3]
    )
    scope.rule.report(
        codes.WRONG_ARGUMENT_COUNT.at(
            node.span,
            name=relation.bare_name,
            wanted=plural(len(relation.columns), "field"),
            found=f"{count} {'is' if count == 1 else 'are'}",
            hint=f"name those you need: `{relation.bare_name}({names})`",
        )
    )
    scope.rule.incomplete = True
    return None


def _report_count(scope: Scope, span: Span, name: str, count: int, signature: Signature) -> None:
    scope.rule.incomplete = True
    scope.rule.report(
        codes.WRONG_ARGUMENT_COUNT.at(
            span,
            name=name,
            wanted=plural(len(signature.types), "argument"),
            found=f"{count} {'is' if count == 1 else 'are'}",
            hint=f"write `{_usage(name, signature)}`",
        )
    )


def _usage(name: str, signature: Signature) -> str:
    return f"{name}({', '.join(signature.parameters)})" if signature.parameters else name


def _report_incomparable(
    scope: Scope, node: tree.Comparison, operation: Operation, pair: tuple[Expression, Expression]
) -> None:
    left, right = pair
    hint = None
    for one, other in ((left, right), (right, left)):
        kind = base(one.type)
        if isinstance(kind, EnumType) and base(other.type) is STRING:
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


def _first_column(relation: Relation) -> str:
    return relation.columns[0].name if relation.columns else "field"


def _a(words: str) -> str:
    return words if words.startswith(("a ", "an ")) else article(words)
