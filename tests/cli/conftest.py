"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policylang.cli.app import policylang

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command in an empty folder: `run("check", "a.policy", input="...")`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POLICYLANG_DEBUG", raising=False)

    def invoke(*arguments: str, **options: object) -> Result:
        result = CliRunner().invoke(policylang, list(arguments), **options)  # type: ignore[arg-type]
        assert "Traceback" not in result.output
        assert "This is a bug in policylang" not in result.output, result.output
        return result

    return invoke


@pytest.fixture
def project(run: Run, tmp_path: Path) -> Path:
    """A project that `init` made, which is the folder that commands run in."""
    assert run("init", ".").exit_code == 0
    return tmp_path
