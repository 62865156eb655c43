"""What every operation of the language computes, fails at, and leaves missing."""

from __future__ import annotations

import datetime as dt
import ipaddress
import itertools
import re
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policylang.errors import InternalError
from policylang.evaluate.calculate import (
    CalculationFailure,
    aggregate,
    apply,
    conform,
    is_like,
    order_key,
    value_of,
)
from policylang.evaluate.firings import FailureKind
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
    Field,
    ListType,
    Member,
    RecordType,
    RefType,
    SetType,
    Type,
)
from policylang.facts.values import MISSING, Record
from policylang.semantics.program import AggregateKind, Apply, Constant, Operation, Variable

DECIMAL = DecimalType(None)
MONEY = DecimalType(2)
TIER = EnumType("m.Tier", (Member("free"), Member("pro"), Member("enterprise")))
STRINGS = SetType(Domain(STRING))
INTS = ListType(Domain(INT))
BIG = 10**37


def type_of(value: Any) -> Type:
    """A type that the value has."""
    match value:
        case bool():
            return BOOL
        case int():
            return INT
        case Decimal():
            return DECIMAL
        case str():
            return STRING
        case dt.datetime():
            return DATETIME
        case dt.date():
            return DATE
        case dt.timedelta():
            return DURATION
        case frozenset():
            return STRINGS
        case tuple():
            return INTS
        case ipaddress.IPv4Address() | ipaddress.IPv6Address():
            return IP
        case _:
            return CIDR


def calculated(operation: Operation, *arguments: Any, result: Type = DECIMAL) -> Any:
    """The operation on values whose types are plain to see."""
    return apply(operation, [type_of(a) for a in arguments], arguments, result)


def holds(operation: Operation, *arguments: Any) -> Any:
    """The truth of a comparison."""
    return calculated(operation, *arguments, result=BOOL)


def failure(answer: Any) -> FailureKind:
    """The kind of a failure, which the answer has to be."""
    assert isinstance(answer, CalculationFailure), answer
    return answer.kind


decimals = st.decimals(
    allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12
)
numbers = st.one_of(st.integers(), decimals)
durations = st.timedeltas()
moments = st.datetimes(timezones=st.just(dt.UTC))


