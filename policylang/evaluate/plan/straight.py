"""Rules without loops as one function over the values of single rows: most decisions need nothing else.

The border gives what it read of a usual request as the values of rows (`policylang.facts.factset.Taken`). Where no rule of
an action ranges over rows, its rules stand one after the other in a function of these values; a table is looked at
by an index that finds at most one row. There is no world, nothing to search and nothing to stop. Where something fails
the function gives up, and the request is evaluated as any other.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from policylang.evaluate.firings import Firing, Pattern
from policylang.evaluate.plan import runtime
from policylang.evaluate.plan.bodies import UnplannableError, can_fail, flattened
from policylang.evaluate.plan.compile import Numbered, atom_term, bindings_code, documented, usage
from policylang.evaluate.plan.components import components
from policylang.evaluate.plan.conditions import condition
from policylang.evaluate.plan.expressions import Constants
from policylang.evaluate.plan.functions import Coder
from policylang.evaluate.plan.guards import Guards
from policylang.evaluate.plan.legend import constants_legend, rows_legend
from policylang.evaluate.plan.places import Ends, Functions, Place
from policylang.evaluate.plan.runtime import Guard, Late, RuleFunction
from policylang.evaluate.plan.tails import in_order
from policylang.evaluate.plan.world import Index, Layout, SlotKind
from policylang.facts import tree
from policylang.facts.factset import Shape
from policylang.facts.tree import Statements
from policylang.facts.types import Type, base
from policylang.semantics.program import (
    Aggregate,
    Body,
    Derive,
    Literal,
    Match,
    Rule,
)
from policylang.semantics.slicing import matches

MOST_RULES: Final = 128
"""Rules that stand in one function; those that a constant tells apart are not counted."""


class Known(Protocol):
    """What is there before a request comes: tables, reference data and settled definitions."""

    def index(self, name: str, positions: tuple[int, ...]) -> Index:
        """The rows or atoms by their values at some positions."""
        ...

    def atoms(self, name: str) -> Container[tuple[Any, ...]]:
        """The atoms of a settled definition."""
        ...


class NotStraightError(Exception):
    """The rules of an action need more than the values of single rows."""


@dataclass(frozen=True, slots=True)
class Straight:
    """The function of an action's rules for requests of one shape.

    `run(parts, more)` gives what fired as a key and the firings, or None where something fails. The
    key stands for the rules that fired, each once: a number whose bits are the places in `rules`, or their positions.
    """

    run: Callable[[tuple[Any, ...], Mapping[str, Any]], tuple[Any, tuple[Firing, ...]] | None]
    rules: Mapping[int, Rule]
    patterns: dict[Any, Pattern] = field(default_factory=dict)

    def pattern(self, key: Any) -> Pattern:
        """The rules that a key stands for."""
        if len(self.patterns) >= _MOST_PATTERNS:
            self.patterns.clear()
        if isinstance(key, int):
            rules = [rule for i, rule in enumerate(self.rules.values()) if key >> i & 1]
        else:
            rules = [self.rules[position] for position in key]
        found = self.patterns[key] = Pattern(tuple(rules))
        return found


_MOST_PATTERNS: Final = 4096


def straight(
    rules: Sequence[Numbered], layout: Layout, shape: Shape, known: Known
) -> Straight | None:
    """The function of some rules for requests of a shape; None where they are not of this kind.

    `layout` says which definitions are settled, `known` gives what is in them. Rules that a constant tells apart are
    compiled when a request brings their constant; one of them that is not of this kind leaves its requests to the plan.
    """
    try:
        return _Compiler(_Layout(layout), shape, known).compile(rules)
    except _REFUSED:
        return None


def straight_text(
    rules: Sequence[Numbered], layout: Layout, shape: Shape, known: Known
) -> str | None:
    """The code of `straight` as Python text, that of every rule in it."""
    try:
        return _Compiler(_Layout(layout), shape, known).text(rules)
    except _REFUSED:
        return None


class _Layout(Layout):
    """The rows that a request gives, by number. Nothing else has a slot, and once it is `closed` nothing gets one."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout.program, layout.reference, layout.dynamic)
        self.settled = layout.settled
        self.names: list[str] = []
        self.closed = False

    def number(self, kind: SlotKind, name: str, positions: tuple[int, ...] = ()) -> int:
        if kind is not SlotKind.ONE:
            raise NotStraightError(kind, name, positions)
        if name not in self.names:
            if self.closed:
                raise NotStraightError(name)
            self.names.append(name)
        return self.names.index(name)


