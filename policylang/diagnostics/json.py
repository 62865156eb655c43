"""Diagnostics as JSON, in a shape that problem matchers of editors and CI read.

    {"code": "PL0201", "severity": "error", "message": "unknown fact `ordr`",
     "file": "refunds.policy", "line": 3, "column": 6, "end_line": 3, "end_column": 10,
     "label": "not declared in this module", "hint": "did you mean `order`?",
     "notes": [], "related": [{"file": ..., "line": ..., ..., "message": ...}]}

Lines and columns count from 1, columns in code points, and the end is exclusive. What is absent
is null or an empty list, so that every diagnostic has the same keys. The keys are stable: new
ones may be added, none is renamed or removed.
"""

from __future__ import annotations

from typing import Any

from policylang.diagnostics.diagnostic import Diagnostic
from policylang.diagnostics.source import Span


def to_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """The diagnostic as plain dicts, lists, strings and numbers, ready for `json.dumps`."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        **_place(diagnostic.span),
        "label": diagnostic.label or None,
        "hint": diagnostic.hint,
        "notes": list(diagnostic.notes),
        "related": [{**_place(label.span), "message": label.text} for label in diagnostic.labels],
    }


def _place(span: Span | None) -> dict[str, Any]:
    if span is None:
        return dict.fromkeys(("file", "line", "column", "end_line", "end_column"))
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }
