"""Runs the code blocks of one page, in order, in one scratch folder.

What each language means:

- `policy`: checked with `policylang check`. A block with a `module` line or a file name is a module
  and must have no errors; any other is a piece of one, and must parse. With `fails` it must have
  an error. An `output` block below it is what `policylang check` writes.
- `sh`: its commands are run, see `tests.docs.shell`.
- `python`: executed, all blocks of a page in one namespace. What it prints has to be shown in an
  `output` block right below, and nothing else may be.
- `pycon`: an interactive session, apart from the other blocks: each `>>>` gives what stands below.
- `json`, `jsonl`, `toml`: must be well formed. `csv` has to name a file.
- `text` and the other languages of `PLAIN` are not looked at.

Anything else, a block without a language included, is a mistake of the page.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import shutil
import tomllib
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docs.blocks import Block
from tests.docs.checking import Checked, check
from tests.docs.matching import difference
from tests.docs.shell import ROOT, Shell

DIAGNOSTICS = ROOT / "docs" / "reference" / "diagnostics"
EXAMPLES = ROOT / "examples"
PLAIN = frozenset({"text", "mermaid", "asp", "ebnf", "diff"})


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a block, and the line of the page that it stands on."""

    line: int
    text: str
    instead: str | None = None
    """The text of a block that would be right, where only what it shows is wrong."""

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Page:
    """The blocks of a page, and, on the page of a diagnostic, the code that it is about."""

    blocks: list[Block]
    code: str | None = None


def code_of(path: Path) -> str | None:
    """The diagnostic that the page at `path` is about, if it is about one."""
    return path.stem if path.parent == DIAGNOSTICS and path.stem != "index" else None


def prepare(path: Path, scratch: Path) -> None:
    """Copy the folder of an example into `scratch`, where its page is then run."""
    if path.is_relative_to(EXAMPLES):
        shutil.copytree(path.parent, scratch, dirs_exist_ok=True)


def problems_of(page: Page, scratch: Path) -> list[Problem]:
    """Run every block of `page` in the folder `scratch` and return what went wrong."""
    run = _Run(page, scratch)
    problems = [problem for block in page.blocks for problem in run.block(block)]
    return [*problems, *run.unshown()]


class _Run:
    """One run of a page: its shell, its Python names, and what an `output` block may show next.

    `_printed` has to be shown, `_report` may be.
    """

    def __init__(self, page: Page, scratch: Path) -> None:
        self._page = page
        self._shell = Shell(scratch)
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._printed: tuple[int, str] | None = None
        self._report: str | None = None
        self._languages: dict[str, Callable[[Block], list[str]]] = {
            "csv": self._csv,
            "json": self._json,
            "jsonl": self._jsonl,
            "policy": self._policy,
            "pycon": self._session,
            "python": self._python,
            "toml": self._toml,
        }

    def block(self, block: Block) -> Iterator[Problem]:
        """Run one block."""
        if block.language == "output":
            yield from self._output(block)
            return
        yield from self.unshown()
        if block.file_name is not None:
            self._write(block, block.file_name)
        if block.illustrative or block.language in PLAIN:
            return
        if block.language == "sh":
            yield from self._sh(block)
            return
        run = self._languages.get(block.language)
        if run is None:
            yield Problem(block.line, f"nothing knows how to test the language {block.language!r}")
            return
        yield from (Problem(block.line, text) for text in run(block))

    def unshown(self) -> Iterator[Problem]:
        """Yield a problem where a Python block printed what the page does not show."""
        if self._printed is not None and self._printed[1].strip():
            line, text = self._printed
            yield Problem(line, f"no `output` block shows what this printed:\n{text}")
        self._printed = self._report = None

    def _output(self, block: Block) -> Iterator[Problem]:
        came = self._printed[1] if self._printed is not None else self._report
        self._printed = self._report = None
        if came is None:
            where = "right below the block whose output it shows"
            yield Problem(block.line, f"an `output` block has to stand {where}")
        elif (diff := difference(block.text, came)) is not None:
            yield Problem(block.line, f"the output is another:\n{diff}", came)

    def _sh(self, block: Block) -> Iterator[Problem]:
        ran = self._shell.run(block.text)
        wrong = [problem for problem in (each.problem() for each in ran) if problem is not None]
        if wrong:
            right = "\n".join(each.corrected() for each in ran)
            yield Problem(block.line, "\n".join(wrong), right)

    def _write(self, block: Block, name: str) -> None:
        path = self._shell.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")

    def _policy(self, block: Block) -> list[str]:
        name = block.file_name or "example.policy"
        if block.file_name is None:
            self._write(block, name)
        found = check(self._shell.cwd, name)
        if block.file_name is None:
            (self._shell.cwd / name).unlink()
        self._report = found.text
        return self._judged(block, found)

    def _judged(self, block: Block, found: Checked) -> list[str]:
        if "fails" in block.words:
            failed = self._page.code in found.codes if self._page.code else found.errors
            wanted = self._page.code or "an error"
            return [] if failed else [f"the block should give {wanted}, but:\n{found.text}"]
        whole = self._page.code or block.file_name or block.text.lstrip().startswith("module ")
        wrong = found.errors if whole else found.malformed
        if self._page.code in found.codes:
            wrong = {*wrong, self._page.code}
        return [f"the block has errors:\n{found.text}"] if wrong else []

    def _python(self, block: Block) -> list[str]:
        printed = io.StringIO()
        try:
            code = compile("\n" * block.line + block.text, "<page>", "exec")
            with contextlib.chdir(self._shell.cwd), contextlib.redirect_stdout(printed):
                exec(code, self._names)
        except BaseException:  # noqa: BLE001 (a page may raise anything, and each is its problem)
            return [f"the block raised:\n{traceback.format_exc(limit=-3)}"]
        self._printed = (block.line, printed.getvalue())
        return []

    def _session(self, block: Block) -> list[str]:
        example = doctest.DocTestParser().get_doctest(block.text, {}, "<page>", None, block.line)
        told: list[str] = []
        with contextlib.chdir(self._shell.cwd):
            doctest.DocTestRunner().run(example, out=told.append)
        return ["".join(told)] if told else []

    def _json(self, block: Block) -> list[str]:
        return _refusals(json.loads, [block.text])

    def _jsonl(self, block: Block) -> list[str]:
        return _refusals(json.loads, [line for line in block.text.splitlines() if line.strip()])

    def _toml(self, block: Block) -> list[str]:
        return _refusals(tomllib.loads, [block.text])

    def _csv(self, block: Block) -> list[str]:
        return [] if block.file_name else ["a `csv` block has to name its file: `csv file=NAME`"]


def _refusals(parse: Callable[[str], object], texts: list[str]) -> list[str]:
    refused = []
    for text in texts:
        try:
            parse(text)
        except ValueError as error:
            refused.append(f"the block is malformed: {error}")
    return refused
