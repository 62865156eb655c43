"""Programs and requests made by hand, in few words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal

from policylang.decide.decide import Authorizer
from policylang.decide.decision import Decision
from policylang.diagnostics import Source as Text
from policylang.diagnostics import Span
from policylang.evaluate.firings import Evaluation, Firings
from policylang.evaluate.model import Model
from policylang.facts.factset import FactSet, Row
from policylang.facts.schema import (
    Cardinality,
    DecisionDeclaration,
    Relation,
    RelationKind,
    Schema,
    Source,
)
from policylang.facts.types import (
    BOOL,
    DATETIME,
    INT,
    STRING,
    DecimalType,
    Domain,
    Field,
    Type,
)
from policylang.facts.values import Missing, Value
from policylang.semantics.program import (
    ANY,
    Aggregate,
    AggregateKind,
    Apply,
    Argument,
    Blank,
    Body,
    Constant,
    Derive,
    Expression,
    Head,
    Literal,
    Match,
    Message,
    ModuleInfo,
    Not,
    Operation,
    Or,
    Origin,
    Predicate,
    Program,
    Rule,
    Term,
    Variable,
)
from policylang.semantics.program import Test as Condition
from tests.reference.evaluator import evaluate

NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
USD = DecimalType(2)


def origin(text: str = "") -> Origin:
    """Where a literal was written: a text of its own."""
    return Origin(Span(Text("refunds.policy", text), 0, len(text)), text)


def var(name: str, type_: Type = STRING, *, hidden: bool = False) -> Variable:
    """A variable; one named like a path is hidden."""
    return Variable(name, type_, hidden or "." in name)


def const(value: Value, type_: Type | None = None) -> Constant:
    """A constant, of the type that its Python class suggests."""
    if type_ is None:
        kinds: dict[type, Type] = {bool: BOOL, int: INT, str: STRING, Decimal: USD}
        type_ = kinds[type(value)]
    return Constant(value, type_)


def usd(text: str) -> Constant:
    """An amount of money."""
    return Constant(Decimal(text), USD)


def match(name: str, *arguments: Argument, text: str = "", path: str | None = None) -> Match:
    """A match of a relation or definition."""
    return Match(name, arguments, origin(text or name), None, path)


def read(relation: Relation, column: str) -> tuple[Match, Variable]:
    """The reading of a path of a single-row relation, and the hidden variable that holds it."""
    path = f"{relation.bare_name}.{column}"
    field = relation.columns[relation.position(column)]
    variable = Variable(path, field.domain.type, hidden=True)
    arguments = tuple(variable if f is field else ANY for f in relation.columns)
    return Match(relation.name, arguments, origin(path), path=path), variable


def holds(operation: Operation, left: Expression, right: Expression, text: str = "") -> Condition:
    """A comparison."""
    return Condition(Apply(operation, (left, right), BOOL), origin(text))


def negated(*body: Literal, local: tuple[Variable, ...] = (), text: str = "not ...") -> Not:
    """A negation."""
    return Not(body, local, origin(text))


def either(*branches: Body, binds: tuple[Variable, ...] = (), text: str = "... or ...") -> Or:
    """A disjunction."""
    return Or(branches, binds, origin(text))


def count(result: Variable, *body: Literal, local: tuple[Variable, ...]) -> Aggregate:
    """A count of the matches of a body."""
    return Aggregate(AggregateKind.COUNT, result, None, body, local, origin("count(...)"))


def total(
    result: Variable, value: Expression, *body: Literal, local: tuple[Variable, ...]
) -> Aggregate:
    """A sum over the matches of a body."""
    return Aggregate(AggregateKind.SUM, result, value, body, local, origin("sum(...)"))


def message(*parts: str | Variable | tuple[Match, Variable], internal: bool = False) -> Message:
    """A sentence: texts, variables of the rule, and paths that are read."""

    def blank(part: str | Variable | tuple[Match, Variable]) -> str | Blank:
        if isinstance(part, str):
            return part
        if isinstance(part, Variable):
            return Blank((), part, part.name)
        reading, variable = part
        return Blank((reading,), variable, variable.name)

    return Message(tuple(map(blank, parts)), internal)


def relation(
    name: str,
    kind: RelationKind = RelationKind.FACT,
    cardinality: Cardinality = Cardinality.ONE,
    *,
    reads: str | None = None,
    **columns: Type | Field,
) -> Relation:
    """A relation of the module `refunds`, or a builtin one where the name has no module."""
    fields = tuple(
        given if isinstance(given, Field) else Field(column, Domain(given))
        for column, given in columns.items()
    )
    return Relation(name, name.rpartition(".")[0], kind, cardinality, fields, reads=reads)


def rule(
    name: str,
    head: Head,
    *body: Literal,
    actions: Sequence[str] = ("refunds.refund",),
    variables: tuple[Variable, ...] = (),
    because: Message | None = None,
    overrides: tuple[str, ...] = (),
    stratum: int = 9,
) -> Rule:
    """A rule; a clause of a definition is about no action."""
    about = () if isinstance(head, Derive) else tuple(actions)
    return Rule(name, head, body, variables, about, stratum, because, origin(name), overrides)


def clause(
    name: str, arguments: tuple[Term, ...], *body: Literal, number: int = 1, stratum: int = 0
) -> Rule:
    """A clause of a definition, whose variables are those of its head and of its matches."""
    found = [a for a in arguments if isinstance(a, Variable)]
    for literal in body:
        if isinstance(literal, Match):
            found += [a for a in literal.arguments if isinstance(a, Variable)]
    return rule(
        f"{name}/{number}",
        Derive(name, arguments),
        *body,
        variables=tuple(dict.fromkeys(found)),
        stratum=stratum,
    )


def predicate(
    name: str,
    *types: Type,
    parameters: tuple[str, ...] = (),
    reads: Message | None = None,
    stratum: int = 0,
    recursive: bool = False,
) -> Predicate:
    """A definition."""
    return Predicate(name, types, parameters, stratum, recursive, reads, origin(name))


NOW_RELATION = relation("now", RelationKind.BUILTIN, now=DATETIME)
APPROVAL = relation(
    "approval", RelationKind.BUILTIN, Cardinality.MANY, by=STRING, id=STRING, time=DATETIME
)


def program(
    rules: Sequence[Rule],
    relations: Sequence[Relation],
    predicates: Sequence[Predicate] = (),
    decisions: Sequence[DecisionDeclaration] = (),
    tables: Mapping[str, tuple[tuple[Value | Missing, ...], ...]] | None = None,
) -> Program:
    """A program of the module `refunds`, version 1.4.0."""
    known = (NOW_RELATION, APPROVAL, *relations)
    return Program(
        modules=(ModuleInfo("refunds", "1.4.0", "d1", "m1"),),
        schema=Schema({r.name: r for r in known}, {}, {d.name: d for d in decisions}),
        predicates={p.name: p for p in predicates},
        rules=tuple(rules),
        tables=tables or {},
        groups={},
        digest="p1",
    )


def facts(
    action: str = "refunds.refund",
    sources: Mapping[str, Source] | None = None,
    /,
    **rows: Sequence[tuple[Value | Missing, ...]],
) -> FactSet:
    """A request at `NOW`; relations are named with `__` for the point."""
    given: dict[str, tuple[Row, ...]] = {"now": (Row(0, (NOW,)),)}
    for name, lines in rows.items():
        relation_name = name.replace("__", ".")
        source = (sources or {}).get(relation_name, Source.SYSTEM)
        given[relation_name] = tuple(Row(i, line, source) for i, line in enumerate(lines))
    return FactSet(action, NOW, given)


def decided(made: Program, request: FactSet) -> Decision:
    """The decision, with the firings of the reference evaluator."""
    return Authorizer(made).decide(request, evaluated(made, request))


def evaluated(made: Program, request: FactSet) -> Evaluation:
    """What the reference evaluator answers."""
    return evaluate(made, {}, request)


def model(made: Program, request: FactSet) -> Model:
    """The finished model of a request that does not fail."""
    evaluation = evaluated(made, request)
    assert isinstance(evaluation, Firings)
    return Model(made, request, evaluation.firings)
