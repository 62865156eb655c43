"""Rules, invariants and clauses: what a statement says, as rules of the program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar, assert_never

from policylang.diagnostics import Diagnostic, Label
from policylang.facts.schema import DecisionDeclaration, Relation, RelationKind
from policylang.facts.types import CIDR, DURATION, INT, STRING, DecimalType, Domain, Type, base
from policylang.semantics import codes
from policylang.semantics.domains import Domains
from policylang.semantics.lowering.binding import Binding, conjuncts, occurrences
from policylang.semantics.lowering.calls import is_function
from policylang.semantics.lowering.conditions import EXPRESSIONS, lower_body
from policylang.semantics.lowering.context import RuleContext, Scope, top_scope
from policylang.semantics.lowering.expressions import coerced, report_mismatch
from policylang.semantics.lowering.messages import lower_message
from policylang.semantics.lowering.paths import field_path
from policylang.semantics.lowering.references import find_rule
from policylang.semantics.names import Kind, ModuleNames, look_up
from policylang.semantics.operations import same_kind, scale
from policylang.semantics.origins import origin_of
from policylang.semantics.program import (
    Allow,
    Apply,
    Assign,
    Bind,
    Constant,
    Deny,
    Derive,
    Expression,
    Head,
    Message,
    Never,
    NeverEffect,
    Oblige,
    Operation,
    RequireApproval,
    Rule,
    Term,
    Variable,
)
from policylang.semantics.words import a_type
from policylang.semantics.world import World
from policylang.syntax import tree
from policylang.syntax.walk import walk

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lowering:
    """Lowers the statements of one module."""

    world: World
    domains: Domains
    module: ModuleNames

    def context(self) -> RuleContext:
        """The context of a new rule."""
        binding = Binding(
            rows=lambda call: not is_function(call),
            network=self._is_network,
        )
        return RuleContext(self.world, self.domains, self.module, binding)

    def _is_network(self, node: tree.Expr) -> bool:
        """Whether a collection is surely an IP network, as its type says."""
        if isinstance(node, tree.Call):
            return node.callee.text == "cidr"
        if not isinstance(node, tree.Path):
            return False
        rule = self.context()
        value = EXPRESSIONS.lower(top_scope(rule, ()), node)
        return value is not None and base(value.type) is CIDR

    # --- rules ----------------------------------------------------------------------------------------------

    def rule(self, node: tree.RuleStatement) -> Rule | None:
        """The rule, or None where its problems, which are reported, leave none."""
        name = f"{self.module.name}.{node.name.text}"
        rule = self.context()
        lowered = in_rounds(rule, lambda: self._rule(rule, node, name))
        self.world.local_names.extend(rule.twice_local(name))
        return lowered if finish(rule, self.world.problems) else None

    def _rule(self, rule: RuleContext, node: tree.RuleStatement, name: str) -> Rule | None:
        scope = top_scope(rule, conjuncts(node.condition))
        lower_body(scope)
        scope.slot = len(scope.items)
        rule.about = self._actions(rule, node.effect)
        head = self._head(scope, node)
        message = self.message(scope, node.reason)
        self._check_priority(rule, node)
        if head is None:
            return None
        return Rule(
            name=name,
            head=head,
            body=scope.body(),
            variables=(*visible_variables(scope), *hidden_terms(head)),
            actions=rule.about,
            stratum=0,
            message=message,
            origin=origin_of(node.span),
            overrides=self.overridden(rule, node.overrides),
            doc=node.doc.text if node.doc else "",
        )

    def never(self, node: tree.NeverStatement) -> Rule | None:
        """The invariant."""
        rule = self.context()
        lowered = in_rounds(rule, lambda: self._never(rule, node))
        name = f"{self.module.name}.{node.name.text}"
        self.world.local_names.extend(rule.twice_local(name))
        return lowered if finish(rule, self.world.problems) else None

    def _never(self, rule: RuleContext, node: tree.NeverStatement) -> Rule | None:
        scope = top_scope(rule, conjuncts(node.condition))
        lower_body(scope)
        effect = _NEVER_EFFECTS.get(type(node.effect))
        actions = self._actions(rule, node.effect)
        message = self.message(scope, node.reason)
        if effect is None:
            rule.report(
                codes.BAD_EFFECT.at(
                    node.effect.span,
                    problem="an invariant speaks of `allow`, `deny` or `require approval`",
                    label="not an outcome",
                )
            )
            return None
        return Rule(
            name=f"{self.module.name}.{node.name.text}",
            head=Never(effect),
            body=scope.body(),
            variables=visible_variables(scope),
            actions=actions,
            stratum=0,
            message=message,
            origin=origin_of(node.span),
            doc=node.doc.text if node.doc else "",
        )

    def message(self, scope: Scope, reason: tree.Reason | None) -> Message | None:
        """The `because` of a statement."""
        if reason is None:
            return None
        return lower_message(scope, reason.template, internal=reason.internal)

    def _check_priority(self, rule: RuleContext, node: tree.RuleStatement) -> None:
        if node.priority is not None and not isinstance(node.effect, tree.SetEffect):
            rule.report(
                codes.BAD_EFFECT.at(
                    node.priority.span,
                    problem="only `set` rules have a priority",
                    label="no effect here",
                    hint="write `overrides RULE` to say which rule gives way",
                )
            )

    def overridden(self, rule: RuleContext, paths: Sequence[tree.Path]) -> tuple[str, ...]:
        """The qualified names of the rules that a statement overrides."""
        found = (self._overridden(rule, path) for path in paths)
        return tuple(dict.fromkeys(name for name in found if name is not None))

    def _overridden(self, rule: RuleContext, path: tree.Path) -> str | None:
        symbol = find_rule(self.world, self.module, path, rule.problems)
        if symbol is None:
            return None
        if symbol.kind is Kind.NEVER:
            rule.report(
                codes.BAD_OVERRIDE.at(
                    path.span,
                    problem=f"`{path.text}` is an invariant, which no rule can override",
                    label="holds always",
                    hint=f"write the exception into the condition of `{path.text}`: `and not ...`",
                )
            )
            return None
        return symbol.name

    # --- effects ----------------------------------------------------------------------------------------------

    def _actions(self, rule: RuleContext, effect: tree.Effect) -> tuple[str, ...]:
        if isinstance(effect, tree.SetEffect):
            return ()
        return self.expanded(rule, effect.actions)

    def expanded(self, rule: RuleContext, paths: Sequence[tree.Path]) -> tuple[str, ...]:
        """The actions that paths name, groups expanded, in the order of the program."""
        named: set[str] = set()
        for path in paths:
            found = look_up(self.world.names, self.module, path)
            if found is None:
                self.world.report_unknown(self.module, path, "action", (), rule.problems)
            elif found.rest or found.symbol.kind not in (Kind.ACTION, Kind.GROUP):
                rule.report(
                    codes.WRONG_KIND.at(
                        path.span, name=path.text, found=found.symbol.kind.value,
                        wanted="an action or an action group",
                    )
                )  # fmt: skip
            elif found.symbol.kind is Kind.ACTION:
                named.add(found.symbol.name)
            else:
                named.update(self.world.groups.get(found.symbol.name, ()))
        return tuple(action for action in self.world.groups["any"] if action in named)

    def _head(self, scope: Scope, node: tree.RuleStatement) -> Head | None:
        match node.effect:
            case tree.AllowEffect():
                return Allow()
            case tree.DenyEffect():
                return Deny()
            case tree.RequireEffect():
                return self._require(scope, node.effect)
            case tree.ObligeEffect():
                return self._oblige(scope, node.effect)
            case tree.SetEffect():
                return self._set(scope, node, node.effect)
            case _:
                assert_never(node.effect)

    def _require(self, scope: Scope, effect: tree.RequireEffect) -> Head | None:
        if effect.requirement.text != "approval":
            scope.rule.report(
                codes.BAD_EFFECT.at(
                    effect.requirement.span,
                    problem=f"`{effect.requirement.text}` cannot be required",
                    label="not something that can be granted",
                    hint='write `require approval(by: "...") for ...`',
                )
            )
            return None
        wanted: dict[str, Type] = {"by": STRING, "within": DURATION, "count": INT}
        terms = self._named_terms(scope, effect.arguments, wanted, "requirement")
        if terms is None:
            return None
        by = terms.pop("by", None)
        if by is None:
            scope.rule.report(
                codes.BAD_EFFECT.at(
                    effect.requirement.span,
                    problem="the approval does not say by whom",
                    label="by whom?",
                    hint='write `approval(by: "...")`',
                )
            )
            return None
        return RequireApproval(by, terms.pop("within", None), tuple(terms.items()))

    def _oblige(self, scope: Scope, effect: tree.ObligeEffect) -> Head | None:
        terms = self._named_terms(scope, effect.arguments, {}, "obligation")
        return Oblige(effect.name.text, tuple(terms.items())) if terms is not None else None

    def _named_terms(
        self,
        scope: Scope,
        arguments: Sequence[tree.Argument],
        wanted: dict[str, Type],
        statement: str,
    ) -> dict[str, Term] | None:
        terms: dict[str, Term] = {}
        for argument in arguments:
            if argument.name is None:
                name = "by" if statement == "requirement" and "by" not in terms else "NAME"
                hint = f"write `{name}: {argument.value.span.text}`"
                scope.rule.report(
                    codes.BAD_EFFECT.at(
                        argument.span, problem=f"the arguments of an {statement} have names"
                        if statement == "obligation" else f"the arguments of a {statement} have names",
                        label="no name", hint=hint,
                    )
                )  # fmt: skip
                return None
            if argument.name.text in terms:
                name = argument.name.text
                first = next(a.name.span for a in arguments if a.name and a.name.text == name)
                labels = [Label(first, "first given here")]
                scope.rule.report(
                    codes.DUPLICATE_ARGUMENT.at(argument.name.span, name=name, labels=labels)
                )
                return None
            kind = wanted.get(argument.name.text)
            term = self.effect_term(
                scope,
                argument.value,
                Domain(kind) if kind is not None else None,
                f"`{argument.name.text}`",
                statement,
            )
            if term is None:
                return None
            terms[argument.name.text] = term
        return terms

    def _set(self, scope: Scope, node: tree.RuleStatement, effect: tree.SetEffect) -> Head | None:
        decision = self.decision(scope.rule, effect.decision)
        if decision is None:
            return None
        what = f"`{effect.decision.text}`"
        term = self.effect_term(scope, effect.value, decision.domain, what, "value")
        if term is None:
            return None
        return Assign(decision.name, term, node.priority.value if node.priority else 0)

    def decision(self, rule: RuleContext, path: tree.Path) -> DecisionDeclaration | None:
        """The decision that a path names."""
        found = look_up(self.world.names, self.module, path)
        if found is None:
            self.world.report_unknown(self.module, path, "decision", (), rule.problems)
            return None
        if found.symbol.kind is not Kind.DECISION or found.rest:
            rule.report(
                codes.WRONG_KIND.at(
                    path.span, name=path.text, found=found.symbol.kind.value, wanted="a decision"
                )
            )
            return None
        return self.world.decisions.get(found.symbol.name)

    def effect_term(
        self,
        scope: Scope,
        node: tree.Expr,
        domain: Domain | None,
        what: str,
        statement: str,
    ) -> Term | None:
        """A value in an effect: of the domain, never missing, and bound by the body."""
        read_before = frozenset(scope.reads) | scope.present
        value = EXPRESSIONS.lower(scope, node, domain.type if domain else None)
        if value is None:
            return None
        if domain is not None:
            if not _assignable(value.type, domain.type):
                report_mismatch(scope, node, what, value.type, a_type(domain.type))
                return None
            fitting = coerced(scope, value, node, domain)
            if fitting is None:
                return None
            value = _fitted(fitting, domain)
        if self._may_be_missing(scope, node, read_before, statement):
            return None
        return as_term(scope, node, value)

    def _may_be_missing(
        self,
        scope: Scope,
        node: tree.Expr,
        present: frozenset[str],
        statement: str,
    ) -> bool:
        """Whether a value may be missing where nothing in the condition asks for it; reports that."""
        for path in _optional_paths(scope, node, present):
            scope.rule.report(
                codes.MAY_BE_MISSING.at(
                    path.span,
                    what=f"`{path.text}`",
                    statement=statement,
                    hint=f"add `{path.text} is present` to the condition",
                )
            )
            return True
        if _has_missing_result(node):
            scope.rule.report(
                codes.MAY_BE_MISSING.at(
                    node.span,
                    what=f"`{node.span.text}`",
                    statement=statement,
                    hint=f"bind it in the condition, such as `X == {node.span.text}`, and use `X`",
                )
            )
            return True
        return False


def as_term(scope: Scope, node: tree.Expr, value: Expression) -> Term:
    """The value as a term: what is computed is bound to a hidden variable."""
    if isinstance(value, Apply):
        variable = scope.new_hidden(value.type)
        scope.emit(Bind(variable, value, scope.origin(node)))
        return variable
    return value


def _assignable(found: Type, wanted: Type) -> bool:
    if base(wanted) is INT:
        return base(found) is INT
    return same_kind(found, wanted)


def _fitted(value: Expression, domain: Domain) -> Expression:
    """The value checked to have no more places than the domain, where its type does not say so."""
    wanted = base(domain.type)
    if isinstance(value, Constant) or not isinstance(wanted, DecimalType) or wanted.scale is None:
        return value
    places = scale(base(value.type))
    if places is not None and places <= wanted.scale:
        return value
    return Apply(Operation.FIT, (value, Constant(wanted.scale, INT)), wanted)


def _optional_paths(scope: Scope, node: tree.Expr, present: frozenset[str]) -> Iterator[tree.Path]:
    for path in _outer_paths(node):
        found = look_up(scope.rule.world.names, scope.rule.module, path)
        if found is None or not found.rest or found.symbol.kind is Kind.PARAM:
            continue
        mark = len(scope.rule.problems)
        read = field_path(scope, path, found)
        del scope.rule.problems[mark:]
        if read is None or read.key in present:
            continue
        first = read.steps[0]
        if not is_asked(first.relation, scope.rule.about) and first.relation.name not in present:
            yield path
            continue
        if not read.may_be_missing:
            continue
        fact_is_there = first.relation.name in present and not first.column.optional
        if not (fact_is_there and len(read.steps) == 1):
            yield path


def is_asked(relation: Relation, actions: tuple[str, ...]) -> bool:
    """Whether a relation has its row whenever one of these actions is asked, as far as that matters to it."""
    if relation.kind is RelationKind.ACTION:
        return set(actions) <= {relation.name}
    return relation.kind is not RelationKind.GROUP or set(actions) <= set(relation.members)


def _outer_paths(node: tree.Expr) -> Iterator[tree.Path]:
    """The paths of an expression that are not inside an aggregate."""
    waiting: list[tree.Node] = [node]
    while waiting:
        current = waiting.pop()
        match current:
            case tree.Path():
                yield current
            case tree.Aggregate():
                pass
            case tree.Call():
                waiting.extend(argument.value for argument in current.arguments)
            case tree.Arithmetic():
                waiting.extend(current.operands)
            case tree.Negate():
                waiting.append(current.operand)
            case _:
                pass


def _has_missing_result(node: tree.Expr) -> bool:
    for inner in walk(node):
        if isinstance(inner, tree.Call) and inner.callee.text in ("before", "after"):
            return True
        if isinstance(inner, tree.Aggregate) and inner.function in (
            tree.AggregateFunction.MIN,
            tree.AggregateFunction.MAX,
        ):
            return True
    return False


_NEVER_EFFECTS: Final[dict[type[tree.Node], NeverEffect]] = {
    tree.AllowEffect: NeverEffect.ALLOW,
    tree.DenyEffect: NeverEffect.DENY,
    tree.RequireEffect: NeverEffect.NEEDS_APPROVAL,
}


# --- rounds --------------------------------------------------------------------------------------------------------


def in_rounds(rule: RuleContext, attempt: Callable[[], T]) -> T:
    """Lower a statement again until the types of its variables are settled; they only ever widen."""
    while True:
        rule.begin_round()
        result = attempt()
        if not (rule.stale and rule.changed):
            return result


def finish(rule: RuleContext, problems: list[Diagnostic]) -> bool:
    """Hand the problems of a rule on; whether there were none, and nothing is left unknown."""
    found = [*rule.problems, *rule.unbound_problems()]
    problems.extend(found)
    return not found and not rule.incomplete and not rule.stale


def visible_variables(scope: Scope) -> tuple[Variable, ...]:
    """The written variables that a rule's body binds, in the order of their first occurrence."""
    order: dict[str, None] = {}
    for item in scope.items:
        order.update(dict.fromkeys(node.name for node in occurrences(item)))
    found = []
    for name in order:
        unique = scope.names.get(name)
        known = scope.rule.types.get(unique) if unique is not None else None
        if unique is not None and known is not None:
            found.append(Variable(unique, known))
    return tuple(found)


def hidden_terms(head: Head) -> tuple[Variable, ...]:
    """The hidden variables that a head reads."""
    match head:
        case Derive():
            terms: tuple[Term | None, ...] = head.arguments
        case RequireApproval():
            terms = (head.by, head.within, *(term for _, term in head.others))
        case Oblige():
            terms = tuple(term for _, term in head.arguments)
        case Assign():
            terms = (head.value,)
        case Allow() | Deny() | Never():
            terms = ()
    hidden = (term for term in terms if isinstance(term, Variable) and term.hidden)
    return tuple(dict.fromkeys(hidden))
