"""Sources, spans, codes and diagnostics as values, and as JSON."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policylang.diagnostics import (
    Code,
    Diagnostic,
    Label,
    Severity,
    Source,
    declare,
    declared,
    has_errors,
    in_source_order,
    to_json,
)
from policylang.errors import InternalError, PolicyInvalid
from policylang.syntax.codes import UNEXPECTED

CODE = Code("PL0299", "a title", "unknown `{name}`", hint="write `{other}`")


@given(st.text(alphabet="ab\n\r漢"), st.data())
def test_a_position_leads_back_to_its_offset(text: str, data: st.DataObject) -> None:
    """Line and column of an offset point at its character, counted by line feeds."""
    source = Source("a", text)
    offset = data.draw(st.integers(0, len(text)))
    line, column = source.position(offset)
    lines = text.split("\n")
    assert sum(len(before) + 1 for before in lines[: line - 1]) + column - 1 == offset
    assert source.line(line) == lines[line - 1].removesuffix("\r")


def test_a_span_knows_its_text_and_ends() -> None:
    """A span is half open, in code points, and prints as `file:line:column`."""
    source = Source("a.policy", "one\ntwo 漢字\n")
    span = source.span(8, 10)
    assert (span.text, span.line, span.column, span.end_line, span.end_column) == (
        "漢字",
        2,
        5,
        2,
        7,
    )
    assert str(span) == "a.policy:2:5"
    assert source.span(0, 3).to(span).text == "one\ntwo 漢字"


def test_a_code_is_declared_once() -> None:
    """A second declaration of a code, or a malformed one, is our own bug."""
    assert UNEXPECTED in declared()
    for wrong in (UNEXPECTED.id, "PL1", "XX0101", "PL1999"):
        with pytest.raises(InternalError):
            declare(wrong, "t", "m")


def test_a_code_fills_its_templates() -> None:
    """Message and hint are filled from the fields; a hint that is given comes first."""
    diagnostic = CODE.at(None, name="ordr", other="order")
    assert (diagnostic.message, diagnostic.hint) == ("unknown `ordr`", "write `order`")
    assert CODE.at(None, name="{x}", other="", hint="h").hint == "h"
    assert CODE.at(None, name="{x}", other="").message == "unknown `{x}`"
    with pytest.raises(InternalError):
        CODE.at(None, name="ordr")


def test_json_has_a_stable_shape() -> None:
    """Every key is always there; places count from one and end exclusively."""
    source = Source("a.policy", "one\ntwo\n")
    diagnostic = CODE.at(
        source.span(4, 7),
        label="here",
        labels=[Label(source.span(0, 3), "there")],
        notes=["n"],
        name="two",
        other="one",
    )
    place = {"file": "a.policy", "line": 2, "column": 1, "end_line": 2, "end_column": 4}
    first = {"file": "a.policy", "line": 1, "column": 1, "end_line": 1, "end_column": 4}
    assert json.loads(json.dumps(to_json(diagnostic))) == {
        "code": "PL0299",
        "severity": "error",
        "message": "unknown `two`",
        **place,
        "label": "here",
        "hint": "write `one`",
        "notes": ["n"],
        "related": [{**first, "message": "there"}],
    }
    assert to_json(CODE.at(None, name="a", other="b")).keys() == to_json(diagnostic).keys()


def test_diagnostics_are_put_in_the_order_of_their_sources() -> None:
    """By file and place, each once, whatever order they were found in."""
    source = Source("a", "0123456789")
    found = [CODE.at(source.span(at, at + 1), name=str(at), other="") for at in (5, 1, 5, 3)]
    assert [one.message for one in in_source_order(found)] == [
        "unknown `1`",
        "unknown `3`",
        "unknown `5`",
    ]


def test_only_errors_are_errors() -> None:
    """Warnings and notes do not make a policy unusable."""
    mild = [
        Diagnostic("PL0501", severity, "m", None) for severity in (Severity.WARNING, Severity.NOTE)
    ]
    assert not has_errors(mild)
    assert has_errors([*mild, CODE.at(None, name="a", other="")])


def test_the_exception_of_an_invalid_policy_says_all_of_it() -> None:
    """Its text is one line for each diagnostic, notes and hint below, and it survives a process boundary."""
    source = Source("a.policy", "x")
    error = PolicyInvalid([CODE.at(source.span(0, 1), name="x", other="y", notes=["so it is"])])
    assert str(error).splitlines() == [
        "a.policy:1:1: error[PL0299]: unknown `x`",
        "  = note: so it is",
        f"  = hint: {error.diagnostics[0].hint}",
    ]
    assert pickle.loads(pickle.dumps(error)).diagnostics == error.diagnostics
    assert pickle.loads(pickle.dumps(InternalError("w"))).what == "w"
