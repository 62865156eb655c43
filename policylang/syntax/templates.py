"""The strings of `because` and `reads`: text with expressions in braces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from policylang.diagnostics import Span
from policylang.syntax import codes
from policylang.syntax.literals import pieces
from policylang.syntax.problems import Malformed
from policylang.syntax.tree import Expr, StringLiteral, Template, TemplateHole, TemplateText

_piece = re.compile(r"\{\{|\}\}|[{}]|(?:\\.|[^\\{}])+", re.DOTALL)


def read_template(literal: StringLiteral) -> Template:
    """The parts of a template; raises `Malformed` where a hole is not closed or no expression."""
    return Template(literal.span, tuple(_parts(literal.span)), literal.text)


def _parts(span: Span) -> Iterator[TemplateText | TemplateHole]:
    source, position, end = span.source, span.start + 1, span.end - 1
    text, start = "", position
    while (found := _piece.match(source.text, position, end)) is not None:
        piece, position = found[0], found.end()
        if piece == "{":
            if text:
                yield TemplateText(source.span(start, found.start()), text)
            hole = _hole(source.span(found.start(), end))
            yield hole
            text, position = "", hole.span.end
            start = position
        elif piece == "}":
            raise _malformed(
                source.span(*found.span()), "this `}` closes nothing", "write `}}` for a brace"
            )
        elif piece in ("{{", "}}"):
            text += piece[0]
        else:
            text += "".join(part for part, _ in pieces(span, found.start(), position))
    if text:
        yield TemplateText(source.span(start, position), text)


def _hole(rest: Span) -> TemplateHole:
    """The hole at the start of `rest`, which begins with its brace."""
    source = rest.source
    closing = source.text.find("}", rest.start, rest.end)
    if closing < 0:
        opening = source.span(rest.start, rest.start + 1)
        raise _malformed(opening, "this `{` is never closed", "write `{{` for a brace")
    span = source.span(rest.start, closing + 1)
    return TemplateHole(span, _expression(span))


def _expression(hole: Span) -> Expr:
    # A template holds expressions, and what builds expressions builds templates.
    from policylang.syntax.feed import Stuck, feed
    from policylang.syntax.lexer import read_tokens

    read = read_tokens(hole.source, hole.start + 1, hole.end - 1)
    if read.diagnostics:
        raise Malformed(*read.diagnostics)
    try:
        return cast("Expr", feed(read.tokens, "expression"))
    except Stuck as stuck:
        at = read.tokens[stuck.index].span if stuck.index < len(read.tokens) else hole
        advice = (
            "between braces stands one value, such as `{refund.amount}`; write `{{` for a brace"
        )
        raise _malformed(at, f"`{hole.text}` holds no expression", advice) from None


def _malformed(span: Span, problem: str, advice: str) -> Malformed:
    return Malformed(codes.BAD_TEMPLATE.at(span, problem=problem, advice=advice))
