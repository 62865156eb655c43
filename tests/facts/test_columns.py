"""The code that is made for an action's requests reads each column as the whole way does."""

from __future__ import annotations

import copy
import datetime as dt
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policylang.facts.compile import compile_border
from policylang.facts.factset import FactSet
from policylang.facts.forms import LONGEST_TEXT, to_json
from policylang.facts.passage import Passage
from policylang.facts.schema import Cardinality, Relation, RelationKind, Schema
from policylang.facts.types import BOOL, INT, STRING, DecimalType, Domain, Field, SetType
from policylang.facts.values import MISSING
from tests.facts.domains import DOMAINS, JUNK, fields, values
from tests.facts.shop import NOW

NUMBERS = st.one_of(
    st.from_regex(r"\A[-+]?[0-9]{0,3}[._]?[0-9]{0,3}([eE][-+]?[0-9]{1,2})?\Z"),
    st.sampled_from(
        [
            *("0", "-0", "-0.00", "00.10", "1_0.00", " 1.00", "1.00\n", "١.00", "1.٠٠", "+1.00"),
            *("NaN", "sNaN", "-Infinity", "1E+5", "1.2E+50", "1.E+5", ".50", "5.", "", "."),
            *("9" * 36 + ".99", "9" * 37 + ".99", "-" + "9" * 36 + ".99", "1.000", "1.005"),
            *(1, True, 1.5, 1.005, Decimal("1.5"), Decimal("NaN"), 10**40, None, "é.00"),
        ]
    ),
)
TEXTS = st.sampled_from(
    ["", "a", "é", "a\0", "\ud800", "x" * 5, "x" * 6, "x" * LONGEST_TEXT, 1, None, b"a", ["a"]]
)


def both(columns: tuple[Field, ...], args: Any) -> tuple[Any, Any]:
    """What the short way and the whole way make of an action's arguments."""
    action = Relation("m.act", "m", RelationKind.ACTION, Cardinality.ONE, columns)
    border = compile_border(Schema({"m.act": action}, {}, {}), clock=lambda: NOW)
    prepared: Any = border._actions.prepared("act")
    plan, express = prepared
    request = {"action": "act", "args": args}
    whole = Passage(border._around, plan, copy.deepcopy(request)).outcome()
    return express.validate(request, border._around), whole


def agrees(short: Any, whole: Any) -> bool:
    """Whether the short way left a request alone or read it as the whole way, to the last digit."""
    return short is None or (short == whole and repr(short) == repr(whole))


@given(st.data())
def test_code_reads_what_readers_read(data: st.DataObject) -> None:
    """For columns of every type, values and junk are read as by the whole way, and values are never left to it."""
    columns = data.draw(fields(DOMAINS))
    args = {c.name: to_json(data.draw(values(c.domain)), c.domain.type) for c in columns}
    short, whole = both(columns, args)
    assert isinstance(whole, FactSet)
    assert short is not None
    assert agrees(short, whole)
    if columns:
        spoiled = data.draw(st.sampled_from(columns)).name
        assert agrees(*both(columns, args | {spoiled: data.draw(JUNK | NUMBERS | TEXTS)}))
        del args[spoiled]
        assert agrees(*both(columns, args))


@given(NUMBERS, st.sampled_from([0, 1, 2, 4, 18, 38]), st.booleans())
def test_numbers_are_read_to_the_last_digit(number: Any, scale: int, bounded: bool) -> None:
    """Whatever a number looks like, code that is made for its column reads or leaves it as the whole way would."""
    ends = (Decimal("-1"), Decimal("1")) if bounded else (None, None)
    decimal = Field("d", Domain(DecimalType(scale), *ends))
    whole = Field("i", Domain(INT, *(int(end) if end is not None else None for end in ends)))
    assert agrees(*both((decimal,), {"d": number}))
    assert agrees(*both((whole,), {"i": number}))
    assert agrees(*both((Field("b", Domain(BOOL), default=True),), {"b": number}))


@given(TEXTS, st.lists(TEXTS, max_size=40))
def test_texts_are_read_alike(text: Any, several: list[Any]) -> None:
    """Texts of all lengths and characters, alone and in sets, are read or left as the whole way would."""
    short = Field("s", Domain(STRING, max_length=5), optional=True)
    assert agrees(*both((short,), {"s": text}))
    element = Domain(STRING, max_length=5)
    assert agrees(*both((Field("t", Domain(SetType(element), max_length=35)),), {"t": several}))


def test_a_row_that_looks_as_if_it_told_its_source_is_left_alone() -> None:
    """Arguments named `source` and `value` go the whole way, which reads them as a row with its source."""
    columns = (Field("source", Domain(STRING)), Field("value", Domain(STRING)))
    short, _ = both(columns, {"source": "user", "value": "x"})
    assert short is None


def test_times_are_those_of_the_calendar() -> None:
    """What is no time of a day is left to the whole way; a time is read in UTC."""
    fine, odd = "2026-11-22T10:00:00Z", ("2026-11-22T24:00:00Z", "2026-W47-7T10:00:00Z", "x" * 20)
    action = Relation("m.act", "m", RelationKind.ACTION, Cardinality.ONE, ())
    border = compile_border(Schema({"m.act": action}, {}, {}))
    read = border.validate({"action": "act", "args": {}, "now": fine})
    assert isinstance(read, FactSet)
    assert (read.now, read.now.tzinfo) == (NOW, dt.UTC)
    for text in odd:
        answer = border.validate({"action": "act", "args": {}, "now": text})
        assert not isinstance(answer, FactSet)
    assert MISSING not in read.rows["now"][0].values
