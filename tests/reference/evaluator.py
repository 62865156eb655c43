"""The reference: what a program means, written to be read beside `policylang/semantics/program.py`.

It tries every substitution and knows no index, no order of joins and no shortcut. Evaluators that are fast
are held to it (`test_differential.py`). How it reads the definition:

* A body with an `Or` is one body for each branch, with the branch's literals in the place of the `Or`.
* A body without one (a *flat* body) is evaluated literal by literal: matches first, since generators over
  relations range first, then whatever has the values that it reads.
* An instance of a body carries the codes of the literals that failed in it. None: it holds.
* A failing instance derives nothing. Of all failures the first rule's first code is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from policylang.errors import InternalError
from policylang.evaluate.firings import Evaluation, Failure, Firing, Firings
from policylang.facts.factset import FactSet, Row
from policylang.facts.order import bindings_key
from policylang.facts.schema import Source
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics.program import (
    ABSENT,
    ANY,
    PRESENT,
    Aggregate,
    AggregateKind,
    Apply,
    Argument,
    Bind,
    Body,
    Constant,
    Derive,
    Each,
    Expression,
    Literal,
    Match,
    Not,
    Or,
    Program,
    Rule,
    Term,
    Test,
    Variable,
)
from policylang.semantics.slicing import slice_for
from tests.reference.arithmetic import Fails, apply, comparable, retyped, shown, total

Env: TypeAlias = "dict[str, Value]"
Values: TypeAlias = "tuple[Value | Missing, ...]"
Codes = frozenset[str]

HOLDS: Codes = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a relation, or one atom of a definition, told apart by `identity`."""

    identity: tuple[object, ...]
    values: Values
    source: Source = Source.SYSTEM


@dataclass(frozen=True, slots=True)
class Instance:
    """Values under which every literal of a body holds or fails, and the entries its matches matched."""

    env: Env
    codes: Codes
    matched: tuple[tuple[object, ...], ...]


@dataclass(slots=True)
class World:
    """Everything a body can match: the rows given, and the atoms derived so far."""

    rows: dict[str, list[Entry]] = field(default_factory=dict)
    atoms: dict[str, set[Values]] = field(default_factory=dict)

    def entries(self, name: str) -> list[Entry]:
        """What a match of that name ranges over."""
        if name in self.atoms:
            return [Entry((name, atom), atom) for atom in self.atoms[name]]
        return self.rows.get(name, [])


def evaluate(
    program: Program, reference: Mapping[str, Sequence[Row]], facts: FactSet
) -> Evaluation:
    """The firings of a program for one request, or the failure that it ends in."""
    rules = slice_for(program, facts.action).rules
    world = _world(program, reference, facts)
    for stratum in sorted({rule.stratum for rule in rules}):
        clauses = [rule for rule in rules if rule.is_clause and rule.stratum == stratum]
        while sum(_derive(rule, world) for rule in clauses) > 0:
            pass  # What is new may derive more.
    failures = sorted((rules.index(r), code) for r in rules for code in _codes(r, world))
    if failures:
        position, code = failures[0]
        return Failure(rules[position].name, code, "")
    return Firings(tuple(firing for rule in rules for firing in _firings(rule, world)))


def _world(program: Program, reference: Mapping[str, Sequence[Row]], facts: FactSet) -> World:
    world = World()
    for name, lines in program.tables.items():
        world.rows[name] = [Entry((name, i), values) for i, values in enumerate(lines)]
    for given in (reference, facts.rows):
        for name, rows in given.items():
            world.rows[name] = [Entry((name, row.id), row.values, row.source) for row in rows]
    world.atoms = {name: set() for name in program.predicates}
    return world


# --- rules ---------------------------------------------------------------------------------------------


def _derive(rule: Rule, world: World) -> int:
    """Add what a clause derives; the number of new atoms."""
    assert isinstance(rule.head, Derive)
    head = rule.head
    new = {
        tuple(_term(argument, instance.env) for argument in head.arguments)
        for instance in _instances(rule.body, {}, world)
        if instance.codes == HOLDS
    }
    atoms = world.atoms[head.predicate]
    before = len(atoms)
    atoms |= new
    return len(atoms) - before


