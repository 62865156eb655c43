"""Decides the expenses of `expenses.jsonl`, one after the other, and records every decision."""

from __future__ import annotations

import json
from pathlib import Path

from policylang import Decision, load
from policylang.bundle.settings import find_settings
from policylang.trace.store import TraceStore

HERE = Path(__file__).parent


def main() -> None:
    """Decide every expense, in order."""
    settings = find_settings(HERE)
    assert settings.store is not None
    with (
        load(*settings.policies, reference=settings.reference) as bundle,
        TraceStore.open(settings.store) as store,
    ):
        for line in (HERE / "expenses.jsonl").read_text().splitlines():
            case = bundle.case(line)
            store.record(case, agent="expense-bot")
            asked = json.loads(line)["args"]
            print(f"{asked['expense']}  {asked['amount']:>9}  {_answer(case.decision)}")


def _answer(decision: Decision) -> str:
    if decision.rejection is not None:
        return "refused: " + "; ".join(
            f"{problem.path} is {problem.received}" for problem in decision.rejection.problems
        )
    reasons = "; ".join(reason.message for reason in decision.reasons if not reason.internal)
    return f"{decision.outcome.value}: {reasons or 'for reasons that are not for customers'}"


if __name__ == "__main__":
    main()
