"""One statement, read in spite of its slips.

Where the tokens of a statement cannot be read on, the slip is named; where it is clear what was meant,
the tokens are repaired and read again, so that what follows is checked too.
"""

from __future__ import annotations

from typing import cast

from policylang.diagnostics import Diagnostic
from policylang.syntax import codes
from policylang.syntax.cut import DEEPEST, STARTERS, Piece
from policylang.syntax.feed import Stuck, feed
from policylang.syntax.problems import Malformed
from policylang.syntax.slips import Place, name_slip, not_a_statement
from policylang.syntax.tree import ModuleHeader, Node, Statement
from policylang.syntax.walk import children

_MOST_REPAIRS = 12


def read_statement(piece: Piece) -> tuple[Statement | ModuleHeader | None, list[Diagnostic]]:
    """The statement (or header) that the tokens of a piece are, and what is wrong with it.

    The statement is None where it is unclear what was meant.
    """
    tokens, diagnostics = list(piece.tokens), list(piece.diagnostics)
    if piece.too_deep:
        return None, diagnostics
    if tokens[0].type not in STARTERS:
        if not piece.doubtful:
            diagnostics.append(not_a_statement(tokens[0], tokens[1:]))
        return None, diagnostics
    start = "header" if tokens[0].type == "MODULE" else "statement"
    guessed = ""
    for _ in range(_MOST_REPAIRS):
        try:
            node = feed(tokens, start)
        except Malformed as problem:
            if not piece.doubtful and guessed in ("", codes.NOT_A_STATEMENT.id):
                told = {diagnostic.span for diagnostic in diagnostics}
                diagnostics.extend(d for d in problem.diagnostics if d.span not in told)
            return None, diagnostics
        except Stuck as stuck:
            place = Place(tokens, stuck.index, start)
            slip = name_slip(place)
            doubtful = piece.doubtful or guessed not in ("", slip.diagnostic.code)
            if not doubtful or (slip.sure and not _follows_odd_text(place, piece)):
                diagnostics.append(slip.diagnostic)
            if slip.repaired is None:
                return None, diagnostics
            tokens = slip.repaired
            guessed = guessed or (slip.diagnostic.code if slip.guess else "")
        else:
            checked, found = _checked(node, piece, diagnostics)
            # A header says its name, whatever stands behind it.
            return (None if guessed and start == "statement" else checked), found
    return None, diagnostics


def _follows_odd_text(place: Place, piece: Piece) -> bool:
    """Whether the token that cannot stand there, or what is beside it, is what was reported already.

    A token before it that stands for what was meant is no reason: what follows it can be wrong by itself.
    """
    before, end = place.previous.span, (place.token or place.previous).span.end
    if place.following is not None:
        end = place.following.span.start
    return any(before.start < odd <= end and odd != before.end for odd in piece.odd)


def _checked(
    node: Node, piece: Piece, diagnostics: list[Diagnostic]
) -> tuple[Statement | ModuleHeader | None, list[Diagnostic]]:
    if piece.nesting > DEEPEST // 8 and (deep := _too_deep(node)) is not None:
        return None, [*diagnostics, codes.TOO_DEEP.at(deep.span, limit=DEEPEST)]
    return (None if piece.doubtful else cast("Statement | ModuleHeader", node)), diagnostics


def _too_deep(node: Node) -> Node | None:
    """A node that is nested deeper than `DEEPEST`."""
    level: list[Node] = [node]
    for _ in range(DEEPEST):
        level = [child for parent in level for child in children(parent)]
        if not level:
            return None
    return level[0]
