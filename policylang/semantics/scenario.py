"""What `test` and `fixture` statements ask for, with every name resolved.

A value given in a test is kept in the form of requests (text, exact numbers, lists, objects) and
not as a typed value: what a request refuses is worth a test too. What is expected is typed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from policylang.diagnostics import Span
from policylang.facts.schema import Source
from policylang.facts.values import Missing, Value
from policylang.syntax.tree import EarlierOutcome, ExpectedOutcome

Given: TypeAlias = "bool | int | Decimal | str | list[Given] | dict[str, Given] | None"
"""A value as a request would give it."""


@dataclass(frozen=True, slots=True)
class GivenRow:
    """One row of a fact: its qualified name, its fields, and where it comes from, if that is said."""

    relation: str
    fields: Mapping[str, Given]
    source: Source | None
    span: Span


@dataclass(frozen=True, slots=True)
class GivenApproval:
    """An approval that was granted; without a time it was granted at the time of the request."""

    by: str
    at: dt.datetime | None
    span: Span


@dataclass(frozen=True, slots=True)
class EarlierCall:
    """A call made before, as limits count it; its facts are those of the test."""

    action: str
    args: Mapping[str, Given]
    at: dt.datetime
    outcome: EarlierOutcome
    span: Span


@dataclass(frozen=True, slots=True)
class ExpectOutcome:
    """The outcome, and where they are named all determining rules, or the path that is refused."""

    outcome: ExpectedOutcome
    rules: tuple[str, ...]
    at: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class ExpectValue:
    """The value of a decision; `MISSING` where none is expected."""

    decision: str
    value: Value | Missing
    span: Span


@dataclass(frozen=True, slots=True)
class ExpectObligation:
    """An obligation; `arguments` is None where any will do."""

    name: str
    arguments: tuple[tuple[str, Value], ...] | None
    span: Span


@dataclass(frozen=True, slots=True)
class ExpectViolated:
    """An invariant that is violated, by its qualified name."""

    never: str
    span: Span


Expectation: TypeAlias = ExpectOutcome | ExpectValue | ExpectObligation | ExpectViolated


@dataclass(frozen=True, slots=True)
class Scenario:
    """One `test`: a request to make, and what its answer has to be.

    `rows` are those of the fixtures that the test uses and its own, in order; of a fact that has one row,
    what is given later adds to what was given before and takes its place field by field.
    """

    module: str
    title: str
    action: str
    args: Mapping[str, Given]
    rows: tuple[GivenRow, ...]
    approvals: tuple[GivenApproval, ...]
    earlier: tuple[EarlierCall, ...]
    now: dt.datetime | None
    expectations: tuple[Expectation, ...]
    span: Span
