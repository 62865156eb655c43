"""`policylang init`."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from policylang.cli.app import policylang
from policylang.cli.output import ExitCode
from tests.cli.conftest import Run


def test_init_writes_a_project_and_says_what_to_do_next(tmp_path: Path) -> None:
    """`init DIR` makes the folder and names every file that it wrote."""
    answer = CliRunner().invoke(policylang, ["init", str(tmp_path / "new" / "refunds"), "--json"])
    assert answer.exit_code == ExitCode.OK
    created = json.loads(answer.stdout)["created"]
    assert "refunds.policy" in created
    for name in created:
        assert (tmp_path / "new" / "refunds" / name).is_file()


def test_init_touches_nothing_that_is_there(tmp_path: Path) -> None:
    """Where a file of the project is in the way, `init` writes none, and says which."""
    (tmp_path / "refunds.policy").write_text("mine", encoding="utf-8")
    answer = CliRunner().invoke(policylang, ["init", str(tmp_path)])
    assert answer.exit_code == ExitCode.FAILED
    assert "refunds.policy is already there" in answer.output
    assert [path.name for path in tmp_path.iterdir()] == ["refunds.policy"]
    assert (tmp_path / "refunds.policy").read_text(encoding="utf-8") == "mine"


def test_a_file_in_place_of_the_folder_is_told(run: Run, tmp_path: Path) -> None:
    """`init` makes a folder; where a file of that name is, it says so and leaves it alone."""
    (tmp_path / "refunds").write_text("mine")
    answer = run("init", "refunds")
    assert answer.exit_code == ExitCode.FAILED
    assert "refunds is a file" in answer.stderr
    assert (tmp_path / "refunds").read_text() == "mine"
