"""Rewrites what pages show of the output of their examples: `python -m tests.docs.update PAGE...`.

For a person who then reads the difference. A block that fails, and not only shows other output,
is reported and left as it is.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.docs.blocks import blocks_of
from tests.docs.pages import Page, Problem, code_of, prepare, problems_of


def updated(text: str, problems: list[Problem]) -> str:
    """Return a page's text with the blocks replaced whose problem is only what they show."""
    lines = text.splitlines()
    for problem in sorted(problems, key=lambda problem: -problem.line):
        if problem.instead is not None:
            fence = lines[problem.line - 1].split("`" * 3)[0] + "```"
            end = next(i for i in range(problem.line, len(lines)) if lines[i].startswith(fence))
            lines[problem.line : end] = [line.rstrip() for line in problem.instead.splitlines()]
    return "\n".join(lines) + "\n"


def main(names: list[str]) -> None:
    """Rewrite the pages of these names, and print what is wrong with them otherwise."""
    for name in names:
        page = Path(name).resolve()
        with tempfile.TemporaryDirectory() as scratch:
            prepare(page, Path(scratch))
            problems = problems_of(Page(blocks_of(page), code_of(page)), Path(scratch))
        page.write_text(updated(page.read_text(encoding="utf-8"), problems), encoding="utf-8")
        for problem in problems:
            print(f"{name}, {problem}")


if __name__ == "__main__":
    main(sys.argv[1:])
