"""What editors, CI systems and pre-commit read and run: problem matchers, hooks, and the script of completions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import get_completion_class

from policylang.cli import COMPLETING
from policylang.cli.app import policylang
from policylang.cli.output import ExitCode
from policylang.cli.shells import offer_files
from tests.cli.conftest import Run
from tests.docs.blocks import blocks_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "set-up-an-editor.md"
GITHUB = json.loads((ROOT / "docs/editors/github-problem-matcher.json").read_text())
HOOKS = ROOT / ".pre-commit-hooks.yaml"

FLAWED = """module bad
action go { amount: Int }
rule r: allow go if a.y > 1
rule s: deny go if go.amount > "many \\"x\\""

## A comment that belongs to nothing.
"""

Pattern = Sequence[Mapping[str, Any]]


def _vscode() -> Pattern:
    """The pattern of the task that the page shows for VS Code."""
    (tasks,) = [json.loads(block.text) for block in blocks_of(PAGE) if '"tasks"' in block.text]
    pattern: Pattern = tasks["tasks"][0]["problemMatcher"]["pattern"]
    return pattern


PATTERNS = {matcher["owner"]: matcher["pattern"] for matcher in GITHUB["problemMatcher"]}


def matched(pattern: Pattern, text: str) -> Iterator[dict[str, str]]:
    """What a matcher finds: its expressions have to match lines that follow each other."""
    lines = text.splitlines()
    for at in range(len(lines)):
        pairs = zip(pattern, lines[at:], strict=False)
        found = [(part, re.search(part["regexp"], line)) for part, line in pairs]
        if len(found) == len(pattern) and all(match for _, match in found):
            yield {
                name: match[group]
                for part, match in found
                if match is not None
                for name, group in part.items()
                if name != "regexp"
            }


def place(found: Mapping[str, Any]) -> tuple[str, ...]:
    """What an annotation is made from."""
    return tuple(str(found[name]) for name in ("severity", "code", "file", "line", "column"))


@pytest.fixture
def flawed(run: Run, tmp_path: Path) -> list[dict[str, Any]]:
    """The diagnostics of a policy with errors and a warning, in two folders."""
    (tmp_path / "policies").mkdir()
    for name in ("bad.policy", "policies/worse.policy"):
        text = FLAWED if name == "bad.policy" else FLAWED.replace("module bad", "module worse")
        (tmp_path / name).write_text(text, encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(run("check", "--json").stdout)["diagnostics"]
    assert {each["severity"] for each in found} == {"error", "warning"}
    assert len(found) >= 6
    return found


@pytest.mark.parametrize("pattern", [PATTERNS["policylang"], _vscode()], ids=["github", "vscode"])
def test_a_matcher_reads_the_text_of_check(
    pattern: Pattern, flawed: list[dict[str, Any]], run: Run
) -> None:
    """Each diagnostic that `check` writes for people is found, at its place, with its message, and nothing else is."""
    seen = list(matched(pattern, run("check").stdout))
    assert [place(each) for each in seen] == [place(each) for each in flawed]
    assert [each["message"] for each in seen] == [each["message"] for each in flawed]


def test_a_matcher_reads_the_json_of_check(flawed: list[dict[str, Any]], run: Run) -> None:
    """The lines of `--json` that a matcher needs follow each other, for each diagnostic."""
    seen = list(matched(PATTERNS["policylang-json"], run("check", "--json").stdout))
    assert [place(each) for each in seen] == [place(each) for each in flawed]
    assert [json.loads(f'"{each["message"]}"') for each in seen] == [
        each["message"] for each in flawed
    ]


# --- hooks -------------------------------------------------------------------------------------------------


def _hooks() -> dict[str, dict[str, str]]:
    """The hooks by the command that they run."""
    hooks = [
        dict(re.findall(r"^[- ] (\w+): (.*)$", part, re.MULTILINE))
        for part in re.split(r"(?m)^(?=- )", HOOKS.read_text(encoding="utf-8"))[1:]
    ]
    return {hook["entry"].split()[1]: hook for hook in hooks}


@pytest.mark.parametrize("name", ["check", "fmt", "test"])
def test_a_hook_passes_on_a_project_that_is_right(name: str, run: Run, project: Path) -> None:
    """The command of a hook, with the files that pre-commit gives it, finds nothing in a new project."""
    hook = _hooks()[name]
    files = [] if hook.get("pass_filenames") == "false" else ["refunds.policy"]
    assert run(*hook["entry"].split()[1:], *files).exit_code == ExitCode.OK


@pytest.mark.parametrize("name", ["check", "test"])
def test_a_hook_sees_modules_that_did_not_change(name: str, run: Run, tmp_path: Path) -> None:
    """What one module breaks in another one is found, though that one did not change; without settings, too."""
    (tmp_path / "one.policy").write_text("module one\naction go\nrule r: allow go\n")
    text = 'module two\nuse one\ntest "t" { when one.go expect allow by one.r }\n'
    (tmp_path / "two.policy").write_text(text)
    entry = _hooks()[name]["entry"].split()[1:]
    assert _hooks()[name]["pass_filenames"] == "false"
    assert run(*entry).exit_code == ExitCode.OK
    (tmp_path / "one.policy").write_text("module one\naction go\nrule renamed: allow go\n")
    assert run(*entry).exit_code == ExitCode.POLICY_ERRORS


# --- completion --------------------------------------------------------------------------------------------


def _offered(*words: str) -> list[tuple[str, str]]:
    """What is offered where the last word is being typed: kinds and values."""
    offer_files()
    kind = get_completion_class("bash")
    assert kind is not None
    *before, typed = words
    found = kind(policylang, {}, "policylang", COMPLETING).get_completions(before, typed)
    return [(item.type, item.value) for item in found]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ex"], ("plain", "explain")),
        (["rollout", "rep"], ("plain", "report")),
        (["check", "--j"], ("plain", "--json")),
        (["check", "pol"], ("file", "pol")),
        (["eval", "policies", "--request", "a"], ("file", "a")),
        (["eval", "policies", "--evaluator", "pl"], ("plain", "plan")),
        (["stdlib", "show", "age"], ("plain", "agents")),
        (["stdlib", "show", "std.age"], ("plain", "std.agents")),
        (["explain", "pl0101"], ("plain", "PL0101")),
    ],
)
def test_a_shell_is_told_what_may_come_next(words: list[str], offered: tuple[str, str]) -> None:
    """Commands, options, choices, modules and codes are offered where they may stand, and files where a path may."""
    assert _offered(*words) == [offered]


def test_nothing_is_offered_for_a_command_that_is_not_there() -> None:
    """Where a command is typed, files are not offered in its place."""
    assert _offered("zzz") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_told_to_look_for_files(shell: str) -> None:
    """Asked as the script of each shell asks, the command answers with a file where a path is typed."""
    asked = {
        COMPLETING: f"{shell}_complete",
        "COMP_WORDS": "policylang check pol",
        "COMP_CWORD": "pol" if shell == "fish" else "2",
    }
    finished = subprocess.run(
        [sys.executable, "-m", "policylang"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.startswith("file")
    assert finished.stderr == ""
