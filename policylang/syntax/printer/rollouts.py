"""Statements about rollouts to lines."""

from __future__ import annotations

from typing import assert_never

from policylang.syntax import tree as t
from policylang.syntax.printer import flat
from policylang.syntax.printer.layout import Layout, Line


def about_rollout(
    layout: Layout, node: t.RolloutStatement | t.CanaryStatement | t.CriteriaStatement
) -> list[Line]:
    """The lines of a statement about the rollout of its module."""
    match node:
        case t.RolloutStatement():
            return [Line(0, f"rollout by {flat.path(node.key)}", node.span.start, node.span.end)]
        case t.CanaryStatement():
            return _canary(layout, node)
        case t.CriteriaStatement():
            return _criteria(layout, node)
        case _:
            assert_never(node)


def _canary(layout: Layout, node: t.CanaryStatement) -> list[Line]:
    """`canary if` on one line where it fits, else its condition below."""
    text = f"canary if {flat.expression(node.condition)}"
    start, end = node.span.start, node.span.end
    if layout.fits(0, text, node.span) and not layout.broken(start, node.condition.span.start):
        return [Line(0, text, start, end)]
    return [Line(0, "canary", start, start), *layout.expression(node.condition, 1, "if ")]


def _criteria(layout: Layout, node: t.CriteriaStatement) -> list[Line]:
    """Criteria on one line where they fit and were written so, else broken after the colon."""
    head = f"{node.purpose.value} when {flat.field_name(node.stage)}:"
    lasting = f" for {node.lasting.text}" if node.lasting is not None else ""
    text = f"{head} {flat.expression(node.condition)}{lasting}"
    start, end = node.span.start, node.span.end
    colon = layout.find(":", node.stage.span.end)
    if layout.fits(0, text, node.span) and not layout.broken(colon, node.condition.span.start):
        return [Line(0, text, start, end)]
    lines = [Line(0, head, start, colon + 1), *layout.expression(node.condition, 1)]
    if node.lasting is not None:
        lines.append(Line(1, lasting.lstrip(), node.lasting.span.start, end))
    return lines
