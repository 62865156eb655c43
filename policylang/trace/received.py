"""What was received of a request that was refused: kept, so that another version can be asked about it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from policylang.bundle.bundle import Request

LONGEST_RECEIVED: Final = 64 << 10
"""Characters of a request that are kept; of a longer one only how long it was."""

_DEEPEST: Final = 100


def received_form(request: Request) -> dict[str, Any]:
    """`{"text": ...}`, or `{"characters": N}` where it is too long or has no text."""
    try:
        text = _text(request)
    except (ValueError, RecursionError):
        return {"characters": 0}
    return {"text": text} if len(text) <= LONGEST_RECEIVED else {"characters": len(text)}


def _text(request: Request) -> str:
    if isinstance(request, bytes):
        return request.decode("utf-8", "replace")
    if isinstance(request, str):
        return request.encode("utf-8", "replace").decode()
    form = json.dumps(_form(request, 0), ensure_ascii=False)
    return form.encode("utf-8", "replace").decode()


def _form(value: object, depth: int) -> Any:
    """The JSON form of an object of a request, as the border would read it; numbers stay exact."""
    if depth > _DEEPEST:
        raise ValueError("too deep")
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return repr(value)
        case Decimal():
            return format(value, "f")
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case Mapping():
            return {str(key): _form(item, depth + 1) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_form(item, depth + 1) for item in value]
        case _:
            return str(value)
