"""Statements to lines."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import assert_never

from policylang.diagnostics import Span
from policylang.syntax import tree as t
from policylang.syntax.printer import flat
from policylang.syntax.printer.layout import WIDTH, Layout, Line
from policylang.syntax.printer.rollouts import about_rollout
from policylang.syntax.printer.tests import fixture, test


def statement(layout: Layout, node: t.Statement) -> list[Line]:
    """The lines of a statement, without its comments."""
    match node:
        case t.UseStatement():
            alias = f" as {flat.name(node.alias)}" if node.alias else ""
            return _line(node, f"use {flat.path(node.module)}{alias}")
        case t.EnumStatement():
            return _enum(layout, node)
        case t.TypeStatement():
            prefix = f"type {flat.type_name(node.name)} = "
            return typed(layout, node.type, 0, prefix, "", node.span)
        case t.FactStatement() | t.ActionStatement():
            return _fact(layout, node)
        case t.GroupStatement():
            prefix = f"action group {flat.name(node.name)} = "
            return _from(node, layout.wrapped(node.members, 0, prefix))
        case t.ParamStatement():
            return _param(layout, node)
        case t.TableStatement():
            return _table(layout, node)
        case t.DefineStatement():
            return _define(layout, node)
        case t.DecisionStatement():
            return _decision(layout, node)
        case t.RuleStatement() | t.NeverStatement():
            return _rule(layout, node)
        case t.LimitStatement():
            return _limit(layout, node)
        case t.FixtureStatement():
            return fixture(layout, node)
        case t.TestStatement():
            return test(layout, node)
        case t.RolloutStatement() | t.CanaryStatement() | t.CriteriaStatement():
            return about_rollout(layout, node)
        case _:
            assert_never(node)


def header(node: t.ModuleHeader) -> list[Line]:
    """The line of a module's header."""
    version = f" version {node.version.text}" if node.version else ""
    return _line(node, f"module {flat.path(node.name)}{version}")


def _line(node: t.Node, text: str) -> list[Line]:
    return [Line(0, text, node.span.start, node.span.end)]


def _from(node: t.Node, lines: list[Line]) -> list[Line]:
    """The lines, of which the first begins where the node does."""
    first, *others = lines
    return [replace(first, start=node.span.start), *others]


# --- fields and types -----------------------------------------------------------------------------


def typed(
    layout: Layout, spec: t.TypeSpec, indent: int, prefix: str, suffix: str, span: Span
) -> list[Line]:
    """A type with what stands around it; a record type that is too long, or commented, is broken."""
    text = f"{prefix}{flat.type_spec(spec)}{suffix}"
    record = _record_in(spec)
    if record is None or (layout.fits(indent, text, span) and not _was_broken(layout, record)):
        return [Line(indent, text, span.start, span.end)]
    shown = flat.fields(record.fields)
    opening, _, closing = text.partition(shown)
    inner = fields(layout, record.fields, indent + 1)
    return [
        Line(indent, f"{opening}{{", span.start, record.span.start + 1),
        *inner,
        Line(indent, f"}}{closing}", record.span.end - 1, span.end, closes=True),
    ]


def _record_in(spec: t.TypeSpec) -> t.RecordType | None:
    match spec.base:
        case t.RecordType() as record:
            return record
        case t.SetType(element=element) | t.ListType(element=element):
            return _record_in(element)
        case _:
            return None


def _was_broken(layout: Layout, record: t.RecordType) -> bool:
    return bool(record.fields) and layout.broken(record.span.start, record.fields[0].span.start)


def fields(layout: Layout, nodes: Sequence[t.Field], indent: int, ending: str = "") -> list[Line]:
    """Fields, each on a line of its own, their types under each other."""
    width = max(len(flat.field_name(node.name)) for node in nodes) + 1 if nodes else 0
    lines: list[Line] = []
    for node in nodes:
        label = f"{flat.field_name(node.name)}:".ljust(width)
        suffix = flat.marked_type(node).removeprefix(flat.type_spec(node.type)) + ending
        first, *others = typed(layout, node.type, indent, f"{label} ", suffix, node.span)
        lines += [replace(first, loose=True), *others]
    return lines


