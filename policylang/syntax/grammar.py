"""The grammar file, loaded once into Lark's tables and the lexer's regular expression."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark
from lark.lexer import PatternStr

from policylang.syntax.build import Builder
from policylang.syntax.tree import Node

STARTS = ("header", "statement", "expression")

_ODDITIES = (
    r"(?P<COMMENT>\#[^\n]*)",
    # What other languages write; it has to come before the tokens that it starts with.
    r"(?P<FOREIGN_COMMENT>//[^\n]*|/\*(?s:.*?)(?:\*/|\Z))",
    r"(?P<SLIP>===|!==|:=|<>|=<|=>|->|&&|&|\|\||!(?!=)|;|%)",
)


class _Callbacks:
    """The builder in the form in which Lark calls it: each method with a list of children."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def __getattr__(self, name: str) -> Callable[[list[Any]], Node]:
        method = getattr(self._builder, name)
        return lambda children: method(*children)


def grammar_text() -> str:
    """The text of `grammar.lark`."""
    return files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")


@cache
def tables() -> Lark:
    """The parser's tables, with the builder that makes nodes of what is recognized."""
    return Lark(
        grammar_text(),
        parser="lalr",
        lexer="basic",
        start=list(STARTS),
        maybe_placeholders=True,
        propagate_positions=False,
        transformer=_Callbacks(Builder()),
    )


@cache
def fixed_terminals() -> dict[str, str]:
    """The texts that are a terminal each, with the terminal's name."""
    return {
        terminal.pattern.value: terminal.name
        for terminal in tables().terminals
        if isinstance(terminal.pattern, PatternStr)
    }


@cache
def keywords() -> dict[str, str]:
    """The keywords, each with the name of its terminal."""
    return {text: name for text, name in fixed_terminals().items() if text[0].isalpha()}


@cache
def scanner() -> re.Pattern[str]:
    """One regular expression for all terminals, each in a group of its name, white space before."""
    patterns = [t for t in tables().terminals if not isinstance(t.pattern, PatternStr)]
    patterns.sort(key=lambda terminal: -terminal.priority)
    marks = [(text, name) for text, name in fixed_terminals().items() if not text[0].isalpha()]
    marks.sort(key=lambda mark: -len(mark[0]))
    groups = [f"(?P<{t.name}>{t.pattern.to_regexp()})" for t in patterns]
    groups += [f"(?P<{name}>{re.escape(text)})" for text, name in marks]
    return re.compile(r"[ \t\r\n]*(?:" + "|".join((*_ODDITIES, *groups)) + ")", re.ASCII)
