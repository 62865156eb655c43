"""Importing stays cheap, and the public names stay what they are said to be."""

from __future__ import annotations

import subprocess
import sys

import pytest

import policylang

HEAVY = ("clingo", "duckdb", "lark", "pydantic", "click", "rich", "asyncio")


def loaded_after(code: str) -> set[str]:
    """The heavy modules that are loaded in a fresh Python after running `code`."""
    script = f"{code}\nimport sys\nprint(*(m for m in {HEAVY!r} if m in sys.modules))"
    finished = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return set(finished.stdout.rpartition("\n")[0].rpartition("\n")[2].split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    """`import policylang` loads no parser, no solver, no database and no validation."""
    assert loaded_after("import policylang") == set()


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--help"], {"click"}),
        (["--version"], {"click"}),
        (["explain", "PL0101"], {"click"}),
        (["completion", "bash"], {"click"}),
        (["fmt", "--check", "policylang/cli/project/refunds.policy"], {"click", "lark"}),
        (["check", "policylang/cli/project"], {"click", "lark", "pydantic"}),
        (["test", "-q", "policylang/cli/project"], {"click", "lark", "pydantic"}),
    ],
)
def test_a_command_loads_only_what_it_needs(arguments: list[str], allowed: set[str]) -> None:
    """A command that evaluates nothing loads no solver and no database."""
    code = f"from policylang.cli.app import policylang\npolicylang.main({arguments!r}, standalone_mode=False)"
    assert loaded_after(code) <= allowed | {"asyncio"}


@pytest.mark.parametrize("name", policylang.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """Each name of `__all__` can be imported, and `dir` shows it."""
    assert getattr(policylang, name) is not None
    assert name in dir(policylang)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    """An unknown name raises what Python code expects."""
    with pytest.raises(AttributeError, match="no attribute 'Engine'"):
        _ = policylang.Engine