class _Coder(Coder):
    """Makes the code of bodies over variables that hold the values of rows."""

    def __init__(self, functions: Functions, shape: Shape, known: Known) -> None:
        super().__init__(functions, repeated=False)
        self._shape = {part.relation: part for part in shape.parts}
        self._known = known

    def slot(self, kind: SlotKind, name: str, positions: tuple[int, ...] = ()) -> str:
        if kind is SlotKind.SEEN:
            return self._seen(name)
        return f"one_{self.layout.number(kind, name, positions)}"

    def _seen(self, name: str) -> str:
        if name in self.layout.settled:
            found = self.functions.constants.named(self._known.atoms(name), "settled")
            assert isinstance(found, ast.Name)
            return found.id
        return seen_name(name)

    def _match(
        self, position: int, literal: Match, place: Place, then: Callable[[Place], Statements]
    ) -> Statements:
        known = self.known(literal, place)
        if self.layout.is_single(literal.name):
            return self._single(position, literal, place, then)
        if self.layout.is_derived(literal.name) and len(known) == len(literal.arguments):
            return super()._match(position, literal, place, then)
        if self._has_one_atom(literal.name):
            return self._the_only_atom(literal, place, then)
        if not known or not self.layout.is_ready(literal.name) or literal.source is not None:
            raise NotStraightError(literal.name)
        found = self.looked_up(literal, place)
        if found is not None:
            return [
                tree.when(found, then(self._matching(position, literal.name, tree.NONE, place)))
            ]
        return self._the_only_row(literal, known, place, then)

    def looked_up(self, literal: Match, place: Place) -> ast.expr | None:
        known = self.known(literal, place)
        rest = [p for p in range(len(literal.arguments)) if p not in known]
        if not known or not self.layout.is_ready(literal.name) or literal.source is not None:
            return None
        if any(self._asks(literal, p) for p in rest):
            return None
        index = self.functions.constants.named(
            self._known.index(literal.name, tuple(known)), "index"
        )
        return tree.compare(self._key(literal, known, place), ast.In(), index)

    def _key(self, literal: Match, known: Sequence[int], place: Place) -> ast.expr:
        keys = [self.argument(literal.arguments[p], place) for p in known]
        return keys[0] if len(keys) == 1 else tree.pair(keys)

    def _has_one_atom(self, name: str) -> bool:
        """Whether a definition that depends on the request derives one atom at most: by one clause, in one place."""
        if not self.layout.is_derived(name) or name in self.layout.settled:
            return False
        heads = (rule.head for rule in self.layout.program.rules)
        return sum(isinstance(head, Derive) and head.predicate == name for head in heads) == 1

    def _the_only_atom(
        self, literal: Match, place: Place, then: Callable[[Place], Statements]
    ) -> Statements:
        atoms, atom = tree.name(seen_name(literal.name)), self.functions.fresh("atom")
        body = self._unified(literal, range(len(literal.arguments)), tree.name(atom), place, then)
        return [tree.when(atoms, [tree.assign(atom, tree.item(atoms, 0)), *body])]

    def _the_only_row(
        self,
        literal: Match,
        known: Sequence[int],
        place: Place,
        then: Callable[[Place], Statements],
    ) -> Statements:
        """A match with the only row that an index finds."""
        index = self._known.index(literal.name, tuple(known))
        if not isinstance(index, dict) or any(len(rows) > 1 for rows in index.values()):
            raise NotStraightError(literal.name)
        key = self._key(literal, known, place)
        found, values = self.functions.fresh("found"), self.functions.fresh("row")
        get = tree.method(self.functions.constants.named(index, "index"), "get", key)
        row = tree.item(tree.name(found), 0)
        if not self.layout.is_derived(literal.name):
            row = tree.read(row, "values")
        others = [p for p in range(len(literal.arguments)) if p not in known]
        body = self._unified(literal, others, tree.name(values), place, then)
        return [
            tree.assign(found, get),
            tree.when(
                tree.negated(tree.is_none(tree.name(found))), [tree.assign(values, row), *body]
            ),
        ]

    def _single(
        self, position: int, literal: Match, place: Place, then: Callable[[Place], Statements]
    ) -> Statements:
        if literal.source is not None:
            part = self._shape.get(literal.name)
            if part is None:
                raise NotStraightError(literal.name)
            if part.source < literal.source:
                return [ast.Pass()]
            literal = replace(literal, source=None)
        return super()._single(position, literal, place, then)

    def _loop(self, row: str, over: ast.expr, body: Statements, place: Place) -> Statements:
        raise NotStraightError(row, over, body, place)

    def aggregated(self, literal: Aggregate, place: Place) -> ast.expr:
        raise NotStraightError(literal.origin.text, place)

    def holding(self, body: Body, place: Place, kind: str) -> ast.expr:
        found = condition(self, body, place)
        if found is None:
            raise NotStraightError(kind)
        return found

    def _tail(
        self, waiting: Sequence[Literal], around: Any, place: Place, ends: Ends
    ) -> Statements:
        if not waiting:
            return ends.holds(place)
        # What follows is known once all is bound; until then its place is kept by a condition that is true.
        reached: Statements = []
        bound: dict[str, str] = {}
        kept: Statements = [ast.If(tree.constant(True), reached, [])]
        code = self._quick(tuple(in_order(waiting, around, place)), place, bound, kept)
        reached += ends.holds(place.knowing(bound))
        return code


