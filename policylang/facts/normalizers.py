"""The closed list of normalizers: what a declaration may ask to be done to text before it is read.

A normalizer takes a text and gives a text in the strict form of its type (`None` where the text
stands for nothing at all), or refuses. What is not text passes by: `48` needs no `currency`.
They are applied in the order written, before the type is read, so that each value still has to
be one of its type. Nothing is guessed: a form that can be read in two ways is refused.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from policylang.diagnostics import Code
from policylang.facts import codes
from policylang.facts.currencies import CODES, PREFIXES
from policylang.facts.forms import LONGEST_TEXT, Unfit
from policylang.facts.types import DecimalType, EnumType, ScalarType, Type, base

Rewrite: TypeAlias = Callable[[str], str | None]

LONGEST_FORM: Final = 200
"""Code points of a text that is to become a number, a date or a Bool."""


@dataclass(frozen=True, slots=True)
class Normalizer:
    """One entry of the list. `applies` says to which types, `converts` whether it makes text a value.

    `accepts` and `refuses` are examples, from text to what it becomes, and texts that are refused; they are
    what the reference shows and the tests run, for the type `example`.
    """

    name: str
    summary: str
    make: Callable[[Type], Rewrite]
    applies: Callable[[Type], bool]
    example: Type
    accepts: Mapping[str, str | None]
    refuses: tuple[str, ...] = ()
    converts: bool = False


NORMALIZERS: dict[str, Normalizer] = {}
"""Every normalizer, by the name that declarations use."""


def _is_text(type_: Type) -> bool:
    return type_ is ScalarType.STRING or isinstance(type_, EnumType)


def _has_text_form(type_: Type) -> bool:
    scalar = isinstance(type_, ScalarType | DecimalType | EnumType)
    return scalar and type_ not in (ScalarType.INT, ScalarType.BOOL)


def _is_scalar(type_: Type) -> bool:
    return isinstance(type_, ScalarType | DecimalType | EnumType)


def _one_of(*types: Type) -> Callable[[Type], bool]:
    return lambda type_: type_ in types


def _is_decimal(type_: Type) -> bool:
    return isinstance(type_, DecimalType)


def _add(normalizer: Normalizer) -> None:
    NORMALIZERS[normalizer.name] = normalizer


def _plain(rewrite: Rewrite) -> Callable[[Type], Rewrite]:
    """A normalizer that does the same for every type."""
    return lambda _type: rewrite


# --- text -----------------------------------------------------------------------------------------------

_SPACE: Final = re.compile(r"\s+")


def _collapse(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


_add(
    Normalizer(
        "trim",
        "drops white space at both ends",
        _plain(str.strip),
        _is_scalar,
        ScalarType.STRING,
        {"  pro ": "pro", "a  b\n": "a  b", "   ": ""},
    )
)
_add(
    Normalizer(
        "collapse",
        "makes every run of white space one space, and drops it at both ends",
        _plain(_collapse),
        _is_text,
        ScalarType.STRING,
        {" a \t\n b ": "a b"},
    )
)
_add(
    Normalizer(
        "lower",
        "lower case, by Unicode and no locale",
        _plain(str.lower),
        _is_text,
        ScalarType.STRING,
        {"PRO": "pro", "ÀÉ": "àé"},
    )
)
_add(
    Normalizer(
        "upper",
        "upper case, by Unicode and no locale",
        _plain(str.upper),
        _is_text,
        ScalarType.STRING,
        {"pro": "PRO", "straße": "STRASSE"},
    )
)
_add(
    Normalizer(
        "casefold",
        "folds case for comparing without regard to it (`ß` becomes `ss`)",
        _plain(str.casefold),
        _is_text,
        ScalarType.STRING,
        {"Straße": "strasse", "PRO": "pro"},
    )
)
_add(
    Normalizer(
        "nfc",
        "Unicode normalization form C: one code point where a letter and its accent were two",
        _plain(lambda text: unicodedata.normalize("NFC", text)),
        _is_text,
        ScalarType.STRING,
        {"e\u0301": "é"},
    )
)
_add(
    Normalizer(
        "nfkc",
        "Unicode normalization form KC: form C, and compatibility forms replaced (`ﬁ`, full-width letters)",
        _plain(lambda text: unicodedata.normalize("NFKC", text)),
        _is_text,
        ScalarType.STRING,
        {"ｐｒｏ": "pro", "ﬁle": "file"},
    )
)

# --- words ----------------------------------------------------------------------------------------------

_TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0"})
_NOTHING: Final = frozenset(
    {"", "-", "--", "n/a", "na", "nil", "none", "null", "undefined", "unknown", "not available"}
)


def _boolean(text: str) -> str:
    word = _short(text).strip().lower()
    if word in _TRUE:
        return "true"
    if word in _FALSE:
        return "false"
    raise Unfit(codes.MALFORMED, "a word like yes, no, on, off, true or false is expected")


def _nulls(text: str) -> str | None:
    return None if len(text) <= LONGEST_FORM and text.strip().lower() in _NOTHING else text


_add(
    Normalizer(
        "boolean",
        "words for true and false, in any case: true t yes y on 1, false f no n off 0",
        _plain(_boolean),
        _one_of(ScalarType.BOOL),
        ScalarType.BOOL,
        {"Yes": "true", "OFF": "false", " 1 ": "true"},
        ("maybe", "", "2", "ja"),
        converts=True,
    )
)
_add(
    Normalizer(
        "nulls",
        "words for nothing become missing, in any case: empty text, - -- n/a na nil none null undefined "
        "unknown, not available; for optional fields",
        _plain(_nulls),
        _is_scalar,
        ScalarType.STRING,
        {"N/A": None, "": None, " null ": None, "nobody": "nobody"},
    )
)

# --- numbers --------------------------------------------------------------------------------------------

_SPACES: Final = "[ \u00a0\u2009\u202f]"
_GROUPED: Final = re.compile(
    rf"[0-9]{{1,3}}(?:(?P<mark>,|\.|'|\u2019|_|{_SPACES})[0-9]{{3}})(?:(?P=mark)[0-9]{{3}})*"
    rf"|[0-9]{{1,2}}(?:,[0-9]{{2}})+,[0-9]{{3}}"
    rf"|[0-9]+"
)
_SIGNS: Final = {"-": "-", "\u2212": "-", "+": ""}
_NUMBER_FORM: Final = "digits with one decimal mark, grouped in threes or not, are expected"


def _short(text: str) -> str:
    if len(text) > LONGEST_FORM:
        raise Unfit(codes.MALFORMED, f"{len(text)} characters are more than such a form has")
    return text


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
                raise Unfit(
                    codes.AMBIGUOUS, f"{whole}{fraction}, or {whole} and a fraction {fraction}"
                )
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


def _currency(accepted: frozenset[str] | None) -> Callable[[Type], Rewrite]:
    def make(type_: Type) -> Rewrite:
        scale = _scale(type_)

        def rewrite(text: str) -> str:
            sign, rest = _signed(_short(text))
            amount = _without_mark(rest, accepted)
            if not sign:
                sign, amount = _signed(amount) if amount[:1] in _SIGNS else ("", amount)
            return sign + _plain_number(amount, scale)

        return rewrite

    return make


def _scale(type_: Type) -> int:
    return type_.scale or 0 if isinstance(type_, DecimalType) else 0


_DOLLARS: Final = {"$4,800.00": "4800.00", "USD 48": "48", "-$5.00": "-5.00", "($5.00)": "-5.00"}
_NUMBERS: Final = {
    "4.800,00": "4800.00",
    "4 800,50": "4800.50",
    "4'800": "4800",
    "12,34,567": "1234567",
    "4,800": "4800",
}
_NO_NUMBERS: Final = ("1.234", "4.8k", "1,23,4", "", "$", "1,234,56", "NaN", "$-", "1..2")

_add(
    Normalizer(
        "currency",
        "an amount of money: one symbol or ISO 4217 code before or after it is dropped, groups are "
        "joined, a decimal comma becomes a point",
        _currency(None),
        _is_decimal,
        DecimalType(2),
        {**_DOLLARS, **_NUMBERS, "48,50 €": "48.50", "¥4800": "4800"},
        (*_NO_NUMBERS, "$5 EUR", "5 apples"),
        converts=True,
    )
)
for _name, _marks, _good, _bad in (
    ("usd", ("$", "USD", "US$"), "$4,800.00", "€4,800.00"),
    ("eur", ("€", "EUR"), "€4,800.00", "$4,800.00"),
    ("gbp", ("£", "GBP"), "£4,800.00", "$4,800.00"),
):
    _add(
        Normalizer(
            _name,
            f"as `currency`, and any mark other than {' '.join(_marks)} is refused",
            _currency(frozenset(_marks)),
            _is_decimal,
            DecimalType(2),
            {_good: "4800.00", "4,800.00": "4800.00"},
            (_bad, "1.234"),
            converts=True,
        )
    )


def _percent(type_: Type) -> Rewrite:
    scale = _scale(type_)

    def rewrite(text: str) -> str:
        sign, rest = _signed(_short(text))
        if not rest.endswith("%"):
            return text.strip()
        number = Decimal(sign + _plain_number(rest[:-1].strip(), scale - 2))
        return format(number.scaleb(-2), "f")

    return rewrite


_add(
    Normalizer(
        "percent",
        "a percentage becomes the fraction it stands for; a number without `%` is taken as it is",
        _percent,
        _is_decimal,
        DecimalType(4),
        {"12.5%": "0.125", "50 %": "0.50", "-3%": "-0.03", "0.125": "0.125", "12,5 %": "0.125"},
        ("%", "12%%", "1.234%", "ten %"),
        converts=True,
    )
)

_DIGIT_MARKS: Final = re.compile(rf"(?:{_SPACES}|[-_'.()/\u2019\u2010\u2011])+")


def _digits(type_: Type) -> Rewrite:
    return _digit_text if type_ is ScalarType.STRING else _digit_number


def _digit_text(text: str) -> str:
    kept = _ascii_digits(_DIGIT_MARKS.sub("", text))
    if not re.fullmatch(r"\+?[0-9]+", kept):
        raise Unfit(codes.MALFORMED, "digits are expected, with spaces or punctuation between them")
    return kept.lstrip("+")


def _digit_number(text: str) -> str:
    sign, rest = _signed(_short(text))
    number = _plain_number(_ascii_digits(rest), 0)
    if "." in number:
        raise Unfit(codes.MALFORMED, "a whole number is expected")
    return sign + number if number != "0" else number


def _ascii_digits(text: str) -> str:
    """Decimal digits of any script as ASCII digits."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c, c)) for c in text)


