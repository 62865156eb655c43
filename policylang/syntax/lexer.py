"""Text to tokens.

The terminals come from `grammar.lark`; what they are depends in a few places on what stands beside
them (see there), and never on the parser's state. A problem is reported where it is found, a token
that stands for what was probably meant is made, and a `BAD` token after it tells the parser that
this statement is not to be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from policylang.diagnostics import Diagnostic, Source, Span
from policylang.syntax import codes
from policylang.syntax.cut import STARTERS
from policylang.syntax.grammar import keywords, scanner
from policylang.syntax.literals import LITERALS
from policylang.syntax.problems import MOST_DIAGNOSTICS, Malformed
from policylang.syntax.tokens import Token
from policylang.syntax.tree import (
    Comment,
    DateLiteral,
    DateTimeLiteral,
    DecimalLiteral,
    Doc,
    DurationLiteral,
    IntLiteral,
    Name,
    Node,
    PercentLiteral,
    StringLiteral,
    TimeLiteral,
)

_CLOSING = frozenset({"RPAR", "RBRACE", "RSQB"})
_BEFORE_ITEM = frozenset(["LBRACE", "RBRACE", "RPAR", "NAME", "DATETIME", "CALL_OUTCOME"])
_OUTCOMES = frozenset({"executed", "failed", "allowed", "denied"})

_field_ahead = re.compile(r"(?:[ \t\r\n\f]++|\#[^\n]*+\n)*+:(?!=)").match
_word = re.compile(r"\w+").match
_single_quoted = re.compile(r"'((?:[^'\\\n]|\\.)*)'").match
_open_string = re.compile(r'"(?:[^"\\\n]|\\.)*').match
_typographic = re.compile('[“”„«»‘’‚]([^“”„«»‘’"\n]*)[“”«»‘’]').match
_thousands = re.compile(r"(?:,\d{3})*,0\d\d(?:,\d{3})*(?:\.\d[\d_]*)?(?![\w.])").match
_nothing_but_closing = re.compile(r"[ \t)\]},]*\r?(?:\n|$)").match


@dataclass(slots=True)
class Tokens:
    """What a text consists of."""

    tokens: list[Token] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def read_tokens(source: Source, start: int = 0, end: int | None = None) -> Tokens:
    """The tokens of a source, or of the part of it between two offsets."""
    reader = _Reader(source, start, len(source.text) if end is None else end)
    reader.read()
    return reader.result


class _Reader:
    """The state of one reading: what was found so far, and doc comments waiting for their token."""

    __slots__ = (
        "doc_lines",
        "doc_span",
        "end",
        "errors",
        "keywords",
        "open_string",
        "result",
        "source",
        "start",
    )

    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source, self.start, self.end = source, start, end
        self.result = Tokens()
        self.keywords = keywords()
        self.doc_lines: list[str] = []
        self.doc_span: Span | None = None
        self.errors = 0
        self.open_string = False

    def read(self) -> None:
        text, match, end = self.source.text, scanner().match, self.end
        position = self.start
        while True:
            found = match(text, position, end)
            if found is None:
                position = _skip_space(text, position, end)
                if position >= end:
                    break
                position = self._odd(position)
                continue
            kind = found.lastgroup or ""
            start, position = found.span(kind)
            if kind == "NAME":
                self._word(start, position)
            elif kind in LITERALS:
                position = self._literal(kind, start, position)
            elif kind == "DOT" and self._bare_fraction(start):
                position = self._bad_number("DECIMAL", start)
            elif kind == "COMMENT":
                self._comment(start, position)
            elif kind == "FOREIGN_COMMENT":
                self._foreign_comment(start)
            else:
                self._mark(kind, start, position)
        self._loose_doc()

    def _add(self, kind: str, span: Span, node: Node | None = None) -> Token:
        token = Token(kind, span, node)
        if self.doc_span is not None:
            token.doc = Doc(self.doc_span, tuple(self.doc_lines))
            self.doc_lines, self.doc_span = [], None
        self.result.tokens.append(token)
        return token

    def _report(self, *diagnostics: Diagnostic) -> None:
        """Report, and mark the statement: what stands here is a guess."""
        self.errors += len(diagnostics)
        if self.errors <= MOST_DIAGNOSTICS:
            self.result.diagnostics.extend(diagnostics)
        for diagnostic in diagnostics:
            if diagnostic.span is not None:
                self._add("BAD", Span(self.source, diagnostic.span.end, diagnostic.span.end))

    def _previous(self) -> str:
        return self.result.tokens[-1].type if self.result.tokens else ""

    def _mark(self, kind: str, start: int, end: int) -> None:
        if kind in _CLOSING and self._previous() == "COMMA":
            self.result.tokens[-1].type = "_LAST_COMMA"
        span = Span(self.source, start, end)
        if kind == "UPPER":
            self._add(kind, span, Name(span, self.source.text[start:end]))
        else:
            self._add(kind, span)

    def _word(self, start: int, end: int) -> None:
        text = self.source.text
        word, span, previous = text[start:end], Span(self.source, start, end), self._previous()
        if word[0] == "`":
            self._quoted(span, word)
            return
        keyword = self.keywords.get(word)
        if previous == "DOT" and not (keyword in STARTERS and self._begins_line(start)):
            keyword = None
        elif self._before_colon(end):
            if previous == "COMMA":
                self.result.tokens[-1].type = "_LAST_COMMA"
            self._add("KEYWORD_FIELD" if keyword else "FIELD", span, Name(span, word))
            return
        if keyword is None:
            self._add(self._kind_of_name(word, end, previous), span, Name(span, word))
        elif keyword in ("TRUE", "FALSE"):
            self._add(keyword, span, LITERALS[keyword](span, word))
        else:
            self._add(keyword, span)

    def _begins_line(self, start: int) -> bool:
        line = self.source.text[self.source.text.rfind("\n", 0, start) + 1 : start]
        return not line.strip()

    def _before_colon(self, end: int) -> bool:
        after = self.source.text[end : end + 1]
        return after in ":\t\r\n\f# " and _field_ahead(self.source.text, end, self.end) is not None

    def _kind_of_name(self, word: str, end: int, previous: str) -> str:
        if previous == "HAS" and word in ("all", "any"):
            return "QUANTIFIER"
        if word == "earlier" and previous in _BEFORE_ITEM and self._name_ahead(end):
            return "EARLIER"
        if previous == "DATETIME" and not self._ahead(_item_ahead, end):
            # After the moment of an earlier call nothing else can stand, so that a wrong word is told.
            tokens = self.result.tokens
            if word in _OUTCOMES or (len(tokens) > 1 and tokens[-2].type == "AT"):
                return "CALL_OUTCOME"
        return "NAME"

    def _ahead(self, pattern: re.Pattern[str], end: int) -> re.Match[str] | None:
        return pattern.match(self.source.text, end, self.end)

    def _name_ahead(self, end: int) -> bool:
        name = self._ahead(_next_name, end)
        return name is not None and name[1] not in self.keywords

    def _quoted(self, span: Span, word: str) -> None:
        name = Name(span, word[1:-1])
        kind = "NAME"
        if self._before_colon(span.end):
            kind = "FIELD"
            if self._previous() == "COMMA":
                self.result.tokens[-1].type = "_LAST_COMMA"
        self._add(kind, span, name)
        if not name.text.strip() or len(name.text) > LONGEST_NAME:
            advice = f"between backticks stand 1 to {LONGEST_NAME} characters"
            self._report(codes.BAD_NAME.at(span, text=word[:40], advice=advice))

    def _literal(self, kind: str, start: int, end: int) -> int:
        """Add a literal; where letters follow a number, they are taken for a part of it."""
        text = self.source.text
        span = Span(self.source, start, end)
        if kind != "STRING" and text[end : end + 1].isalnum():
            return self._bad_number(kind, start)
        if kind == "INT" and end < self.end and text[end] in ".,":
            if text[end] == "." and text[end + 1 : end + 2] != ".":
                return self._bad_number(kind, start)
            grouped = _thousands(text, end, self.end)
            if grouped is not None:
                return self._bad_thousands(start, grouped.end())
        try:
            self._add(kind, span, LITERALS[kind](span, text[start:end]))
        except Malformed as problem:
            self._add(kind, span, _STAND_INS[kind](span))
            self._report(*problem.diagnostics)
        return end

    def _bad_number(self, kind: str, start: int) -> int:
        word = _number_word(self.source.text, start, self.end)
        end = word.end() if word else start + 1
        span = Span(self.source, start, end)
        self._add(kind, span, _STAND_INS[kind](span))
        advice = "write all its digits, as in `1_000.50`; units are words, as in `4 hours`"
        self._report(codes.MALFORMED_NUMBER.at(span, text=span.text[:40], advice=advice))
        return end

    def _bare_fraction(self, start: int) -> bool:
        """Whether this point starts a number that lacks the digits before it."""
        text = self.source.text
        return text[start + 1 : start + 2].isdigit() and (
            start == 0 or text[start - 1] in " (\t\n["
        )

    def _bad_thousands(self, start: int, end: int) -> int:
        span = Span(self.source, start, end)
        self._add("INT", span, _STAND_INS["INT"](span))
        advice = f"thousands are set apart with `_`: `{span.text[:40].replace(',', '_')}`"
        self._report(codes.MALFORMED_NUMBER.at(span, text=span.text[:40], advice=advice))
        return end

    # --- comments ------------------------------------------------------------------------------

    def _comment(self, start: int, end: int) -> None:
        text = self.source.text[start:end].rstrip()
        span = Span(self.source, start, start + len(text))
        before = self.source.text[self.source.text.rfind("\n", 0, start) + 1 : start]
        comment = Comment(span, text, own_line=not before.strip(" \t\ufeff"))
        self.result.comments.append(comment)
        if not comment.is_doc:
            return
        if not comment.own_line:
            self.result.diagnostics.append(codes.LOOSE_DOC.at(span))
            return
        self.doc_lines.append(text[2:].removeprefix(" "))
        self.doc_span = span if self.doc_span is None else self.doc_span.to(span)

    def _loose_doc(self) -> None:
        if self.doc_span is not None:
            self.result.diagnostics.append(codes.LOOSE_DOC.at(self.doc_span))

    def _foreign_comment(self, start: int) -> None:
        span = Span(self.source, start, start + 2)
        advice = "comments start with `#` and go to the end of the line"
        self._report(codes.FOREIGN_MARK.at(span, found=span.text, advice=advice))

    # --- what is no token ----------------------------------------------------------------------

    def _odd(self, start: int) -> int:
        """Report what is no token at `start`, and say where to go on."""
        character = self.source.text[start]
        if character == '"':
            return self._unclosed_string(start)
        if character == "'":
            return self._single_quotes(start)
        if character == "_" or character.isalpha():
            return self._odd_word(start)
        if character == "`":
            return self._unclosed_backtick(start)
        found = _typographic(self.source.text, start, self.end)
        if found is not None:
            return self._typographic_string(found)
        self._odd_character(start, character)
        return start + 1

    def _unclosed_string(self, start: int) -> int:
        found = _open_string(self.source.text, start, self.end)
        end = found.end() if found else start + 1
        span = Span(self.source, start, end)
        if self.open_string and _nothing_but_closing(self.source.text, start + 1, self.end):
            # What closes a string that was opened on a line before has been reported there.
            self.open_string = False
            self._add("BAD", span)
            return end
        self.open_string = True
        self._add("STRING", span, StringLiteral(span, "", span.text))
        self._report(codes.UNCLOSED_STRING.at(Span(self.source, start, start + 1)))
        return end

    def _typographic_string(self, found: re.Match[str]) -> int:
        """A string in the quotes of a word processor: reported once, at the first of them."""
        span = Span(self.source, *found.span())
        self._add("STRING", span, StringLiteral(span, found[1], span.text))
        hint = f'strings are written in straight double quotes: "{found[1]}"'
        opening = Span(self.source, found.start(), found.start() + 1)
        self._report(codes.UNEXPECTED_CHARACTER.at(opening, character=opening.text, hint=hint))
        return found.end()

    def _single_quotes(self, start: int) -> int:
        found = _single_quoted(self.source.text, start, self.end)
        if found is None:
            self._odd_character(start, "'")
            return start + 1
        span = Span(self.source, *found.span())
        self._add("STRING", span, StringLiteral(span, found[1], span.text))
        self._report(codes.SINGLE_QUOTES.at(span, text=found[1].replace('"', '\\"')))
        return found.end()

    def _unclosed_backtick(self, start: int) -> int:
        span = Span(self.source, start, start + 1)
        advice = "a name that starts with a backtick ends with one, on the same line"
        self._report(codes.BAD_NAME.at(span, text="a single backtick", advice=advice))
        return start + 1

    def _odd_word(self, start: int) -> int:
        """A word that is no name: with a `_` in front, or letters beyond a to z."""
        tokens = self.result.tokens
        found = _word(self.source.text, start, self.end)
        end = found.end() if found else start + 1
        if tokens and tokens[-1].span.end == start and tokens[-1].type in ("NAME", "UPPER"):
            start = tokens.pop().span.start
        span = Span(self.source, start, end)
        self._add("NAME", span, Name(span, span.text))
        advice = "a name is a to z, 0 to 9 and `_`, a letter first; any other stands in backticks"
        self._report(codes.BAD_NAME.at(span, text=f"`{span.text[:40]}`", advice=advice))
        return end

    def _odd_character(self, start: int, character: str) -> None:
        """A character of no token; where it is clear which one was meant, that is what is read."""
        hint = _ADVICE.get(character)
        span = Span(self.source, start, start + 1)
        if character in _MEANT:
            kind, text = _MEANT[character]
            self._add(kind, span).meant = text
            hint = hint or f"write `{text}`"
        self._report(codes.UNEXPECTED_CHARACTER.at(span, character=character, hint=hint))


LONGEST_NAME = 200

_SPACE = r"(?:[ \t\r\n]++|#[^\n]*+\n)*+"
_item_ahead = re.compile(_SPACE + r"(?:[{(=.]|from\b)")
_next_name = re.compile(_SPACE + r"(?:([a-z]\w*)|`)")
_number_word = re.compile(r"[\w.]+").match
_skip = re.compile(r"[ \t\r\n\f]*").match

_MEANT = {
    "≤": ("COMPARE", "<="),
    "≥": ("COMPARE", ">="),
    "≠": ("COMPARE", "!="),
    "∧": ("AND", "and"),
    "∨": ("OR", "or"),
    "¬": ("NOT", "not"),
    "…": ("DOTDOT", ".."),
    "–": ("MINUS", "-"),
    "−": ("MINUS", "-"),
    "×": ("STAR", "*"),
    "÷": ("SLASH", "/"),
}
"""Characters that have a meaning elsewhere: the terminal that was meant, and how it is written."""

_ADVICE = {
    "$": "money is a plain number, as in `200.00`; the currency belongs in a field of its own",
    "€": "money is a plain number, as in `200.00`; the currency belongs in a field of its own",
    "“": 'strings are written in straight double quotes: `"`',
    "”": 'strings are written in straight double quotes: `"`',
    "‘": 'strings are written in straight double quotes: `"`',
    "’": 'strings are written in straight double quotes: `"`',
    "'": 'strings are written in double quotes: `"`',
    "…": "a range is written `1 .. 10`, with two dots",
    "^": "write the product: `X * X`",
    "~": "write `not` to negate, or `like` to compare with a pattern",
    "\\": "nothing marks the end of a line: a condition simply goes on",
    "\N{NO-BREAK SPACE}": "this is a no-break space; write an ordinary one",
    "\N{ZERO WIDTH SPACE}": "this character is invisible; remove it",
    "\N{ZERO WIDTH NO-BREAK SPACE}": "this character is invisible; remove it",
}


_ZERO = timedelta(0)
_STAND_INS: dict[str, Callable[[Span], Node]] = {
    "INT": lambda span: IntLiteral(span, 0, span.text),
    "DECIMAL": lambda span: DecimalLiteral(span, Decimal(0), span.text),
    "STRING": lambda span: StringLiteral(span, "", span.text),
    "PERCENT": lambda span: PercentLiteral(span, Decimal(0), span.text),
    "DATE": lambda span: DateLiteral(span, date.min),
    "TIME": lambda span: TimeLiteral(span, time.min, span.text),
    "DATETIME": lambda span: DateTimeLiteral(span, datetime.min.replace(tzinfo=UTC), span.text),
    "DURATION": lambda span: DurationLiteral(span, _ZERO, span.text),
}
"""What stands for a literal without a value, so that its statement can still be parsed."""


def _skip_space(text: str, position: int, end: int) -> int:
    found = _skip(text, position, end)
    return found.end() if found else position