def _codes(rule: Rule, world: World) -> set[str]:
    return {code for instance in _instances(rule.body, {}, world) for code in instance.codes}


def _firings(rule: Rule, world: World) -> list[Firing]:
    bindings = {
        tuple(shown(instance.env[variable.name], variable.type) for variable in rule.variables)
        for instance in _instances(rule.body, {}, world)
        if instance.codes == HOLDS
    }
    return [Firing(rule.name, values) for values in sorted(bindings, key=bindings_key)]


def _term(term: Term, env: Env) -> Value:
    return env[term.name] if isinstance(term, Variable) else term.value


# --- bodies --------------------------------------------------------------------------------------------


def _instances(body: Body, env: Env, world: World) -> Iterator[Instance]:
    """Every instance of a body that holds or fails, under the values of the bodies around it."""
    for flat in _branches(body):
        bound = set(env) | {name for literal in flat for name in _binds(literal)}
        yield from _extend(flat, Instance(env, HOLDS, ()), bound, world)


def _branches(body: Body) -> list[Body]:
    """The flat bodies of a body: one branch in the place of each `Or`."""
    if not body:
        return [()]
    first, rest = body[0], _branches(body[1:])
    if isinstance(first, Or):
        heads = [flat for branch in first.branches for flat in _branches(branch)]
    else:
        heads = [(first,)]
    return [head + tail for head in heads for tail in rest]


def _extend(waiting: Body, so_far: Instance, bound: set[str], world: World) -> Iterator[Instance]:
    """Extend an instance by the literals that wait; `bound` are the variables that can get a value."""
    if not waiting:
        yield so_far
        return
    ready = next((x for x in waiting if isinstance(x, Match)), None) or next(
        (x for x in waiting if _reads(x) & bound <= set(so_far.env)), None
    )
    if (
        ready is None
    ):  # What is left reads a variable that has no value: each of these literals fails.
        if so_far.codes == HOLDS:
            raise InternalError("an unsafe body reached the reference")
        yield so_far
        return
    rest = tuple(x for x in waiting if x is not ready)
    for outcome in _outcomes(ready, so_far.env, world):
        extended = Instance(
            {**so_far.env, **outcome.env},
            so_far.codes | outcome.codes,
            so_far.matched + outcome.matched,
        )
        yield from _extend(rest, extended, bound, world)


def _binds(literal: Literal) -> set[str]:
    """The variables that a literal of a flat body can give a value."""
    match literal:
        case Match():
            return {a.name for a in literal.arguments if isinstance(a, Variable)}
        case Each():
            return {a.name for a in (literal.element, literal.index) if isinstance(a, Variable)}
        case Bind():
            return {literal.variable.name}
        case Aggregate():
            return {literal.result.name}
        case Test() | Not():
            return set()
        case Or():
            raise InternalError("a flat body has no Or")


def _reads(literal: Literal) -> set[str]:
    """The variables that a literal needs the values of, and those local to it, which nobody else binds."""
    match literal:
        case Match():
            return set()
        case Each():
            return _variables(literal.collection)
        case Bind():
            return _variables(literal.value)
        case Test():
            return _variables(literal.condition)
        case Not():
            return _mentions(literal.body)
        case Aggregate():
            value = set() if literal.value is None else _variables(literal.value)
            return _mentions(literal.body) | value
        case Or():
            return {name for branch in literal.branches for name in _mentions(branch)}


def _mentions(body: Body) -> set[str]:
    return {
        name
        for flat in _branches(body)
        for literal in flat
        for name in _reads(literal) | _binds(literal)
    }


def _variables(expression: Expression) -> set[str]:
    match expression:
        case Variable():
            return {expression.name}
        case Constant():
            return set()
        case Apply():
            return {name for a in expression.arguments for name in _variables(a)}


# --- literals ------------------------------------------------------------------------------------------


def _outcomes(literal: Literal, env: Env, world: World) -> Iterator[Instance]:
    """The ways in which one literal holds or fails: none where it does not hold."""
    try:
        yield from _holding(literal, env, world)
    except Fails as failure:
        yield Instance({}, failure.codes, ())


