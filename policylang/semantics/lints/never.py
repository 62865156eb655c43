"""Conditions that leave no choice: comparisons that types decide, and contradictions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from policylang.diagnostics import Diagnostic, Label
from policylang.facts.forms import Unfit
from policylang.facts.normalizers import rewriter
from policylang.facts.schema import Cardinality, Relation, RelationKind
from policylang.facts.types import INT, STRING, Domain, ListType, SetType, base
from policylang.facts.values import Value
from policylang.semantics import codes
from policylang.semantics.lints.bundle import LintedBundle
from policylang.semantics.lints.possible import Possible, can_compare, everything, opposite
from policylang.semantics.program import (
    ABSENT,
    ANY,
    PRESENT,
    Aggregate,
    AggregateKind,
    Apply,
    Bind,
    Body,
    Constant,
    Expression,
    Literal,
    Match,
    Never,
    Not,
    Operation,
    Or,
    Origin,
    Rule,
    Test,
    Variable,
)
from policylang.semantics.words import described

_MIRRORED: Final = {
    Operation.EQ: Operation.EQ,
    Operation.NE: Operation.NE,
    Operation.LT: Operation.GT,
    Operation.LE: Operation.GE,
    Operation.GT: Operation.LT,
    Operation.GE: Operation.LE,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variable compared with constants: all of `parts` hold, or with `listed` one of the values."""

    name: str
    parts: tuple[tuple[Operation, Value], ...]
    listed: tuple[Value, ...] | None
    origin: Origin


@dataclass(slots=True)
class Known:
    """What a body says of variables: their domains, what is left of them, and by which literals.

    Variables that hold one field of a fact that has one row share an entry: `keys` leads to it.
    """

    keys: dict[str, str] = field(default_factory=dict)
    domains: dict[str, Domain] = field(default_factory=dict)
    possible: dict[str, Possible] = field(default_factory=dict)
    said: dict[str, list[Comparison]] = field(default_factory=dict)
    required: dict[tuple[str, int], Origin] = field(default_factory=dict)

    def inner(self) -> Known:
        """A copy for a body inside."""
        said = {key: list(found) for key, found in self.said.items()}
        return Known(
            dict(self.keys), dict(self.domains), dict(self.possible), said, dict(self.required)
        )

    def key(self, name: str) -> str:
        """The entry of a variable."""
        return self.keys.get(name, name)


def conditions_without_choice(bundle: LintedBundle) -> Iterator[Diagnostic]:
    """Warn of comparisons that types decide, and of rules, branches and negations that contradict."""
    for rule in bundle.rules():
        yield from _other_action(bundle, rule)
        yield from _body(bundle, rule, rule.body, Known(), "rule")


def _body(
    bundle: LintedBundle, rule: Rule, body: Body, known: Known, place: str
) -> Iterator[Diagnostic]:
    for literal in body:
        _learn(bundle, literal, known)
    contradicted = False
    for literal in body:
        yield from _marks(bundle, rule, literal, place)
        for comparison in _comparisons(bundle, rule, literal):
            by_type = _decided_by_type(rule, comparison, known, place)
            if by_type is not None:
                contradicted = True
                yield by_type
            elif not contradicted:
                problem = _contradiction(rule, comparison, known, place)
                contradicted = problem is not None
                if problem is not None:
                    yield problem
    if not contradicted and place in ("rule", "branch"):
        yield from _absences(rule, body, known, place)
    for literal in body:
        yield from _nested(bundle, rule, literal, known)


def _other_action(bundle: LintedBundle, rule: Rule) -> Iterator[Diagnostic]:
    """A rule that reads the arguments of an action it is not about."""
    for literal in rule.body:
        relation = bundle.single(literal) if isinstance(literal, Match) else None
        if relation is None or not rule.actions:
            continue
        if relation.kind is RelationKind.ACTION:
            there = {relation.name}
        elif relation.kind is RelationKind.GROUP:
            there = set(relation.members)
        else:
            continue
        if there.isdisjoint(rule.actions):
            why = f"`{relation.bare_name}` is not the action that it is about"
            hint = "read the arguments of that action, or make a rule about this one"
            yield _dead(rule, literal.origin, why, hint=hint)
            return


