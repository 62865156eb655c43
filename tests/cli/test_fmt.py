"""`policylang fmt`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policylang.cli.output import ExitCode
from tests.cli.conftest import Run

UGLY = "module orders\n\n\n\naction   cancel\nrule small:allow cancel\n"
PRETTY = "module orders\n\naction cancel\nrule small: allow cancel\n"
BROKEN = "module orders\nrule small allow cancel\n"


@pytest.fixture
def ugly(tmp_path: Path) -> Path:
    """A policy that is not in the one style."""
    path = tmp_path / "orders.policy"
    path.write_text(UGLY, encoding="utf-8")
    return path


def test_fmt_rewrites_a_file_in_place(run: Run, ugly: Path) -> None:
    """`fmt` writes the one style over a file, keeps its mode, and leaves nothing else behind."""
    ugly.chmod(0o640)
    answer = run("fmt", "orders.policy")
    assert answer.exit_code == ExitCode.OK
    assert ugly.read_text(encoding="utf-8") == PRETTY
    assert ugly.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in ugly.parent.iterdir()] == ["orders.policy"]
    assert "rewritten: orders.policy" in answer.stderr


def test_fmt_of_its_own_output_changes_nothing(run: Run, ugly: Path) -> None:
    """A second `fmt` finds nothing to do, and says so."""
    run("fmt", "orders.policy")
    before = ugly.stat().st_mtime_ns
    answer = run("fmt", "orders.policy")
    assert answer.exit_code == ExitCode.OK
    assert "in the one style already" in answer.stderr
    assert ugly.stat().st_mtime_ns == before


@pytest.mark.parametrize("flag", ["--check", "--diff"])
def test_check_and_diff_write_nothing_and_end_with_one(run: Run, ugly: Path, flag: str) -> None:
    """`--check` and `--diff` leave the file as it is and fail where it would change."""
    answer = run("fmt", flag, "orders.policy")
    assert answer.exit_code == ExitCode.FAILED
    assert ugly.read_text(encoding="utf-8") == UGLY
    assert ("+rule small: allow cancel" in answer.stdout) is (flag == "--diff")
    ugly.write_text(PRETTY, encoding="utf-8")
    assert run("fmt", flag, "orders.policy").exit_code == ExitCode.OK


def test_fmt_filters_standard_input(run: Run) -> None:
    """`fmt -` writes the style of what it reads to standard output, and nothing else."""
    answer = run("fmt", "-", input=UGLY)
    assert (answer.exit_code, answer.stdout) == (ExitCode.OK, PRETTY)


def test_fmt_does_not_touch_what_it_cannot_read(run: Run, tmp_path: Path) -> None:
    """A policy with errors of syntax is reported and left alone, and the others are still written."""
    (tmp_path / "broken.policy").write_text(BROKEN, encoding="utf-8")
    (tmp_path / "ugly.policy").write_text(UGLY, encoding="utf-8")
    answer = run("fmt", ".")
    assert answer.exit_code == ExitCode.POLICY_ERRORS
    assert "broken.policy:2" in answer.stderr
    assert (tmp_path / "broken.policy").read_text(encoding="utf-8") == BROKEN
    assert (tmp_path / "ugly.policy").read_text(encoding="utf-8") == PRETTY


def test_fmt_tells_a_program_what_changed(run: Run, ugly: Path) -> None:
    """`--json` lists every file with whether it changed."""
    answer = run("fmt", "--check", "--json", "orders.policy")
    assert answer.exit_code == ExitCode.FAILED
    told = {"files": [{"file": "orders.policy", "changed": True}], "diagnostics": []}
    assert json.loads(answer.stdout) == told


def test_a_difference_is_part_of_the_json(run: Run, ugly: Path) -> None:
    """With `--diff --json` standard output is one JSON document, which holds what `--diff` shows, and nothing is written."""
    shown = run("fmt", "--diff", "orders.policy").stdout
    answer = run("fmt", "--diff", "--json", "orders.policy")
    assert answer.exit_code == ExitCode.FAILED
    assert [each["diff"] for each in json.loads(answer.stdout)["files"]] == [shown]
    assert ugly.read_text(encoding="utf-8") == UGLY


def test_a_program_reads_the_text_of_standard_input(run: Run) -> None:
    """With `- --json` the text stands in the one JSON document, since there is no file to write it to."""
    (told,) = json.loads(run("fmt", "-", "--json", input=UGLY).stdout)["files"]
    assert told == {"file": "-", "changed": True, "text": PRETTY}


def test_what_cannot_be_read_is_told_to_a_program(run: Run, tmp_path: Path) -> None:
    """With `--json` the errors of a file that is left alone stand beside the files, in the form of `check`."""
    (tmp_path / "broken.policy").write_text(BROKEN, encoding="utf-8")
    answer = run("fmt", "--check", "--json", ".")
    assert answer.exit_code == ExitCode.POLICY_ERRORS
    first, *_ = json.loads(run("check", "--json", ".").stdout)["diagnostics"]
    assert json.loads(answer.stdout) == {"files": [], "diagnostics": [first]}


def test_standard_input_stands_alone(run: Run, ugly: Path) -> None:
    """`-` beside a file is wrong usage: there is one standard output."""
    assert run("fmt", "-", "orders.policy").exit_code == ExitCode.USAGE


def test_fmt_writes_unix_lines(run: Run, tmp_path: Path) -> None:
    """Line ends of other systems become line feeds."""
    path = tmp_path / "orders.policy"
    path.write_bytes(UGLY.replace("\n", "\r\n").encode())
    assert run("fmt", "orders.policy").exit_code == ExitCode.OK
    assert path.read_bytes() == PRETTY.encode()


def test_a_folder_that_cannot_be_written_is_told(
    run: Run, ugly: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy that cannot be replaced is named, not the file that was to take its place, and is left as it is."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", ".orders.policy.x7")

    monkeypatch.setattr("policylang.cli.fmt.tempfile.mkstemp", refuse)
    answer = run("fmt", "orders.policy")
    assert answer.exit_code == ExitCode.FAILED
    assert "error[PL0007]: cannot write `orders.policy`: permission denied" in answer.stderr
    assert ugly.read_text(encoding="utf-8") == UGLY


def test_where_nothing_was_read_nothing_is_said_to_be_right(run: Run, tmp_path: Path) -> None:
    """`fmt` of a policy that it cannot read speaks of its errors alone."""
    (tmp_path / "broken.policy").write_text(BROKEN, encoding="utf-8")
    assert "in the one style" not in run("fmt", "broken.policy").stderr
