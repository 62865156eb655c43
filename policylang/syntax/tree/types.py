"""Types and fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from policylang.syntax.tree.base import Doc, Name, Node, Path
from policylang.syntax.tree.expressions import Expr, Range
from policylang.syntax.tree.literals import IntLiteral


@dataclass(frozen=True, slots=True, eq=False)
class NamedType(Node):
    """`Bool`, `Decimal(2)`, `Tier`, `money.Usd`: a built-in or declared type and its arguments."""

    name: Path
    arguments: tuple[IntLiteral, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SetType(Node):
    """`Set[T]`."""

    element: TypeSpec


@dataclass(frozen=True, slots=True, eq=False)
class ListType(Node):
    """`List[T]`, or `List[{...}]` with a `RecordType` as its element."""

    element: TypeSpec


@dataclass(frozen=True, slots=True, eq=False)
class RecordType(Node):
    """`{ id: String, amount: Usd }` inside a `List[...]`."""

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RefType(Node):
    """`ref order`: a key of the fact that `target` names."""

    target: Path


BaseType: TypeAlias = NamedType | SetType | ListType | RecordType | RefType


@dataclass(frozen=True, slots=True, eq=False)
class TypeSpec(Node):
    """A type with what narrows it: `String? max 80 normalize trim, lower`, `Int in 0 ..`."""

    base: BaseType
    optional: bool
    bounds: Range | None
    max_length: IntLiteral | None
    normalizers: tuple[Name, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Field(Node):
    """A field of a fact, action or record, or a column of a table."""

    doc: Doc | None
    name: Name
    type: TypeSpec
    default: Expr | None
    key: bool
    secret: bool
    personal: bool
