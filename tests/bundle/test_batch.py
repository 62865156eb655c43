"""Many requests over several processes."""

from __future__ import annotations

import datetime as dt
import json
import os
import pickle
import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from policylang import Outcome, ReasonKind, loads
from policylang.bundle import batch
from policylang.bundle.batch import CHUNK, WorkersLost, answer_lines, line_of

REFUNDS = """module refunds version "1.0.0"
facts member { team: String, user: String }
fact agent { id: String key, scopes: Set[String] }
action refund { amount: Decimal(2) }
param most: Decimal(2) = 200.00
rule small: allow refund if agent.scopes has "refunds" and refund.amount <= most
  because "{refund.amount} is within {most}"
rule team: require approval(by: "lead") for refund if member(team: T, user: agent.id)
"""
REFERENCE = {"member": [{"team": "a", "user": "bot3"}]}


class Odd(dict[str, Any]):
    """A request that no other process can read."""

    def __reduce__(self) -> Any:
        raise TypeError("stays here")


class Deadly:
    """Ends the process that reads it."""

    def __reduce__(self) -> Any:
        return os._exit, (9,)


def requests(count: int) -> Iterator[Any]:
    """Good requests and bad ones, as mappings and as text."""
    for number in range(count):
        request: dict[str, Any] = {
            "action": "refund",
            "args": {"amount": f"{number % 300}.00"},
            "agent": {"id": f"bot{number % 5}", "scopes": ["refunds"] if number % 3 else []},
            "now": "2026-11-22T10:00:00Z",
        }
        if number % 7 == 0:
            yield json.dumps(request)
        elif number % 11 == 0:
            yield b"not json"
        elif number % 13 == 0:
            yield {**request, "args": {"amount": "NaN"}}
        elif number == CHUNK + 17:
            yield Odd(request)
        else:
            yield request


@pytest.mark.parametrize("count", [0, 1, CHUNK, 5 * CHUNK + 3])
def test_processes_answer_as_one_does(count: int) -> None:
    """Over processes there is one answer a request, in order, equal to that of `decide`, bad ones too."""
    with loads(REFUNDS, reference=REFERENCE) as bundle:
        alone = [bundle.decide(request) for request in requests(count)]
        assert list(bundle.decide_many(requests(count), jobs=2)) == alone
        lines = list(answer_lines(bundle, requests(count), jobs=2))
        assert lines == [line_of(decision) for decision in alone]
        assert lines == list(answer_lines(bundle, requests(count)))


def test_no_more_is_read_ahead_than_the_workers_hold() -> None:
    """Of an endless stream only twice as many chunks as workers are taken before the first answer."""
    taken = 0

    def endless() -> Iterator[Any]:
        nonlocal taken
        while True:
            for request in requests(CHUNK):
                taken += 1
                yield request

    with loads(REFUNDS) as bundle:
        answers = bundle.decide_many(endless(), jobs=2)
        for _ in range(3):
            next(answers)
        answers.close()  # type: ignore[attr-defined]
    assert taken <= 5 * CHUNK
    assert not _workers()


def test_a_killed_worker_loses_no_answer() -> None:
    """Where a worker is killed in the middle of a run, its requests are answered by another."""
    with loads(REFUNDS, reference=REFERENCE) as bundle:
        count = 12 * CHUNK
        alone = [bundle.decide(request) for request in requests(count)]
        answers = bundle.decide_many(requests(count), jobs=2)
        found = [next(answers)]
        for process in _workers()[:1]:
            process.send_signal(signal.SIGKILL)
        found.extend(answers)
        assert found == alone


def test_a_request_that_ends_its_process_is_denied_alone() -> None:
    """A request that no worker survives is denied with that reason, and those around it are answered."""
    with loads(REFUNDS, reference=REFERENCE) as bundle:
        given = list(requests(40))
        given[20] = {"action": "refund", "args": Deadly()}
        found = list(bundle.decide_many(given, jobs=2))
        expected = [bundle.decide(request) for request in [*given[:20], *given[21:]]]
        assert [*found[:20], *found[21:]] == expected
        assert found[20].outcome is Outcome.DENY
        assert found[20].reasons[0].kind is ReasonKind.EVALUATION_FAILED
        assert "ended before it answered" in found[20].reasons[0].message


def test_a_run_that_loses_worker_after_worker_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where workers end again and again the run raises; it does not come out short."""
    monkeypatch.setattr(batch, "MOST_LOST", 2)
    with loads(REFUNDS) as bundle:
        given = [{"action": "refund", "args": Deadly()}] * (batch.MOST_LOST + 2)
        with pytest.raises(WorkersLost):
            list(bundle.decide_many(given, jobs=2))
    assert not _workers()


def test_workers_that_do_not_start_fail_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a worker cannot be started at all, the run raises before any answer."""
    monkeypatch.setattr(batch, "_START", "raise SystemExit(3)")
    with loads(REFUNDS) as bundle, pytest.raises(WorkersLost, match="status 3"):
        list(bundle.decide_many(requests(3), jobs=2))


def test_a_clock_that_cannot_be_sent_is_an_error() -> None:
    """A clock that no other process can be given is said to be one, before any worker is started."""
    bundle = loads(REFUNDS, clock=lambda: dt.datetime.now(dt.UTC))
    with bundle, pytest.raises(ValueError, match="clock"):
        list(bundle.decide_many(requests(3), jobs=2))


def test_clingo_answers_over_processes() -> None:
    """The evaluator of the bundle is that of its workers."""
    with loads(REFUNDS, reference=REFERENCE, evaluator="asp") as bundle:
        alone = [bundle.decide(request) for request in requests(20)]
        assert list(bundle.decide_many(requests(20), jobs=2)) == alone


def _workers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if any("batch_worker" in part for part in child.cmdline())]


def test_what_reference_data_alone_fires_does_not_travel() -> None:
    """A decision crosses to another process without its settled firings, which are what those of this one are."""
    policy = "module m facts r { a: Int, b: Int } action act { x: Int } define p(X) if r(a: X) rule y: allow act if p(act.x)"
    rows = [{"a": i, "b": i} for i in range(100)]
    with loads(policy, reference={"r": rows}, evaluator="plan") as bundle:
        asked = {"action": "act", "args": {"x": 7}, "now": "2026-11-22T10:00:00Z"}
        here = bundle.decide(asked)
        (there,) = bundle.decide_many([asked], jobs=2)
        assert there == here
        assert len(pickle.loads(pickle.dumps(here)).settled.firings) == 0
        assert len(there.settled.firings) == len(here.settled.firings) == 100
        assert there.firings == here.firings
        assert [firing.rule for firing in here.firings] == ["m.y"]
