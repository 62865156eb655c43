"""Laws that hold of every type, every value and every input."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic_core import SchemaValidator, ValidationError

from policylang.facts.compile import compile_border
from policylang.facts.factset import FactSet
from policylang.facts.forms import Unfit, to_json
from policylang.facts.json_text import read_json
from policylang.facts.passage import Passage
from policylang.facts.reading import from_json, reader
from policylang.facts.rejection import Rejection
from policylang.facts.schema import Cardinality, Relation, RelationKind, Schema
from policylang.facts.types import Domain
from policylang.facts.validators import domain_schema
from policylang.facts.values import MISSING
from tests.facts.domains import DOMAINS, JUNK, fields, values
from tests.facts.shop import BORDER, NOW, REQUEST


@given(st.data())
def test_a_value_survives_its_form(data: st.DataObject) -> None:
    """Value -> JSON text -> value gives the same value of the same class, for every type."""
    domain = data.draw(DOMAINS)
    value = data.draw(values(domain))
    text = json.dumps(to_json(value, domain.type))
    again = from_json(read_json(text), domain.type)
    assert again == value
    assert type(again) is type(value)
    assert to_json(again, domain.type) == to_json(value, domain.type)


@given(st.data())
def test_a_row_survives_the_border(data: st.DataObject) -> None:
    """Rows of any declaration come through the whole border, as JSON text, unchanged."""
    columns = data.draw(fields(DOMAINS))
    rows = data.draw(st.lists(st.tuples(*map(_column_values, columns)), max_size=3))
    fact = Relation("m.f", "m", RelationKind.FACT, Cardinality.MANY, columns)
    act = Relation("m.act", "m", RelationKind.ACTION, Cardinality.ONE, ())
    border = compile_border(Schema({"m.f": fact, "m.act": act}, {}, {}), clock=lambda: NOW)
    given_rows = [
        {
            column.name: to_json(value, column.domain.type)
            for column, value in zip(columns, row, strict=True)
            if value is not MISSING
        }
        for row in rows
    ]
    answer = border.validate(json.dumps({"action": "act", "facts": {"f": given_rows}}))
    assert isinstance(answer, FactSet), answer.text()
    assert [row.values for row in answer.of("m.f")] == rows
    assert answer.changes == ()


PREPARED: Any = BORDER._actions.prepared("refund")


def _column_values(column: Any) -> st.SearchStrategy[Any]:
    found = values(column.domain)
    return found | st.just(MISSING) if column.optional else found


def _read(domain: Domain, junk: Any) -> Any:
    try:
        return reader(domain)(junk)
    except Unfit as unfit:
        return unfit.code.id and Unfit


def _validated(domain: Domain, junk: Any) -> Any:
    try:
        return SchemaValidator(domain_schema(domain)).validate_python(junk)
    except ValidationError:
        return Unfit


@given(DOMAINS, JUNK)
def test_compiled_and_plain_readers_agree(domain: Domain, junk: Any) -> None:
    """Pydantic's validators and the plain readers accept the same inputs, as the same values."""
    assert _validated(domain, junk) == _read(domain, junk)


@given(st.data())
def test_they_agree_on_what_is_nearly_right(data: st.DataObject) -> None:
    """They agree too where one part of a valid value is put wrong."""
    domain = data.draw(DOMAINS)
    form = _spoiled(data, to_json(data.draw(values(domain)), domain.type))
    assert _validated(domain, form) == _read(domain, form)


def _spoiled(data: st.DataObject, form: Any) -> Any:
    if isinstance(form, list) and form and data.draw(st.booleans()):
        i = data.draw(st.integers(0, len(form) - 1))
        return [*form[:i], _spoiled(data, form[i]), *form[i + 1 :]]
    if isinstance(form, dict) and form and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(form)))
        return form | {key: _spoiled(data, form[key])}
    return data.draw(JUNK)


def _places(form: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(form, dict | list):
        return [path]
    inner = form.items() if isinstance(form, dict) else enumerate(form)
    return [path, *(p for key, value in inner for p in _places(value, (*path, key)))]


@st.composite
def nearly_requests(draw: st.DrawFn) -> Any:
    """The valid request with something put in place of one or two of its parts, or added."""
    spoiled: Any = copy.deepcopy(REQUEST)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(_places(spoiled)[1:]))
        inner = spoiled
        for step in path[:-1]:
            inner = inner[step]
        if isinstance(inner, dict) and draw(st.booleans()):
            inner[draw(st.sampled_from(["source", "value", "agent", "history", "x"]))] = draw(JUNK)
        else:
            inner[path[-1]] = draw(JUNK)
    return spoiled


