"""Outcomes: what ran is compared with what was decided."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from policylang.trace.audit import audit
from policylang.trace.reading import Filter
from policylang.trace.store import TraceStore
from policylang.trace.verify import verify
from tests.trace.deciding import POLICY, bundle, request


@pytest.fixture
def store(tmp_path: Path) -> TraceStore:
    """An empty store."""
    return TraceStore.open(tmp_path / "traces.duckdb")


def answers(store: TraceStore, name: str) -> list[tuple[object, ...]]:
    """The rows of an audit with its defaults, for who may see personal values."""
    found = audit(name)
    with store.view(personal=True) as view:
        return [tuple(row) for row in view.query(found.sql, dict(found.params))[1]]


def test_what_ran_as_it_was_decided_is_no_finding(store: TraceStore) -> None:
    """The same arguments, however their numbers are written, and what did not run, are no findings."""
    with bundle() as policy, store:
        one, two, three = (store.record(policy.case(request("12.50"))) for _ in range(3))
        store.outcome(one, "executed", action="refund", arguments={"amount": Decimal("12.5")})
        store.outcome(two, "executed", action="refunds.refund", arguments={"amount": "12.50"})
        store.outcome(three, "failed", arguments={"amount": 99}, detail="time out")
        store.fold()
        assert answers(store, "executed_otherwise") == []
        assert answers(store, "allowed_without_outcome") == []
        with store.view() as view:
            assert verify(view).holds


@pytest.mark.parametrize(
    ("called", "finding"),
    [
        ({"arguments": {"amount": 1250}}, "amount: 12.50 decided, 1250 called"),
        ({"arguments": {"amount": 12.500000001}}, "amount: 12.50 decided, 12.500000001 called"),
        ({"arguments": {}}, "amount: 12.50 decided, (none) called"),
        (
            {"arguments": {"amount": "12.50", "to": "x\ud800\0"}},
            "to: (none) decided, x?\ufffd called",
        ),
        ({"action": "pay"}, "refunds.refund was decided, pay called"),
    ],
)
def test_what_ran_otherwise_is_a_finding(
    store: TraceStore, called: dict[str, object], finding: str
) -> None:
    """Another action, another argument, one more or one less is found and shown with both sides."""
    # Without a secret field: an argument that the policy does not declare is sealed otherwise.
    plain = POLICY.replace(", card: String? secret", "")
    with bundle(plain) as policy, store:
        id_ = store.record(policy.case(request("12.50")))
        store.outcome(id_, "executed", **called)  # type: ignore[arg-type]
        ((decision, *_, found),) = answers(store, "executed_otherwise")
    assert (decision, found) == (id_, finding)


def test_what_was_not_allowed_and_ran_is_a_finding(store: TraceStore) -> None:
    """An action that ran against its decision, without one, or twice is found."""
    with bundle() as policy, store:
        denied = store.record(policy.case(request("80.00")))
        allowed = store.record(policy.case(request("12.50")))
        store.outcome(denied, "executed")
        store.outcome("no such decision", "executed")
        store.outcome(allowed, "executed")
        store.outcome(allowed, "executed")
        found = [row[-1] for row in answers(store, "executed_otherwise")]
        assert found == ["the decision was deny", "there is no such decision", "it ran 2 times"]
        assert len(list(store.records(Filter(kind="outcome")))) == 4


def test_what_became_of_nothing_is_listed(store: TraceStore) -> None:
    """What was allowed without a word about what became of it is listed; what was denied is not."""
    with bundle() as policy, store:
        allowed = store.record(policy.case(request("12.50")))
        store.record(policy.case(request("80.00")))
        store.record(policy.case(request("12.50")), stage="shadow")
        assert [row[0] for row in answers(store, "allowed_without_outcome")] == [allowed]
