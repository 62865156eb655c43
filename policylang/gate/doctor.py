"""The doctor: five questions that a lead asks of a stack, answered with evidence from a project and its store.

1. Does the decision logic live apart from model calls and orchestration code?
2. Is there an enforcement point between every model output and every consequential action?
3. Can any decision of the last days be replayed from stored logs alone?
4. Do rule changes pass through stages before they meet all traffic?
5. Are the inputs of rules typed and validated before evaluation?

A question is answered with yes where the evidence shows it, with no where it shows otherwise, and is open where there is
nothing to look at. Beside the questions there is the health of the store.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policylang.bundle.bundle import Bundle
from policylang.trace.store import TraceStore

FORM: Final = 1
"""The version of the JSON form of an examination."""


class Reply(enum.Enum):
    """How a question is answered."""

    YES = "yes"
    NO = "no"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Finding:
    """One question with its answer: what was seen, and what to do where it is not yes."""

    name: str
    question: str
    reply: Reply
    evidence: tuple[str, ...]
    advice: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The documented form."""
        advice = {"advice": list(self.advice)} if self.advice else {}
        return {
            "name": self.name,
            "question": self.question,
            "reply": self.reply.value,
            "evidence": list(self.evidence),
            **advice,
        }


@dataclass(frozen=True, slots=True)
class Examination:
    """What the doctor found. `questions` are the five, `health` that of the store, `versions` of what decides."""

    questions: tuple[Finding, ...]
    health: tuple[Finding, ...]
    versions: Mapping[str, str]

    @property
    def is_well(self) -> bool:
        """Whether every question is answered with yes, and nothing is wrong with the store."""
        return all(each.reply is Reply.YES for each in self.questions) and all(
            each.reply is not Reply.NO for each in self.health
        )

    def to_json(self) -> dict[str, Any]:
        """The documented form."""
        return {
            "form": FORM,
            "well": self.is_well,
            "questions": [each.to_json() for each in self.questions],
            "health": [each.to_json() for each in self.health],
            "versions": dict(self.versions),
        }


@dataclass(frozen=True, slots=True)
class Project:
    """What the doctor looks at: whatever of it there is.

    `code` are folders of Python in which calls of a gate are looked for, `tools` the names of the tools that agents
    have. `days` are looked back at, and `sample` decisions of them replayed.
    """

    bundle: Bundle | None = None
    store: TraceStore | None = None
    code: Sequence[Path] = ()
    tools: Sequence[str] | None = None
    days: int = 30
    sample: int = 200
    now: dt.datetime | None = None

    @property
    def since(self) -> str:
        """The beginning of the days that are looked back at, as filters and views take it."""
        now = self.now or dt.datetime.now(dt.UTC)
        return (now - dt.timedelta(days=self.days)).replace(tzinfo=None).isoformat()


def examine(project: Project) -> Examination:
    """Ask the five questions, and look at the store. Raises `TraceUnavailableError` where the store cannot be read."""
    from policylang.gate.doctor_project import decided_apart, every_action_gated, facts_typed
    from policylang.gate.doctor_store import changes_staged, health, replayable
    from policylang.trace.versions import versions

    return Examination(
        questions=(
            decided_apart(project),
            every_action_gated(project),
            replayable(project),
            changes_staged(project),
            facts_typed(project),
        ),
        health=health(project),
        versions=versions(),
    )


def counted(number: int, word: str, words: str = "") -> str:
    """`1 rule`, `2 rules`."""
    return f"{number} {word if number == 1 else words or word + 's'}"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names in a row, the rest counted."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
