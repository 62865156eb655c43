"""The types of the policy language, as the checker and the border both see them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from policylang.facts.values import MISSING, Missing, Value


class ScalarType(enum.Enum):
    """The types without parameters."""

    BOOL = "Bool"
    INT = "Int"
    STRING = "String"
    DATE = "Date"
    DATETIME = "DateTime"
    TIME = "Time"
    DURATION = "Duration"
    IP = "Ip"
    CIDR = "Cidr"

    def __str__(self) -> str:
        return self.value


BOOL: Final = ScalarType.BOOL
INT: Final = ScalarType.INT
STRING: Final = ScalarType.STRING
DATE: Final = ScalarType.DATE
DATETIME: Final = ScalarType.DATETIME
TIME: Final = ScalarType.TIME
DURATION: Final = ScalarType.DURATION
IP: Final = ScalarType.IP
CIDR: Final = ScalarType.CIDR

MAX_DIGITS: Final = 38
"""Digits of a Decimal, on both sides of the point together."""

QUOTIENT_PLACES: Final = 18
"""Places to which a quotient that does not end is rounded, half to even."""


@dataclass(frozen=True, slots=True)
class DecimalType:
    """`Decimal(scale)`: exact, at most `MAX_DIGITS` digits, `scale` of them after the point.

    `scale is None` is the type of an intermediate result, which has no declared scale.
    """

    scale: int | None

    def __str__(self) -> str:
        return "Decimal" if self.scale is None else f"Decimal({self.scale})"


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an enum: its name and the other spellings accepted for it."""

    name: str
    spellings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnumType:
    """A closed set of names, ordered as declared. `name` is qualified by its module (`refunds.Tier`)."""

    name: str
    members: tuple[Member, ...]
    normalizers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def member_names(self) -> tuple[str, ...]:
        """The names of the members, in the order declared."""
        return tuple(member.name for member in self.members)


@dataclass(frozen=True, slots=True)
class SetType:
    """`Set[T]`."""

    element: Domain

    def __str__(self) -> str:
        return f"Set[{self.element.type}]"


@dataclass(frozen=True, slots=True)
class ListType:
    """`List[T]`; `List[{...}]` where the element's type is a `RecordType`."""

    element: Domain

    def __str__(self) -> str:
        return f"List[{self.element.type}]"


@dataclass(frozen=True, slots=True)
class RecordType:
    """The type of a record: its fields, in order."""

    fields: tuple[Field, ...]

    def __str__(self) -> str:
        return "{" + ", ".join(f"{f.name}: {f.domain.type}" for f in self.fields) + "}"


@dataclass(frozen=True, slots=True)
class RefType:
    """`ref NAME`: a key of another fact. `relation` is that fact's qualified name.

    `key` is the type of that fact's key field. A dangling reference (`ref NAME?`) may name no row.
    """

    relation: str
    key: Type
    dangling: bool = False

    def __str__(self) -> str:
        return f"ref {self.relation.rpartition('.')[2]}"


Type: TypeAlias = ScalarType | DecimalType | EnumType | SetType | ListType | RecordType | RefType


@dataclass(frozen=True, slots=True)
class Domain:
    """A type with what a declaration adds: bounds, a longest length, normalizers.

    `low` and `high` are inclusive and of the type's Python class (`None`: open). `max_length` counts
    code points of a string or elements of a set or list. `normalizers` are names from the closed
    list, applied in order; an enum's own stand in `EnumType.normalizers`, before these.
    `alias` is the name of the `type` declaration this came from, for messages.
    """

    type: Type
    low: Value | None = None
    high: Value | None = None
    max_length: int | None = None
    normalizers: tuple[str, ...] = ()
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A declared field of a fact, an action, a table or a record.

    `default` is `MISSING` where none is declared. `optional` says that the value may be missing
    (a field with a default is never missing). `secret` values are masked in messages and erasable in
    traces, `personal` ones are erasable.
    """

    name: str
    domain: Domain
    optional: bool = False
    default: Value | Missing = MISSING
    key: bool = False
    secret: bool = False
    personal: bool = False
    doc: str = field(default="", compare=False)


def is_number(type_: Type) -> bool:
    """Whether values of the type are exact numbers, which compare and calculate with each other."""
    return type_ is INT or isinstance(type_, DecimalType)


def base(type_: Type) -> Type:
    """The type whose values these are: a reference holds values of the key it refers to."""
    while isinstance(type_, RefType):
        type_ = type_.key
    return type_
