"""Literals: from what was written to an exact value."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

from policylang.diagnostics import Span
from policylang.syntax import codes
from policylang.syntax.problems import Malformed
from policylang.syntax.tree import (
    BoolLiteral,
    DateLiteral,
    DateTimeLiteral,
    DecimalLiteral,
    DurationLiteral,
    IntLiteral,
    Literal,
    Pattern,
    PercentLiteral,
    StringLiteral,
    TimeLiteral,
)

MOST_DIGITS = 38
"""The digits of a decimal."""

MOST_INT_DIGITS = 1000
"""The digits of an integer literal: Python's own conversion is quadratic, and stops at 4,300."""

_MICROSECONDS = {
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
    "week": 604_800_000_000,
}
_MOMENT = re.compile(r"([\d:]+)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_SIMPLE_ESCAPES = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "*": "*",
    "{": "{",
    "}": "}",
}
_escape = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)


def _digits(span: Span, text: str, most: int) -> str:
    whole = text.split(".", maxsplit=1)[0]
    if "__" in text or "_." in text or "._" in text or text.endswith("_"):
        raise _malformed(span, "`_` stands between digits, one at a time")
    if len(whole) > 1 and whole[0] == "0":
        raise _malformed(span, "a number does not start with 0")
    digits = text.replace("_", "")
    if len(digits.replace(".", "").lstrip("0")) > most:
        raise _malformed(span, f"a number has at most {most} digits")
    return digits


def _malformed(span: Span, advice: str) -> Malformed:
    text = span.text if len(span.text) <= 40 else f"{span.text[:37]}..."
    return Malformed(codes.MALFORMED_NUMBER.at(span, text=text, advice=advice))


def _int(span: Span, text: str) -> IntLiteral:
    return IntLiteral(span, int(_digits(span, text, MOST_INT_DIGITS)), text)


def _decimal(span: Span, text: str) -> DecimalLiteral:
    return DecimalLiteral(span, Decimal(_digits(span, text, MOST_DIGITS)), text)


def _percent(span: Span, text: str) -> PercentLiteral:
    share = Decimal(_digits(span, text[:-1], MOST_DIGITS - 2)).scaleb(-2)
    return PercentLiteral(span, share, text)


def _impossible(span: Span, kind: str, problem: str) -> Malformed:
    return Malformed(codes.BAD_MOMENT.at(span, text=span.text, kind=kind, problem=problem))


def _date(span: Span, text: str) -> DateLiteral:
    return DateLiteral(span, _day(span, "a date", text))


def _day(span: Span, kind: str, text: str) -> date:
    year, month, day = map(int, text.split("-"))
    if year == 0:
        raise _impossible(span, kind, "there is no year 0")
    if not 1 <= month <= 12:
        raise _impossible(span, kind, f"there is no month {month}")
    last = monthrange(year, month)[1]
    if not 1 <= day <= last:
        raise _impossible(span, kind, f"that month has the days 1 to {last}")
    return date(year, month, day)


def _hours(span: Span, kind: str, text: str) -> time:
    """The time of day, up to microseconds; every part is looked at, so that no version of Python decides."""
    hour, minute, second = (*map(int, text.partition(".")[0].split(":")), 0)[:3]
    for value, most, unit in ((hour, 23, "hour"), (minute, 59, "minute"), (second, 59, "second")):
        if value > most:
            raise _impossible(span, kind, f"there is no {unit} {value}")
    return time(hour, minute, second, int(text.partition(".")[2] or 0))


def _micros(span: Span, kind: str, text: str) -> tuple[str, str]:
    """A time of day with its fraction of a second as exactly six digits, and the zone after it."""
    parts = _MOMENT.fullmatch(text)
    clock, fraction, zone = parts.groups() if parts else (text, None, None)
    if fraction is not None and len(fraction) > 6:
        raise _impossible(span, kind, "seconds have at most six decimal places")
    return f"{clock}{'.' + fraction.ljust(6, '0') if fraction else ''}", zone or ""


def _time(span: Span, text: str) -> TimeLiteral:
    clock, _ = _micros(span, "a time", text)
    return TimeLiteral(span, _hours(span, "a time", clock), text)


