"""Random safe bodies: generators first bind, the rest reads what is bound, and then the order is shuffled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from policylang.diagnostics import Source as Text
from policylang.diagnostics import Span
from policylang.facts.schema import Source
from policylang.facts.types import DURATION, INT, Field, ListType, Type, base, is_number
from policylang.semantics.operations import is_ordered
from policylang.semantics.program import (
    ABSENT,
    ANY,
    PRESENT,
    Aggregate,
    AggregateKind,
    Apply,
    Argument,
    Bind,
    Body,
    Constant,
    Each,
    Expression,
    Literal,
    Match,
    Not,
    Or,
    Origin,
    Term,
    Test,
    Variable,
)
from tests.reference.draws import Draws, chance, pick
from tests.reference.expressions import Expressions, element_type, fits

ORIGIN = Origin(Span(Text("<generated>", ""), 0, 0), "")


@dataclass(frozen=True)
class Readable:
    """What bodies may match, and whether their expressions may often fail."""

    relations: Mapping[str, tuple[Field, ...]]
    definitions: Mapping[str, tuple[Type, ...]]
    strata: Mapping[str, int]
    fallible: bool
    writable: bool = False
    """Keep to what policies can say: written variables, each bound in one place."""


class Scope:
    """The variables that a body may read, and those among them that it binds itself."""

    def __init__(self, outer: Sequence[Variable], targets: Sequence[Variable] = ()) -> None:
        self.variables = list(outer)
        self.bound: list[Variable] = []
        self.targets = list(targets)

    def add(self, variable: Variable) -> None:
        """A variable now has a value."""
        if variable not in self.variables:
            self.variables.append(variable)
            self.bound.append(variable)
        if variable in self.targets:
            self.targets.remove(variable)

    def fitting(self, wanted: Type) -> list[Variable]:
        """Variables whose type is wide enough for values of the given one."""
        return [v for v in self.variables if fits(v.type, wanted)]


class Maker:
    """Makes the body of one rule.

    Definitions below `stratum` may be matched anywhere; those of the same stratum only positively, and then
    (`growing` false) nothing is calculated that a head could hold, so that recursion ends.
    """

    def __init__(self, draws: Draws, readable: Readable, stratum: int, *, growing: bool) -> None:
        self._draws = draws
        self._readable = readable
        self._expressions = Expressions(
            draws, fallible=readable.fallible, writable=readable.writable
        )
        self._growing = growing or chance(draws, 50)
        self._below = [name for name, level in readable.strata.items() if level < stratum]
        self._beside = (
            [] if self._growing else [n for n, s in readable.strata.items() if s == stratum]
        )
        self._count = 0
        self._made: set[str] = set()
        """Variables that hold what an aggregate gives: values that no row may have."""

    def body(
        self,
        outer: Sequence[Variable],
        depth: int,
        targets: Sequence[Variable] = (),
        *,
        within: bool = False,
    ) -> tuple[Body, list[Variable]]:
        """A body and the variables that it binds; `within` a negation or an aggregate."""
        scope = Scope(outer, targets)
        literals = [
            self._literal(scope, depth, within) for _ in range(1 + self._draws.below(2 + depth))
        ]
        for target in list(scope.targets):
            term = self._expressions.term(target.type, scope.variables)
            literals.append(self._bound(target, term))
            scope.add(target)
        return tuple(self._shuffled(literals)), scope.bound

    def head_term(self, type_: Type, bound: Sequence[Variable]) -> Term:
        """A bound variable or a constant of the type; where recursion is possible no value made by an aggregate."""
        if not self._growing:
            bound = [variable for variable in bound if variable.name not in self._made]
        return self._expressions.term(type_, bound)

    def _shuffled(self, literals: Sequence[Literal]) -> list[Literal]:
        placed: list[Literal] = []
        for literal in literals:
            placed.insert(len(placed) - self._draws.below(len(placed) + 1), literal)
        return placed

    def _literal(self, scope: Scope, depth: int, within: bool) -> Literal:
        kinds: list[Callable[[], Literal]] = [
            lambda: self._match(scope, within),
            lambda: self._match(scope, within),
            lambda: self._match(scope, within),
            lambda: self._test(scope),
            lambda: self._test(scope),
            lambda: self._bind(scope),
            lambda: self._each(scope),
        ]
        if depth > 0:
            kinds += [
                lambda: self._not(scope, depth - 1),
                lambda: self._or(scope, depth - 1, within),
                lambda: self._aggregate(scope, depth - 1),
            ]
        return pick(self._draws, kinds)()

    def _fresh(self, type_: Type) -> Variable:
        self._count += 1
        hidden = not self._readable.writable and chance(self._draws, 15)
        return Variable(f"{'_h' if hidden else 'X'}{self._count}", type_, hidden)

    def _new(self, scope: Scope, type_: Type) -> Variable:
        """A variable to bind to a value of the type: one that waits for it, or a fresh one."""
        waiting = [v for v in scope.targets if fits(v.type, type_)]
        variable = waiting[0] if waiting else self._fresh(type_)
        scope.add(variable)
        return variable

    # --- generators -----------------------------------------------------------------------------------

    def _match(self, scope: Scope, within: bool) -> Match:
        definitions = self._below if within else self._below + self._beside
        name = pick(self._draws, [*definitions, *self._readable.relations])
        if name in self._readable.definitions:
            types = self._readable.definitions[name]
            return Match(
                name, tuple(self._argument(scope, type_, False) for type_ in types), ORIGIN
            )
        columns = self._readable.relations[name]
        arguments = tuple(self._argument(scope, c.domain.type, c.optional) for c in columns)
        source = pick(self._draws, tuple(Source)) if chance(self._draws, 10) else None
        return Match(name, arguments, ORIGIN, source)

    def _argument(self, scope: Scope, type_: Type, optional: bool) -> Argument:
        found = scope.fitting(type_)
        choice = self._draws.below(10)
        if choice < 2:
            return ANY
        if choice < 4 and found:
            return pick(self._draws, found)
        if choice == 4:
            return self._expressions.constant(type_)
        if choice == 5 and optional:
            return pick(self._draws, (ABSENT, PRESENT))
        return self._new(scope, type_)

    def _each(self, scope: Scope) -> Each:
        known = self._expressions.collections
        kinds = [v.type for v in scope.variables if base(v.type) in known]
        collection = self._expressions.term(pick(self._draws, kinds or known), scope.variables)
        index: Argument = ANY
        if isinstance(base(collection.type), ListType) and chance(self._draws, 60):
            index = self._argument(scope, INT, False)
        element = self._argument(scope, element_type(collection), False)
        if element is ANY and self._readable.writable:
            element = self._new(scope, element_type(collection))
        return Each(collection, element, index, ORIGIN)

    def _bind(self, scope: Scope) -> Bind:
        types = [v.type for v in scope.variables] or [pick(self._draws, self._expressions.types)]
        depth = 2 if self._growing else 0
        wanted = pick(self._draws, types)
        value = self._expressions.expression(wanted, scope.variables, depth)
        again = scope.fitting(value.type)
        if again and not self._readable.writable and chance(self._draws, 30):
            return self._bound(pick(self._draws, again), value)
        return self._bound(self._new(scope, value.type), value)

    def _bound(self, variable: Variable, value: Expression) -> Bind:
        if isinstance(value, Apply) or (isinstance(value, Variable) and value.name in self._made):
            self._made.add(variable.name)
        return Bind(variable, value, ORIGIN)

    def _test(self, scope: Scope) -> Test:
        return Test(self._expressions.condition(scope.variables, 2), ORIGIN)

    # --- bodies inside --------------------------------------------------------------------------------

    def _not(self, scope: Scope, depth: int) -> Not:
        body, bound = self.body(scope.variables, depth, within=True)
        return Not(body, tuple(bound), ORIGIN)

    def _or(self, scope: Scope, depth: int, within: bool) -> Or:
        binds = [
            self._fresh(pick(self._draws, self._expressions.types))
            for _ in range(self._draws.below(3))
        ]
        branches = tuple(
            self.body(scope.variables, depth, binds, within=within)[0]
            for _ in range(2 + self._draws.below(2))
        )
        for variable in binds:
            scope.add(variable)
        return Or(branches, tuple(binds), ORIGIN)

    def _aggregate(self, scope: Scope, depth: int) -> Aggregate:
        body, bound = self.body(scope.variables, depth, within=True)
        ordered = [v for v in bound if is_ordered(v.type)]
        # A sum of what the recursion itself gives would grow without end.
        added = [v for v in ordered if self._growing and _is_added(v.type)]
        kinds = {AggregateKind.MIN: ordered, AggregateKind.MAX: ordered, AggregateKind.SUM: added}
        possible = [kind for kind, variables in kinds.items() if variables]
        kind = pick(self._draws, [AggregateKind.COUNT, *possible])
        if kind is AggregateKind.COUNT:
            return self._result(scope, kind, None, INT, body, bound)
        variable = pick(self._draws, kinds[kind])
        return self._result(scope, kind, variable, base(variable.type), body, bound)

    def _result(
        self,
        scope: Scope,
        kind: AggregateKind,
        value: Variable | None,
        type_: Type,
        body: Body,
        local: Sequence[Variable],
    ) -> Aggregate:
        expression = value
        if value is not None and self._growing and chance(self._draws, 30):
            inside = [*scope.variables, *local]
            grown = self._expressions.expression(type_, inside, 1)
            expression = grown if fits(type_, grown.type) else value  # type: ignore[assignment]
        again = scope.fitting(type_)
        if again and not self._readable.writable and chance(self._draws, 20):
            result = pick(self._draws, again)
        else:
            result = self._new(scope, type_)
        self._made.add(result.name)
        return Aggregate(kind, result, expression, body, tuple(local), ORIGIN)


def _is_added(type_: Type) -> bool:
    return is_number(base(type_)) or base(type_) is DURATION


def in_order(body: Body) -> list[Variable]:
    """The variables that the literals of a body bind, nested negations and aggregates left out."""
    found: list[Variable] = []
    for literal in body:
        match literal:
            case Match():
                found += [a for a in literal.arguments if isinstance(a, Variable)]
            case Each():
                found += [a for a in (literal.element, literal.index) if isinstance(a, Variable)]
            case Bind():
                found.append(literal.variable)
            case Or():
                found += literal.binds
            case Aggregate():
                found.append(literal.result)
            case Test() | Not():
                pass
    return list(dict.fromkeys(found))


__all__ = ["Constant", "Maker", "Readable", "in_order"]
