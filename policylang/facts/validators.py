"""Domains compiled to pydantic-core: the same language as `policylang.facts.reading`, checked in Rust.

What pydantic checks exactly and strictly (Bool, Int, String, plain enums, collections, records) it
checks; the rest are the readers of `reading`, called as plain validators. What may be missing and is given as null comes out as None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from pydantic_core import CoreSchema, core_schema

from policylang.facts import codes, forms
from policylang.facts.reading import elements_check, normalizers_of, reader
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
)
from policylang.facts.values import MISSING, Record

NO_NUL = r"^[^\x00]*$"


def row_schema(columns: Sequence[Field], *, quick: bool = False) -> CoreSchema:
    """Validates an object with exactly these fields: gives (values by name in their order, None).

    A `quick` one may refuse what the other takes, and its errors say nothing that is to be told.
    """
    fields = [core_schema.dataclass_field(c.name, _field_schema(c, quick=quick)) for c in columns]
    return core_schema.dataclass_args_schema("row", fields, extra_behavior="forbid")


def _field_schema(field: Field, *, quick: bool = False) -> CoreSchema:
    schema = quick_schema(field.domain) if quick else domain_schema(field.domain)
    if field.optional:
        schema = core_schema.nullable_schema(schema)
    elif "nulls" in normalizers_of(field.domain):
        schema = core_schema.no_info_after_validator_function(_refuse_none, schema)
    if field.default is not MISSING:
        return core_schema.with_default_schema(schema, default=field.default)
    if field.optional:
        return core_schema.with_default_schema(schema, default=MISSING)
    return schema


def _refuse_none(value: Any) -> Any:
    if value is None:
        raise forms.Unfit(codes.NULL)
    return value


def quick_schema(domain: Domain) -> CoreSchema:
    """As `domain_schema`, by way of what is usually given: a member's own name, a list for a set."""
    match domain.type:
        case EnumType(member_names=names) if names and domain.low is None and domain.high is None:
            plain = core_schema.literal_schema(list(names))
            others = [domain_schema(domain)] if may_be_others(domain) else []
            return core_schema.union_schema([plain, *others], mode="left_to_right")
        case SetType(element):
            most = forms.MOST_ELEMENTS
            if domain.max_length is not None:
                most = min(most, domain.max_length)
            listed = core_schema.list_schema(_element_schema(element), max_length=most, strict=True)
            return core_schema.no_info_after_validator_function(frozenset, listed)
        case _:
            return domain_schema(domain)


def may_be_others(domain: Domain) -> bool:
    """Whether an enum is read from other texts than the names of its members."""
    type_ = domain.type
    spelled = isinstance(type_, EnumType) and any(member.spellings for member in type_.members)
    return spelled or bool(normalizers_of(domain))


def domain_schema(domain: Domain) -> CoreSchema:
    """Validates a value of a domain."""
    if normalizers_of(domain):
        return core_schema.no_info_plain_validator_function(reader(domain))
    match domain.type:
        case ScalarType() as scalar:
            return _scalar_schema(scalar, domain)
        case EnumType() as enum_type:
            return _enum_schema(enum_type, domain)
        case DecimalType():
            return core_schema.no_info_plain_validator_function(reader(domain))
        case SetType(element):
            check = elements_check(domain, list, tuple, set, frozenset)
            elements = core_schema.frozenset_schema(_element_schema(element))
            return core_schema.no_info_before_validator_function(check, elements)
        case ListType(element):
            check = elements_check(domain, list, tuple)
            items = core_schema.tuple_schema([_element_schema(element)], variadic_item_index=0)
            return core_schema.no_info_before_validator_function(check, items)
        case RecordType(fields):
            return _record_schema(fields)
        case RefType(key=key):
            return domain_schema(Domain(key, domain.low, domain.high, domain.max_length))
        case _:
            assert_never(domain.type)


def _element_schema(domain: Domain) -> CoreSchema:
    schema = domain_schema(domain)
    if "nulls" in normalizers_of(domain):
        return core_schema.no_info_after_validator_function(_refuse_none, schema)
    return schema


def _scalar_schema(type_: ScalarType, domain: Domain) -> CoreSchema:
    match type_:
        case ScalarType.BOOL:
            return core_schema.bool_schema(strict=True)
        case ScalarType.INT:
            return _int_schema(domain)
        case ScalarType.STRING if domain.low is None and domain.high is None:
            return _string_schema(domain)
        case _:
            return core_schema.no_info_plain_validator_function(reader(domain))


def _int_schema(domain: Domain) -> CoreSchema:
    # INVARIANT: bounds of a domain are of its type; a tighter limit makes the other one superfluous.
    ends: list[Any] = [domain.low, domain.high]
    limit = 10**forms.MOST_INT_DIGITS - 1
    low = -limit if ends[0] is None else ends[0]
    high = limit if ends[1] is None else ends[1]
    return core_schema.int_schema(strict=True, ge=low, le=high)


def _string_schema(domain: Domain) -> CoreSchema:
    longest = forms.LONGEST_TEXT
    if domain.max_length is not None:
        longest = min(longest, domain.max_length)
    return core_schema.str_schema(strict=True, max_length=longest, pattern=NO_NUL)


def _enum_schema(type_: EnumType, domain: Domain) -> CoreSchema:
    if (
        may_be_others(domain)
        or domain.low is not None
        or domain.high is not None
        or not type_.members
    ):
        return core_schema.no_info_plain_validator_function(reader(domain))
    return core_schema.literal_schema(list(type_.member_names))


def _record_schema(fields: tuple[Field, ...]) -> CoreSchema:
    members = [core_schema.dataclass_field(f.name, _field_schema(f)) for f in fields]
    row = core_schema.dataclass_args_schema("record", members, extra_behavior="forbid")
    optional = tuple(i for i, field in enumerate(fields) if field.optional)

    def record(validated: tuple[dict[str, Any], None]) -> Record:
        values = tuple(validated[0].values())
        if any(values[i] is None for i in optional):
            values = tuple([MISSING if value is None else value for value in values])
        return Record(values)

    return core_schema.no_info_after_validator_function(record, row)