class TestNumbers:
    @given(numbers, numbers)
    def test_arithmetic_is_exact(self, left: int | Decimal, right: int | Decimal) -> None:
        """`+`, `-` and `*` of Int and Decimal are those of fractions, or fail past 38 digits."""
        for operation, exact in [
            (Operation.ADD, Fraction(left) + Fraction(right)),
            (Operation.SUB, Fraction(left) - Fraction(right)),
            (Operation.MUL, Fraction(left) * Fraction(right)),
        ]:
            result = INT if isinstance(left, int) and isinstance(right, int) else DECIMAL
            answer = calculated(operation, left, right, result=result)
            if isinstance(answer, CalculationFailure):
                assert answer.kind is FailureKind.TOO_MANY_DIGITS
                assert result is DECIMAL
                assert digits_of(exact) > 38
            else:
                assert Fraction(answer) == exact
                assert result is INT or digits_of(exact) <= 38

    @given(numbers, numbers)
    def test_comparisons_are_those_of_the_values(self, left: Any, right: Any) -> None:
        """Numbers compare by value, Int with Decimal, whatever their size."""
        a, b = Fraction(left), Fraction(right)
        assert holds(Operation.EQ, left, right) is (a == b)
        assert holds(Operation.NE, left, right) is (a != b)
        assert holds(Operation.LT, left, right) is (a < b)
        assert holds(Operation.LE, left, right) is (a <= b)
        assert holds(Operation.GT, left, right) is (a > b)
        assert holds(Operation.GE, left, right) is (a >= b)
        assert Fraction(calculated(Operation.MIN, left, right, result=EITHER)) == min(a, b)
        assert Fraction(calculated(Operation.MAX, left, right, result=EITHER)) == max(a, b)

    @given(numbers, numbers)
    def test_a_quotient_is_exact_where_it_ends_and_rounded_half_even_elsewhere(
        self, left: Any, right: Any
    ) -> None:
        """A quotient differs from the exact one by half a unit of the 18th place at most, and only if it has no end."""
        answer = calculated(Operation.DIV, left, right)
        if right == 0:
            assert failure(answer) is FailureKind.DIVISION_BY_ZERO
            return
        exact = Fraction(left) / Fraction(right)
        if isinstance(answer, CalculationFailure):
            assert answer.kind is FailureKind.TOO_MANY_DIGITS
            assert digits_of(exact) > 38 or abs(exact) >= 10**19
        elif ends(exact):
            assert Fraction(answer) == exact
        else:
            assert Fraction(answer) == Fraction(round(exact * 10**18), 10**18)

    @given(numbers, st.integers(-50, 50))
    def test_round_is_half_to_even(self, number: Any, places: int) -> None:
        """`round(X, N)` is Python's exact rounding of the fraction."""
        answer = calculated(Operation.ROUND, number, places)
        exact = Fraction(number)
        expected = Fraction(round(exact * Fraction(10) ** places)) / Fraction(10) ** places
        if isinstance(answer, CalculationFailure):
            assert digits_of(expected) > 38
        else:
            assert Fraction(answer) == expected

    @given(decimals)
    def test_floor_ceiling_and_whole_rounding_give_integers(self, number: Decimal) -> None:
        """`floor`, `ceil` and `round` of one argument give the Int beside the number."""
        exact = Fraction(number)
        for operation, expected in [
            (Operation.FLOOR, exact.__floor__()),
            (Operation.CEIL, exact.__ceil__()),
            (Operation.ROUND, round(exact)),
        ]:
            answer = calculated(operation, number, result=INT)
            assert type(answer) is int
            assert answer == expected

    @given(decimals)
    def test_sign_operations(self, number: Decimal) -> None:
        """`neg` and `abs` keep the size of a number, and never make a negative zero."""
        assert calculated(Operation.NEG, number) == -Fraction(number)
        assert calculated(Operation.ABS, number) == abs(Fraction(number))
        assert not str(calculated(Operation.NEG, Decimal("0.00"))).startswith("-")
        assert not str(calculated(Operation.MUL, Decimal("-1.5"), Decimal(0))).startswith("-")

    def test_int_has_any_size(self) -> None:
        """No Int calculation overflows or goes through a float."""
        huge = 10**5000 + 1
        assert calculated(Operation.MUL, huge, huge, result=INT) == huge * huge
        assert calculated(Operation.SUB, huge, 1, result=INT) == 10**5000
        assert holds(Operation.GT, huge, Decimal("0.5")) is True

    @pytest.mark.parametrize(
        ("operation", "left", "right"),
        [
            (Operation.ADD, Decimal(9 * BIG), Decimal(9 * BIG)),
            (Operation.ADD, Decimal(BIG), Decimal("0.1")),
            (Operation.MUL, Decimal(BIG), 10),
            (Operation.MUL, Decimal("0.1"), 10**400),
            (Operation.MUL, Decimal("1E-20"), Decimal("1E-20")),
            (Operation.DIV, Decimal("1E-20"), 10**19),
            (Operation.DIV, 1, 2**50),
            (Operation.DIV, 10**38, 3),
        ],
    )
    def test_a_decimal_past_38_digits_fails(
        self, operation: Operation, left: Any, right: Any
    ) -> None:
        """A Decimal result with more than 38 digits on both sides of its point is a failure, never rounded."""
        assert failure(calculated(operation, left, right)) is FailureKind.TOO_MANY_DIGITS

    def test_38_digits_are_kept_exactly(self) -> None:
        """Two 38-digit Decimals add to the last digit."""
        left = Decimal("123456789012345678901234567890123456.78")
        right = Decimal("0.01")
        answer = calculated(Operation.ADD, left, right, result=MONEY)
        assert str(answer) == "123456789012345678901234567890123456.79"

    def test_trailing_zeros_are_not_digits(self) -> None:
        """The digits of a product are those of its value: 0.10 * 0.10 has two places."""
        assert str(calculated(Operation.MUL, Decimal("0.10"), Decimal("0.10"))) == "0.01"
        assert str(calculated(Operation.ADD, Decimal("99.5"), Decimal("0.5"))) == "100"

    def test_fit_refuses_more_places(self) -> None:
        """FIT is the value itself in its scale, and fails where places would be lost or digits do not fit."""
        assert str(calculated(Operation.FIT, Decimal("1.5"), 2, result=MONEY)) == "1.50"
        assert str(calculated(Operation.FIT, 7, 2, result=MONEY)) == "7.00"
        assert calculated(Operation.FIT, Decimal("1.500"), 1) == Decimal("1.5")
        places = calculated(Operation.FIT, Decimal("1.999"), 2, result=MONEY)
        assert failure(places) is FailureKind.TOO_MANY_PLACES
        digits = calculated(Operation.FIT, 10**37, 2, result=MONEY)
        assert failure(digits) is FailureKind.TOO_MANY_DIGITS

    def test_a_result_is_written_as_its_type(self) -> None:
        """Equal numbers of one type print alike, however they came about."""
        assert str(conform(Decimal("5"), MONEY)) == "5.00"
        assert str(conform(Decimal("5.10"), DECIMAL)) == "5.1"
        assert str(conform(Decimal("1E+3"), DECIMAL)) == "1000"
        assert type(conform(Decimal("5.00"), INT)) is int
        assert conform("x", STRING) == "x"
        with pytest.raises(InternalError):
            conform(Decimal("0.5"), INT)

    def test_division_by_zero_fails(self) -> None:
        """Nothing divided by zero has a value, durations included."""
        hour = dt.timedelta(hours=1)
        for left, right in [
            (1, 0),
            (Decimal(0), Decimal("0.00")),
            (hour, 0),
            (hour, dt.timedelta(0)),
        ]:
            assert failure(calculated(Operation.DIV, left, right)) is FailureKind.DIVISION_BY_ZERO

    def test_rounding_to_a_silly_number_of_places_is_quick(self) -> None:
        """`round` never calculates a power of ten that the answer does not need."""
        started = time.perf_counter()
        assert calculated(Operation.ROUND, Decimal("1.5"), 10**12) == Decimal("1.5")
        assert calculated(Operation.ROUND, 15, -(10**12)) == 0
        assert time.perf_counter() - started < 1


