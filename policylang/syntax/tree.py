"""The syntax tree: what a `.policy` file says, before names and types are known.

Every node is a frozen, slotted dataclass whose first field is its span. Sequences are tuples. Nodes
compare and hash by identity, so that a pass can keep what it learns in a dict keyed by node;
`policylang.syntax.walk.same_tree` compares two trees by structure.

The tree keeps what was meant and not how it was spaced: parentheses and backticks are gone (the
printer puts them back where they are needed), comments are in `Module.comments`. The text of
numbers and strings is kept beside their value, because `1_000.00` is written for a reader.

What is already certain here, so that no later pass has to ask again:

* Literals have their exact value (`int`, `Decimal`, `date`, `datetime` in UTC, `timedelta`, ...).
* `because` and `reads` texts are split into text and parsed holes, `like` patterns into pieces.
* `And`, `Or` and `Arithmetic` are n-ary: a chain of ten thousand terms is one node. An operand of the
  same kind was in parentheses.
* Expressions are nested at most `policylang.syntax.cut.DEEPEST` deep, so that recursion is safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import ClassVar, TypeAlias

from policylang.diagnostics import Span


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """The root of all nodes."""

    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Name(Node):
    """One name as it is meant: `customer`, `Tier`; what stood in backticks without them."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Path(Node):
    """One or more names with dots between: `refund`, `customer.tier`, `approvals.granted`.

    Used for every mention of something declared elsewhere, and for expressions. Whether the first
    name is a module, a fact, a param, an enum member or a definition is for the checker to say.
    """

    names: tuple[Name, ...]

    @property
    def text(self) -> str:
        """The path as written, without backticks."""
        return ".".join(name.text for name in self.names)

    @property
    def last(self) -> Name:
        """The last name, which is the thing itself where the others qualify it."""
        return self.names[-1]


@dataclass(frozen=True, slots=True, eq=False)
class Comment(Node):
    """A comment with its `#`, or `##` for a doc comment, up to the end of its line.

    `own_line` is true where nothing but white space stands before it on its line.
    """

    text: str
    own_line: bool

    @property
    def is_doc(self) -> bool:
        """Whether it is written as a doc comment, attached to something or not."""
        return self.text.startswith("##")


@dataclass(frozen=True, slots=True, eq=False)
class Doc(Node):
    """The doc comment of a statement, field, enum member or table row: its lines, without `##`."""

    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines joined, without the white space around."""
        return "\n".join(self.lines).strip()


# --- literals ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class BoolLiteral(Node):
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True, eq=False)
class IntLiteral(Node):
    """A whole number. A minus before it is part of the literal: `-1` is one node, `-X` a `Negate`."""

    value: int
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class DecimalLiteral(Node):
    """A number with a decimal point, of at most 38 digits; the scale is as written (`5.00` has 2)."""

    value: Decimal
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class StringLiteral(Node):
    """A string: `value` with its escapes resolved, `text` as written with its quotes."""

    value: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class DateLiteral(Node):
    """`2026-11-20`."""

    value: date


@dataclass(frozen=True, slots=True, eq=False)
class TimeLiteral(Node):
    """`09:30`, `09:30:00` or `09:30:00.250`, without a zone."""

    value: time
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class DateTimeLiteral(Node):
    """`2026-11-20T09:00:00Z`: `value` is aware and in UTC, whatever the zone that was written."""

    value: datetime
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class DurationLiteral(Node):
    """`4 hours`: a number and a unit, exact to the microsecond; `text` is as written."""

    value: timedelta
    text: str


Number: TypeAlias = IntLiteral | DecimalLiteral
Literal: TypeAlias = (
    BoolLiteral
    | IntLiteral
    | DecimalLiteral
    | StringLiteral
    | DateLiteral
    | TimeLiteral
    | DateTimeLiteral
    | DurationLiteral
)


# --- expressions and conditions ------------------------------------------------------------------


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
    | IsMissing
    | IsPresent
    | IsFrom
    | Arithmetic
    | Negate
    | ListLiteral
    | RecordLiteral
)
"""An expression or a condition: the grammar does not tell them apart, the types do.

`Pattern` stands only on the right of `Like`, `PresenceMark` only as the value of a named argument or
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


# --- types ---------------------------------------------------------------------------------------


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


# --- statements that declare ---------------------------------------------------------------------


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


# --- statements that decide ----------------------------------------------------------------------


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


# --- tests ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class GivenFixture(Node):
    """`use support_bot`."""

    fixture: Path


@dataclass(frozen=True, slots=True, eq=False)
class GivenFact(Node):
    """`customer [from user] { id: "c1" }`: the row of a fact, or one of the rows of `facts`."""

    fact: Path
    source: SourceWord | None
    fields: tuple[FieldValue, ...]


@dataclass(frozen=True, slots=True, eq=False)
class GivenNow(Node):
    """`now = 2026-11-20T09:00:00Z`."""

    value: DateTimeLiteral


@dataclass(frozen=True, slots=True, eq=False)
class GivenApproval(Node):
    """`approved("manager") [at TIMESTAMP]`."""

    by: StringLiteral
    at: DateTimeLiteral | None


class EarlierOutcome(Enum):
    """What became of an earlier call."""

    EXECUTED = "executed"
    FAILED = "failed"
    ALLOWED = "allowed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, eq=False)
class GivenEarlier(Node):
    """`earlier refund { amount: 1.00 } at TIMESTAMP [failed]`; None where no outcome is written."""

    action: Path
    fields: tuple[FieldValue, ...]
    at: DateTimeLiteral
    outcome: EarlierOutcome | None


Given: TypeAlias = GivenFixture | GivenFact | GivenNow | GivenApproval | GivenEarlier


@dataclass(frozen=True, slots=True, eq=False)
class FixtureStatement(Node):
    """`fixture support_bot { items }`."""

    doc: Doc | None
    name: Name
    given: tuple[Given, ...]


@dataclass(frozen=True, slots=True, eq=False)
class When(Node):
    """`when refund { amount: 48.00 }`: the action that the test asks for."""

    action: Path
    fields: tuple[FieldValue, ...]


class ExpectedOutcome(Enum):
    """What a test can expect of the answer as a whole."""

    ALLOW = "allow"
    DENY = "deny"
    NEEDS_APPROVAL = "needs_approval"
    NEEDS_FACTS = "needs_facts"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, eq=False)
class ExpectOutcome(Node):
    """`expect deny by fraud`, `expect refused at args.amount`.

    `rules` are all the determining rules, empty where none is named. `at` is a path in the request,
    as a text (`facts.linked[0].a` is written as a string).
    """

    outcome: ExpectedOutcome
    rules: tuple[Path, ...]
    at: Path | StringLiteral | None


@dataclass(frozen=True, slots=True, eq=False)
class ExpectValue(Node):
    """`expect queue = urgent`, `expect queue = missing` where no value is expected."""

    decision: Path
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class ExpectObligation(Node):
    """`expect oblige notify(team: "fraud")`; `arguments` is None where no parentheses were written."""

    name: Name
    arguments: tuple[Argument, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class ExpectViolated(Node):
    """`expect violated pay_a_flagged_customer`."""

    never: Path


Expectation: TypeAlias = ExpectOutcome | ExpectValue | ExpectObligation | ExpectViolated


@dataclass(frozen=True, slots=True, eq=False)
class TestStatement(Node):
    """`test "..." { given { items } when ACTION {args} expect ... }`."""

    __test__: ClassVar[bool] = False  # pytest would take it for a test by its name

    doc: Doc | None
    title: StringLiteral
    given: tuple[Given, ...]
    when: When
    expectations: tuple[Expectation, ...]


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
