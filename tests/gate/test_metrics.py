"""What a host reports of the world after a decision."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from policylang.trace.reading import Filter
from tests.gate.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop with a store of its own."""
    made = Shop(tmp_path / "traces.duckdb")
    yield made
    made.close()


def test_a_metric_is_recorded_against_its_decision(shop: Shop) -> None:
    """By the verdict or its identity: that something happened, how often, and how much, exactly."""
    verdict = shop.gate.decide("ship", {"order": "o1"}, agent={"id": "bot"})
    shop.gate.metric(verdict, "complaint")
    shop.gate.metric(verdict.decision_id, "calls", 3)
    shop.gate.metric(verdict, "refunded", Decimal("0.10"))
    bodies = [record.body for record in shop.store.records(Filter(kind="metric"))]
    assert {body["decision"] for body in bodies} == {verdict.decision_id}
    assert [(body["name"], body["value"]) for body in bodies] == [
        ("complaint", True),
        ("calls", 3),
        ("refunded", "0.10"),
    ]
