"""Tokens to statements, by the keywords that start one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from policylang.diagnostics import Diagnostic, Label
from policylang.syntax import codes
from policylang.syntax.tokens import Token

DEEPEST = 64
"""How deep brackets, and the nodes of one statement, may be nested."""

STARTERS = frozenset(
    [
        "MODULE",
        "USE",
        "ENUM",
        "TYPE",
        "FACT",
        "OPTIONAL",
        "FACTS",
        "ACTION",
        "PARAM",
        "TABLE",
        "DEFINE",
        "DECISION",
        "RULE",
        "LIMIT",
        "NEVER",
        "FIXTURE",
        "TEST",
        "ROLLOUT",
        "CANARY",
        "PROMOTE",
        "ROLLBACK",
    ]
)
_STARTING_WORDS = {"rollout": "BY", "canary": "IF", "promote": "WHEN", "rollback": "WHEN"}
"""Names that start a statement where one may start, and the token that then follows them."""
_UNFINISHED = frozenset(
    [
        "IF",
        "AND",
        "OR",
        "NOT",
        "COMPARE",
        "PLUS",
        "MINUS",
        "STAR",
        "SLASH",
        "IN",
        "HAS",
        "LIKE",
        "IS",
        "FOR",
        "ON",
        "SET",
        "ALLOW",
        "DENY",
        "COMMA",
        "ASSIGN",
        "COLON",
        "DOT",
        "PER",
        "TO",
        "BY",
        "AS",
        "OVERRIDES",
        "BECAUSE",
        "FROM",
        "REF",
        "WHEN",
        "EXPECT",
        "NORMALIZE",
        "READS",
        "DEFAULT",
        "REQUIRE",
        "OBLIGE",
        "GROUP",
        "AT",
        "QUANTIFIER",
        "DOTDOT",
    ]
)
_AWAITING = frozenset(["ALLOW", "DENY", "FOR", "ON", "DEFINE", "ASSIGN", "COMMA", "DOT"])
"""Tokens after which a name can be followed by the `if` of the same statement."""
_CLOSES = {"RPAR": "LPAR", "RBRACE": "LBRACE", "RSQB": "LSQB"}
_OPENING = frozenset(_CLOSES.values())


@dataclass(slots=True)
class Piece:
    """The tokens of what is meant as one statement, and what its brackets already tell.

    `doubtful` is set where a problem of the piece has been reported, so that what follows from it is
    not reported again, and `odd` holds the places in its text of such problems; `nesting` is at least how deep its nodes can be nested, divided by eight.
    """

    tokens: list[Token] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    doubtful: bool = False
    odd: list[int] = field(default_factory=list)
    too_deep: bool = False
    nesting: int = 0


def cut(tokens: Iterable[Token]) -> Iterator[Piece]:
    """The pieces of a file: each starts with a statement's keyword, but for a first that may not."""
    cutter = _Cutter()
    for token, following in zip_longest(some := list(tokens), some[1:]):
        if token.type == "NAME":
            cutter.raise_word(token, following)
        if cutter.starts_statement(token) and cutter.piece.tokens:
            yield cutter.finish()
        cutter.take(token)
    if cutter.piece.tokens:
        yield cutter.finish()


class _Cutter:
    """The piece that is being read, and the brackets that are open in it."""

    def __init__(self) -> None:
        self.piece = Piece()
        self.open: list[Token] = []

    def starts_statement(self, token: Token) -> bool:
        piece = self.piece.tokens
        if token.type not in STARTERS:
            return self._nameless(token)
        if not piece:
            return True
        if token.type in ("FACT", "FACTS") and piece[-1].type == "OPTIONAL":
            return False
        if token.type == "USE" and self.open and piece[0].type in ("TEST", "FIXTURE"):
            return False
        return _line_between(piece[-1], token) or not (self.open or _unfinished(piece))

    def raise_word(self, token: Token, following: Token | None) -> None:
        """Make a name that starts a statement the token of that.

        Where a statement can end before it, it does on a new line, where no name goes on with a statement, or
        with the word after it that belongs there. Elsewhere it takes both, and that the name is not awaited.
        """
        wanted = _STARTING_WORDS.get(token.text)
        if wanted is None:
            return
        piece = self.piece.tokens
        new_line = not piece or _line_between(piece[-1], token)
        follows = following is not None and following.type == wanted
        if piece and (self.open or _unfinished(piece)):
            starts = new_line and follows and piece[-1].type not in _AWAITING
        else:
            starts = new_line or follows
        if starts:
            token.type = token.text.upper()

    def _nameless(self, token: Token) -> bool:
        """Whether this is `rule:` where `rule NAME:` was meant, which reads like a field."""
        piece = self.piece.tokens
        if token.type != "KEYWORD_FIELD" or self.open or token.text.upper() not in STARTERS:
            return False
        if piece and not _line_between(piece[-1], token):
            return False
        token.type = token.text.upper()
        return True

    def take(self, token: Token) -> None:
        kind, piece = token.type, self.piece
        if kind == "BAD":
            piece.doubtful = True
            piece.odd.append(token.span.end)
            return
        if kind in _OPENING:
            self.open.append(token)
            if len(self.open) > DEEPEST and not piece.too_deep:
                piece.too_deep = piece.doubtful = True
                piece.diagnostics.append(codes.TOO_DEEP.at(token.span, limit=DEEPEST))
            piece.nesting = max(piece.nesting, len(self.open))
        elif kind in _CLOSES and not self._close(token):
            return
        elif kind in ("NOT", "MINUS"):
            piece.nesting += 1
        piece.tokens.append(token)

    def _close(self, token: Token) -> bool:
        """Close what the token closes; false where it closes nothing."""
        opening = _CLOSES[token.type]
        if not any(other.type == opening for other in self.open[-DEEPEST:]):
            if self.open:
                wrong = Label(token.span, f"`{token.text}` cannot close it")
                self._unclosed(self.open.pop(), wrong)
            elif not self.piece.doubtful:
                self.piece.diagnostics.append(codes.UNOPENED.at(token.span, closing=token.text))
            self.piece.doubtful = True
            return False
        while (last := self.open.pop()).type != opening:
            self._unclosed(last)
        return True

    def _unclosed(self, opening: Token, *labels: Label) -> None:
        self.piece.doubtful = True
        diagnostic = codes.UNCLOSED.at(opening.span, labels=labels, opening=opening.text)
        self.piece.diagnostics.append(diagnostic)

    def finish(self) -> Piece:
        if self.open and not self.piece.too_deep:
            self._unclosed(self.open[-1])
        finished = self.piece
        self.piece, self.open = Piece(), []
        return finished


def _unfinished(piece: list[Token]) -> bool:
    """Whether a statement cannot end here: a keyword on the same line is meant as a name."""
    return piece[-1].type in _UNFINISHED or (len(piece) == 1 and piece[0].type in STARTERS)


def _line_between(one: Token, other: Token) -> bool:
    return other.span.source.text.find("\n", one.span.end, other.span.start) >= 0
