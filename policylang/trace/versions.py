"""The versions that a decision depends on beside its policy."""

from __future__ import annotations

import zoneinfo
from functools import cache
from importlib import import_module, metadata
from pathlib import Path

from policylang import __version__


@cache
def versions() -> dict[str, str]:
    """policylang's, clingo's, and that of the time zone data that conversions to local time use."""
    return {"policylang": __version__, "clingo": metadata.version("clingo"), "tzdata": _zones()}


def _zones() -> str:
    """The version of the zone data where Python looks first: the system's, else that of the `tzdata` package."""
    for folder in map(Path, zoneinfo.TZPATH):
        if not (folder / "UTC").exists():
            continue
        try:
            with (folder / "tzdata.zi").open(encoding="utf-8") as file:
                first = file.readline()
        except OSError:
            return f"unknown version in {folder}"
        return first.removeprefix("# version ").strip()
    version: str = import_module("tzdata").IANA_VERSION
    return version
