"""Sources, spans, diagnostics and their codes, and how they are written out.

Everything else in policylang may import this package; it imports nothing but the errors.
"""

from policylang.diagnostics.codes import Code, declare, declared
from policylang.diagnostics.diagnostic import (
    Diagnostic,
    Label,
    Severity,
    has_errors,
    in_source_order,
)
from policylang.diagnostics.json import to_json
from policylang.diagnostics.source import Source, Span
from policylang.diagnostics.text import Style, plain, render, visible

__all__ = [
    "Code",
    "Diagnostic",
    "Label",
    "Severity",
    "Source",
    "Span",
    "Style",
    "declare",
    "declared",
    "has_errors",
    "in_source_order",
    "plain",
    "render",
    "to_json",
    "visible",
]
