"""Numbers as people write them, grouped and marked, made the strict form of a number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Final, TypeAlias

from policylang.facts import codes
from policylang.facts.currencies import CODES, PREFIXES
from policylang.facts.forms import Unfit, short
from policylang.facts.types import DecimalType, ScalarType, Type

Rewrite: TypeAlias = Callable[[str], str | None]
"""From a text to the strict form of what it says, None where it says nothing; raises `Unfit`."""

_SPACES: Final = "[ \u00a0\u2009\u202f]"
_GROUPED: Final = re.compile(
    rf"[0-9]{{1,3}}(?:(?P<mark>,|\.|'|\u2019|_|{_SPACES})[0-9]{{3}})(?:(?P=mark)[0-9]{{3}})*"
    rf"|[0-9]{{1,2}}(?:,[0-9]{{2}})+,[0-9]{{3}}"
    rf"|[0-9]+"
)
_SIGNS: Final = {"-": "-", "\u2212": "-", "+": ""}
_NUMBER_FORM: Final = "digits with one decimal mark, grouped in threes or not, are expected"


def _plain_number(text: str, scale: int) -> str:
    """The strict form of a number that may be grouped and may have a decimal comma.

    The last of two different marks is the decimal mark, and a mark that comes twice groups. One mark alone is
    a decimal mark unless exactly three digits follow: one comma then groups where the type has
    fewer than three places (no other reading fits it), one point is ambiguous, since the strict form reads it
    as a decimal point.
    """
    marks = [c for c in text if c in ",."]
    if len(set(marks)) == 2:
        whole, _, fraction = text.rpartition(marks[-1])
    elif len(marks) != 1:
        whole, fraction = text, ""
    else:
        whole, _, fraction = text.partition(marks[0])
        if len(fraction) == 3 and len(whole) <= 3 and whole not in ("", "0"):
            if marks[0] == "." or scale >= 3:
                readings = f"{whole}{fraction}, or {whole} and a fraction {fraction}"
                hint = f"write {whole}{fraction} where that is meant"
                raise Unfit(codes.AMBIGUOUS, readings, hint)
            whole, fraction = text, ""
    return _joined(whole, fraction, has_mark=len(whole) < len(text))


def _joined(whole: str, fraction: str, *, has_mark: bool) -> str:
    groups = _GROUPED.fullmatch(whole)
    if groups is None or (has_mark and not re.fullmatch("[0-9]+", fraction)):
        raise Unfit(codes.MALFORMED, _NUMBER_FORM)
    digits = "".join(c for c in whole if c.isdigit()).lstrip("0") or "0"
    return f"{digits}.{fraction}" if fraction else digits


def _signed(text: str) -> tuple[str, str]:
    """The sign and what follows it; parentheses around an amount are a minus, as in accounting."""
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        return "-", text[1:-1].strip()
    if text and text[0] in _SIGNS:
        return _SIGNS[text[0]], text[1:].strip()
    return "", text


def _without_mark(text: str, accepted: frozenset[str] | None) -> str:
    """The amount without its one currency mark, before or after it."""
    head = re.match(r"[^0-9.,+\-\u2212]*", text)
    tail = re.search(r"[^0-9.,]*$", text)
    before = head[0] if head else ""
    after = tail[0] if tail and len(before) < len(text) else ""
    marks = [mark for mark in (before.strip(), after.strip()) if mark]
    if len(marks) > 1:
        raise Unfit(codes.MALFORMED, "it has two currency marks")
    if marks and not _is_mark(marks[0], accepted):
        raise Unfit(codes.MALFORMED, _mark_problem(marks[0], accepted))
    return text[len(before) : len(text) - len(after)]


def _is_mark(mark: str, accepted: frozenset[str] | None) -> bool:
    if accepted is not None:
        return mark.upper() in accepted
    symbol = len(mark) == 1 and unicodedata.category(mark) == "Sc"
    return symbol or mark.upper() in CODES or mark.upper() in PREFIXES


def _mark_problem(mark: str, accepted: frozenset[str] | None) -> str:
    if accepted is None:
        return f"`{mark[:20]}` is no currency"
    return f"`{mark[:20]}` is another currency than {min(accepted, key=lambda m: (-len(m), m))}"


def currency(accepted: frozenset[str] | None) -> Callable[[Type], Rewrite]:
    """Reads amounts of money with any mark, or with the accepted ones alone."""

    def make(type_: Type) -> Rewrite:
        scale = _scale(type_)

        def rewrite(text: str) -> str:
            sign, rest = _signed(short(text))
            amount = _without_mark(rest, accepted)
            if not sign:
                sign, amount = _signed(amount) if amount[:1] in _SIGNS else ("", amount)
            return sign + _plain_number(amount, scale)

        return rewrite

    return make


def _scale(type_: Type) -> int:
    return type_.scale or 0 if isinstance(type_, DecimalType) else 0


def percent(type_: Type) -> Rewrite:
    """Reads percentages as the fractions that they stand for."""
    scale = _scale(type_)

    def rewrite(text: str) -> str:
        sign, rest = _signed(short(text))
        if not rest.endswith("%"):
            return text.strip()
        number = Decimal(sign + _plain_number(rest[:-1].strip(), scale - 2))
        return format(number.scaleb(-2), "f")

    return rewrite


_DIGIT_MARKS: Final = re.compile(rf"(?:{_SPACES}|[-_'.()/\u2019\u2010\u2011])+")


def digits(type_: Type) -> Rewrite:
    """Reads whole numbers for an Int, and the digits alone for a String."""
    return _digit_text if type_ is ScalarType.STRING else _digit_number


def _digit_text(text: str) -> str:
    kept = _ascii_digits(_DIGIT_MARKS.sub("", text))
    if not re.fullmatch(r"\+?[0-9]+", kept):
        raise Unfit(codes.MALFORMED, "digits are expected, with spaces or punctuation between them")
    return kept.lstrip("+")


def _digit_number(text: str) -> str:
    sign, rest = _signed(short(text))
    number = _plain_number(_ascii_digits(rest), 0)
    if "." in number:
        raise Unfit(codes.MALFORMED, "a whole number is expected")
    return sign + number if number != "0" else number


def _ascii_digits(text: str) -> str:
    """Decimal digits of any script as ASCII digits."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c, c)) for c in text)
