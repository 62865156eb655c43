"""From what a caller gave to exact values, by the declared domain: strict readers with their normalizers.

This is what a domain accepts, in plain Python: the compiled validators of `policylang.facts.validators`
agree with it on every input, and say why they refuse by asking it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sized
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, assert_never, cast

from policylang.facts import codes, forms
from policylang.facts.forms import MOST_ELEMENTS, Reader, Unfit
from policylang.facts.memory import Memory
from policylang.facts.normalizers import rewriter
from policylang.facts.types import (
    DecimalType,
    Domain,
    EnumType,
    Field,
    ListType,
    RecordType,
    RefType,
    ScalarType,
    SetType,
    Type,
)
from policylang.facts.values import MISSING, Missing, Record, Value


def from_json(given: object, type_: Type) -> Value:
    """The value that `to_json` wrote, or that a caller gave as a Python object; raises `Unfit`."""
    value: Value = reader(Domain(type_))(given)
    return value


def normalizers_of(domain: Domain) -> tuple[str, ...]:
    """The normalizers of a domain in the order in which they are applied: an enum's own come first."""
    match domain.type:
        case EnumType(normalizers=own):
            return own + domain.normalizers
        case RefType(key=EnumType(normalizers=own)):
            return own + domain.normalizers
        case _:
            return domain.normalizers


@lru_cache(maxsize=4096)
def reader(domain: Domain) -> Reader:
    """The reader of a domain: what a caller gave -> the exact value; raises `Unfit`.

    Gives None where a normalizer says that the text stands for nothing. Linear in the size of the input.
    """
    names = normalizers_of(domain)
    strict = strict_reader(domain)
    return _normalizing(domain, names, strict) if names else strict


def _normalizing(domain: Domain, names: tuple[str, ...], strict: Reader) -> Reader:
    """Reads text through its normalizers. Where these cannot change a strict form, it is tried first."""
    rewrite = rewriter(names, key_type(domain.type))
    from_text = text_reader(domain)
    strict_first = keeps_strict_forms(domain, names)

    memory: Memory[Any] = Memory()
    # Free text comes but once, and may be secret: it is not remembered.
    is_form = key_type(domain.type) is not ScalarType.STRING

    def otherwise(given: str) -> Any:
        known = memory.get(given) if is_form else None
        if known is not None:
            return known
        text = rewrite(given)
        value = None if text is None else from_text(text)
        return memory.keep(given, value) if is_form else value

    if strict_first and isinstance(domain.type, DecimalType) and domain.type.scale is not None:
        return forms.decimal_reader(domain, domain.type.scale, otherwise)

    def read(given: object) -> Any:
        if not isinstance(given, str):
            return strict(given)
        if strict_first:
            try:
                return strict(given)
            except Unfit:
                pass
        return otherwise(given)

    return read


def keeps_strict_forms(domain: Domain, names: tuple[str, ...]) -> bool:
    """Whether a text in the strict form of the domain stands for itself under these normalizers."""
    match key_type(domain.type):
        case ScalarType.STRING:
            return False
        case DecimalType(scale) if scale is not None and scale >= 3:
            # `1.234` is a strict form that `currency` calls ambiguous.
            return not {"currency", "usd", "eur", "gbp"} & set(names)
        case _:
            return True


def key_type(type_: Type) -> Type:
    """The type of the values: that of the key where the type is a reference."""
    while isinstance(type_, RefType):
        type_ = type_.key
    return type_


@lru_cache(maxsize=4096)
def strict_reader(domain: Domain) -> Reader:
    """The reader of a domain without its own normalizers (those of elements and fields apply)."""
    match domain.type:
        case ScalarType() as scalar:
            return _scalar_reader(scalar, domain)
        case DecimalType(scale):
            return forms.read_free_decimal if scale is None else forms.decimal_reader(domain, scale)
        case EnumType() as enum_type:
            return forms.enum_reader(domain, enum_type)
        case SetType(element):
            return _set_reader(domain, reader(element))
        case ListType(element):
            return _list_reader(domain, reader(element))
        case RecordType(fields):
            return _record_reader(fields)
        case RefType(key=key):
            return strict_reader(Domain(key, domain.low, domain.high, domain.max_length))
        case _:
            assert_never(domain.type)


