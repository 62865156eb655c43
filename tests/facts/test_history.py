"""Earlier calls become the rows that a limit counts, or the request is refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from tests.facts.shop import NOW, accepted, only_problem, request, values

HOUR = dt.timedelta(hours=1)


def entry(**changes: Any) -> dict[str, Any]:
    """An earlier call that counts, with changes; `...` takes a key away."""
    given = {
        "action": "refund",
        "args": {"customer_id": "c1", "amount": "$5"},
        "agent": {"id": "bot-7", "scopes": []},
        "time": "2026-11-22T09:00:00Z",
        "outcome": "executed",
    } | changes
    return {key: value for key, value in given.items() if value is not ...}


def history(*entries: Any) -> list[tuple[Any, ...]]:
    """The rows of the limit for a request with these earlier calls."""
    return values(accepted(request(history=list(entries))), "refunds.weekly.history")


ROW = ("c1", "bot-7", Decimal("5.00"), NOW - HOUR)


def test_an_earlier_call_is_a_row() -> None:
    """A row has what the limit reads of the call, normalized as its own request would be, and its time."""
    assert history(entry(), entry(outcome=...)) == [ROW, ROW]


@pytest.mark.parametrize("outcome", ["denied", "failed", "skipped", "needs_approval"])
def test_what_did_not_happen_is_not_counted(outcome: str) -> None:
    """Calls that were denied or failed leave no row."""
    assert history(entry(outcome=outcome)) == []


def test_other_actions_are_not_counted() -> None:
    """A call of an action that the limit is not about leaves no row."""
    assert history(entry(action="close", args={})) == []


def test_facts_of_the_earlier_request_may_stand_under_facts() -> None:
    """What the limit reads of a fact is read from the facts of the earlier request, wrapped or not."""
    wrapped = {"value": {"id": "bot-7"}, "source": "system"}
    assert history(entry(agent=..., facts={"agent": {"id": "bot-7"}})) == [ROW]
    assert history(entry(agent=..., facts={"refunds.agent": wrapped})) == [ROW]


@pytest.mark.parametrize(
    ("given", "path", "code"),
    [
        (entry(agent=...), "history[0].facts.agent.id", "PL0623"),
        (entry(args={"customer_id": "c1"}), "history[0].args.amount", "PL0623"),
        (entry(args=7), "history[0].args.customer_id", "PL0623"),
        (entry(args={"customer_id": 1, "amount": 1}), "history[0].args.customer_id", "PL0609"),
        (entry(time=...), "history[0].time", "PL0607"),
        (entry(time=None), "history[0].time", "PL0617"),
        (entry(time="09:00"), "history[0].time", "PL0610"),
        (entry(outcome="maybe"), "history[0].outcome", "PL0603"),
        (entry(outcome=[]), "history[0].outcome", "PL0603"),
        (entry(action="refnd"), "history[0].action", "PL0604"),
        (entry(action=...), "history[0].action", "PL0604"),
        (entry(amount=1), "history[0]", "PL0603"),
        (7, "history[0]", "PL0603"),
    ],
)
def test_a_call_that_cannot_be_counted_is_refused(given: Any, path: str, code: str) -> None:
    """An earlier call that lacks what the limit reads refuses the request: else too few would count."""
    problem = only_problem(request(history=[given]))
    assert (problem.path, problem.code) == (path, code)


def test_a_history_is_a_list() -> None:
    """Anything but a list of calls is refused."""
    assert only_problem(request(history={"a": 1})).code == "PL0603"
