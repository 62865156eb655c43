"""What the checker has learned of a bundle so far: its names, and what stands behind them."""

from __future__ import annotations

from dataclasses import dataclass, field

from policylang.diagnostics import Diagnostic, Span
from policylang.facts.schema import DecisionDeclaration, LimitHistory, Param, Relation
from policylang.facts.types import Domain, EnumType, Type
from policylang.facts.values import Missing, Value
from policylang.semantics.names import Found, ModuleNames, Names, look_up, unknown_name
from policylang.semantics.program import Message
from policylang.syntax import UNNAMED, tree


@dataclass(slots=True)
class Signature:
    """What is known of a definition: one type an argument, None while it is not known."""

    name: str
    types: list[Type | None]
    parameters: tuple[str, ...]
    reads: Message | None = None


@dataclass(slots=True)
class World:
    """Everything declared in a bundle; filled by one pass after the other, then only read.

    `lost` are names that statements with broken syntax would have declared: that one of those is
    not declared is nothing to report.
    """

    names: Names
    problems: list[Diagnostic]
    lost: frozenset[str] = frozenset()
    aliases: dict[str, tuple[Domain, bool]] = field(default_factory=dict)
    enums: dict[str, EnumType] = field(default_factory=dict)
    relations: dict[str, Relation] = field(default_factory=dict)
    params: dict[str, Param] = field(default_factory=dict)
    decisions: dict[str, DecisionDeclaration] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tables: dict[str, tuple[tuple[Value | Missing, ...], ...]] = field(default_factory=dict)
    histories: list[LimitHistory] = field(default_factory=list)
    signatures: dict[str, Signature] = field(default_factory=dict)
    local_names: list[tuple[str, str, tuple[Span, ...]]] = field(default_factory=list)
    """Names that are local to several negations of a rule: the rule, the name, and the negations."""
    spoiled: set[str] = field(default_factory=set)
    """Qualified names of declarations that have errors: what reads them is not to be reported too."""

    def is_lost(self, *names: str) -> bool:
        """Whether one of the names may be what a statement with broken syntax would have declared."""
        return UNNAMED in self.lost or not self.lost.isdisjoint(names)

    def find(self, module: ModuleNames, path: tree.Path, what: str = "name") -> Found | None:
        """What a path means; None, reported, where it means nothing."""
        found = look_up(self.names, module, path)
        if found is None:
            self.report_unknown(module, path, what)
        return found

    def report_unknown(
        self,
        module: ModuleNames,
        path: tree.Path,
        what: str,
        also: tuple[str, ...] = (),
        problems: list[Diagnostic] | None = None,
    ) -> None:
        """Report a name that nothing declares, unless a statement with broken syntax may have."""
        if self.is_lost(*(name.text for name in path.names)):
            return
        problem = unknown_name(self.names, module, path, what, also)
        if problem is not None:
            (self.problems if problems is None else problems).append(problem)
