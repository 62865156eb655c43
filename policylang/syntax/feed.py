"""Tokens through Lark's tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from lark import UnexpectedToken

from policylang.syntax.grammar import tables
from policylang.syntax.tokens import Token
from policylang.syntax.tree import Node


class Stuck(Exception):  # noqa: N818  (says where, for the parser to recover)
    """Tokens that are no sentence: `index` is the first that cannot stand where it does.

    It is the number of tokens where all of them could stand, and more had to follow.
    """

    def __init__(self, index: int) -> None:
        super().__init__(f"stuck at token {index}")
        self.index = index


def feed(tokens: Sequence[Token], start: str) -> Node:
    """The node of a sentence of the grammar's rule `start`.

    Raises `Stuck`, and what the builder raises (`Malformed`, `Unreadable`).
    """
    parser: Any = tables().parse_interactive(start=start)
    take = parser.parser_state.feed_token
    done = 0
    try:
        for token in tokens:
            take(token)
            done += 1
        return cast("Node", parser.feed_eof())
    except UnexpectedToken:
        raise Stuck(done) from None


def acceptable(tokens: Sequence[Token], start: str) -> frozenset[str]:
    """The terminals that can follow these tokens, `$END` where they are a sentence."""
    parser: Any = tables().parse_interactive(start=start)
    for token in tokens:
        parser.parser_state.feed_token(token)
    return frozenset(parser.accepts())
