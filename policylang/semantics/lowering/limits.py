"""Limits: deny rules that count, or add up, the earlier calls that were allowed.

`limit L: refund to 3 per refund.customer_id in 7 days` denies a refund where the rows of the relation
`L.history` with the same customer and a time less than 7 days before `now` are three or more. With
`sum(refund.amount) to N` it denies where their sum and the amount asked for come to more than N.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from policylang.facts.schema import (
    Cardinality,
    LimitHistory,
    PathRead,
    Relation,
    RelationKind,
    Source,
)
from policylang.facts.types import BOOL, DATETIME, DURATION, INT, Domain, Field, base, is_number
from policylang.semantics import codes
from policylang.semantics.lowering.conditions import EXPRESSIONS
from policylang.semantics.lowering.context import RuleContext, Scope, top_scope
from policylang.semantics.lowering.expressions import local_variables, report_mismatch
from policylang.semantics.lowering.paths import FieldPath, field_path, now_path, read
from policylang.semantics.lowering.statements import Lowering, finish, in_rounds, is_asked
from policylang.semantics.names import Kind, look_up
from policylang.semantics.origins import origin_of
from policylang.semantics.program import (
    Aggregate,
    AggregateKind,
    Apply,
    Argument,
    Bind,
    Constant,
    Deny,
    Expression,
    Match,
    Operation,
    Rule,
    Test,
    Variable,
)
from policylang.semantics.words import a_type
from policylang.syntax import tree
from policylang.syntax.walk import walk


@dataclass(frozen=True, slots=True)
class LoweredLimit:
    """A limit: its deny rule, the relation of its history, and how that is filled."""

    rule: Rule
    relation: Relation
    history: LimitHistory


def lower_limit(lowering: Lowering, node: tree.LimitStatement) -> LoweredLimit | None:
    """The limit, or None where its problems, which are reported, leave none."""
    rule = lowering.context()
    lowered = in_rounds(rule, lambda: _limit(lowering, rule, node))
    return lowered if finish(rule, lowering.world.problems) else None


def _limit(lowering: Lowering, rule: RuleContext, node: tree.LimitStatement) -> LoweredLimit | None:
    name = f"{lowering.module.name}.{node.name.text}"
    scope = top_scope(rule, ())
    counted = _counted(scope, node)
    if counted is None:
        return None
    actions = lowering.expanded(rule, [counted])
    paths = _paths(scope, node, actions)
    maximum = _maximum(scope, node, actions)
    since = _since(scope, node)
    if paths is None or maximum is None or (node.window is not None and since is None):
        return None
    relation = _history(name, lowering.module.name, paths)
    total = _measured(scope, node, relation, paths, since)
    keys = tuple(i for i, path in enumerate(paths) if _is_key(scope, node, path))
    message = lowering.message(scope, node.reason)
    overrides = lowering.overridden(rule, node.overrides)
    if total is None:
        return None
    operation, value = total
    if not _is_comparable(scope, node, value, maximum):
        return None
    origin = origin_of(node.measure.span.to(node.maximum.span))
    scope.emit(Test(Apply(operation, (value, maximum), BOOL), origin))
    denying = Rule(
        name=name,
        head=Deny(limit=name),
        body=scope.body(),
        variables=(),
        actions=actions,
        stratum=0,
        message=message,
        origin=origin_of(node.span),
        overrides=overrides,
        doc=node.doc.text if node.doc else "",
    )
    reads = tuple(PathRead(p.steps[0].relation.name, p.steps[0].column.name) for p in paths)
    history = LimitHistory(relation.name, actions, reads, keys, _window(scope, node))
    return LoweredLimit(denying, relation, history)


# --- what is counted -------------------------------------------------------------------------------------


def _counted(scope: Scope, node: tree.LimitStatement) -> tree.Path | None:
    """The action or group of which calls are counted."""
    if isinstance(node.measure, tree.CountMeasure):
        return node.measure.action
    rule = scope.rule
    named: dict[str, tree.Path] = {}
    for path in _written_paths(node.measure.value):
        found = look_up(rule.world.names, rule.module, path)
        if found is not None and found.symbol.kind in (Kind.ACTION, Kind.GROUP):
            count = len(path.names) - len(found.rest)
            head = tree.Path(found.head, path.names[:count])
            named.setdefault(found.symbol.name, head)
    if len(named) == 1:
        return next(iter(named.values()))
    if named or not rule.problems:
        problem = "the sum is over no action" if not named else "the sum is over several actions"
        rule.report(
            codes.BAD_LIMIT.at(
                node.measure.value.span, problem=problem, label="which action is limited?",
                hint="write a field of one action, such as `sum(refund.amount)`",
            )
        )  # fmt: skip
    return None


def _written_paths(expression: tree.Expr) -> Iterator[tree.Path]:
    """The paths of an expression that stand for values."""
    names = {id(n.callee) for n in walk(expression) if isinstance(n, tree.Call)}
    for node in walk(expression):
        if isinstance(node, tree.Path) and id(node) not in names:
            yield node


def _paths(
    scope: Scope, node: tree.LimitStatement, actions: tuple[str, ...]
) -> list[FieldPath] | None:
    """The paths that the history has to hold: those of `per`, and those that are added up."""
    written = list(node.per)
    if isinstance(node.measure, tree.SumMeasure):
        written += [p for p in _written_paths(node.measure.value) if not _is_param(scope, p)]
    found = [_history_path(scope, path, actions) for path in written]
    known = {path.key: path for path in found if path is not None}
    return list(known.values()) if len([p for p in found if p is None]) == 0 else None


def _is_param(scope: Scope, path: tree.Path) -> bool:
    found = look_up(scope.rule.world.names, scope.rule.module, path)
    return found is not None and found.symbol.kind is Kind.PARAM


def _history_path(scope: Scope, path: tree.Path, actions: tuple[str, ...]) -> FieldPath | None:
    """A path that an earlier call can be read by: one field of the action or of a single fact."""
    rule = scope.rule
    found = look_up(rule.world.names, rule.module, path)
    if found is None:
        rule.world.report_unknown(rule.module, path, "name", (), rule.problems)
        return None
    if found.symbol.kind not in (Kind.FACT, Kind.ACTION, Kind.GROUP) or not found.rest:
        hint = "name one of its fields" if found.symbol.kind is not Kind.PARAM else None
        problem = f"`{path.text}` is not a field of the action or of a fact"
        _bad(scope, path, problem, "not a field", hint)
        return None
    read_path = field_path(scope, path, found)
    if read_path is None:
        return None
    relation = read_path.steps[0].relation
    if not is_asked(relation, actions):
        problem = f"`{relation.bare_name}` is not the action that is limited"
        asked = " or ".join(f"`{name.rpartition('.')[2]}`" for name in actions[:3])
        hint = f"write a field of {asked}, or of a single fact"
        _bad(scope, path, problem, "calls that are counted lack this", hint)
        return None
    if len(read_path.steps) > 1:
        _bad(
            scope,
            path,
            "a limit cannot follow references into earlier calls",
            "follows a reference",
            "count by the reference itself, or declare the field with the action",
        )
        return None
    if read_path.may_be_missing:
        rule.report(
            codes.MAY_BE_MISSING.at(
                path.span,
                what=f"`{path.text}`",
                statement="limit",
                hint="count by a field that every call has, or give the field a default",
            )
        )
        return None
    return read_path


def _bad(scope: Scope, node: tree.Node, problem: str, label: str, hint: str | None = None) -> None:
    scope.rule.report(codes.BAD_LIMIT.at(node.span, problem=problem, label=label, hint=hint))


def _history(name: str, module: str, paths: Sequence[FieldPath]) -> Relation:
    columns = [replace(_plain(path.steps[0].column), name=path.steps[0].text) for path in paths]
    return Relation(
        name=f"{name}.history",
        module=module,
        kind=RelationKind.HISTORY,
        cardinality=Cardinality.MANY,
        columns=(*columns, Field("time", Domain(DATETIME))),
        minimum_source=Source.SYSTEM,
    )


def _plain(column: Field) -> Field:
    return Field(column.name, column.domain, secret=column.secret, personal=column.personal)


# --- what it is measured by -----------------------------------------------------------------------------------


def _maximum(
    scope: Scope, node: tree.LimitStatement, actions: tuple[str, ...]
) -> Expression | None:
    for path in _written_paths(node.maximum):
        if not _is_param(scope, path) and _history_path(scope, path, actions) is None:
            return None
    return EXPRESSIONS.lower(scope, node.maximum)


def _is_comparable(
    scope: Scope, node: tree.LimitStatement, value: Expression, maximum: Expression
) -> bool:
    both_numbers = is_number(base(value.type)) and is_number(base(maximum.type))
    if both_numbers or base(value.type) == base(maximum.type):
        return True
    report_mismatch(scope, node.maximum, "the limit", maximum.type, a_type(value.type))
    return False


def _since(scope: Scope, node: tree.LimitStatement) -> Variable | None:
    """The moment after which earlier calls count."""
    if node.window is None:
        return None
    window = EXPRESSIONS.lower(scope, node.window, DURATION)
    if window is None:
        return None
    if base(window.type) is not DURATION:
        report_mismatch(scope, node.window, "the window", window.type, "a Duration")
        return None
    length = window.value if isinstance(window, Constant) else None
    if isinstance(length, dt.timedelta) and length <= dt.timedelta(0):
        _bad(scope, node.window, "the window holds no time", "no earlier call lies in it")
        return None
    now = read(scope, now_path(node.window.span, scope))
    since = scope.new_hidden(DATETIME)
    scope.emit(
        Bind(since, Apply(Operation.SUB, (now, window), DATETIME), origin_of(node.window.span))
    )
    return since


def _window(scope: Scope, node: tree.LimitStatement) -> dt.timedelta | None:
    """The length of the window, where it is a constant."""
    if node.window is None:
        return None
    window = EXPRESSIONS.lower(scope, node.window, DURATION)
    if isinstance(window, Constant) and isinstance(window.value, dt.timedelta):
        return window.value
    return None


def _measured(
    scope: Scope,
    node: tree.LimitStatement,
    relation: Relation,
    paths: Sequence[FieldPath],
    since: Variable | None,
) -> tuple[Operation, Expression] | None:
    """What is compared with the maximum, and by which operation it is exceeded."""
    keys = {path.key for path in paths[: len(paths)] if _is_key(scope, node, path)}
    inner = _earlier(scope, node, relation, paths, keys, since)
    end = (node.window or (node.per[-1] if node.per else node.maximum)).span
    origin = origin_of(node.measure.span.to(end))
    if isinstance(node.measure, tree.CountMeasure):
        count = scope.new_hidden(INT)
        local = local_variables(inner)
        scope.emit(Aggregate(AggregateKind.COUNT, count, None, inner.body(), local, origin))
        return Operation.GE, count
    earlier = EXPRESSIONS.lower(inner, node.measure.value)
    asked = EXPRESSIONS.lower(scope, node.measure.value)
    if earlier is None or asked is None:
        return None
    kind = base(asked.type)
    if not is_number(kind) and kind is not DURATION:
        report_mismatch(scope, node.measure.value, "the sum", kind, "a number or a Duration")
        return None
    total = scope.new_hidden(kind)
    local = local_variables(inner)
    scope.emit(Aggregate(AggregateKind.SUM, total, earlier, inner.body(), local, origin))
    return Operation.GT, Apply(Operation.ADD, (total, asked), kind)


def _is_key(scope: Scope, node: tree.LimitStatement, path: FieldPath) -> bool:
    for written in node.per:
        found = look_up(scope.rule.world.names, scope.rule.module, written)
        if found is not None and f"{found.symbol.name}.{found.rest[0].text}" == path.key:
            return True
    return False


def _earlier(
    scope: Scope,
    node: tree.LimitStatement,
    relation: Relation,
    paths: Sequence[FieldPath],
    keys: set[str],
    since: Variable | None,
) -> Scope:
    """The body that ranges over the earlier calls: of the same keys, within the window."""
    inner = Scope(scope.rule, scope, (), frozenset(), {}, {}, [[]])
    row: list[Argument] = []
    for path in paths:
        if path.key in keys:
            row.append(read(scope, path))
        else:
            variable = inner.new_hidden(path.type)
            inner.reads[path.key] = variable
            row.append(variable)
    time = inner.new_hidden(DATETIME)
    origin = origin_of(node.measure.span)
    inner.emit(Match(relation.name, (*row, time), origin))
    if since is not None and node.window is not None:
        later = Apply(Operation.GT, (time, since), BOOL)
        inner.emit(Test(later, origin_of(node.window.span)))
    return inner
