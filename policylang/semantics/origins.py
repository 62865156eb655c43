"""Where nodes of a program were written."""

from __future__ import annotations

import re
from typing import Final

from policylang.diagnostics import Span
from policylang.semantics.program import Origin

_STRING_OR_COMMENT: Final = re.compile(r'"(?:\\.|[^"\\\n])*"|`[^`\n]*`|#[^\n]*')
_LINE_END: Final = re.compile(r"\s*\n\s*")


def origin_of(span: Span) -> Origin:
    """The span with its text as a reader quotes it: on one line, without comments."""
    text = span.text
    if "\n" in text:
        text = _STRING_OR_COMMENT.sub(lambda m: "" if m[0].startswith("#") else m[0], text)
        text = _LINE_END.sub(" ", text)
    return Origin(span, text)
