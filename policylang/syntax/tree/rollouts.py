"""The statements that say how a module is rolled out. None of them takes part in a decision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from policylang.syntax.tree.base import Doc, Name, Node, Path
from policylang.syntax.tree.expressions import Expr
from policylang.syntax.tree.literals import DurationLiteral


@dataclass(frozen=True, slots=True, eq=False)
class RolloutStatement(Node):
    """`rollout by refund.customer_id`: the key by which requests fall into a slice or not."""

    doc: Doc | None
    key: Path


@dataclass(frozen=True, slots=True, eq=False)
class CanaryStatement(Node):
    """`canary if agent.team == "beta"`: the requests that a canary may decide."""

    doc: Doc | None
    condition: Expr


class Purpose(Enum):
    """What criteria are for."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, eq=False)
class CriteriaStatement(Node):
    """`promote when shadow: decisions >= 1000 and disagreement <= 2% for 24 hours`, or `rollback when ...`.

    `condition` is made of `And`, `Or` and `Comparison`, on whose left stands a `Path` or a `Call` with one
    string, and on the right a number, a `PercentLiteral` or a duration.
    """

    doc: Doc | None
    purpose: Purpose
    stage: Name
    condition: Expr
    lasting: DurationLiteral | None
