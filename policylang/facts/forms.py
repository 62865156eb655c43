"""The forms of values: how each type is written in JSON and text, read exactly and strictly.

One form in JSON a type, the same in both directions (`to_json` here, `from_json` in `reading`):

| type                 | written                                   | also read                                  |
|----------------------|-------------------------------------------|--------------------------------------------|
| Bool                 | `true`, `false`                           |                                            |
| Int                  | `400`                                     |                                            |
| Decimal(2)           | `"48.00"`, always with its scale          | `48`, `48.0`, `"48"`; see `decimal_reader` |
| String, enums        | `"pro"`                                   | enums: their other spellings               |
| Date, Time           | `"2026-11-20"`, `"09:30:00"`              | `"09:30"`                                  |
| DateTime             | `"2026-11-20T09:00:00Z"`                  | any offset, `"2026-11-20T09:00Z"`          |
| Duration             | `"PT4H"`                                  | `"4 hours"`, `"1 day 4 hours"`             |
| Ip, Cidr             | `"10.0.0.1"`, `"10.0.0.0/8"`              |                                            |
| Set[T], List[T]      | `[...]` (a set in the order of its values) | sets: in any order, with repetitions       |
| records              | `{...}` without what is missing           |                                            |

Python objects are read where they are exactly such a value (`Decimal`, `datetime` with a zone, ...).
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar, assert_never

from policylang.diagnostics import Code
from policylang.facts import codes
from policylang.facts.order import value_key
from policylang.facts.types import (
    MAX_DIGITS,
    DecimalType,
    Domain,
    EnumType,
    ListType,
    RecordType,
    RefType,
    ScalarType,
    SetType,
    Type,
)
from policylang.facts.values import MISSING, Record, Value

LONGEST_TEXT: Final = 1_000_000
"""Code points in a string of a request; a declaration may ask for less, not for more."""

LONGEST_FORM: Final = 200
"""Code points of a text that is to become a number, a date or a Bool by a normalizer."""

MOST_ELEMENTS: Final = 1_000_000
"""Elements of one list or set."""

MOST_INT_DIGITS: Final = 1_000
"""Digits of an Int at the border: what arithmetic makes of it later is not bounded."""

FLOAT_DIGITS: Final = 15
"""Every decimal of so many digits survives the way through a binary float and back."""

Reader: TypeAlias = Callable[[Any], Any]
"""From what was given to a value (None where a normalizer says that it is nothing); raises `Unfit`."""
Writer: TypeAlias = Callable[[Any], Any]


class Unfit(ValueError):  # noqa: N818 - it is a finding, not an error of the program
    """Why something given is no value of its type: raised by readers, never past the border."""

    def __init__(self, code: Code, detail: str = "", hint: str | None = None) -> None:
        super().__init__(code.id)
        self.code = code
        self.detail = detail
        self.hint = hint


def bounded(domain: Domain) -> Callable[[Any], Any]:
    """A check that a value of the domain's type lies within its bounds."""
    low: Any = domain.low
    high: Any = domain.high
    if low is None and high is None:
        return lambda value: value

    def within(value: Any) -> Any:
        if (low is not None and value < low) or (high is not None and value > high):
            raise Unfit(codes.OUT_OF_RANGE)
        return value

    return within


# --- text -----------------------------------------------------------------------------------------------


