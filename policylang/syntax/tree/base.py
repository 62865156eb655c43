"""What every part of the tree is made of."""

from __future__ import annotations

from dataclasses import dataclass

from policylang.diagnostics import Span


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """The root of all nodes."""

    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Name(Node):
    """One name as it is meant: `customer`, `Tier`; what stood in backticks without them."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Path(Node):
    """One or more names with dots between: `refund`, `customer.tier`, `approvals.granted`.

    Used for every mention of something declared elsewhere, and for expressions. Whether the first
    name is a module, a fact, a param, an enum member or a definition is for the checker to say.
    """

    names: tuple[Name, ...]

    @property
    def text(self) -> str:
        """The path as written, without backticks."""
        return ".".join(name.text for name in self.names)

    @property
    def last(self) -> Name:
        """The last name, which is the thing itself where the others qualify it."""
        return self.names[-1]


@dataclass(frozen=True, slots=True, eq=False)
class Comment(Node):
    """A comment with its `#`, or `##` for a doc comment, up to the end of its line.

    `own_line` is true where nothing but white space stands before it on its line.
    """

    text: str
    own_line: bool

    @property
    def is_doc(self) -> bool:
        """Whether it is written as a doc comment, attached to something or not."""
        return self.text.startswith("##")


@dataclass(frozen=True, slots=True, eq=False)
class Doc(Node):
    """The doc comment of a statement, field, enum member or table row: its lines, without `##`."""

    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines joined, without the white space around."""
        return "\n".join(self.lines).strip()