EITHER = ListType(Domain(INT))  # a type that leaves numbers as they are


def digits_of(exact: Fraction) -> int:
    """Digits on both sides of the point, or more than can be where the fraction does not end."""
    places = next((n for n in range(200) if (exact * 10**n).denominator == 1), 1000)
    return (len(str(abs(int(exact)))) if abs(exact) >= 1 else 0) + places


def ends(exact: Fraction) -> bool:
    """Whether the fraction ends after some decimal place."""
    denominator = exact.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1


class TestOrder:
    def test_enums_are_ordered_as_declared(self) -> None:
        """An enum compares by the order of its declaration, not by its letters, through references too."""
        for type_ in (TIER, RefType("m.tiers", TIER)):
            types = [type_, type_]
            assert apply(Operation.LT, types, ["pro", "enterprise"], BOOL) is True
            assert apply(Operation.GE, types, ["free", "pro"], BOOL) is False
            assert apply(Operation.MAX, types, ["pro", "enterprise"], type_) == "enterprise"
            between = apply(Operation.BETWEEN, [type_] * 3, ["pro", "free", "enterprise"], BOOL)
            assert between is True

    def test_strings_are_ordered_by_code_point(self) -> None:
        """String order is that of code points: capitals first, no locale, astral characters last."""
        assert holds(Operation.LT, "Z", "a") is True
        assert holds(Operation.LT, "é", "z") is False
        assert holds(Operation.LT, "\uffff", "\U0001f600") is True

    def test_containers_and_addresses_have_an_order(self) -> None:
        """Every value has an order in its type, so that any type may be compared, `min` and `max` included."""
        four, six = ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("::1")
        assert holds(Operation.LT, four, six) is True
        record = RecordType((Field("t", Domain(TIER)), Field("n", Domain(INT), optional=True)))
        tiers = ListType(Domain(TIER))
        assert order_key(("free", "pro"), tiers) < order_key(("pro",), tiers)
        assert order_key(Record(("pro", MISSING)), record) < order_key(Record(("pro", 1)), record)
        both = SetType(Domain(TIER))
        assert order_key(frozenset({"free"}), both) < order_key(frozenset({"enterprise"}), both)
        assert order_key(MISSING, INT) == (0,)

    @given(st.lists(moments, min_size=3, max_size=3))
    def test_between_is_both_comparisons(self, values: list[dt.datetime]) -> None:
        """`X in A .. B` is `X >= A and X <= B`."""
        x, low, high = values
        assert holds(Operation.BETWEEN, x, low, high) is (low <= x <= high)


