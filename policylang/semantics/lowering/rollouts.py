"""What a module says about its rollout: the key of slices, the condition of a canary, criteria."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policylang.diagnostics import Label
from policylang.errors import InternalError
from policylang.facts.schema import PathRead
from policylang.facts.types import ListType, RecordType, SetType, Type, base
from policylang.semantics import codes
from policylang.semantics.criteria import (
    MEASURES,
    STAGES,
    AllOf,
    AnyOf,
    Bound,
    Clause,
    Condition,
    Criteria,
    Measure,
    Purpose,
    Unit,
)
from policylang.semantics.lowering.binding import conjuncts
from policylang.semantics.lowering.conditions import lower_body
from policylang.semantics.lowering.context import RuleContext, top_scope
from policylang.semantics.lowering.paths import field_path
from policylang.semantics.lowering.statements import Lowering, finish, in_rounds, visible_variables
from policylang.semantics.names import Kind, look_up
from policylang.semantics.origins import origin_of
from policylang.semantics.program import Oblige, Rollout, Rule
from policylang.semantics.suggest import did_you_mean
from policylang.semantics.words import a_type
from policylang.syntax import tree

_Said = tree.RolloutStatement | tree.CanaryStatement | tree.CriteriaStatement

_ONE_SIDED: Final = frozenset({"<", "<=", ">", ">="})


def lower_rollout(lowering: Lowering) -> Rollout | None:
    """What the statements of a module say together; None where there are none. Problems are reported."""
    said = dict(_first_of_each(lowering))
    if not said:
        return None
    key, canary = None, None
    criteria: dict[tuple[Purpose, str], Criteria] = {}
    for what, node in said.items():
        match node:
            case tree.RolloutStatement():
                key = _key(lowering, node)
            case tree.CanaryStatement():
                canary = _canary(lowering, node)
            case tree.CriteriaStatement():
                found = _criteria(lowering, node)
                if found is not None:
                    criteria[found.purpose, what[1]] = found
    return Rollout(
        key=key,
        canary=canary,
        promote={stage: c for (p, stage), c in criteria.items() if p is Purpose.PROMOTE},
        rollback={stage: c for (p, stage), c in criteria.items() if p is Purpose.ROLLBACK},
    )


def _first_of_each(lowering: Lowering) -> Iterator[tuple[tuple[str, str], _Said]]:
    """The statements, each kind (of a stage) once; what is said again is reported."""
    first: dict[tuple[str, str], _Said] = {}
    for node in lowering.module.module.statements:
        match node:
            case tree.RolloutStatement():
                what, hint = ("rollout by", ""), "a module has one key for its slices"
            case tree.CanaryStatement():
                what, hint = ("canary if", ""), "join the conditions with `and` or `or`"
            case tree.CriteriaStatement():
                what = (f"{node.purpose.value} when {node.stage.text}", node.stage.text)
                hint = "join the criteria with `and` or `or`"
            case _:
                continue
        known = first.setdefault(what, node)
        if known is node:
            yield what, node
        else:
            labels = [Label(known.span, "first said here")]
            lowering.world.problems.append(
                codes.REPEATED_ROLLOUT.at(node.span, what=what[0], labels=labels, hint=hint)
            )


# --- the key of slices -------------------------------------------------------------------------------------


def _key(lowering: Lowering, node: tree.RolloutStatement) -> PathRead | None:
    rule = lowering.context()
    found = _key_of(rule, node.key)
    lowering.world.problems.extend(rule.problems)
    return found


def _key_of(rule: RuleContext, path: tree.Path) -> PathRead | None:
    found = look_up(rule.world.names, rule.module, path)
    if found is None:
        rule.world.report_unknown(rule.module, path, "name", (), rule.problems)
        return None
    if found.symbol.kind not in (Kind.FACT, Kind.ACTION, Kind.GROUP) or not found.rest:
        _bad_key(rule, path, "is not a field of an action or of a single fact", "not a field")
        return None
    read = field_path(top_scope(rule, ()), path, found)
    if read is None:
        return None
    if len(read.steps) > 1:
        _bad_key(rule, path, "follows a reference", "ends in another fact")
        return None
    if read.steps[0].relation.file is not None:
        _bad_key(rule, path, "is reference data, the same for every request", "not of a request")
        return None
    if _is_many(read.type):
        _bad_key(rule, path, "holds several values", a_type(read.type))
        return None
    return PathRead(read.steps[0].relation.name, read.steps[0].column.name)


def _bad_key(rule: RuleContext, path: tree.Path, problem: str, label: str) -> None:
    problem = f"`{path.text}` {problem}"
    rule.report(codes.BAD_ROLLOUT_KEY.at(path.span, problem=problem, label=label))


def _is_many(kind: Type) -> bool:
    return isinstance(base(kind), SetType | ListType | RecordType)


# --- the condition of a canary -----------------------------------------------------------------------------


def _canary(lowering: Lowering, node: tree.CanaryStatement) -> Rule | None:
    rule = lowering.context()
    lowered = in_rounds(rule, lambda: _condition_rule(lowering, rule, node))
    lowering.world.local_names.extend(rule.twice_local(lowered.name))
    return lowered if finish(rule, lowering.world.problems) else None


def _condition_rule(lowering: Lowering, rule: RuleContext, node: tree.CanaryStatement) -> Rule:
    scope = top_scope(rule, conjuncts(node.condition))
    lower_body(scope)
    name = f"{lowering.module.name}.canary"
    return Rule(
        name=f"{name}/if",
        head=Oblige(name, ()),
        body=scope.body(),
        variables=visible_variables(scope),
        actions=(),
        stratum=0,
        message=None,
        origin=origin_of(node.span),
    )


# --- criteria ----------------------------------------------------------------------------------------------


def _criteria(lowering: Lowering, node: tree.CriteriaStatement) -> Criteria | None:
    rule = lowering.context()
    stage = node.stage.text
    known = STAGES[node.purpose.value]
    if stage not in known:
        hint = f"criteria for this are of {' or '.join(f'`{one}`' for one in known)}"
        problem = codes.BAD_STAGE.at(
            node.stage.span, stage=stage, purpose=node.purpose.value, hint=hint
        )
        rule.report(problem)
    condition = _condition(rule, node.condition, stage)
    lowering.world.problems.extend(rule.problems)
    if condition is None or rule.problems:
        return None
    lasting = node.lasting.value if node.lasting is not None else None
    purpose = Purpose(node.purpose.value)
    return Criteria(purpose, stage, condition, lasting, origin_of(node.span).text)


def _condition(rule: RuleContext, node: tree.Expr, stage: str) -> Condition | None:
    match node:
        case tree.And() | tree.Or():
            parts = [_condition(rule, operand, stage) for operand in node.operands]
            known = tuple(part for part in parts if part is not None)
            return AllOf(known) if isinstance(node, tree.And) else AnyOf(known)
        case tree.Comparison():
            return _clause(rule, node, stage)
        case _:
            raise InternalError(f"the grammar has no {type(node).__name__} in criteria")


def _clause(rule: RuleContext, node: tree.Comparison, stage: str) -> Clause | None:
    name, metric = _measured(node.left)
    measure = MEASURES.get(name)
    if measure is None:
        hint = did_you_mean(name, MEASURES) or "the measures are " + ", ".join(
            f"`{known}`" for known in MEASURES
        )
        rule.report(codes.UNKNOWN_MEASURE.at(node.left.span, name=name, hint=hint))
        return None
    problem, advice = _misuse(measure, metric, node.operator.value, stage)
    if problem:
        rule.report(codes.BAD_CRITERION.at(node.span, problem=problem, hint=advice))
        return None
    bound = _bound(rule, measure, node.right)
    if bound is None:
        return None
    return Clause(name, metric, node.operator.value, bound, origin_of(node.span).text)


def _measured(node: tree.Expr) -> tuple[str, str]:
    """The name of a measure, and of the metric it is about."""
    match node:
        case tree.Call(
            callee=name, arguments=(tree.Argument(value=tree.StringLiteral(value=text)),)
        ):
            return name.text, text
        case tree.Path():
            return node.text, ""
        case _:
            raise InternalError(f"the grammar has no {type(node).__name__} as a measure")


def _misuse(measure: Measure, metric: str, operator: str, stage: str) -> tuple[str, str | None]:
    """What is wrong with asking for a measure so, and what may help."""
    name = measure.name
    if measure.of_metric and not metric:
        return f"`{name}` is of a metric", f'write `{name}("complaints")`'
    if metric and not measure.of_metric:
        return f"`{name}` is of no metric", f"write `{name}`"
    if stage in STAGES["promote"] and stage not in measure.stages:
        where = " or ".join(measure.stages)
        return f"there is no `{name}` in {stage}", f"it is a figure of {where}"
    if measure.is_inferred and operator not in _ONE_SIDED:
        hint = "compare it with `<`, `<=`, `>` or `>=`"
        return f"`{name}` is known within bounds, and never to be equal", hint
    return "", None


def _bound(rule: RuleContext, measure: Measure, node: tree.Expr) -> Bound | None:
    match node, measure.unit:
        case tree.IntLiteral(), Unit.COUNT | Unit.AMOUNT:
            return node.value
        case tree.DecimalLiteral(), Unit.AMOUNT:
            return node.value
        case tree.PercentLiteral(), Unit.SHARE if node.value <= 1:
            return node.value
        case tree.DurationLiteral(), Unit.DURATION:
            return node.value
        case _:
            pass
    problem = f"`{measure.name}` is compared with {measure.unit.value}"
    hint = f"write {_SUCH_AS[measure.unit]}"
    rule.report(codes.BAD_CRITERION.at(node.span, problem=problem, hint=hint))
    return None


_SUCH_AS: Final = {
    Unit.COUNT: "it without a point, such as `1_000`",
    Unit.SHARE: "a percentage up to 100%, such as `2%`",
    Unit.DURATION: "a number and a unit, such as `5 milliseconds`",
    Unit.AMOUNT: "a number, such as `250.00`",
}
