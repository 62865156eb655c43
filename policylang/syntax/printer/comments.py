"""Comments and empty lines, put back between the lines.

A comment on a line of its own stands before the line that shows what follows it. A comment after
something on its line stays at the end of that line. A comment in the middle of what is now one line
moves before it. Nothing is lost, and in the output every comment is where it would be put again.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from policylang.diagnostics import Source
from policylang.syntax import tree as t
from policylang.syntax.printer.layout import INDENT, Line
from policylang.syntax.walk import walk

_empty_line = re.compile(r"\n[ \t\r]*\n").search


@dataclass(slots=True)
class _Slot:
    """A line, the comments on lines of their own before it, and the comment after it."""

    line: Line
    before: list[t.Comment]
    after: t.Comment | None = None


@dataclass(slots=True)
class _Printed:
    """A line of the output, the part of the source it shows, and whether an empty line is before."""

    text: str
    indent: int
    start: int
    end: int
    line: Line | None
    spaced: bool = False

    @property
    def opens(self) -> bool:
        return self.text.endswith(("{", "(", "["))


def assemble(module: t.Module, lines: Sequence[Line]) -> str:
    """The text of a module: its lines with its comments where they belong."""
    source = module.span.source
    slots = [_Slot(line, []) for line in lines]
    rest = _placed(module.comments, slots, source)
    documents = _documents(module)
    printed = [entry for slot in slots for entry in _entries(slot, documents)]
    printed += [_comment(comment, 0, comment.span.start, documents) for comment in rest]
    _space(printed, source)
    return "".join(map(_shown, printed))


def _shown(entry: _Printed) -> str:
    space = "\n" if entry.spaced else ""
    return f"{space}{INDENT * entry.indent}{entry.text}\n"


def _placed(comments: Sequence[t.Comment], slots: list[_Slot], source: Source) -> list[t.Comment]:
    """Give each comment to a line; what follows the last line is returned."""
    starts = [slot.line.start for slot in slots]
    rest: list[t.Comment] = []
    for comment in comments:
        start = comment.span.start
        at = bisect_right(starts, start) - 1
        line = slots[at].line if at >= 0 else None
        if line is not None and start < line.end:
            slots[at].before.append(comment)
        elif line is not None and not _breaks(source, line.end, comment):
            slots[at].after = comment
        elif at + 1 < len(slots):
            slots[at + 1].before.append(comment)
        else:
            rest.append(comment)
    return rest


def _breaks(source: Source, end: int, comment: t.Comment) -> bool:
    return comment.own_line or source.text.find("\n", end, comment.span.start) >= 0


def _documents(module: t.Module) -> set[int]:
    """Where the lines of attached doc comments start."""
    spans = [node.span for node in walk(module) if isinstance(node, t.Doc)]
    starts = sorted((span.start, span.end) for span in spans)
    found: set[int] = set()
    for comment in module.comments:
        at = bisect_right(starts, (comment.span.start, len(comment.span.source.text))) - 1
        if comment.is_doc and comment.own_line and at >= 0 and comment.span.end <= starts[at][1]:
            found.add(comment.span.start)
    return found


def _entries(slot: _Slot, documents: set[int]) -> Iterator[_Printed]:
    line = slot.line
    for comment in slot.before:
        indent = line.indent + (1 if line.closes else 0)
        yield _comment(comment, indent, min(comment.span.start, line.start), documents)
    text, end = line.text, line.end
    if slot.after is not None:
        text, end = f"{text}  {_text(slot.after, documents)}", slot.after.span.end
    yield _Printed(text, line.indent, line.start, end, line)


def _comment(comment: t.Comment, indent: int, start: int, documents: set[int]) -> _Printed:
    return _Printed(_text(comment, documents), indent, start, comment.span.end, None)


def _text(comment: t.Comment, documents: set[int]) -> str:
    """The comment; one that only looks like a doc comment must not become one where it is put."""
    if comment.is_doc and comment.span.start not in documents:
        return f"#{comment.text.lstrip('#')}"
    return comment.text


def _space(printed: list[_Printed], source: Source) -> None:
    """Decide where empty lines stand: where the source has one, and around what has many lines."""
    first = 0
    for number, entry in enumerate(printed):
        if number > 0:
            entry.spaced = _may_be_spaced(printed[number - 1], entry) and bool(
                _empty_line(source.text, printed[number - 1].end, entry.start)
            )
        if entry.line is None:
            continue
        group = printed[first : number + 1]
        if entry.line.apart and first > 0 and not any(member.spaced for member in group):
            group[0].spaced = True
        first = number + 1


def _may_be_spaced(before: _Printed, entry: _Printed) -> bool:
    if before.line is not None and before.opens:
        return False
    return entry.line is None or entry.line.loose or entry.line.apart