def _enum(layout: Layout, node: t.EnumStatement) -> list[Line]:
    normalize = (
        f" normalize {', '.join(map(flat.name, node.normalizers))}" if node.normalizers else ""
    )
    head = f"enum {flat.type_name(node.name)}{normalize}"
    text = f"{head} {{ {', '.join(map(_member, node.members))} }}"
    last = node.normalizers[-1] if node.normalizers else node.name
    opening = layout.find("{", last.span.end)
    broken = layout.broken(opening, node.members[0].span.start)
    if not broken and layout.fits(0, text, node.span):
        return _line(node, text)
    inner = [
        Line(1, f"{_member(member)},", member.span.start, member.span.end, loose=True)
        for member in node.members
    ]
    return _braced(node, f"{head} {{", opening, inner)


def _member(node: t.EnumMember) -> str:
    spellings = ", ".join(spelling.text for spelling in node.spellings)
    return f"{flat.name(node.name)} ({spellings})" if spellings else flat.name(node.name)


def _braced(node: t.Node, head: str, opening: int, inner: list[Line]) -> list[Line]:
    first = Line(0, head, node.span.start, opening + 1)
    return [first, *inner, Line(0, "}", node.span.end - 1, node.span.end, closes=True)]


def _fact(layout: Layout, node: t.FactStatement | t.ActionStatement) -> list[Line]:
    word = node.cardinality.value if isinstance(node, t.FactStatement) else "action"
    head, end = f"{word} {flat.name(node.name)}", node.name.span.end
    if node.source is not None:
        head, end = f"{head} from {node.source.source.value}", node.source.span.end
    if isinstance(node, t.FactStatement) and node.file is not None:
        head, end = f"{head} from {node.file.text}", node.file.span.end
    if node.reads is not None:
        head, end = f"{head} reads {node.reads.text}", node.reads.span.end
    if not node.fields:
        empty = "" if isinstance(node, t.ActionStatement) else " {}"
        return _line(node, head + empty)
    text, opening = f"{head} {flat.fields(node.fields)}", layout.find("{", end)
    broken = layout.broken(opening, node.fields[0].span.start)
    if not broken and layout.fits(0, text, node.span):
        return _line(node, text)
    return _braced(node, f"{head} {{", opening, fields(layout, node.fields, 1))


def _param(layout: Layout, node: t.ParamStatement) -> list[Line]:
    prefix = f"param {flat.name(node.name)}: "
    text = f"{prefix}{flat.type_spec(node.type)} = "
    if _record_in(node.type) is None or not layout.commented(*_offsets(node.type)):
        return _from(node, layout.expression(node.value, 0, text, "", flat.SUM))
    *lines, last = typed(layout, node.type, 0, prefix, "", node.type.span)
    value = layout.expression(node.value, 0, f"{last.text} = ", "", flat.SUM)
    return _from(node, [*lines, replace(value[0], start=last.start, closes=True), *value[1:]])


def _offsets(node: t.Node) -> tuple[int, int]:
    return node.span.start, node.span.end


# --- tables ---------------------------------------------------------------------------------------


def _table(layout: Layout, node: t.TableStatement) -> list[Line]:
    reads = f" reads {node.reads.text}" if node.reads else ""
    rows = _rows(node.rows)
    brace = " {" if rows else " {}"
    columns = ", ".join(map(flat.field, node.columns))
    head = f"table {flat.name(node.name)} ({columns}){reads}{brace}"
    opening = layout.find("(", node.name.span.end)
    last = node.columns[-1].span.end if node.columns else opening + 1
    closing = layout.find(")", last)
    body = layout.find("{", node.reads.span.end if node.reads else closing)
    if len(head) <= WIDTH and not layout.commented(opening, closing):
        lines = [Line(0, head, node.span.start, body + 1)]
    else:
        lines = [
            Line(0, f"table {flat.name(node.name)} (", node.span.start, opening + 1),
            *fields(layout, node.columns, 1, ","),
            Line(0, f"){reads}{brace}", closing, body + 1, closes=True),
        ]
    return [*lines, *rows, Line(0, "}", *_close(node), closes=True)] if rows else lines


