"""Any text is answered with a tree and diagnostics, in a time that grows with its length."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policylang.diagnostics import Source, has_errors, render, to_json
from policylang.syntax import ParseResult, format_source, parse
from tests.golden import cases, read
from tests.syntax.texts import module_text

PIECES = [
    "rule",
    "fact",
    "define",
    "test",
    "if",
    "and",
    "not",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ".",
    ":",
    "=",
    "==",
    "&&",
    "|",
    "||",
    "'",
    '"',
    "`",
    "#",
    "##",
    "\n",
    "\r\n",
    ";",
    "\\",
    "{a}",
    "X",
    "a",
    "1",
    "1.5",
    "2026-11-20",
    "..",
    "-",
    "_",
    "§",
    "4",
    "hours",
    "\t",
    "漢",
    "because",
    "reads",
    "in",
    "has",
    "is",
    "missing",
    "from",
    "use",
    "module",
]
EXAMPLES = [read(path).policy for path in cases("syntax")]


def _answered(text: str) -> ParseResult:
    """Parse, and write out whatever was found."""
    result = parse(Source("fuzz.policy", text))
    for diagnostic in result.diagnostics:
        assert diagnostic.span is not None
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
        assert render(diagnostic)
        assert to_json(diagnostic)["file"] == "fuzz.policy"
    return result


def _mutated(random: Random, text: str) -> str:
    for _ in range(random.randint(1, 6)):
        start = random.randint(0, len(text))
        end = min(len(text), start + random.choice([0, 0, 1, 2, 10, 100]))
        piece = random.choice([random.choice(PIECES), text[end : end + 20], ""])
        text = text[:start] + piece + text[end:]
    return text


@settings(max_examples=150)
@given(st.randoms(use_true_random=False), st.sampled_from(EXAMPLES))
def test_mutated_policies_are_answered(random: Random, example: str) -> None:
    """A policy with pieces cut out, doubled and put in gives diagnostics, or can be formatted."""
    text = _mutated(random, example)
    result = _answered(text)
    if not has_errors(result.diagnostics):
        assert isinstance(format_source(Source("fuzz.policy", text)), str)


@settings(max_examples=100)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join) | st.text(max_size=200))
def test_any_text_is_answered(text: str) -> None:
    """Neither a soup of tokens nor any other text raises."""
    _answered(text)


@settings(max_examples=50)
@given(st.randoms(use_true_random=False))
def test_a_broken_statement_does_not_hide_the_others(random: Random) -> None:
    """Statements after a broken one are read as if it was not there."""
    text = module_text(random, 1, 12, comments=False)
    broken = parse(Source("m", f"rule bad: allow b if == \n{text}"))
    alone = parse(Source("m", text))
    assert broken.module is not None
    assert alone.module is not None
    assert len(broken.module.statements) == len(alone.module.statements)
    assert "bad" in broken.lost


REPEATED = {
    "parentheses": ("define a if ", "(", "x"),
    "brackets": ("define a if x in ", "[", "1"),
    "closing": ("define a if x", ")", ""),
    "not": ("define a if ", "not ", "x"),
    "minus": ("define a if x == ", "-", "1"),
    "or": ("define a if x", " or x", ""),
    "plus": ("define a if x == 1", " + 1", ""),
    "dots": ("rule a: allow b", ".b", ""),
    "keywords": ("", "rule ", ""),
    "broken": ("", "rule a: allow b if x = = 3\n", ""),
    "slips": ("define a if x", " && x = 3", ""),
    "comments": ("define a if x ", "# c\n", "and y"),
    "docs": ("", "## d\n", "use a"),
    "string": ('define a if x == "', "a", ""),
    "escapes": ('define a if x == "', "\\q", '"'),
    "holes": ('rule a: allow b because "', "{a} ", '"'),
    "names": ("define a if ", "x \n", ""),
    "odd": ("", "§", ""),
    "quotes": ("define a if ", "'x' ", ""),
    "records": ("fixture f { a { b: ", "{ b: ", "1"),
    "types": ("type T = ", "Set[", "Int"),
    "digits": ("define a if x == ", "1", ""),
    "clauses": ("rule a: allow b ", "if x ", ""),
}


def _seconds(text: str) -> float:
    started = time.process_time()
    _answered(text)
    return time.process_time() - started


@pytest.mark.parametrize("name", REPEATED)
def test_time_grows_with_length(name: str) -> None:
    """Eight times the text takes no more than some twenty times the time, however it is nested."""
    start, piece, end = REPEATED[name]
    short, long = (min(_seconds(start + piece * n + end) for _ in range(3)) for n in (1000, 8000))
    # Eight times the length; what is quadratic takes 64 times as long.
    assert long < 32 * max(short, 0.01)


@pytest.mark.parametrize("count", [10_000])
def test_ten_thousand_parentheses_are_one_diagnostic(count: int) -> None:
    """Nesting past the limit is said once, where it is passed."""
    text = "define a if " + "(" * count + "x" + ")" * count
    (found,) = _answered(text).diagnostics
    assert found.code == "PL0114"
    assert found.span is not None
    assert found.span.column == len("define a if ") + 65


@pytest.mark.parametrize("word", [" or ", " and ", " + "])
def test_ten_thousand_terms_are_one_node(word: str) -> None:
    """A chain is as wide as it was written, and formatted without recursion over its length."""
    text = "define a if " + word.join(["x"] * 10_000)
    result = _answered(text)
    assert result.diagnostics == ()
    assert isinstance(format_source(Source("m", text)), str)


def test_every_example_in_the_repository_is_read() -> None:
    """The policies that ship parse without a diagnostic."""
    root = Path(__file__).parents[2]
    policies = [*(root / "stdlib").rglob("*.policy"), *(root / "examples").rglob("*.policy")]
    for path in policies:
        assert parse(Source(path.name, path.read_text(encoding="utf-8"))).diagnostics == (), path
