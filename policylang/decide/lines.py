"""Decisions as lines of JSON, many of them: what those of one pattern have in common is written once."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Final, TypeAlias

from policylang.decide.decision import Decision
from policylang.decide.json import decision_line
from policylang.decide.templates import Apart, Common, put_together

Pieces: TypeAlias = "tuple[Common, tuple[str, ...] | None]"

_MOST_KEPT: Final = 4096


class LineWriter:
    """Writes the decisions of one program as `decision_line` does. Used by one thread at a time."""

    __slots__ = ("_apart", "_kept")

    def __init__(self, apart: Callable[[Decision], Apart | None]) -> None:
        """`apart` gives what a decision has of its own."""
        self._apart = apart
        self._kept: dict[int, Pieces] = {}

    def write(self, decision: Decision) -> str:
        """The JSON form of a decision as text in one line."""
        apart = self._apart(decision)
        if apart is None:
            return decision_line(decision)
        common, _, messages = apart
        kept = self._kept.get(id(common))
        if kept is None or kept[0] is not common:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            kept = self._kept[id(common)] = (common, pieces_of(common))
        pieces = kept[1]
        if pieces is None:
            return decision_line(decision)
        line = pieces[0]
        for message, piece in zip(messages, pieces[1:], strict=True):
            line += encode_basestring(message) + piece
        return line


def pieces_of(common: Common) -> tuple[str, ...] | None:
    """The line of any decision of a pattern, cut where its messages stand; None where that is not found.

    The places are found by messages that nobody could have written.
    """
    marks = tuple(secrets.token_hex(16) for _ in common.said)
    bindings = tuple(() for _ in common.rules)
    rest = decision_line(put_together(common, bindings, marks))
    pieces = []
    for mark in marks:
        piece, found, rest = rest.partition(f'"{mark}"')
        if not found:
            return None
        pieces.append(piece)
    return (*pieces, rest)
