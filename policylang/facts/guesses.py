"""Guessing declarations from samples of data: what each field's type, values and range seem to be.

A sample is read row by row in bounded memory. Each guess carries its grounds, so that the person who
reads the draft can judge it: a draft is where a declaration starts, not what it ends as.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from policylang.facts.forms import Unfit
from policylang.facts.normalizers import NORMALIZERS, misuses
from policylang.facts.reading import reader
from policylang.facts.types import (
    BOOL,
    CIDR,
    DATE,
    DATETIME,
    DURATION,
    INT,
    IP,
    STRING,
    DecimalType,
    Domain,
    Type,
)

MOST_KEPT: Final = 1_000
"""Distinct texts of one field that are looked at."""

MOST_MEMBERS: Final = 12
"""More values than these are not guessed to be an enum."""

MOST_PLACES: Final = 18
_TEXT_TYPES: Final[tuple[Type, ...]] = (DATETIME, DATE, IP, CIDR, DURATION)
_CONVERTED: Final = (
    Domain(DecimalType(2), normalizers=("currency",)),
    Domain(DecimalType(4), normalizers=("percent",)),
    Domain(DATETIME, normalizers=("utc",)),
    Domain(DATE, normalizers=("iso_date",)),
    Domain(DATE, normalizers=("human_date",)),
    Domain(BOOL, normalizers=("boolean",)),
    Domain(INT, normalizers=("digits",)),
)
"""The domains that text is tried for, in this order, where it is in no strict form."""


@dataclass(slots=True)
class Seen:
    """What was seen of one field: counts by kind, ranges of numbers, the distinct texts, what is inside."""

    rows: int = 0
    nulls: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    low: Decimal | None = None
    high: Decimal | None = None
    places: int = 0
    texts: Counter[str] = field(default_factory=Counter)
    is_cut: bool = False
    longest: int = 0
    inner: dict[str, Seen] = field(default_factory=dict)
    element: Seen | None = None

    def add(self, value: Any) -> None:
        """Take up one value of the field."""
        self.rows += 1
        match value:
            case None:
                self.nulls += 1
            case bool():
                self.kinds["bool"] += 1
            case int():
                self.kinds["int"] += 1
                self._add_number(Decimal(value))
            case float() | Decimal():
                self.kinds["decimal"] += 1
                self._add_number(Decimal(str(value)))
            case str():
                self.kinds["text"] += 1
                self._add_text(value)
            case list() | tuple():
                self._add_list(value)
            case Mapping():
                self.kinds["object"] += 1
                self.add_fields(value)
            case _:
                self.kinds["other"] += 1

    def add_row(self, row: Any) -> None:
        """Take up one row, whose fields are what is looked at; what is no object has none."""
        self.rows += 1
        if isinstance(row, Mapping):
            self.add_fields(row)

    def add_fields(self, row: Mapping[str, Any]) -> None:
        """Take up the fields of an object."""
        for name, value in row.items():
            self.inner.setdefault(str(name), Seen()).add(value)

    def _add_number(self, number: Decimal) -> None:
        self.low = number if self.low is None else min(self.low, number)
        self.high = number if self.high is None else max(self.high, number)
        exponent = number.normalize().as_tuple().exponent
        self.places = max(self.places, -exponent if isinstance(exponent, int) else 0)

    def _add_text(self, text: str) -> None:
        self.longest = max(self.longest, len(text))
        if text in self.texts or len(self.texts) < MOST_KEPT:
            self.texts[text[:200]] += 1
        else:
            self.is_cut = True

    def _add_list(self, items: Any) -> None:
        self.kinds["list"] += 1
        if self.element is None:
            self.element = Seen()
        for item in items:
            self.element.add(item)


@dataclass(frozen=True, slots=True)
class Guess:
    """The guessed declaration of a field: its type as a policy writes it, and why.

    `members` are those of an enum (name, other spellings); `fields` those of a record or its list.
    """

    type: str
    grounds: str
    normalizers: tuple[str, ...] = ()
    range: str = ""
    members: tuple[tuple[str, tuple[str, ...]], ...] = ()
    fields: tuple[tuple[str, Guess], ...] = ()
    optional: bool = False


def guess(seen: Seen, rows: int) -> Guess:
    """The guess for a field that was seen in some of `rows` rows."""
    found = _typed(seen)
    missing = rows - seen.rows + seen.nulls
    if not missing and not found.optional:
        return found
    said = f"; missing in {missing} of {rows}" if missing else ""
    return Guess(
        found.type,
        found.grounds + said,
        found.normalizers,
        found.range,
        found.members,
        found.fields,
        optional=True,
    )


def _typed(seen: Seen) -> Guess:
    kinds = set(seen.kinds)
    match sorted(kinds):
        case []:
            return Guess("String", "never given a value: the type is a placeholder", optional=True)
        case ["bool"]:
            return Guess("Bool", f"{seen.rows} truth values")
        case ["int"]:
            return Guess("Int", _ranged(seen), range=_int_range(seen))
        case ["decimal"] | ["decimal", "int"]:
            return _number(seen)
        case ["list"]:
            return _list(seen)
        case ["text"]:
            return _text(seen)
        case ["decimal", "text"] | ["int", "text"] | ["decimal", "int", "text"]:
            return _mixed_numbers(seen)
        case ["object"]:
            return Guess("String", "an object: flatten it, or declare it as a fact of its own")
        case _:
            counts = ", ".join(f"{n} {kind}" for kind, n in sorted(seen.kinds.items()))
            return Guess("String", f"mixed kinds ({counts}): the type is a placeholder")


def _ranged(seen: Seen) -> str:
    return f"{seen.low} to {seen.high} in {seen.rows - seen.nulls} values"


def _int_range(seen: Seen) -> str:
    return "in 0 .." if seen.low is not None and seen.low >= 0 else ""


def _number(seen: Seen) -> Guess:
    places = min(max(seen.places, 2), MOST_PLACES)
    low = seen.low is not None and seen.low >= 0
    zero = f"0.{'0' * places}"
    return Guess(f"Decimal({places})", _ranged(seen), range=f"in {zero} .." if low else "")


def _list(seen: Seen) -> Guess:
    element = seen.element or Seen()
    if set(element.kinds) == {"object"}:
        fields = tuple((name, guess(s, element.rows)) for name, s in element.inner.items())
        return Guess("List", f"lists of {element.rows} objects", fields=fields)
    inner = _typed(element)
    inner_type = "String" if inner.members else inner.type
    return Guess(f"List[{inner_type}]", f"lists of {element.rows} elements ({inner.grounds})")


def _text(seen: Seen) -> Guess:
    texts = list(seen.texts)
    for kind in _TEXT_TYPES:
        if all(_reads(text, Domain(kind)) for text in texts):
            return Guess(str(kind), f"{len(texts)} distinct texts, all of them one")
    nothing = tuple(text for text in texts if _is_nothing(text))
    words = [text for text in texts if text not in nothing]
    nulls = ("nulls",) if nothing and words else ()
    found = (
        _converted(words, nulls)
        or _enum(seen, words, nulls)
        or _mostly_converted(seen, words, nulls)
        or _string(seen, words, nulls)
    )
    if not nulls:
        return found
    said = f"{found.grounds}; {', '.join(map(repr, nothing[:3]))} stand for nothing"
    return Guess(
        found.type, said, found.normalizers, found.range, found.members, found.fields, optional=True
    )


def _is_nothing(text: str) -> bool:
    return NORMALIZERS["nulls"].make(STRING)(text) is None


def _converted(words: list[str], nulls: tuple[str, ...]) -> Guess | None:
    """A guess for texts that a normalizer makes numbers, dates or truth values."""
    if not words or _are_codes(words):
        return None
    scale = max(map(_places, words))
    if all(_reads(text, Domain(DecimalType(max(scale, 2)))) for text in words):
        return Guess(f"Decimal({max(scale, 2)})", "numbers written as text", nulls)
    for domain in _CONVERTED:
        if all(_reads(text, domain) for text in words):
            example = next((t for t in words if not _reads(t, Domain(domain.type))), words[0])
            names = (*nulls, *domain.normalizers)
            return Guess(str(domain.type), f"texts like {example!r}", names)
    return None


def _are_codes(words: list[str]) -> bool:
    """Digits with leading zeros are a name of something: as a number they would be another."""
    return any(re.fullmatch(r"0[0-9]+", text) for text in words)


def _mostly_converted(seen: Seen, words: list[str], nulls: tuple[str, ...]) -> Guess | None:
    """A guess that fits nearly all texts: the others are what the border is to refuse."""
    whole = 0 if _are_codes(words) else sum(seen.texts[text] for text in words)
    for domain in _CONVERTED:
        others = [text for text in words if not _reads(text, domain)]
        left_out = sum(seen.texts[text] for text in others)
        if 0 < left_out * 10 <= whole:
            examples = ", ".join(map(repr, others[:3]))
            grounds = f"all but {left_out} of {whole} texts; not {examples}"
            return Guess(str(domain.type), grounds, (*nulls, *domain.normalizers))
    return None


def _places(text: str) -> int:
    _, point, fraction = text.partition(".")
    return min(len(fraction), MOST_PLACES) if point and fraction.isdigit() else 0


def _enum(seen: Seen, words: list[str], nulls: tuple[str, ...]) -> Guess | None:
    """A guess for few values that come again and again; forms that differ by case and space are one."""
    spelled: dict[str, list[str]] = {}
    for text in words:
        spelled.setdefault(text.strip().lower(), []).append(text)
    often = sum(seen.texts[text] for text in words) >= 3 * len(spelled)
    fits = all(0 < len(name) <= 40 and name.isprintable() for name in spelled)
    if seen.is_cut or len(spelled) < 2 or len(spelled) > MOST_MEMBERS or not often or not fits:
        return None
    members = tuple(
        (member_name(name), _others(member_name(name), name)) for name in sorted(spelled)
    )
    if len({name for name, _ in members}) < len(members):
        return None
    forms = [text for text in words if text != text.strip().lower()]
    names = _enum_normalizers(words) if forms else ()
    counts = ", ".join(f"{n} {text!r}" for text, n in seen.texts.most_common(4))
    return Guess(
        "enum", f"{len(words)} distinct texts: {counts}", (*nulls, *names), members=members
    )


def member_name(text: str) -> str:
    """A text as the name of an enum's member."""
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in text).strip("_").lower()
    return plain if plain and plain[0].isalpha() else f"value_{plain}".rstrip("_")


