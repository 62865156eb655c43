"""Routes the tickets of `tickets.jsonl`, records every decision, and shows where each ticket went and why."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import cast

from policylang import Decision, load
from policylang.bundle.settings import find_settings
from policylang.trace.store import TraceStore

HERE = Path(__file__).parent


def main() -> None:
    """Decide every ticket, in order."""
    settings = find_settings(HERE)
    assert settings.store is not None
    tickets = (HERE / "tickets.jsonl").read_text().splitlines()
    with (
        load(*settings.policies, reference=settings.reference) as bundle,
        TraceStore.open(settings.store) as store,
    ):
        for line in tickets:
            case = bundle.case(line)
            store.record(case, agent="help-desk")
            print(_row(json.loads(line)["facts"]["ticket"]["value"]["id"], case.decision))


def _row(ticket: str, decision: Decision) -> str:
    if decision.rejection is not None:
        return f"{ticket}  {decision.rejection.brief().splitlines()[-1].removeprefix('- ')}"
    values = {name.rpartition(".")[2]: found.value for name, found in decision.values.items()}
    urgency, queue = str(values["urgency"]), str(values["queue"])
    hours = cast("dt.timedelta", values["answer_within"]) // dt.timedelta(hours=1)
    told = ", and is told of the incident" if decision.obligations else ""
    return f"{ticket}  {urgency:8} {queue:12} answer within {hours} h{told}"


if __name__ == "__main__":
    main()
