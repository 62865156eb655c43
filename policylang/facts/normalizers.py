"""The closed list of normalizers: what a declaration may ask to be done to text before it is read.

A normalizer takes a text and gives a text in the strict form of its type (`None` where the text
stands for nothing at all), or refuses. What is not text passes by: `48` needs no `currency`.
They are applied in the order written, before the type is read, so that each value still has to
be one of its type. Nothing is guessed: a form that can be read in two ways is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from policylang.facts import codes
from policylang.facts.amounts import Rewrite, currency, digits, percent
from policylang.facts.days import human_date, iso_date, utc
from policylang.facts.forms import LONGEST_FORM, LONGEST_TEXT, Unfit, short
from policylang.facts.types import DecimalType, EnumType, ScalarType, Type, base


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
    word = short(text).strip().lower()
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
        currency(None),
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
            currency(frozenset(_marks)),
            _is_decimal,
            DecimalType(2),
            {_good: "4800.00", "4,800.00": "4800.00"},
            (_bad, "1.234"),
            converts=True,
        )
    )


_add(
    Normalizer(
        "percent",
        "a percentage becomes the fraction it stands for; a number without `%` is taken as it is",
        percent,
        _is_decimal,
        DecimalType(4),
        {"12.5%": "0.125", "50 %": "0.50", "-3%": "-0.03", "0.125": "0.125", "12,5 %": "0.125"},
        ("%", "12%%", "1.234%", "ten %"),
        converts=True,
    )
)

_add(
    Normalizer(
        "digits",
        "for Int: a whole number as text, grouped or not, in digits of any script; for String: its "
        "digits alone, without the spaces and punctuation between them",
        digits,
        _one_of(ScalarType.INT, ScalarType.STRING),
        ScalarType.INT,
        {"4,800": "4800", "1 000 000": "1000000", "٤٢": "42", "-7": "-7", "0042": "42"},
        ("4.8", "1.234", "12a", "", "4,80"),
        converts=True,
    )
)

# --- dates ----------------------------------------------------------------------------------------------

_add(
    Normalizer(
        "iso_date",
        "the other forms of ISO 8601 for a day (20261120, 2026-W47-5, 2026-324), and 2026/11/20",
        _plain(iso_date),
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
        _plain(human_date),
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
        _plain(utc),
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
