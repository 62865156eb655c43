"""What the tree holds: exact values, spans, docs, and the shape of conditions."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from policylang.diagnostics import Source
from policylang.syntax import parse
from policylang.syntax import tree as t
from policylang.syntax.walk import children, same_tree, walk
from tests.golden import FOLDER, read


def _module(text: str) -> t.Module:
    result = parse(Source("m.policy", text))
    assert result.diagnostics == ()
    assert result.module is not None
    return result.module


def _condition(text: str) -> Any:
    (statement,) = _module(f"define d if {text}").statements
    assert isinstance(statement, t.DefineStatement)
    return statement.condition


def _value(text: str) -> Any:
    return _condition(f"x == {text}").right.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-3", -3),
        ("99_999_999_999_999_999_999", 99_999_999_999_999_999_999),
        ("0.10", Decimal("0.10")),
        ("-1_000.50", Decimal("-1000.50")),
        ("12345678901234567890123456789012345678", 12345678901234567890123456789012345678),
        ("2026-11-20", date(2026, 11, 20)),
        ("09:30", time(9, 30)),
        ("09:30:00.25", time(9, 30, 0, 250_000)),
        ("2026-11-20T10:00:00.000001+01:00", datetime(2026, 11, 20, 9, 0, 0, 1, tzinfo=UTC)),
        ("4 hours", timedelta(hours=4)),
        ("1.5 days", timedelta(days=1.5)),
        ("0.001 milliseconds", timedelta(microseconds=1)),
        ("true", True),
        (r'"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\*\{\}"', '"\\/\b\f\n\r\té😀*{}'),
    ],
)
def test_literals_have_their_exact_value(text: str, value: object) -> None:
    """A literal is the value that was written, of its own type, and never a float."""
    found = _value(text)
    assert found == value
    assert type(found) is type(value)


def test_decimals_keep_the_scale_they_were_written_with() -> None:
    """`5.00` has two places."""
    assert _value("5.00").as_tuple().exponent == -2


def test_patterns_are_cut_at_their_stars() -> None:
    """A star cuts, an escaped star is a character."""
    pattern = _condition(r's like "*.exa\*mple.*"').pattern
    assert pattern.pieces == ("", ".exa*mple.", "")


def test_templates_hold_expressions_with_their_places() -> None:
    """The text and the holes of a template are apart, and a hole points into the file."""
    (rule,) = _module('rule a: allow b because "x {{ {a.b + 1} \\u0041"').statements
    assert isinstance(rule, t.RuleStatement)
    assert rule.reason is not None
    text, hole, rest = rule.reason.template.parts
    assert isinstance(text, t.TemplateText)
    assert isinstance(hole, t.TemplateHole)
    assert isinstance(rest, t.TemplateText)
    assert (text.text, hole.value.span.text, rest.text) == ("x { ", "a.b + 1", " A")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a and b or c", "(a and b) or c"),
        ("not a and b", "(not a) and b"),
        ("not a == b", "not (a == b)"),
        ("a + b * c == d", "(a + (b * c)) == d"),
        ("-a * b == c", "(-a) * b == c"),
        ("a in b + c", "a in (b + c)"),
    ],
)
def test_operators_bind_as_the_reference_says(text: str, same: str) -> None:
    """A condition without parentheses is the one with them."""
    assert same_tree(_condition(text), _condition(same))


@pytest.mark.parametrize(
    ("text", "other"), [("(a or b) and c", "a or b and c"), ("(a and b) and c", "a and b and c")]
)
def test_parentheses_that_matter_are_kept(text: str, other: str) -> None:
    """What is grouped by hand stays grouped."""
    assert not same_tree(_condition(text), _condition(other))


def test_spans_show_what_was_written() -> None:
    """The span of every node is its text; that of a child lies within its parent's."""
    module = _module(read(FOLDER / "syntax" / "everything.golden").policy)
    for node in walk(module):
        for child in children(node):
            assert (
                node.span.start <= child.span.start <= child.span.end <= node.span.end
                or isinstance(child, t.Doc)
            ), (node.span.text, child.span.text)
        if isinstance(node, t.Variable):
            assert node.span.text == node.name
        if isinstance(node, t.Name):
            assert node.span.text.strip("`") == node.text
        if isinstance(node, t.IntLiteral):
            assert int(node.span.text.replace(" ", "")) == node.value


