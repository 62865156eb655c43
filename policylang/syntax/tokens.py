"""Tokens: what the lexer makes and Lark's tables consume."""

from __future__ import annotations

from policylang.diagnostics import Span
from policylang.syntax.tree import Doc, Node


class Token:
    """A terminal at a place, with the node it stands for where it is a name or a literal.

    `type` is the name of the terminal (Lark asks for it under this name). It can change while the
    tokens around are read. `meant` is what a repaired slip stands for.
    """

    __slots__ = ("doc", "doc_taken", "meant", "node", "span", "type")

    # Lark copies these from the last token to its end mark; our positions are in the spans.
    line = column = end_line = end_column = start_pos = end_pos = None

    def __init__(self, type: str, span: Span, node: Node | None = None) -> None:  # noqa: A002
        self.type = type
        self.span = span
        self.node = node
        self.meant: str | None = None
        self.doc: Doc | None = None
        self.doc_taken = False

    @property
    def text(self) -> str:
        """The token as it was written, or as it was meant where it has been repaired."""
        return self.span.text if self.meant is None else self.meant

    def take_doc(self) -> Doc | None:
        """The doc comment before the token, which from now on counts as attached."""
        self.doc_taken = True
        return self.doc

    def __repr__(self) -> str:
        return f"{self.type}({self.text!r})"
