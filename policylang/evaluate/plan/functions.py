"""Bodies as Python functions: nested loops over rows and atoms, tests as soon as what they read is known.

A body is coded in two parts. First all that cannot fail, in the order that `_rank` gives. What can fail comes
last, in a straight line (its `tail`), since only there a failure counts: all the rest of the instance holds. A
nested body is a function of its own that gives one of three answers.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from policylang.errors import InternalError
from policylang.evaluate.plan.aggregates import aggregate
from policylang.evaluate.plan.bodies import (
    UnplannableError,
    bound_by,
    can_fail,
    flattened,
    reads,
)
from policylang.evaluate.plan.conditions import condition
from policylang.evaluate.plan.expressions import Expressions
from policylang.evaluate.plan.places import Ends, Functions, Place
from policylang.evaluate.plan.refusals import MOST_LOOPS
from policylang.evaluate.plan.tails import in_order, tail_function
from policylang.evaluate.plan.world import STEPS, SlotKind
from policylang.evaluate.scopes import body_variables
from policylang.facts import tree
from policylang.facts.tree import Statements
from policylang.semantics.program import (
    ABSENT,
    PRESENT,
    Aggregate,
    Argument,
    Bind,
    Body,
    Constant,
    Each,
    Literal,
    Match,
    Not,
    Or,
    Test,
    Variable,
)


class Coder:
    """Makes the code of the bodies inside one Python function."""

    def __init__(
        self, functions: Functions, *, repeated: bool, recursive: Collection[str] = ()
    ) -> None:
        self.functions = functions
        self.layout = functions.layout
        self.expressions = Expressions(functions.constants)
        self.recursive = recursive
        self._repeated = repeated
        self._slots: dict[int, str] = {}
        self._lists: set[int] = set()
        self.used: Counter[str] = Counter()

    # --- flat bodies ------------------------------------------------------------------------------------

    def instances(self, flat: Body, place: Place, ends: Ends) -> Statements:
        """Code that runs `ends` for each instance of a flat body."""
        return self._next(tuple(enumerate(flat)), flat, place, ends)

    def instances_with(self, flat: Body, at: int, atom: str, ends: Ends) -> Statements:
        """The same, where the match at a position is matched with a given atom."""
        match = flat[at]
        if not isinstance(match, Match):
            raise InternalError("only a match is matched with an atom")
        rest = tuple(each for each in enumerate(flat) if each[0] != at)

        def then(place: Place) -> Statements:
            return self._next(rest, flat, place, ends)

        positions = range(len(match.arguments))
        return self._unified(match, positions, tree.name(atom), Place({}), then)

    def _next(
        self, waiting: tuple[tuple[int, Literal], ...], flat: Body, place: Place, ends: Ends
    ) -> Statements:
        around = {*place.names, *bound_by(flat)}
        ready = [
            (self._rank(literal, place), position, literal)
            for position, literal in waiting
            if not can_fail(literal) and reads(literal, around) <= place.names.keys()
        ]
        if not ready:
            return self._tail([literal for _, literal in waiting], around, place, ends)
        _, position, literal = min(ready, key=lambda each: each[:2])
        rest = tuple(each for each in waiting if each[0] != position)

        def then(reached: Place) -> Statements:
            return self._next(rest, flat, reached, ends)

        return self._coded(position, literal, place, then)

    def _rank(self, literal: Literal, place: Place) -> tuple[int, int]:
        """What to look at first: tests, then what has one row, then what an index finds, then scans."""
        match literal:
            case Test() | Bind():
                return 0, 0
            case Match():
                return self._match_rank(literal, place)
            case Or() | Not():
                return 4, 0
            case Each():
                return 5, 0
            case Aggregate():
                return 7, 0

    def _match_rank(self, literal: Match, place: Place) -> tuple[int, int]:
        if self.layout.is_single(literal.name):
            return 1, 0
        known = self.known(literal, place)
        if self.layout.is_derived(literal.name) and len(known) == len(literal.arguments):
            return 2, 0
        return (6, -len(known)) if known else (8, 0)

    def known(self, literal: Match, place: Place) -> list[int]:
        """The positions of a match whose values are known."""
        return [
            position
            for position, argument in enumerate(literal.arguments)
            if isinstance(argument, Constant)
            or (isinstance(argument, Variable) and argument.name in place.names)
        ]

    def _coded(
        self, position: int, literal: Literal, place: Place, then: Callable[[Place], Statements]
    ) -> Statements:
        match literal:
            case Match():
                return self._match(position, literal, place, then)
            case Each():
                return self._each(literal, place, then)
            case Bind():
                return self._bind(literal, place, then)
            case Test():
                code = self.expressions.inline(literal.condition, place.names)
                if code is None:
                    called = self.expressions.calculated(literal.condition, place.names)
                    code = tree.compare(called, ast.Is(), tree.constant(True))
                return [tree.when(code, then(place))]
            case Not():
                found = self.holding(literal.body, place, "not")
                return [tree.when(tree.negated(found), then(place))]
            case Or():
                found = tree.any_of([self.holding(b, place, "either") for b in literal.branches])
                return [tree.when(found, then(place))]
            case Aggregate():
                value = self.aggregated(literal, place)
                return self._given(literal.result, value, place, then)

    # --- generators ---------------------------------------------------------------------------------------

    def slot(self, kind: SlotKind, name: str, positions: tuple[int, ...] = ()) -> str:
        """The local variable that holds a slot in this function."""
        number = self.layout.number(kind, name, positions)
        if number not in self._slots:
            self._slots[number] = f"w{number}_{kind.value}"
        return self._slots[number]

    def prologue(self) -> Statements:
        """The statements that read the slots which the function uses."""
        return [
            tree.assign(identifier, tree.item(tree.name("w"), number))
            for number, identifier in sorted(self._slots.items())
        ]

    def _match(
        self, position: int, literal: Match, place: Place, then: Callable[[Place], Statements]
    ) -> Statements:
        name = literal.name
        if self.layout.is_single(name):
            return self._single(position, literal, place, then)
        known = self.known(literal, place)
        if self.layout.is_derived(name) and len(known) == len(literal.arguments):
            atom = tree.pair(self.argument(a, place) for a in literal.arguments)
            reached = replace(self._matching(position, name, atom, place), loops=place.loops)
            seen = tree.name(self.slot(SlotKind.SEEN, name))
            return [tree.when(tree.compare(atom, ast.In(), seen), then(reached))]
        row = self.functions.fresh("atom" if self.layout.is_derived(name) else "row")
        use = self._use_index(name, known, place)
        before, over = self._ranged(literal, known, place) if use else self._scanned(name)
        checked = [p for p in range(len(literal.arguments)) if not (use and p in known)]
        identity = (
            tree.name(row) if self.layout.is_derived(name) else tree.read(tree.name(row), "id")
        )
        inner = self._matching(position, name, identity, place)
        values = tree.name(row)
        start: Statements = []
        if not self.layout.is_derived(name) and self._reads_columns(literal, checked):
            values = tree.name(f"{row}_values")
            start = [tree.assign(f"{row}_values", tree.read(tree.name(row), "values"))]
        body = self._unified(literal, checked, values, inner, then)
        if literal.source is not None and not self.layout.is_derived(name):
            body = [tree.when(_source(tree.name(row), int(literal.source)), body)]
        return [*before, *self._loop(row, over, [*start, *body], place)]

    def _reads_columns(self, literal: Match, positions: Iterable[int]) -> bool:
        return any(self._asks(literal, position) for position in positions)

    def _asks(self, literal: Match, position: int) -> bool:
        """Whether a match asks anything of a column: a variable nobody reads only that it is there."""
        argument = literal.arguments[position]
        if argument is PRESENT or (isinstance(argument, Variable) and self.used[argument.name] < 2):
            return self.layout.optional(literal.name, position) and not self.layout.is_derived(
                literal.name
            )
        return isinstance(argument, Variable | Constant) or argument is ABSENT

    def _use_index(self, name: str, known: Sequence[int], place: Place) -> bool:
        if not known:
            return False
        return bool(self._repeated or place.loops or self.layout.is_ready(name))

    def _scanned(self, name: str) -> tuple[Statements, ast.expr]:
        kind = SlotKind.ATOMS if self.layout.is_derived(name) else SlotKind.ROWS
        return [], tree.name(self.slot(kind, name))

    def _ranged(
        self, literal: Match, known: Sequence[int], place: Place
    ) -> tuple[Statements, ast.expr]:
        """The statements that make an index ready, and what it finds."""
        slot = self.slot(SlotKind.INDEX, literal.name, tuple(known))
        number = self.layout.number(SlotKind.INDEX, literal.name, tuple(known))
        keys = [self.argument(literal.arguments[position], place) for position in known]
        key = keys[0] if len(keys) == 1 else tree.pair(keys)
        ready: Statements = []
        if not self.layout.is_ready(literal.name) and literal.name not in self.recursive:
            build = tree.call("build_index", tree.name("w"), tree.constant(number))
            ready = [tree.when(tree.is_none(tree.name(slot)), [tree.assign(slot, build)])]
        return ready, tree.method(tree.name(slot), "get", key, tree.pair(()))

    def _loop(self, row: str, over: ast.expr, body: Statements, place: Place) -> Statements:
        """A loop that counts its steps, so that the time limit is honoured."""
        if place.loops >= MOST_LOOPS:
            raise UnplannableError(f"a body ranges over more than {MOST_LOOPS} relations at once")
        rows = f"{row}_all"
        steps = tree.item(tree.name("w"), STEPS)
        cost = ast.BinOp(tree.call("len", tree.name(rows)), ast.Add(), tree.constant(1))
        count: ast.stmt = ast.AugAssign(
            ast.Subscript(tree.name("w"), tree.constant(STEPS), ast.Store()), ast.Sub(), cost
        )
        check = tree.when(
            tree.compare(steps, ast.Lt(), tree.constant(0)),
            [tree.do(tree.call("tick", tree.name("w")))],
        )
        return [
            tree.assign(rows, over),
            count,
            check,
            tree.loop(row, tree.name(rows), body),
        ]

    def _single(
        self, position: int, literal: Match, place: Place, then: Callable[[Place], Statements]
    ) -> Statements:
        one = tree.name(self.slot(SlotKind.ONE, literal.name))
        conditions = [tree.negated(tree.is_none(one))]
        if literal.source is not None:
            row = tree.name(self.slot(SlotKind.ROW, literal.name))
            conditions.append(_source(row, int(literal.source)))
        inner = replace(place, matched={**place.matched, position: tree.constant(literal.name)})
        body = self._unified(literal, range(len(literal.arguments)), one, inner, then)
        return [tree.when(tree.all_of(conditions), body)]

    def _matching(self, position: int, name: str, identity: ast.expr, place: Place) -> Place:
        loops = place.loops + 1
        whole = tree.pair([tree.constant(name), identity])
        return replace(place, loops=loops, matched={**place.matched, position: whole})

    def _unified(
        self,
        literal: Match,
        positions: Iterable[int],
        values: ast.expr,
        place: Place,
        then: Callable[[Place], Statements],
    ) -> Statements:
        """Compare the columns that are known, then bind the others."""
        compared: list[ast.expr] = []
        bound: dict[str, str] = {}
        assigned: Statements = []
        present: list[ast.expr] = []
        for position in positions:
            argument = literal.arguments[position]
            if not self._asks(literal, position):
                if isinstance(argument, Variable):
                    bound.setdefault(argument.name, "")
                continue
            column = tree.item(values, position)
            missing = tree.compare(column, ast.Is(), tree.name("MISSING"))
            if argument is ABSENT:
                compared.append(missing)
            elif argument is PRESENT:
                compared.append(tree.negated(missing))
            elif isinstance(argument, Constant) or (
                isinstance(argument, Variable) and argument.name in place.names
            ):
                compared.append(tree.compare(column, ast.Eq(), self.argument(argument, place)))
            elif isinstance(argument, Variable):
                if self.used[argument.name] < 2:
                    compared.append(tree.negated(missing))
                elif argument.name in bound:
                    present.append(tree.compare(column, ast.Eq(), tree.name(bound[argument.name])))
                else:
                    identifier = bound[argument.name] = self.identifier(argument)
                    assigned.append(tree.assign(identifier, column))
                    if self._may_miss(literal, position):
                        absent = tree.compare(tree.name(identifier), ast.Is(), tree.name("MISSING"))
                        present.append(tree.negated(absent))
        rest = then(place.knowing(bound))
        if present:
            rest = [tree.when(tree.all_of(present), rest)]
        rest = [*assigned, *rest]
        return [tree.when(tree.all_of(compared), rest)] if compared else rest

    def _may_miss(self, literal: Match, position: int) -> bool:
        return not self.layout.is_derived(literal.name) and self.layout.optional(
            literal.name, position
        )

    def identifier(self, variable: Variable) -> str:
        """A fresh name in Python for a variable."""
        plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in variable.name)
        return self.functions.fresh(f"v_{plain.strip('_').lower()}")

    def argument(self, argument: Argument, place: Place) -> ast.expr:
        """The code of a constant or of a variable that is known."""
        if isinstance(argument, Constant):
            return self.functions.constants.of(argument.value)
        if isinstance(argument, Variable):
            return tree.name(place.names[argument.name])
        raise InternalError(f"`{argument.value}` has no value")

    def _each(self, literal: Each, place: Place, then: Callable[[Place], Statements]) -> Statements:
        collection = self.expressions.inline(literal.collection, place.names)
        if collection is None:
            raise InternalError("a collection is a variable or a constant")
        if ABSENT in (literal.element, literal.index):
            return []
        element, index = self.functions.fresh("element"), self.functions.fresh("index")
        inner = replace(place, loops=place.loops + 1)
        body = self._elements(literal, (element, index), inner, then)
        all_ = f"{element}_all"
        steps = self._loop(element, collection, body, place)
        if isinstance(literal.index, Variable | Constant):
            counted = tree.call("enumerate", tree.name(all_), tree.constant(1))
            steps[-1] = tree.loop_pairs(index, element, counted, body)
        return steps

    def _elements(
        self,
        literal: Each,
        given: tuple[str, str],
        place: Place,
        then: Callable[[Place], Statements],
    ) -> Statements:
        bound: dict[str, str] = {}
        compared: list[ast.expr] = []
        for argument, identifier in zip((literal.element, literal.index), given, strict=True):
            if isinstance(argument, Variable) and argument.name in bound:
                known = tree.name(bound[argument.name])
                compared.append(tree.compare(tree.name(identifier), ast.Eq(), known))
            elif isinstance(argument, Variable) and argument.name not in place.names:
                bound[argument.name] = identifier
            elif isinstance(argument, Variable | Constant):
                value = self.argument(argument, place)
                compared.append(tree.compare(tree.name(identifier), ast.Eq(), value))
        rest = then(place.knowing(bound))
        return [tree.when(tree.all_of(compared), rest)] if compared else rest

    # --- values -----------------------------------------------------------------------------------------

    def _bind(self, literal: Bind, place: Place, then: Callable[[Place], Statements]) -> Statements:
        code = self.expressions.inline(literal.value, place.names)
        if code is not None:
            return self._equal(literal.variable, code, place, then)
        called = self.expressions.calculated(literal.value, place.names)
        return self._given(literal.variable, called, place, then)

    def _equal(
        self, variable: Variable, code: ast.expr, place: Place, then: Callable[[Place], Statements]
    ) -> Statements:
        """A variable that has the value of code, which is never missing."""
        if variable.name in place.names:
            same = tree.compare(tree.name(place.names[variable.name]), ast.Eq(), code)
            return [tree.when(same, then(place))]
        identifier = self.identifier(variable)
        return [tree.assign(identifier, code), *then(place.knowing({variable.name: identifier}))]

    def _given(
        self, variable: Variable, code: ast.expr, place: Place, then: Callable[[Place], Statements]
    ) -> Statements:
        """A variable that has the value of code where that is not missing."""
        if variable.name in place.names:
            return self._equal(variable, code, place, then)
        identifier = self.identifier(variable)
        missing = tree.compare(tree.name(identifier), ast.Is(), tree.name("MISSING"))
        rest = then(place.knowing({variable.name: identifier}))
        return [tree.assign(identifier, code), tree.when(tree.negated(missing), rest)]

    # --- nested bodies ------------------------------------------------------------------------------------

    def holding(self, body: Body, place: Place, kind: str) -> ast.expr:
        """Code for whether a body has an instance: True, False, or None where none holds and one fails."""
        tests = condition(self, body, place)
        if tests is not None:
            return tests
        inputs = sorted(set(body_variables(body)) & place.names.keys())
        parameters = [place.names[name] for name in inputs]
        coder = self.inside(place)
        held: Statements = [tree.give(tree.constant(True))]
        fallible = any(map(can_fail, body))
        failed: Statements = [tree.assign("failed", tree.constant(True))]
        ends = Ends(lambda _: held, lambda: failed)
        inner = Place({name: place.names[name] for name in inputs})
        coded: Statements = []
        for flat in flattened(body, inputs, self.recursive):
            coded += coder.instances(flat, inner, ends)
        start: Statements = [tree.assign("failed", tree.constant(False))] if fallible else []
        last = (
            ast.IfExp(tree.name("failed"), tree.NONE, tree.constant(False))
            if fallible
            else tree.constant(False)
        )
        name = self.functions.fresh(kind)
        self.functions.add(
            name, parameters, "", [*coder.prologue(), *start, *coded, tree.give(last)]
        )
        return tree.call(name, tree.name("w"), *map(tree.name, parameters))

    def looked_up(self, literal: Match, place: Place) -> ast.expr | None:
        """Code for whether a match has a row, where that takes one look; else None: rows are counted as steps."""
        del literal, place
        return None

    def inside(self, place: Place) -> Coder:
        """The coder of a function that is called at a place: again and again where that is in a loop."""
        repeated = self._repeated or place.loops > 0
        coder = Coder(self.functions, repeated=repeated, recursive=self.recursive)
        coder.used = self.used
        return coder

    def aggregated(self, literal: Aggregate, place: Place) -> ast.expr:
        """Code for the value of an aggregate: MISSING where there is none, None where it fails."""
        return aggregate(self, literal, place)

    # --- what can fail ------------------------------------------------------------------------------------

    def _tail(
        self, waiting: Sequence[Literal], around: Collection[str], place: Place, ends: Ends
    ) -> Statements:
        """The literals that can fail, and those that read what they bind."""
        if not waiting:
            return ends.holds(place)
        ordered = tuple(in_order(waiting, around, place))
        judged = tail_function(self, ordered, place)
        held = self.functions.fresh("held")
        true: Statements = [tree.assign(held, tree.constant(True))]
        bound: dict[str, str] = {}
        quick = self._quick(ordered, place, bound, true)
        failing = tree.when(tree.is_none(judged), ends.fails())
        return [
            tree.assign(held, tree.constant(False)),
            tree.attempt(quick, "FAILS", [failing], []),
            tree.when(tree.name(held), ends.holds(place.knowing(bound))),
        ]

    def _quick(
        self, waiting: Sequence[Literal], place: Place, bound: dict[str, str], held: Statements
    ) -> Statements:
        """The literals of a tail one after the other, where Python raises as soon as one fails."""
        if not waiting:
            return held
        literal, rest = waiting[0], waiting[1:]
        known = place.knowing(bound)

        def then(reached: Place) -> Statements:
            bound.update({v: n for v, n in reached.names.items() if v not in place.names})
            return self._quick(rest, place, bound, held)

        match literal:
            case Test():
                condition = self.expressions.quick_test(literal.condition, known.names)
                return [tree.when(condition, then(known))]
            case Bind():
                code = self.expressions.quick(literal.value, known.names, shown=True)
                if code is not None:
                    return self._equal(literal.variable, code, known, then)
                called = self.expressions.checked(literal.value, known.names)
                return self._given(literal.variable, called, known, then)
            case Aggregate():
                value = tree.call("sure", self.aggregated(literal, known))
                return self._given(literal.result, value, known, then)
            case Not():
                found = tree.call("sure", self.holding(literal.body, known, "not"))
                return [tree.when(tree.negated(found), then(known))]
            case Or():
                found = tree.any_of([self.holding(b, known, "either") for b in literal.branches])
                return [tree.when(found, then(known))]
            case Match() | Each():
                raise UnplannableError("a body ranges over what may have failed")


def _source(row: ast.expr, least: int) -> ast.expr:
    return tree.compare(tree.read(row, "source"), ast.GtE(), tree.constant(least))
