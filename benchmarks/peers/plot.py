"""Horizontal bars on a logarithmic axis and lines on two of them, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

_ROW, _LEFT, _WIDTH = 24, 190, 720
_COLOURS = ("#20639b", "#ed553b", "#3caea3", "#b8860b", "#6a4c93", "#555555")


def bars(title: str, values: Sequence[tuple[str, float]], unit: str) -> str:
    """One bar for each name; the axis is logarithmic, since peers lie far apart."""
    low = 10 ** math.floor(math.log10(min(value for _, value in values)))
    high = 10 ** math.ceil(math.log10(max(value for _, value in values)))
    scale = (_WIDTH - _LEFT - 90) / (math.log10(high / low) or 1)
    parts = [_text(10, 22, title, "bold")]
    for row, (name, value) in enumerate(values):
        y = 40 + row * _ROW
        width = max(math.log10(value / low) * scale, 1)
        colour = _COLOURS[1] if name.startswith("policylang") else _COLOURS[0]
        parts.append(_text(10, y + 13, name))
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="16" fill="{colour}"/>')
        parts.append(_text(_LEFT + width + 6, y + 13, f"{value:,.1f} {unit}"))
    return _svg(_WIDTH, 50 + len(values) * _ROW, parts)


def lines(
    title: str, series: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str
) -> str:
    """One line for each name over two logarithmic axes."""
    points = [point for line in series.values() for point in line]
    left, right = (choose(x for x, _ in points) for choose in (min, max))
    low, high = (choose(y for _, y in points) for choose in (min, max))
    wide, tall = 460.0, 260.0

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            70 + wide * math.log(x / left) / (math.log(right / left) or 1),
            40 + tall - tall * math.log(y / low) / (math.log(high / low) or 1),
        )

    parts = [_text(10, 22, title, "bold"), _text(260, 335, across), _text(10, 38, up)]
    parts += [_text(place(x, low)[0] - 10, 318, f"{x:,.0f}") for x in (left, right)]
    parts += [_text(8, place(left, y)[1] + 4, f"{y:,.3g}") for y in (low, high)]
    for number, (name, line) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(550, 60 + 20 * number, name, colour=colour))
    return _svg(_WIDTH, 345, parts)


def _text(x: float, y: float, text: str, weight: str = "normal", colour: str = "#222222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}" fill="{colour}">{escape(text)}</text>'


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    )
    return "\n".join([head, *parts, "</svg>", ""])
