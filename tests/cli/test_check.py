"""`policylang check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policylang.cli.output import ExitCode
from tests.cli.conftest import Run

SOUND = """module orders
fact order { id: String, total: Decimal(2) }
action cancel
rule small: allow cancel if order.total < 10.00
"""
BROKEN = """module orders
fact order { id: String, total: Decimal(2) }
action cancel
rule small: allow cancel if order.total = 10.00
rule other: deny cancel if order.totl > 1.00
"""


def write(folder: Path, text: str, name: str = "orders.policy") -> None:
    """Write a policy into the folder."""
    (folder / name).write_text(text, encoding="utf-8")


def test_a_sound_policy_is_fine(run: Run, tmp_path: Path) -> None:
    """A policy without problems ends with 0 and says so."""
    write(tmp_path, SOUND)
    answer = run("check", "orders.policy")
    assert (answer.exit_code, answer.stdout) == (ExitCode.OK, "no problems in 1 file\n")


def test_every_problem_is_reported_at_once(run: Run, tmp_path: Path) -> None:
    """One run reports errors of syntax and of meaning with their places, and ends with 3."""
    write(tmp_path, BROKEN)
    answer = run("check", "orders.policy")
    assert answer.exit_code == ExitCode.POLICY_ERRORS
    assert "orders.policy:4:41" in answer.stdout
    assert "orders.policy:5:" in answer.stdout
    assert "2 errors" in answer.stdout


def test_warnings_do_not_fail(run: Run, tmp_path: Path) -> None:
    """A warning is shown, and the status is 0."""
    write(tmp_path, SOUND + "\n## A comment that belongs to nothing.\n")
    answer = run("check", "orders.policy")
    assert answer.exit_code == ExitCode.OK
    assert "1 warning" in answer.stdout


def test_a_program_reads_the_report_as_json(run: Run, tmp_path: Path) -> None:
    """`--json` gives the place of every problem in numbers."""
    write(tmp_path, BROKEN)
    answer = run("check", "orders.policy", "--json")
    assert answer.exit_code == ExitCode.POLICY_ERRORS
    report = json.loads(answer.stdout)
    assert report["files"] == 1
    first = report["diagnostics"][0]
    assert (first["code"], first["file"], first["line"]) == ("PL0119", "orders.policy", 4)


def test_a_folder_is_one_bundle(run: Run, tmp_path: Path) -> None:
    """The modules of a folder, and of folders in it, may use each other."""
    write(tmp_path, SOUND)
    (tmp_path / "more").mkdir()
    other = "module other\nuse orders\nrule late: deny orders.cancel if orders.order.total > 5.00\n"
    write(tmp_path / "more", other, "other.policy")
    answer = run("check", ".")
    assert (answer.exit_code, answer.stdout) == (ExitCode.OK, "no problems in 2 files\n")


def test_the_project_of_init_is_sound(run: Run, project: Path) -> None:
    """What `init` writes has no problem, and is in the one style."""
    assert run("check", ".").stdout == "no problems in 1 file\n"
    assert run("fmt", "--check", ".").exit_code == ExitCode.OK


@pytest.mark.parametrize("form", ["program", "asp", "plan"])
def test_what_a_policy_becomes_is_part_of_the_json(run: Run, tmp_path: Path, form: str) -> None:
    """With `--json`, what `--emit` prints stands under its name beside the diagnostics."""
    write(tmp_path, SOUND)
    plain = run("check", "orders.policy", "--emit", form)
    answer = json.loads(run("check", "orders.policy", "--emit", form, "--json").stdout)
    assert answer["files"] == 1
    assert answer[form] == plain.stdout
    assert "small" in answer[form]


def test_a_program_that_no_plan_takes_is_told(run: Run, tmp_path: Path) -> None:
    """Where clingo has to decide, a note says because of which rule and why, and the status stays 0."""
    wide = " and ".join(f"n(v: A{i})" for i in range(20))
    write(tmp_path, f"module m\naction act\nfacts n {{ v: Int }}\nrule r: allow act if {wide}\n")
    answer = run("check", "orders.policy", "--json")
    assert answer.exit_code == ExitCode.OK
    (told,) = json.loads(answer.stdout)["diagnostics"]
    assert (told["code"], told["severity"], told["line"]) == ("PL0028", "note", 4)
    assert "more than 16 relations" in told["message"]