@given(nearly_requests())
def test_no_request_raises(spoiled: Any) -> None:
    """Whatever stands in a request, the answer is facts or a rejection that can be shown, with a path."""
    answer = BORDER.validate(spoiled)
    if isinstance(answer, Rejection):
        assert answer.text()
        assert answer.brief()
        assert json.dumps(answer.to_json()).isprintable()
        assert all(problem.path for problem in answer.problems)


@given(JUNK | st.text() | st.binary())
def test_nothing_at_all_raises(junk: Any) -> None:
    """What is no request at all is a rejection."""
    assert isinstance(BORDER.validate(junk), Rejection)


@st.composite
def plausible_requests(draw: st.DrawFn) -> Any:
    """A request whose parts are mostly valid, in many forms."""
    amount = st.sampled_from(["48.00", 48, 48.5, "$4,800.00", Decimal("0.5"), "1.234", "-0"])
    tier = st.sampled_from(["pro", " PRO", "Professional", "free", "gold"])
    line = st.fixed_dictionaries(
        {"sku": st.text(max_size=2), "price": amount},
        optional={"note": st.none() | st.just("x"), "tags": st.lists(st.sampled_from("ab"))},
    )
    order = st.fixed_dictionaries(
        {
            "id": st.sampled_from("opq"),
            "customer": st.sampled_from(["c1", "c1", "c2"]),
            "lines": st.lists(line, max_size=2),
        },
        optional={"paid": st.sampled_from(["2026-01-02", None, "x"])},
    )
    customer = st.fixed_dictionaries(
        {"id": st.just("c1"), "tier": tier, "age_days": st.integers(-1, 9)},
        optional={"flagged": st.booleans(), "token": st.none() | st.text(max_size=3)},
    )
    facts = st.fixed_dictionaries(
        {"customer": customer}, optional={"order": st.lists(order, max_size=2)}
    )
    args = st.fixed_dictionaries(
        {"customer_id": st.just("c1"), "amount": amount},
        optional={"color": st.sampled_from(["red", "green", "blue"]), "reason": st.none()},
    )
    return draw(
        st.fixed_dictionaries(
            {"action": st.just("refund"), "args": args, "agent": st.just(REQUEST["agent"])},
            optional={
                "facts": facts,
                "now": st.sampled_from(["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.5+01:00"]),
                "history": st.just([]),
            },
        )
    )


@given(nearly_requests() | plausible_requests())
def test_both_ways_through_the_border_agree(given_request: Any) -> None:
    """What the short way takes, the whole way reads alike; what it leaves, valid or not, is answered."""
    plan, express = PREPARED
    whole = Passage(BORDER._around, plan, copy.deepcopy(given_request)).outcome()
    short = express.validate(given_request, BORDER._around)
    assert short is None or short == whole


def test_the_short_way_takes_the_usual_request() -> None:
    """A plain valid request goes the short way, and reads as it would the whole way."""
    plan, express = PREPARED
    short = express.validate(REQUEST, BORDER._around)
    assert short is not None
    assert Passage(BORDER._around, plan, copy.deepcopy(REQUEST)).outcome() == short


@given(st.data())
def test_an_invalid_value_is_refused_with_its_path(data: st.DataObject) -> None:
    """A value that is none of its column's domain refuses the request, and the path names the column."""
    columns = data.draw(fields(DOMAINS))
    column = data.draw(st.sampled_from(columns))
    junk = data.draw(JUNK)
    assume(junk is not None and _read(column.domain, junk) is Unfit)
    action = Relation("m.act", "m", RelationKind.ACTION, Cardinality.ONE, columns)
    border = compile_border(Schema({"m.act": action}, {}, {}), clock=lambda: NOW)
    args = {
        c.name: junk if c is column else to_json(data.draw(values(c.domain)), c.domain.type)
        for c in columns
    }
    answer = border.validate({"action": "act", "args": args})
    assert isinstance(answer, Rejection)
    paths = [problem.path for problem in answer.problems]
    assert paths
    assert all(path.startswith(f"act.{column.name}") for path in paths)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4), st.integers())
def test_json_numbers_keep_their_digits(number: Decimal, whole: int) -> None:
    """A JSON number with a point is the decimal of its digits, one without it an int of any size."""
    text = format(number, "f")
    assert read_json(f"[{text}, {whole}]") == [Decimal(text), whole]
