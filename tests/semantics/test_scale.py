"""Checking takes time in proportion to what is written, and gives the same on every run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from policylang.diagnostics import Source
from policylang.semantics.checker import CheckResult, check
from policylang.syntax import parse
from tests.golden import FOLDER

DECLARATIONS = """module m
fact c { a: Int, b: String, t: Bool }
facts l { a: String, b: String }
action go { n: Int }
"""


def checked(text: str) -> CheckResult:
    """The result for a text that may be very long."""
    parsed = parse(Source("m.policy", DECLARATIONS + text))
    assert parsed.module is not None
    assert parsed.diagnostics == ()
    return check([parsed.module])


LONG = {
    "or": "rule r: allow go if " + " or ".join(f"c.a == {i}" for i in range(4000)),
    "and": "rule r: allow go if " + " and ".join(f"c.a != {i}" for i in range(4000)),
    "sum": "rule r: allow go if " + " + ".join(["c.a"] * 4000) + " > 3",
    "an or that binds": "rule r: allow go if ("
    + " or ".join(f'l(X, "{i}")' for i in range(1500))
    + ') and X != "z"',
    "variables from the last": "rule r: allow go if "
    + " and ".join(f"X{i + 1} == X{i} + 1" for i in reversed(range(1500)))
    + " and X0 == 1",
    "nested": "rule r: allow go if " + "(not (" * 20 + "c.t" + ") or l(X, _))" * 20,
    "clauses": "".join(f'define p("{i}") ' for i in range(2000)) + "rule r: allow go if p(c.b)",
    "definitions in a circle": "define p0(X) if l(X,_) define p0(X) if p800(X) "
    + "".join(f"define p{i + 1}(X) if p{i}(X) " for i in range(800))
    + "rule r: allow go if p800(c.b)",
    "rules": "".join(f"rule r{i}: allow go if c.a == {i} and c.t " for i in range(900)),
}


@pytest.mark.parametrize("name", LONG)
def test_long_policies_are_checked_in_seconds(name: str) -> None:
    """Nothing that is merely long makes the checker slow or recurse without end."""
    started = time.perf_counter()
    assert checked(LONG[name]).program is not None
    assert time.perf_counter() - started < 10


def test_types_that_grow_in_a_circle_come_to_an_end() -> None:
    """A product has more places than its factors, in every round of a recursion: 38 places are the end of it."""
    text = "define p(1.5) define p(X) if p(Y) and X == Y * 1.5 rule r: allow go if p(X) and X > 3"
    assert "PL0404" in {problem.code for problem in checked(text).diagnostics}


SCRIPT = """
import sys
from policylang.diagnostics import Source, render
from policylang.semantics.checker import check
from policylang.semantics.printer import print_program
from policylang.syntax import parse

for path in sys.argv[1:]:
    text = open(path, encoding="utf-8").read().split("=== ")[0]
    result = check([parse(Source("p", text)).module])
    print("\\n".join(map(render, result.diagnostics)))
    if result.program is not None:
        print(print_program(result.program))
"""


def _run(seed: str, paths: list[Path]) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path.cwd())}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, paths)],
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    ).stdout


def test_the_order_of_hashes_changes_nothing() -> None:
    """Diagnostics and programs are the same whatever the order of sets is in a run."""
    paths = sorted((FOLDER / "semantics").glob("*.golden"))
    first = _run("1", paths)
    assert len(first) > 1000
    assert first == _run("2", paths) == _run("77", paths)
