"""Reads and sends what `requests.jsonl` asks for, as far as the policy lets it, and masks what it has to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from policylang import Decision, Outcome, load
from policylang.bundle.settings import find_settings
from policylang.trace.store import TraceStore

HERE = Path(__file__).parent
PATIENTS = json.loads((HERE / "data" / "patients.json").read_text())


def main() -> None:
    """Answer every request, in order."""
    settings = find_settings(HERE)
    assert settings.store is not None
    with (
        load(*settings.policies, reference=settings.reference) as bundle,
        TraceStore.open(settings.store) as store,
    ):
        for line in (HERE / "requests.jsonl").read_text().splitlines():
            case = bundle.case(line)
            store.record(case, agent="clinic-bot")
            request = json.loads(line)
            fields = [row["value"]["field"] for row in request["facts"]["std.data.requested"]]
            what = " ".join([request["action"], request["args"]["patient"], *fields])
            who = request["facts"]["person"]["id"]
            print(f"{who:4} {what:26} {_answer(case.decision, request, fields)}")


def _answer(decision: Decision, request: dict[str, Any], fields: list[str]) -> str:
    if decision.rejection is not None:
        return "refused: " + decision.rejection.problems[0].message
    if decision.outcome is not Outcome.ALLOW or request["action"] != "read":
        return f"{decision.outcome.value}: {decision.reasons[0].message}"
    masked = {dict(duty.arguments)["field"] for duty in decision.obligations if duty.name == "mask"}
    record = PATIENTS[request["args"]["patient"]]
    return ", ".join(
        f"{name} ***" if name in masked else f"{name} {record[name]}" for name in fields
    )


if __name__ == "__main__":
    main()
