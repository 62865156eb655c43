"""Decide before every call of a conversation, with the records as they are at that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from . import tools
from .conversations import Answer, Call, Conversation
from .records import CENT, Records, exact_json
from .request import METHODS, Earlier, build


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision, as far as the replay reports it.

    `outcome` is `allow`, `deny`, `needs_approval`, or `refused` for a request that is not valid.
    `rules` are the names of the determining rules without their module.
    """

    outcome: str
    rules: tuple[str, ...]
    reasons: tuple[str, ...]


Decide = Callable[[Mapping[str, Any]], Verdict]


@dataclass(frozen=True, slots=True)
class Decided:
    """One call with the decision about it.

    `done` says whether the tool made it. `agrees` says whether the recorded answer is the one
    computed from the records, nothing where none was recorded or the tool reads no records.
    """

    conversation: Conversation
    call: Call
    request: Mapping[str, Any]
    verdict: Verdict
    done: bool
    agrees: bool | None

    @property
    def permitted(self) -> bool:
        """Whether the call may be made."""
        return self.verdict.outcome == "allow"


def replay(conversation: Conversation, records: Records, decide: Decide) -> Iterator[Decided]:
    """Decide each call in turn; `records` are those at the start and stay so.

    The records follow what was done, whatever was decided: a recorded run shows the world in which
    its calls were made.
    """
    records, earlier = records.fresh(), Earlier()
    if conversation.identified is not None:
        earlier.found("name_and_zip", conversation.identified)
    for call in conversation.calls:
        request = build(records, earlier, call)
        verdict = decide(request)
        result, done = _make(records, call)
        if call.name in METHODS and done:
            earlier.found(METHODS[call.name], result)
        if call.name in tools.WRITES:
            earlier.executed(call, done)
        yield Decided(
            conversation, call, request, verdict, done, _agrees(call.answer, call, result, done)
        )


def replay_all(
    conversations: Iterable[Conversation], records: Records, decide: Decide
) -> list[Decided]:
    """Replay each conversation from the same records."""
    return [one for each in conversations for one in replay(each, records, decide)]


def _make(records: Records, call: Call) -> tuple[Any, bool]:
    """What the tool answers, and whether it did what was asked."""
    if call.name not in tools.TOOLS:
        return None, True
    try:
        return tools.call(records, call.name, call.arguments), True
    except tools.ToolError as refusal:
        return str(refusal), False


def _agrees(answer: Answer | None, call: Call, result: Any, done: bool) -> bool | None:
    if answer is None or call.name not in tools.TOOLS:
        return None
    if answer.error or not done:
        return answer.error and not done
    if call.name in tools.LOOKUPS:
        return bool(answer.text == result)
    return bool(in_cents(exact_json(answer.text)) == in_cents(result))


def in_cents(value: Any) -> Any:
    """A recorded answer with each number rounded to cents: recorded sums carry float noise."""
    match value:
        case bool():
            return value
        case Decimal() | int():
            return Decimal(value).quantize(CENT)
        case dict():
            return {key: in_cents(one) for key, one in value.items()}
        case list():
            return [in_cents(one) for one in value]
        case _:
            return value
