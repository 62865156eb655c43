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

    def run(self, block: str) -> list[str]:
        """Run the commands of an `sh` block in order and return what went wrong, as sentences."""
        commands = list(commands_in(block))
        came = self._results(commands)
        problems = []
        for index, (command, (output, status)) in enumerate(zip(commands, came, strict=True)):
            asks = index + 1 < len(commands) and commands[index + 1].text == _STATUS_QUESTION
            if status and not asks:
                problems.append(f"`{command.text}` ended with status {status}:\n{output}")
            elif (diff := difference(command.shown, output)) is not None:
                problems.append(f"`{command.text}` gave other output:\n{diff}")
        return problems

    def _results(self, commands: list[Command]) -> list[tuple[str, int]]:
        script = "".join(
            f"{command.text}\n"
            f'__status=$?; printf "\\n{_MARK}%d\\n" "$__status"; (exit "$__status")\n'
            for command in commands
        )
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
        text = finished.stdout.decode("utf-8").replace(f"{self._folder}/", "")
        self._cwd = Path(where.read_text(encoding="utf-8").strip())
        return _split(text)


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
    _script(commands / "policylang", f'exec "{sys.executable}" -m policylang "$@"')
    _script(commands / "python", f'exec "{sys.executable}" "$@"')
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
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
