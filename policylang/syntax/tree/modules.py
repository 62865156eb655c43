"""Statements and modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from policylang.syntax.tree.base import Comment, Doc, Node, Path
from policylang.syntax.tree.declarations import (
    ActionStatement,
    DecisionStatement,
    DefineStatement,
    EnumStatement,
    FactStatement,
    GroupStatement,
    ParamStatement,
    TableStatement,
    TypeStatement,
    UseStatement,
)
from policylang.syntax.tree.literals import StringLiteral
from policylang.syntax.tree.rollouts import (
    CanaryStatement,
    CriteriaStatement,
    RolloutStatement,
)
from policylang.syntax.tree.rules import LimitStatement, NeverStatement, RuleStatement
from policylang.syntax.tree.tests import FixtureStatement, TestStatement

Statement: TypeAlias = (
    UseStatement
    | EnumStatement
    | TypeStatement
    | FactStatement
    | ActionStatement
    | GroupStatement
    | ParamStatement
    | TableStatement
    | DefineStatement
    | DecisionStatement
    | RuleStatement
    | LimitStatement
    | NeverStatement
    | FixtureStatement
    | TestStatement
    | RolloutStatement
    | CanaryStatement
    | CriteriaStatement
)


@dataclass(frozen=True, slots=True, eq=False)
class ModuleHeader(Node):
    """`module refunds [version "1.4.0"]`."""

    doc: Doc | None
    name: Path
    version: StringLiteral | None


@dataclass(frozen=True, slots=True, eq=False)
class Module(Node):
    """One file: its header (None where it has none), its statements and all its comments, in order.

    Of a file with syntax errors, `statements` holds those that are well formed.
    """

    header: ModuleHeader | None
    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...]
