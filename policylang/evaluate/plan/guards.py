"""Rules chosen by the value of one column, so that a thousand of them cost little more than ten.

A rule that holds only where a column of a single row equals a constant (`agent.role == "x"`), is one of some
constants, or is a set that holds a constant, is kept in a mapping by those constants. A request looks its value
up and evaluates what it finds. The literal still stands in the rule's own code: a guard only leaves out rules in
which it does not hold, and a body with such a literal neither holds nor fails.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from policylang.evaluate.plan.expressions import Constants
from policylang.evaluate.plan.runtime import Chosen, Guard, RuleFunction
from policylang.evaluate.plan.world import Layout, SlotKind
from policylang.facts import tree
from policylang.facts.tree import Statements
from policylang.facts.values import Value
from policylang.semantics.program import (
    Apply,
    Constant,
    Expression,
    Match,
    Operation,
    Rule,
    Test,
    Variable,
)

FEWEST: Final = 8
"""Rules that have to share a column before a guard is worth its look-up."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a single row; `each` where its elements are looked up."""

    relation: str
    position: int
    each: bool


class Guards:
    """The guards of some rules."""

    def __init__(self, layout: Layout, rules: Iterable[Rule]) -> None:
        self._layout = layout
        self._found: dict[str, dict[Column, tuple[Value, ...]]] = {}
        spread: dict[Column, set[Value]] = {}
        counts: Counter[Column] = Counter()
        for rule in rules:
            conditions = self._found[rule.name] = dict(self._conditions(rule))
            counts.update(list(conditions))
            for column, values in conditions.items():
                spread.setdefault(column, set()).update(values)
        self._worth = {
            column: len(values) for column, values in spread.items() if counts[column] >= FEWEST
        }
        self._taken: dict[Column, dict[Value, list[tuple[int, str]]]] = {}

    def take(self, position: int, rule: Rule, function: str) -> bool:
        """Keep a rule under the column that tells most rules apart, if there is one for it."""
        conditions = self._found[rule.name]
        columns = [column for column in conditions if column in self._worth]
        if not columns:
            return False
        best = max(columns, key=lambda column: self._worth[column])
        table = self._taken.setdefault(best, {})
        for value in conditions[best]:
            table.setdefault(value, []).append((position, function))
        return True

    def code(self) -> Statements:
        """The step that evaluates the chosen rules; none where nothing is guarded."""
        if not self._taken:
            return []
        arguments = [tree.name("w"), tree.name("GUARDS"), tree.name("hits")]
        return [tree.do(tree.call("run_chosen", *arguments))]

    def made(self, make: Callable[[int], RuleFunction]) -> tuple[Guard, ...]:
        """The guards themselves; `make` gives the function of a rule when a request first needs it."""
        return tuple(
            Guard(
                self._layout.number(SlotKind.ONE, column.relation),
                column.position,
                column.each,
                Chosen({value: [p for p, _ in found] for value, found in table.items()}, make),
            )
            for column, table in self._taken.items()
        )

    def tables(self, constants: Constants) -> Statements:
        """The guards as a reader sees them: the statement that would make them of the functions of all rules."""
        if not self._taken:
            return []
        return [tree.assign("GUARDS", tree.pair(self._tables(constants)))]

    def _tables(self, constants: Constants) -> Iterator[ast.expr]:
        for column, table in self._taken.items():
            slot = self._layout.number(SlotKind.ONE, column.relation)
            rules = [
                tree.pair(tree.pair([tree.constant(p), tree.name(f)]) for p, f in found)
                for found in table.values()
            ]
            mapping = ast.Dict([constants.of(value) for value in table], rules)
            yield tree.call(
                "Guard",
                tree.constant(slot),
                tree.constant(column.position),
                tree.constant(column.each),
                mapping,
            )

    def _conditions(self, rule: Rule) -> Iterator[tuple[Column, tuple[Value, ...]]]:
        """The columns that a rule needs to have one of some values."""
        columns: dict[str, tuple[str, int]] = {}
        for literal in rule.body:
            if isinstance(literal, Match) and self._layout.is_single(literal.name):
                self._layout.number(SlotKind.ONE, literal.name)
                for position, argument in enumerate(literal.arguments):
                    if isinstance(argument, Variable):
                        columns.setdefault(argument.name, (literal.name, position))
                    elif isinstance(argument, Constant):
                        yield Column(literal.name, position, False), (argument.value,)
        for literal in rule.body:
            if isinstance(literal, Test):
                yield from _required(literal.condition, columns)


def _required(
    condition: Expression, columns: dict[str, tuple[str, int]]
) -> Iterator[tuple[Column, tuple[Value, ...]]]:
    match condition:
        case Apply(Operation.EQ, (Variable() as variable, Constant() as constant)) | Apply(
            Operation.EQ, (Constant() as constant, Variable() as variable)
        ):
            values: tuple[Value, ...] = (constant.value,)
        case Apply(Operation.IN, (Variable() as variable, Constant(value=tuple() as values))):
            pass
        case Apply(Operation.HAS, (Variable() as variable, Constant() as constant)):
            values = (constant.value,)
        case _:
            return
    if variable.name in columns:
        each = condition.operation is Operation.HAS
        yield Column(*columns[variable.name], each), tuple(dict.fromkeys(values))