def _nested(
    bundle: LintedBundle, rule: Rule, literal: Literal, known: Known
) -> Iterator[Diagnostic]:
    match literal:
        case Not():
            judged = any(
                known.key(comparison.name) in known.domains
                for comparison in _comparisons(bundle, rule, literal)
            )
            if not _asks_presence(literal) and not judged:
                yield from _body(bundle, rule, literal.body, known.inner(), "negation")
        case Aggregate():
            yield from _body(bundle, rule, literal.body, known.inner(), "aggregate")
        case Or():
            for branch in literal.branches:
                yield from _body(bundle, rule, branch, known.inner(), "branch")
        case _:
            pass


# --- what literals say of variables ------------------------------------------------------------------------


def _learn(bundle: LintedBundle, literal: Literal, known: Known) -> None:
    match literal:
        case Match():
            _learn_match(bundle, literal, known)
        case Aggregate(kind=AggregateKind.COUNT):
            _learn_domain(known, literal.result.name, Domain(INT, low=0))
        case Bind(value=Variable() as other):
            known.keys[literal.variable.name] = known.key(other.name)
        case _:
            pass


def _learn_match(bundle: LintedBundle, match: Match, known: Known) -> None:
    relation = bundle.relation(match)
    if relation is None:
        return
    single = relation.cardinality is not Cardinality.MANY
    for i, (argument, column) in enumerate(zip(match.arguments, relation.columns, strict=True)):
        if single and argument not in (ANY, ABSENT):
            known.required.setdefault((relation.name, i), match.origin)
        if isinstance(argument, Variable):
            if single:
                known.keys.setdefault(argument.name, f"{relation.name}.{column.name}")
            _learn_domain(known, argument.name, column.domain)


def _learn_domain(known: Known, name: str, domain: Domain) -> None:
    key = known.key(name)
    if key not in known.possible:
        known.domains[key] = domain
        known.possible[key] = everything(domain)


def _comparisons(bundle: LintedBundle, rule: Rule, literal: Literal) -> Iterator[Comparison]:
    """What a literal says of one variable and constants; params can be changed, so they say nothing."""
    match literal:
        case Test():
            found = _compared(literal.condition, literal.origin)
            if found is not None:
                yield found
        case Bind(value=Constant(param=None) as constant):
            parts = ((Operation.EQ, constant.value),)
            yield Comparison(literal.variable.name, parts, None, literal.origin)
        case Not():
            found = _negated(bundle, rule, literal)
            if found is not None:
                yield found
        case Match():
            relation = bundle.single(literal)
            for argument, column in zip(
                literal.arguments, relation.columns if relation else (), strict=False
            ):
                if isinstance(argument, Constant) and argument.param is None:
                    key = f"{literal.name}.{column.name}"
                    yield Comparison(key, ((Operation.EQ, argument.value),), None, literal.origin)
        case _:
            pass


def _compared(condition: Expression, origin: Origin) -> Comparison | None:
    match condition:
        case Variable():
            return Comparison(condition.name, ((Operation.EQ, True),), None, origin)
        case Apply(operation=operation, arguments=(Variable() as v, Constant(param=None) as c)) if (
            operation in _MIRRORED
        ):
            return Comparison(v.name, ((operation, c.value),), None, origin)
        case Apply(operation=operation, arguments=(Constant(param=None) as c, Variable() as v)) if (
            operation in _MIRRORED
        ):
            return Comparison(v.name, ((_MIRRORED[operation], c.value),), None, origin)
        case Apply(operation=Operation.BETWEEN, arguments=(Variable() as v, low, high)):
            ends = ((Operation.GE, low), (Operation.LE, high))
            parts = tuple(
                (o, e.value) for o, e in ends if isinstance(e, Constant) and e.param is None
            )
            return Comparison(v.name, parts, None, origin) if parts else None
        case Apply(operation=Operation.IN, arguments=(Variable() as v, Constant(param=None) as c)):
            if isinstance(base(c.type), ListType | SetType) and isinstance(
                c.value, tuple | frozenset
            ):
                return Comparison(v.name, (), tuple(c.value), origin)
            return None
        case _:
            return None