def check_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """The text itself; raises `Unfit` where it is too long or holds NUL or an unpaired surrogate.

    SOLVER: a clingo string ends at NUL, and a surrogate raises there.
    """
    if len(text) > longest:
        raise Unfit(codes.TOO_LONG, f"{len(text)} characters")
    if "\0" in text:
        raise Unfit(codes.FORBIDDEN_CHARACTER, "NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unfit(codes.FORBIDDEN_CHARACTER, "half of a surrogate pair") from None
    return str.__str__(text)


def short(text: str) -> str:
    """The text itself; raises `Unfit` where it is longer than a form of a single value is."""
    if len(text) > LONGEST_FORM:
        raise Unfit(codes.MALFORMED, f"{len(text)} characters are more than such a form has")
    return text


def string_reader(domain: Domain) -> Reader:
    """Reads strings, within the declared length."""
    longest = LONGEST_TEXT if domain.max_length is None else min(domain.max_length, LONGEST_TEXT)
    within = bounded(domain)

    def read(given: object) -> Any:
        if not isinstance(given, str):
            raise Unfit(codes.WRONG_TYPE)
        return within(check_text(given, longest))

    return read


def spellings(type_: EnumType) -> Mapping[str, str]:
    """The accepted texts of an enum, each with its member."""
    found = {s: member.name for member in type_.members for s in member.spellings}
    return found | {name: name for name in type_.member_names}


def enum_reader(domain: Domain, type_: EnumType) -> Reader:
    """Reads the names and spellings of an enum's members."""
    members = spellings(type_)
    ranks = {name: i for i, name in enumerate(type_.member_names)}
    low = ranks[str(domain.low)] if domain.low is not None else 0
    high = ranks[str(domain.high)] if domain.high is not None else len(ranks)

    def read(given: object) -> Any:
        if not isinstance(given, str):
            raise Unfit(codes.WRONG_TYPE)
        name = members.get(str.__str__(given))
        if name is None:
            raise Unfit(codes.UNKNOWN_MEMBER)
        if not low <= ranks[name] <= high:
            raise Unfit(codes.OUT_OF_RANGE)
        return name

    return read


# --- numbers --------------------------------------------------------------------------------------------

_INT_LIMIT: Final = 10**MOST_INT_DIGITS
INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.([0-9]+))?")
_EXACT: Final = Context(
    prec=2 * MAX_DIGITS, Emax=999_999, Emin=-999_999, traps=[InvalidOperation, Inexact]
)


def bool_reader(given: object) -> Value:
    """Reads `true` and `false`, and nothing else."""
    if isinstance(given, bool):
        return given
    raise Unfit(codes.WRONG_TYPE)


def int_reader(domain: Domain) -> Reader:
    """Reads whole numbers, written without a point: `1.0` and `"1"` are none."""
    within = bounded(domain)

    def read(given: object) -> Any:
        if not isinstance(given, int) or isinstance(given, bool):
            raise Unfit(codes.WRONG_TYPE, hint=_int_hint(given))
        if not -_INT_LIMIT < given < _INT_LIMIT:
            raise Unfit(codes.TOO_MANY_DIGITS)
        return within(int.__pos__(given))

    return read


def _int_hint(given: object) -> str | None:
    if isinstance(given, str) and INTEGER.fullmatch(given[:100]):
        return "write it without quotation marks, or declare `normalize digits` to accept this form"
    number = Decimal(given) if isinstance(given, float | Decimal) else Decimal("NaN")
    if number.is_finite() and number == number.to_integral_value():
        return "write it without a point"
    return None


def decimal_reader(domain: Domain, scale: int, otherwise: Reader | None = None) -> Reader:
    """Reads exact decimals: text with at most `scale` places, ints, decimals, and floats that are exact.

    A float stands for the shortest decimal that reads as it, as Python prints it. That is what was
    written where it has no more than `FLOAT_DIGITS` digits; with more it is refused. `otherwise` reads the text
    that is no plain number.
    """
    quantum = Decimal(1).scaleb(-scale)
    largest = Decimal(10) ** (MAX_DIGITS - scale) - quantum
    low = -largest if domain.low is None else max(-largest, _decimal(domain.low))
    high = largest if domain.high is None else min(largest, _decimal(domain.high))
    zero = Decimal(0).quantize(quantum)
    places = rf"(?:\.[0-9]{{1,{scale}}})?" if scale else ""
    is_plain = re.compile(rf"-?(?:0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}}){places}").fullmatch
    point = -scale - 1 if scale else 1_000_000

    def read(given: object) -> Any:
        if type(given) is str:
            if is_plain(given) is None:
                if otherwise is not None:
                    return otherwise(given)
                raise _unfit_number(given)
            number = Decimal(given)
            if low <= number <= high:
                # A text with all its places has the declared exponent already.
                fitted = given[point : point + 1 or None] == "."
                return (number if fitted else number.quantize(quantum, context=_EXACT)) or zero
        elif isinstance(given, str):
            return read(str.__str__(given))
        else:
            number = _exact_number(given)
        if not low <= number <= high:
            beyond = not -largest <= number <= largest
            raise Unfit(codes.TOO_MANY_DIGITS if beyond else codes.OUT_OF_RANGE)
        try:
            return number.quantize(quantum, context=_EXACT) or zero
        except Inexact:
            raise Unfit(codes.TOO_MANY_PLACES) from None

    return read


