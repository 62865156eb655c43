"""Tests and fixtures to lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from policylang.syntax import tree as t
from policylang.syntax.printer import flat
from policylang.syntax.printer.layout import Layout, Line


def fixture(layout: Layout, node: t.FixtureStatement) -> list[Line]:
    """The lines of a fixture."""
    head = f"fixture {flat.name(node.name)} {{"
    opening = layout.find("{", node.name.span.end)
    if not node.given and not layout.commented(opening, node.span.end):
        return [Line(0, f"{head}}}", node.span.start, node.span.end)]
    return [
        Line(0, head, node.span.start, opening + 1),
        *_items(layout, node.given, 1),
        Line(0, "}", node.span.end - 1, node.span.end, closes=True),
    ]


def test(layout: Layout, node: t.TestStatement) -> list[Line]:
    """The lines of a test."""
    opening = layout.find("{", node.title.span.end)
    action, span = node.when.action, node.when.span
    when = layout.record_after(action, node.when.fields, 1, f"when {flat.path(action)}", span)
    return [
        Line(0, f"test {node.title.text} {{", node.span.start, opening + 1),
        *_given(layout, node, opening + 1),
        replace(when[0], loose=True),
        *when[1:],
        *(line for expected in node.expectations for line in _expectation(layout, expected)),
        Line(0, "}", node.span.end - 1, node.span.end, closes=True),
    ]


def _given(layout: Layout, node: t.TestStatement, start: int) -> list[Line]:
    if not node.given:
        return []
    opening = layout.find("{", start)
    closing = layout.find("}", node.given[-1].span.end)
    items = _items(layout, node.given, 2)
    if len(items) == 1:
        text = f"given {{ {items[0].text} }}"
        span = node.span.source.span(start, closing + 1)
        if not layout.broken(opening, items[0].start) and layout.fits(1, text, span):
            return [Line(1, text, items[0].start, closing + 1, loose=True)]
    return [
        Line(1, "given {", opening, opening + 1, loose=True),
        *items,
        Line(1, "}", closing, closing + 1, closes=True),
    ]


def _items(layout: Layout, nodes: Sequence[t.Given], indent: int) -> list[Line]:
    lines: list[Line] = []
    for node in nodes:
        first, *others = _item(layout, node, indent)
        lines += [replace(first, loose=True), *others]
    return lines


def _item(layout: Layout, node: t.Given, indent: int) -> list[Line]:
    span = node.span
    match node:
        case t.GivenFixture():
            text = f"use {flat.path(node.fixture)}"
        case t.GivenNow():
            text = f"now = {node.value.text}"
        case t.GivenApproval():
            moment = f" at {node.at.text}" if node.at else ""
            text = f"approved({node.by.text}){moment}"
        case t.GivenFact():
            source = f" from {node.source.source.value}" if node.source else ""
            text = f"{flat.path(node.fact)}{source}"
            if node.fields:
                after = node.source or node.fact
                return layout.record_after(after, node.fields, indent, text, span)
            text = f"{text} {{}}"
        case t.GivenEarlier():
            outcome = f" {node.outcome.value}" if node.outcome else ""
            return layout.record_after(
                node.action,
                node.fields,
                indent,
                f"earlier {flat.path(node.action)}",
                span,
                f" at {node.at.text}{outcome}",
            )
        case _:
            assert_never(node)
    return [Line(indent, text, span.start, span.end)]


def _expectation(layout: Layout, node: t.Expectation) -> list[Line]:
    match node:
        case t.ExpectOutcome():
            text = f"expect {node.outcome.value}"
            if node.rules:
                text += f" by {flat.paths(node.rules)}"
            if node.at is not None:
                at = node.at.text if isinstance(node.at, t.StringLiteral) else flat.path(node.at)
                text += f" at {at}"
        case t.ExpectValue():
            prefix = f"expect {flat.path(node.decision)} = "
            lines = layout.expression(node.value, 1, prefix, "", flat.SUM)
            return [replace(lines[0], start=node.span.start, loose=True), *lines[1:]]
        case t.ExpectObligation():
            given = "" if node.arguments is None else flat.arguments(node.arguments)
            text = f"expect oblige {flat.name(node.name)}{given}"
        case t.ExpectViolated():
            text = f"expect violated {flat.path(node.never)}"
        case _:
            assert_never(node)
    return [Line(1, text, node.span.start, node.span.end, loose=True)]
