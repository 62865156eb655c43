"""`policylang audit shell`: one query after another over the views of a store."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import click

from policylang.cli.audit_views import (
    audit_lines,
    audit_values,
    columns_of,
    lines_of,
    view_names,
    views_of,
)
from policylang.cli.rows import WIDEST, Form, rows_text

if TYPE_CHECKING:
    from policylang.trace.reading import TraceView

HELP: Final = r"""SELECT ...;          ask; a query may have several lines, and ends with `;`
\d                   list the views
\d VIEW              list the columns of a view
\audits              list the audits that ship
\run NAME [K=V]...   run an audit
\form FORM           show answers as a table, as json or as csv
\refresh             see what has been recorded meanwhile
\?                   show this
\q                   leave"""

_PROMPT: Final = "policylang> "
_GOES_ON: Final = "       ...> "
_HISTORY: Final = 1_000


class Shell:
    """Reads queries and commands from standard input and answers them, until its end or `\\q`.

    On a terminal it has a history, completes names, and pages what is long. What cannot be answered is told, and counted in
    `failed`.
    """

    def __init__(self, look: Callable[[], TraceView]) -> None:
        self._look = look
        self._view = look()
        self._form: Form = "table"
        self.is_interactive = sys.stdin.isatty()
        self.failed = 0

    def run(self) -> None:
        """Answer until there is nothing more to read."""
        if self.is_interactive:
            self._prepare()
            click.echo(r"Ask in SQL, `;` ends a query; \? shows what else there is, \q leaves.")
        waiting: list[str] = []
        while (line := self._read(bool(waiting))) is not None:
            if not waiting and line.lstrip().startswith("\\"):
                if not self._command(line.strip()):
                    return
            elif line.strip() or waiting:
                waiting.append(line)
                if line.rstrip().endswith(";"):
                    self._ask("\n".join(waiting))
                    waiting = []
        if waiting:
            self._ask("\n".join(waiting))

    def close(self) -> None:
        """Let go of the store."""
        self._view.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self.close()
        return False

    # --- reading ---

    def _read(self, goes_on: bool) -> str | None:
        """The next line, or None at the end; an interrupt on a terminal gives an empty one."""
        try:
            if self.is_interactive:
                return input(_GOES_ON if goes_on else _PROMPT)
            line = sys.stdin.readline()
            return line.rstrip("\n") if line else None
        except EOFError:
            click.echo()
            return None
        except KeyboardInterrupt:
            click.echo()
            return ";" if goes_on else ""

    def _prepare(self) -> None:
        """A history across sessions, and names that complete, where the system has readline."""
        try:
            import readline
        except ImportError:
            return
        path = _history_path()
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            readline.read_history_file(path)
        readline.set_history_length(_HISTORY)
        click.get_current_context().call_on_close(lambda: _keep_history(path))
        readline.set_completer(_Completer(view_names(self._view)))
        readline.set_completer_delims(" \t\n(),;=<>")
        readline.parse_and_bind("tab: complete")

    # --- answering ---

    def _command(self, line: str) -> bool:
        """Do what a line that starts with a backslash says; false where it says to leave."""
        try:
            name, *words = shlex.split(line[1:]) or ["?"]
        except ValueError as problem:
            self._fail(str(problem))
            return True
        match name, words:
            case "q", _:
                return False
            case "?", _:
                click.echo(HELP)
            case "d", []:
                self._show("\n".join(lines_of(list(views_of(self._view)))))
            case "d", [view]:
                self._show(
                    "\n".join(lines_of(list(columns_of(self._view, view))))
                    or f"there is no view {view}"
                )
            case "audits", []:
                self._show("\n".join(audit_lines()))
            case "run", [audit, *params]:
                self._run(audit, params)
            case "form", ["table" | "json" | "csv" as form]:
                self._form = form
            case "refresh", []:
                self._view.close()
                self._view = self._look()
            case _:
                self._fail(f"`{line}` is not known; \\? shows what is")
        return True

    def _run(self, name: str, params: list[str]) -> None:
        from policylang.trace.audit import audit, audit_names

        if name not in audit_names():
            self._fail(f"there is no audit {name}; \\audits lists them")
            return
        found = audit(name)
        try:
            values = audit_values(found, params)
        except click.BadParameter as problem:
            self._fail(problem.message)
            return
        self._ask(found.sql, values)

    def _ask(self, query: str, values: dict[str, Any] | None = None) -> None:
        from policylang.trace.reading import TraceQueryError

        if not query.strip().rstrip(";").strip():
            return
        try:
            names, rows = self._view.query(query, values or None)
        except TraceQueryError as problem:
            self._fail(str(problem))
            return
        widest = WIDEST if self.is_interactive else None
        self._show(rows_text(names, rows, self._form, widest=widest))
        if self.is_interactive and self._form == "table":
            click.echo(f"({len(rows)} row{'' if len(rows) == 1 else 's'})")

    def _show(self, text: str) -> None:
        """Write what fits the terminal, and page what does not."""
        if self.is_interactive and text.count("\n") >= os.get_terminal_size().lines - 2:
            click.echo_via_pager(text + "\n")
        else:
            click.echo(text)

    def _fail(self, problem: str) -> None:
        self.failed += 1
        click.echo(problem, err=True)


class _Completer:
    """Completes the names of views."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def __call__(self, text: str, state: int) -> str | None:
        """The match of that number, or None where there are no more."""
        found = [name for name in self._names if name.startswith(text)]
        return found[state] if state < len(found) else None


def _history_path() -> Path:
    """Where the history is kept: with the state of the user's other programs."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "policylang" / "audit_history"


def _keep_history(path: Path) -> None:
    import readline

    with suppress(OSError):
        readline.write_history_file(path)
