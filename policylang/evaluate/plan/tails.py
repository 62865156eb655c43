"""What is left of a body once all that cannot fail holds: the literals that can.

They stand in a straight line. The code of a plan runs through them at full speed, and Python raises where one fails.
Only then the function made here looks again, with a failure as a value: where another literal does not hold it
absorbs the failure, and else the instance fails.
"""

from __future__ import annotations

import ast
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
    tail = _Tail(inside, place)
    body: Statements = []
    for literal in waiting:
        body += tail.statements(literal)
    body.append(tree.give(tree.NONE))
    inputs = sorted({v for x in waiting for v in (*mentions(x), *binds(x)) if place.names.get(v)})
    parameters = [place.names[name] for name in inputs]
    name = coder.functions.fresh("tail")
    coder.functions.add(name, parameters, "", [*inside.prologue(), *body])
    return tree.call(name, tree.name("w"), *map(tree.name, parameters))


def in_order(
    waiting: Sequence[Literal], around: Collection[str], place: Place
) -> Iterator[Literal]:
    """The literals of a tail so that all that may bind a variable comes before what reads it.

    INVARIANT: where what bound a variable failed, another literal may give it its value, and what reads it waits for that.
    """
    left, known = list(waiting), set(place.names)
    while left:
        ready = [x for x in left if all(v in known for v in reads(x, around))]
        if not ready:
            raise UnplannableError("nothing binds a variable that a body reads")
        chosen = next((x for x in ready if not _may_wait(x, left, around)), None)
        if chosen is None:
            raise UnplannableError("what may fail in a body goes in a circle")
        left.remove(chosen)
        known.update(binds(chosen))
        yield chosen


def _may_wait(literal: Literal, left: Sequence[Literal], around: Collection[str]) -> bool:
    """Whether a literal that is left binds what this one reads, and does not need a value of it itself."""
    read = reads(literal, around)
    return any(
        not read.isdisjoint({*binds(other)} - reads(other, around))
        for other in left
        if other is not literal
    )


def _no() -> Statements:
    return [tree.give(tree.constant(False))]


class _Tail:
    """The statements of one tail; `bound` are the variables it binds, by their names in Python."""

    def __init__(self, coder: Coder, place: Place) -> None:
        self._coder = coder
        self._place = place
        self.bound: dict[str, str] = {}

    def statements(self, literal: Literal) -> Statements:
        """The code of one literal: `return False` where it does not hold, and nothing where it fails."""
        place = self._place.knowing(self.bound)
        before = set(self.bound)
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
        return self._guarded(literal, [*given, *done], set(self.bound) - before)

    def _judged(
        self, fails: ast.expr, otherwise: Statements, also: Sequence[ast.stmt] = ()
    ) -> Statements:
        if also:
            return [tree.when(fails, list(also), otherwise)]
        return [tree.when(tree.negated(fails), otherwise)]

    def _compared(self, variable: Variable, fails: ast.expr) -> Statements:
        value = tree.name("value")
        missing = tree.compare(value, ast.Is(), tree.name("MISSING"))
        if variable.name in self._place.names:
            known = tree.name(self._place.names[variable.name])
            differs = tree.compare(value, ast.NotEq(), known)
            return self._judged(fails, [tree.when(differs, _no())])
        if variable.name in self.bound:
            known = tree.name(self.bound[variable.name])
            differs = tree.compare(value, ast.NotEq(), known)
            again = tree.when(
                tree.is_none(known),
                [tree.assign(self.bound[variable.name], value)],
                [tree.when(differs, _no())],
            )
            return self._judged(fails, [tree.when(missing, _no(), [again])])
        identifier = self.bound[variable.name] = self._coder.identifier(variable)
        first = tree.when(missing, _no(), [tree.assign(identifier, value)])
        return self._judged(fails, [first], [tree.assign(identifier, tree.NONE)])

    def _guarded(
        self, literal: Literal, statements: Statements, new: Collection[str]
    ) -> Statements:
        """The same, where a variable that it reads may have no value: then the literal fails."""
        read = [self.bound[v] for v in sorted(set(mentions(literal)) - {*new}) if v in self.bound]
        if not read:
            return statements
        lacking = tree.any_of([tree.is_none(tree.name(identifier)) for identifier in read])
        if not new:
            return [tree.when(tree.negated(lacking), statements)]
        return [
            tree.when(
                lacking, [tree.assign(self.bound[v], tree.NONE) for v in sorted(new)], statements
            )
        ]
