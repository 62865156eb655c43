"""`Not` and `Aggregate`: bodies inside bodies, as predicates over the values that they see from around them.

The instances of the body around a nested one that ask for it are its *context*: a predicate of their own, so that the
nested body is evaluated for those values alone, and an aggregate over no match has a value too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from policylang.evaluate.asp.build import ONE, Scope
from policylang.evaluate.asp.constants import MISSING_TERM
from policylang.evaluate.asp.failing import body_can_fail, total_can_fail, variables_of
from policylang.evaluate.asp.flat import flats, mentions
from policylang.evaluate.asp.layout import relation_of
from policylang.evaluate.asp.steps import (
    Literals,
    Pattern,
    Step,
    Writer,
    around,
    failing,
    holding,
    patterns,
    rows,
)
from policylang.evaluate.asp.terms import (
    Absent,
    Anything,
    AspAtom,
    AspLiteral,
    AspTerm,
    Call,
    Compared,
    Function,
    Lookup,
    Name,
    Note,
    Number,
    Total,
)
from policylang.facts.types import INT
from policylang.semantics.program import (
    ABSENT,
    Aggregate,
    Constant,
    Hole,
    Match,
    Not,
    Variable,
)


@dataclass(frozen=True, slots=True)
class _Nested:
    """The predicates of a nested body: where it is asked for, where it holds (or its value), where it fails."""

    context: AspAtom | None
    holds: AspAtom
    fails: str | None
    variables: tuple[str, ...]
    match_fails: str | None = None


def _context_variables(seen: Iterable[Variable], pattern: Pattern) -> tuple[str, ...]:
    return tuple(dict.fromkeys(v.name for v in seen if v.name in pattern.bound))


def _ask(scope: Scope, nested: _Nested, pattern: Pattern) -> None:
    """Ask for a nested body in every instance of what is around it so far."""
    if nested.context is not None:
        scope.add(nested.context, around(pattern))


# --- negation ------------------------------------------------------------------------------------------


def negated(scope: Scope, literal: Not, pattern: Pattern, write: Writer) -> Step:
    """A negation: of one atom as it stands, else of a predicate for its body."""
    plain = _plain(scope, literal, pattern)
    if plain is not None:
        return Step(plain)
    variables = _context_variables(mentions(literal.body), pattern)
    key = (id(literal), variables, pattern.given, frozenset[str]())
    nested = scope.nested.get(key)
    if not isinstance(nested, _Nested):
        nested = scope.nested[key] = _negated_body(scope, literal, variables, write)
    _ask(scope, nested, pattern)
    absent = Absent(nested.holds)
    if nested.fails is None:
        return Step((absent,), around=_nothing)
    return Step(
        (absent, Absent(_with_failure(scope, nested, _ANYTHING))),
        fails=_NestedFails(scope, nested, (absent,)),
        may_hold=(absent,),
        around=_nothing,
    )


def _nothing() -> Literals:
    """What stands for a negation in the context of another nested body."""
    return ()


def _with_failure(scope: Scope, nested: _Nested, failure: AspTerm) -> AspAtom:
    assert nested.fails is not None
    return scope.atom(nested.fails, (*map(scope.variable, nested.variables), failure))


class _NestedFails:
    """Says that a nested body fails, with which failure, and what else has to hold for that."""

    def __init__(self, scope: Scope, nested: _Nested, besides: Literals) -> None:
        self._scope = scope
        self._nested = nested
        self._besides = besides

    def __call__(self, failure: Name) -> Literals:
        return (_with_failure(self._scope, self._nested, failure), *self._besides)


def _negated_body(scope: Scope, literal: Not, variables: tuple[str, ...], write: Writer) -> _Nested:
    terms = tuple(map(scope.variable, variables))
    wish = f"not_in_{scope.rule.name}"
    names = scope.build.names
    nested = _Nested(
        context=scope.atom(names.predicate(f"{wish}_asked"), terms) if variables else None,
        holds=scope.atom(names.predicate(wish), terms),
        fails=names.predicate(f"{wish}_fails") if body_can_fail(literal.body) else None,
        variables=variables,
    )
    for flat in flats(literal.body):
        for pattern in patterns(scope, flat, write, frozenset(variables), _first(nested)):
            if not pattern.failed:
                scope.add(nested.holds, holding(pattern))
            for failure, body in failing(scope, pattern):
                scope.add(_with_failure(scope, nested, failure), body)
    return nested


def _plain(scope: Scope, literal: Not, pattern: Pattern) -> tuple[AspLiteral, ...] | None:
    """`not p(...)`, where the body is one match that asks nothing but terms or nothing of each column."""
    if len(literal.body) != 1 or not isinstance(literal.body[0], Match):
        return None
    match = literal.body[0]
    terms = _plain_terms(scope, match, pattern)
    if terms is None or match.source is not None:
        return None
    build = scope.build
    if match.name in build.access.indexed:
        bound = tuple(i for i, term in enumerate(terms) if term != _ANYTHING)
        call = build.call(f"no_rows_{match.name}", Lookup(match.name, bound, (), negated=True))
        return (Compared("=", ONE, Call(call, tuple(terms[i] for i in bound))),)
    about_request = not build.is_fixed(match.name)
    return (Absent(build.atom(build.predicates[match.name], terms, about_request)),)


_ANYTHING = Anything()


def _plain_terms(scope: Scope, match: Match, pattern: Pattern) -> list[AspTerm] | None:
    layout = scope.build.layouts.get(match.name)
    terms: list[AspTerm] = []
    positions = range(len(match.arguments)) if layout is None else layout.columns
    if layout is not None:
        terms.extend([_ANYTHING] * (layout.numbered + layout.sourced))
    local = [a.name for a in match.arguments if isinstance(a, Variable)]
    for position in positions:
        argument = match.arguments[position]
        optional = False
        if layout is not None:
            optional = relation_of(scope.build.program, match.name).columns[position].optional
        match argument:
            case Constant():
                terms.append(scope.term(argument))
            case Variable() if argument.name in pattern.bound:
                terms.append(scope.variable(argument.name))
            case Hole() if argument is ABSENT and optional:
                terms.append(MISSING_TERM)
            case Hole() if argument.value == "_" or (not optional and argument is not ABSENT):
                terms.append(_ANYTHING)
            case Variable() if not optional and local.count(argument.name) == 1:
                terms.append(_ANYTHING)
            case _:
                return None
    return terms


# --- aggregates ----------------------------------------------------------------------------------------


def aggregated(scope: Scope, literal: Aggregate, pattern: Pattern, write: Writer) -> Step:
    """An aggregate: its matches are noted in Python as clingo derives them, and totalled after the last."""
    value = () if literal.value is None else variables_of(literal.value)
    variables = _context_variables((*mentions(literal.body), *value), pattern)
    # SOLVER: what asks for an aggregate may read totals before it. Where two branches of a body take two aggregates in
    # either order, each would wait for the other in a cycle through negation, so that they have predicates of their own.
    key = (id(literal), variables, pattern.given, pattern.totals)
    nested = scope.nested.get(key)
    if not isinstance(nested, _Nested):
        nested = scope.nested[key] = _aggregate_body(scope, literal, variables, write)
    _ask(scope, nested, pattern)
    total = nested.holds.predicate
    if nested.fails is None:
        return Step((nested.holds,), total=total)
    return Step((nested.holds,), fails=_NestedFails(scope, nested, ()), total=total)


def _aggregate_body(
    scope: Scope, literal: Aggregate, variables: tuple[str, ...], write: Writer
) -> _Nested:
    build, terms = scope.build, tuple(map(scope.variable, variables))
    wish = f"{literal.kind.value}_in_{scope.rule.name}"
    result = scope.variable(literal.result.name)
    can_fail = body_can_fail(literal.body) or total_can_fail(literal)
    nested = _Nested(
        context=scope.atom(build.names.predicate(f"{wish}_asked"), terms) if variables else None,
        holds=scope.atom(build.names.predicate(wish), (*terms, result)),
        fails=build.names.predicate(f"{wish}_fails") if can_fail else None,
        variables=variables,
        match_fails=build.names.predicate(f"{wish}_match_fails") if can_fail else None,
    )
    number = build.aggregates
    build.aggregates += 1
    noted = _write_matches(scope, literal, nested, number, write)
    _write_totals(scope, literal, nested, number, noted)
    return nested


def _first(nested: _Nested) -> Literals:
    return () if nested.context is None else (nested.context,)


def _write_matches(
    scope: Scope, literal: Aggregate, nested: _Nested, number: int, write: Writer
) -> AspAtom:
    """The rules that derive and note the matches; the atom that holds never, and only after them all."""
    build = scope.build
    match_predicate = build.names.predicate(f"{literal.kind.value}_match_{scope.rule.name}")
    outer = tuple(map(scope.variable, nested.variables))
    own = _own_variables(literal, nested.variables)
    for flat in flats(literal.body):
        for pattern in patterns(scope, flat, write, frozenset(nested.variables), _first(nested)):
            if not pattern.failed:
                values = (scope.variable(n) if n in pattern.bound else MISSING_TERM for n in own)
                matched_rows = Function("", rows(pattern))
                head = scope.atom(match_predicate, (*outer, *values, matched_rows))
                scope.add(head, holding(pattern))
            for failure, body in failing(scope, pattern):
                scope.add(_match_fails(scope, nested, failure), body)
    rows_name = scope.fresh("Rows")
    matched = scope.atom(match_predicate, (*outer, *map(scope.variable, own), rows_name))
    context = len(matched.arguments) - len(own) - 1
    names = (*nested.variables, *own)
    note = build.call("note", Note(number, context, names, literal.value))
    never = AspAtom(build.names.predicate(f"{literal.kind.value}_not_noted"), ())
    # SOLVER: a call is made once its arguments are bound, perhaps before the rest of its body is known to hold;
    # so matches are derived first, and noted from a rule that asks nothing else.
    scope.build.add(
        never,
        (matched, Compared("=", Number(0), Call(note, matched.arguments))),
        scope.comment,
        about_request=False,
    )
    return never


def _match_fails(scope: Scope, nested: _Nested, failure: AspTerm) -> AspAtom:
    """That an instance of the body of an aggregate fails, told apart from its own arithmetic."""
    assert nested.match_fails is not None
    return scope.atom(nested.match_fails, (*map(scope.variable, nested.variables), failure))


def _own_variables(literal: Aggregate, outer: tuple[str, ...]) -> tuple[str, ...]:
    """The variables that only the aggregate binds, those of its value among them."""
    value = () if literal.value is None else variables_of(literal.value)
    return tuple(dict.fromkeys(v.name for v in (*literal.locals, *value) if v.name not in outer))


def _write_totals(
    scope: Scope, literal: Aggregate, nested: _Nested, number: int, never: AspAtom
) -> None:
    """The rules that give the aggregate of each context, once every match is noted."""
    outer = nested.holds.arguments[:-1]
    value_type = INT if literal.value is None else literal.value.type
    result = nested.holds.arguments[-1]
    body: list[AspLiteral] = [*_first(nested), Absent(never)]
    if body_can_fail(literal.body):
        body.append(Absent(_match_fails(scope, nested, _ANYTHING)))
        failure = scope.fresh("Failure")
        scope.add(_with_failure(scope, nested, failure), (_match_fails(scope, nested, failure),))
    can_fail = total_can_fail(literal)
    for fails in (False, True) if can_fail else (False,):
        spec = Total(number, literal.kind, value_type, literal.result.type, fails, can_fail)
        call = Call(scope.build.call("total_fails" if fails else "total", spec), outer)
        if fails:
            failure = scope.fresh("Failure")
            head = _with_failure(scope, nested, failure)
            scope.add(head, (*body, Compared("=", failure, call)))
        else:
            scope.add(nested.holds, (*body, Compared("=", result, call)))
