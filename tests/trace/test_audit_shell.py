"""The shell: queries one after another, from a pipe and on a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policylang.cli.app import policylang
from policylang.trace.store import TraceStore
from tests.trace.deciding import bundle, request

ASK = [sys.executable, "-m", "policylang", "audit", "shell", "--store"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of forty decisions."""
    path = tmp_path / "traces.duckdb"
    with bundle() as policy, TraceStore.open(path, durability="buffered") as store:
        for number in range(40):
            store.record(policy.case(request(f"{number}.50")), agent=f"a{number % 3}")
    return path


def piped(path: Path, text: str) -> Result:
    """What the shell answers to a text on its standard input."""
    return CliRunner().invoke(policylang, ["audit", "shell", "--store", str(path)], input=text)


def test_queries_are_answered_one_after_another(path: Path) -> None:
    r"""A query may have several lines; `\form` changes how answers look; an audit runs by its name."""
    answer = piped(
        path,
        "SELECT count(*) AS n\nFROM decisions;\n\\form json\nSELECT 1.50 AS x;\n\\run gaps\n\\q\nSELECT 9;\n",
    )
    assert (answer.exit_code, answer.stderr) == (0, "")
    first, second = answer.stdout.split("40\n")
    assert first.split() == ["n", "--"]
    rows, gaps, _ = second.partition("]\n")
    assert json.loads(rows + gaps) == [{"x": "1.50"}]
    assert second.endswith("[]\n")


def test_views_and_columns_are_listed(path: Path) -> None:
    r"""`\d` lists views with single facts among them, `\d VIEW` the columns with their types and what they hold."""
    answer = piped(path, "\\d\n\\d decisions\n\\d facts.customer\n\\audits\n\\?\n")
    assert answer.exit_code == 0
    lines = [line.split(maxsplit=2) for line in answer.stdout.splitlines()]
    assert ["facts.customer", "one", "row of that fact, in its types"] in lines
    assert ["outcome", "VARCHAR", "`allow`, `deny` or `needs_approval`"] in lines
    assert ["tier", "VARCHAR"] in lines
    assert any(line[:1] == ["denials_by_reason"] for line in lines)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SELECT nonsense;\n", "nonsense"),
        ("\\run nothing\n", "there is no audit nothing"),
        ("\\run gaps x=1\n", "`x=1` is not NAME=VALUE of since"),
        ("\\nothing\n", "is not known"),
        ("\\d 'open\n", "No closing quotation"),
        ("SELECT 1\n  FROM", "syntax error"),
    ],
)
def test_what_cannot_be_answered_is_told(path: Path, text: str, problem: str) -> None:
    """A mistake is told on standard error, and a script that made one ends with 1."""
    answer = piped(path, text)
    assert answer.exit_code == 1
    assert problem in answer.stderr
    assert "Traceback" not in answer.stderr


class Terminal:
    """The shell on a terminal of its own."""

    def __init__(self, path: Path, home: Path) -> None:
        process, self.number = pty.fork()
        if process == 0:
            environment = {
                **os.environ,
                "XDG_STATE_HOME": str(home),
                "TERM": "dumb",
                "PAGER": "cat",
                "LINES": "24",
                "COLUMNS": "80",
            }
            os.execve(sys.executable, [*ASK, str(path)], environment)
        self.process = process
        self.waiting = ""

    def until(self, text: str, *, interrupting: bool = False) -> str:
        """What it writes until a text comes; what it has written after that is kept.

        Interrupting, it is asked again after each second in which it writes nothing: readline does not see an interrupt that
        comes just as it begins to wait.
        """
        end = time.monotonic() + 60
        while text not in self.waiting:
            assert time.monotonic() < end, self.waiting
            if select.select([self.number], [], [], 1)[0]:
                self.waiting += os.read(self.number, 65536).decode()
            elif interrupting:
                os.kill(self.process, signal.SIGINT)
        seen, _, self.waiting = self.waiting.partition(text)
        return seen

    def type(self, text: str) -> None:
        """Type it."""
        os.write(self.number, text.encode())

    def ended(self) -> int:
        """The status that it ends with."""
        status = os.waitpid(self.process, 0)[1]
        os.close(self.number)
        return os.waitstatus_to_exitcode(status)


def test_a_terminal_has_prompts_pages_and_a_history(path: Path, tmp_path: Path) -> None:
    """On a terminal it prompts, goes on with an open query, drops it on an interrupt, pages, and remembers."""
    shell = Terminal(path, tmp_path / "state")
    try:
        assert "leaves" in shell.until("policylang> ")
        shell.type("SELECT count(*) AS n\n")
        shell.until("...> ")
        shell.type("FROM decisions;\n")
        assert "40" in shell.until("(1 row)")
        shell.until("policylang> ")
        shell.type("SELECT x\n")
        shell.until("...> ")
        os.kill(shell.process, signal.SIGINT)
        shell.until("policylang> ", interrupting=True)
        shell.type("SELECT agent, id FROM decisions ORDER BY id;\n")
        assert shell.until("(40 rows)").count("a1") >= 13
        shell.until("policylang> ")
        shell.type("\x04")
        assert shell.ended() == 0
    except BaseException:
        os.kill(shell.process, signal.SIGKILL)
        raise
    kept = (tmp_path / "state" / "policylang" / "audit_history").read_text()
    assert "FROM decisions;" in kept
