"""Rules compiled to one Python function that evaluates them for a request."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

from policylang.evaluate.firings import Firing
from policylang.evaluate.plan import runtime
from policylang.evaluate.plan.bodies import UnplannableError, can_fail, flattened
from policylang.evaluate.plan.components import components
from policylang.evaluate.plan.digits import binding_types, with_digits
from policylang.evaluate.plan.expressions import Constants
from policylang.evaluate.plan.functions import Coder
from policylang.evaluate.plan.guards import Guards
from policylang.evaluate.plan.legend import constants_legend, slots_legend
from policylang.evaluate.plan.numbers import shown
from policylang.evaluate.plan.places import Ends, Functions, Place
from policylang.evaluate.plan.runtime import Growing, Guard, Late, RuleFunction
from policylang.evaluate.plan.world import (
    FAILED,
    GIVEN,
    RESERVED,
    Layout,
    Slot,
    SlotKind,
    World,
)
from policylang.evaluate.scopes import body_variables
from policylang.facts import tree
from policylang.facts.tree import Statements
from policylang.facts.types import (
    BOOL,
    DATE,
    DATETIME,
    DURATION,
    INT,
    STRING,
    TIME,
    DecimalType,
    EnumType,
    Type,
    base,
)
from policylang.semantics.program import (
    Body,
    Constant,
    Derive,
    Each,
    Head,
    Match,
    Rule,
    Term,
    Variable,
)
from policylang.semantics.slicing import matches

Numbered = tuple[int, Rule]
"""A rule and its position in the program."""


Decide: TypeAlias = Callable[[World, Mapping[str, Any]], runtime.Hits]
"""The function of some rules: from a world and the rows of a request to their hits."""

Initial: TypeAlias = Callable[[Slot], Any]
"""What a slot holds before a request comes."""


def compiled(rules: Sequence[Numbered], layout: Layout, initial: Initial) -> Decide:
    """The code of rules whose definitions are complete (or settled in the layout).

    Rules that a constant tells apart are compiled when a request brings their constant: `initial` fills the slots that
    they add to the layout. `UnplannableError` where a plan cannot take the rules, then or now.
    """
    compiler = _Compiler(layout)
    chosen, guards = compiler.begun(rules)
    late = Late(_late_rules(chosen, layout, initial))
    module = compiler.module(guards)
    names = compiler.executed(module, guards.made(late.function))
    made: Decide = names["decide"]
    return made


def text_of(rules: Sequence[Numbered], layout: Layout) -> str:
    """The code of rules as Python text, that which is made when it is needed included."""
    compiler = _Compiler(layout)
    chosen, guards = compiler.begun(rules)
    for position, rule in chosen.items():
        compiler.rule(position, rule)
    code = ast.unparse(tree.located(compiler.module(guards, compiler.constants)))
    legend = [*slots_legend(layout), *constants_legend(compiler.constants.values)]
    return "\n".join([*legend, "", code])


def _late_rules(
    rules: Mapping[int, Rule], layout: Layout, initial: Initial
) -> Callable[[int], RuleFunction]:
    """What makes the functions of rules that a constant chooses, after the code for all requests is made."""

    def make(position: int) -> RuleFunction:
        alone = _Compiler(layout)
        name = alone.rule(position, rules[position])
        alone.hold_rows()
        names = alone.executed(ast.Module(alone.functions.made, []))
        function: RuleFunction = names[name]
        return _widening(function, layout, initial)

    return make


def _widening(function: RuleFunction, layout: Layout, initial: Initial) -> RuleFunction:
    """A rule's function for worlds that were started before its slots were known."""
    size = RESERVED + len(layout.slots)

    def run(world: World) -> Sequence[Firing]:
        if len(world) < size:
            rows = world[GIVEN]
            for slot in layout.slots[len(world) - RESERVED :]:
                world.append(_filled(slot, layout, rows, initial))
        return function(world)

    return run


def _filled(slot: Slot, layout: Layout, rows: Mapping[str, Sequence[Any]], initial: Initial) -> Any:
    """What `decide` would have put into a slot that came after it."""
    given = rows.get(slot.name)
    match slot.kind:
        case SlotKind.ONE:
            return given[0].values if given else None
        case SlotKind.ROW:
            return given[0] if given else None
        case SlotKind.ROWS if not layout.is_given_once(slot.name):
            return runtime.joined(layout.reference.get(slot.name, ()), given or ())
        case _:
            return initial(slot)


