"""One slip is one diagnostic: what follows from a mistake is not reported beside it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policylang.bundle.loading import check_sources
from policylang.diagnostics import Severity, Source
from policylang.syntax.lexer import read_tokens
from tests.semantics.test_whole_module import REFUNDS

TEXT = f"""{REFUNDS}
decision queue: String default "general"
rule vip: set queue = "vip" if customer.tier == enterprise priority 2
"""

LEFT_OUT_IN_PLACES = {"enterprise", "C"}
"""What can be left out so that several places disagree: a member that is named elsewhere, an argument."""


def _errors(text: str) -> list[str]:
    found = check_sources([Source("refunds.policy", text)]).diagnostics
    return [str(d) for d in found if d.severity is Severity.ERROR]


def _left_out(start: int, end: int) -> str:
    return TEXT[:start] + TEXT[end:]


def _odd_before(start: int, _end: int) -> str:
    return f"{TEXT[:start]}§ {TEXT[start:]}"


def test_the_module_has_no_errors() -> None:
    """The text that slips are made in has none."""
    assert _errors(TEXT) == []


@pytest.mark.parametrize("slip", [_left_out, _odd_before])
def test_a_slip_is_reported_once(slip: Callable[[int, int], str]) -> None:
    """A word or mark that is left out, and one that no part of the language uses, give at most one error: every third place is tried."""
    several = {}
    for token in read_tokens(Source("refunds.policy", TEXT)).tokens[::3]:
        found = _errors(slip(token.span.start, token.span.end))
        if len(found) > 1 and token.text not in LEFT_OUT_IN_PLACES:
            several[str(token.span), token.text] = found
    assert several == {}
