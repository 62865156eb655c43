"""Decisions as text for a terminal, coloured where it has colour."""

from __future__ import annotations

from typing import IO, Any, Final

import click

from policylang.cli.output import colour
from policylang.decide.decision import Decision
from policylang.decide.text import Role, plain, render

_LOOKS: Final[dict[Role, dict[str, Any]]] = {
    "allow": {"fg": "green", "bold": True},
    "deny": {"fg": "red", "bold": True},
    "needs_approval": {"fg": "yellow", "bold": True},
    "rule": {"fg": "cyan"},
    "label": {"bold": True},
    "quiet": {"dim": True},
}


def decision_text(decision: Decision, stream: IO[Any]) -> str:
    """The decision as `stream` is to show it; a refused request with every problem and its code."""
    if decision.rejection is not None:
        head = render(decision, _dressed if colour(stream) else plain).partition("\n")[0]
        return f"{head}\n  " + decision.rejection.text().replace("\n", "\n  ")
    return render(decision, _dressed if colour(stream) else plain)


def _dressed(role: Role, text: str) -> str:
    return click.style(text, **_LOOKS[role])