def _scalar_reader(type_: ScalarType, domain: Domain) -> Reader:
    match type_:
        case ScalarType.BOOL:
            return forms.bool_reader
        case ScalarType.INT:
            return forms.int_reader(domain)
        case ScalarType.STRING:
            return forms.string_reader(domain)
        case ScalarType.IP:
            return forms.read_ip
        case ScalarType.CIDR:
            return forms.read_cidr
        case ScalarType.DATE | ScalarType.DATETIME | ScalarType.TIME | ScalarType.DURATION:
            return _then(_TEMPORAL[type_], domain)
        case _:
            assert_never(type_)


_TEMPORAL: Final[Mapping[ScalarType, Reader]] = {
    ScalarType.DATE: forms.read_date,
    ScalarType.DATETIME: forms.read_datetime,
    ScalarType.TIME: forms.read_time,
    ScalarType.DURATION: forms.read_duration,
}


def _then(read: Reader, domain: Domain) -> Reader:
    if domain.low is None and domain.high is None:
        return read
    within = forms.bounded(domain)
    return lambda given: within(read(given))


# --- sets, lists, records -------------------------------------------------------------------------------


def elements_check(domain: Domain, *kinds: type) -> Callable[[Any], Any]:
    """A check that something is one of these collections and no longer than the domain allows."""
    longest = MOST_ELEMENTS if domain.max_length is None else min(domain.max_length, MOST_ELEMENTS)

    def check(given: Any) -> Any:
        if not isinstance(given, kinds):
            raise Unfit(codes.WRONG_TYPE)
        count = len(cast("Sized", given))
        if count > longest:
            raise Unfit(codes.TOO_LONG, f"{count} elements")
        return given

    return check


def _set_reader(domain: Domain, read: Reader) -> Reader:
    check = elements_check(domain, list, tuple, set, frozenset)
    return lambda given: frozenset(_element(read, e) for e in check(given))


def _list_reader(domain: Domain, read: Reader) -> Reader:
    check = elements_check(domain, list, tuple)
    return lambda given: tuple(_element(read, e) for e in check(given))


def _element(read: Reader, given: object) -> Value:
    value: Value | None = None if given is None else read(given)
    if value is None:
        raise Unfit(codes.NULL)
    return value


def _record_reader(fields: tuple[Field, ...]) -> Reader:
    readers = tuple((field, reader(field.domain)) for field in fields)
    names = frozenset(field.name for field in fields)

    def read(given: object) -> Value:
        if not isinstance(given, Mapping):
            raise Unfit(codes.WRONG_TYPE)
        for key in given:
            if key not in names:
                raise Unfit(codes.UNKNOWN_FIELD, str(key))
        return Record(tuple(read_field(field, read_value, given) for field, read_value in readers))

    return read


def read_field(field: Field, read: Reader, given: Mapping[Any, Any]) -> Value | Missing:
    """The value of one field of an object: its default where it is not given; raises `Unfit`."""
    found = given.get(field.name, MISSING)
    if found is MISSING:
        if field.default is MISSING and not field.optional:
            raise Unfit(codes.MISSING_FIELD, field.name)
        return field.default
    value: Value | None = None if found is None else read(found)
    if value is None:
        if not field.optional:
            raise Unfit(codes.NULL, field.name)
        return MISSING
    return value


# --- from text alone ------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def text_reader(domain: Domain) -> Reader:
    """Reads the text of a value where everything is text, as in a CSV file: `400`, `true`, `["a"]`.

    A Bool and an Int are written as in JSON, a set, list or record is JSON. Normalizers have been applied.
    """
    match domain.type:
        case ScalarType.INT:
            strict = strict_reader(domain)
            return lambda text: strict(_whole_number(text))
        case ScalarType.BOOL:
            return _bool_text
        case SetType() | ListType() | RecordType():
            strict = strict_reader(domain)
            return lambda text: strict(_json_text(text))
        case RefType(key=key):
            return text_reader(Domain(key, domain.low, domain.high, domain.max_length))
        case _:
            return strict_reader(domain)


def _whole_number(text: str) -> int:
    if len(text) > forms.MOST_INT_DIGITS + 1:
        raise Unfit(codes.TOO_MANY_DIGITS)
    if not forms.INTEGER.fullmatch(text):
        raise Unfit(codes.MALFORMED, "digits are expected")
    return int(text)


def _bool_text(text: str) -> bool:
    if text in ("true", "false"):
        return text == "true"
    raise Unfit(codes.MALFORMED, "true or false is expected")


def _json_text(text: str) -> object:
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError):
        raise Unfit(codes.MALFORMED, "JSON is expected") from None
