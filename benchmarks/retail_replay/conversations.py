"""Conversations to replay: the right actions of the tasks, and the recorded runs of models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .records import Records, exact_json
from .tools import LOOKUPS

#: The tasks are not dated: their actions are replayed a minute apart from here.
TASKS_START = datetime(2025, 8, 1, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a recorded tool answered: its text, and whether it is an error."""

    text: str
    error: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool, with its recorded answer where there is one."""

    name: str
    arguments: Mapping[str, Any]
    time: datetime
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Conversation:
    """Calls in order. `reward` is the score of a recorded run, nothing for right actions.

    `identified` is the customer where the conversation lists no lookup of its own.
    """

    source: str
    task: str
    reward: str | None
    identified: str | None
    calls: tuple[Call, ...]

    @property
    def succeeded(self) -> bool:
        """Whether the benchmark gave the run its full score."""
        return self.reward is not None and float(self.reward) == 1.0


def right_actions(folder: Path, records: Records) -> Iterator[Conversation]:
    """The right actions of every task in `tasks.json`."""
    for task in exact_json((folder / "tasks.json").read_text(encoding="utf-8")):
        actions = task["evaluation_criteria"]["actions"]
        looked_up = any(action["name"] in LOOKUPS for action in actions)
        yield Conversation(
            source="right actions",
            task=task["id"],
            reward=None,
            identified=None if looked_up else _described(task, records),
            calls=tuple(
                Call(one["name"], one["arguments"], TASKS_START + timedelta(minutes=i), None)
                for i, one in enumerate(actions)
            ),
        )


def _described(task: Mapping[str, Any], records: Records) -> str | None:
    """The one user whom a task describes, by name with zip code, by email, or by user id."""
    text = " ".join(str(part) for part in task["user_scenario"]["instructions"].values())
    found = [
        user.user_id
        for user in records.users.values()
        if user.user_id in text
        or user.email in text
        or all(part in text for part in (*user.name.values(), user.address["zip"]))
    ]
    return found[0] if len(found) == 1 else None


def recorded_runs(folder: Path) -> Iterator[Conversation]:
    """Every run in `trajectories/`, in the order of the files and of the runs in them."""
    for path in sorted((folder / "trajectories").glob("*.json")):
        for run in exact_json(path.read_text(encoding="utf-8"))["simulations"]:
            yield Conversation(
                source=path.stem,
                task=run["task_id"],
                reward=str(run["reward_info"]["reward"]),
                identified=None,
                calls=tuple(_calls(run["messages"])),
            )


def _calls(messages: Sequence[Mapping[str, Any]]) -> Iterator[Call]:
    answers = {
        message["id"]: Answer(message["content"], message["error"])
        for message in messages
        if message["role"] == "tool"
    }
    for message in messages:
        # The recorded times name no zone.
        time = datetime.fromisoformat(message["timestamp"]).replace(tzinfo=UTC)
        for call in message.get("tool_calls") or ():
            yield Call(call["name"], call["arguments"], time, answers.get(call["id"]))
