"""The laws of adapters: plain functions keep them, and adapters that get it wrong do not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from policylang.gate.adapters import Guarded, Identity, as_given
from policylang.gate.answer import Answer
from policylang.gate.answer_text import for_model
from policylang.gate.gate import Gate
from policylang.gate.verdict import Refused
from policylang.testing.adapters import LAWS, TOOL, Asked, Law, Seen, Tool


class PlainFunctions:
    """Calls of protected functions and coroutines: a refusal is raised."""

    def call(self, gate: Gate, tool: Tool, asked: Asked) -> Seen:
        """A protected function."""

        def refund(account: str, amount: object) -> str:
            return str(tool(account=account, amount=amount))

        if asked.tool != TOOL:
            return self._undeclared(gate, asked)
        with gate.session(agent=asked.agent, facts=asked.facts):
            try:
                return Seen(False, gate.protect(TOOL)(refund)(**asked.arguments))
            except Refused as refused:
                return Seen(True, for_model(refused.answer))
            except TypeError as misfit:
                return Seen(True, f"was not run: {misfit} (amount)")

    async def acall(self, gate: Gate, tool: Callable[..., Awaitable[Any]], asked: Asked) -> Seen:
        """A protected coroutine."""

        async def refund(account: str, amount: object) -> str:
            return str(await tool(account=account, amount=amount))

        if asked.tool != TOOL:
            return self._undeclared(gate, asked)
        with gate.session(agent=asked.agent, facts=asked.facts):
            try:
                return Seen(False, await gate.protect(TOOL)(refund)(**asked.arguments))
            except Refused as refused:
                return Seen(True, for_model(refused.answer))
            except TypeError as misfit:
                return Seen(True, f"was not run: {misfit} (amount)")

    def _undeclared(self, gate: Gate, asked: Asked) -> Seen:
        verdict = gate.decide(asked.tool, asked.arguments, agent=asked.agent)
        return Seen(not verdict.allowed, for_model(verdict.answer))


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_plain_functions_keep_the_laws(law: Law, tmp_path: Path) -> None:
    """Every law of adapters holds for functions and coroutines that a gate protects."""
    law.check(PlainFunctions(), tmp_path)


# --- an adapter of its own, right and wrong -----------------------------------------------------------


class Dictionaries:
    """An adapter of the least framework there is: a call is a dict, a refusal is a text."""

    def name(self, call: dict[str, Any], /) -> str:
        return str(call["tool"])

    def arguments(self, call: dict[str, Any], /) -> Mapping[str, object]:
        return call["args"]  # type: ignore[no-any-return]

    def identity(self, call: dict[str, Any], /) -> Identity:
        return Identity(call["agent"], approval=call["approval"])

    def with_arguments(
        self, call: dict[str, Any], arguments: Mapping[str, Any], /
    ) -> dict[str, Any]:
        return {**call, "args": as_given(call["args"], arguments)}

    def refusal(self, _call: dict[str, Any], answer: Answer, /) -> str:
        return for_model(answer)


class ByDictionaries:
    """Runs the calls of the laws through an adapter of dictionaries."""

    def __init__(self, adapter: Any) -> None:
        self.adapter = adapter

    def call(self, gate: Gate, tool: Tool, asked: Asked) -> Seen:
        """A call through the adapter."""
        guarded = Guarded[dict[str, Any], str](gate, self.adapter)
        return self._seen(guarded(self._call(asked), lambda call: str(tool(**call["args"]))))

    async def acall(self, gate: Gate, tool: Callable[..., Awaitable[Any]], asked: Asked) -> Seen:
        """A call of a coroutine through the adapter."""

        async def run(call: dict[str, Any]) -> str:
            return str(await tool(**call["args"]))

        guarded = Guarded[dict[str, Any], str](gate, self.adapter)
        return self._seen(await guarded.acall(self._call(asked), run))

    def _call(self, asked: Asked) -> dict[str, Any]:
        return {
            "tool": asked.tool,
            "args": asked.arguments,
            "agent": asked.agent,
            "approval": asked.approval,
        }

    def _seen(self, text: str) -> Seen:
        return Seen("was not run" in text, text)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=str)
def test_a_small_adapter_keeps_the_laws(law: Law, tmp_path: Path) -> None:
    """An adapter of five lines, with what all have in common, keeps every law."""
    law.check(ByDictionaries(Dictionaries()), tmp_path)


class RunsWhatCame(Dictionaries):
    """Runs the arguments as they came, and not as they were decided."""

    def with_arguments(
        self, call: dict[str, Any], arguments: Mapping[str, Any], /
    ) -> dict[str, Any]:
        return call


class ForgetsTheAgent(Dictionaries):
    """Says of every call that a trusted agent makes it."""

    def identity(self, call: dict[str, Any], /) -> Identity:
        return Identity({"id": "bot-7", "scopes": ["refunds:write"]})


class RefusesInSilence(Dictionaries):
    """Hands back nothing for a refusal."""

    def refusal(self, _call: dict[str, Any], answer: Answer, /) -> str:
        return "ok"


class TellsEverything(Dictionaries):
    """Hands the model every reason, internal ones too."""

    def refusal(self, _call: dict[str, Any], answer: Answer, /) -> str:
        return "was not run: " + "; ".join(ground.message for ground in answer.grounds)


class OneName(Dictionaries):
    """Takes every tool for the one that it knows."""

    def name(self, call: dict[str, Any], /) -> str:
        return TOOL


@pytest.mark.parametrize(
    ("adapter", "broken"),
    [
        (
            RunsWhatCame(),
            {"an_allowed_call_runs", "arguments_edited_after_the_decision_do_not_run"},
        ),
        (ForgetsTheAgent(), {"an_agent_without_rights_is_denied"}),
        (RefusesInSilence(), {"a_denied_call_does_not_run", "a_gate_that_breaks_lets_nothing_run"}),
        (TellsEverything(), {"an_internal_reason_stays_internal"}),
        (OneName(), {"an_undeclared_tool_does_not_run"}),
    ],
    ids=lambda each: type(each).__name__,
)
def test_the_laws_find_adapters_that_are_wrong(
    adapter: Dictionaries, broken: set[str], tmp_path: Path
) -> None:
    """Each way to get an adapter wrong breaks the laws that are about it."""
    for law in LAWS:
        if law.name in broken and not law.is_async:
            with pytest.raises((AssertionError, ArithmeticError)):
                law.check(ByDictionaries(adapter), tmp_path / law.name)


def test_a_refusal_inside_of_a_tool_is_an_error_of_the_tool(tmp_path: Path) -> None:
    """Where a running tool makes a call of its own that is refused, the outer call has failed, and is not refused."""
    from policylang import loads

    bundle = loads("module m action outer rule all: allow outer")
    call = {"tool": "outer", "args": {}, "agent": None, "approval": None}
    with Gate.open(bundle, store=tmp_path / "traces.duckdb") as gate:

        def tool(_call: dict[str, Any]) -> str:
            return gate.call("inner", {}, lambda _: "never")

        with pytest.raises(Refused, match="inner"):
            Guarded[dict[str, Any], str](gate, Dictionaries())(call, tool)
        with gate.store.view() as view:
            assert view.query("SELECT status FROM outcomes")[1] == [("failed",)]


def test_arguments_keep_the_form_in_which_they_came() -> None:
    """A number that was decided as it came stays that number; what was normalized, or is no JSON, is in its JSON form."""
    from decimal import Decimal

    given = {"a": 48.5, "b": "48.5", "c": 5, "d": "$5", "f": True}
    decided = {
        "a": Decimal("48.50"), "b": Decimal("48.50"), "c": Decimal("5.00"), "d": Decimal("5.00"), "e": [Decimal(1)], "f": True,
    }  # fmt: skip
    assert as_given(given, decided) == {
        "a": 48.5, "b": "48.50", "c": 5, "d": "5.00", "e": ["1"], "f": True,
    }  # fmt: skip
