"""Tests and fixtures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, TypeAlias

from policylang.syntax.tree.base import Doc, Name, Node, Path
from policylang.syntax.tree.expressions import Argument, Expr, FieldValue, SourceWord
from policylang.syntax.tree.literals import DateTimeLiteral, StringLiteral


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
