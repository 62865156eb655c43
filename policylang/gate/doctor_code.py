"""Which actions the Python of a project puts behind a gate, read from its text: nothing of it is run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_BY_NAME: Final = frozenset({"protect", "call", "acall", "decide", "adecide"})
_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "site-packages", "build", "dist"})

MOST_FILES: Final = 5_000
"""Files that are read."""


@dataclass(slots=True)
class Guarded:
    """What was found: actions with the place where each is guarded, and middlewares that guard every tool."""

    actions: dict[str, str] = field(default_factory=dict)
    middlewares: list[str] = field(default_factory=list)
    files: int = 0


def guarded_in(folders: tuple[Path, ...]) -> Guarded:
    """What the Python files under these folders put behind a gate.

    That is `gate.protect("refund")`, `gate.call("refund", ...)` and `gate.decide("refund", ...)` with a literal name,
    the keys of the literal given to `gate.guard_tools`, and agents with a `PolicyMiddleware`.
    """
    found = Guarded()
    for folder in folders:
        for path in _files(folder):
            if found.files >= MOST_FILES:
                return found
            tree = _parsed(path)
            if tree is not None:
                found.files += 1
                _look(tree, str(path.relative_to(folder)), found)
    return found


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        if not any(part.startswith(".") or part in _SKIPPED for part in parts):
            yield path


def _parsed(path: Path) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(path.read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None


def _look(tree: ast.Module, file: str, found: Guarded) -> None:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        place = f"{file}:{node.lineno}"
        match node.func:
            case ast.Attribute(attr=name) if name in _BY_NAME:
                for action in _literal(node):
                    found.actions.setdefault(action, place)
            case ast.Attribute(attr="guard_tools"):
                for action in _keys(node):
                    found.actions.setdefault(action, place)
            case ast.Name(id="PolicyMiddleware") | ast.Attribute(attr="PolicyMiddleware"):
                found.middlewares.append(place)
            case _:
                pass


def _literal(call: ast.Call) -> Iterator[str]:
    given = call.args[:1] or [k.value for k in call.keywords if k.arg == "action"]
    for first in given:
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def _keys(call: ast.Call) -> Iterator[str]:
    for argument in call.args[:1]:
        if isinstance(argument, ast.Dict):
            for key in argument.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value