_SEEN: Final = "seen_"


def seen_name(predicate: str) -> str:
    """The variable that holds the atoms of a definition."""
    return _SEEN + "".join(c if c.isascii() and c.isalnum() else "_" for c in predicate)


class _Compiler:
    def __init__(self, layout: _Layout, shape: Shape, known: Known) -> None:
        self.layout = layout
        self.shape = shape
        self.given = known
        self.constants = Constants()
        self.functions = Functions(self.layout, self.constants)

    def compile(self, rules: Sequence[Numbered]) -> Straight:
        """The function of some rules. Raises where they are not of this kind."""
        ordered, chosen, guards = self._sorted(rules)
        function, in_place = self._decide(ordered, guards)
        self.layout.closed = True
        late = Late(lambda position: self._late(position, chosen[position]))
        module = ast.Module([*self.functions.made, function], [])
        names = self._executed(module, guards.made(late.function))
        return Straight(names["decide"], dict(ordered if in_place else rules))

    def text(self, rules: Sequence[Numbered]) -> str:
        """The code of some rules, that which is made when it is needed included."""
        ordered, chosen, guards = self._sorted(rules)
        for position, rule in chosen.items():
            self._guarded(rule, f"rule_{position}")
        function, _ = self._decide(ordered, guards)
        tables = guards.tables(self.constants)
        module = ast.Module([*self.functions.made, *tables, function], [])
        code = ast.unparse(tree.located(module))
        legend = [*rows_legend(self.layout.names), *constants_legend(self.constants.values)]
        return "\n".join([*legend, "", code])

    def _sorted(self, rules: Sequence[Numbered]) -> tuple[list[Numbered], dict[int, Rule], Guards]:
        """The rules that every request evaluates, in order, and those that a constant chooses."""
        clauses = [each for each in rules if each[1].is_clause]
        others = [each for each in rules if not each[1].is_clause]
        guards = Guards(self.layout, [rule for _, rule in others])
        ordered: list[Numbered] = []
        chosen: dict[int, Rule] = {}
        for component in components(rule for _, rule in clauses):
            if component.recursive:
                raise NotStraightError(*component.names)
            ordered += [each for each in clauses if _derived(each[1]) in component.names]
        for position, rule in others:
            if guards.take(position, rule, f"rule_{position}"):
                chosen[position] = rule
                self._number_rows(rule)
            else:
                ordered.append((position, rule))
        if len(ordered) > MOST_RULES:
            raise NotStraightError(f"{len(ordered)} rules")
        return ordered, chosen, guards

    def _number_rows(self, rule: Rule) -> None:
        """Give numbers to the rows that a rule reads, whose code is made later."""
        for match in matches(rule.body):
            if self.layout.is_single(match.name):
                self.layout.number(SlotKind.ONE, match.name)

    def _decide(self, ordered: Sequence[Numbered], guards: Guards) -> tuple[ast.stmt, bool]:
        """The function for a request, and whether it gives the rules that fired as bits of a number."""
        chosen = guards.code()
        in_place = not chosen and ordered == sorted(ordered, key=lambda each: each[0])
        derived = {_derived(rule) for _, rule in ordered if rule.is_clause}
        names = sorted(map(seen_name, derived))
        if len(set(names)) < len(derived):
            raise NotStraightError("definitions of the same name in Python")
        code: Statements = [tree.assign(name, tree.pair(())) for name in names]
        for number, (position, rule) in enumerate(ordered):
            code += self._rule(rule, position, number if in_place else None)
        return self._function(code, chosen, in_place=in_place), in_place

    def _executed(self, module: ast.Module, guards: Sequence[Guard] = ()) -> dict[str, Any]:
        """The names that a module makes."""
        tree.located(module)
        names: dict[str, Any] = {
            **runtime.GLOBALS,
            **self.constants.values,
            "GUARDS": guards,
            "keyed": runtime.keyed,
            "only": runtime.only,
        }
        exec(compile(module, "<straight>", "exec"), names)
        return names

    def _function(self, rules: Statements, chosen: Statements, *, in_place: bool) -> ast.stmt:
        used = _variables(rules)
        start = [s for i, s in self._inputs() if f"one_{i}" in used or not in_place]
        if in_place:
            start += [tree.assign("fired", tree.constant(0)), tree.assign("own", tree.pair(()))]
            last = tree.give(tree.pair([tree.name("fired"), tree.name("own")]))
        else:
            ones = tree.pair(tree.name(f"one_{i}") for i in range(len(self.layout.names)))
            start += [tree.assign("w", ones), tree.assign("hits", ast.List([], ast.Load()))]
            last = tree.give(tree.call("keyed", tree.name("hits")))
        gives_up = [tree.give(tree.NONE)]
        body = [*start, tree.attempt([*rules, *chosen, ast.Pass()], "FAILS", gives_up, []), last]
        return tree.function("decide", ["parts", "more"], "", body)

    def _inputs(self) -> Iterator[tuple[int, ast.stmt]]:
        """The statements that give variables the values of rows, or None, by the numbers of these."""
        places = {part.relation: i for i, part in enumerate(self.shape.parts)}
        for number, name in enumerate(self.layout.names):
            if name not in places:
                given = tree.call("only", tree.name("more"), tree.constant(name))
            elif self.shape.parts[places[name]].many:
                raise NotStraightError(name)
            else:
                given = tree.item(tree.name("parts"), places[name])
            yield number, tree.assign(f"one_{number}", given)

    # --- rules ------------------------------------------------------------------------------------------

    def _rule(self, rule: Rule, position: int, number: int | None) -> Statements:
        """The code of one rule in its place; `number` is its bit in the key, if the key is of bits."""
        coder = self._coder(rule)
        flats = flattened(rule.body, ())
        if len(flats) > 1 and (isinstance(rule.head, Derive) or not _is_either(rule, flats)):
            raise NotStraightError(rule.name)
        code: Statements = [tree.do(tree.constant(documented(rule)))]
        ends = Ends(lambda place: self._holds(rule, position, number, place), _never)
        for i, flat in enumerate(flats):
            body = coder.instances(flat, Place({}), ends)
            code += body if i == 0 else [tree.when(_not_fired(position, number), body)]
        return code

    def _coder(self, rule: Rule) -> _Coder:
        coder = _Coder(self.functions, self.shape, self.given)
        coder.used = usage(rule)
        return coder

    def _holds(self, rule: Rule, position: int, number: int | None, place: Place) -> Statements:
        firing = self._firing(rule, place)
        code: Statements = []
        if isinstance(rule.head, Derive):
            atom = self._atom(rule, rule.head, place)
            code.append(_more(seen_name(rule.head.predicate), ast.Add(), tree.pair([atom])))
        if number is None:
            hit = tree.pair([tree.constant(position), firing])
            return [*code, tree.do(tree.method(tree.name("hits"), "append", hit))]
        bit = tree.constant(1 << number)
        return [*code, _more("fired", ast.BitOr(), bit), _more("own", ast.Add(), firing)]

    def _atom(self, rule: Rule, head: Derive, place: Place) -> ast.expr:
        values = bindings_code(rule, place, self.layout)
        bound = {v.name: value for v, value in zip(rule.variables, values, strict=True)}
        given: dict[str, set[Type | None]] = {v.name: {base(v.type)} for v in rule.variables}
        types = self.layout.program.predicates[head.predicate].types
        return tree.pair(
            atom_term(term, bound.__getitem__, type_, given, self.constants)
            for term, type_ in zip(head.arguments, types, strict=True)
        )

    def _firing(self, rule: Rule, place: Place) -> ast.expr:
        """The firings of a rule: one, in a tuple."""
        if not rule.variables:
            return self.constants.named((Firing(rule.name, ()),), "firing")
        bindings = tree.pair(bindings_code(rule, place, self.layout))
        parts = tree.pair([tree.constant(rule.name), bindings])
        return tree.pair([tree.call("new", tree.name("Firing"), parts)])

    def _late(self, position: int, rule: Rule) -> RuleFunction:
        """The function of a rule that a constant chooses, made when a request brings the constant."""
        alone = _Compiler(self.layout, self.shape, self.given)
        name = f"rule_{position}"
        try:
            alone._guarded(rule, name)
            names = alone._executed(ast.Module(alone.functions.made, []))
        except _REFUSED:
            return runtime.gives_up
        made: RuleFunction = names[name]
        return made

    def _guarded(self, rule: Rule, name: str) -> None:
        """The function of a rule that a constant chooses: it gives its firings, or gives up."""
        try:
            body = self._chosen(rule)
        except (NotStraightError, UnplannableError):
            body = [tree.do(tree.call("gives_up"))]
        self.functions.add(name, (), documented(rule), body)

    def _chosen(self, rule: Rule) -> Statements:
        coder = self._coder(rule)
        flats = flattened(rule.body, ())
        if len(flats) > 1 and not _is_either(rule, flats):
            raise NotStraightError(rule.name)
        ends = Ends(lambda place: [tree.give(self._firing(rule, place))], _never)
        body = [s for flat in flats for s in coder.instances(flat, Place({}), ends)]
        used = _variables(body)
        if any(x.startswith(_SEEN) for x in used):
            raise NotStraightError("a rule that a constant chooses reads a definition")
        read = [
            tree.assign(f"one_{i}", tree.item(tree.name("w"), i))
            for i in range(len(self.layout.names))
            if f"one_{i}" in used
        ]
        return [*read, *body, tree.give(tree.pair(()))]