def _others(name: str, text: str) -> tuple[str, ...]:
    return () if name == text else (text,)


def _enum_normalizers(words: list[str]) -> tuple[str, ...]:
    trim = any(text != text.strip() for text in words)
    lower = any(text != text.lower() for text in words)
    return (*(["trim"] if trim else []), *(["lower"] if lower else []))


def _string(seen: Seen, words: list[str], nulls: tuple[str, ...]) -> Guess:
    trim = ("trim",) if any(text != text.strip() for text in words) else ()
    more = "more than " if seen.is_cut else ""
    return Guess(
        "String",
        f"{more}{len(words)} distinct texts of up to {seen.longest} characters",
        (*trim, *nulls),
    )


def _mixed_numbers(seen: Seen) -> Guess:
    """Numbers that are sometimes text: what a border is for."""
    words = [text for text in seen.texts if not _is_nothing(text)]
    converted = _converted(words, ())
    texts = ", ".join(repr(text) for text in words[:3])
    grounds = f"{seen.kinds['text']} of {seen.rows} as text ({texts})"
    nulls = ("nulls",) if len(words) < len(seen.texts) else ()
    if converted is None or not converted.type.startswith(("Decimal", "Int")):
        return Guess("String", f"{grounds}: mixed, the type is a placeholder")
    places = min(max(seen.places, 2), MOST_PLACES)
    kind = converted.type if converted.type == "Int" and not seen.places else f"Decimal({places})"
    names = converted.normalizers
    if kind != "Int" and "digits" in names:
        names = ("currency",)
    return Guess(kind, grounds, (*nulls, *names), optional=bool(nulls))


def _reads(text: str, domain: Domain) -> bool:
    if any(misuses(domain.normalizers, domain.type)):
        return False
    try:
        return reader(domain)(text) is not None
    except Unfit:
        return False
