"""How the lexer's and the builder's functions give up on what they were given."""

from __future__ import annotations

from policylang.diagnostics import Diagnostic

MOST_DIAGNOSTICS = 200
"""After so many problems of one file no more are looked for."""


class Malformed(Exception):  # noqa: N818  (carries diagnostics to the parser, and no further)
    """Text that has the form the grammar asks for, and no meaning: a wrong word, a 31st of June."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(map(str, diagnostics)))
        self.diagnostics = diagnostics
