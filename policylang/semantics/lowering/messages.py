"""Messages: the texts of `because` and `reads`, with their blanks."""

from __future__ import annotations

from policylang.semantics import codes
from policylang.semantics.lowering.conditions import EXPRESSIONS
from policylang.semantics.lowering.context import Scope
from policylang.semantics.program import Blank, Match, Message
from policylang.syntax import tree


def lower_message(scope: Scope, template: tree.Template, *, internal: bool = False) -> Message:
    """The message; its blanks may use the variables that `scope` binds, and read paths themselves."""
    parts: list[str | Blank] = []
    for part in template.parts:
        if isinstance(part, tree.TemplateText):
            parts.append(part.text)
        else:
            blank = _blank(scope, part)
            if blank is not None:
                parts.append(blank)
    return Message(tuple(parts), internal)


def _blank(scope: Scope, hole: tree.TemplateHole) -> Blank | None:
    reading = Scope(
        rule=scope.rule,
        parent=scope,
        items=(),
        bound=scope.bound,
        names={},
        binders={},
        slots=[[]],
        isolated=True,
    )
    value = EXPRESSIONS.lower(reading, hole.value)
    if value is None:
        return None
    reads = [literal for literal in reading.body() if isinstance(literal, Match)]
    if len(reads) < len(reading.body()):
        scope.rule.report(
            codes.BAD_TEMPLATE.at(
                hole.value.span,
                problem="a message cannot count or add up",
                label="an aggregate",
                hint="compute it in the condition, such as `N == count(...)`, and write `{N}`",
            )
        )
        return None
    return Blank(tuple(reads), value, hole.value.span.text)