class TestMembership:
    def test_lists_and_sets(self) -> None:
        """`in` and `has` are one question asked from either side; `has all` and `has any` are set relations."""
        scopes = frozenset({"a", "b"})
        assert holds(Operation.HAS, scopes, "a") is True
        assert holds(Operation.HAS, (1, 2), 3) is False
        assert holds(Operation.IN, "b", scopes) is True
        assert holds(Operation.IN, Decimal("2.0"), (1, 2)) is True
        assert holds(Operation.HAS_ALL, scopes, frozenset({"a"})) is True
        assert holds(Operation.HAS_ALL, scopes, frozenset({"a", "c"})) is False
        assert holds(Operation.HAS_ANY, scopes, frozenset({"c"})) is False
        assert holds(Operation.HAS_ANY, scopes, frozenset({"c", "b"})) is True

    def test_networks(self) -> None:
        """An address is in a network of its own version that covers it."""
        inside = ipaddress.ip_network("10.0.0.0/8")
        assert holds(Operation.IN_NETWORK, ipaddress.ip_address("10.2.3.4"), inside) is True
        assert holds(Operation.IN_NETWORK, ipaddress.ip_address("11.2.3.4"), inside) is False
        assert holds(Operation.IN_NETWORK, ipaddress.ip_address("::1"), inside) is False


