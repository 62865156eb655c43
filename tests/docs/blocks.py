"""The fenced code blocks of a Markdown page, in order.

The words after a fence say how its block is tested. The first is the language; then may come
`illustrative` (the block is not run), `fails` (a policy or a request with errors, which are then
expected), `output` (what the Python block above prints), and `file=NAME` (the block is written to
NAME in the page's scratch folder; in languages with `#` comments a first line `# file: NAME` says
the same and can be seen by the reader).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

_FILE_COMMENT = re.compile(r"# file: (?P<name>\S+)")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its other words, its text, and the line its fence stands on."""

    language: str
    words: frozenset[str]
    text: str
    line: int

    @property
    def file_name(self) -> str | None:
        """The file that the block is written to, if it names one."""
        for word in self.words:
            if word.startswith("file="):
                return word.removeprefix("file=")
        comment = _FILE_COMMENT.match(self.text)
        return comment["name"] if comment else None

    @property
    def illustrative(self) -> bool:
        """Whether the page says that the block is not meant to be run."""
        return "illustrative" in self.words


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of the Markdown file `page`, in order."""
    return blocks_in(page.read_text(encoding="utf-8"))


def blocks_in(markdown: str) -> list[Block]:
    """Return the fenced blocks of the Markdown text, in order."""
    blocks = []
    for token in MarkdownIt("commonmark").parse(markdown):
        if token.type == "fence":
            language, *words = token.info.split() or [""]
            line = (token.map or [0])[0] + 1
            blocks.append(Block(language, frozenset(words), token.content, line))
    return blocks