def _negated(bundle: LintedBundle, rule: Rule, literal: Not) -> Comparison | None:
    """`not X > 5` as `X <= 5`, where X is a field that is never missing."""
    *reads, last = literal.body or (None,)
    if not isinstance(last, Test) or not all(_is_certain(bundle, rule, r) for r in reads):
        return None
    found = _compared(last.condition, literal.origin)
    if found is None or len(found.parts) != 1 or found.listed is not None:
        return None
    operation, value = found.parts[0]
    if isinstance(last.condition, Variable):
        return Comparison(found.name, ((Operation.EQ, False),), None, literal.origin)
    return Comparison(found.name, ((opposite(operation), value),), None, literal.origin)


def _is_certain(bundle: LintedBundle, rule: Rule, literal: Literal | None) -> bool:
    """Whether a literal reads a field that every request has for which the rule is asked."""
    if not isinstance(literal, Match) or literal.path is None or literal.source is not None:
        return False
    relation = bundle.relation(literal)
    if relation is None or relation.cardinality is not Cardinality.ONE:
        return False
    if not _is_there(relation, rule):
        return False
    given = [
        (a, c) for a, c in zip(literal.arguments, relation.columns, strict=True) if a is not ANY
    ]
    return len(given) == 1 and not given[0][1].optional


def _is_there(relation: Relation, rule: Rule) -> bool:
    """Whether the row of an action, or of a group, is there whenever a rule is asked."""
    if relation.kind is RelationKind.ACTION:
        return rule.actions == (relation.name,)
    if relation.kind is RelationKind.GROUP:
        return bool(rule.actions) and set(rule.actions) <= set(relation.members)
    return True


# --- what cannot be ------------------------------------------------------------------------------------------


def _decided_by_type(
    rule: Rule, comparison: Comparison, known: Known, place: str
) -> Diagnostic | None:
    """The warning for a comparison that the type alone decides; what is left is narrowed if it does not."""
    key = known.key(comparison.name)
    domain = known.domains.get(key)
    if domain is None:
        return None
    whole = everything(domain)
    verdict = _verdict(whole, comparison)
    why = f"{_path_of(comparison)} is {described(domain)}"
    hint = _CORRECT
    if verdict is None:
        verdict, hint = _by_form(comparison, domain)
        if domain.normalizers:
            why += f", normalized with {', '.join(f'`{name}`' for name in domain.normalizers)}"
    if verdict is None:
        return None
    if not verdict and place == "rule":
        return _dead(rule, comparison.origin, why, hint=hint)
    code = codes.ALWAYS_TRUE if verdict else codes.ALWAYS_FALSE
    return code.at(comparison.origin.span, text=comparison.origin.text, why=why, hint=hint)


_CORRECT: Final = "correct the value that it is compared with, or leave the comparison out"


def _dead(
    rule: Rule,
    origin: Origin,
    why: str,
    labels: Sequence[Label] = (),
    hint: str | None = None,
) -> Diagnostic:
    name = rule.name.partition("/")[0].rpartition(".")[2]
    verb = "be violated" if isinstance(rule.head, Never) else "fire"
    if rule.is_clause:
        verb = "hold by this clause"
    return codes.NEVER_FIRES.at(
        origin.span, name=name, verb=verb, why=why, labels=labels, hint=hint
    )


def _path_of(comparison: Comparison) -> str:
    name = comparison.name.partition("'")[0]
    return f"`{name}`" if not name.startswith("_") else "the value"


def _verdict(possible: Possible, comparison: Comparison) -> bool | None:
    if comparison.listed is not None:
        return False if possible.among(comparison.listed).is_empty else None
    if not all(can_compare(possible, operation) for operation, _ in comparison.parts):
        return None
    verdicts = [possible.verdict(operation, value) for operation, value in comparison.parts]
    if False in verdicts:
        return False
    return True if all(verdicts) else None


