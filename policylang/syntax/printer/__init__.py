"""The formatter: a syntax tree and its comments to text.

The text parses to the same tree, has every comment, and is what formatting it again gives. Lines are
at most 100 columns where the parts allow it (strings and names are never broken).
"""

from __future__ import annotations

from dataclasses import replace

from policylang.diagnostics import Diagnostic, Source, has_errors
from policylang.errors import InternalError
from policylang.syntax import tree as t
from policylang.syntax.parser import parse
from policylang.syntax.printer.comments import assemble
from policylang.syntax.printer.layout import Layout, Line
from policylang.syntax.printer.statements import header, statement

_MOST_PASSES = 8

__all__ = ["format_module", "format_source"]


def format_source(source: Source) -> str | tuple[Diagnostic, ...]:
    """The text of a source in the one format; or the diagnostics that keep it from being read."""
    result = parse(source)
    if result.module is None or has_errors(result.diagnostics):
        return result.diagnostics
    return format_module(result.module)


def format_module(module: t.Module) -> str:
    """The text of a module that was parsed without errors, which ends with a line end."""
    text = _printed(module)
    # A comment that moved out of a line, or to its end, can leave a line short enough to be joined.
    for _ in range(_MOST_PASSES if module.comments else 0):
        again = parse(Source(module.span.source.name, text)).module
        if again is None:
            raise InternalError("the formatter's output cannot be parsed")
        text, before = _printed(again), text
        if text == before:
            break
    return text


def _printed(module: t.Module) -> str:
    """The text of a module, as its own layout gives it."""
    layout = Layout(module.span.source, module.comments)
    lines: list[Line] = header(module.header) if module.header else []
    before: t.Statement | t.ModuleHeader | None = module.header
    for node in module.statements:
        first, *others = statement(layout, node)
        apart = _apart(before, node, others, lines)
        lines += [replace(first, apart=apart, loose=True), *others]
        before = node
    return assemble(module, lines)


def _apart(
    before: t.Statement | t.ModuleHeader | None,
    node: t.Statement,
    others: list[Line],
    lines: list[Line],
) -> bool:
    """Whether an empty line must stand before a statement: around those of many lines, mostly."""
    if before is None or isinstance(before, t.ModuleHeader):
        return before is not None
    if isinstance(before, t.DefineStatement) and isinstance(node, t.DefineStatement):
        return before.name.text != node.name.text and bool(others)
    return bool(others) or lines[-1].start != before.span.start
