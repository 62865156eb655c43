"""Colours for editors: the Pygments lexer and the TextMate grammar."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Comment, Error, Keyword, Literal, Name, Number, String

from policylang.cli.highlighting import CLAUSES, DECLARING, EFFECTS, OPERATORS, PolicyLexer
from policylang.syntax.grammar import keywords

ROOT = Path(__file__).parents[2]
POLICIES = sorted([*(ROOT / "stdlib").rglob("*.policy"), *(ROOT / "examples").rglob("*.policy")])
GRAMMAR = json.loads((ROOT / "docs/editors/policy.tmLanguage.json").read_text())
PATTERNS = GRAMMAR["repository"]["all"]["patterns"]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.stem)
def test_every_policy_is_lexed_whole(policy: Path) -> None:
    """The lexer gives back each text unchanged, with no part that it does not know."""
    text = policy.read_text(encoding="utf-8")
    tokens = list(PolicyLexer(stripnl=False, ensurenl=False).get_tokens(text))
    assert "".join(value for _, value in tokens) == text
    assert [value for kind, value in tokens if kind in Error] == []


def test_every_keyword_has_a_colour() -> None:
    """The lexer and the TextMate grammar know every keyword of the language."""
    coloured = {*DECLARING, *CLAUSES, *EFFECTS, *OPERATORS, "true", "false"}
    assert set(keywords()) <= coloured
    lists = [set(re.findall(r"\w+", rule.get("match", ""))) for rule in PATTERNS]
    assert set(keywords()) <= set().union(*lists)


@pytest.mark.parametrize(
    ("text", "word", "kind"),
    [
        ("rule small: allow ship", "small", Name.Function),
        ("rule small: allow ship", "allow", Keyword.Reserved),
        ("fact item { type: String }", "type", Name.Attribute),
        ("if order.limit > 3", "limit", Name),
        ("in 4 hours", "hours", Keyword.Type),
        ("x <= 1_000.00", "1_000.00", Number),
        ("now = 2026-11-20T09:00:00Z", "2026-11-20T09:00:00Z", Literal.Date),
        ('because "at {X} now"', "{X}", String.Interpol),
        ("## What it is.", "## What it is.", Comment.Special),
        ("suspicious(Customer)", "Customer", Name.Variable),
    ],
)
def test_a_word_is_what_it_is_in_its_place(text: str, word: str, kind: object) -> None:
    """A word is coloured by what it is where it stands: a keyword as a field's name is a name."""
    tokens = [(value, found) for found, value in PolicyLexer().get_tokens(text)]
    assert (word, kind) in tokens


def test_pygments_finds_the_lexer() -> None:
    """Pygments knows the lexer by its name and by the ending of files, once policylang is installed."""
    assert isinstance(get_lexer_by_name("policy"), PolicyLexer)
    assert isinstance(get_lexer_for_filename("refunds.policy"), PolicyLexer)


def test_the_textmate_grammar_is_made_of_patterns_that_compile() -> None:
    """Every pattern of the TextMate grammar is a regular expression, and every scope is of this language."""
    for rule in PATTERNS:
        for key in ("match", "begin", "end"):
            re.compile(rule.get(key, ""))
        scopes = [rule.get("name")] + [c["name"] for c in rule.get("captures", {}).values()]
        assert all(scope.endswith(".policylang") for scope in scopes if scope)
