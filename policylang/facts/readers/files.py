"""JSON and JSONL files as rows, read exactly: every number from its own digits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from policylang.diagnostics import Diagnostic
from policylang.facts import codes
from policylang.facts.forms import Unfit
from policylang.facts.json_text import LARGEST, read_json


class Given(NamedTuple):
    """One row as it was given: where it stands in its file, and its fields, or why it is none."""

    place: str
    fields: Any


class Unreadable(Exception):  # noqa: N818 - it is a finding about a file
    """A file that gives no rows at all."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def diagnostic(self, name: str, hint: str) -> Diagnostic:
        """What to tell of the file, under this name."""
        return codes.UNREADABLE_FILE.at(None, name=name, detail=self.detail, hint=hint)


def read_json_file(path: Path) -> Iterator[Given]:
    """The objects of a JSON file that holds a list of them; raises `Unreadable`."""
    try:
        found = read_json(path.read_bytes())
    except Unfit as unfit:
        raise Unreadable(f"this is not JSON: {unfit.detail}") from None
    except OSError as error:
        raise Unreadable(error.strerror or "it cannot be opened") from None
    if not isinstance(found, list):
        raise Unreadable("a list of objects is expected")
    for number, row in enumerate(found, 1):
        yield Given(f"row {number}", row)


def read_lines(path: Path) -> Iterator[Given]:
    """The objects of a JSONL file, one a line; a line that is no JSON is given as its `Unfit`."""
    try:
        with path.open("rb") as lines:
            for number, line in numbered_lines(lines):
                yield Given(f"line {number}", parsed(line))
    except OSError as error:
        raise Unreadable(error.strerror or "it cannot be opened") from None


def numbered_lines(lines: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers; one longer than `LARGEST` is cut and so no JSON."""
    number = 0
    while line := lines.readline(LARGEST + 1):
        number += 1
        whole = line
        while len(line) > LARGEST and not line.endswith(b"\n"):
            line = lines.readline(LARGEST + 1)
        if whole.strip():
            yield number, whole


def parsed(line: bytes) -> Any:
    """What a line of JSON says, or the `Unfit` of why it says nothing."""
    try:
        return read_json(line)
    except Unfit as unfit:
        return Unfit(unfit.code, f"this is not JSON: {unfit.detail}")
