"""Lines, and expressions that are too long for one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from policylang.diagnostics import Source, Span
from policylang.syntax import tree as t
from policylang.syntax.printer import flat

WIDTH = 100
INDENT = "  "


@dataclass(frozen=True, slots=True)
class Line:
    """A line of output and the part of the source, from `start` to `end`, that it shows.

    `apart`: an empty line stands before it. `loose`: one may, where the source has one. `closes`: it
    closes a bracket, so that comments before it belong to what is inside.
    """

    indent: int
    text: str
    start: int
    end: int
    apart: bool = False
    loose: bool = False
    closes: bool = False


class Layout:
    """What layouts depend on besides the nodes: where comments and line breaks are in the source."""

    def __init__(self, source: Source, comments: Sequence[t.Comment]) -> None:
        self.source = source
        self._comments = comments
        self._starts = [comment.span.start for comment in comments]

    def commented(self, start: int, end: int) -> bool:
        """Whether a comment starts between two offsets."""
        at = bisect_left(self._starts, start)
        return at < len(self._starts) and self._starts[at] < end

    def broken(self, start: int, end: int) -> bool:
        """Whether the source has a line break between two offsets."""
        return self.source.text.find("\n", start, end) >= 0

    def find(self, mark: str, start: int) -> int:
        """The offset of a mark that follows `start`, with only white space and comments between."""
        at = self.source.text.index(mark, start)
        for comment in self._comments[bisect_left(self._starts, start) :]:
            if comment.span.start > at:
                break
            if at < comment.span.end:
                at = self.source.text.index(mark, comment.span.end)
        return at

    def fits(self, indent: int, text: str, span: Span) -> bool:
        """Whether a node can be shown on one line."""
        short = len(INDENT) * indent + len(text) <= WIDTH
        return short and not self.commented(span.start, span.end)

    # --- expressions ---------------------------------------------------------------------------

    def expression(
        self,
        node: t.Expr,
        indent: int,
        prefix: str = "",
        suffix: str = "",
        place: int = flat.CONDITION,
    ) -> list[Line]:
        """An expression on one line where it fits, else broken at its outermost operators."""
        text = f"{prefix}{flat.expression(node, place)}{suffix}"
        start, end = node.span.start, node.span.end
        if self.fits(indent, text, node.span):
            return [Line(indent, text, start, end)]
        if flat.binding(node) < place:
            inner = self.expression(node, indent + 1)
            return _enclosed(indent, f"{prefix}(", inner, f"){suffix}", node.span)
        match node:
            case t.And(operands=operands):
                return self._chain(operands, ["and "], indent, prefix, suffix, flat.NEGATION)
            case t.Or(operands=operands):
                return self._chain(operands, ["or "], indent, prefix, suffix, flat.CONJUNCT)
            case t.Arithmetic(operands=operands, operators=operators):
                words = [f"{operator.value} " for operator in operators]
                place = flat.binding(node) + 1
                return self._chain(operands, words, indent, prefix, suffix, place, deeper=1)
            case t.Not(operand=operand):
                return self.expression(operand, indent, f"{prefix}not ", suffix, flat.NEGATION)
            case t.Call() | t.Aggregate() | t.ListLiteral():
                return self._bracketed(node, indent, prefix, suffix)
            case t.RecordLiteral():
                return self.record(node.fields, indent, prefix, suffix, node.span)
            case t.Comparison() | t.In() | t.Has() | t.Like() | t.InRange():
                return self._comparison(node, indent, prefix, suffix)
            case _:
                return [Line(indent, text, start, end)]

    def _chain(
        self,
        operands: Sequence[t.Expr],
        words: Sequence[str],
        indent: int,
        prefix: str,
        suffix: str,
        place: int,
        deeper: int = 0,
    ) -> list[Line]:
        last = len(operands) - 1
        lines = self.expression(operands[0], indent, prefix, "", place)
        for number, operand in enumerate(operands[1:], start=1):
            word = words[(number - 1) % len(words)]
            ending = suffix if number == last else ""
            lines += self.expression(operand, indent + deeper, word, ending, place)
        return lines

    def _bracketed(
        self, node: t.Call | t.Aggregate | t.ListLiteral, indent: int, prefix: str, suffix: str
    ) -> list[Line]:
        match node:
            case t.Call():
                opening, closing = f"{flat.path(node.callee)}(", ")"
                inner = self.arguments(node.arguments, indent + 1)
            case t.ListLiteral():
                opening, closing = "[", "]"
                inner = [
                    line
                    for item in node.items
                    for line in self.expression(item, indent + 1, "", ",")
                ]
            case t.Aggregate():
                opening, closing = f"{node.function.value}(", ")"
                inner = self.expression(node.value, indent + 1) if node.value is not None else []
                word = "for " if node.value is not None else ""
                inner += self.expression(node.condition, indent + 1, word)
        return _enclosed(indent, prefix + opening, inner, closing + suffix, node.span)

    def arguments(self, arguments: Iterable[t.Argument], indent: int) -> list[Line]:
        """Arguments of a call, each on a line of its own."""
        lines: list[Line] = []
        for argument in arguments:
            word = f"{flat.field_name(argument.name)}: " if argument.name else ""
            lines += self.expression(argument.value, indent, word, ",")
        return lines

    def _comparison(
        self,
        node: t.Comparison | t.In | t.Has | t.Like | t.InRange,
        indent: int,
        prefix: str,
        suffix: str,
    ) -> list[Line]:
        """Broken inside the longer of its sides."""
        left, tail = flat.expression(flat.subject(node), flat.SUM), flat.tail(node)
        right: t.Expr | None = None
        match node:
            case t.Comparison():
                right = node.right
            case t.In(position=None):
                right = node.collection
            case _:
                pass
        if right is None or len(left) > len(tail):
            return self.expression(flat.subject(node), indent, prefix, tail + suffix, flat.SUM)
        word = node.operator.value if isinstance(node, t.Comparison) else "in"
        return self.expression(right, indent, f"{prefix}{left} {word} ", suffix, flat.SUM)

    # --- records and lists of names --------------------------------------------------------------

    def record(
        self,
        fields: Sequence[t.FieldValue],
        indent: int,
        prefix: str,
        suffix: str,
        span: Span,
    ) -> list[Line]:
        """A record whose opening brace is at the start of `span`: as it was broken, or on one line."""
        text = f"{prefix}{flat.record(fields)}{suffix}"
        broken = bool(fields) and self.broken(span.start, fields[0].span.start)
        if not broken and self.fits(indent, text, span):
            return [Line(indent, text, span.start, span.end)]
        inner = [line for field in fields for line in self._field_value(field, indent + 1)]
        return _enclosed(indent, f"{prefix}{{", inner, f"}}{suffix}", span)

    def record_after(
        self,
        before: t.Node,
        fields: Sequence[t.FieldValue],
        indent: int,
        prefix: str,
        span: Span,
        suffix: str = "",
    ) -> list[Line]:
        """A node that is a record after other things, `before` being the last of them."""
        if not fields:
            return [Line(indent, f"{prefix}{suffix}", span.start, span.end)]
        text = f"{prefix} {flat.record(fields)}{suffix}"
        opening = self.find("{", before.span.end)
        if not self.broken(opening, fields[0].span.start) and self.fits(indent, text, span):
            return [Line(indent, text, span.start, span.end)]
        closing = self.find("}", fields[-1].span.end)
        return [
            Line(indent, f"{prefix} {{", span.start, opening + 1),
            *(line for field in fields for line in self._field_value(field, indent + 1)),
            Line(indent, f"}}{suffix}", closing, span.end, closes=True),
        ]

    def _field_value(self, field: t.FieldValue, indent: int) -> list[Line]:
        first, *others = self.expression(
            field.value, indent, f"{flat.field_name(field.name)}: ", "", flat.SUM
        )
        return [replace(first, start=field.span.start, loose=True), *others]

    def wrapped(self, paths: Sequence[t.Path], indent: int, prefix: str) -> list[Line]:
        """Paths with commas between, as many on a line as fit."""
        lines: list[Line] = []
        text, start = prefix + flat.path(paths[0]), paths[0].span.start
        for before, node in pairwise(paths):
            shown = flat.path(node)
            if len(INDENT) * indent + len(text) + len(shown) + 3 > WIDTH:
                lines.append(Line(indent, f"{text},", start, before.span.end))
                indent, text, start = indent + (0 if lines[1:] else 1), shown, node.span.start
            else:
                text = f"{text}, {shown}"
        return [*lines, Line(indent, text, start, paths[-1].span.end)]


def _enclosed(indent: int, opening: str, inner: list[Line], closing: str, span: Span) -> list[Line]:
    first = Line(indent, opening, span.start, span.start)
    return [first, *inner, Line(indent, closing, span.end - 1, span.end, closes=True)]
