"""Diagnostics as text for a reader: the message, the lines it is about, and what may help.

error[PL0201]: unknown fact `ordr`
 --> refunds.policy:3:6
  |
3 |   if ordr(id: O)
  |      ^^^^ not declared in this module
  = hint: did you mean `order`?
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from policylang.diagnostics.diagnostic import Diagnostic, Label
from policylang.diagnostics.source import Source, Span

Role = Literal["error", "warning", "note", "message", "gutter", "primary", "secondary", "hint"]
Style = Callable[[Role, str], str]
"""Dresses a piece of text for its role; the text without the dress must stay the same."""

TAB_WIDTH = 4
LONGEST_LINE = 160
_CONTEXT = 60
_ANSI: dict[Role, str] = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "message": "1",
    "gutter": "34",
    "primary": "1;31",
    "secondary": "34",
    "hint": "36",
}


def plain(_role: Role, text: str) -> str:
    """The style that leaves every text as it is."""
    return text


def ansi(role: Role, text: str) -> str:
    """The style for terminals that understand ANSI colours."""
    return f"\x1b[{_ANSI[role]}m{text}\x1b[0m"


def render(diagnostic: Diagnostic, style: Style = plain) -> str:
    """The diagnostic as lines of text, without a line end after the last."""
    return "\n".join(_lines(diagnostic, style))


@dataclass(frozen=True, slots=True)
class _Mark:
    """A piece of one line that is underlined: columns from 0, end exclusive."""

    line: int
    start: int
    end: int
    primary: bool
    text: str


def _lines(diagnostic: Diagnostic, style: Style) -> Iterator[str]:
    role: Role = diagnostic.severity.value
    head = style(role, f"{diagnostic.severity}[{diagnostic.code}]")
    yield f"{head}: {style('message', visible(diagnostic.message))}"
    gutter = _gutter_width(diagnostic)
    if diagnostic.span is not None:
        yield from _snippets(diagnostic, diagnostic.span, gutter, style)
    pad = " " * (gutter + 1)
    for note in diagnostic.notes:
        yield f"{pad}{style('gutter', '=')} note: {visible(note)}"
    if diagnostic.hint:
        yield f"{pad}{style('gutter', '=')} {style('hint', 'hint:')} {visible(diagnostic.hint)}"


def _gutter_width(diagnostic: Diagnostic) -> int:
    if diagnostic.span is None:
        return 0
    spans = [diagnostic.span, *(label.span for label in diagnostic.labels)]
    return len(str(max(span.end_line for span in spans)))


def _snippets(diagnostic: Diagnostic, main: Span, gutter: int, style: Style) -> Iterator[str]:
    here = [label for label in diagnostic.labels if label.span.source == main.source]
    elsewhere = [label for label in diagnostic.labels if label.span.source != main.source]
    pad = " " * gutter
    if not main.source.text:
        yield f"{pad}{style('gutter', '-->')} {visible(main.source.name)}"
    else:
        marks = [*_marks(Label(main, diagnostic.label), primary=True)]
        marks += [mark for label in here for mark in _marks(label, primary=False)]
        yield f"{pad}{style('gutter', '-->')} {visible(str(main))}"
        yield from _snippet(main.source, marks, gutter, style)
    for label in elsewhere:
        yield f"{pad}{style('gutter', ':::')} {visible(str(label.span))}"
        marks = list(_marks(label, primary=False))
        yield from _snippet(label.span.source, marks, gutter, style)


def _marks(label: Label, *, primary: bool) -> Iterator[_Mark]:
    """The pieces to underline: a span over several lines shows where it starts and ends."""
    source, span = label.span.source, label.span
    line, column = source.position(span.start)
    end_line, end_column = source.position(max(span.start, span.end))
    if end_line > line and end_column == 1:
        end_line -= 1
        end_column = len(source.line(end_line)) + 1
    if line == end_line:
        yield _Mark(line, column - 1, max(end_column - 1, column), primary, label.text)
        return
    yield _Mark(line, column - 1, max(len(source.line(line)), column), primary, "")
    text = source.line(end_line)
    indent = min(len(text) - len(text.lstrip()), end_column - 1)
    yield _Mark(end_line, indent, max(end_column - 1, indent + 1), primary, label.text)


def _snippet(source: Source, marks: Iterable[_Mark], gutter: int, style: Style) -> Iterator[str]:
    bar = style("gutter", "|")
    empty = f"{' ' * gutter} {bar}"
    yield empty
    previous = 0
    ordered = sorted(marks, key=lambda mark: (mark.line, mark.start, not mark.primary))
    for number, group in groupby(ordered, key=lambda mark: mark.line):
        if previous and number == previous + 2:
            yield _source_line(source.line(previous + 1), previous + 1, gutter, style)
        elif previous and number > previous + 2:
            yield style("gutter", "...")
        on_line = list(group)
        text, cut = _window(source.line(number), on_line)
        yield _source_line(text, number, gutter, style)
        for mark in on_line:
            yield f"{empty} {_underline(text, mark, cut, style)}"
        previous = number


def _source_line(text: str, number: int, gutter: int, style: Style) -> str:
    return f"{style('gutter', f'{number:>{gutter}} |')} {_shown(text)[:_DISPLAY]}".rstrip()


_DISPLAY = LONGEST_LINE * 8


def _window(text: str, marks: list[_Mark]) -> tuple[str, int]:
    """The part of a long line around its marks, and how many characters were cut before it."""
    if len(text) <= LONGEST_LINE:
        return text, 0
    cut = max(0, min(mark.start for mark in marks) - _CONTEXT)
    return text[cut : cut + LONGEST_LINE], cut


def _underline(text: str, mark: _Mark, cut: int, style: Style) -> str:
    start, end = mark.start - cut, min(mark.end - cut, len(text) + 1)
    before = sum(map(_width, text[:start]))
    width = max(1, sum(map(_width, text[start:end])))
    role: Role = "primary" if mark.primary else "secondary"
    under = ("^" if mark.primary else "-") * width
    shown = f"{under} {visible(mark.text)}" if mark.text else under
    return " " * before + style(role, shown)


def _width(character: str) -> int:
    """How many columns of a terminal a character takes as `_shown` writes it."""
    if character == "\t":
        return TAB_WIDTH
    if character < "\x7f":
        return 1
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _shown(text: str) -> str:
    return visible(text.replace("\t", " " * TAB_WIDTH))


def visible(text: str) -> str:
    """The text with every control, bidirectional or unpaired character replaced by one mark.

    What a policy contains must not steer the terminal it is shown on, or hide on it.
    """
    if text.isprintable():
        return text
    return "".join(map(_picture, text))


def _picture(character: str) -> str:
    if character.isprintable() or character == " ":
        return character
    if character < " ":
        return chr(0x2400 + ord(character))
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return "\N{REPLACEMENT CHARACTER}"
    return character
