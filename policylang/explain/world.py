"""All that holds for one request, and every instance of a body in it, found the naive way.

For the proof checker alone, and written so that it can be read beside `policylang.semantics.program`: no index, no
order of joins, a body with an `Or` is one body for each branch. It shares nothing with the interpreter that proofs
are made with but the exact operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from policylang.evaluate.calculate import aggregate, value_of
from policylang.evaluate.exact import CalculationFailure
from policylang.evaluate.firings import Firing
from policylang.evaluate.model import Reference
from policylang.facts.factset import FactSet, Row
from policylang.facts.schema import Source
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics.program import (
    ABSENT,
    ANY,
    PRESENT,
    Aggregate,
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
    Term,
    Test,
    Variable,
)

Values: TypeAlias = "tuple[Value | Missing, ...]"
Env: TypeAlias = "Mapping[str, Value]"
Identity: TypeAlias = "tuple[str, Values | int]"
"""A row by its relation and id, an atom by its definition and arguments."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that a match may match."""

    identity: Identity
    values: Values
    source: Source = Source.SYSTEM


@dataclass(frozen=True, slots=True)
class Found:
    """An instance of a body: its values, what its matches matched, and whether it fails."""

    env: Env
    matched: tuple[Identity, ...] = ()
    fails: bool = False


class World:
    """The rows and atoms of one request."""

    def __init__(
        self,
        program: Program,
        facts: FactSet,
        firings: Sequence[Firing],
        reference: Reference | None = None,
    ) -> None:
        self.program = program
        self.rules = {rule.name: rule for rule in program.rules}
        self._rows: dict[str, Sequence[Row]] = {**facts.rows, **(reference or {})}
        self._given: dict[str, frozenset[Row]] = {}
        for name, lines in program.tables.items():
            self._rows[name] = [Row(i, line) for i, line in enumerate(lines)]
        self._atoms: dict[str, dict[Values, None]] = {name: {} for name in program.predicates}
        for firing in firings:
            rule = self.rules[firing.rule]
            if isinstance(rule.head, Derive):
                env = {v.name: b for v, b in zip(rule.variables, firing.bindings, strict=True)}
                self._atoms[rule.head.predicate][derived(rule.head, env)] = None

    def entries(self, name: str) -> Iterator[Entry]:
        """What a match of that name ranges over."""
        if name in self._atoms:
            yield from (Entry((name, atom), atom) for atom in self._atoms[name])
        for row in self._rows.get(name, ()):
            yield Entry((name, row.id), row.values, row.source)

    def holds(self, relation: str, row: Row) -> bool:
        """Whether exactly this row was given."""
        given = self._given.get(relation)
        if given is None:
            given = self._given[relation] = frozenset(self._rows.get(relation, ()))
        return row in given

    def instances(self, body: Body, env: Env) -> Iterator[Found]:
        """Every instance of a body that holds or fails, under the values of the bodies around it."""
        for flat in branches(body):
            can_have = set(env) | {name for literal in flat for name in binds(literal)}
            yield from self._extend(flat, Found(env), can_have)

    def _extend(self, waiting: Body, found: Found, can_have: set[str]) -> Iterator[Found]:
        ready = next((x for x in waiting if isinstance(x, Match)), None) or next(
            (x for x in waiting if reads(x) & can_have <= set(found.env)), None
        )
        if ready is None:  # What waits reads a variable that only failed to get a value.
            yield Found(found.env, found.matched, found.fails or bool(waiting))
            return
        rest = tuple(x for x in waiting if x is not ready)
        for more in self.ways(ready, found.env):
            extended = Found(more.env, found.matched + more.matched, found.fails or more.fails)
            yield from self._extend(rest, extended, can_have)

    def ways(self, literal: Literal, env: Env) -> Iterator[Found]:
        """The ways in which a literal holds or fails under values: none where it does not hold."""
        match literal:
            case Match():
                for entry in self.entries(literal.name):
                    if literal.source is None or entry.source >= literal.source:
                        yield from agree(literal.arguments, entry, env)
            case Each():
                yield from _elements(literal, env)
            case Bind():
                yield from _compared(literal.variable, value_of(literal.value, env), env)
            case Test():
                value = value_of(literal.condition, env)
                if value is True or isinstance(value, CalculationFailure):
                    yield Found(env, fails=value is not True)
            case Not():
                inner = list(self.instances(literal.body, env))
                if all(found.fails for found in inner):
                    yield Found(env, fails=bool(inner))
            case Aggregate():
                yield from _compared(literal.result, self.total(literal, env), env)
            case Or():
                yield from self.instances((literal,), env)
            case _:
                assert_never(literal)

    def ranged(self, literal: Aggregate, env: Env) -> dict[tuple[object, ...], Found] | None:
        """The distinct matches of an aggregate, by what tells them apart; `None` where one fails."""
        distinct: dict[tuple[object, ...], Found] = {}
        for found in self.instances(literal.body, env):
            if found.fails:
                return None
            distinct.setdefault(distinction(literal, found.env, found.matched), found)
        return distinct

    def total(self, literal: Aggregate, env: Env) -> Value | Missing | CalculationFailure | None:
        """What an aggregate computes; `None` where an instance of its body fails."""
        ranged = self.ranged(literal, env)
        if ranged is None:
            return None
        if literal.value is None:
            return len(ranged)
        values = [value_of(literal.value, found.env) for found in ranged.values()]
        return aggregate(literal.kind, values, literal.value.type, literal.result.type)


