"""Trees of an explanation as lines of text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from policylang.diagnostics import visible
from policylang.explain.tree import Node, Tone

Style: TypeAlias = Callable[[Tone, str], str]
"""Dresses a piece of text for its tone; the text without the dress stays the same."""

_MARKS: Final = {Tone.HOLDS: "✓ ", Tone.FAILS: "✗ ", Tone.UNBOUND: "? "}


def plain(_tone: Tone, text: str) -> str:
    """The style that leaves every text as it is."""
    return text


def render(tree: Node, style: Style = plain) -> str:
    """The tree as lines, each child below its parent; no line end after the last.

    Control characters in values are shown as marks: what a request holds must not steer the terminal of who reads about it.
    """
    return "\n".join(_lines(tree, "", "", style))


def _lines(node: Node, first: str, rest: str, style: Style) -> Iterator[str]:
    mark = _MARKS.get(node.tone, "")
    yield first + style(node.tone, mark + visible(node.text))
    for i, child in enumerate(node.children):
        last = i == len(node.children) - 1
        yield from _lines(
            child, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "), style
        )