def _close(node: t.Node) -> tuple[int, int]:
    return node.span.end - 1, node.span.end


def _rows(rows: Sequence[t.TableRow]) -> list[Line]:
    """The rows, their cells under each other; numbers are aligned on the right."""
    texts = [[flat.expression(cell, flat.SUM) for cell in row.cells] for row in rows]
    widths = [max(map(_columns, column)) for column in zip_longest(*texts, fillvalue="")]
    lines = []
    for row, cells in zip(rows, texts, strict=True):
        padded = [
            _padded(cell, text, width)
            for cell, text, width in zip(row.cells, cells, widths, strict=False)
        ]
        lines.append(Line(1, f"| {' | '.join(padded)} |", *_offsets(row), loose=True))
    return lines


def _padded(cell: t.Expr, text: str, width: int) -> str:
    space = " " * (width - _columns(text))
    return space + text if isinstance(cell, t.IntLiteral | t.DecimalLiteral) else text + space


def _columns(text: str) -> int:
    """The columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


# --- definitions, decisions, rules ----------------------------------------------------------------


def _define(layout: Layout, node: t.DefineStatement) -> list[Line]:
    head, end = f"define {flat.name(node.name)}", node.name.span.end
    if node.parameters:
        head = f"{head}({', '.join(map(flat.expression, node.parameters))})"
        end = layout.find(")", node.parameters[-1].span.end) + 1
    first = [Line(0, head, node.span.start, end)]
    condition = node.condition
    clauses = [layout.expression(condition, 1, "if ")] if condition is not None else []
    return _with_clauses(layout, *_with_reads(layout, first, node.reads, clauses))


def _with_reads(
    layout: Layout, head: list[Line], reads: t.Template | None, clauses: list[list[Line]]
) -> tuple[list[Line], list[list[Line]]]:
    """A head with the sentence beside it, or below it where that is too long."""
    if reads is None:
        return head, clauses
    *lines, line = head
    text, end = f"reads {reads.text}", reads.span.end
    if len(line.text) + 1 + len(text) > WIDTH or layout.commented(line.end, end):
        return head, [[Line(1, text, reads.span.start, end)], *clauses]
    return [*lines, replace(line, text=f"{line.text} {text}", end=end)], clauses


def _decision(layout: Layout, node: t.DecisionStatement) -> list[Line]:
    default = f" default {flat.expression(node.default, flat.SUM)}" if node.default else ""
    end = node.default.span.end if node.default else node.type.span.end
    span = node.span.source.span(node.span.start, end)
    prefix = f"decision {flat.name(node.name)}: "
    head = typed(layout, node.type, 0, prefix, default, span)
    return _with_clauses(layout, *_with_reads(layout, head, node.reads, []))


def _rule(layout: Layout, node: t.RuleStatement | t.NeverStatement) -> list[Line]:
    word = "rule" if isinstance(node, t.RuleStatement) else "never"
    head = _from(node, _effect(layout, node.effect, f"{word} {flat.name(node.name)}: "))
    clauses: list[list[Line]] = []
    if node.condition is not None:
        clauses.append(layout.expression(node.condition, 1, "if "))
    if node.reason is not None:
        clauses.append(_because(node.reason))
    if isinstance(node, t.RuleStatement):
        if node.overrides:
            clauses.append(layout.wrapped(node.overrides, 1, "overrides "))
        if node.priority is not None:
            priority = f"priority {node.priority.text}"
            clauses.append([Line(1, priority, *_offsets(node.priority))])
    return _with_clauses(layout, head, clauses)


def _because(reason: t.Reason) -> list[Line]:
    internal = "internal " if reason.internal else ""
    return [Line(1, f"because {internal}{reason.template.text}", *_offsets(reason))]


def _effect(layout: Layout, node: t.Effect, prefix: str) -> list[Line]:
    match node:
        case t.AllowEffect():
            return layout.wrapped(node.actions, 0, f"{prefix}allow ")
        case t.DenyEffect():
            return layout.wrapped(node.actions, 0, f"{prefix}deny ")
        case t.SetEffect():
            text = f"{prefix}set {flat.path(node.decision)} = "
            return layout.expression(node.value, 0, text)
        case t.RequireEffect():
            text = f"{prefix}require {flat.name(node.requirement)}"
            return _duty(layout, node, text, "for")
        case t.ObligeEffect():
            return _duty(layout, node, f"{prefix}oblige {flat.name(node.name)}", "on")
        case _:
            assert_never(node)


def _duty(
    layout: Layout, node: t.RequireEffect | t.ObligeEffect, prefix: str, word: str
) -> list[Line]:
    given = flat.arguments(node.arguments) if node.arguments else ""
    text = f"{prefix}{given} {word} {flat.paths(node.actions)}"
    if layout.fits(0, text, node.span) or not node.arguments:
        return [Line(0, text, *_offsets(node))]
    name = node.requirement if isinstance(node, t.RequireEffect) else node.name
    opening = layout.find("(", name.span.end)
    closing = layout.find(")", node.arguments[-1].span.end)
    return [
        Line(0, f"{prefix}(", node.span.start, opening + 1),
        *layout.arguments(node.arguments, 1),
        Line(0, f") {word} {flat.paths(node.actions)}", closing, node.span.end, closes=True),
    ]


def _limit(layout: Layout, node: t.LimitStatement) -> list[Line]:
    measure = node.measure
    shown = (
        flat.path(measure.action)
        if isinstance(measure, t.CountMeasure)
        else f"sum({flat.expression(measure.value)})"
    )
    text = f"limit {flat.name(node.name)}: {shown} to "
    head = _from(node, layout.expression(node.maximum, 0, text, "", flat.SUM))
    clauses: list[list[Line]] = []
    if node.per:
        clauses.append(layout.wrapped(node.per, 1, "per "))
    if node.window is not None:
        clauses.append(layout.expression(node.window, 1, "in ", "", flat.SUM))
    if node.reason is not None:
        clauses.append(_because(node.reason))
    if node.overrides:
        clauses.append(layout.wrapped(node.overrides, 1, "overrides "))
    clauses.sort(key=lambda lines: lines[0].start)
    return _with_clauses(layout, _run_on(layout, head, clauses), clauses)


def _run_on(layout: Layout, head: list[Line], clauses: list[list[Line]]) -> list[Line]:
    """The head of a limit with the `per` and `in` that follow it, taken from the clauses."""
    while clauses and len(head) == 1 and len(clauses[0]) == 1:
        line, clause = head[0], clauses[0][0]
        text = f"{line.text} {clause.text}"
        between = layout.commented(line.end, clause.start)
        if not clause.text.startswith(("per ", "in ")) or len(text) > WIDTH or between:
            break
        head = [replace(line, text=text, end=clause.end)]
        del clauses[0]
    return head


def _with_clauses(layout: Layout, head: list[Line], clauses: list[list[Line]]) -> list[Line]:
    """A head with its clauses below, or with the only one beside it where it was written so."""
    clauses.sort(key=lambda lines: lines[0].start)
    match head, clauses:
        case [line], [[clause]]:
            text = f"{line.text} {clause.text}"
            apart = layout.broken(line.end, clause.start) or layout.commented(line.end, clause.end)
            if not apart and len(text) <= WIDTH:
                return [replace(line, text=text, end=clause.end)]
        case _:
            pass
    return [*head, *(line for clause in clauses for line in clause)]