def read_free_decimal(given: object) -> Decimal:
    """The value of an intermediate result, whose type has no scale; for what `to_json` wrote."""
    if isinstance(given, str):
        if len(given) > 3 * MAX_DIGITS or not _NUMBER.fullmatch(given):
            raise _unfit_number(given)
        number = Decimal(given)
    else:
        number = _exact_number(given)
    return number or Decimal(0)


def read_wide_decimal(given: str) -> Decimal:
    """A number of any digits, from the text that `to_json` wrote of it; raises `Unfit`."""
    if len(given) > MOST_INT_DIGITS + MAX_DIGITS + 2 or not _NUMBER.fullmatch(given):
        raise _unfit_number(given)
    return Decimal(given) or Decimal(0)


def _decimal(bound: Value) -> Decimal:
    return Decimal(bound)  # type: ignore[arg-type]


def _exact_number(given: object) -> Decimal:
    if isinstance(given, Decimal):
        if not given.is_finite():
            raise Unfit(codes.NOT_FINITE)
        return Decimal(given)
    if isinstance(given, int) and not isinstance(given, bool):
        # INVARIANT: only then does it become a Decimal, which costs more than linear time.
        if not -(10**MAX_DIGITS) < given < 10**MAX_DIGITS:
            raise Unfit(codes.TOO_MANY_DIGITS)
        return Decimal(int.__pos__(given))
    if isinstance(given, float):
        return _shortest_decimal(given)
    if isinstance(given, str):
        raise _unfit_number(given)
    raise Unfit(codes.WRONG_TYPE)


def _shortest_decimal(given: float) -> Decimal:
    number = Decimal(float.__repr__(given))
    if not number.is_finite():
        raise Unfit(codes.NOT_FINITE)
    if len(number.as_tuple().digits) > FLOAT_DIGITS:
        raise Unfit(codes.INEXACT_FLOAT, hint="give it as a string or as a Decimal")
    return number


def _unfit_number(given: str) -> Unfit:
    """Why a text is no number of the declared scale, as precisely as its form tells."""
    if len(given) > LONGEST_TEXT:
        return Unfit(codes.TOO_LONG, f"{len(given)} characters")
    if _NUMBER.fullmatch(given):
        digits = given.lstrip("-").partition(".")
        wide = len(digits[0]) > MAX_DIGITS
        return Unfit(codes.TOO_MANY_DIGITS if wide else codes.TOO_MANY_PLACES)
    if given.strip().lstrip("+-").lower() in {"nan", "snan", "inf", "infinity"}:
        return Unfit(codes.NOT_FINITE)
    return Unfit(codes.MALFORMED, "digits with a point between them are expected")


# --- dates, times, durations ----------------------------------------------------------------------------

_Day = TypeVar("_Day", dt.date, dt.time, dt.datetime)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
_TIME: Final = re.compile(_CLOCK)
_DATETIME: Final = re.compile(rf"{_DATE.pattern}T{_CLOCK}(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])")
_SECONDS_IN_UTC: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}Z"
).fullmatch
"""The usual form, which needs no more than one look."""
_ZONELESS: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
)


def read_date(given: object) -> dt.date:
    """A date from `2026-11-20` or a `date`."""
    if isinstance(given, dt.date) and not isinstance(given, dt.datetime):
        return dt.date(given.year, given.month, given.day)
    if not isinstance(given, str):
        raise Unfit(codes.WRONG_TYPE)
    if not _DATE.fullmatch(given):
        raise Unfit(codes.MALFORMED, "the form 2026-11-20 is expected")
    return _calendar(dt.date.fromisoformat, given)


def read_time(given: object) -> dt.time:
    """A time of day from `09:30`, `09:30:00.5` or a `time` without a zone."""
    if isinstance(given, dt.time) and given.tzinfo is None:
        return dt.time(given.hour, given.minute, given.second, given.microsecond)
    if not isinstance(given, str):
        raise Unfit(codes.WRONG_TYPE)
    if not _TIME.fullmatch(given):
        raise Unfit(codes.MALFORMED, "the form 09:30:00 is expected")
    return _calendar(dt.time.fromisoformat, _six_places(given))


def read_datetime(given: object) -> dt.datetime:
    """A time in UTC from `2026-11-20T09:00:00Z`, from another offset, or a `datetime` with a zone."""
    if type(given) is str and _SECONDS_IN_UTC(given) is not None:
        return _calendar(dt.datetime.fromisoformat, given)
    if isinstance(given, dt.datetime):
        if type(given) is dt.datetime:
            return _to_utc(given)
        # A subclass may hold more than microseconds; its text tells.
        given = given.isoformat()
    if not isinstance(given, str):
        raise Unfit(codes.WRONG_TYPE)
    if not _DATETIME.fullmatch(given):
        raise _unfit_datetime(given)
    return _to_utc(_calendar(dt.datetime.fromisoformat, _six_places(given)))


