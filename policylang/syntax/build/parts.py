"""What the builders of all kinds of nodes share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, TypeVar, cast

from policylang.diagnostics import Label, Span
from policylang.syntax import codes
from policylang.syntax import tree as t
from policylang.syntax.problems import Malformed
from policylang.syntax.tokens import Token

Spanned: TypeAlias = t.Node | Token
_E = TypeVar("_E", bound=Enum)
_N = TypeVar("_N", bound=t.Node)


@dataclass(frozen=True, slots=True, eq=False)
class Bracketed(t.Node):
    """What stands between two brackets, with the span that includes them."""

    items: tuple[t.Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Clause(t.Node):
    """A clause of a statement, or a mark of a field: its word and what it says."""

    word: str
    value: object


def join(first: Spanned, last: Spanned) -> Span:
    """The span from the start of one to the end of the other."""
    span = first.span
    return Span(span.source, span.start, last.span.end)


def last_of(first: Spanned, *others: Spanned | None) -> Spanned:
    """The last that is there."""
    return next((node for node in reversed(others) if node is not None), first)


def name_of(token: Token) -> t.Name:
    """The name that a token of a name stands for."""
    return cast("t.Name", token.node)


def nodes(kind: type[_N], items: Iterable[object]) -> tuple[_N, ...]:
    """The items that are nodes of a kind: what is left of a list without its separators."""
    return tuple(item for item in items if isinstance(item, kind))


def choose(token: Token, words: type[_E], kind: str) -> _E:
    """The member of an enumeration that a word names."""
    text = token.text
    for member in words:
        if member.value == text:
            return member
    raise unknown_word(token, kind, [member.value for member in words])


def unknown_word(token: Token, kind: str, known: Iterable[str]) -> Malformed:
    """The problem of a word that is none of a closed list."""
    listed = [f"`{word}`" for word in known]
    hint = f"write {'one of ' * (len(listed) > 1)}{', '.join(listed)}"
    return Malformed(codes.UNKNOWN_WORD.at(token.span, word=token.text, kind=kind, hint=hint))


def type_name(token: Token) -> t.Name:
    """The name of a type, which starts with a capital or stands in backticks."""
    text = token.text
    if text[0].islower():
        raise Malformed(codes.TYPE_NAME.at(token.span, meant=capitalized(text)))
    return name_of(token)


def capitalized(name: str) -> str:
    """The name as that of a type: `order_status` is `OrderStatus`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


_REPEATED = {
    "if": "join the conditions with `and`",
    "per": "put a `,` between the paths; a window is written `in 1 day`",
    "overrides": "put a `,` between the rules",
}


def clauses_of(what: str, clauses: Iterable[Clause], allowed: str) -> dict[str, Clause]:
    """The clauses by their word; each may stand once, and only where it belongs."""
    found: dict[str, Clause] = {}
    for clause in clauses:
        word = clause.word
        if word not in allowed.split():
            raise Malformed(codes.MISPLACED_CLAUSE.at(clause.span, what=what, clause=word))
        if word in found:
            first = Label(found[word].span, "first given here")
            hint = _REPEATED.get(word)
            raise Malformed(
                codes.REPEATED_CLAUSE.at(clause.span, labels=[first], clause=word, hint=hint)
            )
        found[word] = clause
    return found
