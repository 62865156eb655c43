"""A program as text that people read: `policylang check --emit program`.

    rule refunds.small_refund: allow refunds.refund
      stratum 0, fires for (Cap)
      refunds.customer(tier: customer.tier)
      refunds.refund_cap(tier: customer.tier, cap: Cap)
      refund.amount <= Cap

Every literal of a body stands on a line, in the order of writing, those of nested bodies indented. A
variable that the checker made up has the name of the path it holds, or a number after `_`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, assert_never

from policylang.facts.schema import Relation, RelationKind
from policylang.facts.types import Field
from policylang.facts.values import MISSING, Missing
from policylang.semantics.program import (
    ANY,
    Aggregate,
    Allow,
    Apply,
    Argument,
    Assign,
    Bind,
    Blank,
    Body,
    Constant,
    Deny,
    Derive,
    Each,
    Expression,
    Head,
    Hole,
    Literal,
    Match,
    Message,
    Never,
    Not,
    Oblige,
    Operation,
    Or,
    Predicate,
    Program,
    RequireApproval,
    Rule,
    Term,
    Test,
    Variable,
)
from policylang.semantics.words import described, shown

_INDENT: Final = "  "
_INFIX: Final = frozenset(
    {
        Operation.EQ,
        Operation.NE,
        Operation.LT,
        Operation.LE,
        Operation.GT,
        Operation.GE,
        Operation.IN,
        Operation.HAS,
        Operation.HAS_ALL,
        Operation.HAS_ANY,
        Operation.LIKE,
        Operation.ADD,
        Operation.SUB,
        Operation.MUL,
        Operation.DIV,
    }
)


def print_program(program: Program) -> str:
    """The whole program: modules, relations, params, definitions and rules, with a line end at the end."""
    sections = (
        _modules(program),
        _relations(program),
        _params(program),
        _tables(program),
        _definitions(program),
        *(print_rule(program, rule) for rule in program.rules),
        *(_rollout(program, name) for name in program.rollouts),
    )
    lines = ("\n".join(section) for section in map(list, sections) if section)
    return "\n\n".join(lines) + "\n"


def _modules(program: Program) -> Iterator[str]:
    yield f"program {program.digest}"
    for module in program.modules:
        version = f" version {module.version}" if module.version is not None else ""
        yield f"module {module.name}{version}, text {module.digest[:12]}, meaning {module.meaning[:12]}"


def _relations(program: Program) -> Iterator[str]:
    for relation in program.schema.relations.values():
        yield _relation(relation)
    for history in program.schema.histories:
        reads = ", ".join(f"{read.relation}.{read.column}" for read in history.reads)
        actions = ", ".join(history.actions)
        yield f"{history.relation} holds calls of {actions or 'no action'}" + (
            f" with {reads}" if reads else ""
        )


def _relation(relation: Relation) -> str:
    columns = ", ".join(map(_column, relation.columns))
    words = [f"{relation.kind.value} {relation.name}({columns})"]
    if relation.kind is RelationKind.FACT:
        words.append(f"{relation.cardinality.value}, from {relation.minimum_source.word}")
    if relation.file is not None:
        words.append(f"in {relation.file}")
    if relation.kind is RelationKind.GROUP:
        words.append("of " + (", ".join(relation.members) or "no action"))
    if relation.parent is not None:
        words.append(f"unfolds {relation.parent}")
    return ", ".join(words)


def _column(column: Field) -> str:
    marks = "?" if column.optional else ""
    if column.default is not MISSING and not isinstance(column.default, Missing):
        marks += f" = {shown(column.default, column.domain.type)}"
    kind = described(replace(column.domain, alias=None)).partition(" ")[2]
    return f"{column.name}: {kind}{marks}{' key' if column.key else ''}"


def _params(program: Program) -> Iterator[str]:
    for param in program.schema.params.values():
        overridden = ", overridden" if param.overridden else ""
        value = shown(param.value, param.domain.type)
        yield f"param {param.name} = {value}, {described(param.domain)}{overridden}"
    for decision in program.schema.decisions.values():
        default = decision.default
        words = "" if isinstance(default, Missing) else f" = {shown(default, decision.domain.type)}"
        yield f"decision {decision.name}{words}, {described(decision.domain)}"


def _tables(program: Program) -> Iterator[str]:
    for name, rows in program.tables.items():
        columns = program.schema.relations[name].columns
        for row in rows:
            cells = (
                "_" if isinstance(value, Missing) else shown(value, column.domain.type)
                for value, column in zip(row, columns, strict=True)
            )
            yield f"{name} | {' | '.join(cells)} |"


def _definitions(program: Program) -> Iterator[str]:
    for predicate in program.predicates.values():
        yield _definition(predicate)


def _definition(predicate: Predicate) -> str:
    pairs = zip(predicate.parameters, predicate.types, strict=True)
    arguments = ", ".join(f"{name}: {type_}" for name, type_ in pairs)
    words = [f"define {predicate.name}({arguments})", f"stratum {predicate.stratum}"]
    if predicate.recursive:
        words.append("recursive")
    if predicate.reads is not None:
        words.append(f"reads {print_message(predicate.reads)}")
    return ", ".join(words)


# --- rules -------------------------------------------------------------------------------------------------


def print_rule(program: Program, rule: Rule) -> Iterator[str]:
    """The lines of one rule; `program` gives the names of columns."""
    about = ", ".join(rule.actions)
    yield f"rule {rule.name}: {_head(rule.head)}" + (f" {about}" if about else "")
    notes = [f"stratum {rule.stratum}"]
    if rule.variables:
        notes.append(f"fires for ({', '.join(variable.name for variable in rule.variables)})")
    if rule.overrides:
        notes.append(f"overrides {', '.join(rule.overrides)}")
    yield _INDENT + ", ".join(notes)
    yield from _body(program, rule.body, _INDENT)
    if rule.message is not None:
        internal = "internal " if rule.message.internal else ""
        yield f"{_INDENT}because {internal}{print_message(rule.message)}"


def _rollout(program: Program, module: str) -> Iterator[str]:
    """What a module says about its rollout."""
    rollout = program.rollouts[module]
    key = f" by {rollout.key.relation}.{rollout.key.column}" if rollout.key is not None else ""
    yield f"rollout of {module}{key}"
    if rollout.canary is not None:
        yield f"{_INDENT}canary if, stratum {rollout.canary.stratum}"
        yield from _body(program, rollout.canary.body, _INDENT * 2)
    for criteria in (*rollout.promote.values(), *rollout.rollback.values()):
        yield f"{_INDENT}{criteria.text}"


def print_lines(program: Program, rule: Rule) -> Iterator[str]:
    """The effect of a rule, then each literal of its body with all inside it: equal ones are equal texts."""
    yield _head(rule.head)
    for literal in rule.body:
        yield "\n".join(_literal(program, literal, ""))


def _head(head: Head) -> str:
    match head:
        case Derive():
            return f"{head.predicate}({', '.join(map(print_expression, head.arguments))})"
        case Allow():
            return "allow"
        case Deny():
            return "deny" if head.limit is None else "deny as a limit"
        case RequireApproval():
            within = [("within", head.within)] if head.within is not None else []
            given: list[tuple[str, Term]] = [("by", head.by), *within, *head.others]
            return f"require approval({_named(given)})"
        case Oblige():
            return f"oblige {head.name}({_named(head.arguments)})"
        case Assign():
            value = print_expression(head.value)
            return f"set {head.decision} = {value} with priority {head.priority}"
        case Never():
            return f"never {head.effect.value}"
        case _:
            assert_never(head)


def _named(arguments: Sequence[tuple[str, Term]]) -> str:
    return ", ".join(f"{name}: {print_expression(value)}" for name, value in arguments)


def _body(program: Program, body: Body, indent: str) -> Iterator[str]:
    for literal in body:
        yield from _literal(program, literal, indent)


def _literal(program: Program, literal: Literal, indent: str) -> Iterator[str]:
    inner = indent + _INDENT
    match literal:
        case Match():
            yield indent + print_match(program, literal)
        case Each():
            at = "" if literal.index is ANY else f" at {_argument(literal.index)}"
            element = _argument(literal.element)
            yield f"{indent}each {element} in {print_expression(literal.collection)}{at}"
        case Bind():
            yield f"{indent}{literal.variable.name} := {print_expression(literal.value)}"
        case Test():
            yield indent + print_expression(literal.condition)
        case Not():
            yield f"{indent}not{_for(literal.locals)}"
            yield from _body(program, literal.body, inner)
        case Or():
            for i, branch in enumerate(literal.branches):
                yield f"{indent}{'or' if i else 'either' + _for(literal.binds)}"
                yield from _body(program, branch, inner)
        case Aggregate():
            value = "" if literal.value is None else f" {print_expression(literal.value)}"
            result = literal.result.name
            yield f"{indent}{result} := {literal.kind.value}{value}{_for(literal.locals)}"
            yield from _body(program, literal.body, inner)
        case _:
            assert_never(literal)


def _for(variables: tuple[Variable, ...]) -> str:
    return f" for ({', '.join(v.name for v in variables)})" if variables else ""


def print_match(program: Program, match: Match) -> str:
    """A match as a call: columns that match anything left out, those of relations by name."""
    source = f" from {match.source.word}" if match.source is not None else ""
    relation = program.schema.relations.get(match.name)
    if relation is None:
        return f"{match.name}({', '.join(map(_argument, match.arguments))}){source}"
    named = (
        f"{column.name}: {_argument(argument)}"
        for column, argument in zip(relation.columns, match.arguments, strict=True)
        if argument is not ANY
    )
    return f"{match.name}({', '.join(named)}){source}"


def _argument(argument: Argument) -> str:
    match argument:
        case Hole():
            return argument.value
        case _:
            return print_expression(argument)


def print_expression(value: Expression) -> str:
    """An expression as it could be written; nested operations are in parentheses."""
    match value:
        case Variable():
            return value.name
        case Constant():
            written = shown(value.value, value.type)
            return written if value.param is None else f"{value.param} ({written})"
        case Apply():
            return _apply(value)
        case _:
            assert_never(value)


def _apply(value: Apply) -> str:
    arguments = [_inner(argument) for argument in value.arguments]
    operation = value.operation
    match operation:
        case Operation.BETWEEN:
            return f"{arguments[0]} in {arguments[1]} .. {arguments[2]}"
        case Operation.IN_NETWORK:
            return f"{arguments[0]} in {arguments[1]}"
        case Operation.NEG:
            return f"-{arguments[0]}"
        case _ if operation in _INFIX:
            return f"{arguments[0]} {operation.value} {arguments[1]}"
        case _:
            return f"{operation.value}({', '.join(map(print_expression, value.arguments))})"


def _inner(value: Expression) -> str:
    written = print_expression(value)
    infix = isinstance(value, Apply) and value.operation in (*_INFIX, Operation.BETWEEN)
    return f"({written})" if infix else written


def print_message(message: Message) -> str:
    """A message as it was written: text with `{...}` for its blanks."""
    parts = (f"{{{p.text}}}" if isinstance(p, Blank) else p for p in message.parts)
    return '"' + "".join(parts) + '"'
