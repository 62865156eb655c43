"""The grammar: without conflicts, complete in its builder, and stored as it is."""

from __future__ import annotations

import json

import lark
import pytest
from lark import Lark
from lark.parsers.lalr_analysis import LALR_Analyzer

from policylang.syntax import grammar
from policylang.syntax.build import Builder
from tests.golden import Golden


def test_a_whole_file_is_lalr_without_conflicts() -> None:
    """The grammar of a file, statements after each other without terminators, is LALR(1)."""
    text = f"{grammar.grammar_text()}\nfile: header? statement*\n"
    tables = Lark(text, parser="lalr", lexer="basic", start="file")
    LALR_Analyzer(tables.parser.parser_conf, strict=True).compute_lalr()


def test_the_strict_analysis_finds_conflicts() -> None:
    """The analysis that the test above trusts refuses a grammar that has a conflict."""
    tables = Lark('a: "i" a | "i" a "e" a | "x"', parser="lalr", lexer="basic", start="a")
    with pytest.raises(lark.GrammarError):
        LALR_Analyzer(tables.parser.parser_conf, strict=True).compute_lalr()


def test_every_rule_has_a_builder() -> None:
    """What the grammar recognizes is built by a method; no tree of Lark's reaches anybody."""
    names = {rule.alias or str(rule.origin.name) for rule in grammar.tables().rules}
    inlined = {rule.origin.name for rule in grammar.tables().rules if rule.options.expand1}
    asked = {name for name in names if not name.startswith("_")} - inlined
    assert {f"visit_{name}" for name in asked} <= set(dir(Builder))


def test_the_stored_tables_are_those_of_the_grammar(golden: Golden) -> None:
    """`tables.json` was made from this grammar; `--update-golden` makes it anew where it was not."""
    path, wanted = grammar.tables_path(), grammar.tables_key()
    stored = json.loads(path.read_text(encoding="utf-8"))["key"]
    if golden.update and stored != wanted:
        path.write_text(grammar.stored_tables(), encoding="utf-8")
        stored = wanted
    if stored.partition(",")[0] != wanted.partition(",")[0]:
        pytest.skip(f"the stored tables are for {stored}, and not used with another version")
    assert stored == wanted


def test_stored_and_built_tables_accept_the_same() -> None:
    """The tables that are stored have the states and the terminals of those the grammar gives."""
    stored, built = grammar.tables(), grammar.built_tables()
    assert len(stored.parser.parser._parse_table.states) == len(
        built.parser.parser._parse_table.states
    )
    assert {t.name for t in stored.terminals} == {t.name for t in built.terminals}
    assert [str(rule) for rule in stored.rules] == [str(rule) for rule in built.rules]
