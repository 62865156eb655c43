"""Policies as they are checked: the cases of `tests/golden/semantics/`."""

from __future__ import annotations

from pathlib import Path

import pytest

from policylang.diagnostics import Source, render
from policylang.semantics.checker import CheckResult, check
from policylang.semantics.printer import print_program
from policylang.syntax import parse
from tests.golden import Case, Golden, cases, name
from tests.semantics.checking import standard_module


def _checked(case: Case) -> CheckResult:
    parsed = parse(Source(f"{case.name}.policy", case.policy))
    assert parsed.diagnostics == ()
    assert parsed.module is not None
    return check([parsed.module], load=standard_module)


def _diagnostics(case: Case) -> str:
    found = _checked(case).diagnostics
    return "\n".join(map(render, found)) if found else "none"


def _program(case: Case) -> str:
    program = _checked(case).program
    return print_program(program) if program is not None else "none"


@pytest.mark.parametrize("path", cases("semantics"), ids=name)
def test_a_policy_is_checked_as_its_golden_file_says(path: Path, golden: Golden) -> None:
    """What the checker says of a policy, and makes of it, is what a person has read and kept."""
    golden.check(path, {"diagnostics": _diagnostics, "program": _program})
