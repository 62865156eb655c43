"""A gate without policies of its own: what is published in the store decides, limits of candidates included."""

from __future__ import annotations

from pathlib import Path

import pytest

from policylang import PolicyInvalid
from policylang.gate.gate import Gate
from policylang.trace.reading import Filter
from policylang.trace.store import TraceStore
from tests.rollout.shop import begun, canary, put, text

LIMIT = "limit daily: ship to 3 per ship.to in 1 day"


def test_published_modules_decide(tmp_path: Path) -> None:
    """The active version decides, the record names stage and bucket, and protected functions are checked against it."""
    with TraceStore.open(tmp_path / "t.duckdb") as store:
        rollouts = begun(store)
        with Gate.open(store=store) as gate:

            @gate.protect("ship")
            def ship(pieces: int, to: str) -> int:
                return pieces

            assert ship(3, "c1") == 3
            put(store, text("1.1.0", more=LIMIT))
            canary(rollouts, "1.1.0")
    with Gate.open(store=tmp_path / "t.duckdb") as gate:
        verdicts = [gate.decide("ship", {"pieces": 4, "to": "c1"}, agent="bot") for _ in range(3)]
        # The limit is new with the canary, and the call that ran before it counts.
        assert [verdict.allowed for verdict in verdicts] == [True, True, False]
        records = list(gate.store.records(Filter(kind="decision")))
        assert [record.body["stage"] for record in records] == ["active"] + ["canary"] * 3


def test_a_store_in_which_nothing_is_active_opens_no_gate(tmp_path: Path) -> None:
    """Nothing decides, so there is no gate that could let something through."""
    with pytest.raises(PolicyInvalid):
        Gate.open(store=tmp_path / "t.duckdb")