def _holding(literal: Literal, env: Env, world: World) -> Iterator[Instance]:
    match literal:
        case Match():
            for entry in world.entries(literal.name):
                if literal.source is None or entry.source >= literal.source:
                    yield from _unified(literal.arguments, entry.values, env, (entry.identity,))
        case Each():
            yield from _elements(literal, env)
        case Bind():
            yield from _unified((literal.variable,), (value_of(literal.value, env),), env)
        case Test():
            if value_of(literal.condition, env) is True:
                yield Instance({}, HOLDS, ())
        case Not():
            yield from _negated(literal, env, world)
        case Aggregate():
            yield from _unified((literal.result,), (_aggregate(literal, env, world),), env)
        case Or():
            raise InternalError("a flat body has no Or")


def _elements(literal: Each, env: Env) -> Iterator[Instance]:
    collection = value_of(literal.collection, env)
    if collection is MISSING:
        return
    assert isinstance(collection, tuple | frozenset)
    for position, element in enumerate(collection, start=1):
        yield from _unified((literal.element, literal.index), (element, position), env)


def _negated(literal: Not, env: Env, world: World) -> Iterator[Instance]:
    instances = list(_instances(literal.body, env, world))
    if any(instance.codes == HOLDS for instance in instances):
        return
    yield Instance({}, frozenset(code for instance in instances for code in instance.codes), ())


def _unified(
    arguments: tuple[Argument, ...],
    values: Values,
    env: Env,
    matched: tuple[tuple[object, ...], ...] = (),
) -> Iterator[Instance]:
    """The one way, if any, in which arguments match values."""
    new: Env = {}
    for argument, value in zip(arguments, values, strict=True):
        if argument is ANY:
            continue
        if argument is ABSENT:
            if value is not MISSING:
                return
        elif value is MISSING:
            return
        elif isinstance(argument, Constant):
            if argument.value != value:
                return
        elif argument is not PRESENT:
            assert isinstance(argument, Variable)
            if {**env, **new}.get(argument.name, value) != value:
                return
            new[argument.name] = value
    yield Instance(new, HOLDS, matched)


# --- aggregates and expressions ----------------------------------------------------------------------------


def _aggregate(literal: Aggregate, env: Env, world: World) -> Value | Missing:
    matches: dict[tuple[object, ...], Env] = {}
    codes: set[str] = set()
    for instance in _instances(literal.body, env, world):
        own = tuple(instance.env.get(variable.name) for variable in literal.locals)
        matches[own, instance.matched] = instance.env
        codes |= instance.codes
    if codes:
        raise Fails(codes)
    if literal.value is None:
        return len(matches)
    expression = literal.value
    values = _each_value(matches.values(), lambda match: value_of(expression, match))
    if literal.kind is AggregateKind.COUNT:
        return len(values)
    if literal.kind is AggregateKind.SUM:
        return total(values, literal.result.type)
    if not values:
        return MISSING
    choose = min if literal.kind is AggregateKind.MIN else max
    chosen = choose(values, key=lambda value: comparable(value, expression.type))
    return retyped(chosen, literal.result.type)


def _each_value(matches: Iterable[Env], value_of: Callable[[Env], Value | Missing]) -> list[Value]:
    """The values that are not missing; every failure among them where one fails."""
    values: list[Value] = []
    codes: set[str] = set()
    for match in matches:
        try:
            value = value_of(match)
        except Fails as failure:
            codes |= failure.codes
        else:
            values += [] if isinstance(value, Missing) else [value]
    if codes:
        raise Fails(codes)
    return values


def value_of(expression: Expression, env: Env) -> Value | Missing:
    """The value of an expression; `Fails` with the codes of every argument that fails."""
    match expression:
        case Variable():
            return env[expression.name]
        case Constant():
            return expression.value
        case Apply():
            values: list[Value | Missing] = []
            codes: set[str] = set()
            for argument in expression.arguments:
                try:
                    values.append(value_of(argument, env))
                except Fails as failure:
                    codes |= failure.codes
            if codes:
                raise Fails(codes)
            types = tuple(argument.type for argument in expression.arguments)
            return apply(expression.operation, values, types, expression.type)
