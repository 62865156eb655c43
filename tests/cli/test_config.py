"""Settings of a project: `policylang.toml` and `[tool.policylang]`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policylang.cli.output import ExitCode
from tests.cli.conftest import Run

REQUEST = "requests/small_refund.json"


def moved(project: Path) -> None:
    """Put the policy of a project into a folder, without its settings, so that nothing is found by chance."""
    (project / "policylang.toml").unlink()
    (project / "policies").mkdir()
    (project / "refunds.policy").rename(project / "policies" / "refunds.policy")


def test_commands_take_their_policies_from_the_settings(run: Run, project: Path) -> None:
    """Where the command line names no policy, those of the settings are meant."""
    moved(project)
    (project / "policylang.toml").write_text('policies = ["policies"]\n')
    assert run("check").exit_code == 0
    assert "8 tests passed" in run("test").output
    assert run("eval", "--request", REQUEST).output.startswith("allow refund")
    (project / "policylang.toml").write_text('policies = ["policies"]\nstore = "s.duckdb"\n')
    assert run("why", "--request", REQUEST).output.startswith("allow refund")


def test_params_of_the_settings_are_exact_and_give_way(run: Run, project: Path) -> None:
    """A param of the settings holds for the policies of the settings, and `--param` comes before it."""
    moved(project)
    (project / "policylang.toml").write_text(
        'policies = ["policies"]\n[params]\nauto_limit = 47.99\n'
    )
    assert run("eval", "--request", REQUEST).output.startswith("needs_approval refund")
    given = run("eval", "--request", REQUEST, "--param", "auto_limit=48.00")
    assert given.output.startswith("allow refund")
    assert run("eval", "policies", "--request", REQUEST).output.startswith("allow refund")


def test_settings_are_found_from_a_folder_below(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths of the settings are meant from where the settings stand."""
    moved(project)
    (project / "pyproject.toml").write_text('[tool.policylang]\npolicies = ["policies"]\n')
    monkeypatch.chdir(project / "requests")
    assert run("eval", "--request", "small_refund.json").exit_code == 0


def test_a_project_file_without_the_table_says_nothing(run: Run, project: Path) -> None:
    """A `pyproject.toml` of something else changes nothing, whatever it holds."""
    (project / "policylang.toml").unlink()
    (project / "pyproject.toml").write_text("[project]\nname = 'shop'\n[tool.ruff]\n")
    assert run("fmt").exit_code == 2
    assert run("check", "refunds.policy").exit_code == 0


def test_the_environment_comes_before_the_settings(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """POLICYLANG_STORE names the store though the settings name another."""
    (project / "policylang.toml").write_text('store = "one.duckdb"\n')
    assert "one.duckdb" in run("trace", "list").output
    monkeypatch.setenv("POLICYLANG_STORE", "other.duckdb")
    assert "other.duckdb" in run("trace", "list").output


def test_config_shows_what_holds_and_from_where(run: Run, project: Path) -> None:
    """`config` names the file and every setting, as text and as JSON."""
    (project / "policylang.toml").write_text(
        'policies = ["refunds.policy"]\nevaluator = "plan"\n[params]\nauto_limit = 250.00\n'
    )
    shown = run("config").output.splitlines()
    assert shown[0] == f"from {project / 'policylang.toml'}"
    assert "params = auto_limit=250.00" in shown
    read = json.loads(run("config", "--json").output)
    assert read["evaluator"] == "plan"
    assert read["params"] == {"auto_limit": "250.00"}
    assert read["policies"] == [str(project / "refunds.policy")]


def test_config_without_settings(run: Run) -> None:
    """Without a file `config` says so, and shows what holds all the same."""
    shown = run("config")
    assert shown.exit_code == 0
    assert shown.output.startswith("no settings")
    assert "evaluator = auto" in shown.output


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('storage = "x"', "PL0027", "did you mean `store`?"),
        ("policies = 1", "PL0027", "`policies`: a list of texts is expected"),
        ("store = 1", "PL0027", "`store`: a text is expected"),
        ('file = "x"', "PL0027", "no such setting"),
        ("[params]\nlimit = 2026-01-01", "PL0027", "params.limit"),
        ('evaluator = "rego"', "PL0027", "one of `auto`, `plan` and `asp` is expected"),
        ("policies = [", "PL0026", "it is not TOML"),
        ("# caf\udce9", "PL0026", "it is not UTF-8: byte 0xe9 at offset 5"),
    ],
)
def test_wrong_settings_are_told(run: Run, project: Path, text: str, code: str, said: str) -> None:
    """What is wrong in the settings ends every command with the file, the place and a code."""
    (project / "policylang.toml").write_bytes(text.encode(errors="surrogateescape"))
    result = run("check", "refunds.policy")
    assert result.exit_code == 3
    assert code in result.output
    assert said in result.output
    as_json = run("check", "refunds.policy", "--json").stdout
    assert json.loads(as_json)["diagnostics"][0]["code"] == code


def test_params_of_the_settings_are_checked(run: Run, project: Path) -> None:
    """`check` of the policies of the settings finds what is wrong with the params beside them; other policies are checked alone."""
    with (project / "policylang.toml").open("a") as file:
        file.write("[params]\nauto_limt = 3\n")
    answer = run("check")
    assert answer.exit_code == ExitCode.POLICY_ERRORS
    assert "error[PL0323]" in answer.stdout
    assert run("check", "refunds.policy").exit_code == ExitCode.OK
