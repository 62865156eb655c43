"""What is left of a body once all that cannot fail holds: the literals that can.

They stand in a straight line. The code of a plan runs through them at full speed, and Python raises where one fails.
Only then the function made here looks again, with a failure as a value: where another literal does not hold it
absorbs the failure, and else the instance fails.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from policylang.evaluate.plan.bodies import UnplannableError, binds, mentions, reads
from policylang.facts import tree
from policylang.facts.tree import Statements
from policylang.semantics.program import (
    Aggregate,
    Bind,
    Each,
    Literal,
    Match,
    Not,
    Or,
    Test,
    Variable,
)

if TYPE_CHECKING:
    from policylang.evaluate.plan.functions import Coder
    from policylang.evaluate.plan.places import Place


def is_failure(value: ast.expr) -> ast.expr:
    """Whether the exact calculation failed."""
    return tree.compare(tree.read(value, "__class__"), ast.Is(), tree.name("CalculationFailure"))


def tail_function(coder: Coder, waiting: Sequence[Literal], place: Place) -> ast.expr:
    """A call that judges literals of which one failed: False where another one does not hold, else None.

    In the function a variable that has no value but a failed one is None.
    """
    # It is a function of its own, and reads what it looks at in the world itself.
    inside = coder.inside(place)
    tail = _Tail(inside, place, waiting)
    body = [statement for literal in waiting for statement in tail.statements(literal)]
    if _is_circle(waiting):
        times = tree.call("range", tree.constant(len(waiting)))
        body = [tree.loop(coder.functions.fresh("again"), times, body)]
    body = [*tail.nothing_bound(), *body, tree.give(tree.NONE)]
    inputs = sorted({v for x in waiting for v in (*mentions(x), *binds(x)) if place.names.get(v)})
    parameters = [place.names[name] for name in inputs]
    name = coder.functions.fresh("tail")
    coder.functions.add(name, parameters, "", [*inside.prologue(), *body])
    return tree.call(name, tree.name("w"), *map(tree.name, parameters))


def in_order(
    waiting: Sequence[Literal], around: Collection[str], place: Place
) -> Iterator[Literal]:
    """The literals of a tail so that what binds a variable comes before what reads it."""
    left, known = list(waiting), set(place.names)
    while left:
        binders = Counter(v for literal in left for v in binds(literal))
        ready = [x for x in left if all(v in known for v in reads(x, around))]
        best = [x for x in ready if not any(binders[v] for v in reads(x, around) - {*binds(x)})]
        if not ready:
            raise UnplannableError("nothing binds a variable that a body reads")
        chosen = (best or ready)[0]
        left.remove(chosen)
        known.update(binds(chosen))
        yield chosen


def _is_circle(ordered: Sequence[Literal]) -> bool:
    """Whether a literal reads what one after it may bind: if what bound it before failed, it has to be looked at again."""
    return any(
        not set(mentions(literal)).isdisjoint(binds(other))
        for position, literal in enumerate(ordered)
        for other in ordered[position + 1 :]
    )


def _no() -> Statements:
    return [tree.give(tree.constant(False))]


class _Tail:
    """The statements of one tail; `bound` are the variables it binds, by their names in Python.

    INVARIANT: run once more, a statement changes nothing but what it could not look at before.
    """

    def __init__(self, coder: Coder, place: Place, waiting: Sequence[Literal]) -> None:
        self._coder = coder
        self._place = place
        new = [x.variable for x in waiting if isinstance(x, Bind)]
        new += [x.result for x in waiting if isinstance(x, Aggregate)]
        self.bound = {v.name: coder.identifier(v) for v in new if v.name not in place.names}

    def nothing_bound(self) -> Statements:
        """The code in front of all others: no variable of the tail has a value."""
        return [tree.assign(name, tree.NONE) for name in self.bound.values()]

    def statements(self, literal: Literal) -> Statements:
        """The code of one literal: `return False` where it does not hold, and nothing where it fails."""
        place = self._place.knowing(self.bound)
        match literal:
            case Test():
                given = [
                    tree.assign(
                        "value", self._coder.expressions.calculated(literal.condition, place.names)
                    )
                ]
                untrue = tree.compare(tree.name("value"), ast.IsNot(), tree.constant(True))
                done = self._judged(is_failure(tree.name("value")), [tree.when(untrue, _no())])
            case Bind():
                given = [
                    tree.assign(
                        "value", self._coder.expressions.calculated(literal.value, place.names)
                    )
                ]
                done = self._compared(literal.variable, is_failure(tree.name("value")))
            case Aggregate():
                given = [tree.assign("value", self._coder.aggregated(literal, place))]
                done = self._compared(literal.result, tree.is_none(tree.name("value")))
            case Not():
                given = [tree.assign("value", self._coder.holding(literal.body, place, "not"))]
                holds = tree.when(tree.name("value"), _no())
                done = self._judged(tree.is_none(tree.name("value")), [holds])
            case Or():
                found = [self._coder.holding(b, place, "either") for b in literal.branches]
                given, done = [], [tree.when(tree.negated(tree.any_of(found)), _no())]
            case Match() | Each():
                raise UnplannableError("a body ranges over what may have failed")
        return self._guarded(literal, [*given, *done])

    def _judged(self, fails: ast.expr, otherwise: Statements) -> Statements:
        return [tree.when(tree.negated(fails), otherwise)]

    def _compared(self, variable: Variable, fails: ast.expr) -> Statements:
        value = tree.name("value")
        if variable.name in self._place.names:
            known = tree.name(self._place.names[variable.name])
            return self._judged(fails, [self._same(value, known)])
        known = tree.name(self.bound[variable.name])
        missing = tree.compare(value, ast.Is(), tree.name("MISSING"))
        given = tree.when(
            tree.is_none(known),
            [tree.assign(self.bound[variable.name], value)],
            [self._same(value, known)],
        )
        return self._judged(fails, [tree.when(missing, _no(), [given])])

    def _same(self, value: ast.expr, known: ast.expr) -> ast.stmt:
        return tree.when(tree.compare(value, ast.NotEq(), known), _no())

    def _guarded(self, literal: Literal, statements: Statements) -> Statements:
        """The same, where a variable that it reads may have no value: then the literal fails."""
        read = [self.bound[v] for v in sorted(set(mentions(literal))) if v in self.bound]
        if not read:
            return statements
        lacking = tree.any_of([tree.is_none(tree.name(identifier)) for identifier in read])
        return [tree.when(tree.negated(lacking), statements)]
