"""Random, well-typed, safe and stratified programs with the facts of a few requests.

`case` builds one from any source of choices (`draws.py`); `cases` is the hypothesis strategy. Everything the
intermediate representation can say is in reach: negation, recursion, aggregates, optional columns, sources,
nested `or` and `not`, reference relations, tables, several actions, and operations that fail.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from policylang.diagnostics import Source as Text
from policylang.diagnostics import Span
from policylang.facts.factset import FactSet, Row
from policylang.facts.schema import Cardinality, Relation, RelationKind, Schema, Source
from policylang.facts.types import DATETIME, DURATION, INT, STRING, Domain, Field, Type, base
from policylang.facts.values import Missing, Value
from policylang.semantics.program import (
    Allow,
    Assign,
    Deny,
    Derive,
    Head,
    Never,
    NeverEffect,
    Oblige,
    Origin,
    Predicate,
    Program,
    RequireApproval,
    Rule,
    Term,
    Variable,
)
from policylang.semantics.slicing import matches
from tests.reference import bodies
from tests.reference.draws import Draws, Searched, chance, pick, some
from tests.reference.pools import TYPES, WRITABLE_TYPES, field_value, value

ORIGIN = Origin(Span(Text("<generated>", ""), 0, 0), "")
NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
ACTIONS = ("m.act", "m.other")


@dataclass(frozen=True)
class Case:
    """A program, its reference data, and some requests."""

    program: Program
    reference: Mapping[str, tuple[Row, ...]]
    requests: tuple[FactSet, ...]

    def __repr__(self) -> str:
        from tests.reference.show import show

        return show(self)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Hypothesis' strategy for cases."""
    return case(Searched(draw))


def case(draws: Draws, *, writable: bool = False) -> Case:
    """One case, from whatever makes the choices; a `writable` one keeps to what policies can say."""
    pool = _pool(draws, WRITABLE_TYPES if writable else TYPES)
    relations = _relations(draws, pool, writable)
    predicates = _predicates(draws, pool)
    program = _program(draws, relations, predicates, writable)
    reference = {r.name: _rows(draws, r) for r in relations if r.file is not None}
    digests = {name: f"digest of {name}" for name in reference}
    requests = tuple(_request(draws, relations, digests, action) for action in ACTIONS)
    return Case(program, reference, requests)


# --- relations and their rows ---------------------------------------------------------------------------


def _pool(draws: Draws, types: Sequence[Type]) -> tuple[Type, ...]:
    """The few types of one case: few, so that values of one column meet those of another."""
    return tuple(dict.fromkeys(some(draws, 5, lambda: pick(draws, types), at_least=1)))


def _columns(draws: Draws, pool: Sequence[Type], at_least: int = 0) -> tuple[Field, ...]:
    count = at_least + draws.below(4 - at_least)
    return tuple(
        Field(f"c{i}", Domain(pick(draws, pool)), optional=chance(draws, 30)) for i in range(count)
    )


def _relations(draws: Draws, pool: Sequence[Type], writable: bool) -> list[Relation]:
    many, one = Cardinality.MANY, Cardinality.ONE
    found = [
        Relation("now", "", RelationKind.BUILTIN, one, (Field("now", Domain(DATETIME)),)),
        Relation("m.keyed", "m", RelationKind.FACT, many, (Field("id", Domain(INT), key=True),)),
    ]
    found += [
        Relation(
            name,
            "m",
            RelationKind.ACTION,
            Cardinality.OPTIONAL,
            _columns(draws, pool, int(writable)),
        )
        for name in ACTIONS
    ]
    for i in range(1 + draws.below(4)):
        cardinality = pick(draws, (many, one, Cardinality.OPTIONAL))
        columns = _columns(draws, pool, at_least=1)
        found.append(Relation(f"m.f{i}", "m", RelationKind.FACT, cardinality, columns))
    for i in range(draws.below(3)):
        columns = _columns(draws, pool, at_least=1)
        found.append(Relation(f"m.r{i}", "m", RelationKind.FACT, many, columns, file="rows.csv"))
    for i in range(draws.below(2)):
        columns = _columns(draws, pool, at_least=1)
        if writable:
            columns = tuple(dataclasses.replace(column, optional=False) for column in columns)
        found.append(Relation(f"m.t{i}", "m", RelationKind.TABLE, many, columns))
    if not writable and chance(draws, 30):
        columns = (Field("index", Domain(INT)), *_columns(draws, pool))
        parent = found[-1].name
        found.append(
            Relation(f"{parent}.items", "m", RelationKind.ITEMS, many, columns, parent=parent)
        )
    return found


def _rows(draws: Draws, relation: Relation) -> tuple[Row, ...]:
    match relation.cardinality:
        case Cardinality.ONE:
            count = 1
        case Cardinality.OPTIONAL:
            count = draws.below(2)
        case Cardinality.MANY:
            count = draws.below(5)
    return tuple(
        Row(i, _line(draws, relation), pick(draws, tuple(reversed(Source)))) for i in range(count)
    )


def _line(draws: Draws, relation: Relation) -> tuple[Value | Missing, ...]:
    return tuple(field_value(draws, column) for column in relation.columns)


