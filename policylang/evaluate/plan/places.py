"""Where code is being made, and what it does at the end of a body."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from policylang.evaluate.plan.expressions import Constants
from policylang.evaluate.plan.world import Layout
from policylang.facts import tree
from policylang.facts.tree import Statements

Names: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where code is being made: what is known, how many loops are around it, what it matched."""

    names: Names
    loops: int = 0
    matched: Mapping[int, ast.expr] = field(default_factory=dict)

    def knowing(self, names: Mapping[str, str]) -> Place:
        """The place where more variables are known."""
        return replace(self, names={**self.names, **names})


@dataclass(frozen=True, slots=True)
class Ends:
    """What code does with an instance that holds, and with one that fails."""

    holds: Callable[[Place], Statements]
    fails: Callable[[], Statements]


class Functions:
    """The functions of one module of code; `pending` are those that others call."""

    def __init__(self, layout: Layout, constants: Constants) -> None:
        self.layout = layout
        self.constants = constants
        self.made: Statements = []
        self._count = 0

    def fresh(self, prefix: str) -> str:
        """An identifier that nothing else has."""
        self._count += 1
        return f"{prefix}_{self._count}"

    def add(self, name: str, parameters: Sequence[str], doc: str, body: Statements) -> None:
        """A finished function."""
        self.made.append(tree.function(name, ["w", *parameters], doc, body))
