"""Backtests: a draft over recorded decisions, reported as a shadow is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from policylang import loads
from policylang.rollout.backtest import (
    Backtest,
    backtest,
    last_backtest,
    note,
    report_on_backtest,
    time_of,
)
from policylang.rollout.figures import Kind
from policylang.rollout.guards import Guard, RefusedStepError
from policylang.rollout.report import Why
from policylang.rollout.reporting import report_on
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.versions import the_version
from policylang.trace.journal import Journal
from policylang.trace.reading import Filter
from policylang.trace.runs import ReplayRun
from policylang.trace.store import TraceStore
from tests.rollout.shop import begun, decided, deployed, put, request, text

DRAFT = "promote when draft: decisions >= 20 and loosened == 0"
ALL = Filter(kind="decision")


def _recorded(store: TraceStore, number: int = 30) -> Rollouts:
    rollouts = begun(store)
    with deployed(store) as deployment:
        for i in range(number):
            decided(store, deployment, request(1 + i % 6, f"c{i}"))
    return rollouts


def _tested(store: TraceStore, policy: str, jobs: int = 1, chosen: Filter = ALL) -> Backtest:
    with loads(policy) as bundle, store.view() as view:
        return backtest(ReplayRun(view, chosen, bundle, jobs=jobs))


def _noted(store: TraceStore, policy: str) -> None:
    with loads(policy) as bundle, store.view() as view:
        note(store, bundle, backtest(ReplayRun(view, ALL, bundle)), "ann")


def test_a_backtest_finds_what_a_shadow_finds(store: TraceStore) -> None:
    """Over the same requests a draft and a shadow of the same text have the same figures, but for latencies."""
    rollouts = begun(store)
    put(store, text("1.1.0", 4))
    rollouts.start("shop@1.1.0", by="ann")
    with deployed(store) as deployment:
        for i in range(30):
            decided(store, deployment, request(1 + i % 7, f"c{i}"))
        deployment.rest()
    why = Why("{}", "{}")
    shadow = report_on(store, "shop@1.1.0", None, lambda *_: why).to_json()
    tested = report_on_backtest(_tested(store, text("1.1.0", 4)), "shop@1.1.0", why).to_json()
    same = ("decisions", "agreement", "differences", "transitions", "actions", "rules", "agents", "examples")  # fmt: skip
    assert {name: tested[name] for name in same} == {name: shadow[name] for name in same}
    assert tested["differences"]["tighter"] > 0


def test_a_draft_that_fails_is_told_as_a_shadow_is(store: TraceStore) -> None:
    """A division by zero, and an action that the draft lacks, are its errors, under one name in both reports."""
    rollouts = begun(store)
    failing = text("1.1.0", 5, "rule odd: deny ship if 10 / (ship.pieces - 3) > 5")
    put(store, failing)
    rollouts.start("shop@1.1.0", by="ann")
    with deployed(store) as deployment:
        for i in range(6):
            decided(store, deployment, request(1 + i % 6, f"c{i}"))
        deployment.rest()
    why = Why("{}", "{}")
    shadow = report_on(store, "shop@1.1.0", None, lambda *_: why).to_json()
    tested = report_on_backtest(_tested(store, failing), "shop@1.1.0", why).to_json()
    assert tested["errors"] == shadow["errors"] == {"PL0701 in the rule shop.odd": 1}
    other = text("2.0.0").replace("ship", "send")
    found = _tested(store, other)
    assert found.figures.kinds[Kind.ERROR] + found.skipped.total() == 6


@pytest.mark.slow
def test_a_backtest_over_processes_finds_the_same(store: TraceStore) -> None:
    """Two processes count what one does."""
    _recorded(store)
    one, two = _tested(store, text("1.1.0", 3)), _tested(store, text("1.1.0", 3), jobs=2)
    assert one.figures.kinds == two.figures.kinds
    assert one.figures.transitions == two.figures.transitions


def test_a_backtest_can_be_resumed(store: TraceStore, tmp_path: Path) -> None:
    """What an earlier part of a run has done counts, and is not done again."""
    _recorded(store)
    whole = _tested(store, text("1.1.0", 3))
    for expected in (30, 0):
        done = 0

        def told() -> None:
            nonlocal done
            done += 1

        with (
            loads(text("1.1.0", 3)) as bundle,
            store.view() as view,
            Journal.open(tmp_path / "journal", {"of": "this"}, ALL) as journal,
        ):
            found = backtest(ReplayRun(view, ALL, bundle, journal=journal), told)
        assert done == expected
        assert found.figures.total == whole.figures.total
        assert found.figures.transitions == whole.figures.transitions


def test_what_cannot_be_made_again_is_told(store: TraceStore) -> None:
    """A request that was refused before any rule is no decision to compare, and is counted apart."""
    rollouts = begun(store)
    assert rollouts.history()
    with deployed(store) as deployment:
        decided(store, deployment, request(1))
        decided(store, deployment, {"action": "ship", "args": {"pieces": "many", "to": "c"}})
    found = _tested(store, text("1.1.0", 4))
    assert found.figures.total == 1
    assert found.refused + found.skipped.total() == 1


def test_a_draft_is_started_only_with_the_backtest_it_asks_for(store: TraceStore) -> None:
    """Without one, with one that does not meet the criteria, or with one of another text, it stays a draft."""
    rollouts = _recorded(store)
    looser, tighter = text("1.1.0", 6, DRAFT), text("1.2.0", 4, DRAFT)
    put(store, looser)
    put(store, tighter)
    for wanted in ("asks for a backtest", "loosened == 0: it is 5"):
        with pytest.raises(RefusedStepError) as refused:
            rollouts.start("shop@1.1.0", by="ann")
        assert refused.value.guard is Guard.BACKTEST
        assert wanted in str(refused.value.diagnostics[0])
        _noted(store, looser)
    with pytest.raises(RefusedStepError, match="backtest"):
        rollouts.start("shop@1.2.0", by="ann")
    _noted(store, tighter)
    assert rollouts.start("shop@1.2.0", by="ann")


def test_a_backtest_is_in_the_state_and_in_the_chain(store: TraceStore) -> None:
    """What was found stays with the version, by what it decides and not by its layout."""
    _recorded(store)
    _noted(store, text("1.1.0", 4) + "# a comment\n")
    put(store, text("1.1.0", 4))
    with store.state.read() as reading:
        noted = last_backtest(reading, the_version(reading, "shop@1.1.0"))
    assert noted is not None
    assert noted.observed().figures.kinds[Kind.TIGHTER] == 5
    (record,) = store.records(Filter(kind="backtest"))
    assert record.body["kinds"] == dict(noted.kinds)


def test_an_identity_tells_its_time(store: TraceStore) -> None:
    """The time that a report sorts a decision under is that of its record."""
    _recorded(store, 3)
    for record in store.records(ALL):
        told, at = map(dt.datetime.fromisoformat, (time_of(record.id), record.at))
        assert abs(told - at) < dt.timedelta(seconds=1)
