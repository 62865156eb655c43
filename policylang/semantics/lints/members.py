"""Members of enums that were probably forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from policylang.diagnostics import Diagnostic, Label
from policylang.facts.schema import Relation, RelationKind
from policylang.facts.types import EnumType, ListType, SetType, Type, base
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics import codes
from policylang.semantics.lints.bundle import LintedBundle, expressions, literals, parts
from policylang.semantics.program import (
    Apply,
    Assign,
    Constant,
    Derive,
    Expression,
    Not,
    Oblige,
    Operation,
    RequireApproval,
    Rule,
    Test,
)
from policylang.syntax import tree


@dataclass(slots=True)
class _Mentions:
    """The members of an enum that rules and tables name, and whether something speaks of the others."""

    members: set[str] = field(default_factory=set)
    others_too: bool = False


def unmentioned_members(bundle: LintedBundle) -> Iterator[Diagnostic]:
    """Warn of the few members that nothing names where most are, and of tables that lack a few.

    Silent where something covers the rest: `!=`, `<`, a member under `not`; and where no more than two
    thirds are named, since a rule about two of eight states is no list of them.
    """
    mentions: dict[str, _Mentions] = {}
    for rule in bundle.program.rules:
        _of_rule(rule, mentions)
    for decision in bundle.program.schema.decisions.values():
        for name, default in _members_in(decision.domain.type, decision.default):
            mentions.setdefault(name, _Mentions()).members.add(default)
    spoken_of = {enum for table in _tables(bundle) for enum in _columns(table, bundle, mentions)}
    yield from _tables_without(bundle)
    for symbol, enum in _enums(bundle):
        found = mentions.get(enum.name, _Mentions())
        missing = [name for name in enum.member_names if name not in found.members]
        if found.others_too or enum.name in spoken_of or not _is_most(found.members, missing):
            continue
        for member in symbol.members:
            if member.name.text in missing:
                yield codes.UNMENTIONED_MEMBER.at(
                    member.name.span, name=member.name.text, enum=str(enum)
                )


def _is_most(named: set[str], missing: list[str]) -> bool:
    return bool(missing) and len(named) >= 2 and len(missing) * 2 <= len(named)


def _enums(bundle: LintedBundle) -> Iterator[tuple[tree.EnumStatement, EnumType]]:
    for module in bundle.world.names.modules.values():
        for symbol in module.types.values():
            node = symbol.node
            if module.name in bundle.modules and isinstance(node, tree.EnumStatement):
                yield node, bundle.world.enums[symbol.name]


# --- rules -------------------------------------------------------------------------------------------------


def _of_rule(rule: Rule, mentions: dict[str, _Mentions]) -> None:
    for literal in literals(rule.body):
        if isinstance(literal, Not):
            for inner in literals(literal.body):
                _note(expressions(inner), mentions, others_too=True)
        covers = isinstance(literal, Test) and _covers_others(literal.condition)
        _note(expressions(literal), mentions, others_too=covers)
    match rule.head:
        case Derive():
            _note(iter(rule.head.arguments), mentions, others_too=False)
        case Assign():
            _note(iter([rule.head.value]), mentions, others_too=False)
        case RequireApproval():
            _note(iter(term for _, term in rule.head.others), mentions, others_too=False)
        case Oblige():
            _note(iter(term for _, term in rule.head.arguments), mentions, others_too=False)
        case _:
            pass


_COVERING = (
    Operation.NE,
    Operation.LT,
    Operation.LE,
    Operation.GT,
    Operation.GE,
    Operation.BETWEEN,
)


def _covers_others(condition: Expression) -> bool:
    return isinstance(condition, Apply) and condition.operation in _COVERING


def _note(found: Iterator[Expression], mentions: dict[str, _Mentions], *, others_too: bool) -> None:
    for expression in found:
        for part in parts(expression):
            if isinstance(part, Constant):
                for enum, member in _members_in(part.type, part.value):
                    known = mentions.setdefault(enum, _Mentions())
                    known.members.add(member)
                    known.others_too = known.others_too or others_too


def _members_in(kind: Type, value: Value | Missing) -> Iterator[tuple[str, str]]:
    kind = base(kind)
    match kind:
        case EnumType() if isinstance(value, str):
            yield kind.name, value
        case ListType() | SetType() if isinstance(value, tuple | frozenset):
            for item in value:
                yield from _members_in(kind.element.type, item)
        case _:
            pass


# --- tables ------------------------------------------------------------------------------------------------


def _tables(bundle: LintedBundle) -> Iterator[Relation]:
    for relation in bundle.program.schema.relations.values():
        if relation.kind is RelationKind.TABLE:
            yield relation


def _columns(
    table: Relation, bundle: LintedBundle, mentions: dict[str, _Mentions]
) -> Iterator[str]:
    """The enums of which a table speaks: what it lacks is said of the table."""
    rows = bundle.program.tables[table.name]
    for i, column in enumerate(table.columns):
        kind = base(column.domain.type)
        if isinstance(kind, EnumType):
            named = {str(row[i]) for row in rows if row[i] is not MISSING}
            mentions.setdefault(kind.name, _Mentions()).members.update(named)
            yield kind.name


def _tables_without(bundle: LintedBundle) -> Iterator[Diagnostic]:
    """Tables whose first column names most members of an enum, each once, and not all."""
    for table in _tables(bundle):
        kind = base(table.columns[0].domain.type) if table.columns else None
        if not isinstance(kind, EnumType) or not bundle.own(table.name):
            continue
        named = [str(row[0]) for row in bundle.program.tables[table.name]]
        missing = [name for name in kind.member_names if name not in named]
        if len(set(named)) == len(named) and _is_most(set(named), missing):
            yield from _report_rows(bundle, table, kind, missing)


def _report_rows(
    bundle: LintedBundle, table: Relation, kind: EnumType, missing: list[str]
) -> Iterator[Diagnostic]:
    symbol = bundle.world.names.modules[table.module].values[table.bare_name]
    declared: Mapping[str, tree.EnumMember] = {
        member.name.text: member
        for node, enum in _enums(bundle)
        if enum.name == kind.name
        for member in node.members
    }
    for name in missing:
        member = declared.get(name)
        labels = [Label(member.name.span, "declared here")] if member is not None else []
        yield codes.MEMBER_WITHOUT_ROW.at(
            symbol.span, table=table.bare_name, name=name, labels=labels
        )
