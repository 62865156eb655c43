"""Where the modules of a bundle lie: files, folders, resources of a package."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources.abc import Traversable
from os import PathLike
from pathlib import Path
from typing import Final, TypeAlias

from policylang.bundle import codes
from policylang.diagnostics import Diagnostic, Source
from policylang.syntax import decode_source, read_source

SUFFIX: Final = ".policy"
"""How the name of a module's file ends."""

MOST_FILES: Final = 10_000
"""The number of modules in one bundle."""

_DEEPEST: Final = 32

Location: TypeAlias = "str | PathLike[str] | Traversable"


def read_modules(*locations: Location) -> Iterator[Source | Diagnostic]:
    """The source of every module at the locations, or why it cannot be read; each file once.

    A file is read whatever it is called. Of a folder, every file below it that ends in `.policy` is read, in the order of
    their paths; folders whose names start with a dot or an underscore are passed over.
    """
    seen: set[str] = set()
    for location in locations:
        for found in _at(location):
            name = name_of(found)
            if name not in seen:
                seen.add(name)
                yield found


def name_of(found: Source | Diagnostic) -> str:
    """The name of what is read, or was to be."""
    if isinstance(found, Source):
        return found.name
    return str(found) if found.span is None else found.span.source.name


def folder_of(source: Source) -> Path:
    """The folder that data files named by a module are relative to: where the module's file lies."""
    return Path(source.name).parent


def _at(location: Location) -> Iterator[Source | Diagnostic]:
    if isinstance(location, Traversable) and not isinstance(location, Path):
        yield from _in_resource(location, location.name, 0)
        return
    path = Path(location)
    if _is_folder(path):
        yield from _in_folder(path)
    else:
        yield read_source(path)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        # A path that no file could have; that it cannot be read is told by who reads it.
        return False


def _in_folder(folder: Path) -> Iterator[Source | Diagnostic]:
    paths = sorted(path for path in _walk(folder, 0) if path.suffix == SUFFIX)
    if not paths:
        yield codes.NO_MODULES.at(Source(str(folder), "").whole, name=str(folder))
    if len(paths) > MOST_FILES:
        nowhere = Source(str(folder), "").whole
        yield codes.TOO_MANY_MODULES.at(nowhere, name=str(folder), most=MOST_FILES)
        return
    for path in paths:
        yield read_source(path)


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """The files below a folder. Links to folders are not followed: they may lead in a circle."""
    if depth > _DEEPEST:
        return
    for entry in folder.iterdir():
        if entry.is_dir():
            if not entry.is_symlink() and not entry.name.startswith((".", "_")):
                yield from _walk(entry, depth + 1)
        elif not entry.name.startswith("."):
            yield entry


def _in_resource(entry: Traversable, name: str, depth: int) -> Iterator[Source | Diagnostic]:
    if entry.is_file():
        yield decode_source(entry.read_bytes(), name)
        return
    if not entry.is_dir() or depth > _DEEPEST:
        yield codes.NO_MODULES.at(Source(name, "").whole, name=name)
        return
    for child in sorted(entry.iterdir(), key=lambda child: child.name):
        wanted = child.is_dir() or child.name.endswith(SUFFIX)
        if wanted and not child.name.startswith((".", "_")):
            yield from _in_resource(child, f"{name}/{child.name}", depth + 1)
