"""Compares what a page shows with what really came out."""

from __future__ import annotations

import difflib
import re


def difference(shown: str, came: str) -> str | None:
    """Return how `came` differs from what the page shows, or None where it does not.

    Space at line ends and around the whole is nothing. `...` on a line of its own in what is shown
    stands for any lines, and inside a line for any text of that line.
    """
    shown_lines, came_lines = _lines(shown), _lines(came)
    if _pattern(shown_lines).fullmatch("".join(f"{line}\n" for line in came_lines)):
        return None
    return "\n".join(
        difflib.unified_diff(shown_lines, came_lines, "the page shows", "it gave", lineterm="")
    )


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").rstrip().splitlines()]


def _pattern(lines: list[str]) -> re.Pattern[str]:
    return re.compile("".join(_line_pattern(line) for line in lines))


def _line_pattern(line: str) -> str:
    if line.strip() == "...":
        return r"(?:.*\n)*?"
    return ".*?".join(re.escape(part) for part in line.split("...")) + r"\n"
