"""What became of an action after it was decided, as a record of its own that names the decision."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

LONGEST_TEXT: Final = 10_000
"""Code points of a text in the arguments of an outcome; longer ones are cut, and say so."""

_DEEPEST: Final = 20


class Status(enum.Enum):
    """What became of an action."""

    EXECUTED = "executed"
    FAILED = "failed"
    SKIPPED = "skipped"
    COMPENSATED = "compensated"


def outcome_body(
    decision: str,
    status: Status,
    action: str | None,
    arguments: Mapping[str, object] | None,
    detail: str,
) -> dict[str, Any]:
    """What an `outcome` record says; `arguments` are those that were really called with."""
    body: dict[str, Any] = {"decision": decision, "status": status.value}
    if action is not None:
        body["action"] = _text(action)
    if arguments is not None:
        body["arguments"] = {
            _text(name): _form(value, 0) for name, value in arguments.items() if value is not None
        }
    if detail:
        body["detail"] = _text(detail)
    return body


def _form(value: object, depth: int) -> Any:
    """The JSON form of whatever a tool was called with; numbers stay exact, what has no form is its text."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return repr(value)
        case Decimal():
            return format(value, "f")
        case str():
            return _text(value)
        case Mapping() if depth < _DEEPEST:
            return {_text(str(key)): _form(item, depth + 1) for key, item in value.items()}
        case Sequence() if depth < _DEEPEST:
            return [_form(item, depth + 1) for item in value]
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    whole = text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return (
        whole
        if len(whole) <= LONGEST_TEXT
        else f"{whole[:LONGEST_TEXT]}... ({len(whole)} characters)"
    )
