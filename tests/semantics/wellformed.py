"""What every program keeps to, whatever policy it came from: the promises of `program.py`, checked apart."""

from __future__ import annotations

from collections.abc import Iterator

from policylang.semantics.program import (
    Aggregate,
    Apply,
    Bind,
    Body,
    Derive,
    Each,
    Expression,
    Literal,
    Match,
    Message,
    Not,
    Or,
    Program,
    RequireApproval,
    Rule,
    Test,
    Variable,
)


def violations(program: Program) -> list[str]:
    """The promises that a program breaks, in words."""
    return [f"{rule.name}: {text}" for rule in program.rules for text in _of_rule(program, rule)]


def _of_rule(program: Program, rule: Rule) -> Iterator[str]:
    bound = frozenset(_bound(rule.body))
    yield from _of_body(program, rule.body, frozenset(), rule)
    for variable in rule.variables:
        if variable.name not in bound:
            yield f"{variable.name} is listed and not bound"
    for name in _head_variables(rule):
        if name not in {variable.name for variable in rule.variables}:
            yield f"the head reads {name}, which no firing holds"
    yield from _message(rule.message, bound)
    yield from _strata(program, rule)


def _of_body(program: Program, body: Body, outer: frozenset[str], rule: Rule) -> Iterator[str]:
    own = frozenset(_bound(body))
    known = outer | own
    types: dict[str, object] = {}
    seen: dict[str, Literal] = {}
    for literal in body:
        for variable in _variables(literal):
            if variable.name not in known:
                yield f"{variable.name} is read and never bound in {literal.origin.text}"
            if types.setdefault(variable.name, variable.type) != variable.type:
                yield f"{variable.name} has two types"
        if isinstance(literal, Match):
            yield from _arity(program, literal)
        for inner, binds in _inner(literal):
            local = frozenset(_bound(inner)) - outer - (own - binds)
            for name in local - binds:
                if seen.setdefault(name, literal) is not literal or name in own:
                    yield f"{name} is local twice"
            yield from _of_body(program, inner, known - binds, rule)
        if isinstance(literal, Not | Aggregate):
            expected = frozenset(_bound(literal.body)) - known
            declared = frozenset(variable.name for variable in literal.locals)
            if expected != declared:
                yield f"the locals of {literal.origin.text} are {expected}, not {declared}"


def _inner(literal: Literal) -> Iterator[tuple[Body, frozenset[str]]]:
    match literal:
        case Not() | Aggregate():
            yield literal.body, frozenset()
        case Or():
            binds = frozenset(variable.name for variable in literal.binds)
            for branch in literal.branches:
                yield branch, binds
        case _:
            pass


def _bound(body: Body) -> Iterator[str]:
    for literal in body:
        match literal:
            case Match():
                yield from (a.name for a in literal.arguments if isinstance(a, Variable))
            case Each():
                parts = (literal.element, literal.index)
                yield from (part.name for part in parts if isinstance(part, Variable))
            case Bind():
                yield literal.variable.name
            case Or():
                yield from (variable.name for variable in literal.binds)
            case Aggregate():
                yield literal.result.name
            case Not() | Test():
                pass


def _variables(literal: Literal) -> Iterator[Variable]:
    match literal:
        case Each():
            yield from _in(literal.collection)
        case Bind():
            yield from _in(literal.value)
        case Test():
            yield from _in(literal.condition)
        case _:
            pass


def _in(value: Expression) -> Iterator[Variable]:
    if isinstance(value, Variable):
        yield value
    elif isinstance(value, Apply):
        for argument in value.arguments:
            yield from _in(argument)


def _arity(program: Program, match: Match) -> Iterator[str]:
    relation = program.schema.relations.get(match.name)
    if relation is not None:
        width = len(relation.columns)
    elif match.name in program.predicates:
        width = len(program.predicates[match.name].types)
    else:
        yield f"{match.name} is matched and not declared"
        return
    if width != len(match.arguments):
        yield f"{match.name} has {width} columns, and {len(match.arguments)} are matched"


def _head_variables(rule: Rule) -> Iterator[str]:
    head = rule.head
    terms: list[object] = []
    if isinstance(head, Derive):
        terms = list(head.arguments)
    elif isinstance(head, RequireApproval):
        terms = [head.by, head.within, *(term for _, term in head.others)]
    elif hasattr(head, "value"):
        terms = [head.value]
    elif hasattr(head, "arguments"):
        terms = [term for _, term in head.arguments]
    yield from (term.name for term in terms if isinstance(term, Variable))


def _message(message: Message | None, bound: frozenset[str]) -> Iterator[str]:
    for part in message.parts if message is not None else ():
        if not isinstance(part, str):
            read = bound | frozenset(_bound(part.reads))
            yield from (
                f"blank {v.name} has no value" for v in _in(part.value) if v.name not in read
            )


def _strata(program: Program, rule: Rule) -> Iterator[str]:
    for match, negated in _matched(rule.body, negated=False):
        predicate = program.predicates.get(match.name)
        if predicate is not None and predicate.stratum + negated > rule.stratum:
            yield f"{match.name} of stratum {predicate.stratum} is read in stratum {rule.stratum}"


def _matched(body: Body, *, negated: bool) -> Iterator[tuple[Match, bool]]:
    for literal in body:
        if isinstance(literal, Match):
            yield literal, negated
        for inner, _ in _inner(literal):
            yield from _matched(inner, negated=negated or not isinstance(literal, Or))
