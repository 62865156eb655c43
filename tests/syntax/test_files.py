"""Bad files: each is one clear diagnostic, before anything is parsed."""

from __future__ import annotations

from pathlib import Path

import pytest

from policylang.diagnostics import Diagnostic, Source
from policylang.syntax import decode_source, format_source, parse, read_source
from policylang.syntax.files import MOST_BYTES


def _refused(found: Source | Diagnostic) -> Diagnostic:
    assert isinstance(found, Diagnostic)
    return found


def _read(content: bytes) -> Source:
    source = decode_source(content, "a.policy")
    assert isinstance(source, Source)
    return source


@pytest.mark.parametrize(("name", "problem"), [("none.policy", "no such"), ("", "is a directory")])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str, problem: str) -> None:
    """A path without a file, or to a folder, is reported under its name."""
    path = tmp_path / name
    found = _refused(read_source(path, name="shown"))
    assert found.code == "PL0001"
    assert found.message.startswith(f"cannot read `shown`: {problem}")


def test_a_path_with_a_nul_is_no_file() -> None:
    """A path that no file can have is reported as one that is not there."""
    assert _refused(read_source("a\0b")).code == "PL0001"


def test_bytes_that_are_not_utf8_are_pointed_at() -> None:
    """The first wrong byte is named with its offset."""
    found = _refused(decode_source(b"rule a: \xff", "a.policy"))
    assert (found.code, found.message) == (
        "PL0002",
        "`a.policy` is not UTF-8: byte 0xff at offset 8",
    )


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    """A file of a hundred megabytes is refused after its first; one of the most bytes is read."""
    path = tmp_path / "large.policy"
    with path.open("wb") as file:
        file.truncate(100 * MOST_BYTES)
    assert _refused(read_source(path)).code == "PL0003"
    assert isinstance(decode_source(b"#" * MOST_BYTES, "a"), Source)
    (found,) = parse(Source("a", "#" * (MOST_BYTES + 1))).diagnostics
    assert found.code == "PL0003"


@pytest.mark.parametrize("text", ["", " \n\t\n", "# nothing\n", "\ufeff"])
def test_an_empty_file_is_said_to_be_empty(text: str) -> None:
    """A file without statements has no module."""
    result = parse(Source("a.policy", text))
    assert (result.module, [found.code for found in result.diagnostics]) == (None, ["PL0005"])


@pytest.mark.parametrize(
    "character", ["\0", "\x1b", "\x0b", "\x0c", "\x7f", "\x85", "\u2028", "\ud800"]
)
def test_control_characters_are_refused(character: str) -> None:
    """Wherever it stands, in a string or comment too, a control character is an error."""
    for text in (
        f"use a{character}b",
        f'rule a: allow b because "{character}"',
        f"# {character}\nuse a",
    ):
        result = parse(Source("a", text))
        assert result.module is None
        assert [found.code for found in result.diagnostics] == ["PL0004"]


@pytest.mark.parametrize("character", ["\u202e", "\u202a", "\u2066", "\u2069"])
def test_text_that_shows_in_another_order_is_refused(character: str) -> None:
    """A policy reads as it is: nothing in it turns text around."""
    result = parse(Source("a", f'rule a: allow b if x == "{character}"'))
    assert [found.code for found in result.diagnostics] == ["PL0006"]


def test_line_ends_and_marks_make_no_difference() -> None:
    """LF, CRLF and a byte order mark give the same policy, formatted with LF."""
    text = 'module m\n\n# c\nrule a: allow b\n  if x == "1"\n'
    for variant in (text, text.replace("\n", "\r\n"), "\ufeff" + text):
        source = _read(variant.encode())
        assert format_source(source) == text
    assert format_source(Source("a", "\ufeff" + text)) == text


def test_a_lone_carriage_return_is_refused() -> None:
    """It ends a line for some readers and not for others, and could hide a statement in a comment."""
    result = parse(Source("a", "# note\rrule a: allow b\nuse x"))
    assert [found.code for found in result.diagnostics] == ["PL0004"]