def _by_form(comparison: Comparison, domain: Domain) -> tuple[bool | None, str]:
    """A text that its normalizers would never leave so, or that is too long, is never met; and what may help."""
    if base(domain.type) is not STRING or comparison.listed is not None:
        return None, ""
    operation, value = comparison.parts[0]
    if operation not in (Operation.EQ, Operation.NE) or not isinstance(value, str):
        return None, ""
    if domain.max_length is not None and len(value) > domain.max_length:
        return operation is Operation.NE, _CORRECT
    try:
        left = rewriter(domain.normalizers, domain.type)(value)
    except Unfit:
        return operation is Operation.NE, _CORRECT
    if left == value:
        return None, ""
    hint = _CORRECT if left is None else f"write `{json.dumps(left, ensure_ascii=False)}`"
    return operation is Operation.NE, hint


def _contradiction(
    rule: Rule, comparison: Comparison, known: Known, place: str
) -> Diagnostic | None:
    key = known.key(comparison.name)
    possible = known.possible.get(key)
    if possible is None:
        return None
    narrowed = _narrow(possible, comparison)
    if not narrowed.is_empty:
        known.possible[key] = narrowed
        known.said.setdefault(key, []).append(comparison)
        return None
    before = known.said.get(key, [])
    against = next(
        (
            c
            for c in before
            if _narrow(_narrow(everything(known.domains[key]), c), comparison).is_empty
        ),
        before[-1] if before else None,
    )
    if against is None:
        return None
    return _report(rule, comparison.origin, against.origin, place)


def _narrow(possible: Possible, comparison: Comparison) -> Possible:
    if comparison.listed is not None:
        return possible.among(comparison.listed)
    for operation, value in comparison.parts:
        if can_compare(possible, operation):
            possible = possible.narrowed(operation, value)
    return possible


def _report(rule: Rule, origin: Origin, against: Origin, place: str) -> Diagnostic:
    labels = [Label(against.span, "because of this")] if against.span != origin.span else []
    why = f"`{origin.text}` contradicts `{against.text}`"
    hint = "where one of the two is enough, write `or` between them"
    if place == "rule":
        return _dead(rule, origin, why, labels, hint)
    why = f"it contradicts `{against.text}`"
    return codes.ALWAYS_FALSE.at(origin.span, text=origin.text, why=why, labels=labels, hint=hint)


def _absences(rule: Rule, body: Body, known: Known, place: str) -> Iterator[Diagnostic]:
    """`X is missing` beside a literal that needs X."""
    for literal in body:
        if _asks_presence(literal):
            inner = literal.body[0]
            if isinstance(inner, Match) and PRESENT in inner.arguments:
                found = known.required.get((inner.name, inner.arguments.index(PRESENT)))
                if found is not None and inner.path is not None:
                    yield _report(rule, literal.origin, found, place)
                    return


def _asks_presence(literal: Literal) -> TypeGuard[Not]:
    """Whether this is `X is missing`."""
    if not isinstance(literal, Not) or len(literal.body) != 1:
        return False
    inner = literal.body[0]
    return isinstance(inner, Match) and PRESENT in inner.arguments


def _marks(bundle: LintedBundle, rule: Rule, literal: Literal, place: str) -> Iterator[Diagnostic]:
    """`missing` and `present` of a field that is never missing."""
    negated = isinstance(literal, Not)
    inner = literal.body[0] if isinstance(literal, Not) and len(literal.body) == 1 else literal
    if not isinstance(inner, Match):
        return
    relation = bundle.relation(inner)
    for argument, column in zip(
        inner.arguments, relation.columns if relation else (), strict=False
    ):
        if column.optional or argument not in (ABSENT, PRESENT):
            continue
        why = f"`{column.name}` is never missing"
        hint = f"leave it out, or declare `{column.name}` with `?`"
        span, text = literal.origin.span, literal.origin.text
        certain = argument is PRESENT and _is_certain(bundle, rule, inner)
        if (negated and certain) or (argument is ABSENT and not negated):
            if place == "rule":
                yield _dead(rule, literal.origin, why, hint=hint)
            else:
                yield codes.ALWAYS_FALSE.at(span, text=text, why=why, hint=hint)
        elif certain:
            yield codes.ALWAYS_TRUE.at(span, text=text, why=why, hint=hint)
