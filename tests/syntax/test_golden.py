"""Files as they are read and written: the cases of `tests/golden/syntax/`."""

from __future__ import annotations

from pathlib import Path

import pytest

from policylang.diagnostics import Source, render
from policylang.syntax import format_source, parse
from tests.golden import Case, Golden, cases, name


def _diagnostics(case: Case) -> str:
    found = parse(Source(f"{case.name}.policy", case.policy)).diagnostics
    return "\n".join(map(render, found)) if found else "none"


def _format(case: Case) -> str:
    text = format_source(Source(f"{case.name}.policy", case.policy))
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("path", cases("syntax"), ids=name)
def test_a_policy_is_read_as_its_golden_file_says(path: Path, golden: Golden) -> None:
    """What the parser says of a policy, and the formatter makes of it, is what a person has read and kept."""
    golden.check(path, {"diagnostics": _diagnostics, "format": _format})
