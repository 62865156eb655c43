"""How messages speak of types, numbers of things and values."""

from __future__ import annotations

import datetime as dt
from typing import Final

from policylang.facts import forms
from policylang.facts.types import (
    DURATION,
    STRING,
    DecimalType,
    Domain,
    EnumType,
    ListType,
    SetType,
    Type,
    base,
)
from policylang.facts.values import Value

_VOWELS: Final = "AEIOU"
_SPOKEN_AS_CONSONANT: Final = ("Us", "Uni", "Uu", "Eu", "One")


def article(words: str) -> str:
    """The words with `a` or `an` before them: `an Int`, `a Decimal(2)`."""
    vowel = words[:1].upper() in _VOWELS and not words.startswith(_SPOKEN_AS_CONSONANT)
    return f"an {words}" if vowel else f"a {words}"


def with_article(words: str) -> str:
    """The words with an article, where they do not start with one."""
    return words if words.startswith(("a ", "an ")) else article(words)


def plural(count: int, word: str) -> str:
    """`1 argument`, `2 arguments`."""
    return f"{count} {word}" if abs(count) == 1 else f"{count} {word}s"


def a_type(type_: Type) -> str:
    """A type with its article."""
    return article(str(type_))


def described(domain: Domain) -> str:
    """A domain in the policy's words: `a Decimal(2) between 0.00 and 100.00`."""
    if domain.alias:
        name = f"{article(domain.alias.rpartition('.')[2])}, {article(str(domain.type))}"
    else:
        name = article(str(domain.type))
    low, high = domain.low, domain.high
    if low is not None and high is not None:
        name += f" between {shown(low, domain.type)} and {shown(high, domain.type)}"
    elif low is not None:
        name += f" of at least {shown(low, domain.type)}"
    elif high is not None:
        name += f" of at most {shown(high, domain.type)}"
    if domain.max_length is not None:
        unit = "character" if base(domain.type) is STRING else "element"
        name += f" of at most {plural(domain.max_length, unit)}"
    return name


def shown(value: Value, type_: Type) -> str:
    """A value as a reader of the policy expects it: enums bare, strings in quotes, lists in brackets."""
    kind = base(type_)
    match kind:
        case EnumType():
            return str(value)
        case SetType() | ListType() if isinstance(value, tuple | frozenset):
            items = sorted(value, key=repr) if isinstance(value, frozenset) else value
            return "[" + ", ".join(shown(item, kind.element.type) for item in items) + "]"
        case DecimalType():
            return format(value, "f") if not isinstance(value, str) else value
        case _ if isinstance(value, dt.timedelta):
            return duration_words(value)
        case _:
            written = forms.to_json(value, kind)
            return f'"{written}"' if kind is STRING else _plain(written)


_UNITS: Final = (
    ("week", dt.timedelta(weeks=1)),
    ("day", dt.timedelta(days=1)),
    ("hour", dt.timedelta(hours=1)),
    ("minute", dt.timedelta(minutes=1)),
    ("second", dt.timedelta(seconds=1)),
    ("millisecond", dt.timedelta(milliseconds=1)),
)


def duration_words(value: dt.timedelta) -> str:
    """A duration as the language writes it, in the greatest unit that divides it: `4 hours`."""
    for word, unit in _UNITS:
        if value and not value % unit:
            return plural(value // unit, word)
    return str(forms.to_json(value, DURATION)) if value else "0 seconds"


def _plain(written: object) -> str:
    if isinstance(written, bool):
        return "true" if written else "false"
    return str(written)