class TestStrings:
    def test_functions(self) -> None:
        """Each string function on plain examples."""
        assert calculated(Operation.ADD, "a", "b", result=STRING) == "ab"
        assert calculated(Operation.LOWER, "ÀB", result=STRING) == "àb"
        assert calculated(Operation.UPPER, "àb", result=STRING) == "ÀB"
        assert holds(Operation.STARTS_WITH, "abc", "ab") is True
        assert holds(Operation.ENDS_WITH, "abc", "ab") is False
        assert calculated(Operation.LEN, "a😀", result=INT) == 2
        assert calculated(Operation.LEN, frozenset({"a"}), result=INT) == 1
        assert calculated(Operation.LEN, (1, 1, 2), result=INT) == 3

    def test_before_and_after_split_at_the_first_separator(self) -> None:
        """`before` and `after` leave nothing out but the separator, and are missing without one."""
        assert calculated(Operation.BEFORE, "a:b:c", ":", result=STRING) == "a"
        assert calculated(Operation.AFTER, "a:b:c", ":", result=STRING) == "b:c"
        assert calculated(Operation.BEFORE, "abc", ":", result=STRING) is MISSING
        assert calculated(Operation.AFTER, "abc", ":", result=STRING) is MISSING
        assert calculated(Operation.BEFORE, "abc", "", result=STRING) == ""
        assert calculated(Operation.AFTER, "abc", "", result=STRING) == "abc"

    @pytest.mark.parametrize(
        ("text", "pattern", "expected"),
        [
            ("api.example.com", "*.example.com", True),
            ("example.com", "*.example.com", False),
            ("api.example.com.evil", "*.example.com", False),
            ("abc", "abc", True),
            ("abcd", "abc", False),
            ("", "*", True),
            ("", "", True),
            ("a", "", False),
            ("aa", "a*a", True),
            ("a", "a*a", False),
            ("a*b", "a\\*b", True),
            ("axb", "a\\*b", False),
            ("a\nb", "a*b", True),
            ("a.b", "a?b", False),
            ("x[1]", "x[1]", True),
            ("a\\b", "a\\b", True),
            ("C:\\x", "C:\\\\*", True),
            ("C:*", "C:\\\\*", False),
            ("a1b2c", "a*b*c", True),
            ("abab", "*ab*ab*", True),
            ("ab", "*ab*ab*", False),
        ],
    )
    def test_like(self, text: str, pattern: str, expected: bool) -> None:
        r"""`like` is anchored at both ends, only `*` is special, and `\*` is a star."""
        assert holds(Operation.LIKE, text, pattern) is expected

    @given(
        st.text("ab*\\", max_size=8),
        st.lists(st.sampled_from(["a", "b", "*", "\\*", "ab"]), max_size=6).map("".join),
    )
    def test_like_agrees_with_a_regular_expression(self, text: str, pattern: str) -> None:
        """`like` is the regular expression that its stars stand for."""
        parts = re.findall(r"\\\*|\*|[^*\\]+|\\", pattern)
        wanted = "".join(".*" if p == "*" else re.escape("*" if p == "\\*" else p) for p in parts)
        assert is_like(text, pattern) is (re.fullmatch(wanted, text, re.DOTALL) is not None)

    def test_like_takes_linear_time(self) -> None:
        """A pattern of many stars on a long text that almost matches is answered at once."""
        started = time.perf_counter()
        assert is_like("a" * 200_000, "*a" * 2_000 + "b") is False
        assert is_like("ab" * 100_000, "*" + "ab*" * 2_000 + "c*") is False
        assert time.perf_counter() - started < 2


