"""The files that ship beside the code: the standard library and the pages of diagnostics.

In a wheel, and in a zip of one, they lie inside the package. In a checkout, and so in an editable
install, they lie beside it, where people read and edit them.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

STDLIB_PREFIX: Final = "std"
"""The first part of the name of every module of the standard library: `std.approvals`."""


def stdlib_folder() -> Traversable:
    """Return the folder of the standard library, which may lie in a zip."""
    return _shipped("stdlib", "stdlib")


def stdlib_names() -> tuple[str, ...]:
    """Return the names of the modules that ship, without their prefix, sorted."""
    return tuple(sorted(_stems(stdlib_folder(), ".policy")))


def stdlib_source(name: str) -> bytes | None:
    """Return the source of the standard module `name` (`approvals`), or None where none is called so.

    The source is what lies in the file, not decoded: whoever parses modules says what is wrong
    with their bytes.
    """
    # A quoted name in a policy may hold slashes and dots: it is looked up, and never made a path.
    if name not in stdlib_names():
        return None
    return stdlib_folder().joinpath(f"{name}.policy").read_bytes()


def diagnostic_codes() -> tuple[str, ...]:
    """Return the codes of the diagnostics that have a page, sorted."""
    return tuple(sorted(_stems(_diagnostics_folder(), ".md") - {"index"}))


def diagnostic_page(code: str) -> str | None:
    """Return the page of the diagnostic `code` as Markdown, or None where there is no page for it."""
    if code not in diagnostic_codes():
        return None
    return _diagnostics_folder().joinpath(f"{code}.md").read_text(encoding="utf-8")


def _diagnostics_folder() -> Traversable:
    return _shipped("pages/diagnostics", "docs/reference/diagnostics")


def _shipped(in_package: str, in_checkout: str) -> Traversable:
    inside = files("policylang").joinpath(in_package)
    return inside if inside.is_dir() else Path(__file__).parent.parent / in_checkout


def _stems(folder: Traversable, suffix: str) -> set[str]:
    if not folder.is_dir():
        return set()
    return {
        entry.name.removesuffix(suffix) for entry in folder.iterdir() if entry.name.endswith(suffix)
    }
