"""Runs the `sh` blocks of a page and compares their output with what the page shows.

A line `$ COMMAND` is run (a line that ends in a backslash goes on in the next one, and lines that
start with `> ` belong to the command above them); the lines up to the next command are its output,
both streams together. A command that fails fails the page, unless the block asks for its status
with `$ echo $?` next.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs import warm
from tests.docs.matching import difference

ROOT = Path(__file__).parents[2]
_MARK = "--8<-- end of command:"
_STATUS_QUESTION = "echo $?"


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page, and the output that the page shows for it."""

    text: str
    shown: str


def commands_in(block: str) -> Iterator[Command]:
    """Yield the commands of an `sh` block. A block without any is a mistake of the page."""
    command: list[str] = []
    shown: list[str] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield Command("\n".join(command), "\n".join(shown))
            command, shown = [line[2:]], []
        elif not command:
            raise AssertionError(f"a line of output stands above the first command: {line!r}")
        elif not shown and (line.startswith("> ") or command[-1].endswith("\\")):
            command.append(line.removeprefix("> "))
        else:
            shown.append(line)
    if not command:
        raise AssertionError("an `sh` block without a `$ ` line: nothing of it would be run")
    yield Command("\n".join(command), "\n".join(shown))


@dataclass(frozen=True, slots=True)
class Ran:
    """A command of a page that has been run: what it gave, and how it ended."""

    command: Command
    output: str
    status: int
    asked: bool
    """Whether the next command asks for the status."""

    def problem(self) -> str | None:
        """What is wrong with it, or None."""
        if self.status and not self.asked:
            return f"`{self.command.text}` ended with status {self.status}:\n{self.output}"
        diff = difference(self.command.shown, self.output)
        return None if diff is None else f"`{self.command.text}` gave other output:\n{diff}"

    def corrected(self) -> str:
        """The command and its output as the page should show them."""
        first, *rest = self.command.text.splitlines()
        lines = [f"$ {first}", *(f"> {line}" for line in rest)]
        same = difference(self.command.shown, self.output) is None
        shown = self.command.shown if same else self.output
        return "\n".join([*lines, *(line.rstrip() for line in shown.strip("\n").splitlines())])


class Shell:
    """A shell whose working folder lasts from block to block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cwd = folder
        self._environment = _environment(folder)

    @property
    def cwd(self) -> Path:
        """The folder that the last block ended in."""
        return self._cwd

    def run(self, block: str) -> list[Ran]:
        """Run the commands of an `sh` block, in order."""
        commands = list(commands_in(block))
        script = "".join(
            f"{command.text}\n"
            f'__status=$?; printf "\\n{_MARK}%d\\n" "$__status"; (exit "$__status")\n'
            for command in commands
        )
        asked = [command.text == _STATUS_QUESTION for command in commands[1:]] + [False]
        results = _split(self._output_of(script))
        return [
            Ran(command, output, status, asks)
            for command, (output, status), asks in zip(commands, results, asked, strict=True)
        ]

    def _output_of(self, script: str) -> str:
        where = self._folder / ".cwd"
        finished = subprocess.run(
            ["bash", "-c", f'{script}pwd > "{where}"'],
            cwd=self._cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        self._cwd = Path(where.read_text(encoding="utf-8").strip())
        return finished.stdout.decode("utf-8").replace(f"{self._folder}/", "")


def _split(text: str) -> list[tuple[str, int]]:
    results = []
    output, *rest = text.split(f"\n{_MARK}")
    for part in rest:
        status, _, following = part.partition("\n")
        results.append((output, int(status)))
        output = following
    return results


def _environment(folder: Path) -> dict[str, str]:
    """A stranger's environment: the commands of this Python first, no colour, no home of anyone."""
    commands = folder / ".bin"
    commands.mkdir()
    _script(commands / "policylang", warm.command())
    _script(commands / "python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    return {
        "COLUMNS": "100",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "PATH": os.pathsep.join([str(commands), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "TZ": "UTC",
    }


def _script(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