_REFUSED: Final = (
    NotStraightError,
    UnplannableError,
    RecursionError,
    SyntaxError,
    MemoryError,
)


def _is_either(rule: Rule, flats: Sequence[Body]) -> bool:
    """Whether one branch that holds is all there is to know: none binds what a firing shows, and none can fail.

    INVARIANT: a branch that fails fails the decision, though another one holds; so none may be passed over that can.
    """
    return not rule.variables and not any(can_fail(literal) for flat in flats for literal in flat)


def _variables(code: Statements) -> set[str]:
    return {node.id for part in code for node in ast.walk(part) if isinstance(node, ast.Name)}


def _never() -> Statements:
    raise NotStraightError("what fails gives up")


def _more(x: str, operator: ast.operator, value: ast.expr) -> ast.stmt:
    return ast.AugAssign(ast.Name(x, ast.Store()), operator, value)


def _not_fired(position: int, number: int | None) -> ast.expr:
    """Whether no branch of a rule before this one held: its bit is the highest yet, its hit the last."""
    if number is not None:
        return tree.compare(tree.name("fired"), ast.Lt(), tree.constant(1 << number))
    last = tree.item(tree.item(tree.name("hits"), -1), 0)
    other = tree.compare(last, ast.NotEq(), tree.constant(position))
    return tree.any_of([tree.negated(tree.name("hits")), other])


def _derived(rule: Rule) -> str:
    assert isinstance(rule.head, Derive)
    return rule.head.predicate
