"""What holds of every program, and of every text that is no policy."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from policylang.diagnostics import Source, render
from policylang.semantics.checker import check
from policylang.syntax import parse
from tests.golden import FOLDER, cases, name, read
from tests.semantics.checking import program_of, standard_module
from tests.semantics.test_whole_module import REFUNDS
from tests.semantics.wellformed import violations

POLICIES = [read(path).policy for path in cases("semantics")] + [REFUNDS]
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[A-Za-z_]\w*|\d[\d_.]*|\s+|.', re.DOTALL)


@pytest.mark.parametrize("path", cases("semantics"), ids=name)
def test_a_program_keeps_the_promises_of_its_form(path: Path) -> None:
    """Every variable is bound and has one type, locals are exact, names are unique, strata are above what they negate."""
    module = parse(Source("p", read(path).policy)).module
    assert module is not None
    program = check([module], load=standard_module).program
    assert program is None or violations(program) == []


def test_the_whole_module_keeps_them_too() -> None:
    """The module that shows the whole language becomes a program that keeps every promise."""
    assert violations(program_of(REFUNDS)) == []


def _kind(token: str) -> str:
    if token[0].isalpha() or token[0] == "_":
        return "Upper" if token[0].isupper() else "lower"
    if token[0] == '"':
        return "string"
    return "number" if token[0].isdigit() else token


def _mutated(draw: random.Random, *, same_kind: bool) -> str:
    tokens = TOKEN.findall(draw.choice(POLICIES))
    written = [i for i, token in enumerate(tokens) if token.strip()]
    for i in draw.sample(written, draw.randint(1, 4)):
        others = [
            tokens[j] for j in written if not same_kind or _kind(tokens[j]) == _kind(tokens[i])
        ]
        tokens[i] = draw.choice(others)
    return "".join(tokens)


@pytest.mark.parametrize("same_kind", [True, False])
@pytest.mark.parametrize(
    "count", [pytest.param(40, id="few"), pytest.param(1500, id="many", marks=pytest.mark.slow)]
)
def test_no_text_is_too_wrong_for_the_checker(count: int, same_kind: bool) -> None:
    """Policies with words changed give diagnostics that can be shown, or a program that keeps its promises."""
    draw = random.Random(count)
    for _ in range(count):
        parsed = parse(Source("p.policy", _mutated(draw, same_kind=same_kind)))
        if parsed.module is None:
            continue
        result = check([parsed.module], load=standard_module, lost=parsed.lost)
        assert all(render(problem) for problem in result.diagnostics)
        assert result.program is None or violations(result.program) == []


def test_golden_cases_are_found() -> None:
    """The cases lie where the tests look for them."""
    assert (FOLDER / "semantics").is_dir()
    assert len(POLICIES) > 15
