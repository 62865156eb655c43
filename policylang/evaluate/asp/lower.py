"""`lower`: the rules that an action reads, as an ASP program. Once per program and action, never from data.

Every rule of the policy gets a predicate `fires_...` over its bindings, which is what is reported; a definition holds
where a clause of it fires. Where an operation of a rule can fail, `fails` holds for the number of that rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from policylang.errors import InternalError
from policylang.evaluate.asp.build import Access, Build, Scope
from policylang.evaluate.asp.constants import MISSING_TERM
from policylang.evaluate.asp.flat import FlatLiteral, binds, flats, reads
from policylang.evaluate.asp.literals import write
from policylang.evaluate.asp.steps import around, failing, holding, patterns
from policylang.evaluate.asp.terms import AspAtom, AspProgram, AspTerm, Number, Reported
from policylang.facts.schema import Source
from policylang.facts.values import Missing, Value
from policylang.semantics.program import (
    Aggregate,
    Derive,
    Match,
    Not,
    Program,
    Rule,
    Term,
    Variable,
)
from policylang.semantics.slicing import Slice

NO_ACCESS = Access()


def lower(
    program: Program, part: Slice, access: Access = NO_ACCESS, keyed: bool = False
) -> AspProgram:
    """The ASP program of a slice.

    Definitions that `access` says are solved are read, not derived. With `keyed`, many requests may be
    decided in one grounding, told apart by their numbers.
    """
    build = Build(program, part, access, keyed)
    _write_tables(build)
    reports: list[Reported] = []
    for number, rule in enumerate(part.rules):
        if not (isinstance(rule.head, Derive) and rule.head.predicate in access.solved):
            reports.append(_lower_rule(build, rule, number))
    _lower_over(build)
    return _finished(build, reports)


def lower_fixed(program: Program, part: Slice, held: frozenset[str]) -> AspProgram:
    """The ASP program of the definitions of a slice that are the same for every request."""
    build = Build(program, part, Access(held=held), keyed=False)
    reports = [
        _lower_rule(build, rule, number)
        for number, rule in enumerate(part.rules)
        if isinstance(rule.head, Derive) and rule.head.predicate in build.fixed
    ]
    _lower_over(build)
    return _finished(build, reports)


def _write_tables(build: Build) -> None:
    """The rows of tables that are not held apart from the program, as facts of it."""
    for name, layout in build.layouts.items():
        if name not in build.access.held:
            for number, row in enumerate(build.program.tables.get(name, ())):
                first = [Number(number)] * layout.numbered + [_SYSTEM] * layout.sourced
                values = [_value(build, row[column]) for column in layout.columns]
                build.add(AspAtom(layout.predicate, (*first, *values)), (), f"table {name}", False)


_SYSTEM = Number(int(Source.SYSTEM))


def _value(build: Build, value: Value | Missing) -> AspTerm:
    return MISSING_TERM if isinstance(value, Missing) else build.constants.term(value)


def _finished(build: Build, reports: list[Reported]) -> AspProgram:
    return AspProgram(
        action=build.part.action,
        rules=tuple(build.rules),
        calls=dict(build.calls),
        constants=build.constants.all(),
        inputs=dict(build.layouts),
        reports=tuple(reports),
        derived={name: build.predicates[name] for name in sorted(build.part.predicates)},
        failures=build.failure_predicate,
        requests=build.request_predicate,
        keyed=build.keyed,
    )


def _scope(build: Build, rule: Rule) -> Scope:
    fixed = isinstance(rule.head, Derive) and rule.head.predicate in build.fixed
    return Scope(build=build, rule=rule, comment=_comment(rule), about_request=not fixed)


def _comment(rule: Rule) -> str:
    span = rule.origin.span
    text = "".join(
        c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in rule.origin.text
    )
    return f"{rule.name} ({span.source.name}:{span.line})\n{text}"


def _lower_rule(build: Build, rule: Rule, number: int) -> Reported:
    scope = _scope(build, rule)
    predicate = build.names.predicate(f"fires_{rule.name}")
    fires = scope.atom(predicate, [scope.variable(v.name) for v in rule.variables])
    for flat in flats(rule.body):
        for pattern in patterns(scope, flat, write):
            if not pattern.failed:
                scope.add(fires, holding(pattern))
            for failure, body in failing(scope, pattern):
                scope.add(scope.atom(build.failure_predicate, (Number(number), failure)), body)
    if isinstance(rule.head, Derive):
        scope.add(_derived(scope, rule.head), (fires,))
    return Reported(predicate, number, len(rule.variables))


def _derived(scope: Scope, head: Derive) -> AspAtom:
    return scope.atom(scope.build.predicates[head.predicate], map(scope.term, head.arguments))


# --- more than a recursive definition ------------------------------------------------------------------


def _lower_over(build: Build) -> None:
    """The rules of the predicates that are wider than a recursive definition: its own, without negations."""
    written: set[str] = set()
    while waiting := sorted(build.over.keys() - written):
        name = waiting[0]
        written.add(name)
        for rule in build.part.rules:
            if isinstance(rule.head, Derive) and rule.head.predicate == name:
                _lower_over_rule(build, rule, rule.head)


def _lower_over_rule(build: Build, rule: Rule, head: Derive) -> None:
    scope = _scope(build, rule)
    scope.comment = f"more than {scope.comment}"
    scope.is_over = True
    for flat in flats(rule.body):
        monotone = _monotone(scope, flat)
        for pattern in patterns(scope, monotone, write):
            if not pattern.failed:
                terms = [_known(scope, term, pattern.bound) for term in head.arguments]
                predicate = build.over_predicate(head.predicate)
                scope.add(scope.atom(predicate, terms), around(pattern, tests=True))


def _known(scope: Scope, term: Term, bound: frozenset[str]) -> AspTerm:
    if isinstance(term, Variable) and term.name not in bound:
        raise InternalError(f"a recursion through the result of an aggregate in {scope.rule.name}")
    return scope.term(term)


def _monotone(scope: Scope, flat: tuple[FlatLiteral, ...]) -> tuple[FlatLiteral, ...]:
    """The literals of a body that more of the recursion cannot make false, and that have values without the others.

    That is no negation, and of the aggregates those that read nothing of the recursion: what they bind may be in the head.
    """
    bindable = {name for literal in flat for name in binds(literal)}
    bound: set[str] = set()
    positive = [x for x in flat if not isinstance(x, Not)]
    steady = [x for x in positive if not (isinstance(x, Match) and scope.is_recursive(x))]
    kept = _with_values(steady, bindable, bound)
    others = [x for x in positive if not isinstance(x, Aggregate) and all(x is not k for k in kept)]
    return (*kept, *_with_values(others, bindable, bound))


def _with_values(
    literals: Sequence[FlatLiteral], bindable: set[str], bound: set[str]
) -> list[FlatLiteral]:
    """Those of the literals whose variables have values, with what they bind added to `bound`."""
    kept: list[FlatLiteral] = []
    waiting = list(literals)
    while ready := [x for x in waiting if reads(x) & bindable <= bound]:
        kept.extend(ready)
        bound.update(name for literal in ready for name in binds(literal))
        waiting = [x for x in waiting if all(x is not r for r in ready)]
    return kept