def _request(
    draws: Draws, relations: Sequence[Relation], digests: Mapping[str, str], action: str
) -> FactSet:
    rows: dict[str, tuple[Row, ...]] = {}
    for relation in relations:
        if relation.kind is RelationKind.ACTION:
            if relation.name == action:
                rows[action] = (Row(0, _line(draws, relation)),)
        elif relation.kind is RelationKind.BUILTIN:
            rows[relation.name] = (Row(0, (NOW,)),)
        elif relation.file is None and relation.kind is not RelationKind.TABLE:
            rows[relation.name] = _rows(draws, relation)
    return FactSet(action, NOW, {name: given for name, given in rows.items() if given}, digests)


# --- programs ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Definition:
    """A definition to be: its name, the types of its arguments, its stratum."""

    name: str
    types: tuple[Type, ...]
    stratum: int


def _predicates(draws: Draws, pool: Sequence[Type]) -> list[Definition]:
    found: list[Definition] = []
    stratum = 0
    for i in range(draws.below(5)):
        stratum += draws.below(2)
        types = tuple(base(pick(draws, pool)) for _ in range(draws.below(4)))
        found.append(Definition(f"m.d{i}", types, stratum))
    return found


def _program(
    draws: Draws, relations: Sequence[Relation], definitions: Sequence[Definition], writable: bool
) -> Program:
    kinds = bodies.Readable(
        relations={
            r.name: r.columns
            for r in relations
            if not (writable and r.kind is RelationKind.BUILTIN)
        },
        definitions={d.name: d.types for d in definitions},
        strata={d.name: d.stratum for d in definitions},
        fallible=chance(draws, 40),
        writable=writable,
    )
    rules = [
        _clause(draws, kinds, definition, number)
        for definition in definitions
        for number in range(1, 2 + draws.below(3))
    ]
    rules += [_rule(draws, kinds, f"m.rule{i}") for i in range(1 + draws.below(4))]
    tables = {
        r.name: tuple(row.values for row in _rows(draws, r))
        for r in relations
        if r.kind is RelationKind.TABLE
    }
    recursive = _recursive(rules)
    return Program(
        modules=(),
        schema=Schema({r.name: r for r in relations}, {}, {}),
        predicates={
            d.name: Predicate(
                d.name, d.types, tuple(f"a{i}" for i in range(len(d.types))), d.stratum,
                d.name in recursive, None, ORIGIN,
            )
            for d in definitions
        },
        rules=tuple(rules),
        tables=tables,
        groups={"any": ACTIONS},
        digest="generated",
    )  # fmt: skip


def _recursive(rules: Sequence[Rule]) -> set[str]:
    reads: dict[str, set[str]] = {}
    for rule in rules:
        if isinstance(rule.head, Derive):
            found = reads.setdefault(rule.head.predicate, set())
            found.update(match.name for match in matches(rule.body))
    for _ in reads:
        for names in reads.values():
            names.update(*[reads.get(name, set()) for name in names])
    return {name for name, names in reads.items() if name in names}


def _clause(draws: Draws, kinds: bodies.Readable, definition: Definition, number: int) -> Rule:
    maker = bodies.Maker(draws, kinds, definition.stratum, growing=False)
    body, bound = maker.body((), 2)
    head = Derive(
        definition.name, tuple(maker.head_term(type_, bound) for type_ in definition.types)
    )
    return _finished(f"{definition.name}/{number}", head, body, bound, (), definition.stratum)


def _rule(draws: Draws, kinds: bodies.Readable, name: str) -> Rule:
    stratum = 1 + max(kinds.strata.values(), default=-1)
    maker = bodies.Maker(draws, kinds, stratum, growing=True)
    body, bound = maker.body((), 2)
    head, actions = _head(draws, maker, bound)
    return _finished(name, head, body, bound, actions, stratum)


def _head(
    draws: Draws, maker: bodies.Maker, bound: Sequence[Variable]
) -> tuple[Head, tuple[str, ...]]:
    actions = pick(draws, (ACTIONS[:1], ACTIONS, ACTIONS[1:]))
    term = maker.head_term
    match draws.below(6):
        case 0:
            return Allow(), actions
        case 1:
            return Deny(pick(draws, (None, "m.some_limit"))), actions
        case 2:
            within = pick(draws, (None, term(DURATION, bound)))
            return RequireApproval(term(STRING, bound), within), actions
        case 3:
            given = tuple((f"n{i}", term(v.type, bound)) for i, v in enumerate(bound[:2]))
            return Oblige("note", given), actions
        case 4:
            return Assign("m.queue", term(STRING, bound), draws.below(3)), ()
        case _:
            return Never(pick(draws, (NeverEffect.ALLOW, NeverEffect.DENY))), actions


def _finished(
    name: str,
    head: Head,
    body: bodies.Body,
    bound: Sequence[Variable],
    actions: tuple[str, ...],
    stratum: int,
) -> Rule:
    read = {term.name for term in _head_terms(head) if isinstance(term, Variable)}
    order = [v for v in bodies.in_order(body) if v in bound]
    variables = [v for v in order if not v.hidden]
    variables += [v for v in order if v.hidden and v.name in read]
    return Rule(name, head, body, tuple(variables), actions, stratum, None, ORIGIN)


def _head_terms(head: Head) -> tuple[Term, ...]:
    match head:
        case Derive():
            return head.arguments
        case RequireApproval():
            return (head.by, *([] if head.within is None else [head.within]))
        case Oblige():
            return tuple(term for _, term in head.arguments)
        case Assign():
            return (head.value,)
        case Allow() | Deny() | Never():
            return ()


__all__ = ["ACTIONS", "Case", "case", "cases", "value"]
