"""The statements that decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from policylang.syntax.tree.base import Doc, Name, Node, Path
from policylang.syntax.tree.expressions import Argument, Expr, Template
from policylang.syntax.tree.literals import IntLiteral


@dataclass(frozen=True, slots=True, eq=False)
class AllowEffect(Node):
    """`allow A, B`."""

    actions: tuple[Path, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DenyEffect(Node):
    """`deny A, B`."""

    actions: tuple[Path, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RequireEffect(Node):
    """`require approval(by: "manager", within: 4 hours) for A, B`; `requirement` is `approval`."""

    requirement: Name
    arguments: tuple[Argument, ...]
    actions: tuple[Path, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ObligeEffect(Node):
    """`oblige notify(team: "fraud") on A, B`."""

    name: Name
    arguments: tuple[Argument, ...]
    actions: tuple[Path, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SetEffect(Node):
    """`set queue = urgent`."""

    decision: Path
    value: Expr


Effect: TypeAlias = AllowEffect | DenyEffect | RequireEffect | ObligeEffect | SetEffect


@dataclass(frozen=True, slots=True, eq=False)
class Reason(Node):
    """`because [internal] "..."`; an internal reason is not shown to customers."""

    internal: bool
    template: Template


@dataclass(frozen=True, slots=True, eq=False)
class RuleStatement(Node):
    """`rule NAME: EFFECT` and its clauses, which may stand in any order, each at most once."""

    doc: Doc | None
    name: Name
    effect: Effect
    condition: Expr | None
    reason: Reason | None
    overrides: tuple[Path, ...]
    priority: IntLiteral | None


@dataclass(frozen=True, slots=True, eq=False)
class CountMeasure(Node):
    """What a limit counts: calls of an action, or of a group's actions."""

    action: Path


@dataclass(frozen=True, slots=True, eq=False)
class SumMeasure(Node):
    """What a limit adds up: `sum(refund.amount)`."""

    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class LimitStatement(Node):
    """`limit NAME: A to N [per PATHS] [in DURATION] [because "..."] [overrides RULES]`."""

    doc: Doc | None
    name: Name
    measure: CountMeasure | SumMeasure
    maximum: Expr
    per: tuple[Path, ...]
    window: Expr | None
    reason: Reason | None
    overrides: tuple[Path, ...]


@dataclass(frozen=True, slots=True, eq=False)
class NeverStatement(Node):
    """`never NAME: EFFECT if C [because "..."]`: an invariant."""

    doc: Doc | None
    name: Name
    effect: Effect
    condition: Expr
    reason: Reason | None
