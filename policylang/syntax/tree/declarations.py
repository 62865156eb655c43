"""The statements that declare."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from policylang.syntax.tree.base import Doc, Name, Node, Path
from policylang.syntax.tree.expressions import Expr, SourceWord, Template
from policylang.syntax.tree.literals import StringLiteral
from policylang.syntax.tree.types import Field, TypeSpec


@dataclass(frozen=True, slots=True, eq=False)
class UseStatement(Node):
    """`use std.approvals`, `use mine.y as z`."""

    doc: Doc | None
    module: Path
    alias: Name | None


@dataclass(frozen=True, slots=True, eq=False)
class EnumMember(Node):
    """`pro ("professional")`: a member and the other spellings that are accepted for it."""

    doc: Doc | None
    name: Name
    spellings: tuple[StringLiteral, ...]


@dataclass(frozen=True, slots=True, eq=False)
class EnumStatement(Node):
    """`enum Tier normalize trim, lower { free, pro ("professional") }`; ordered as written."""

    doc: Doc | None
    name: Name
    normalizers: tuple[Name, ...]
    members: tuple[EnumMember, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TypeStatement(Node):
    """`type Usd = Decimal(2) in 0.00 .. 1_000_000.00`."""

    doc: Doc | None
    name: Name
    type: TypeSpec


class Cardinality(Enum):
    """How many rows of a fact a request has."""

    ONE = "fact"
    OPTIONAL = "optional fact"
    MANY = "facts"


@dataclass(frozen=True, slots=True, eq=False)
class FactStatement(Node):
    """`fact`, `optional fact` or `facts NAME [from SOURCE | from "FILE"] [reads "..."] { fields }`."""

    doc: Doc | None
    cardinality: Cardinality
    name: Name
    source: SourceWord | None
    file: StringLiteral | None
    reads: Template | None
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ActionStatement(Node):
    """`action refund [from SOURCE] [reads "..."] [{ fields }]`."""

    doc: Doc | None
    name: Name
    source: SourceWord | None
    reads: Template | None
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, eq=False)
class GroupStatement(Node):
    """`action group money = refund, credit`."""

    doc: Doc | None
    name: Name
    members: tuple[Path, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ParamStatement(Node):
    """`param auto_limit: Usd = 200.00`."""

    doc: Doc | None
    name: Name
    type: TypeSpec
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class TableRow(Node):
    """`| free | 50.00 |`; the grammar does not count the cells."""

    doc: Doc | None
    cells: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TableStatement(Node):
    """`table refund_cap (tier: Tier, cap: Usd) [reads "..."] { rows }`."""

    doc: Doc | None
    name: Name
    columns: tuple[Field, ...]
    reads: Template | None
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DefineStatement(Node):
    """`define suspicious(C) [reads "..."] [if COND]`: one way for an atom to hold.

    `parameters` are variables, constants or expressions, empty where there are no parentheses.
    """

    doc: Doc | None
    name: Name
    parameters: tuple[Expr, ...]
    reads: Template | None
    condition: Expr | None


@dataclass(frozen=True, slots=True, eq=False)
class DecisionStatement(Node):
    """`decision queue: Queue [default general] [reads "..."]`."""

    doc: Doc | None
    name: Name
    type: TypeSpec
    default: Expr | None
    reads: Template | None
