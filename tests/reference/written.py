"""A generated program as the text of a module: what the parser and the checker have to read back with its meaning."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import TypeAlias

from policylang.errors import InternalError
from policylang.facts.schema import Cardinality, Relation, RelationKind
from policylang.facts.types import (
    DecimalType,
    EnumType,
    Field,
    ListType,
    RefType,
    SetType,
    Type,
    base,
)
from policylang.facts.values import Missing, Value
from policylang.semantics.program import (
    ABSENT,
    ANY,
    PRESENT,
    Aggregate,
    AggregateKind,
    Allow,
    Apply,
    Argument,
    Assign,
    Bind,
    Body,
    Constant,
    Deny,
    Derive,
    Each,
    Expression,
    Literal,
    Match,
    Never,
    Not,
    Oblige,
    Operation,
    Or,
    Program,
    RequireApproval,
    Rule,
    Test,
    Variable,
)
from tests.reference.pools import COLOUR, LEVEL

Params: TypeAlias = "dict[tuple[Value, Type], str]"

_INFIX = {
    *(Operation.EQ, Operation.NE, Operation.LT, Operation.LE, Operation.GT, Operation.GE),
    *(Operation.ADD, Operation.SUB, Operation.MUL, Operation.DIV),
    *(Operation.HAS, Operation.HAS_ALL, Operation.HAS_ANY, Operation.LIKE),
}


def module_text(program: Program) -> str:
    """The text of module `m`.

    A set, a list or a Decimal is written as a param, whose declaration says its type.
    """
    params: Params = {}
    lines = list(_Writer(program, params).lines())
    declared = [
        f"param {name}: {_type(base(type_))} = {constant_text(value, type_)}"
        for (value, type_), name in params.items()
    ]
    return "\n".join([lines[0], *lines[1:3], *declared, *lines[3:]])


class _Writer:
    def __init__(self, program: Program, params: Params) -> None:
        self.program = program
        self.params = params

    def lines(self) -> Iterator[str]:
        yield "module m"
        for enum_ in (COLOUR, LEVEL):
            yield f"enum {enum_} {{ {', '.join(enum_.member_names)} }}"
        for relation in self.program.schema.relations.values():
            yield from self._declaration(relation)
        yield "decision queue: String"
        for rule in self.program.rules:
            yield self._rule(rule)

    def _declaration(self, relation: Relation) -> Iterator[str]:
        fields = ", ".join(map(_field, relation.columns))
        name = relation.bare_name
        if relation.kind is RelationKind.BUILTIN:
            return
        if relation.kind is RelationKind.ACTION:
            yield f"action {name} {{ {fields} }}"
        elif relation.kind is RelationKind.TABLE:
            yield f"table {name} ({fields}) {{"
            for line in self.program.tables[relation.name]:
                cells = zip(line, relation.columns, strict=True)
                yield "  | " + " | ".join(self._cell(v, c.domain.type) for v, c in cells) + " |"
            yield "}"
        else:
            words = {
                Cardinality.ONE: "fact",
                Cardinality.OPTIONAL: "optional fact",
                Cardinality.MANY: "facts",
            }
            file = f" from {json.dumps(relation.file)}" if relation.file else ""
            yield f"{words[relation.cardinality]} {name}{file} {{ {fields} }}"

    def _cell(self, value: Value | Missing, type_: Type) -> str:
        return "missing" if isinstance(value, Missing) else constant_text(value, type_)

    def _rule(self, rule: Rule) -> str:
        name = rule.name.removeprefix("m.")
        condition = f"\n  if {self._body(rule.body)}" if rule.body else ""
        actions = ", ".join(action.removeprefix("m.") for action in rule.actions)
        match rule.head:
            case Derive(predicate, arguments):
                given = f"({', '.join(map(self._expression, arguments))})" if arguments else ""
                return f"define {predicate.removeprefix('m.')}{given}{condition}"
            case Allow():
                return f"rule {name}: allow {actions}{condition}"
            case Deny():
                return f"rule {name}: deny {actions}{condition}"
            case RequireApproval(by, within):
                until = "" if within is None else f", within: {self._expression(within)}"
                return f"rule {name}: require approval(by: {self._expression(by)}{until}) for {actions}{condition}"
            case Oblige(duty, arguments):
                named = ", ".join(f"{n}: {self._expression(term)}" for n, term in arguments)
                given = f"({named})" if named else ""
                return f"rule {name}: oblige {duty}{given} on {actions}{condition}"
            case Assign(decision, value, priority):
                to = decision.removeprefix("m.")
                return f"rule {name}: set {to} = {self._expression(value)}{condition}\n  priority {priority}"
            case Never(effect):
                return f"never {name}: {effect.value} {actions}{condition}"

    def _body(self, body: Body) -> str:
        return " and ".join(self._literal(literal) for literal in body)

    def _literal(self, literal: Literal) -> str:
        match literal:
            case Match():
                return self._match(literal)
            case Each():
                at = "" if literal.index is ANY else f" at {self._argument(literal.index)}"
                if isinstance(base(literal.collection.type), SetType):
                    return f"{self._expression(literal.collection)} has {self._argument(literal.element)}"
                return f"{self._argument(literal.element)} in {self._expression(literal.collection)}{at}"
            case Bind():
                return f"{literal.variable.name} == {self._expression(literal.value)}"
            case Test():
                return self._test(literal.condition)
            case Not():
                return f"not ({self._body(literal.body)})"
            case Or():
                return f"({' or '.join(f'({self._body(b)})' for b in literal.branches)})"
            case Aggregate():
                body = self._body(literal.body)
                value = "" if literal.value is None else f"{self._expression(literal.value)} for "
                if literal.kind is AggregateKind.COUNT:
                    value = ""
                return f"{literal.result.name} == {literal.kind.value}({value}{body})"

    def _match(self, literal: Match) -> str:
        name = literal.name.removeprefix("m.")
        if literal.name in self.program.predicates:
            given = ", ".join(map(self._argument, literal.arguments))
            return f"{name}({given})" if given else name
        columns = self.program.schema.relations[literal.name].columns
        named = zip(columns, literal.arguments, strict=True)
        given = ", ".join(f"{c.name}: {self._argument(a)}" for c, a in named)
        source = "" if literal.source is None else f" is from {literal.source.word}"
        return f"{name}({given}){source}"

    def _argument(self, argument: Argument) -> str:
        if argument is ANY or argument is ABSENT or argument is PRESENT:
            return str(argument.value)
        assert isinstance(argument, Variable | Constant)
        return self._expression(argument)

    def _test(self, condition: Expression) -> str:
        if isinstance(condition, Apply):
            return self._expression(condition)
        return f"{self._expression(condition)} == true"

    def _expression(self, expression: Expression) -> str:
        match expression:
            case Variable():
                return expression.name
            case Constant():
                return self._constant(expression)
            case Apply():
                return self._applied(expression)

    def _applied(self, expression: Apply) -> str:
        operation = expression.operation
        given = [self._operand(argument) for argument in expression.arguments]
        if operation in _INFIX:
            return f"{given[0]} {operation.value} {given[1]}"
        if operation in (Operation.IN, Operation.IN_NETWORK):
            return f"{given[0]} in {given[1]}"
        if operation is Operation.BETWEEN:
            return f"{given[0]} in {given[1]} .. {given[2]}"
        if operation is Operation.NEG:
            return f"-{given[0]}"
        return f"{operation.value}({', '.join(given)})"

    def _operand(self, expression: Expression) -> str:
        text = self._expression(expression)
        nested = isinstance(expression, Apply) or text.startswith("-")
        return f"({text})" if nested else text

    def _constant(self, constant: Constant) -> str:
        if not isinstance(base(constant.type), SetType | ListType | DecimalType):
            return constant_text(constant.value, constant.type)
        key = (constant.value, constant.type)
        return self.params.setdefault(key, f"p{len(self.params)}")


def _field(field: Field) -> str:
    marks = "?" if field.optional else " key" if field.key else ""
    return f"{field.name}: {_type(field.domain.type)}{marks}"


def _type(type_: Type) -> str:
    match type_:
        case SetType() | ListType():
            kind = "Set" if isinstance(type_, SetType) else "List"
            return f"{kind}[{_type(type_.element.type)}]"
        case RefType():
            return f"ref {type_.relation.rpartition('.')[2]}"
        case _:
            return str(type_)


def constant_text(value: Value, type_: Type) -> str:
    """A value as the language writes it."""
    kind = base(type_)
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case int():
            return str(value)
        case str() if isinstance(kind, EnumType):
            return f"{kind}.{value}"
        case str():
            return '"' + "".join(map(_written, value)) + '"'
        case dt.datetime():
            return value.replace(tzinfo=None).isoformat() + "Z"
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            micros = value // dt.timedelta(microseconds=1)
            sign = "-" if micros < 0 else ""
            return f"{sign}{abs(micros) // 1000}.{abs(micros) % 1000:03d} milliseconds"
        case ipaddress.IPv4Address() | ipaddress.IPv6Address():
            return f'ip("{value}")'
        case ipaddress.IPv4Network() | ipaddress.IPv6Network():
            return f'cidr("{value}")'
        case tuple() | frozenset() if isinstance(kind, SetType | ListType):
            return f"[{', '.join(constant_text(v, kind.element.type) for v in value)}]"
    raise InternalError(f"{value!r} cannot be written")


def _written(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    code = ord(character)
    if character.isprintable() or code > 0xFFFF:
        return character
    return f"\\u{code:04x}"