class _Compiler:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.constants = Constants()
        self.functions = Functions(layout, self.constants)
        self.steps: Statements = []
        self._order: list[int] = []

    def begun(self, rules: Sequence[Numbered]) -> tuple[dict[int, Rule], Guards]:
        """Take rules up: the steps for those that every request evaluates, and those that a constant chooses."""
        clauses = [each for each in rules if each[1].is_clause]
        for component in components(rule for _, rule in clauses):
            mine = [(p, r) for p, r in clauses if _predicate(r) in component.names]
            if component.recursive:
                self._recursion(mine, component.names)
            else:
                for position, rule in mine:
                    self._called(position, self.rule(position, rule))
        chosen: dict[int, Rule] = {}
        guards = Guards(self.layout, [rule for _, rule in rules if not rule.is_clause])
        for position, rule in rules:
            if rule.is_clause:
                continue
            if guards.take(position, rule, self._name(position, rule)):
                chosen[position] = rule
            else:
                self._called(position, self.rule(position, rule))
        return chosen, guards

    def _called(self, position: int, name: str) -> None:
        """A step that evaluates a rule and keeps its firings."""
        self._order.append(position)
        self.steps.append(tree.assign("fired", tree.call(name, tree.name("w"))))
        self.steps.append(tree.when(tree.name("fired"), [_hit(position)]))

    # --- rules ----------------------------------------------------------------------------------------------

    def rule(self, position: int, rule: Rule) -> str:
        """The function of one rule outside of any recursion: its name."""
        name = self._name(position, rule)
        coder = self._coder(rule, repeated=False)
        flats = flattened(rule.body, ())
        if isinstance(rule.head, Derive):
            start, ends, last = self._clause_ends(position, rule, rule.head)
        else:
            start, ends, last = self._rule_ends(position, rule, flats)
        body: Statements = []
        for flat in flats:
            body += coder.instances(flat, Place({}), ends)
        body = [*coder.prologue(), *start, *body, *last]
        self.functions.add(name, (), documented(rule), body)
        return name

    def _coder(self, rule: Rule, *, repeated: bool, recursive: Collection[str] = ()) -> Coder:
        coder = Coder(self.functions, repeated=repeated, recursive=recursive)
        coder.used = usage(rule)
        return coder

    def _name(self, position: int, rule: Rule) -> str:
        plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in rule.name)
        return f"rule_{position}_{plain}"

    def _failed(self, position: int) -> Callable[[], Statements]:
        failed = tree.item(tree.name("w"), FAILED)
        return lambda: [tree.do(tree.method(failed, "append", tree.constant(position)))]

    def _rule_ends(
        self, position: int, rule: Rule, flats: Sequence[Body]
    ) -> tuple[Statements, Ends, Statements]:
        fails = self._failed(position)
        fallible = any(can_fail(literal) for flat in flats for literal in flat)
        nothing = tree.give(tree.pair(()))
        if rule.variables:
            lone = not fallible and len(flats) == 1 and self._has_one_instance(flats[0])
            if lone:
                return [], Ends(lambda place: [_fired(rule, place, self.layout)], fails), [nothing]
            found = tree.assign("found", ast.Dict([], []))
            fire = tree.give(self._fire(rule, tree.name("found")))
            last = [tree.when(tree.name("found"), [fire]), nothing]
            return [found], Ends(lambda place: [_found(rule, place, self.layout)], fails), last
        firing = self.constants.named((Firing(rule.name, ()),), "firing")
        if not fallible:
            return [], Ends(lambda _: [tree.give(firing)], fails), [nothing]
        start = [tree.assign("fired", tree.pair(()))]
        return (
            start,
            Ends(lambda _: [tree.assign("fired", firing)], fails),
            [tree.give(tree.name("fired"))],
        )

    def _has_one_instance(self, flat: Body) -> bool:
        return not any(
            isinstance(x, Each) or (isinstance(x, Match) and not self.layout.is_single(x.name))
            for x in flat
        )

    def _fire(self, rule: Rule, found: ast.expr) -> ast.expr:
        plain = all(_sorts_plainly(variable.type) for variable in rule.variables)
        return tree.call("fire", tree.constant(rule.name), found, tree.constant(plain))

    def _clause_ends(
        self, position: int, rule: Rule, head: Derive
    ) -> tuple[Statements, Ends, Statements]:
        ends = Ends(lambda place: [_found(rule, place, self.layout)], self._failed(position))
        seen = self.layout.number(SlotKind.SEEN, head.predicate)
        atoms = self.layout.number(SlotKind.ATOMS, head.predicate)
        world = tree.name("w")
        stored = tree.call(
            "store", tree.item(world, seen), tree.item(world, atoms), self._atoms(rule, head)
        )
        last: Statements = [tree.do(stored), tree.give(self._fire(rule, tree.name("found")))]
        start: Statements = [tree.assign("found", ast.Dict([], []))]
        return start, ends, [tree.when(tree.name("found"), last), tree.give(tree.pair(()))]

    def _atoms(self, rule: Rule, head: Derive) -> ast.expr:
        """The atoms of the bindings that were found."""
        types = self.layout.program.predicates[head.predicate].types
        same = [base(type_) for type_ in types] == [base(v.type) for v in rule.variables]
        if head.arguments == rule.variables and same:
            return tree.name("found")
        places = {v.name: f"b{i}" for i, v in enumerate(rule.variables)}
        atom = self._atom(head, places, {v.name: {base(v.type)} for v in rule.variables})
        target = ast.Tuple([ast.Name(n, ast.Store()) for n in places.values()], ast.Store())
        if not places:
            return ast.List([atom], ast.Load())
        over = ast.comprehension(target, tree.name("found"), [], 0)
        return ast.GeneratorExp(atom, [over])

    def _atom(
        self, head: Derive, names: Mapping[str, str], given: Mapping[str, set[Type | None]]
    ) -> ast.expr:
        """An atom, its numbers with the digits of the definition's types; `given` are those of the names."""
        types = self.layout.program.predicates[head.predicate].types
        return tree.pair(
            atom_term(term, lambda name: tree.name(names[name]), type_, given, self.constants)
            for term, type_ in zip(head.arguments, types, strict=True)
        )

    # --- recursion ------------------------------------------------------------------------------------------

    def _recursion(self, rules: Sequence[Numbered], names: frozenset[str]) -> None:
        """Clauses that read what they derive: base cases first, then each atom to each clause that reads it."""
        growing = {
            name: Growing(
                self.layout.number(SlotKind.SEEN, name), self.layout.number(SlotKind.ATOMS, name)
            )
            for name in sorted(names)
        }
        readers: dict[str, list[str]] = {name: [] for name in sorted(names)}
        for position, rule in rules:
            self._recursive_rule(position, rule, growing, readers)
        for number, slot in self.layout.numbers(SlotKind.INDEX):
            if slot.name in names:
                growing[slot.name].indexes.append((number, slot.positions))
                self.steps.insert(0, tree.assign_item(tree.name("w"), number, ast.Dict([], [])))
        parts = tree.pair(
            tree.pair(
                [tree.constant(growing[name].atoms), tree.pair(map(tree.name, readers[name]))]
            )
            for name in sorted(names)
        )
        after: Statements = [tree.do(tree.call("saturate", tree.name("w"), parts))]
        for position, rule in rules:
            found = tree.item(tree.name("w"), self.layout.number(SlotKind.FOUND, rule.name))
            self._order.append(position)
            fired = [tree.assign("fired", self._fire(rule, found)), _hit(position)]
            after.append(tree.when(found, fired))
        atoms = [tree.item(tree.name("w"), growing[name].atoms) for name in sorted(names)]
        self.steps.append(tree.when(tree.any_of(atoms), after))

    def _recursive_rule(
        self,
        position: int,
        rule: Rule,
        growing: Mapping[str, Growing],
        readers: Mapping[str, list[str]],
    ) -> None:
        head = rule.head
        assert isinstance(head, Derive)
        found = self.layout.number(SlotKind.FOUND, rule.name)
        self.steps.append(tree.assign_item(tree.name("w"), found, ast.Dict([], [])))
        base: list[Body] = []
        for flat in flattened(rule.body, (), growing):
            read = [i for i, x in enumerate(flat) if isinstance(x, Match) and x.name in growing]
            if not read:
                base.append(flat)
            for at in read:
                name = self._reader(position, rule, flat, at, growing)
                match = flat[at]
                assert isinstance(match, Match)
                readers[match.name].append(name)
        if base:
            coder = self._coder(rule, repeated=False, recursive=growing)
            ends = self._derived(position, rule, growing)
            body = [s for flat in base for s in coder.instances(flat, Place({}), ends)]
            name = self._name(position, rule)
            self.functions.add(name, (), documented(rule), self._with_found(coder, rule, body))
            self.steps.append(tree.do(tree.call(name, tree.name("w"))))

    def _reader(
        self, position: int, rule: Rule, flat: Body, at: int, growing: Mapping[str, Growing]
    ) -> str:
        """The function of a recursive clause for one atom that it reads."""
        coder = self._coder(rule, repeated=True, recursive=growing)
        body = coder.instances_with(flat, at, "atom", self._derived(position, rule, growing))
        name = self.functions.fresh(self._name(position, rule))
        finished = self._with_found(coder, rule, body)
        self.functions.add(name, ("atom",), documented(rule), finished)
        return name

    def _with_found(self, coder: Coder, rule: Rule, body: Statements) -> Statements:
        found = self.layout.number(SlotKind.FOUND, rule.name)
        return [
            *coder.prologue(),
            tree.assign("found", tree.item(tree.name("w"), found)),
            *body,
        ]

    def _derived(self, position: int, rule: Rule, growing: Mapping[str, Growing]) -> Ends:
        head = rule.head
        assert isinstance(head, Derive)

        def holds(place: Place) -> Statements:
            bindings = tree.name("bindings")
            atom = self._atom(head, place.names, binding_types(rule.body, self.layout))
            to = self.constants.named(growing[head.predicate], "growing")
            return [
                tree.assign("bindings", tree.pair(bindings_code(rule, place, self.layout))),
                tree.when(
                    tree.compare(bindings, ast.NotIn(), tree.name("found")),
                    [
                        _set_item(tree.name("found"), bindings),
                        tree.do(tree.call("insert", tree.name("w"), to, atom)),
                    ],
                ),
            ]

        return Ends(holds, self._failed(position))

    # --- the whole ------------------------------------------------------------------------------------------

    def module(self, guards: Guards, shown: Constants | None = None) -> ast.Module:
        """All code; `shown` to a reader it says which rules the guards choose."""
        start = self._inputs()
        steps = [*start, tree.assign("hits", ast.List([], ast.Load())), *self.steps]
        choices = guards.code()
        steps += choices
        ordered = not choices and self._order == sorted(self._order)
        hits = tree.name("hits")
        steps.append(tree.give(hits if ordered else tree.call("in_order", hits)))
        decide = tree.function("decide", ["w", "rows"], "", steps)
        tables = [] if shown is None else guards.tables(shown)
        return ast.Module([*self.functions.made, *tables, decide], [])

    def executed(self, module: ast.Module, guards: Sequence[Guard] = ()) -> dict[str, Any]:
        """The names that a module makes."""
        tree.located(module)
        names: dict[str, Any] = {
            **runtime.GLOBALS,
            **self.constants.values,
            "build_index": runtime.index_builder(self.layout),
            "GUARDS": guards,
        }
        try:
            exec(compile(module, "<plan>", "exec"), names)
        except (RecursionError, SyntaxError, MemoryError) as problem:
            raise UnplannableError(f"its code is too deep for Python ({problem})") from problem
        return names

    def _inputs(self) -> Statements:
        """The statements that put the rows of a request into their slots."""
        get = tree.assign("get", tree.read(tree.name("rows"), "get"))
        steps: Statements = [get]
        for number, slot in self.layout.numbers(SlotKind.ONE):
            given = tree.call("get", tree.constant(slot.name))
            values = tree.read(tree.item(tree.name("given"), 0), "values")
            one = ast.IfExp(tree.name("given"), values, tree.NONE)
            steps += [
                tree.assign("given", given),
                tree.assign_item(tree.name("w"), number, one),
            ]
        for number, slot in self.layout.numbers(SlotKind.ROW):
            given = tree.call("get", tree.constant(slot.name))
            one = ast.IfExp(tree.name("given"), tree.item(tree.name("given"), 0), tree.NONE)
            steps += [
                tree.assign("given", given),
                tree.assign_item(tree.name("w"), number, one),
            ]
        self.hold_rows()
        for number, slot in self.layout.numbers(SlotKind.ROWS):
            if not self.layout.is_given_once(slot.name):
                steps.append(tree.assign_item(tree.name("w"), number, self._rows(slot.name)))
        for kind, empty in (
            (SlotKind.SEEN, ast.Dict([], [])),
            (SlotKind.ATOMS, ast.List([], ast.Load())),
        ):
            for number, slot in self.layout.numbers(kind):
                if slot.name not in self.layout.settled:
                    steps.append(tree.assign_item(tree.name("w"), number, empty))
        return steps

    def hold_rows(self) -> None:
        """Slots for the rows and atoms that indexes are built of."""
        for _, slot in self.layout.numbers(SlotKind.INDEX):
            derived = self.layout.is_derived(slot.name)
            self.layout.number(SlotKind.ATOMS if derived else SlotKind.ROWS, slot.name)

    def _rows(self, name: str) -> ast.expr:
        given = tree.call("get", tree.constant(name), tree.pair(()))
        if name not in self.layout.dynamic:
            return given
        before = self.constants.named(self.layout.given(name), "given")
        return tree.call("joined", before, given)


