"""Named audits: SQL files with a title and parameters.

    -- Denials, counted by reason.
    -- param: since = 1970-01-01
    SELECT ... WHERE decided_at >= CAST($since AS TIMESTAMP)

Parameters are values of the query, never text in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_SUFFIX: Final = ".sql"
_PARAM: Final = "-- param: "


@dataclass(frozen=True, slots=True)
class Audit:
    """A question with a name: its title, its parameters with their defaults, and its query."""

    name: str
    title: str
    params: Mapping[str, str]
    sql: str


def audit_names() -> tuple[str, ...]:
    """The names of the audits that ship, sorted."""
    return tuple(
        sorted(
            e.name.removesuffix(_SUFFIX) for e in _folder().iterdir() if e.name.endswith(_SUFFIX)
        )
    )


@cache
def audit(name: str) -> Audit:
    """The audit of that name; `KeyError` where there is none."""
    if name not in audit_names():
        raise KeyError(name)
    text = _folder().joinpath(name + _SUFFIX).read_text(encoding="utf-8")
    title, *rest = text.splitlines()
    given = [line.removeprefix(_PARAM) for line in rest if line.startswith(_PARAM)]
    params = {key: value for key, _, value in (line.partition(" = ") for line in given)}
    return Audit(name, title.removeprefix("-- "), params, text)


def _folder() -> Traversable:
    return files("policylang.trace").joinpath("audits")
