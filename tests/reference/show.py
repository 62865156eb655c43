"""A case as text that a person reads: the program, its tables, and the rows of its requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from policylang.facts.factset import Row
from policylang.facts.values import Missing, Value
from policylang.semantics.program import (
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
    Rule,
    Test,
    Variable,
)

if TYPE_CHECKING:
    from tests.reference.generator import Case


def show(case: Case) -> str:
    """The whole case."""
    return "\n".join(["", *_lines(case)])


def _lines(case: Case) -> Iterator[str]:
    for relation in case.program.schema.relations.values():
        columns = ", ".join(
            f"{c.name}: {c.domain.type}{'?' if c.optional else ''}" for c in relation.columns
        )
        file = f" from {relation.file!r}" if relation.file else ""
        yield f"{relation.kind.value} {relation.name}({columns}){file}"
    for name, lines in case.program.tables.items():
        yield from (f"  table {name}{_values(line)}" for line in lines)
    for name, rows in case.reference.items():
        yield from (f"  reference {name}{_row(row)}" for row in rows)
    for rule in case.program.rules:
        yield rule_text(rule)
    for facts in case.requests:
        yield f"request {facts.action}"
        for name, rows in facts.rows.items():
            yield from (f"  {name}{_row(row)}" for row in rows)


def _row(row: Row) -> str:
    return f"{_values(row.values)} #{row.id} from {row.source.word}"


def _values(values: Sequence[Value | Missing]) -> str:
    return "(" + ", ".join(map(repr, values)) + ")"


def rule_text(rule: Rule) -> str:
    """One rule."""
    head = rule.head
    if isinstance(head, Derive):
        said = f"{head.predicate}({', '.join(_argument(a) for a in head.arguments)})"
    else:
        said = f"{head} for {', '.join(rule.actions)}"
    names = ", ".join(f"{v.name}: {v.type}" for v in rule.variables)
    return f"[{rule.stratum}] {rule.name}: {said}\n    variables {names}\n    if {_body(rule.body)}"


def _body(body: Body) -> str:
    return " and ".join(_literal(literal) for literal in body) or "true"


def _literal(literal: Literal) -> str:
    match literal:
        case Match():
            source = f" from {literal.source.word}" if literal.source is not None else ""
            return f"{literal.name}({', '.join(map(_argument, literal.arguments))}){source}"
        case Each():
            collection = _expression(literal.collection)
            return f"{_argument(literal.element)} in {collection} at {_argument(literal.index)}"
        case Bind():
            return f"{literal.variable.name} := {_expression(literal.value)}"
        case Test():
            return _expression(literal.condition)
        case Not():
            return f"not ({_body(literal.body)})"
        case Or():
            names = ", ".join(v.name for v in literal.binds)
            return f"[{names}]({' or '.join(f'({_body(b)})' for b in literal.branches)})"
        case Aggregate():
            value = "" if literal.value is None else f"{_expression(literal.value)} for "
            names = ", ".join(v.name for v in literal.locals)
            return f"{literal.result.name} := {literal.kind.value}[{names}]({value}{_body(literal.body)})"


def _argument(argument: Argument) -> str:
    return (
        argument.value if not isinstance(argument, Variable | Constant) else _expression(argument)
    )


def _expression(expression: Expression) -> str:
    match expression:
        case Variable():
            return expression.name
        case Constant():
            return repr(expression.value)
        case Apply():
            arguments = ", ".join(map(_expression, expression.arguments))
            return f"`{expression.operation.value}`({arguments})"
