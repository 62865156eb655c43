"""The grammar file, loaded once into Lark's tables and the lexer's regular expression."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import lark
from lark import Lark
from lark.grammar import Rule
from lark.lexer import PatternStr, TerminalDef

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
        method = getattr(self._builder, f"visit_{name}")
        return lambda children: method(*children)


def grammar_text() -> str:
    """The text of `grammar.lark`."""
    return _file("grammar.lark")


def _file(name: str) -> str:
    return files("policylang.syntax").joinpath(name).read_text(encoding="utf-8")


@cache
def tables() -> Lark:
    """The parser's tables, with the builder that makes nodes of what is recognized.

    Taken from `tables.json` where that was made from this grammar by this version of Lark, which
    saves a tenth of a second at every start; else made from the grammar.
    """
    stored = json.loads(_file("tables.json"), object_hook=_with_numbers)
    if stored["key"] == tables_key():
        load: Any = Lark._load_from_dict  # what Lark's own generated parsers call
        return cast("Lark", load(stored["data"], stored["memo"], transformer=_Callbacks(Builder())))
    return built_tables(transformer=_Callbacks(Builder()))


def built_tables(**options: Any) -> Lark:
    """The parser's tables, made from the grammar."""
    return Lark(
        grammar_text(),
        parser="lalr",
        lexer="basic",
        start=list(STARTS),
        maybe_placeholders=True,
        propagate_positions=False,
        **options,
    )


def stored_tables() -> str:
    """What `tables.json` holds, for the grammar as it is and the version of Lark that is here."""
    data, memo = built_tables().memo_serialize([TerminalDef, Rule])
    stored = {"key": tables_key(), "data": data, "memo": memo}
    return json.dumps(stored, separators=(",", ":")) + "\n"


def tables_path() -> Path:
    """Where `tables.json` lies in a checkout."""
    return Path(__file__).with_name("tables.json")


def tables_key() -> str:
    """What tables are made from: the version of Lark, and the grammar by its digest."""
    digest = sha256(f"{' '.join(STARTS)} {grammar_text()}".encode()).hexdigest()
    return f"lark {lark.__version__}, grammar {digest}"


def _with_numbers(found: dict[str, Any]) -> dict[str | int, Any]:
    """Lark's tables are keyed by numbers, which JSON writes as strings."""
    return {int(key) if key.isdigit() else key: value for key, value in found.items()}


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
