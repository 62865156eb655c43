"""Where the settings of a project are written: `policylang.toml`, or a table of `pyproject.toml`."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from policylang.bundle import codes
from policylang.errors import PolicyInvalid

OWN_FILE: Final = "policylang.toml"
PROJECT_FILE: Final = "pyproject.toml"
TABLE: Final = "tool.policylang"


def written_settings(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The nearest file with settings, upward from a folder, and what it says; None where there is none.

    Raises `PolicyInvalid` where a file cannot be read, or is no TOML.
    """
    for place in (folder, *folder.parents):
        for name in (OWN_FILE, PROJECT_FILE):
            found = _table(place / name)
            if found is not None:
                return place / name, found
    return None


def _table(file: Path) -> dict[str, Any] | None:
    """The settings as they are written, or None where this file has none."""
    try:
        text = file.read_bytes().decode()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(file, (error.strerror or str(error)).lower()) from error
    except UnicodeDecodeError as error:
        problem = f"it is not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}"
        raise _unreadable(file, problem) from error
    if file.name == PROJECT_FILE and "policylang" not in text:
        return None
    try:
        # Exactness: a param is read from its digits, never through a float.
        table: Any = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        raise _unreadable(file, f"it is not TOML: {said[:1].lower()}{said[1:]}") from error
    if file.name == OWN_FILE:
        return dict(table)
    tools = table.get("tool")
    own = tools.get("policylang") if isinstance(tools, dict) else None
    if own is not None and not isinstance(own, dict):
        raise _unreadable(file, f"`{TABLE}` is not a table")
    return own


def _unreadable(file: Path, problem: str) -> PolicyInvalid:
    return PolicyInvalid([codes.UNREADABLE_SETTINGS.at(None, name=file, problem=problem)])
