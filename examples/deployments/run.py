"""A release agent's week: what it proposes, for whom, what goes out, and what a person answers. Nothing is really deployed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policylang import Gate, Refused, load
from policylang.bundle.settings import find_settings
from policylang.facts.sources import Lookup
from policylang.gate.answer_text import for_model
from policylang.gate.approvals import ApprovalStatus
from policylang.gate.point import GateSettings

HERE = Path(__file__).parent
CHANGES = json.loads((HERE / "data" / "changes.json").read_text())
IRIS = {"approver": {"id": "iris", "roles": ["incident_lead"]}}

WEEK = (
    ("Tue 09:00", "ann", "deploy", "c1"),
    ("Tue 09:10", "ann", "deploy", "c2"),
    ("Tue 09:20", "ann", "deploy", "c3"),
    ("Tue 09:30", "ann", "deploy", "c4"),
    ("Tue 09:40", "ann", "deploy", "c5"),
    ("Tue 09:50", "ann", "deploy", "c6"),
    ("Fri 16:30", "ann", "deploy", "c7"),
    ("Sat 10:00", "ann", "deploy", "c8"),
    ("Sat 10:05", "iris", "grant", "c8"),
    ("Sat 10:06", "ann", "deploy", "c8"),
    ("Sat 12:30", "ann", "roll_back", "cart"),
    ("Sat 12:40", "ann", "deploy", "c7"),
)
DAYS = {"Tue": 3, "Fri": 6, "Sat": 7}


class Clock:
    """The time of the week that is played."""

    now = dt.datetime(2026, 3, 3, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        """The time that it is."""
        return self.now

    def move(self, when: str) -> None:
        """Go to `Tue 09:00`, of the first week of March."""
        day, _, time = when.partition(" ")
        hours, minutes = map(int, time.split(":"))
        self.now = dt.datetime(2026, 3, DAYS[day], hours, minutes, tzinfo=dt.UTC)


def change(id_: str) -> list[dict[str, Any]]:
    """The change of this identity, as the system that keeps them knows it."""
    kept = CHANGES.get(id_)
    if kept is None:
        return []
    return [{"id": id_, **{name: value for name, value in kept.items() if name != "reviews"}}]


def reviews(id_: str) -> list[dict[str, Any]]:
    """What was said of a change."""
    return [
        {"change": id_, "revision": revision, "by_whom": person, "verdict": verdict}
        for revision, person, verdict in CHANGES.get(id_, {}).get("reviews", ())
    ]


def propose(gate: Gate, person: str, action: str, what: str) -> None:
    """What the agent proposes for a person, and what came of it."""
    argument = {"deploy": "change", "roll_back": "service"}[action]
    caller = {"caller": {"agent": "release-bot", "person": person}}
    try:
        gate.call(action, {argument: what}, _run, agent="release-bot", facts=caller)
    except Refused as refused:
        print("  " + for_model(refused.answer).replace("\n", "\n  "))


def answer(gate: Gate, person: str) -> None:
    """A person answers what waits."""
    (waiting,) = gate.approvals.all(ApprovalStatus.PENDING)
    gate.approvals.grant(waiting.id, by=person, facts=IRIS)
    print("  (granted)")


def _run(arguments: Mapping[str, Any]) -> None:
    print(f"  ({', '.join(map(str, arguments.values()))}: done)")


def main() -> None:
    """Play the week."""
    settings = find_settings(HERE)
    assert settings.store is not None
    clock = Clock()
    of_the_change = ("args", "change")
    with (
        load(*settings.policies, reference=settings.reference, clock=clock) as bundle,
        Gate.open(
            bundle,
            store=settings.store,
            sources={
                "std.changes.change": Lookup(change, of_the_change),
                "std.changes.review": Lookup(reviews, of_the_change),
            },
            settings=GateSettings(clock=clock),
        ) as gate,
    ):
        for when, person, action, what in WEEK:
            clock.move(when)
            print(f"{when}  {person}: {action} {what}")
            if action == "grant":
                answer(gate, person)
            else:
                propose(gate, person, action, what)


if __name__ == "__main__":
    main()
