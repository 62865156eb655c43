"""The middleware for LangChain, with the real package and a model that follows a script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policylang.gate.gate import Gate
from policylang.testing.adapters import LAWS, OPEN_ACCOUNT, POLICY, Asked, Law, Seen, Tool

pytest.importorskip("langchain.agents", reason="langchain is not installed (extra `langchain`)")

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import StructuredTool

from policylang import loads
from policylang.gate.langchain import PolicyMiddleware


class Scripted(GenericFakeChatModel):
    """A chat model that says what its script says."""

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        """The script knows its tools."""
        return self


def model(*calls: dict[str, Any]) -> Scripted:
    """A model that makes these tool calls at once, and then is done."""
    wanted = [
        {"name": c["name"], "args": c["args"], "id": f"call-{i}"} for i, c in enumerate(calls)
    ]
    messages: Iterator[BaseMessage] = iter(
        [AIMessage(content="", tool_calls=wanted), AIMessage(content="done")]
    )
    return Scripted(messages=messages)


def _hello() -> dict[str, Any]:
    return {"messages": [HumanMessage("pay it back")]}


class LangChain:
    """Runs the calls of the laws through an agent of LangChain."""

    def call(self, gate: Gate, tool: Tool, asked: Asked) -> Seen:
        """An agent with a function as its tool."""
        made = StructuredTool.from_function(func=self._typed(tool), name=asked.tool)
        return self._seen(self._agent(gate, made, asked).invoke(_hello()))

    async def acall(self, gate: Gate, tool: Callable[..., Awaitable[Any]], asked: Asked) -> Seen:
        """An agent with a coroutine as its tool."""
        made = StructuredTool.from_function(coroutine=self._atyped(tool), name=asked.tool)
        return self._seen(await self._agent(gate, made, asked).ainvoke(_hello()))

    def _agent(self, gate: Gate, tool: Any, asked: Asked) -> Any:
        middleware = PolicyMiddleware(gate, agent=asked.agent, facts=asked.facts)
        scripted = model({"name": asked.tool, "args": asked.arguments})
        return create_agent(scripted, [tool], middleware=[middleware])

    def _typed(self, tool: Tool) -> Tool:
        def refund(account: str, amount: Decimal) -> str:
            """Pay money back."""
            return str(tool(account=account, amount=amount))

        return refund

    def _atyped(self, tool: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def refund(account: str, amount: Decimal) -> str:
            """Pay money back."""
            return str(await tool(account=account, amount=amount))

        return refund

    def _seen(self, state: dict[str, Any]) -> Seen:
        (message,) = [m for m in state["messages"] if isinstance(m, ToolMessage)]
        return Seen(message.status == "error", str(message.content))


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_middleware_keeps_the_laws(law: Law, tmp_path: Path) -> None:
    """Every law of adapters holds for the middleware, with functions and with coroutines."""
    law.check(LangChain(), tmp_path)


def test_a_refusal_is_a_tool_message_with_the_answer(tmp_path: Path) -> None:
    """A refused call is a message with the status `error`, the text for the model, and the answer as its artifact."""
    ran: list[str] = []

    def refund(account: str, amount: float) -> str:
        """Pay money back."""
        ran.append(account)
        return f"paid {amount} to {account}"

    with Gate.open(
        loads(POLICY), store=tmp_path / "traces.duckdb", sources={"account": OPEN_ACCOUNT}
    ) as gate:
        middleware = PolicyMiddleware(gate, agent={"id": "bot-7", "scopes": ["refunds:write"]})
        calls = [
            {"name": "refund", "args": {"account": account, "amount": amount}}
            for account, amount in (("a1", 48.5), ("a2", 4800))
        ]
        agent = create_agent(model(*calls), [refund], middleware=[middleware])
        state = agent.invoke({"messages": [HumanMessage("pay both back")]})
    paid, refused = [m for m in state["messages"] if isinstance(m, ToolMessage)]
    assert (ran, paid.content, paid.status) == (["a1"], "paid 48.5 to a1", "success")
    assert (refused.status, refused.tool_call_id, refused.name) == ("error", "call-1", "refund")
    assert refused.artifact["outcome"] == "deny"
    assert refused.artifact["bounds"][0]["limit"] == "1000.00"


def test_tools_may_be_called_otherwise_than_actions(tmp_path: Path) -> None:
    """A tool is mapped to its action by name, and who asks is found for each call."""
    from policylang.gate.adapters import Identity

    def pay_back(account: str, amount: float) -> str:
        """Pay money back."""
        return f"paid {amount} to {account}"

    with Gate.open(
        loads(POLICY), store=tmp_path / "traces.duckdb", sources={"account": OPEN_ACCOUNT}
    ) as gate:
        middleware = PolicyMiddleware(
            gate,
            actions={"pay_back": "refund"},
            identify=lambda call: Identity(
                {"id": "bot-7", "scopes": [call.state["messages"][0].content]}
            ),
        )
        args = {"account": "a1", "amount": 48.5}
        for said, status in (("refunds:write", "success"), ("nothing", "error")):
            scripted = model({"name": "pay_back", "args": args})
            agent = create_agent(scripted, [pay_back], middleware=[middleware])
            state = agent.invoke({"messages": [HumanMessage(said)]})
            assert [m.status for m in state["messages"] if isinstance(m, ToolMessage)] == [status]


def test_a_graph_of_ones_own_puts_the_gate_before_its_tool_node(tmp_path: Path) -> None:
    """The two methods of the middleware are what a `ToolNode` of LangGraph takes, for functions and coroutines."""
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode

    def refund(account: str, amount: float) -> str:
        """Pay money back."""
        return f"paid {amount} to {account}"

    with Gate.open(
        loads(POLICY), store=tmp_path / "traces.duckdb", sources={"account": OPEN_ACCOUNT}
    ) as gate:
        guard = PolicyMiddleware(gate, agent={"id": "bot-7", "scopes": ["refunds:write"]})
        node = ToolNode(
            [refund], wrap_tool_call=guard.wrap_tool_call, awrap_tool_call=guard.awrap_tool_call
        )
        graph = StateGraph(MessagesState)
        graph.add_node("tools", node)
        graph.add_edge(START, "tools")
        graph.add_edge("tools", END)
        calls = [
            {"name": "refund", "args": {"account": f"a{i}", "amount": amount}, "id": f"call-{i}"}
            for i, amount in enumerate((48.5, 4800))
        ]
        asked = {"messages": [AIMessage(content="", tool_calls=calls)]}
        state = graph.compile().invoke(asked)
    statuses = [m.status for m in state["messages"] if isinstance(m, ToolMessage)]
    assert statuses == ["success", "error"]
