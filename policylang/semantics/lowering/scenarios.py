"""Tests and fixtures: every name resolved, every value in the form of requests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from policylang.diagnostics import Diagnostic, Label, Span
from policylang.facts import forms
from policylang.facts.schema import Cardinality, Relation
from policylang.facts.types import Domain, EnumType, ListType, RecordType, SetType, base
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics import codes
from policylang.semantics.constants import SIMPLE, given_twice, literal_type
from policylang.semantics.domains import Domains
from policylang.semantics.lowering.references import find_rule
from policylang.semantics.names import Kind, ModuleNames, Symbol, look_up
from policylang.semantics.relations import SOURCES
from policylang.semantics.scenario import (
    EarlierCall,
    Expectation,
    ExpectObligation,
    ExpectOutcome,
    ExpectValue,
    ExpectViolated,
    Given,
    GivenApproval,
    GivenRow,
    Scenario,
)
from policylang.semantics.suggest import did_you_mean
from policylang.semantics.world import World
from policylang.syntax import tree

T = TypeVar("T")


@dataclass(slots=True)
class _Collected:
    """What the `given` of a test comes to, that of its fixtures included."""

    rows: list[GivenRow] = field(default_factory=list)
    approvals: list[GivenApproval] = field(default_factory=list)
    earlier: list[EarlierCall] = field(default_factory=list)
    now: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Scenarios:
    """Lowers the tests of one module; problems go to those of the bundle."""

    world: World
    domains: Domains
    module: ModuleNames

    def all(self) -> Iterator[Scenario]:
        """The tests of the module that have no problems; fixtures nothing uses are checked too."""
        titles: dict[str, Span] = {}
        for statement in self.module.module.statements:
            if isinstance(statement, tree.FixtureStatement):
                name = f"{self.module.name}.{statement.name.text}"
                self._collect(statement.given, _Collected(), (name,), strict=True)
            elif isinstance(statement, tree.TestStatement):
                self._check_title(statement, titles)
                scenario = self._scenario(statement)
                if scenario is not None:
                    yield scenario

    def _check_title(self, node: tree.TestStatement, titles: dict[str, Span]) -> None:
        first = titles.setdefault(node.title.value, node.title.span)
        if first is not node.title.span:
            labels = [Label(first, "first here")]
            self._report(
                codes.BAD_TEST.at(
                    node.title.span,
                    problem="two tests have this title",
                    label="again here",
                    labels=labels,
                )
            )

    def _scenario(self, node: tree.TestStatement) -> Scenario | None:
        mark = len(self.world.problems)
        strict = not any(_expects_refusal(expected) for expected in node.expectations)
        collected = _Collected()
        self._collect(node.given, collected, (), strict=strict)
        action = self._action(node.when.action)
        args = self._fields(action, node.when.fields, strict=strict) if action else {}
        expected = [self._expectation(item) for item in node.expectations]
        if action is None or len(self.world.problems) > mark:
            return None
        return Scenario(
            module=self.module.name,
            title=node.title.value,
            action=action.name,
            args=args,
            rows=tuple(collected.rows),
            approvals=tuple(collected.approvals),
            earlier=tuple(collected.earlier),
            now=collected.now,
            expectations=tuple(item for item in expected if item is not None),
            span=node.span,
        )

    # --- given -------------------------------------------------------------------------------------------

    def _collect(
        self,
        given: Sequence[tree.Given],
        into: _Collected,
        inside: tuple[str, ...],
        *,
        strict: bool,
    ) -> None:
        for item in given:
            match item:
                case tree.GivenFixture():
                    self._use(item, into, inside, strict=strict)
                case tree.GivenFact():
                    self._row(item, into, strict=strict)
                case tree.GivenNow():
                    into.now = item.value.value
                case tree.GivenApproval():
                    at = item.at.value if item.at else None
                    into.approvals.append(GivenApproval(item.by.value, at, item.span))
                case tree.GivenEarlier():
                    self._earlier(item, into, strict=strict)

    def _use(
        self, item: tree.GivenFixture, into: _Collected, inside: tuple[str, ...], *, strict: bool
    ) -> None:
        found = self._fixture(item.fixture)
        if found is None:
            return
        if found.name in inside:
            self._report_circle(item, inside, found.name)
            return
        assert isinstance(found.node, tree.FixtureStatement)
        mark = len(self.world.problems)
        owner = Scenarios(self.world, self.domains, self.world.names.modules[found.module])
        owner._collect(found.node.given, into, (*inside, found.name), strict=strict)
        circles = [p for p in self.world.problems[mark:] if p.code == codes.BAD_TEST.id]
        self.world.problems[mark:] = circles  # all else is reported at the fixture itself

    def _report_circle(self, item: tree.GivenFixture, inside: tuple[str, ...], name: str) -> None:
        """Report fixtures that use each other, once: where the first by name is looked at."""
        if inside[0] != name or name != min(inside):
            return
        circle = " -> ".join(f"`{each.rpartition('.')[2]}`" for each in (*inside, name))
        problem = f"the fixture uses itself: {circle}"
        hint = "drop one of these `use`: what both need can stand in a fixture of its own"
        self._report(codes.BAD_TEST.at(item.span, problem=problem, label="leads back", hint=hint))

    def _fixture(self, path: tree.Path) -> Symbol | None:
        owner = self._owner(path)
        if owner is None:
            return None
        found = owner.fixtures.get(path.last.text)
        if found is None and not self.world.is_lost(path.last.text):
            hint = did_you_mean(path.last.text, owner.fixtures)
            where = "in this module" if owner is self.module else f"in module `{owner.name}`"
            self._report(
                codes.UNKNOWN_NAME.at(
                    path.last.span, what="fixture", name=path.text, where=where, hint=hint
                )
            )
        return found

    def _owner(self, path: tree.Path) -> ModuleNames | None:
        """The module in which the last name of a path is to be looked for."""
        if len(path.names) == 1:
            return self.module
        alias = path.names[0].text
        imported = self.module.values.get(alias)
        if imported is None or imported.kind is not Kind.MODULE or len(path.names) > 2:
            self.world.report_unknown(self.module, path, "module")
            return None
        self.module.used.add(alias)
        return self.world.names.modules.get(imported.name)

    def _row(self, item: tree.GivenFact, into: _Collected, *, strict: bool) -> None:
        found = look_up(self.world.names, self.module, item.fact)
        if found is None:
            self.world.report_unknown(self.module, item.fact, "fact")
            return
        if found.symbol.kind is not Kind.FACT or found.rest:
            self._wrong_kind(item.fact, found.symbol.kind, "a fact")
            return
        relation = self.world.relations[found.symbol.name]
        fields = self._fields(relation, item.fields, strict=strict)
        source = SOURCES[item.source.source] if item.source else None
        row = GivenRow(relation.name, fields, source, item.span)
        before = [r for r in into.rows if r.relation == relation.name]
        if relation.cardinality is Cardinality.MANY or not before:
            into.rows.append(row)
            return
        # The least source is 0, and one that is said all the same.
        said = before[0].source if source is None else source
        merged = GivenRow(relation.name, {**before[0].fields, **fields}, said, item.span)
        into.rows[into.rows.index(before[0])] = merged

    def _earlier(self, item: tree.GivenEarlier, into: _Collected, *, strict: bool) -> None:
        action = self._action(item.action)
        if action is not None:
            args = self._fields(action, item.fields, strict=strict)
            outcome = item.outcome or tree.EarlierOutcome.EXECUTED
            into.earlier.append(EarlierCall(action.name, args, item.at.value, outcome, item.span))

    def _action(self, path: tree.Path) -> Relation | None:
        found = look_up(self.world.names, self.module, path)
        if found is None:
            self.world.report_unknown(self.module, path, "action")
            return None
        if found.symbol.kind is not Kind.ACTION or found.rest:
            self._wrong_kind(path, found.symbol.kind, "an action")
            return None
        return self.world.relations.get(found.symbol.name)

    # --- values ------------------------------------------------------------------------------------------

    def _fields(
        self, relation: Relation, written: Sequence[tree.FieldValue], *, strict: bool
    ) -> dict[str, Given]:
        columns = {column.name: column for column in relation.columns}
        given: dict[str, Given] = {}
        self.world.problems.extend(given_twice(written))
        for item in written:
            name = item.name.text
            column = columns.get(name)
            if column is None and strict and f"{relation.name}.{name}" not in self.world.spoiled:
                hint = did_you_mean(name, columns)
                self._report(
                    codes.UNKNOWN_FIELD.at(
                        item.name.span, owner=f"`{relation.bare_name}`", name=name, hint=hint
                    )
                )
            # What has no column is reported, or its column is: its value is not looked at.
            domain = column.domain if column is not None else None
            given[name] = self._value(item.value, domain, strict=strict and column is not None)
        return given

    def _value(self, written: tree.Expr, domain: Domain | None, *, strict: bool) -> Given:
        kind = base(domain.type) if domain is not None else None
        match written:
            case tree.ListLiteral():
                element = kind.element if isinstance(kind, ListType | SetType) else None
                return [self._value(item, element, strict=strict) for item in written.items]
            case tree.RecordLiteral():
                fields = {f.name: f for f in kind.fields} if isinstance(kind, RecordType) else {}
                self.world.problems.extend(given_twice(written.fields))
                return {
                    item.name.text: self._value(
                        item.value,
                        known.domain if (known := fields.get(item.name.text)) else None,
                        strict=strict,
                    )
                    for item in written.fields
                }
            case tree.Path():
                return self._bare(written, domain, strict=strict)
            case tree.EnumValue():
                return written.member.text
            case tree.Call() if written.callee.text in ("ip", "cidr") and written.arguments:
                return self._value(written.arguments[0].value, None, strict=strict)
            case _ if isinstance(written, SIMPLE):
                return _in_request(written)
            case _:
                self._report(codes.NOT_CONSTANT.at(written.span, what=f"`{written.span.text}`"))
                return None

    def _bare(self, written: tree.Path, domain: Domain | None, *, strict: bool) -> Given:
        """A member of the enum that the field holds, or a param."""
        kind = base(domain.type) if domain is not None else None
        if isinstance(kind, EnumType) and len(written.names) == 1:
            if strict:
                constants = self.domains.constants(self.module)
                constants.member(kind, written.names[0])
            return written.text
        found = look_up(self.world.names, self.module, written)
        param = self.world.params.get(found.symbol.name) if found and not found.rest else None
        if param is not None:
            return forms.to_json(param.value, param.domain.type)  # type: ignore[no-any-return]
        if strict and found is not None:
            self._report(codes.NOT_CONSTANT.at(written.span, what=f"`{written.text}`"))
        elif strict:
            self.world.report_unknown(self.module, written, "value")
        return written.text

    # --- expectations --------------------------------------------------------------------------------------

    def _expectation(self, item: tree.Expectation) -> Expectation | None:
        match item:
            case tree.ExpectOutcome():
                at = item.at.value if isinstance(item.at, tree.StringLiteral) else None
                at = item.at.text if isinstance(item.at, tree.Path) else at
                rules = [self._rule(path) for path in item.rules]
                named = tuple(symbol.name for symbol in rules if symbol is not None)
                return ExpectOutcome(item.outcome, named, at, item.span)
            case tree.ExpectValue():
                return self._expected_value(item)
            case tree.ExpectObligation():
                return self._expected_obligation(item)
            case tree.ExpectViolated():
                symbol = self._rule(item.never)
                if symbol is not None and symbol.kind is not Kind.NEVER:
                    self._wrong_kind(item.never, symbol.kind, "an invariant")
                return None if symbol is None else ExpectViolated(symbol.name, item.span)

    def _rule(self, path: tree.Path) -> Symbol | None:
        return find_rule(self.world, self.module, path, self.world.problems)

    def _expected_value(self, item: tree.ExpectValue) -> ExpectValue | None:
        found = look_up(self.world.names, self.module, item.decision)
        if found is None:
            self.world.report_unknown(self.module, item.decision, "decision")
            return None
        if found.symbol.kind is not Kind.DECISION or found.rest:
            self._wrong_kind(item.decision, found.symbol.kind, "a decision")
            return None
        decision = self.world.decisions.get(found.symbol.name)
        if decision is None:
            return None
        value: Value | Missing | None = MISSING
        if not isinstance(item.value, tree.PresenceMark):
            value = self.domains.constants(self.module).in_domain(item.value, decision.domain)
        return None if value is None else ExpectValue(decision.name, value, item.span)

    def _expected_obligation(self, item: tree.ExpectObligation) -> ExpectObligation | None:
        if item.arguments is None:
            return ExpectObligation(item.name.text, None, item.span)
        arguments: list[tuple[str, Value]] = []
        for argument in item.arguments:
            value = self._expected_argument(argument)
            if value is None or argument.name is None:
                return None
            arguments.append((argument.name.text, value))
        return ExpectObligation(item.name.text, tuple(arguments), item.span)

    def _expected_argument(self, argument: tree.Argument) -> Value | None:
        """A value of whatever type the obligation has: a bare name is a member, whatever the enum."""
        written = argument.value
        if argument.name is None:
            self._report(
                codes.BAD_TEST.at(
                    argument.span,
                    problem="the arguments of an obligation have names",
                    label="no name",
                )
            )
            return None
        match written:
            case tree.Path() if len(written.names) == 1:
                return written.text
            case tree.EnumValue():
                return written.member.text
            case tree.ListLiteral() | tree.Call():
                return None
            case _ if isinstance(written, SIMPLE):
                return self.domains.constants(self.module).literal(written, literal_type(written))
            case _:
                self._report(codes.NOT_CONSTANT.at(written.span, what=f"`{written.span.text}`"))
                return None

    # --- reporting -------------------------------------------------------------------------------------------

    def _wrong_kind(self, path: tree.Path, found: Kind, wanted: str) -> None:
        self._report(
            codes.WRONG_KIND.at(path.span, name=path.text, found=found.value, wanted=wanted)
        )

    def _report(self, problem: Diagnostic) -> None:
        self.world.problems.append(problem)


def _expects_refusal(item: tree.Expectation) -> bool:
    return isinstance(item, tree.ExpectOutcome) and item.outcome is tree.ExpectedOutcome.REFUSED


def _in_request(written: tree.Literal) -> Given:
    """A literal as a request gives it: numbers and truth values as they are, all else as text."""
    match written:
        case tree.BoolLiteral() | tree.IntLiteral() | tree.DecimalLiteral() | tree.StringLiteral():
            return written.value
        case _:
            return forms.to_json(written.value, literal_type(written))  # type: ignore[no-any-return]
