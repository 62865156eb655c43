"""Diagnostics as text."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from policylang.diagnostics import Diagnostic, Label, Severity, Source, Span, plain, render
from policylang.diagnostics.text import Role, ansi


def _at(span: Span | None, **rest: object) -> Diagnostic:
    return Diagnostic("PL0201", Severity.ERROR, "unknown fact `ordr`", span, **rest)  # type: ignore[arg-type]


def _span(text: str, part: str, name: str = "a.policy") -> Span:
    start = text.index(part)
    return Source(name, text).span(start, start + len(part))


def test_one_line_is_shown_with_what_is_wrong_under_it() -> None:
    """The shape is the one that the house style gives: place, line, carets with their text, hint."""
    span = _span("rule r: allow a\n\n  if ordr(id: O)\n", "ordr", "refunds.policy")
    shown = render(_at(span, label="not declared in this module", hint="did you mean `order`?"))
    assert shown == (
        "error[PL0201]: unknown fact `ordr`\n"
        " --> refunds.policy:3:6\n"
        "  |\n"
        "3 |   if ordr(id: O)\n"
        "  |      ^^^^ not declared in this module\n"
        "  = hint: did you mean `order`?"
    )


def test_carets_stand_under_wide_characters_and_tabs() -> None:
    """A tab counts as four columns, a wide character as two, a combining one as none."""
    shown = render(_at(_span("\tif 漢字 e\u0301 ordr", "ordr")))
    line, carets = shown.splitlines()[3:5]
    before = line[: line.index("ordr")]
    columns = len(before) + 2 - 1
    assert carets.index("^") == columns
    assert carets.count("^") == 4


def test_labels_stand_by_line_and_gaps_are_marked() -> None:
    """Secondary places are underlined with dashes, in the order of their lines, with `...` between."""
    text = "first\n" + "x\n" * 5 + "second ordr\nthird\n"
    source = Source("a.policy", text)
    labels = (
        Label(source.span(0, 5), "declared here"),
        Label(Source("b.policy", "other").span(0, 5), "and there"),
    )
    start = text.index("ordr")
    shown = render(_at(source.span(start, start + 4), labels=labels)).splitlines()
    assert shown[1:] == [
        " --> a.policy:7:8",
        "  |",
        "1 | first",
        "  | ----- declared here",
        "...",
        "7 | second ordr",
        "  |        ^^^^",
        " ::: b.policy:1:1",
        "  |",
        "1 | other",
        "  | ----- and there",
    ]


def test_a_span_of_many_lines_shows_where_it_starts_and_ends() -> None:
    """The text stands at the end; what is between is left out."""
    text = "a {\n" + "  b\n" * 5 + "}\n"
    shown = render(_at(_span(text, text.strip()), label="all of this")).splitlines()
    assert shown[3:] == ["1 | a {", "  | ^^^", "...", "7 | }", "  | ^ all of this"]


def test_what_is_about_no_place_has_no_snippet() -> None:
    """Without a span there is only the message, and its notes and hint."""
    assert render(_at(None, hint="h", notes=("n",))) == (
        "error[PL0201]: unknown fact `ordr`\n = note: n\n = hint: h"
    )


def test_a_file_as_a_whole_is_named() -> None:
    """A span of an empty text names the file alone."""
    assert render(_at(Source("a.policy", "").whole)).splitlines()[1:] == [" --> a.policy"]


def test_a_long_line_is_cut_around_its_mark() -> None:
    """A line of a megabyte shows what is wrong with it, in a line that can be read."""
    text = "x" * 500_000 + "ordr" + "y" * 500_000
    shown = render(_at(_span(text, "ordr")))
    assert "ordr" in shown.splitlines()[3]
    assert max(map(len, shown.splitlines())) < 200


@given(st.text(), st.text(), st.data())
def test_text_of_a_policy_cannot_steer_a_terminal(
    message: str, text: str, data: st.DataObject
) -> None:
    """No control, escape or bidirectional character of a policy reaches the reader's terminal."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    source = Source("a\x1b.policy", text)
    diagnostic = Diagnostic("PL0201", Severity.ERROR, message, source.span(start, end), message)
    steering = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    shown = render(diagnostic).replace("\n", "")
    assert not [c for c in shown if unicodedata.category(c) in steering]


def test_a_style_only_dresses() -> None:
    """Taking the colours away gives the plain text."""
    span = _span("if ordr", "ordr")
    diagnostic = _at(span, hint="h", label="l", labels=(Label(span, "x"),))
    assert re.sub(r"\x1b\[[0-9;]*m", "", render(diagnostic, ansi)) == render(diagnostic, plain)


def test_every_role_has_a_colour() -> None:
    """The style for terminals knows every role that is used."""
    seen: set[Role] = set()

    def note(role: Role, text: str) -> str:
        seen.add(role)
        return ansi(role, text)

    span = _span("if ordr", "ordr")
    for severity in Severity:
        render(
            Diagnostic("PL0201", severity, "m", span, labels=(Label(span, "x"),), hint="h"), note
        )
    assert seen >= {"error", "warning", "note", "message", "gutter", "primary", "secondary", "hint"}
