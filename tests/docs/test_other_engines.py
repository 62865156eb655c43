"""The policy that a page shows in four languages is one policy."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import pytest

from benchmarks.peers.refund import flat, grid
from policylang import Bundle, loads
from tests.docs.blocks import blocks_of
from tests.docs.shell import ROOT

PAGE = ROOT / "docs" / "how-to" / "come-from-another-engine.md"
Answer: TypeAlias = Callable[[Mapping[str, Any]], str]


def _block(start: str) -> str:
    """The text of the block on the page that starts so."""
    return next(block.text for block in blocks_of(PAGE) if block.text.startswith(start))


def _policylang() -> Answer:
    bundle: Bundle = loads(_block("module refunds"))

    def answer(request: Mapping[str, Any]) -> str:
        # The page's policy leaves out what it does not read.
        customer = {k: v for k, v in request["facts"]["customer"].items() if k != "age_days"}
        args = {"amount": request["args"]["amount"]}
        asked = {**request, "args": args, "facts": {"customer": customer}}
        return bundle.decide(asked).outcome.value

    return answer


def _ifs() -> Answer:
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(_block("from decimal import Decimal"), names)

    def answer(request: Mapping[str, Any]) -> str:
        amount = Decimal(request["args"]["amount"])
        return str(names["refund"](request["agent"], request["facts"]["customer"], amount))

    return answer


def _cedar() -> Answer:
    cedarpy = pytest.importorskip("cedarpy", reason="Cedar is not installed")

    def answer(request: Mapping[str, Any]) -> str:
        asked = {
            "principal": 'Agent::"bot-7"',
            "action": 'Action::"refund"',
            "resource": 'Customer::"c1"',
            "context": flat(request),
        }
        found = cedarpy.is_authorized(asked, _block("permit (principal"), json.dumps([]))
        if found.decision is not cedarpy.Decision.Allow:
            return "deny"
        return "needs_approval" if found.diagnostics.reasons == ["policy1"] else "allow"

    return answer


def _rego() -> Answer:
    regorus = pytest.importorskip("regorus", reason="no engine for Rego is installed")
    engine = regorus.Engine()
    engine.add_policy("refunds.rego", _block("package refunds"))

    def answer(request: Mapping[str, Any]) -> str:
        engine.set_input(flat(request))
        return str(engine.eval_rule("data.refunds.answer"))

    return answer


@pytest.mark.parametrize("make", [_ifs, _cedar, _rego], ids=["if-statements", "Cedar", "Rego"])
def test_the_policy_is_the_same_in_every_language(make: Callable[[], Answer]) -> None:
    """Each text on the page answers every request of the grid as the policy does."""
    ours, theirs = _policylang(), make()
    differing = [request for request in grid() if ours(request) != theirs(request)]
    assert differing == []
