"""Sources and places in them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """A text with the name it is reported under (a path as the user gave it, or `<string>`)."""

    name: str
    text: str
    _line_starts: list[int] = field(
        default_factory=list, init=False, repr=False, compare=False, hash=False
    )

    @property
    def line_starts(self) -> list[int]:
        """The offset of the first character of every line; found once, when first asked for."""
        starts = self._line_starts
        if not starts:
            starts.append(0)
            position = self.text.find("\n")
            while position >= 0:
                starts.append(position + 1)
                position = self.text.find("\n", position + 1)
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """The line and column (both from 1, columns in code points) of an offset."""
        starts = self.line_starts
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), without its line end; empty past the last line."""
        starts = self.line_starts
        if number > len(starts):
            return ""
        end = starts[number] - 1 if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].removesuffix("\r")

    def span(self, start: int, end: int) -> Span:
        """The span from offset `start` up to, not including, `end`."""
        return Span(self, start, end)

    @property
    def whole(self) -> Span:
        """A span that stands for the file as a whole (at its start, of no width)."""
        return Span(self, 0, 0)


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a source from offset `start` up to, not including, `end`."""

    source: Source = field(repr=False)
    start: int
    end: int

    @property
    def line(self) -> int:
        """The line where the span starts, from 1."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """The column where the span starts, from 1, in code points."""
        return self.source.position(self.start)[1]

    @property
    def end_line(self) -> int:
        """The line where the span ends, from 1."""
        return self.source.position(self.end)[0]

    @property
    def end_column(self) -> int:
        """The column after the last character of the span, from 1."""
        return self.source.position(self.end)[1]

    @property
    def text(self) -> str:
        """The characters of the span as they were written."""
        return self.source.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`."""
        return Span(self.source, self.start, other.end)

    def __str__(self) -> str:
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"
