"""Expressions, conditions and the templates that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from policylang.syntax.tree.base import Name, Node, Path
from policylang.syntax.tree.literals import Literal, PercentLiteral


@dataclass(frozen=True, slots=True, eq=False)
class Variable(Node):
    """A name that starts with a capital: `C`, `Cap`."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Wildcard(Node):
    """`_`, which matches anything."""


@dataclass(frozen=True, slots=True, eq=False)
class EnumValue(Node):
    """`Tier.pro` or `mine.Tier.pro`: a member of the enum that `enum` names."""

    enum: Path
    member: Name


@dataclass(frozen=True, slots=True, eq=False)
class PresenceMark(Node):
    """`missing` or `present` as the value of a named argument (`note: missing`) or in a test."""

    present: bool


@dataclass(frozen=True, slots=True, eq=False)
class Argument(Node):
    """An argument of a call: `name` is None where it is given by position."""

    name: Name | None
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Call(Node):
    """`linked(C, D)`, `approvals.granted(by: "x")`, `round(X, 2)`: rows, a definition or a function.

    The grammar lets named and positional arguments mix; the checker decides what may.
    """

    callee: Path
    arguments: tuple[Argument, ...]


class AggregateFunction(Enum):
    """The aggregates."""

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate(Node):
    """`count(C)`, where `value` is None, or `sum(E for C)`, `min(E for C)`, `max(E for C)`."""

    function: AggregateFunction
    value: Expr | None
    condition: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Not(Node):
    """`not C`."""

    operand: Expr


@dataclass(frozen=True, slots=True, eq=False)
class And(Node):
    """`A and B and ...`: two or more operands."""

    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Or(Node):
    """`A or B or ...`: two or more operands."""

    operands: tuple[Expr, ...]


class ComparisonOperator(Enum):
    """The comparisons."""

    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


@dataclass(frozen=True, slots=True, eq=False)
class Comparison(Node):
    """`A == B`. Comparisons do not chain."""

    operator: ComparisonOperator
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Range(Node):
    """`1 .. 10`, both ends included; either end, or both, may be open (None)."""

    low: Expr | None
    high: Expr | None


@dataclass(frozen=True, slots=True, eq=False)
class InRange(Node):
    """`X in 1 .. 10`."""

    subject: Expr
    range: Range


@dataclass(frozen=True, slots=True, eq=False)
class In(Node):
    """`X in [a, b]`, `X in LIST`, `X in NET`, and with a position `X in LIST at I`."""

    subject: Expr
    collection: Expr
    position: Expr | None


class Quantifier(Enum):
    """How many elements `has` asks for."""

    ONE = "one"
    ALL = "all"
    ANY = "any"


@dataclass(frozen=True, slots=True, eq=False)
class Has(Node):
    """`S has E`, `S has all T`, `S has any T`."""

    subject: Expr
    quantifier: Quantifier
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Pattern(Node):
    """The literal of a `like`: the pieces between its stars, escapes resolved.

    `"*.example.com"` is `("", ".example.com")`; a pattern without a star is one piece.
    """

    pieces: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Like(Node):
    """`S like "*.example.com"`; the right side is a `Pattern` where a string literal was written."""

    subject: Expr
    pattern: Expr


@dataclass(frozen=True, slots=True, eq=False)
class IsMissing(Node):
    """`customer.email is missing`."""

    subject: Expr


@dataclass(frozen=True, slots=True, eq=False)
class IsPresent(Node):
    """`customer.email is present`."""

    subject: Expr


class FactSource(Enum):
    """Where a fact may come from, best first."""

    SYSTEM = "system"
    TOOL = "tool"
    USER = "user"
    MODEL = "model"


@dataclass(frozen=True, slots=True, eq=False)
class SourceWord(Node):
    """The source that a statement or a test names."""

    source: FactSource


@dataclass(frozen=True, slots=True, eq=False)
class IsFrom(Node):
    """`customer.email is from tool`, `linked(a: X) is from tool`: from that source or a better one."""

    subject: Expr
    source: SourceWord


class ArithmeticOperator(Enum):
    """The operators of arithmetic."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"


@dataclass(frozen=True, slots=True, eq=False)
class Arithmetic(Node):
    """A chain of one precedence (`+ -`, or `* /`), applied from left to right.

    `operators[i]` stands between `operands[i]` and `operands[i + 1]`.
    """

    operands: tuple[Expr, ...]
    operators: tuple[ArithmeticOperator, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Negate(Node):
    """`-X`."""

    operand: Expr


@dataclass(frozen=True, slots=True, eq=False)
class ListLiteral(Node):
    """`[a, b]`."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FieldValue(Node):
    """`amount: 48.00` in a record, a fixture or a test."""

    name: Name
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class RecordLiteral(Node):
    """`{ id: "p1", amount: 2.00 }` as the value of a field or an element of a list."""

    fields: tuple[FieldValue, ...]


Expr: TypeAlias = (
    Literal
    | Path
    | EnumValue
    | Variable
    | Wildcard
    | PresenceMark
    | Call
    | Aggregate
    | Not
    | And
    | Or
    | Comparison
    | InRange
    | In
    | Has
    | Like
    | Pattern
    | PercentLiteral
    | IsMissing
    | IsPresent
    | IsFrom
    | Arithmetic
    | Negate
    | ListLiteral
    | RecordLiteral
)
"""An expression or a condition: the grammar does not tell them apart, the types do.

`Pattern` stands only on the right of `Like`, `PercentLiteral` only in criteria of rollouts, `PresenceMark` only as the value of a named argument or
of an `ExpectValue`, `RecordLiteral` only as a `FieldValue`'s value or in a `ListLiteral`.
"""


@dataclass(frozen=True, slots=True, eq=False)
class TemplateText(Node):
    """Text of a template, escapes resolved."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class TemplateHole(Node):
    """`{expr}` in a template."""

    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Template(Node):
    """The string of a `because` or `reads`; `text` is as written, with its quotes."""

    parts: tuple[TemplateText | TemplateHole, ...]
    text: str
