"""The sizes that keep a file, a class and a function readable at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "policylang").rglob("*.py"))

LONGEST_FUNCTION = 60
LONGEST_FILE = 600
MOST_METHODS = 12


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _sizes(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    yield f"line {node.lineno}: {node.name} has {length} lines"
            case ast.ClassDef():
                methods = sum(
                    isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
                    and not part.name.startswith("_")
                    and not _visits(part.name)
                    for part in node.body
                )
                if methods > MOST_METHODS:
                    yield f"line {node.lineno}: {node.name} has {methods} public methods"
            case _:
                pass


def _visits(name: str) -> bool:
    # One method a kind of node is the shape of a visitor, and of a Lark transformer.
    return name.startswith(("visit_", "leave_"))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_file_can_be_read_at_once(path: Path) -> None:
    """No function is above 60 lines, no file above 600, no class has more than a dozen public methods."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_FILE
    assert list(_sizes(ast.parse(text))) == []