def _datetime(span: Span, text: str) -> DateTimeLiteral:
    kind = "a timestamp"
    clock, zone = _micros(span, kind, text[11:].upper())
    if not zone:
        raise _impossible(span, kind, "it has no zone; write `Z` or `+01:00` after it")
    value = datetime.combine(_day(span, kind, text[:10]), _hours(span, kind, clock), UTC)
    try:
        return DateTimeLiteral(span, value - _offset(span, kind, zone), text)
    except OverflowError as error:
        problem = "in UTC it is outside the years 1 to 9999"
        raise _impossible(span, kind, problem) from error


def _offset(span: Span, kind: str, zone: str) -> timedelta:
    """How far a zone is ahead of UTC."""
    if zone == "Z":
        return timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 23 or minutes > 59:
        raise _impossible(span, kind, f"there is no zone {zone}")
    ahead = timedelta(hours=hours, minutes=minutes)
    return -ahead if zone[0] == "-" else ahead


def _duration(span: Span, text: str) -> DurationLiteral:
    number, unit = text.split()
    amount = Fraction(_digits(span, number, MOST_DIGITS)) * _MICROSECONDS[unit.removesuffix("s")]
    if amount.denominator != 1:
        raise _impossible(span, "a duration", "it is not a whole number of microseconds")
    try:
        return DurationLiteral(span, timedelta(microseconds=amount.numerator), text)
    except OverflowError as error:
        raise _impossible(span, "a duration", "it is longer than a million years") from error


def _bool(span: Span, text: str) -> BoolLiteral:
    return BoolLiteral(span, text == "true")


def _string(span: Span, text: str) -> StringLiteral:
    body = text[1:-1]
    if "\\" not in body:
        return StringLiteral(span, body, text)
    value = "".join(piece for piece, _ in pieces(span, span.start + 1, span.end - 1))
    return StringLiteral(span, value, text)


LITERALS: dict[str, Callable[[Span, str], Literal | PercentLiteral]] = {
    "INT": _int,
    "DECIMAL": _decimal,
    "STRING": _string,
    "PERCENT": _percent,
    "DATE": _date,
    "TIME": _time,
    "DATETIME": _datetime,
    "DURATION": _duration,
    "TRUE": _bool,
    "FALSE": _bool,
}
"""For each terminal of literals, what makes its node; each raises `Malformed` where there is none."""


def pieces(span: Span, start: int, end: int) -> Iterator[tuple[str, bool]]:
    """The text between two offsets in pieces: each resolved, and whether it was an escape.

    Raises `Malformed` at an escape that is none.
    """
    text, position, source = span.source.text, start, span.source
    while position < end:
        escape = _escape.search(text, position, end)
        if escape is None:
            yield text[position:end], False
            return
        if escape.start() > position:
            yield text[position : escape.start()], False
        position = escape.end()
        code, simple = escape.groups()
        if code is None:
            if simple not in _SIMPLE_ESCAPES:
                raise _bad_escape(source.span(*escape.span()))
            yield _SIMPLE_ESCAPES[simple], True
            continue
        value = int(code, 16)
        if 0xD800 <= value < 0xDC00 and (low := _low_surrogate(text, position, end)):
            value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00)
            position += 6
        if value == 0 or 0xD800 <= value < 0xE000:
            raise _bad_escape(source.span(escape.start(), position))
        yield chr(value), True


def _low_surrogate(text: str, position: int, end: int) -> int | None:
    follower = _escape.match(text, position, end)
    if follower is None or follower[1] is None:
        return None
    value = int(follower[1], 16)
    return value if 0xDC00 <= value < 0xE000 else None


def _bad_escape(span: Span) -> Malformed:
    text = span.text
    if text == "\\u0000":
        advice = "strings of policies do not contain the character NUL"
    elif re.fullmatch(r"\\u[dD][89a-fA-F]..", text):
        advice = "half of a surrogate pair is no character; write both halves, or the character"
    elif text == "\\u":
        advice = "`\\u` is followed by four hexadecimal digits"
    else:
        advice = "the escapes are those of JSON, `\\*`, `\\{` and `\\}`; a backslash is `\\\\`"
    return Malformed(codes.BAD_ESCAPE.at(span, escape=text, advice=advice))


def read_pattern(literal: StringLiteral) -> Pattern:
    """The pieces of a `like` pattern between its stars; an escaped star is a character."""
    found = [""]
    for piece, escaped in pieces(literal.span, literal.span.start + 1, literal.span.end - 1):
        if escaped:
            found[-1] += piece
        else:
            first, *others = piece.split("*")
            found[-1] += first
            found.extend(others)
    return Pattern(literal.span, tuple(found), literal.text)
