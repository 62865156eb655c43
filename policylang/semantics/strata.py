"""Strata: layers between negations, and what recursion may not do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

from policylang.diagnostics import Diagnostic, Label
from policylang.semantics import codes
from policylang.semantics.graph import components, shortest_way
from policylang.semantics.program import (
    Aggregate,
    AggregateKind,
    Apply,
    Bind,
    Body,
    Derive,
    Each,
    Expression,
    Match,
    Not,
    Operation,
    Or,
    Origin,
    Predicate,
    Rule,
    Test,
    Variable,
)
from policylang.semantics.safety import names_of


@dataclass(frozen=True, slots=True)
class Edge:
    """A clause of a definition reads another one; `through` says inside of what, if it matters."""

    target: str
    through: str
    origin: Origin
    rule: Rule


def stratify(
    predicates: Mapping[str, Predicate], rules: Sequence[Rule], problems: list[Diagnostic]
) -> tuple[dict[str, Predicate], tuple[Rule, ...]]:
    """The predicates and rules with their strata; cycles through `not` or an aggregate are reported.

    The stratum of a definition is at least that of those it reads, and above those it negates or
    aggregates over (Apt, Blair, Walker, "Towards a theory of declarative knowledge", 1988).
    """
    edges: dict[str, list[Edge]] = {name: [] for name in predicates}
    for rule in rules:
        if isinstance(rule.head, Derive) and rule.head.predicate in edges:
            edges[rule.head.predicate].extend(_edges(rule, predicates))
    graph = {name: tuple(dict.fromkeys(e.target for e in found)) for name, found in edges.items()}
    strata: dict[str, int] = {}
    circles: dict[str, frozenset[str]] = {}
    for group in components(graph):
        inside = frozenset(group)
        circles.update(dict.fromkeys(group, inside))
        within = [(name, edge) for name in group for edge in edges[name] if edge.target in inside]
        _report_cycles(graph, within, problems)
        level = max(
            (
                _above(edge, strata)
                for name in group
                for edge in edges[name]
                if edge.target not in inside
            ),
            default=0,
        )
        strata.update(dict.fromkeys(group, level))
    for rule in rules:
        problems.extend(_growth(rule, predicates, circles))
    layered = {name: replace(p, stratum=strata[name]) for name, p in predicates.items()}
    return layered, tuple(_layered(rule, predicates, strata) for rule in rules)


def _layered(rule: Rule, predicates: Mapping[str, Predicate], strata: Mapping[str, int]) -> Rule:
    if isinstance(rule.head, Derive):
        return replace(rule, stratum=strata.get(rule.head.predicate, 0))
    levels = (_above(edge, strata) for edge in _edges(rule, predicates))
    return replace(rule, stratum=max(levels, default=0))


def _above(edge: Edge, strata: Mapping[str, int]) -> int:
    return strata.get(edge.target, 0) + (1 if edge.through else 0)


def _edges(rule: Rule, predicates: Mapping[str, Predicate]) -> Iterator[Edge]:
    for match, through in _reads(rule.body, ""):
        if match.name in predicates:
            yield Edge(match.name, through, match.origin, rule)


def _reads(body: Body, through: str) -> Iterator[tuple[Match, str]]:
    for literal in body:
        match literal:
            case Match():
                yield literal, through
            case Not():
                yield from _reads(literal.body, "negation")
            case Aggregate():
                yield from _reads(literal.body, "aggregate")
            case Or():
                for branch in literal.branches:
                    yield from _reads(branch, through)
            case Each() | Bind() | Test():
                pass


def _report_cycles(
    graph: Mapping[str, tuple[str, ...]],
    within: Sequence[tuple[str, Edge]],
    problems: list[Diagnostic],
) -> None:
    reported: set[frozenset[str]] = set()
    for name, edge in within:
        if not edge.through:
            continue
        circle = (name, *shortest_way(graph, edge.target, name))
        if frozenset(circle) in reported:
            continue
        reported.add(frozenset(circle))
        problems.append(_cycle(circle, edge, within))


def _cycle(circle: tuple[str, ...], edge: Edge, within: Sequence[tuple[str, Edge]]) -> Diagnostic:
    """The circle, each step with the line of the clause that takes it."""
    steps = [edge]
    for one, other in pairwise(circle[1:]):
        steps.append(next(e for name, e in within if name == one and e.target == other))
    words = [f"`{_bare(name)}` (line {step.rule.origin.span.line})"
             for name, step in zip(circle, steps, strict=False)]  # fmt: skip
    labels = [
        Label(step.origin.span, f"`{_bare(name)}` needs `{_bare(step.target)}` here")
        for name, step in zip(circle[1:], steps[1:], strict=False)
    ]
    return codes.UNSTRATIFIED.at(
        edge.origin.span,
        name=_bare(circle[0]),
        through=edge.through,
        cycle=" -> ".join([*words, f"`{_bare(circle[0])}`"]),
        labels=labels,
        hint="what is negated or counted has to be known before: split the definition in two",
    )


def _bare(name: str) -> str:
    return name.rpartition(".")[2]


# --- recursion that makes new values -----------------------------------------------------------------------

_GROWING = (Operation.ADD, Operation.SUB, Operation.MUL, Operation.DIV)


def _growth(
    rule: Rule, predicates: Mapping[str, Predicate], circles: Mapping[str, frozenset[str]]
) -> Iterator[Diagnostic]:
    """Report a recursive clause whose head takes a value computed from its own recursion."""
    if not isinstance(rule.head, Derive) or not _is_recursive(rule, predicates):
        return
    circle = circles[rule.head.predicate]
    carried = {
        argument.name
        for match, through in _reads(rule.body, "")
        if match.name in circle and not through
        for argument in match.arguments
        if isinstance(argument, Variable)
    }
    grown = _grown(rule.body, carried)
    for term in rule.head.arguments:
        if isinstance(term, Variable) and term.name in grown:
            operation, origin = grown[term.name]
            yield codes.GROWING_RECURSION.at(
                origin.span, name=_bare(rule.head.predicate), operator=operation.value
            )
            return


def _is_recursive(rule: Rule, predicates: Mapping[str, Predicate]) -> bool:
    assert isinstance(rule.head, Derive)
    predicate = predicates.get(rule.head.predicate)
    return predicate is not None and predicate.recursive


_Maker: TypeAlias = Operation | AggregateKind
"""What makes a new value: an operation, or an aggregate over what recursion carries."""


def _grown(body: Body, carried: set[str]) -> dict[str, tuple[_Maker, Origin]]:
    """The variables that hold a value made, by growing operations or aggregates, of what recursion carries."""
    binds = list(_bindings(body))
    aggregates = list(_aggregates(body))
    grown: dict[str, tuple[_Maker, Origin]] = {}
    tainted = set(carried)
    before = -1
    while before != len(tainted) + len(grown):
        before = len(tainted) + len(grown)
        for aggregate in aggregates:
            result = aggregate.result.name
            if result not in carried and not tainted.isdisjoint(names_of(aggregate)):
                tainted.add(result)
                grown.setdefault(result, (aggregate.kind, aggregate.origin))
        for variable, value, origin in binds:
            read = tuple(dict.fromkeys(_names(value)))
            if tainted.isdisjoint(read):
                continue
            tainted.add(variable)
            operation = _growing(value) or next(
                (grown[name][0] for name in read if name in grown), None
            )
            if operation is not None and variable not in grown:
                grown[variable] = (operation, origin)
    return grown


def _aggregates(body: Body) -> Iterator[Aggregate]:
    for literal in body:
        match literal:
            case Aggregate():
                yield literal
            case Or():
                for branch in literal.branches:
                    yield from _aggregates(branch)
            case _:
                pass


def _bindings(body: Body) -> Iterator[tuple[str, Expression, Origin]]:
    for literal in body:
        match literal:
            case Bind():
                yield literal.variable.name, literal.value, literal.origin
            case Each() if isinstance(literal.element, Variable):
                yield literal.element.name, literal.collection, literal.origin
            case Or():
                for branch in literal.branches:
                    yield from _bindings(branch)
            case _:
                pass


def _growing(value: Expression) -> Operation | None:
    if not isinstance(value, Apply):
        return None
    if value.operation in _GROWING:
        return value.operation
    return next((found for a in value.arguments if (found := _growing(a)) is not None), None)


def _names(value: Expression) -> Iterator[str]:
    if isinstance(value, Variable):
        yield value.name
    elif isinstance(value, Apply):
        for argument in value.arguments:
            yield from _names(argument)
