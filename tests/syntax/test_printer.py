"""The formatter: its output is the same policy, has every comment, and is stable."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from policylang.diagnostics import Source
from policylang.syntax import format_source, parse
from policylang.syntax.tree import Module
from policylang.syntax.walk import same_tree
from tests.syntax.texts import module_text


def _module(text: str) -> Module:
    result = parse(Source("m.policy", text))
    assert result.module is not None, result.diagnostics
    assert not [d for d in result.diagnostics if d.severity == "error"], (text, result.diagnostics)
    return result.module


def _formatted(text: str) -> str:
    made = format_source(Source("m.policy", text))
    assert isinstance(made, str), made
    return made


def _comments(module: Module) -> list[str]:
    return sorted(comment.text.lstrip("#") for comment in module.comments)


@settings(max_examples=150)
@given(st.randoms(use_true_random=False), st.integers(1, 4), st.integers(1, 40), st.booleans())
def test_what_is_formatted_is_the_same_policy(
    random: Random, statements: int, depth: int, comments: bool
) -> None:
    """format(text) parses to the tree of text, with all its comments, and format(format) == format."""
    text = module_text(random, statements, depth, comments=comments)
    before, made = _module(text), _formatted(text)
    after = _module(made)
    assert same_tree(before, after)
    assert _comments(before) == _comments(after)
    assert _formatted(made) == made
