"""Golden cases: one case is one file, a policy and then what is made of it.

    module a
    rule r: allow b if c = 1
    === diagnostics
    error[PL0119]: `=` does not compare
    ...

The sections used are `format`, `diagnostics`, `program`, `asp`, `request`, `decision` and `proof`. A test
gives a function for each section that it makes; the others (a `request`) are what it reads:

    @pytest.mark.parametrize("path", cases("syntax"), ids=name)
    def test_golden(path: Path, golden: Golden) -> None:
        golden.check(path, {"diagnostics": lambda case: ...})

`pytest --update-golden` writes the sections that are made anew; the difference is read by a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "golden"


@dataclass(frozen=True, slots=True)
class Case:
    """One file: the policy before the first section, and the sections by name."""

    name: str
    policy: str
    sections: Mapping[str, str]


Maker = Callable[[Case], str]


def cases(folder: str) -> list[Path]:
    """The case files of a folder below `tests/golden/`, by name."""
    return sorted((FOLDER / folder).glob("*.golden"))


def name(path: Path) -> str:
    """The name of a case, for the id of its test."""
    return path.stem


def read(path: Path) -> Case:
    """The case in a file."""
    (_, policy), *sections = _parts(path.read_text(encoding="utf-8"))
    return Case(path.stem, policy, dict(sections))


def _parts(text: str) -> Iterator[tuple[str, str]]:
    title, lines = "", list[str]()
    for line in text.splitlines(keepends=True):
        if line.startswith("=== "):
            yield title, "".join(lines)
            title, lines = line[4:].strip(), []
        else:
            lines.append(line)
    yield title, "".join(lines)


def write(path: Path, case: Case) -> None:
    """Write a case to its file."""
    sections = (f"=== {title}\n{text}" for title, text in case.sections.items())
    path.write_text("".join([case.policy, *sections]), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Golden:
    """Compares what is made of a case with what stands in its file, or writes it there."""

    update: bool

    def check(self, path: Path, makers: Mapping[str, Maker]) -> None:
        """Make each section of the case that has a maker; fails where one differs."""
        case = read(path)
        wanted = {title: make for title, make in makers.items() if title in case.sections}
        if not wanted:
            pytest.fail(f"{path.name} has none of the sections {', '.join(makers)}")
        made = {title: make(case).rstrip("\n") + "\n" for title, make in wanted.items()}
        if self.update:
            write(path, Case(case.name, case.policy, {**case.sections, **made}))
        else:
            assert made == {title: case.sections[title] for title in made}