_add(
    Normalizer(
        "digits",
        "for Int: a whole number as text, grouped or not, in digits of any script; for String: its "
        "digits alone, without the spaces and punctuation between them",
        _digits,
        _one_of(ScalarType.INT, ScalarType.STRING),
        ScalarType.INT,
        {"4,800": "4800", "1 000 000": "1000000", "٤٢": "42", "-7": "-7", "0042": "42"},
        ("4.8", "1.234", "12a", "", "4,80"),
        converts=True,
    )
)

# --- dates ----------------------------------------------------------------------------------------------

_MONTHS: Final = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAYS: Final = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_MONTH: Final = {m: i for i, name in enumerate(_MONTHS, 1) for m in (name, name[:3])} | {"sept": 9}
_DAY: Final = {d: i for i, name in enumerate(_DAYS) for d in (name, name[:3])}
_WORDED_DATE: Final = re.compile(
    r"(?:(?P<weekday>[a-z]{3,9})\.?,? )?"
    r"(?:(?P<day>[0-9]{1,2})(?P<nth>st|nd|rd|th)?(?P<mark>[ -])(?P<month>[a-z]{3,9})\.?,?(?P=mark)"
    r"|(?P<month2>[a-z]{3,9})\.? (?P<day2>[0-9]{1,2})(?P<nth2>st|nd|rd|th)?,? )"
    r"(?P<year>[0-9]{4})"
)
_DATE_FORM: Final = "a form like 20 Nov 2026 or November 20, 2026 is expected"