def _six_places(text: str) -> str:
    """The text with its fraction of a second, if any, in the six places every Python reads."""
    head, point, tail = text.partition(".")
    if not point:
        return text
    digits = re.match(r"[0-9]+", tail)
    count = digits.end() if digits else 0
    return f"{head}.{tail[:count].ljust(6, '0')}{tail[count:]}"


def _unfit_datetime(given: str) -> Unfit:
    if _ZONELESS.fullmatch(given[:100]):
        hint = "write its zone, as in 2026-11-20T09:00:00Z, or declare `normalize utc` to accept this form"
        return Unfit(codes.MALFORMED, "it has no zone", hint)
    return Unfit(
        codes.MALFORMED, "the form 2026-11-20T09:00:00Z is expected, to microseconds at most"
    )


def _calendar(parse: Callable[[str], _Day], given: str) -> _Day:
    try:
        return parse(given)
    except ValueError as error:
        raise Unfit(codes.MALFORMED, str(error)) from None


def _to_utc(given: dt.datetime) -> dt.datetime:
    zone = given.tzinfo
    if zone is dt.UTC:
        return given
    if zone is None:
        raise Unfit(codes.MALFORMED, "it has no zone", "give it a zone")
    try:
        return given.astimezone(dt.UTC)
    except (OverflowError, ValueError):
        raise Unfit(codes.OUT_OF_RANGE, "in UTC it is outside the years 1 to 9999") from None


_UNITS: Final = {
    "week": dt.timedelta(weeks=1),
    "day": dt.timedelta(days=1),
    "hour": dt.timedelta(hours=1),
    "minute": dt.timedelta(minutes=1),
    "second": dt.timedelta(seconds=1),
    "millisecond": dt.timedelta(milliseconds=1),
    "microsecond": dt.timedelta(microseconds=1),
}
_ISO_DURATION: Final = re.compile(
    r"(?P<sign>-?)P(?=[0-9T])(?:(?P<week>[0-9]{1,9})W)?(?:(?P<day>[0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:(?P<hour>[0-9]{1,12})H)?(?:(?P<minute>[0-9]{1,12})M)?"
    r"(?:(?P<second>[0-9]{1,15})(?:\.(?P<fraction>[0-9]{1,6}))?S)?)?"
)
_WORDED_PART: Final = re.compile(
    r"([0-9]{1,15}) (week|day|hour|minute|second|millisecond|microsecond)s?(?: |$)"
)


def read_duration(given: object) -> dt.timedelta:
    """A duration from ISO 8601 (`PT4H`, no years or months), from `4 hours`, or a `timedelta`."""
    if isinstance(given, dt.timedelta):
        return dt.timedelta(given.days, given.seconds, given.microseconds)
    if not isinstance(given, str):
        raise Unfit(codes.WRONG_TYPE)
    try:
        if match := _ISO_DURATION.fullmatch(given[:200]):
            return _iso_duration(match)
        return _worded_duration(given)
    except OverflowError:
        raise Unfit(codes.OUT_OF_RANGE) from None


def _iso_duration(match: re.Match[str]) -> dt.timedelta:
    parts = match.groupdict()
    total = sum(
        (
            int(parts[unit]) * _UNITS[unit]
            for unit in ("week", "day", "hour", "minute", "second")
            if parts[unit]
        ),
        dt.timedelta(microseconds=int((parts["fraction"] or "0").ljust(6, "0"))),
    )
    return -total if parts["sign"] else total


def _worded_duration(given: str) -> dt.timedelta:
    total, position = dt.timedelta(), 0
    text = given if len(given) <= 200 else ""
    while match := _WORDED_PART.match(text, position):
        total += int(match[1]) * _UNITS[match[2]]
        position = match.end()
    if position == 0 or position != len(text) or text.endswith(" "):
        raise Unfit(codes.MALFORMED, "a form like PT4H or 4 hours is expected")
    return total


