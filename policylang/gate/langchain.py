"""LangChain and LangGraph: a middleware that decides every tool call before it runs.

Needs `pip install policylang[langchain]`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

try:
    from langchain.agents.middleware import AgentMiddleware
    from langchain.agents.middleware.types import ToolCallRequest
    from langchain_core.messages import ToolMessage
    from langgraph.types import Command
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"{missing.name} is not installed: pip install policylang[langchain]", name=missing.name
    ) from missing

from policylang.gate.adapters import Guarded, Identity, as_given
from policylang.gate.answer import Answer
from policylang.gate.answer_json import answer_to_json
from policylang.gate.answer_text import for_model
from policylang.gate.gate import Gate

Reply: TypeAlias = "ToolMessage | Command[Any]"
Identify: TypeAlias = Callable[[ToolCallRequest], Identity]
"""Says who makes a call, from the state and the runtime of the graph; never from the arguments of a model."""


class ToolCalls:
    """The adapter of LangChain's tool calls."""

    def __init__(self, identify: Identify, actions: Mapping[str, str]) -> None:
        self._identify = identify
        self._actions = actions

    def name(self, call: ToolCallRequest, /) -> str:
        """The name of the tool, or the action that it is mapped to."""
        tool = call.tool_call["name"]
        return self._actions.get(tool, tool)

    def arguments(self, call: ToolCallRequest, /) -> Mapping[str, object]:
        """The arguments that the model wrote."""
        return call.tool_call["args"]

    def identity(self, call: ToolCallRequest, /) -> Identity:
        """Who makes the call."""
        return self._identify(call)

    def with_arguments(
        self, call: ToolCallRequest, arguments: Mapping[str, Any], /
    ) -> ToolCallRequest:
        """The call with the arguments that were decided, in forms that its schema can read."""
        decided = as_given(call.tool_call["args"], arguments)
        return call.override(tool_call={**call.tool_call, "args": decided})

    def refusal(self, call: ToolCallRequest, answer: Answer, /) -> Reply:
        """A message with the status `error`: its text is for the model, its artifact the answer for programs."""
        return ToolMessage(
            content=for_model(answer),
            name=call.tool_call["name"],
            tool_call_id=call.tool_call["id"] or "",
            status="error",
            artifact=answer_to_json(answer),
        )


class PolicyMiddleware(AgentMiddleware):
    """Every tool call of an agent is decided by a gate; a refused one is a `ToolMessage` with the status `error`.

    `agent` and `facts` are those of every call, `identify` finds them for each where they differ. `actions` maps
    names of tools to actions where they are called otherwise. Give it as the innermost middleware, the last of the list: what
    is decided must not be changed after it.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        agent: Mapping[str, object] | str | None = None,
        facts: Mapping[str, object] | None = None,
        identify: Identify | None = None,
        actions: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        known = Identity(agent, facts or {})
        self._guarded = Guarded[ToolCallRequest, Reply](
            gate, ToolCalls(identify or (lambda _call: known), actions or {})
        )

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Reply]
    ) -> Reply:
        """Decide a call, and run it or answer with the refusal."""
        return self._guarded(request, handler)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Reply]]
    ) -> Reply:
        """As `wrap_tool_call`, on the running loop."""
        return await self._guarded.acall(request, handler)
