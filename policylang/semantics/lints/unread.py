"""Declarations that nothing reads, imports that nothing uses, actions that nothing allows."""

from __future__ import annotations

from collections.abc import Iterator

from policylang.diagnostics import Diagnostic
from policylang.facts.schema import RelationKind
from policylang.facts.types import ListType, RecordType, RefType, SetType, Type
from policylang.semantics import codes
from policylang.semantics.lints.bundle import LintedBundle, expressions, literals, parts
from policylang.semantics.names import Kind, Symbol
from policylang.semantics.program import (
    Allow,
    Assign,
    Blank,
    Constant,
    Derive,
    Head,
    Match,
    Message,
    Oblige,
    RequireApproval,
    Rule,
    Term,
)
from policylang.syntax import tree


def unread_declarations(bundle: LintedBundle) -> Iterator[Diagnostic]:
    """Warn of imports, facts, tables, params and definitions that nothing reads, and of dead actions.

    A module without rules is a library: its definitions are for others. A bundle without rules is one in
    the making.
    """
    yield from _unused_imports(bundle)
    if not any(not rule.is_clause for rule in bundle.program.rules):
        return
    read = _Reads(bundle)
    for module in bundle.world.names.modules.values():
        if module.name in bundle.modules:
            for symbol in module.values.values():
                yield from _unread(symbol, read, has_rules=bool(module.rules))
    yield from _nothing_allows(bundle)


class _Reads:
    """The names of relations, definitions and params that rules read, and who reads a definition."""

    def __init__(self, bundle: LintedBundle) -> None:
        self.relations: set[str] = set()
        self.params: set[str] = set()
        self.readers: dict[str, set[str]] = {}
        for rule in bundle.program.rules:
            self._rule(rule)
        for predicate in bundle.program.predicates.values():
            self._message(predicate.reads, predicate.name)
        self._parents(bundle)
        for relation in bundle.program.schema.relations.values():
            for column in relation.columns:
                self._references(column.domain.type)
        for history in bundle.program.schema.histories:
            self.relations.update(path.relation for path in history.reads)

    def _rule(self, rule: Rule) -> None:
        reader = rule.head.predicate if isinstance(rule.head, Derive) else rule.name
        for literal in literals(rule.body):
            if isinstance(literal, Match):
                self._match(literal, reader)
            for expression in expressions(literal):
                self._constants(*parts(expression))
        self._constants(*_terms(rule.head))
        self._message(rule.message, reader)

    def _match(self, match: Match, reader: str) -> None:
        self.relations.add(match.name)
        self.readers.setdefault(match.name, set()).add(reader)

    def _constants(self, *found: object) -> None:
        self.params.update(c.param for c in found if isinstance(c, Constant) and c.param)

    def _message(self, message: Message | None, reader: str) -> None:
        for part in message.parts if message is not None else ():
            if isinstance(part, Blank):
                self._constants(*parts(part.value))
                for match in part.reads:
                    self._match(match, reader)

    def _parents(self, bundle: LintedBundle) -> None:
        """Who reads the items of a fact, or the group of an action, reads the fact and the action."""
        schema = bundle.program.schema.relations
        for name in list(self.relations):
            relation = schema.get(name)
            while relation is not None and relation.parent is not None:
                self.relations.add(relation.parent)
                relation = schema.get(relation.parent)

    def _references(self, kind: Type) -> None:
        match kind:
            case RefType():
                self.relations.add(kind.relation)
            case SetType() | ListType():
                self._references(kind.element.type)
            case RecordType():
                for field in kind.fields:
                    self._references(field.domain.type)
            case _:
                pass


def _terms(head: Head) -> tuple[Term, ...]:
    match head:
        case Derive():
            return head.arguments
        case RequireApproval():
            within = (head.within,) if head.within is not None else ()
            return (head.by, *within, *(term for _, term in head.others))
        case Oblige():
            return tuple(term for _, term in head.arguments)
        case Assign():
            return (head.value,)
        case _:
            return ()


def _unread(symbol: Symbol, read: _Reads, *, has_rules: bool) -> Iterator[Diagnostic]:
    if symbol.span is None:
        return
    match symbol.kind:
        case Kind.FACT | Kind.TABLE if symbol.name not in read.relations:
            what = f"the {symbol.kind.word}"
            yield codes.UNREAD_FACT.at(symbol.span, what=what, name=symbol.bare)
        case Kind.PARAM if symbol.name not in read.params:
            yield codes.UNREAD_PARAM.at(symbol.span, name=symbol.bare)
        case Kind.DEFINITION if has_rules:
            if not read.readers.get(symbol.name, set()) - {symbol.name}:
                yield codes.UNREAD_DEFINITION.at(symbol.span, name=symbol.bare)
        case _:
            pass


def _unused_imports(bundle: LintedBundle) -> Iterator[Diagnostic]:
    for module in bundle.world.names.modules.values():
        if module.name not in bundle.modules:
            continue
        for alias, symbol in module.values.items():
            if alias not in module.used and isinstance(symbol.node, tree.UseStatement):
                yield codes.UNUSED_IMPORT.at(symbol.node.span, name=alias)


def _nothing_allows(bundle: LintedBundle) -> Iterator[Diagnostic]:
    allowed = {
        action
        for rule in bundle.program.rules
        if isinstance(rule.head, Allow | RequireApproval)
        for action in rule.actions
    }
    for symbol in bundle.world.names.every(Kind.ACTION):
        relation = bundle.program.schema.relations[symbol.name]
        assert relation.kind is RelationKind.ACTION
        if symbol.span is not None and bundle.own(symbol.name) and symbol.name not in allowed:
            yield codes.NOTHING_ALLOWS.at(symbol.span, name=symbol.bare)
