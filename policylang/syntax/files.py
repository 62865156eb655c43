"""Files to sources, and the texts that are refused before they are parsed."""

from __future__ import annotations

import re
import unicodedata
from os import PathLike
from pathlib import Path

from policylang.diagnostics import Diagnostic, Source
from policylang.syntax import codes

MOST_BYTES = 1 << 20
"""The size of a policy file, in bytes of UTF-8."""

_MOST_CHARACTERS = 20
_suspect = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u2028\u2029\ud800-\udfff]"
    "|\r(?!\n)|[\u202a-\u202e\u2066-\u2069]"
)


def read_source(
    path: str | PathLike[str], *, name: str | None = None, most: int = MOST_BYTES
) -> Source | Diagnostic:
    """The source in a file, reported under `name` or else its path; or why there is none.

    A byte order mark is dropped. Line ends stay as they are. No more than `most` bytes are read.
    """
    shown = name if name is not None else str(path)
    nowhere = Source(shown, "").whole
    try:
        with Path(path).open("rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        return codes.UNREADABLE_FILE.at(nowhere, name=shown, problem=problem.lower())
    return decode_source(content, shown, most=most)


def decode_source(content: bytes, name: str, *, most: int = MOST_BYTES) -> Source | Diagnostic:
    """The source in the bytes of a file; or why there is none."""
    nowhere = Source(name, "").whole
    if len(content) > most:
        return codes.FILE_TOO_LARGE.at(nowhere, name=name, limit=most)
    try:
        return Source(name, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        byte = f"0x{content[error.start]:02x}"
        return codes.NOT_UTF8.at(nowhere, name=name, byte=byte, offset=error.start)


def text_problems(source: Source) -> tuple[Diagnostic, ...]:
    """What keeps a text from being parsed at all: its size, and characters that no policy holds."""
    if len(source.text) > MOST_BYTES:
        return (codes.FILE_TOO_LARGE.at(source.whole, name=source.name, limit=MOST_BYTES),)
    found = []
    for match in _suspect.finditer(source.text):
        found.append(_suspect_character(source, match.start()))
        if len(found) == _MOST_CHARACTERS:
            break
    return tuple(found)


def _suspect_character(source: Source, offset: int) -> Diagnostic:
    character = source.text[offset]
    span = source.span(offset, offset + 1)
    name = unicodedata.name(character, "")
    shown = f"U+{ord(character):04X}" + (f" ({name.lower()})" if name else "")
    if "\u2000" < character < "\ud800" and character not in "\u2028\u2029":
        return codes.HIDDEN_CHARACTER.at(span, character=shown, escape=_escape(character))
    hint = None
    if character == "\r":
        hint = "lines end with a line feed, or a carriage return and a line feed"
    elif character == "\0" or "\ud800" <= character < "\ue000":
        hint = "remove it: no text of a policy or a request may hold it"
    escape = _escape(character)
    return codes.CONTROL_CHARACTER.at(span, character=shown, escape=escape, hint=hint)


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}"