def atom_term(
    term: Term,
    code: Callable[[str], ast.expr],
    type_: Type,
    given: Mapping[str, set[Type | None]],
    constants: Constants,
) -> ast.expr:
    """A term of an atom with the digits of the definition's type; `given` are the types of variables' code."""
    if isinstance(term, Constant):
        value, wanted = term.value, base(type_)
        if isinstance(wanted, DecimalType) and isinstance(value, int | Decimal):
            value = shown(value, wanted.scale)
        return constants.of(value)
    return with_digits(code(term.name), type_, given.get(term.name, set()))


def _hit(position: int) -> ast.stmt:
    found = tree.pair([tree.constant(position), tree.name("fired")])
    return tree.do(tree.method(tree.name("hits"), "append", found))


def bindings_code(rule: Rule, place: Place, layout: Layout) -> list[ast.expr]:
    """The values of a firing, each with the digits of its variable's type."""
    given = binding_types(rule.body, layout)
    return [
        with_digits(tree.name(place.names[v.name]), v.type, given.get(v.name, set()))
        for v in rule.variables
    ]


def _found(rule: Rule, place: Place, layout: Layout) -> ast.stmt:
    return _set_item(tree.name("found"), tree.pair(bindings_code(rule, place, layout)))


def _fired(rule: Rule, place: Place, layout: Layout) -> ast.stmt:
    bindings = tree.pair(bindings_code(rule, place, layout))
    firing = tree.call("new", tree.name("Firing"), tree.pair([tree.constant(rule.name), bindings]))
    return tree.give(tree.pair([firing]))


def _set_item(mapping: ast.expr, key: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Subscript(mapping, key, ast.Store())], tree.NONE)


def _predicate(rule: Rule) -> str:
    assert isinstance(rule.head, Derive)
    return rule.head.predicate


def documented(rule: Rule) -> str:
    """What the code of a rule says of it: the rule as written."""
    return rule.origin.text or rule.name


def usage(rule: Rule) -> Counter[str]:
    """How often each variable is mentioned: one that is mentioned once need not be kept."""
    used = Counter(body_variables(rule.body))
    used.update(variable.name for variable in rule.variables)
    used.update(term.name for term in _terms(rule.head) if isinstance(term, Variable))
    return used


def _terms(head: Head) -> Iterable[Term]:
    return head.arguments if isinstance(head, Derive) else ()


_PLAIN: Final = frozenset({BOOL, INT, STRING, DATE, DATETIME, TIME, DURATION})


def _sorts_plainly(type_: Type) -> bool:
    kind = base(type_)
    return kind in _PLAIN or isinstance(kind, DecimalType | EnumType)


def reads_of(rules: Iterable[Rule]) -> set[str]:
    """The names of all that rules match."""
    return {match.name for rule in rules for match in matches(rule.body)}
