"""What a replay found, counted, with examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from policylang.trace.changes import places
from policylang.trace.replay import Replayed, Verdict

MOST_EXAMPLES: Final = 5
"""Decisions that a report shows for each transition."""

NO_AGENT: Final = "(none)"
SAME_RULES: Final = "(the same rules)"
REASONS_ALONE: Final = "reasons alone"
"""What is counted, and shown in examples, of decisions that are the same but for what is told of them."""
_COUNTERS: Final = (
    "verdicts",
    "transitions",
    "rules",
    "gained",
    "lost",
    "parts",
    "actions",
    "agents",
    "problems",
)


@dataclass(slots=True)
class Report:
    """What a replay found, counted: verdicts, and of what differs the transitions, rules, actions and agents.

    `rules` are those that decide now and did not, or the other way; `gained` and `lost` tell the two apart. `parts` are
    what of the decisions is not the same, such as `values.shop.limit`. `problems` are what kept decisions from being made again.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    transitions: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    gained: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    agents: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many decisions were looked at."""
        return self.verdicts.total()

    def add(self, replayed: Replayed) -> None:
        """Count one decision."""
        self.verdicts[replayed.verdict.value] += 1
        if replayed.verdict is Verdict.NOT_REPLAYABLE:
            self.problems[replayed.problem] += 1
        parts = _parts(replayed)
        if replayed.verdict is not Verdict.DIFFERENT:
            if parts:
                self.parts[REASONS_ALONE] += 1
                self._show(REASONS_ALONE, [replayed.id])
            return
        self.parts.update(parts)
        self.transitions[replayed.transition] += 1
        self.actions[replayed.action] += 1
        self.agents[replayed.agent or NO_AGENT] += 1
        then, now = _rules(replayed.recorded), _rules(replayed.now or {})
        self.rules.update(then ^ now or {SAME_RULES})
        self.gained.update(now - then)
        self.lost.update(then - now)
        self._show(replayed.transition, [replayed.id])

    def merge(self, other: Report) -> None:
        """Count what another report has counted, which comes after this one."""
        for name in _COUNTERS:
            getattr(self, name).update(getattr(other, name))
        for transition, ids in other.examples.items():
            self._show(transition, ids)

    def to_json(self) -> dict[str, Any]:
        """The report as plain objects, the most frequent first."""
        return {
            **{name: dict(ranked(getattr(self, name))) for name in _COUNTERS},
            "examples": self.examples,
        }

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> Self:
        """The report that `to_json` wrote."""
        counters = {name: Counter(form.get(name, {})) for name in _COUNTERS}
        examples = {key: list(ids) for key, ids in form.get("examples", {}).items()}
        return cls(**counters, examples=examples)

    def _show(self, transition: str, ids: Iterable[str]) -> None:
        shown = self.examples.setdefault(transition, [])
        shown.extend(ids)
        del shown[MOST_EXAMPLES:]


def ranked(counter: Counter[str]) -> list[tuple[str, int]]:
    """What was counted, the most frequent first, and by name where they are equal."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))


def _parts(replayed: Replayed) -> tuple[str, ...]:
    """What of a decision is not as it was recorded, besides its outcome and the rules behind it, which are counted apart."""
    if replayed.now is None:
        return ()
    found = places(replayed.recorded["decision"], replayed.now["decision"])
    return tuple(at for at in found if at not in ("outcome", "determining"))


def _rules(made: Mapping[str, Any]) -> set[str]:
    return set(made.get("decision", {}).get("determining", ()))


def summarize(replayed: Iterable[Replayed]) -> Report:
    """The report of a replay."""
    report = Report()
    for one in replayed:
        report.add(one)
    return report
