"""Policy text to its syntax tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policylang.diagnostics import Diagnostic, Source, in_source_order
from policylang.syntax import codes
from policylang.syntax.cut import Piece, cut
from policylang.syntax.files import text_problems
from policylang.syntax.lexer import Tokens, read_tokens
from policylang.syntax.recover import read_statement
from policylang.syntax.tokens import Token
from policylang.syntax.tree import Module, ModuleHeader, Name, Statement

MOST_DIAGNOSTICS = 200
"""After so many problems of one file no more of its statements are read."""


@dataclass(frozen=True, slots=True)
class ParseResult:
    """What a source says.

    `module` is None where the text could not be read at all. Where `diagnostics` holds errors, it has
    the statements that are well formed; `lost` are the names that the others would have declared, so
    that a checker need not complain of every mention of them.
    """

    module: Module | None
    diagnostics: tuple[Diagnostic, ...]
    lost: frozenset[str] = frozenset()


def parse(source: Source) -> ParseResult:
    """Parse a whole file. Never raises for what is in it; every problem is a diagnostic."""
    problems = text_problems(source)
    if problems:
        return ParseResult(None, problems)
    read = read_tokens(source, start=1 if source.text.startswith("\ufeff") else 0)
    if not read.tokens:
        empty = codes.EMPTY_FILE.at(source.whole, name=source.name)
        return ParseResult(None, (*read.diagnostics, empty))
    return _Assembly(source, read).result()


class _Assembly:
    """The statements of one file, as they are read."""

    def __init__(self, source: Source, read: Tokens) -> None:
        self.source, self.read = source, read
        self.diagnostics = list(read.diagnostics)
        self.header: ModuleHeader | None = None
        self.statements: list[Statement] = []
        self.lost: set[str] = set()

    def result(self) -> ParseResult:
        for number, piece in enumerate(cut(self.read.tokens)):
            if len(self.diagnostics) >= MOST_DIAGNOSTICS:
                break
            self._take(piece, number == 0)
        span = self.source.span(0, len(self.source.text))
        comments = tuple(self.read.comments)
        module = Module(span, self.header, tuple(self.statements), comments)
        self.diagnostics.extend(_loose_docs(self.read.tokens))
        return ParseResult(module, in_source_order(self.diagnostics), frozenset(self.lost))

    def _take(self, piece: Piece, first: bool) -> None:
        node, diagnostics = read_statement(piece)
        self.diagnostics.extend(diagnostics)
        match node:
            case None:
                self.lost.update(_declared(piece.tokens))
            case ModuleHeader() if first:
                self.header = node
            case ModuleHeader():
                self.diagnostics.append(codes.SECOND_HEADER.at(node.span))
            case _:
                self.statements.append(node)


def _declared(tokens: list[Token]) -> set[str]:
    """The name that a statement that was not read would have declared, as far as it can be told."""
    names = (token.node for token in tokens[1:3])
    return {name.text for name in names if isinstance(name, Name)}


def _loose_docs(tokens: list[Token]) -> Iterator[Diagnostic]:
    for token in tokens:
        if token.doc is not None and not token.doc_taken:
            yield codes.LOOSE_DOC.at(token.doc.span)
