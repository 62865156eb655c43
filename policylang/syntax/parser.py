"""Policy text to its syntax tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from policylang.diagnostics import Diagnostic, Severity, Source, in_source_order
from policylang.errors import InternalError
from policylang.syntax import codes
from policylang.syntax.build.parts import capitalized
from policylang.syntax.cut import STARTERS, Piece, cut
from policylang.syntax.files import text_problems
from policylang.syntax.lexer import Tokens, read_tokens
from policylang.syntax.problems import MOST_DIAGNOSTICS
from policylang.syntax.recover import read_statement
from policylang.syntax.tokens import Token
from policylang.syntax.tree import Module, ModuleHeader, Name, Statement


@dataclass(frozen=True, slots=True)
class ParseResult:
    """What a source says.

    `module` is None where the text could not be read at all. Where `diagnostics` holds errors, it has
    the statements that are well formed; `lost` are the names that the others would have declared (`UNNAMED`
    where one could not be read), so that a checker need not complain of every mention of them.
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


UNNAMED = ""
"""Among what is lost: a name that could not be read, so that it can be any."""

_MISWRITTEN = frozenset({codes.KEYWORD_AS_NAME.id, codes.CAPITAL_NAME.id})
_NAMELESS = frozenset({"TEST", "ROLLOUT", "CANARY", "PROMOTE", "ROLLBACK"})


class _Assembly:
    """The statements of one file, as they are read."""

    def __init__(self, source: Source, read: Tokens) -> None:
        self.source, self.read = source, read
        self.diagnostics = list(read.diagnostics)
        self.header: ModuleHeader | None = None
        self.statements: list[Statement] = []
        self.lost: set[str] = set()
        self.errors = _count_errors(read.diagnostics)
        self.unread = False

    def result(self) -> ParseResult:
        for number, piece in enumerate(cut(self.read.tokens)):
            if self.errors < MOST_DIAGNOSTICS:
                self._take(piece, number == 0)
            else:
                self._lose(piece)
        span = self.source.span(0, len(self.source.text))
        comments = tuple(self.read.comments)
        module = Module(span, self.header, tuple(self.statements), comments)
        # INVARIANT: a statement is left out only with an error, or a policy would say less than written.
        if self.unread and self.errors == 0:
            raise InternalError(f"a statement of {self.source.name} was left out without an error")
        self.diagnostics.extend(_loose_docs(self.read.tokens))
        return ParseResult(module, _most(self.diagnostics), frozenset(self.lost))

    def _take(self, piece: Piece, first: bool) -> None:
        node, diagnostics = read_statement(piece)
        self._report(diagnostics)
        if _count_errors(diagnostics):
            # What a comment belongs to may be what could not be read.
            for token in piece.tokens:
                token.doc_taken = True
        self.lost.update(_cut_off(piece, diagnostics))
        match node:
            case None:
                self._lose(piece)
            case ModuleHeader() if first:
                self.header = node
            case ModuleHeader():
                self._report([codes.SECOND_HEADER.at(node.span)])
                # A header that stands too late still says the name of the module.
                self.header = self.header or node
            case _:
                self.statements.append(node)

    def _report(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics.extend(diagnostics)
        self.errors += _count_errors(diagnostics)
        # What a keyword or a capital was taken for need not be there.
        of_names = (d.span for d in diagnostics if d.code in _MISWRITTEN)
        self.lost.update(span.text for span in of_names if span is not None)

    def _lose(self, piece: Piece) -> None:
        self.unread = True
        self.lost.update(_declared(piece.tokens))


def _count_errors(diagnostics: Iterable[Diagnostic]) -> int:
    return sum(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)


def _most(diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """As many as are reported of one file; a warning never takes the place of an error."""
    ordered = sorted(in_source_order(diagnostics), key=_is_mild)
    return in_source_order(ordered[:MOST_DIAGNOSTICS])


def _is_mild(diagnostic: Diagnostic) -> bool:
    return diagnostic.severity is not Severity.ERROR


def _declared(tokens: list[Token]) -> set[str]:
    """The name that a statement that was not read would have declared, as far as it can be told."""
    start = tokens[0].type
    named = tokens if start == "USE" else tokens[:3]
    names = {token.node.text for token in named if isinstance(token.node, Name)}
    if start in ("ENUM", "TYPE"):
        names |= {capitalized(name) for name in names}
    if start == "USE" and tokens[-1].type == "DOT":
        names.add(UNNAMED)
    at = 2 if start == "OPTIONAL" else 1
    declared = tokens[at].node if len(tokens) > at else None
    if start in STARTERS - _NAMELESS and not isinstance(declared, Name):
        names.add(UNNAMED)
    return names


def _cut_off(piece: Piece, diagnostics: list[Diagnostic]) -> set[str]:
    """The names in front of text that starts no statement: it was meant to declare one of them."""
    starts = {d.span for d in diagnostics if d.code == codes.NOT_A_STATEMENT.id}
    found = (i for i, token in enumerate(piece.tokens) if token.span in starts)
    return {name for i in found for name in _declared(piece.tokens[i : i + 3])}


def _loose_docs(tokens: list[Token]) -> Iterator[Diagnostic]:
    for token in tokens:
        if token.doc is not None and not token.doc_taken:
            yield codes.LOOSE_DOC.at(token.doc.span)
