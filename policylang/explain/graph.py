"""Explanations as pictures: Mermaid, SVG and a page of HTML, each complete in itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

from policylang.explain.tree import Node, Tone

MOST_NODES: Final = 400
"""Lines of one picture; the others are counted."""

LONGEST: Final = 140
"""Characters of one line of a picture."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """A node at its place: its number, its parent's, and how deep it stands."""

    node: Node
    number: int
    parent: int | None
    depth: int


def _placed(tree: Node) -> Iterator[_Placed]:
    """The nodes of a tree from its root down, each below its parent."""
    stack: list[tuple[Node, int | None, int]] = [(tree, None, 0)]
    number = 0
    while stack and number < MOST_NODES:
        node, parent, depth = stack.pop()
        yield _Placed(node, number, parent, depth)
        stack.extend((child, number, depth + 1) for child in reversed(node.children))
        number += 1
    if stack:
        yield _Placed(Node(f"and more: {len(stack)} branches", Tone.NOTE), number, 0, 1)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


# --- Mermaid ------------------------------------------------------------------------------------------------

_SHAPES: Final = {Tone.RULE: ("[", "]"), Tone.FACT: ("([", "])"), Tone.NOTE: ("[/", "/]")}
_CLASSES: Final = (
    "classDef fails fill:#fdd,stroke:#b00",
    "classDef holds fill:#dfd,stroke:#070",
    "classDef unbound fill:#eee,stroke:#888,stroke-dasharray:3",
)


def mermaid(tree: Node) -> str:
    """The tree as a Mermaid flowchart, what a conclusion stands on below it."""
    lines = ["flowchart TD"]
    used = set()
    for placed in _placed(tree):
        opening, closing = _SHAPES.get(placed.node.tone, ("(", ")"))
        text = f'{opening}"{_mermaid_text(placed.node.text)}"{closing}'
        marked = placed.node.tone in (Tone.FAILS, Tone.HOLDS, Tone.UNBOUND)
        lines.append(f"  n{placed.number}{text}" + (f":::{placed.node.tone}" if marked else ""))
        if marked:
            used.add(str(placed.node.tone))
        if placed.parent is not None:
            lines.append(f"  n{placed.parent} --> n{placed.number}")
    lines += [f"  {line}" for line in _CLASSES if line.split()[1] in used]
    return "\n".join(lines)


def _mermaid_text(text: str) -> str:
    """The text with the characters that Mermaid reads otherwise as entities of its own."""
    return "".join(c if c.isalnum() or c in " _.,:()+-*" else f"#{ord(c)};" for c in _cut(text))


# --- SVG ----------------------------------------------------------------------------------------------------

_ROW: Final = 22
_INDENT: Final = 20
_MARGIN: Final = 12
_WIDTH_OF_LETTER: Final = 7.9
_COLOURS: Final = {
    Tone.RULE: "#1a4480",
    Tone.FACT: "#333333",
    Tone.CHECK: "#333333",
    Tone.ABSENT: "#6b4e00",
    Tone.HOLDS: "#1b6b2f",
    Tone.FAILS: "#a4161a",
    Tone.UNBOUND: "#767676",
    Tone.NOTE: "#767676",
}


def svg(tree: Node) -> str:
    """The tree as an SVG image that needs nothing else: indented lines joined by strokes."""
    placed = list(_placed(tree))
    rows = {p.number: i for i, p in enumerate(placed)}
    letters = max(p.depth * _INDENT / _WIDTH_OF_LETTER + len(_cut(p.node.text)) for p in placed)
    width = round(2 * _MARGIN + letters * _WIDTH_OF_LETTER)
    height = 2 * _MARGIN + _ROW * len(placed)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="ui-monospace, monospace" font-size="13">',
        f"<title>{_xml(tree.text)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for row, place in enumerate(placed):
        if place.parent is not None:
            parts.append(_stroke(place.depth, rows[place.parent], row))
        parts.append(_line(place, row))
    return "\n".join([*parts, "</svg>"])


def _stroke(depth: int, above: int, row: int) -> str:
    x = _MARGIN + (depth - 1) * _INDENT + 6
    top, middle = _MARGIN + (above + 1) * _ROW, _MARGIN + row * _ROW + _ROW // 2
    return f'<path d="M{x} {top}V{middle}H{x + 10}" fill="none" stroke="#b0b0b0"/>'


def _line(place: _Placed, row: int) -> str:
    x, y = _MARGIN + place.depth * _INDENT, _MARGIN + row * _ROW + 16
    weight = ' font-weight="bold"' if place.node.tone is Tone.RULE else ""
    colour = _COLOURS[place.node.tone]
    return f'<text x="{x}" y="{y}" fill="{colour}"{weight}>{_xml(_cut(place.node.text))}</text>'


def _xml(text: str) -> str:
    """The text for XML, without the control characters that XML cannot hold."""
    return escape(
        "".join(c if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff") else "�" for c in text)
    )


# --- HTML ---------------------------------------------------------------------------------------------------


def html(tree: Node, title: str) -> str:
    """A page that shows the tree as a picture; it loads nothing and runs nothing."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f"<title>{_xml(title)}</title>",
            "<style>body{font-family:system-ui,sans-serif;margin:2rem}svg{max-width:none}</style>",
            f"</head><body><h1>{_xml(title)}</h1>",
            svg(tree),
            "</body></html>",
        ]
    )
