"""Random domains and values of them, for properties that hold of every type."""

from __future__ import annotations

import datetime as dt
import ipaddress
from decimal import Context, Decimal
from typing import Any

from hypothesis import strategies as st

from policylang.facts.types import (
    BOOL,
    CIDR,
    DATE,
    DATETIME,
    DURATION,
    INT,
    IP,
    MAX_DIGITS,
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
)
from policylang.facts.values import MISSING, Record

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)
NAMES = st.text("abcdefgh_", min_size=1, max_size=6)
_WIDE = Context(prec=100)
PLAIN = (BOOL, INT, STRING, DATE, DATETIME, TIME, DURATION, IP, CIDR)


@st.composite
def enums(draw: st.DrawFn) -> EnumType:
    """An enum, with other spellings and normalizers or without."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    spelled = draw(st.booleans())
    members = tuple(Member(n, (n.upper(), f"the {n}") if spelled else ()) for n in names)
    return EnumType("m.E", members, draw(st.sampled_from([(), ("trim",), ("trim", "lower")])))


def decimals(scale: int, size: int = MAX_DIGITS) -> st.SearchStrategy[Decimal]:
    """Every Decimal(scale)."""
    most = 10**size - 1
    return st.integers(-most, most).map(lambda n: Decimal(n).scaleb(-scale, _WIDE) or Decimal(0))


@st.composite
def scalars(draw: st.DrawFn) -> Domain:
    """A domain of one value, bounded or not."""
    kind = draw(st.sampled_from(["plain", "decimal", "enum", "int", "string", "ref"]))
    match kind:
        case "plain":
            return Domain(draw(st.sampled_from(PLAIN)))
        case "decimal":
            scale = draw(st.integers(0, 18))
            ends = sorted(draw(st.tuples(decimals(scale, 9 + scale), decimals(scale, 9 + scale))))
            low, high = draw(st.sampled_from([(None, None), (ends[0], None), tuple(ends)]))
            # With three places or more `1.234` is ambiguous as an amount of money.
            money = ("currency",) if scale < 3 else ("trim",)
            names = draw(st.sampled_from([(), money, ("trim", "nulls"), ("percent",)]))
            return Domain(DecimalType(scale), low, high, normalizers=names)
        case "enum":
            return Domain(draw(enums()))
        case "int":
            ends = sorted(draw(st.tuples(st.integers(), st.integers())))
            low, high = draw(st.sampled_from([(None, None), (ends[0], None), tuple(ends)]))
            return Domain(INT, low, high, normalizers=draw(st.sampled_from([(), ("digits",)])))
        case "string":
            return Domain(STRING, max_length=draw(st.none() | st.integers(0, 40)))
        case _:
            return Domain(RefType("m.f", draw(st.sampled_from([INT, STRING])), dangling=True))


@st.composite
def fields(draw: st.DrawFn, domain: st.SearchStrategy[Domain]) -> tuple[Field, ...]:
    """The fields of a record or a row."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    found = []
    for name in names:
        declared = draw(domain)
        form = draw(st.sampled_from(["needed", "optional", "default"]))
        default = draw(values(declared)) if form == "default" else MISSING
        found.append(Field(name, declared, optional=form == "optional", default=default))
    return tuple(found)


def _collections(inner: st.SearchStrategy[Domain]) -> st.SearchStrategy[Domain]:
    return st.one_of(
        inner.map(lambda d: Domain(SetType(d))),
        inner.map(lambda d: Domain(ListType(d))),
        fields(inner).map(lambda f: Domain(ListType(Domain(RecordType(f))))),
    )


DOMAINS = st.recursive(scalars(), _collections, max_leaves=4)


def values(domain: Domain) -> st.SearchStrategy[Any]:
    """Every value of a domain."""
    match domain.type:
        case DecimalType(scale=int() as scale):
            low, high = domain.low, domain.high
            if low is None:
                return decimals(scale)
            most = 10**MAX_DIGITS - 1 if high is None else _units(high, scale)
            return st.integers(_units(low, scale), most).map(
                lambda n: Decimal(n).scaleb(-scale, _WIDE) or Decimal(0)
            )
        case EnumType() as kind:
            return st.sampled_from(kind.member_names)
        case SetType(element):
            return st.frozensets(values(element), max_size=3)
        case ListType(element):
            return st.lists(values(element), max_size=3).map(tuple)
        case RecordType(inner):
            return st.tuples(*map(_field_values, inner)).map(Record)
        case RefType(key=key):
            return values(Domain(key))
        case _:
            return _plain_values(domain)


def _units(bound: Any, scale: int) -> int:
    return int(bound.scaleb(scale, _WIDE))


def _field_values(field: Field) -> st.SearchStrategy[Any]:
    found = values(field.domain)
    return found | st.just(MISSING) if field.optional else found


def _plain_values(domain: Domain) -> st.SearchStrategy[Any]:
    text = TEXT if domain.max_length is None else TEXT.map(lambda t: t[: domain.max_length])
    by_type: dict[Any, st.SearchStrategy[Any]] = {
        BOOL: st.booleans(),
        INT: st.integers(domain.low, domain.high),  # type: ignore[arg-type]
        STRING: text,
        DATE: st.dates(),
        DATETIME: st.datetimes(timezones=st.just(dt.UTC)),
        TIME: st.times(),
        DURATION: st.timedeltas(),
        IP: st.ip_addresses(),
        CIDR: st.tuples(st.ip_addresses(), st.integers(0, 128)).map(
            lambda p: ipaddress.ip_network((p[0], min(p[1], p[0].max_prefixlen)), strict=False)
        ),
    }
    return by_type[domain.type]


JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.decimals(),
        st.text(max_size=20),
        st.binary(max_size=5),
        st.dates(),
        st.datetimes(),
        st.datetimes(timezones=st.just(dt.UTC)),
        st.timedeltas(),
        st.ip_addresses(),
        st.sampled_from(
            [
                "1.0",
                "$5",
                "1e3",
                "NaN",
                "2026-11-20",
                "2026-11-20T10:00:00Z",
                "4 hours",
                "10.0.0.0/8",
                "yes",
                "N/A",
                "50%",
                "1.234",
                "4,800",
                " 7",
                "\ud800",
                "a\0",
                object(),
                10**1500,
            ]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3),
        st.frozensets(st.integers() | st.text(max_size=3), max_size=3),
    ),
    max_leaves=5,
)
"""What a caller may hand over by mistake or on purpose."""
