"""The types that operators and functions take and give."""

from __future__ import annotations

import pytest

from policylang.facts.types import (
    BOOL,
    CIDR,
    DATE,
    DATETIME,
    DURATION,
    INT,
    IP,
    STRING,
    TIME,
    DecimalType,
    Domain,
    EnumType,
    ListType,
    Member,
    RefType,
    SetType,
    Type,
)
from policylang.semantics.operations import FUNCTIONS, Mismatch, result_type, unify
from policylang.semantics.program import Operation as O

D2, D4, ANY_DECIMAL = DecimalType(2), DecimalType(4), DecimalType(None)
TIER = EnumType("m.Tier", (Member("free"), Member("pro")))
OTHER = EnumType("n.Tier", TIER.members)
NAMES, TEXTS = SetType(Domain(STRING)), ListType(Domain(STRING))
REF = RefType("m.order", STRING)


@pytest.mark.parametrize(
    ("operation", "arguments", "result"),
    [
        (O.EQ, (INT, D2), BOOL),
        (O.EQ, (REF, STRING), BOOL),
        (O.EQ, (NAMES, NAMES), BOOL),
        (O.LT, (TIER, TIER), BOOL),
        (O.BETWEEN, (D2, INT, INT), BOOL),
        (O.IN, (STRING, TEXTS), BOOL),
        (O.HAS, (NAMES, STRING), BOOL),
        (O.HAS_ALL, (NAMES, NAMES), BOOL),
        (O.IN_NETWORK, (IP, CIDR), BOOL),
        (O.ADD, (INT, D2), D2),
        (O.ADD, (D2, D4), D4),
        (O.ADD, (STRING, STRING), STRING),
        (O.ADD, (DURATION, DATE), DATE),
        (O.SUB, (DATETIME, DATETIME), DURATION),
        (O.SUB, (DATE, DURATION), DATE),
        (O.MUL, (D2, D4), DecimalType(6)),
        (O.MUL, (INT, DURATION), DURATION),
        (O.DIV, (INT, INT), ANY_DECIMAL),
        (O.DIV, (DURATION, DURATION), ANY_DECIMAL),
        (O.DIV, (DURATION, INT), DURATION),
        (O.NEG, (DURATION,), DURATION),
        (O.MIN, (INT, D2), D2),
        (O.MAX, (TIER, TIER), TIER),
        (O.ROUND, (D4,), INT),
        (O.ROUND, (D4, INT), ANY_DECIMAL),
        (O.FLOOR, (D4,), INT),
        (O.LEN, (NAMES,), INT),
        (O.BEFORE, (STRING, STRING), STRING),
        (O.TIME, (DATETIME, STRING), TIME),
        (O.WEEKDAY, (DATETIME, STRING), INT),
    ],
)
def test_what_an_operation_gives(operation: O, arguments: tuple[Type, ...], result: Type) -> None:
    """The type of an operation follows from those of its arguments."""
    assert result_type(operation, arguments) == result


@pytest.mark.parametrize(
    ("operation", "arguments", "position"),
    [
        (O.EQ, (STRING, INT), 1),
        (O.EQ, (TIER, OTHER), 1),
        (O.EQ, (BOOL, INT), 1),
        (O.LT, (BOOL, BOOL), 0),
        (O.LT, (NAMES, NAMES), 0),
        (O.LT, (DATE, DATETIME), 1),
        (O.BETWEEN, (INT, INT, STRING), 2),
        (O.IN, (INT, TEXTS), 0),
        (O.IN, (INT, INT), 1),
        (O.HAS, (STRING, STRING), 0),
        (O.HAS_ANY, (NAMES, TEXTS), 1),
        (O.ADD, (BOOL, INT), 0),
        (O.ADD, (INT, STRING), 1),
        (O.ADD, (DATE, DATE), 1),
        (O.SUB, (STRING, STRING), 0),
        (O.SUB, (DATE, DATETIME), 1),
        (O.MUL, (DURATION, DURATION), 1),
        (O.MUL, (STRING, INT), 0),
        (O.DIV, (INT, DURATION), 1),
        (O.NEG, (STRING,), 0),
        (O.ROUND, (D2, D2), 1),
        (O.LEN, (INT,), 0),
        (O.LIKE, (INT, STRING), 0),
        (O.DATE, (DATE, STRING), 0),
    ],
)
def test_what_an_operation_does_not_take(
    operation: O, arguments: tuple[Type, ...], position: int
) -> None:
    """An argument of a wrong type is named."""
    found = result_type(operation, arguments)
    assert isinstance(found, Mismatch)
    assert found.argument == position


def test_rounding_to_constant_places_gives_that_scale() -> None:
    """`round(X, 2)` is a Decimal(2), so that it fits where two places are declared."""
    assert result_type(O.ROUND, (D4, INT), 2) == D2


def test_every_function_is_one_of_an_operation_with_a_rule() -> None:
    """No function of the language is without a type."""
    for function in FUNCTIONS.values():
        found = result_type(function.operation, (BOOL,) * function.most)
        assert isinstance(found, Mismatch)


@pytest.mark.parametrize(
    ("left", "right", "both"),
    [
        (INT, INT, INT),
        (INT, D2, D2),
        (D2, ANY_DECIMAL, ANY_DECIMAL),
        (REF, REF, REF),
        (REF, STRING, STRING),
        (TIER, TIER, TIER),
        (TIER, OTHER, None),
        (BOOL, INT, None),
        (NAMES, TEXTS, None),
        (SetType(Domain(INT)), SetType(Domain(D2)), SetType(Domain(INT))),
    ],
)
def test_types_that_go_together(left: Type, right: Type, both: Type | None) -> None:
    """Numbers take the wider type, a reference beside its key is that key, other types have to be the same."""
    assert unify(left, right) == both