class TestTime:
    def test_dates_and_moments_move_by_durations(self) -> None:
        """A moment moves by any duration, a Date by whole days, and differences are durations."""
        day, noon = dt.date(2026, 2, 28), dt.datetime(2026, 2, 28, 12, tzinfo=dt.UTC)
        hours = dt.timedelta(hours=36)
        assert calculated(Operation.ADD, noon, hours, result=DATETIME) == noon + hours
        assert calculated(Operation.ADD, hours, noon, result=DATETIME) == noon + hours
        assert calculated(Operation.SUB, noon, hours, result=DATETIME) == noon - hours
        week = dt.timedelta(days=7)
        assert calculated(Operation.ADD, day, week, result=DATE) == dt.date(2026, 3, 7)
        assert calculated(Operation.ADD, week, day, result=DATE) == dt.date(2026, 3, 7)
        assert calculated(Operation.SUB, day, week, result=DATE) == dt.date(2026, 2, 21)
        assert calculated(Operation.SUB, dt.date(2026, 3, 1), day, result=DURATION).days == 1
        assert calculated(Operation.SUB, noon, noon, result=DURATION) == dt.timedelta(0)

    def test_a_date_does_not_drop_hours(self) -> None:
        """A Date moved by a part of a day is a failure, not a rounded day."""
        moved = calculated(Operation.ADD, dt.date(2026, 1, 1), dt.timedelta(hours=36), result=DATE)
        assert failure(moved) is FailureKind.OUT_OF_RANGE

    @given(durations, decimals)
    def test_durations_scale_exactly(self, duration: dt.timedelta, number: Decimal) -> None:
        """A duration times or over a number is the exact one, rounded half to even at a microsecond."""
        exact = Fraction(duration // dt.timedelta(microseconds=1))
        cases = [(Operation.MUL, exact * Fraction(number))]
        if number:
            cases.append((Operation.DIV, exact / Fraction(number)))
        for operation, wanted in cases:
            answer = calculated(operation, duration, number, result=DURATION)
            if isinstance(answer, CalculationFailure):
                assert answer.kind is FailureKind.OUT_OF_RANGE
                assert abs(wanted) > 86_400_000_000 * 999_999_998
            else:
                assert answer // dt.timedelta(microseconds=1) == round(wanted)

    @given(durations, durations)
    def test_durations_add_and_divide(self, left: dt.timedelta, right: dt.timedelta) -> None:
        """Durations add as integers of microseconds do, and their quotient is a number."""
        added = calculated(Operation.ADD, left, right, result=DURATION)
        if isinstance(added, CalculationFailure):
            assert added.kind is FailureKind.OUT_OF_RANGE
        else:
            assert added - right == left
        if right:
            half = calculated(Operation.DIV, right, right * 2 if abs(right.days) < 10**8 else right)
            assert half in (Decimal("0.5"), Decimal(1))

    @pytest.mark.parametrize(
        ("operation", "arguments", "result"),
        [
            (Operation.ADD, (dt.date.max, dt.timedelta(days=1)), DATE),
            (Operation.SUB, (dt.date.min, dt.timedelta(days=1)), DATE),
            (Operation.ADD, (dt.datetime.max.replace(tzinfo=dt.UTC), dt.timedelta(1)), DATETIME),
            (Operation.ADD, (dt.timedelta.max, dt.timedelta(1)), DURATION),
            (Operation.SUB, (dt.timedelta.min, dt.timedelta(1)), DURATION),
            (Operation.MUL, (dt.timedelta.max, 2), DURATION),
            (Operation.MUL, (dt.timedelta(days=1), 10**400), DURATION),
            (Operation.NEG, (dt.timedelta.max,), DURATION),
            (Operation.DATE, (dt.datetime.max.replace(tzinfo=dt.UTC), "Asia/Tokyo"), DATE),
            (Operation.TIME, (dt.datetime.min.replace(tzinfo=dt.UTC), "America/New_York"), TIME),
        ],
    )
    def test_past_the_ends_of_time_is_a_failure(
        self, operation: Operation, arguments: tuple[Any, ...], result: Type
    ) -> None:
        """A date, moment or duration that cannot be represented is a failure, not an exception."""
        answer = calculated(operation, *arguments, result=result)
        assert failure(answer) is FailureKind.OUT_OF_RANGE

    def test_zones(self) -> None:
        """Date, time and weekday are those on the clock of the zone, summer time included."""
        late = dt.datetime(2026, 7, 5, 22, 30, tzinfo=dt.UTC)  # a Sunday
        assert calculated(Operation.DATE, late, "Europe/Berlin", result=DATE) == dt.date(2026, 7, 6)
        assert calculated(Operation.TIME, late, "Europe/Berlin", result=TIME) == dt.time(0, 30)
        assert calculated(Operation.WEEKDAY, late, "Europe/Berlin", result=INT) == 1
        assert calculated(Operation.WEEKDAY, late, "UTC", result=INT) == 7
        winter = late.replace(month=1)
        assert calculated(Operation.TIME, winter, "Europe/Berlin", result=TIME) == dt.time(23, 30)

    @pytest.mark.parametrize(
        "zone",
        [
            "Mars/Base",
            "",
            "../etc/passwd",
            "/etc/localtime",
            "Europe",
            "localtime",
            "a\0b",
            "\ud800",
        ],
    )
    def test_an_unknown_zone_is_a_failure(self, zone: str) -> None:
        """A name that is no IANA zone fails, and so does the zone that a machine happens to be set to."""
        moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        answer = calculated(Operation.WEEKDAY, moment, zone, result=INT)
        assert failure(answer) is FailureKind.UNKNOWN_ZONE


class TestMissingAndFailed:
    def test_missing_propagates(self) -> None:
        """An operation with a missing argument is missing, whatever the operation."""
        for operation in Operation:
            assert apply(operation, [STRING, STRING], [MISSING, "a"], STRING) is MISSING

    def test_a_failure_is_stronger_than_missing_and_the_order_does_not_matter(self) -> None:
        """Of failed and missing arguments the failure with the least code is the answer, in any order."""
        zero = CalculationFailure(FailureKind.DIVISION_BY_ZERO, "division by zero")
        zone = CalculationFailure(FailureKind.UNKNOWN_ZONE, "unknown time zone")
        for order in itertools.permutations([zone, MISSING, zero]):
            assert apply(Operation.BETWEEN, [INT] * 3, order, BOOL) == zero

    def test_expressions(self) -> None:
        """An expression is its operations applied inside out, with the environment's variables."""
        x = Variable("X", INT)
        half = Apply(Operation.DIV, (Constant(1, INT), x), DECIMAL)
        more = Apply(Operation.ADD, (half, Constant(2, INT)), DECIMAL)
        assert value_of(more, {"X": 4}) == Decimal("2.25")
        assert failure(value_of(more, {"X": 0})) is FailureKind.DIVISION_BY_ZERO
        assert value_of(more, {"X": MISSING}) is MISSING

    def test_wrong_types_are_a_bug_of_ours(self) -> None:
        """Types are checked before: an operation given others is an `InternalError`."""
        with pytest.raises(InternalError):
            calculated(Operation.MUL, "a", dt.timedelta(1))
        with pytest.raises(InternalError):
            calculated(Operation.STARTS_WITH, 1, "a")


class TestAggregates:
    @given(st.lists(decimals))
    def test_a_sum_is_exact(self, values: list[Decimal]) -> None:
        """A sum is the exact sum in any order, and 0 of nothing."""
        exact = sum(map(Fraction, values))
        assert aggregate(AggregateKind.SUM, values, DECIMAL, DECIMAL) == exact
        assert aggregate(AggregateKind.SUM, values[::-1], DECIMAL, DECIMAL) == exact

    def test_only_the_whole_sum_has_to_fit(self) -> None:
        """A sum whose parts leave 38 digits and come back is the sum; one that ends past them fails."""
        high = Decimal(9 * BIG)
        assert aggregate(AggregateKind.SUM, [high, high, -high], DECIMAL, DECIMAL) == high
        failed = aggregate(AggregateKind.SUM, [high, high], DECIMAL, DECIMAL)
        assert failure(failed) is FailureKind.TOO_MANY_DIGITS

    def test_sums_have_the_type_of_what_is_added(self) -> None:
        """Integers add to any size, durations to a duration or a failure."""
        assert aggregate(AggregateKind.SUM, [2**40] * 3, INT, INT) == 3 * 2**40
        assert type(aggregate(AggregateKind.SUM, [], INT, INT)) is int
        hours = [dt.timedelta(hours=20), dt.timedelta(hours=20)]
        assert aggregate(AggregateKind.SUM, hours, DURATION, DURATION) == dt.timedelta(hours=40)
        assert aggregate(AggregateKind.SUM, [], DURATION, DURATION) == dt.timedelta(0)
        far = aggregate(AggregateKind.SUM, [dt.timedelta.max] * 2, DURATION, DURATION)
        assert failure(far) is FailureKind.OUT_OF_RANGE

    def test_least_and_greatest(self) -> None:
        """`min` and `max` follow the type's order, skip what is missing, and are missing over nothing."""
        values = ["enterprise", MISSING, "pro"]
        assert aggregate(AggregateKind.MIN, values, TIER, TIER) == "pro"
        assert aggregate(AggregateKind.MAX, values, TIER, TIER) == "enterprise"
        assert aggregate(AggregateKind.MIN, [MISSING], TIER, TIER) is MISSING
        assert aggregate(AggregateKind.MAX, [], TIER, TIER) is MISSING

    def test_counts_and_failures(self) -> None:
        """`count` counts what is there; a failed value fails any aggregate."""
        assert aggregate(AggregateKind.COUNT, [True, MISSING, True], BOOL, INT) == 2
        zero = CalculationFailure(FailureKind.DIVISION_BY_ZERO, "division by zero")
        for kind in AggregateKind:
            assert aggregate(kind, [1, zero, MISSING], INT, INT) == zero