def test_doc_comments_belong_to_what_follows() -> None:
    """A statement, field, member and row have the lines of their doc."""
    text = """
## The tiers.
## In order.
enum Tier {
  ## Pays nothing.
  free,
  pro }
fact customer {
  ## How long.
  age: Int }
table caps (tier: Tier) {
  ## No cap.
  | free | }
"""
    enum, fact, table = _module(text).statements
    assert isinstance(enum, t.EnumStatement)
    assert isinstance(fact, t.FactStatement)
    assert isinstance(table, t.TableStatement)
    assert enum.doc is not None
    assert enum.doc.text == "The tiers.\nIn order."
    docs = [enum.members[0].doc, enum.members[1].doc, fact.fields[0].doc, table.rows[0].doc]
    assert [doc and doc.text for doc in docs] == ["Pays nothing.", None, "How long.", "No cap."]


def test_keywords_are_names_where_the_grammar_can_tell() -> None:
    """After a dot, and before the colon of a field or argument, a keyword is a name."""
    _module("fact f { type: String, limit: Int }")
    _module("define d if f.type == f.limit.if and p(type: 1, not: 2)")
    _module("fixture x { f { type: 1, limit: [{ if: 2 }] } }")


def test_names_that_mean_something_in_places_are_names_elsewhere() -> None:
    """Contextual words can be facts, actions, rules and fields."""
    _module("fact earlier { failed: Int, max: Int, internal: Int, all: Int }")
    _module("rule secret: allow approved, refused if earlier and failed or violated(all, any)")
    _module(
        "fixture f { use earlier now = 2026-01-01T00:00:00Z failed { a: 1 } earlier { b: 1 }"
        " earlier refund { a: 1 } at 2026-01-01T00:00:00Z failed failed {} }"
    )


def test_nodes_are_told_apart_by_identity() -> None:
    """Equal text in two places is two nodes, so that each can have a type of its own."""
    one, other = _condition("a and a").operands
    assert one != other
    assert same_tree(one, other)
    assert len({one: 1, other: 2}) == 2


def test_broken_statements_leave_their_names() -> None:
    """What a statement would have declared is known, and the others are there."""
    result = parse(Source("m", "fact lost { a: }\nfact kept { a: Int }\nrule gone: allow\nuse x"))
    assert result.lost == {"lost", "gone"}
    assert result.module is not None
    assert [type(node).__name__ for node in result.module.statements] == [
        "FactStatement",
        "UseStatement",
    ]
    assert len(result.diagnostics) == 2


def test_warnings_do_not_hide_errors() -> None:
    """However many warnings come first, an error is reported."""
    text = "use a ## loose\n" * 500 + "rule a: allow\n"
    result = parse(Source("m", text))
    assert "PL0110" in {found.code for found in result.diagnostics}
    assert len(result.diagnostics) == 200


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("rule r: alow go", "allow"),
        ("rul r: allow go", "rule"),
        ('rule r: allow go if go is present\n  becuse "x"', "because"),
        ('test "t" { when go expct deny }', "expect"),
        ("tabel f (a: Int) { | 1 | }", "table"),
        ("banana r: allow go", None),
    ],
)
def test_a_misspelt_keyword_is_told_as_the_one_that_was_meant(text: str, meant: str | None) -> None:
    """Where a name stands in the place of a keyword and is near to it, the hint is the keyword; far words get no guess."""
    found = parse(Source("m.policy", f"module m\naction go\n{text}\n")).diagnostics
    hints = [each.hint for each in found if (each.hint or "").startswith("did you mean")]
    assert hints == ([f"did you mean `{meant}`?"] if meant else [])
    assert found


def test_the_comment_of_what_cannot_be_read_is_not_loose() -> None:
    """A doc comment above a statement with an error is not told to belong to nothing; one above nothing is."""
    broken = "module m\naction go\n## Says what r is.\nrul r: allow go\n"
    codes = [each.code for each in parse(Source("m.policy", broken)).diagnostics]
    assert codes == ["PL0111"]
    loose = "module m\naction go\nrule r: allow go\n## Of nothing.\n"
    assert [each.code for each in parse(Source("m.policy", loose)).diagnostics] == ["PL0131"]