def _iso_date(text: str) -> str:
    form = re.sub(r"^([0-9]{4})/([0-9]{2})/([0-9]{2})$", r"\1-\2-\3", _short(text).strip())
    if ordinal := re.fullmatch(r"([0-9]{4})-?([0-9]{3})", form):
        return _ordinal_date(int(ordinal[1]), int(ordinal[2]))
    if not re.fullmatch(r"[0-9]{4}(-[0-9]{2}-[0-9]{2}|[0-9]{4}|-?W[0-9]{2}-?[1-7])", form):
        raise Unfit(codes.MALFORMED, "a form like 2026-11-20, 20261120 or 2026/11/20 is expected")
    try:
        return dt.date.fromisoformat(form).isoformat()
    except ValueError as error:
        raise Unfit(codes.MALFORMED, str(error)) from None


def _ordinal_date(year: int, day: int) -> str:
    try:
        found = dt.date(year, 1, 1) + dt.timedelta(days=day - 1)
    except (ValueError, OverflowError) as error:
        raise Unfit(codes.MALFORMED, str(error)) from None
    if found.year != year:
        raise Unfit(codes.MALFORMED, f"the year {year} has no day {day}")
    return found.isoformat()


def _human_date(text: str) -> str:
    form = _collapse(_short(text)).lower()
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", form):
        return form
    match = _WORDED_DATE.fullmatch(form)
    month = _MONTH.get(match["month"] or match["month2"]) if match else None
    if match is None or month is None:
        raise Unfit(_date_code(form), _DATE_FORM)
    try:
        found = dt.date(int(match["year"]), month, int(match["day"] or match["day2"]))
    except ValueError as error:
        raise Unfit(codes.MALFORMED, str(error)) from None
    _check_parts(match, found)
    return found.isoformat()


def _date_code(form: str) -> Code:
    numbers = re.fullmatch(r"[0-9]{1,2}([/.-])[0-9]{1,2}\1([0-9]{2}|[0-9]{4})", form)
    return codes.AMBIGUOUS if numbers else codes.MALFORMED