def write_duration(value: dt.timedelta) -> str:
    """A duration in ISO 8601, in days, hours, minutes and seconds."""
    if value < dt.timedelta():
        # INVARIANT: a negative timedelta has its sign in its days alone.
        return "-" + write_duration(-value) if value != dt.timedelta.min else _LEAST_DURATION
    hours, seconds = divmod(value.seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    date = f"{value.days}D" if value.days else ""
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    clock = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M")) if n)
    if seconds or fraction:
        clock += f"{seconds}{fraction}S"
    return f"P{date}T{clock}" if clock else f"P{date}" if date else "PT0S"


_LEAST_DURATION: Final = "-P999999999D"


def write_datetime(value: dt.datetime) -> str:
    """A time in UTC as `2026-11-20T09:00:00Z`, with six places where it has a fraction."""
    return value.isoformat()[:-6] + "Z"


# --- networks -------------------------------------------------------------------------------------------


def read_ip(given: object) -> Value:
    """An address from its text or an `ipaddress` object, without a zone of its own."""
    if isinstance(given, ipaddress.IPv4Address | ipaddress.IPv6Address):
        given = str(given)
    if not isinstance(given, str):
        raise Unfit(codes.WRONG_TYPE)
    if len(given) > 50 or "%" in given:
        raise Unfit(codes.MALFORMED, "an address like 10.0.0.1 or 2001:db8::1 is expected")
    try:
        return ipaddress.ip_address(given)
    except ValueError:
        raise Unfit(
            codes.MALFORMED, "an address like 10.0.0.1 or 2001:db8::1 is expected"
        ) from None


def read_cidr(given: object) -> Value:
    """A network from `10.0.0.0/8` or an `ipaddress` object; bits past the prefix have to be zero."""
    if isinstance(given, ipaddress.IPv4Network | ipaddress.IPv6Network):
        given = str(given)
    if not isinstance(given, str):
        raise Unfit(codes.WRONG_TYPE)
    form = "a network like 10.0.0.0/8 is expected"
    if len(given) > 60 or "%" in given or not re.search(r"/[0-9]{1,3}$", given):
        raise Unfit(codes.MALFORMED, form)
    try:
        return ipaddress.ip_network(given)
    except ValueError as error:
        host_bits = "host bits" in str(error)
        raise Unfit(codes.MALFORMED, "it has bits past its prefix" if host_bits else form) from None


# --- writing -------------------------------------------------------------------------------------------


def to_json(value: Value, type_: Type) -> Any:
    """The JSON form of a value: plain dicts, lists, strings, ints and bools, equal for equal values."""
    return writer(type_)(value)


@lru_cache(maxsize=4096)
def writer(type_: Type) -> Writer:
    """The function that writes values of a type as JSON, made once a type."""
    match type_:
        case ScalarType():
            return _SCALAR_WRITERS[type_]
        case DecimalType(scale):
            return _write_plain_decimal if scale is None else _decimal_writer(scale)
        case EnumType():
            return _same
        case SetType(element):
            write_element = writer(element.type)
            return lambda value: [
                write_element(e)
                for e in (value if len(value) < 2 else sorted(value, key=value_key))
            ]
        case ListType(element):
            write_item = writer(element.type)
            return lambda value: [write_item(e) for e in value]
        case RecordType(fields):
            writers = tuple((field.name, writer(field.domain.type)) for field in fields)
            return lambda value: _write_record(value, writers)
        case RefType(key=key):
            return writer(key)
        case _:
            assert_never(type_)


def _same(value: Any) -> Any:
    return value


def _decimal_writer(scale: int) -> Writer:
    form = f".{scale}f"
    point, places = -scale - 1, -scale

    def write(value: Any) -> str:
        # With the point at its place there is no exponent, which would need three characters after it.
        text = str(value) if type(value) is Decimal else ""
        return text if scale and text[point:places] == "." else format(Decimal(value), form)

    return write


def _write_plain_decimal(value: Decimal | int) -> str:
    text = format(Decimal(value), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _write_record(value: Record, writers: tuple[tuple[str, Writer], ...]) -> dict[str, Any]:
    pairs = zip(writers, value.values, strict=True)
    return {name: write(item) for (name, write), item in pairs if item is not MISSING}


_SCALAR_WRITERS: Final[Mapping[ScalarType, Writer]] = {
    ScalarType.BOOL: _same,
    ScalarType.INT: _same,
    ScalarType.STRING: _same,
    ScalarType.DATE: dt.date.isoformat,
    ScalarType.DATETIME: write_datetime,
    ScalarType.TIME: dt.time.isoformat,
    ScalarType.DURATION: write_duration,
    ScalarType.IP: str,
    ScalarType.CIDR: str,
}
