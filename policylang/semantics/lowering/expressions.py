"""Expressions: what has a value, with its type."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from policylang.facts.types import (
    INT,
    STRING,
    DecimalType,
    Domain,
    EnumType,
    ListType,
    SetType,
    Type,
    base,
    is_number,
)
from policylang.facts.values import Value
from policylang.semantics import codes
from policylang.semantics.constants import (
    SIMPLE,
    literal_type,
    network_constant,
    places_hint,
    to_scale,
)
from policylang.semantics.lowering.context import Scope
from policylang.semantics.lowering.paths import field_path, is_rows, now_path, read
from policylang.semantics.names import NOW, Kind, look_up
from policylang.semantics.operations import (
    FUNCTIONS,
    ORDERED_WORDS,
    Function,
    Mismatch,
    is_ordered,
    result_type,
    same_kind,
    unify,
)
from policylang.semantics.program import (
    Aggregate,
    AggregateKind,
    Apply,
    Bind,
    Constant,
    Expression,
    Operation,
    Variable,
)
from policylang.semantics.suggest import did_you_mean
from policylang.semantics.words import a_type, described, plural, shown, with_article
from policylang.syntax import tree

LONGEST_NESTING: Final = 64
"""A longer chain of operators is computed in parts, so that no reader of a program nests deeper."""

_ARITHMETIC: Final = {
    tree.ArithmeticOperator.ADD: Operation.ADD,
    tree.ArithmeticOperator.SUBTRACT: Operation.SUB,
    tree.ArithmeticOperator.MULTIPLY: Operation.MUL,
    tree.ArithmeticOperator.DIVIDE: Operation.DIV,
}
_AGGREGATES: Final = {
    tree.AggregateFunction.COUNT: AggregateKind.COUNT,
    tree.AggregateFunction.SUM: AggregateKind.SUM,
    tree.AggregateFunction.MIN: AggregateKind.MIN,
    tree.AggregateFunction.MAX: AggregateKind.MAX,
}
OpenBody: TypeAlias = Callable[[Scope, tree.Aggregate], Scope]


@dataclass(frozen=True, slots=True)
class Expressions:
    """Lowers expressions; `open_body` lowers the condition of an aggregate into a scope of its own.

    `lower` gives None where a problem has been reported or a type is not known yet.
    """

    open_body: OpenBody

    def lower(
        self, scope: Scope, node: tree.Expr, expected: Type | None = None
    ) -> Expression | None:
        """The expression; literals and bare names take the expected type where they can."""
        match node:
            case tree.Variable():
                return scope.variable(node)
            case tree.Path():
                return self._path(scope, node, expected)
            case tree.EnumValue():
                return _enum_value(scope, node)
            case tree.Call():
                return self._call(scope, node)
            case tree.Aggregate():
                return self._aggregate(scope, node)
            case tree.Arithmetic():
                return self._arithmetic(scope, node)
            case tree.Negate():
                return self._negated(scope, node)
            case tree.ListLiteral():
                return self._list(scope, node, expected)
            case _ if isinstance(node, SIMPLE):
                return _literal(scope, node, expected)
            case _:
                _report_no_value(scope, node)
                return None

    # --- names -----------------------------------------------------------------------------------------

    def _path(self, scope: Scope, node: tree.Path, expected: Type | None) -> Expression | None:
        kind = base(expected) if expected is not None else None
        member = None
        if len(node.names) == 1 and isinstance(kind, EnumType):
            member = node.text if node.text in kind.member_names else None
        found = look_up(scope.rule.world.names, scope.rule.module, node)
        if member is not None and isinstance(kind, EnumType):
            param = scope.rule.world.params.get(found.symbol.name) if found else None
            if param is None or base(param.domain.type) != kind:
                return Constant(member, kind)
            _report_ambiguous(scope, node, kind)
            return None
        if found is None:
            _report_unknown(scope, node, expected)
            return None
        if found.symbol.kind is Kind.PARAM:
            return _param(scope, node, found.symbol.name, bool(found.rest))
        if found.symbol.name == NOW and not found.rest:
            return read(scope, now_path(node.span, scope))
        if found.symbol.kind in _WITH_FIELDS and found.rest:
            path = field_path(scope, node, found)
            return read(scope, path) if path is not None else None
        _report_not_a_value(scope, node, found.symbol.kind)
        return None

    # --- functions ---------------------------------------------------------------------------------------

    def _call(self, scope: Scope, node: tree.Call) -> Expression | None:
        name = node.callee.text
        function = FUNCTIONS.get(name)
        if name in ("ip", "cidr"):
            found = network_constant(node, scope.rule.problems)
            return Constant(found[1], found[0]) if found else None
        if function is None:
            _report_no_function(scope, node)
            return None
        if not _counts_fit(scope, node, function):
            return None
        arguments = self._arguments(scope, [argument.value for argument in node.arguments])
        if arguments is None:
            return None
        if function.operation in _ZONED and not _zone_is_known(scope, node, arguments[1]):
            return None
        return apply(scope, function.operation, arguments, [a.value for a in node.arguments], node)

    def _arguments(self, scope: Scope, nodes: Sequence[tree.Expr]) -> list[Expression] | None:
        """The arguments; literals take the type of the first one that has a type of its own."""
        known = next((n for n in nodes if not wants_type(n)), None)
        first = self.lower(scope, known) if known is not None else None
        if known is not None and first is None:
            for node in nodes:
                if node is not known and not wants_type(node):
                    self.lower(scope, node)
            return None
        expected = first.type if first is not None else None
        found = [
            first if node is known else self.lower(scope, node, _for_literal(node, expected))
            for node in nodes
        ]
        complete = [expression for expression in found if expression is not None]
        return complete if len(complete) == len(nodes) else None

    # --- aggregates -----------------------------------------------------------------------------------------

    def _aggregate(self, scope: Scope, node: tree.Aggregate) -> Expression | None:
        lowered = self.aggregate(scope, node, None, node)
        return lowered.result if lowered is not None else None

    def aggregate(
        self, scope: Scope, node: tree.Aggregate, result: str | None, whole: tree.Node
    ) -> Aggregate | None:
        """Emit the aggregate; `result` is the unique name of the variable that takes its value.

        `whole` is what it was written in, for its origin.
        """
        inner = self.open_body(scope, node)
        value: Expression | None = None
        kind: Type | None = INT
        if node.value is not None:
            inner.slot = len(inner.items)
            value = self.lower(inner, node.value)
            kind = _aggregated(inner, node, value)
        if kind is None:
            return None
        if result is None:
            variable = scope.new_hidden(kind)
        else:
            scope.rule.learn(result, kind, node.span)
            variable = Variable(result, scope.rule.types.get(result, kind))
        body = inner.body()
        lowered = Aggregate(
            kind=_AGGREGATES[node.function],
            result=variable,
            value=value,
            body=body,
            locals=local_variables(inner),
            origin=scope.origin(whole),
        )
        scope.emit(lowered)
        return lowered

    # --- arithmetic -------------------------------------------------------------------------------------------

    def _arithmetic(self, scope: Scope, node: tree.Arithmetic) -> Expression | None:
        operands = [self.lower(scope, operand) for operand in node.operands]
        if any(operand is None for operand in operands):
            return None
        known = [operand for operand in operands if operand is not None]
        total = known[0]
        for i, operator in enumerate(node.operators):
            if i and i % LONGEST_NESTING == 0:
                total = _in_parts(scope, total, node)
            pair = (total, known[i + 1])
            nodes = (node.operands[0] if i == 0 else node, node.operands[i + 1])
            applied = apply(scope, _ARITHMETIC[operator], pair, nodes, node)
            if applied is None:
                return None
            total = applied
        return total

    def _negated(self, scope: Scope, node: tree.Negate) -> Expression | None:
        operand = self.lower(scope, node.operand)
        if operand is None:
            return None
        return apply(scope, Operation.NEG, (operand,), (node.operand,), node)

    # --- lists -------------------------------------------------------------------------------------------------

    def _list(
        self, scope: Scope, node: tree.ListLiteral, expected: Type | None
    ) -> Expression | None:
        """A list of constants, as a set where one is expected."""
        kind = base(expected) if expected is not None else None
        element = kind.element.type if isinstance(kind, SetType | ListType) else None
        items: list[Constant] = []
        for item in node.items:
            lowered = self.lower(scope, item, element)
            if lowered is None:
                return None
            if not isinstance(lowered, Constant):
                _report_not_constant(scope, item)
                return None
            element = element or lowered.type
            if not _same_or_report(scope, item, lowered, element):
                return None
            items.append(lowered)
        if element is None:
            what = "the empty list"
            scope.rule.report(codes.UNKNOWN_TYPE_OF.at(node.span, what=what))
            return None
        for constant in items:
            element = unify(element, constant.type) or element
        values: list[Value] = [constant.value for constant in items]
        domain = Domain(element)
        if isinstance(kind, SetType):
            return Constant(frozenset(values), SetType(domain))
        return Constant(tuple(values), ListType(domain))


_WITH_FIELDS: Final = (Kind.FACT, Kind.ACTION, Kind.GROUP, Kind.TABLE, Kind.BUILTIN)
_ZONED: Final = (Operation.DATE, Operation.TIME, Operation.WEEKDAY)


def _for_literal(node: tree.Expr, expected: Type | None) -> Type | None:
    """The type to read a literal by; a number is a number beside anything."""
    if expected is None or isinstance(node, tree.StringLiteral):
        return None
    return expected


def wants_type(node: tree.Expr) -> bool:
    """Whether an expression may mean another thing where another type is expected."""
    match node:
        case tree.StringLiteral() | tree.ListLiteral():
            return True
        case tree.Path():
            return len(node.names) == 1
        case _:
            return False


def _in_parts(scope: Scope, value: Expression, node: tree.Node) -> Expression:
    variable = scope.new_hidden(value.type)
    scope.emit(Bind(variable, value, scope.origin(node)))
    return variable


def local_variables(scope: Scope) -> tuple[Variable, ...]:
    """The variables that a nested body binds: the written ones, then those made up."""
    return (*scope.typed_names(), *scope.created)


# --- literals and constants -----------------------------------------------------------------------------------


def _literal(scope: Scope, node: tree.Literal, expected: Type | None) -> Expression | None:
    """A literal; a string is read as the date, duration or address that is expected."""
    own = literal_type(node)
    wanted = base(expected) if expected is not None else own
    if own is STRING and wanted is not STRING and not isinstance(wanted, SetType | ListType):
        value = scope.rule.domains.constants(scope.rule.module, scope.rule.problems).literal(
            node, wanted
        )
        return None if value is None else Constant(value, wanted)
    return Constant(node.value, own)


def _enum_value(scope: Scope, node: tree.EnumValue) -> Expression | None:
    found = scope.rule.domains.enum_value(scope.rule.module, node, scope.rule.problems)
    return Constant(found[1], found[0]) if found is not None else None


def _param(scope: Scope, node: tree.Path, name: str, goes_on: bool) -> Expression | None:
    param = scope.rule.world.params.get(name)
    if param is None:
        return None
    if goes_on:
        kind = a_type(param.domain.type)
        scope.rule.report(
            codes.NO_FIELDS.at(node.last.span, path=name.rpartition(".")[2], found=kind)
        )
        return None
    return Constant(param.value, param.domain.type, param=name)


def coerced(scope: Scope, value: Expression, node: tree.Expr, domain: Domain) -> Expression | None:
    """The expression where a value of a domain stands: of its kind, a constant within its bounds.

    A number constant takes the scale of the domain; None where it has more places, which is reported.
    """
    wanted = base(domain.type)
    if isinstance(value, Constant) and is_number(wanted) and is_number(value.type):
        assert isinstance(value.value, int) or hasattr(value.value, "as_tuple")
        number = to_scale(value.value, wanted.scale if isinstance(wanted, DecimalType) else 0)  # type: ignore[arg-type]
        constants = scope.rule.domains.constants(scope.rule.module, scope.rule.problems)
        if number is None:
            places = wanted.scale if isinstance(wanted, DecimalType) else None
            hint = places_hint(places) if places is not None else "it has to be whole"
            scope.rule.report(
                codes.OUT_OF_RANGE.at(
                    node.span,
                    value=f"`{shown(value.value, value.type)}`",
                    wanted=described(domain),
                    hint=hint,
                )
            )
            return None
        exact: Value = number if isinstance(wanted, DecimalType) else int(number)
        if not constants.fits(exact, domain, node.span):
            return None
        return Constant(exact, domain.type, value.param)
    if isinstance(value, Constant) and same_kind(value.type, wanted):
        constants = scope.rule.domains.constants(scope.rule.module, scope.rule.problems)
        return value if constants.fits(value.value, domain, node.span) else None
    return value


def _same_or_report(scope: Scope, node: tree.Expr, value: Expression, wanted: Type) -> bool:
    if same_kind(value.type, wanted):
        return True
    report_mismatch(scope, node, f"`{node.span.text}`", value.type, a_type(wanted))
    return False


# --- operations ------------------------------------------------------------------------------------------------


def apply(
    scope: Scope,
    operation: Operation,
    arguments: Sequence[Expression],
    nodes: Sequence[tree.Expr],
    whole: tree.Node,
) -> Expression | None:
    """The operation on these values, or None where their types are wrong, which is reported."""
    places = _constant_places(operation, arguments)
    found = result_type(operation, [argument.type for argument in arguments], places)
    if not isinstance(found, Mismatch):
        return Apply(operation, tuple(arguments), found)
    position = found.argument or 0
    scope.rule.report(
        codes.BAD_OPERAND.at(
            nodes[position].span if nodes[position] is not whole else whole.span,
            operator="-" if operation is Operation.NEG else operation.value,
            found=a_type(arguments[position].type),
            wanted=with_article(found.expected),
        )
    )
    return None


def _constant_places(operation: Operation, arguments: Sequence[Expression]) -> int | None:
    if operation is not Operation.ROUND or len(arguments) != 2:
        return None
    places = arguments[1]
    return places.value if isinstance(places, Constant) and type(places.value) is int else None


def _counts_fit(scope: Scope, node: tree.Call, function: Function) -> bool:
    count = len(node.arguments)
    if any(argument.name is not None for argument in node.arguments):
        named = next(argument for argument in node.arguments if argument.name is not None)
        scope.rule.report(
            codes.NAMED_ARGUMENT.at(
                named.span, name=function.name, hint=f"write `{function.forms[0]}`"
            )
        )
        return False
    if function.fewest <= count <= function.most:
        return True
    wanted = plural(function.fewest, "argument")
    if function.most > function.fewest:
        wanted = f"{function.fewest} or {plural(function.most, 'argument')}"
    scope.rule.report(
        codes.WRONG_ARGUMENT_COUNT.at(
            node.span,
            name=function.name,
            wanted=wanted,
            found=f"{count} {'is' if count == 1 else 'are'}",
            hint="write " + " or ".join(f"`{form}`" for form in function.forms),
        )
    )
    return False


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _zone_is_known(scope: Scope, node: tree.Call, zone: Expression) -> bool:
    if not isinstance(zone, Constant) or zone.type is not STRING or zone.value in _zones():
        return True
    name = str(zone.value)
    hint = did_you_mean(name, _zones())
    scope.rule.report(codes.UNKNOWN_ZONE.at(node.arguments[1].span, name=name, hint=hint))
    return False


def _aggregated(scope: Scope, node: tree.Aggregate, value: Expression | None) -> Type | None:
    """The type of what an aggregate computes, or None where it cannot."""
    if value is None or node.value is None:
        return None
    kind = base(value.type)
    if node.function is tree.AggregateFunction.SUM:
        if is_number(kind) or str(kind) == "Duration":
            return kind
        wanted = "a number or a Duration"
    else:
        if is_ordered(kind):
            return kind
        wanted = ORDERED_WORDS
    scope.rule.report(
        codes.BAD_OPERAND.at(
            node.value.span, operator=node.function.value, found=a_type(kind), wanted=wanted
        )
    )
    return None


# --- reporting -----------------------------------------------------------------------------------------------------


def report_mismatch(
    scope: Scope, node: tree.Node, what: str, found: Type, wanted: str, hint: str | None = None
) -> None:
    """Report a value of one type where another is expected."""
    scope.rule.report(
        codes.TYPE_MISMATCH.at(node.span, what=what, found=a_type(found), wanted=wanted, hint=hint)
    )


def _report_unknown(scope: Scope, node: tree.Path, expected: Type | None) -> None:
    kind = base(expected) if expected is not None else None
    if len(node.names) == 1 and isinstance(kind, EnumType):
        scope.rule.domains.constants(scope.rule.module, scope.rule.problems).member(
            kind, node.names[0]
        )
        return
    if expected is None:
        scope.rule.stale = True
    report_unknown_name(scope, node, "name")


def report_unknown_name(
    scope: Scope, node: tree.Path, what: str, also: tuple[str, ...] = ()
) -> None:
    """Report a path that means nothing; `also` are names that would have been right here too."""
    rule = scope.rule
    rule.incomplete = True  # also where nothing is said, since a broken statement may declare it
    rule.world.report_unknown(rule.module, node, what, also, rule.problems)


def _report_ambiguous(scope: Scope, node: tree.Path, enum: EnumType) -> None:
    scope.rule.report(
        codes.AMBIGUOUS_NAME.at(
            node.span,
            name=node.text,
            one=f"a member of `{enum}`",
            other="a param",
            hint=f"write `{enum}.{node.text}` for the member, `{scope.rule.module.name}.{node.text}` for the param",
        )
    )


def _report_not_a_value(scope: Scope, node: tree.Path, kind: Kind) -> None:
    hints = {
        Kind.FACT: "name one of its fields",
        Kind.ACTION: "name one of its fields",
        Kind.GROUP: "name one of the fields of its actions",
        Kind.TABLE: f"write `{node.text}(column: X)` in the condition and use `X`",
        Kind.DEFINITION: "a definition holds or does not: use it as a condition",
        Kind.DECISION: "a decision is what rules set: no condition can read it",
    }
    scope.rule.report(
        codes.NOT_A_VALUE.at(node.span, what=f"`{node.text}`, {kind.value},", hint=hints.get(kind))
    )


def _report_no_function(scope: Scope, node: tree.Call) -> None:
    found = look_up(scope.rule.world.names, scope.rule.module, node.callee)
    if found is not None and is_rows(found):
        hint = "put it in the condition, with a variable for what you need of it"
        scope.rule.report(
            codes.NOT_A_VALUE.at(node.span, what=f"`{node.callee.text}(...)`", hint=hint)
        )
    elif found is not None:
        scope.rule.report(
            codes.WRONG_KIND.at(
                node.callee.span, name=node.callee.text, found=found.symbol.kind.value,
                wanted="a function",
            )
        )  # fmt: skip
    else:
        report_unknown_name(scope, node.callee, "function", tuple(FUNCTIONS))


def _report_not_constant(scope: Scope, node: tree.Expr) -> None:
    hint = "compare with each of them, with `or` between"
    scope.rule.report(codes.NOT_CONSTANT.at(node.span, what=f"`{node.span.text}`", hint=hint))


def _report_no_value(scope: Scope, node: tree.Expr) -> None:
    match node:
        case tree.Wildcard():
            what, hint = "`_`", "it stands only among the arguments of a call"
        case tree.PresenceMark():
            what, hint = f"`{node.span.text}`", "write `is missing` or `is present`"
        case tree.RecordLiteral():
            what, hint = "a record", "records stand only in fixtures and tests"
        case _:
            what, hint = "a condition", "conditions are not values: put it beside with `and`"
    scope.rule.report(codes.NOT_A_VALUE.at(node.span, what=what, hint=hint))
