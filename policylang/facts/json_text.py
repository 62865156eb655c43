"""JSON text to Python objects, exactly and strictly: what every request and data file goes through. And back.

A number with a point or an exponent becomes a `Decimal` of its very digits, a whole number an
`int`. A key given twice, NaN, Infinity, half a surrogate pair, more than `DEEPEST` levels and numbers of
thousands of digits are refused, in time linear in the text.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import jiter
from pydantic_core import PydanticSerializationError, to_json

from policylang.facts import codes
from policylang.facts.forms import Unfit

DEEPEST: Final = 200
"""Levels of nesting that are read."""

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of one request."""


def read_json(text: str | bytes | bytearray | memoryview) -> Any:
    """The object that a JSON text stands for; raises `Unfit` with the place of the first error."""
    try:
        raw = text.encode() if isinstance(text, str) else bytes(text)
    except UnicodeEncodeError as error:
        raise Unfit(
            codes.NOT_JSON, f"half of a surrogate pair at character {error.start + 1}"
        ) from None
    if len(raw) > LARGEST:
        raise Unfit(codes.NOT_JSON, f"{len(raw)} bytes are more than a request may have")
    try:
        return jiter.from_json(
            raw, allow_inf_nan=False, catch_duplicate_keys=True, float_mode="decimal"
        )
    except ValueError as error:
        raise _refusal(raw, str(error)) from None


def write_json(form: Any) -> str:
    """The text of dicts, lists, strings, ints and bools in one line, without spaces and escapes that nobody needs."""
    try:
        return to_json(form).decode()
    except PydanticSerializationError:
        # Half a surrogate pair: only Python's own writer can write it.
        return json.dumps(form, ensure_ascii=False, separators=(",", ":"))


_DUPLICATE: Final = re.compile(r'Detected duplicate key (".*") (at line .*)', re.DOTALL)


def _refusal(raw: bytes, message: str) -> Unfit:
    if match := _DUPLICATE.fullmatch(message):
        key = match[1] if len(match[1]) <= 60 else f"{match[1][:57]}..."
        return Unfit(codes.DUPLICATE_MEMBER, f"{key} {match[2]}")
    if raw.startswith(b"\xef\xbb\xbf"):
        return Unfit(codes.NOT_JSON, "it starts with a byte order mark")
    if not raw.strip():
        return Unfit(codes.NOT_JSON, "it is empty")
    if message.startswith("Internal error"):
        place = message.rpartition(" at line ")[2]
        return Unfit(codes.NOT_JSON, f"number out of range at line {place}")
    if message.startswith("recursion limit exceeded"):
        place = message.rpartition(" at line ")[2]
        return Unfit(codes.NOT_JSON, f"more than {DEEPEST} levels of nesting at line {place}")
    return Unfit(codes.NOT_JSON, message)
