"""The frame around all commands: help, mistakes, bugs, colour and completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from policylang.cli import app
from policylang.cli.app import COMMANDS, policylang
from policylang.cli.output import ExitCode, colour
from policylang.errors import InternalError


@pytest.fixture
def runner() -> CliRunner:
    """A runner of commands in this process."""
    return CliRunner()


def test_help_lists_every_command(runner: CliRunner) -> None:
    """`policylang --help` names each command and the place to start."""
    shown = runner.invoke(policylang, ["--help"])
    assert shown.exit_code == ExitCode.OK
    for name in COMMANDS:
        assert f"  {name} " in shown.output
    assert "policylang init" in shown.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, runner: CliRunner) -> None:
    """The help of each command shows a line that can be typed as it stands."""
    shown = runner.invoke(policylang, [name, "--help"])
    assert shown.exit_code == ExitCode.OK, shown.output
    assert f"policylang {name} " in shown.output.partition("Usage:")[2].partition("\n")[2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["chek"], "did you mean `check`?"),
        (["zzz"], "no command `zzz`"),
        (["explain", "PL9999"], "no diagnostic has the code `PL9999`"),
        (["--nope"], "No such option"),
        (["completion", "tcsh"], "is not one of"),
    ],
)
def test_wrong_usage_ends_with_two(arguments: list[str], says: str, runner: CliRunner) -> None:
    """A wrong command line says what is wrong with it and ends with status 2."""
    answer = runner.invoke(policylang, arguments)
    assert answer.exit_code == ExitCode.USAGE
    assert says in answer.output


def _command_that_raises(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    @click.command("check")
    def command() -> None:
        raise error

    monkeypatch.setattr(app.Commands, "get_command", lambda *_: command)


@pytest.mark.parametrize("bug", [InternalError("stratum below zero"), KeyError("x")])
def test_a_bug_of_ours_asks_for_a_report(
    bug: Exception, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What we did not expect ends with status 1 and a request for a report, without a traceback."""
    monkeypatch.delenv("POLICYLANG_DEBUG", raising=False)
    _command_that_raises(monkeypatch, bug)
    answer = runner.invoke(policylang, ["check"])
    assert answer.exit_code == ExitCode.FAILED
    assert "This is a bug in policylang" in answer.stderr
    assert "Traceback" not in answer.output


def test_the_traceback_is_there_for_who_asks(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With POLICYLANG_DEBUG=1 a bug shows its traceback as well."""
    monkeypatch.setenv("POLICYLANG_DEBUG", "1")
    _command_that_raises(monkeypatch, KeyError("x"))
    assert "Traceback" in runner.invoke(policylang, ["check"]).stderr


def test_a_file_that_cannot_be_read_or_written_is_named(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the operating system names the file and says what is wrong with it."""
    _command_that_raises(monkeypatch, PermissionError(13, "Permission denied", "secret.policy"))
    answer = runner.invoke(policylang, ["check"])
    assert answer.exit_code == ExitCode.FAILED
    assert "PL0001" in answer.output
    assert "`secret.policy`: permission denied" in answer.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_for_this_command(shell: str, runner: CliRunner) -> None:
    """The script for each shell asks this command for what may come next."""
    answer = runner.invoke(policylang, ["completion", shell])
    assert answer.exit_code == ExitCode.OK
    assert "_POLICYLANG_COMPLETE" in answer.output


def test_completion_offers_commands() -> None:
    """A shell that asks what may follow `policylang ex` is told `explain`."""
    finished = subprocess.run(
        [sys.executable, "-m", "policylang"],
        env={
            "_POLICYLANG_COMPLETE": "bash_complete",
            "COMP_WORDS": "policylang ex",
            "COMP_CWORD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "explain" in finished.stdout


# --- streams ---------------------------------------------------------------------------------------------


def _in_a_shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A line of a shell in which `policylang` is this package."""
    script = f'policylang() {{ "{sys.executable}" -m policylang "$@"; }}; {command}'
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A folder with a policy that is sound."""
    (tmp_path / "orders.policy").write_text("module orders\naction cancel\nrule r: allow cancel\n")
    return tmp_path


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_bug(closed: str, sound: Path) -> None:
    """A command works where its caller has closed standard streams, and writes over no file in their place."""
    before = (sound / "orders.policy").read_bytes()
    finished = _in_a_shell(f"policylang check {closed}", sound)
    assert finished.returncode == ExitCode.OK
    assert finished.stderr == ""
    assert (sound / "orders.policy").read_bytes() == before


def test_closed_input_is_empty_input(sound: Path) -> None:
    """A request from a standard input that is closed is no request."""
    finished = _in_a_shell("policylang eval . --request - <&-", sound)
    assert finished.returncode == ExitCode.DENY
    assert "it is empty" in finished.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", ["check --json", "--help"])
def test_output_that_finds_no_room_is_told(arguments: str, sound: Path) -> None:
    """Where what a command prints cannot be written, standard error says so, and the status is 1."""
    finished = _in_a_shell(f"policylang {arguments} > /dev/full", sound)
    assert finished.returncode == ExitCode.FAILED
    assert "error[PL0007]: cannot write `standard output`" in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("encoding", "arguments"), [("ascii", "test"), ("cp1252", "test"), ("latin-1", "why --help")]
)
def test_any_encoding_can_be_written(encoding: str, arguments: str, sound: Path) -> None:
    """What an encoding lacks is written as an escape, and ends no command."""
    tests = 'test "größer → ✓" { when cancel expect deny }\n'
    with (sound / "orders.policy").open("a", encoding="utf-8") as file:
        file.write(tests)
    command = f"PYTHONIOENCODING={encoding} policylang {arguments} | cat"
    finished = subprocess.run(
        ["bash", "-c", f'policylang() {{ "{sys.executable}" -m policylang "$@"; }}; {command}'],
        cwd=sound,
        capture_output=True,
        check=False,
    )
    assert finished.stderr == b""
    assert finished.stdout


def test_a_pipe_gets_utf_8_whatever_the_locale(sound: Path) -> None:
    """A program that reads JSON gets it in UTF-8, under a locale of another encoding, too."""
    (sound / "orders.policy").write_text("module orders\nrule größe: x\n", encoding="utf-8")
    script = (
        "import io, sys; sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='latin-1');"
        "sys.argv = ['policylang', 'check', '--json'];"
        "from policylang.cli import main; main()"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script],
        cwd=sound,
        capture_output=True,
        check=False,
        env={k: v for k, v in os.environ.items() if k != "PYTHONIOENCODING"},
    )
    assert "größe" in finished.stdout.decode("utf-8")


def test_a_reader_that_stops_early_is_no_error(sound: Path) -> None:
    """Who reads one line of what is printed sees no complaint about the rest."""
    finished = _in_a_shell("policylang explain | head -n 1", sound)
    assert finished.stdout.startswith("PL0001")
    assert finished.stderr == ""


class _Terminal:
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)],
)
def test_colour_is_for_terminals_that_want_it(
    environment: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal gets colour unless it is dumb or NO_COLOR is set to something."""
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert colour(_Terminal()) is coloured  # type: ignore[arg-type]


def test_a_pipe_gets_no_colour(tmp_path: Path) -> None:
    """What is not a terminal gets plain text."""
    with (tmp_path / "out").open("w") as stream:
        assert not colour(stream)
