"""Differences between evaluators are records of the store."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from policylang.bundle import verifying
from policylang.evaluate.firings import Evaluation, Evaluator, Failure, Firing, Firings, Limits
from policylang.facts.factset import FactSet
from policylang.gate.gate import Gate
from policylang.gate.point import GateSettings
from policylang.trace.incidents import INCIDENT, incident_recorder
from policylang.trace.reading import Filter
from policylang.trace.store import TraceStore
from tests.trace.deciding import bundle, request


class Other:
    """An evaluator that answers what it is told to."""

    name = "another one"

    def __init__(self, answer: Evaluation) -> None:
        self.answer = answer

    def evaluate(self, facts: FactSet, limits: Limits) -> Evaluation:
        """The answer that was given."""
        return self.answer

    def evaluate_many(self, batch: Sequence[FactSet], limits: Limits) -> Sequence[Evaluation]:
        """The same for each."""
        return [self.answer for _ in batch]

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def store(tmp_path: Path) -> TraceStore:
    """An empty store."""
    return TraceStore.open(tmp_path / "traces.duckdb")


def found(
    store: TraceStore, answer: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, object]]:
    """The incidents that one decision leaves where a second evaluator answers that."""

    def chosen(*_: object) -> Evaluator:
        return Other(answer)

    monkeypatch.setattr(verifying, "choose", chosen)
    with bundle(verify=1.0, on_incident=incident_recorder(store)) as policy:
        policy.decide(request("12.50", name="eve", card="4111"))
        assert policy.verifier is not None
        policy.verifier.settle()
    return [record.body for record in store.records(Filter(kind=INCIDENT))]


def test_what_one_side_alone_says_is_recorded(
    store: TraceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record names both evaluators, the firings that only one has, and the request without its secrets."""
    only = Firing("refunds.small", ())
    (body,) = found(store, Firings((only,)), monkeypatch)
    assert body["again"] == {"by": "another one", "firings": 1, "only": []}
    live = body["live"]
    assert isinstance(live, dict)
    assert [firing["rule"] for firing in live["only"]] == ["refunds.listed/1", "refunds.blocked"]
    assert live["firings"] == 3
    assert "eve" in str(body)
    assert "4111" not in str(body)
    assert "(secret)" in str(body["facts"])
    with store.view() as view:
        _, rows = view.query("SELECT action, live_by, again_by FROM incidents")
    assert rows == [("refunds.refund", live["by"], "another one")]


def test_a_failure_of_one_side_is_recorded(
    store: TraceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one side fails and the other does not, the record has the failure."""
    (body,) = found(store, Failure("refunds.small", "PL0701", "no"), monkeypatch)
    failure = {"code": "PL0701", "message": "no", "rule": "refunds.small"}
    assert body["again"] == {"by": "another one", "failure": failure}


def test_a_gate_keeps_what_its_sample_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate that is told to verify has its decisions evaluated again, and the store has the differences."""

    def chosen(*_: object) -> Evaluator:
        return Other(Firings(()))

    policy = tmp_path / "shop.policy"
    policy.write_text(
        "module shop action ship { pieces: Int } rule few: allow ship if ship.pieces < 5"
    )
    monkeypatch.setattr(verifying, "choose", chosen)
    path = tmp_path / "traces.duckdb"
    with Gate.open(policy, store=path, settings=GateSettings(verify=1.0)) as gate:
        assert gate.decide("ship", {"pieces": 3}).allowed
        until = time.monotonic() + 30
        found: list[Any] = []
        while not found:
            assert time.monotonic() < until
            found = [record.body for record in gate.store.records(Filter(kind=INCIDENT))]
    (body,) = found
    assert [firing["rule"] for firing in body["live"]["only"]] == ["shop.few"]
