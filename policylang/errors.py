"""The exceptions of policylang.

Problems of a policy or a request are values (`policylang.diagnostics.Diagnostic`) that are
collected and returned. An exception is raised at the border only, where a caller asked for
something that the diagnostics make impossible, and for our own bugs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policylang.diagnostics import Diagnostic


class PolicyError(Exception):
    """The root of every exception that policylang raises on purpose.

    >>> issubclass(PolicyInvalid, PolicyError), issubclass(InternalError, PolicyError)
    (True, True)
    """


class PolicyInvalid(PolicyError):  # noqa: N818  (a state of the input, raised once)
    """What was given (policies, data, a request) has errors; `diagnostics` says which.

    `diagnostics` holds everything that was found, warnings included, in the order of the source.
    The text of the exception is one line for each of them, with its notes and its hint below.

    >>> from policylang import loads
    >>> try:
    ...     loads("module shop action ship rule all: allow shop")
    ... except PolicyInvalid as invalid:
    ...     print([diagnostic.code for diagnostic in invalid.diagnostics])
    ['PL0201']
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__("\n".join(line for found in self.diagnostics for line in _lines(found)))

    def __reduce__(self) -> tuple[type[PolicyInvalid], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)


def _lines(diagnostic: Diagnostic) -> Iterator[str]:
    yield str(diagnostic)
    yield from (f"  = note: {note}" for note in diagnostic.notes)
    if diagnostic.hint:
        yield f"  = hint: {diagnostic.hint}"


class InternalError(PolicyError):
    """A state that policylang promises never to reach: a bug of policylang, not of its user.

    >>> print(InternalError("no rule is left"))
    internal error: no rule is left (this is a bug in policylang; please report it)
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"internal error: {what} (this is a bug in policylang; please report it)")
        self.what = what

    def __reduce__(self) -> tuple[type[InternalError], tuple[str]]:
        return type(self), (self.what,)