def distinction(literal: Aggregate, env: Env, matched: tuple[Identity, ...]) -> tuple[object, ...]:
    """What tells a match of an aggregate from the others: the values of its locals, and what was matched."""
    return (*(env.get(variable.name) for variable in literal.locals), matched)


def derived(head: Derive, env: Env) -> tuple[Value, ...]:
    """The arguments of the atom that a head derives."""
    return tuple(term_value(term, env) for term in head.arguments)


def term_value(term: Term, env: Env) -> Value:
    """The value of a head's term."""
    return env[term.name] if isinstance(term, Variable) else term.value


def branches(body: Body) -> list[Body]:
    """The bodies without `Or` that a body stands for."""
    flats: list[Body] = [()]
    for literal in body:
        if isinstance(literal, Or):
            ways = [flat for branch in literal.branches for flat in branches(branch)]
        else:
            ways = [(literal,)]
        flats = [flat + way for flat in flats for way in ways]
    return flats


def agree(arguments: Sequence[Argument], entry: Entry, env: Env) -> Iterator[Found]:
    """The one way, if any, in which arguments agree with what they match."""
    values = dict(env)
    for argument, value in zip(arguments, entry.values, strict=True):
        if not _agrees(argument, value, values):
            return
    yield Found(values, (entry.identity,))


def _agrees(argument: Argument, value: Value | Missing, values: dict[str, Value]) -> bool:
    if argument is ANY:
        return True
    if isinstance(value, Missing):
        return argument is ABSENT
    match argument:
        case Constant():
            return argument.value == value
        case Variable():
            return values.setdefault(argument.name, value) == value
        case _:
            return argument is PRESENT


def _elements(literal: Each, env: Env) -> Iterator[Found]:
    collection = value_of(literal.collection, env)
    if isinstance(collection, CalculationFailure):
        yield Found(env, fails=True)
    elif isinstance(collection, tuple | frozenset):
        for position, element in enumerate(collection, start=1):
            values = dict(env)
            if _agrees(literal.element, element, values) and _agrees(
                literal.index, position, values
            ):
                yield Found(values)


def _compared(
    variable: Variable, value: Value | Missing | CalculationFailure | None, env: Env
) -> Iterator[Found]:
    if value is None or isinstance(value, CalculationFailure):
        yield Found(env, fails=True)
    elif value is not MISSING and not isinstance(value, Missing):
        values = dict(env)
        if values.setdefault(variable.name, value) == value:
            yield Found(values)


def binds(literal: Literal) -> set[str]:
    """The variables that a literal gives a value in the body it stands in."""
    match literal:
        case Match():
            return {a.name for a in literal.arguments if isinstance(a, Variable)}
        case Each():
            return {a.name for a in (literal.element, literal.index) if isinstance(a, Variable)}
        case Bind():
            return {literal.variable.name}
        case Aggregate():
            return {literal.result.name}
        case Or():
            return {variable.name for variable in literal.binds}
        case Test() | Not():
            return set()
        case _:
            assert_never(literal)


def reads(literal: Literal) -> set[str]:
    """The variables that a literal needs the values of; those local to it nobody else binds."""
    match literal:
        case Match():
            return set()
        case Each():
            return _named(literal.collection)
        case Bind():
            return _named(literal.value)
        case Test():
            return _named(literal.condition)
        case Not():
            return _mentions(literal.body)
        case Aggregate():
            value = set() if literal.value is None else _named(literal.value)
            return _mentions(literal.body) | value
        case Or():
            return {name for branch in literal.branches for name in _mentions(branch)}
        case _:
            assert_never(literal)


def _mentions(body: Body) -> set[str]:
    return {name for literal in body for name in reads(literal) | binds(literal)}


def _named(expression: Expression) -> set[str]:
    match expression:
        case Variable():
            return {expression.name}
        case Constant():
            return set()
        case Apply():
            return {name for argument in expression.arguments for name in _named(argument)}
        case _:
            assert_never(expression)