def _check_parts(match: re.Match[str], found: dt.date) -> None:
    weekday, ending = match["weekday"], match["nth"] or match["nth2"]
    if weekday is not None and _DAY.get(weekday) != found.weekday():
        raise Unfit(codes.MALFORMED, f"it is a {_DAYS[found.weekday()].capitalize()}")
    teen = 11 <= found.day <= 13
    right = "th" if teen else {1: "st", 2: "nd", 3: "rd"}.get(found.day % 10, "th")
    if ending is not None and ending != right:
        raise Unfit(codes.MALFORMED, f"the {found.day}{right} is written {found.day}{ending}")


def _utc(text: str) -> str:
    form = _short(text).strip()
    match = re.fullmatch(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)"
        r" ?(Z|z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?",
        form,
    )
    if match is None:
        raise Unfit(codes.MALFORMED, "a form like 2026-11-20 09:00:00 is expected")
    zone = match[3] or "Z"
    if zone[0] in "+-" and ":" not in zone:
        zone = f"{zone[:3]}:{zone[3:]}"
    return f"{match[1]}T{match[2]}{zone if zone[0] in '+-' else 'Z'}"


_add(
    Normalizer(
        "iso_date",
        "the other forms of ISO 8601 for a day (20261120, 2026-W47-5, 2026-324), and 2026/11/20",
        _plain(_iso_date),
        _one_of(ScalarType.DATE),
        ScalarType.DATE,
        {
            "20261120": "2026-11-20",
            "2026/11/20": "2026-11-20",
            "2026-W47-5": "2026-11-20",
            "2026-324": "2026-11-20",
        },
        ("20/11/2026", "26-11-20", "2026-02-30", "2026-366"),
        converts=True,
    )
)
_add(
    Normalizer(
        "human_date",
        "a day with its month in English words and its year in four digits; a weekday has to agree",
        _plain(_human_date),
        _one_of(ScalarType.DATE),
        ScalarType.DATE,
        {
            "20 Nov 2026": "2026-11-20",
            "November 20, 2026": "2026-11-20",
            "Fri, 20 Nov 2026": "2026-11-20",
            "20th November 2026": "2026-11-20",
            "20-Nov-2026": "2026-11-20",
        },
        ("11/12/2026", "20.11.2026", "20 Nov 26", "Mon, 20 Nov 2026", "31 Feb 2026", "tomorrow"),
        converts=True,
    )
)
_add(
    Normalizer(
        "utc",
        "a timestamp without a zone is in UTC; a space may stand for the `T`, an offset may lack its colon",
        _plain(_utc),
        _one_of(ScalarType.DATETIME),
        ScalarType.DATETIME,
        {
            "2026-11-20 09:00:00": "2026-11-20T09:00:00Z",
            "2026-11-20T09:00:00+0100": "2026-11-20T09:00:00+01:00",
            "2026-11-20 09:00 UTC": "2026-11-20T09:00Z",
        },
        ("20/11/2026 09:00", "2026-11-20", "2026-11-20 9am"),
        converts=True,
    )
)


# --- applying them --------------------------------------------------------------------------------------


def misuses(names: Iterable[str], type_: Type) -> Iterator[tuple[str, str]]:
    """For each name that cannot stand in this declaration, the name and why.

    An Int or a Bool has no text form of its own: one of its normalizers has to make text a value.
    """
    given = tuple(names)
    known = [NORMALIZERS[name] for name in given if name in NORMALIZERS]
    for name in given:
        found = NORMALIZERS.get(name)
        if found is None:
            yield name, "there is no such normalizer"
        elif not found.applies(base(type_)):
            yield name, f"it is not for {type_}"
        elif given.count(name) > 1:
            yield name, "it is named twice"
    if type_ in (ScalarType.INT, ScalarType.BOOL) and not any(n.converts for n in known):
        for normalizer in known:
            need = "digits" if type_ is ScalarType.INT else "boolean"
            if normalizer.name != "nulls":
                yield normalizer.name, f"{type_} has no text form: add `{need}`"


def rewriter(names: Iterable[str], type_: Type) -> Rewrite:
    """The normalizers in their order as one function; `None` from one of them ends it.

    Raises `KeyError` for a name that is not in the list: the checker has refused it before.
    """
    steps = tuple(NORMALIZERS[name].make(type_) for name in names)

    def rewrite(text: str) -> str | None:
        if len(text) > LONGEST_TEXT:
            raise Unfit(codes.TOO_LONG, f"{len(text)} characters")
        current: str | None = text
        for step in steps:
            if current is None:
                return None
            current = step(current)
        return current

    return rewrite
