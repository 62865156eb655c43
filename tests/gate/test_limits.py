"""Limits: what was decided and done is counted, under any keys and in any order, by many at once."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policylang import loads
from policylang.gate.gate import Gate
from policylang.gate.point import GateSettings
from policylang.trace.archive import Archive
from policylang.trace.reading import Filter
from policylang.trace.replay import AsRecorded, Verdict, replay
from tests.gate import limited
from tests.gate.shop import Shop

WORKER = Path(limited.__file__)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop with a store of its own."""
    made = Shop(tmp_path / "traces.duckdb")
    yield made
    made.close()


def start(*arguments: object) -> subprocess.Popen[bytes]:
    """A worker."""
    command = [sys.executable, str(WORKER), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def passed(process: subprocess.Popen[bytes]) -> int:
    """How many calls of a worker passed."""
    out, _ = process.communicate()
    assert process.returncode == 0
    return int(out.split()[-1])


def order(shop: Shop, action: str, **args: Any) -> bool:
    """Decide a call and run it where it is allowed; whether it was."""
    verdict = shop.gate.decide(action, args, agent=args.get("by", "bot-7"))
    if verdict.allowed:
        shop.gate.run(verdict, shop.ran.append)
    elif verdict.error is not None:
        raise verdict.error
    return verdict.allowed


def test_calls_are_counted_in_a_sliding_window(shop: Shop) -> None:
    """Three in seven days of each customer: the fourth passes once the first is out of the window."""
    for _ in range(3):
        assert shop.refund("1").allowed
        shop.later(days=1)
    assert not shop.refund("1").allowed
    assert shop.kinds() == ["limit_reached"]
    assert shop.refund("1", customer="c2").allowed
    shop.later(days=4)
    assert shop.refund("1").allowed
    assert not shop.refund("1").allowed


def test_amounts_are_added_up_exactly(shop: Shop) -> None:
    """500.00 a day for each agent, over all customers: to the cent, and not a cent more."""
    for i, amount in enumerate(["199.99", "199.99", "100.01"]):
        assert shop.refund(amount, customer=f"c{i}").allowed
    assert shop.refund("0.01", customer="c9").allowed
    assert not shop.refund("0.01", customer="c10").allowed
    assert shop.refund("0.00", customer="c10").allowed
    assert shop.refund("100.00", customer="c11", agent="bot-8").allowed


def test_a_cooldown_is_a_limit_of_one(tmp_path: Path) -> None:
    """One call in ten minutes, over every field that tells calls apart."""
    policy = """
    module bulk
    enum Kind { mail, sms }
    action send { to: String, kind: Kind }
    limit cooldown: send to 1 per send.to, send.kind in 10 minutes
    rule all: allow send
    """
    shop = Shop(tmp_path / "t.duckdb", policy)
    assert order(shop, "send", to="ann", kind="mail")
    assert not order(shop, "send", to="ann", kind="mail")
    assert order(shop, "send", to="ann", kind="sms")
    assert order(shop, "send", to="bob", kind="mail")
    shop.later(minutes=10)
    assert order(shop, "send", to="ann", kind="mail")
    shop.close()


def test_a_limit_counts_all_actions_of_a_group(tmp_path: Path) -> None:
    """A budget across tools: what one tool spends, the other does not have."""
    policy = """
    module spend
    action buy { cost: Decimal(2) }
    action book { cost: Decimal(2), seat: String? }
    action group money = buy, book
    limit budget: sum(money.cost) to 100.00 in 1 day
    rule all: allow money
    """
    shop = Shop(tmp_path / "t.duckdb", policy)
    assert order(shop, "buy", cost="60.00")
    assert not order(shop, "book", cost="40.01")
    assert order(shop, "book", cost="40.00")
    assert not order(shop, "buy", cost="0.01")
    shop.close()


def test_a_limit_without_a_window_counts_for_ever(tmp_path: Path) -> None:
    """Once is once."""
    policy = "module one action vote { by: String } limit once: vote to 1 per vote.by rule all: allow vote"
    shop = Shop(tmp_path / "t.duckdb", policy)
    assert order(shop, "vote", by="ann")
    shop.later(days=3000)
    assert not order(shop, "vote", by="ann")
    shop.close()


def test_calls_in_flight_count_until_they_fail(shop: Shop) -> None:
    """A call that is allowed takes its place before it runs; failing and skipping give it back."""
    given = {"customer": {"id": "c1", "tier": "free"}}

    def decide() -> Any:
        args = {"customer_id": "c1", "amount": 1}
        return shop.gate.decide("refund", args, agent="bot-7", facts=given)

    waiting = [decide() for _ in range(3)]
    assert all(verdict.allowed for verdict in waiting)
    assert not decide().allowed
    shop.gate.settle(waiting[0], "failed")
    shop.gate.settle(waiting[1], "skipped")
    shop.gate.settle(waiting[2], "executed")
    assert [decide().allowed for _ in range(3)] == [True, True, False]


def test_what_a_decision_counted_is_in_its_trace(shop: Shop) -> None:
    """A denial by a limit is decided again from its record alone, after the counters have gone on."""
    for _ in range(4):
        shop.refund("1")
        shop.later(hours=1)
    rows = shop.records("decision")[-1]["facts"]["rows"]
    assert len(rows["shop.weekly.history"]) == 3
    assert rows["shop.weekly.history"][0]["values"]["refund.customer_id"] == "c1"
    with shop.store.view() as view:
        archive = Archive(view)
        found = list(replay(view.records(Filter(kind="decision")), AsRecorded(archive)))
        archive.close()
    assert [one.verdict for one in found] == [Verdict.SAME] * 4


def test_another_maximum_goes_on_counting(shop: Shop, tmp_path: Path) -> None:
    """A limit that is raised lets pass what is left, and does not start anew."""
    from tests.gate.shop import POLICY

    for _ in range(3):
        shop.refund("1")
    more = loads(POLICY.replace("to 3 per", "to 4 per").replace("in 7 days", "in 9 days"))
    settings = GateSettings(clock=lambda: shop.now)
    with Gate.open(more, store=tmp_path / "traces.duckdb", settings=settings) as gate:
        facts = {"customer": {"id": "c1", "tier": "free"}}
        args = {"customer_id": "c1", "amount": 1}
        allowed = [gate.decide("refund", args, agent="a", facts=facts).allowed for _ in range(2)]
    assert allowed == [True, False]


def test_a_new_limit_counts_what_was_done_before_it(tmp_path: Path) -> None:
    """Calls that ran within its window count, by their own facts; failed, denied and older ones do not."""
    policy = """
    module pay
    fact agent { id: String }
    type Usd = Decimal(2) in 0.00 .. 100.00
    action pay { to: String, amount: Usd }
    rule all: allow pay
    """
    limit = "limit spent: sum(pay.amount) to 100.00 per pay.to, agent.id in 7 days\n"
    path = tmp_path / "t.duckdb"
    shop = Shop(path, policy)
    assert order(shop, "pay", to="ann", amount="90.00")
    shop.later(days=8)
    assert order(shop, "pay", to="ann", amount="40.00")
    assert order(shop, "pay", to="bob", amount="1.00")
    args = {"to": "ann", "amount": "50.00"}
    with pytest.raises(ZeroDivisionError):
        shop.gate.call("pay", args, lambda _: 1 // 0, agent="bot-7")
    shop.gate.decide("pay", {"to": "ann", "amount": "200.00"}, agent="bot-7")
    shop.store.fold()
    assert order(shop, "pay", to="ann", amount="10.50")
    shop.close()
    later = Shop(path, policy + limit)
    later.now = shop.now
    assert not order(later, "pay", to="ann", amount="49.51")
    assert order(later, "pay", to="ann", amount="49.50")
    assert order(later, "pay", to="bob", amount="99.00")
    assert not order(later, "pay", to="bob", amount="0.01")
    later.close()
    again = Shop(path, policy + limit)
    again.now = shop.now
    assert not order(again, "pay", to="ann", amount="0.01")
    again.close()


def test_only_what_counts_is_read(shop: Shop) -> None:
    """The number of rows that a decision reads depends on its keys and window, not on the age of the store."""
    for day in range(30):
        shop.refund("1", customer=f"c{day % 5}", agent=f"bot-{day}")
        shop.later(days=1)
    shop.refund("1")
    plan = _plan(
        shop, "SELECT call, at, cells FROM counted WHERE counter = 'x' AND key = x'00' AND at > 5"
    )
    assert "SEARCH counted USING PRIMARY KEY (counter=? AND key=? AND at>?)" in plan
    rows = shop.records("decision")[-1]["facts"]["rows"]
    assert len(rows["shop.weekly.history"]) == 1


def _plan(shop: Shop, sql: str) -> str:
    with shop.store.state.read() as reading:
        return " ".join(row[3] for row in reading.execute(f"EXPLAIN QUERY PLAN {sql}"))


def test_no_text_of_a_customer_is_in_the_state(shop: Shop) -> None:
    """Keys are hashes, and other arguments are not kept: what has to be erased is in the traces alone."""
    shop.refund("12.34", customer="ann@example.org")
    with shop.store.state.read() as reading:
        rows = reading.execute("SELECT key, cells FROM counted")
    assert "example" not in repr(rows)


def test_threads_share_a_limit(tmp_path: Path) -> None:
    """Of eight threads that try at once, exactly as many calls pass as the limit lets."""
    shop = Shop(tmp_path / "t.duckdb", limited.LIMITED.replace("to 100", "to 20"))
    allowed: list[bool] = []

    def work() -> None:
        allowed.extend([order(shop, "order", by="all") for _ in range(6)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(allowed), sum(allowed), len(shop.ran)) == (48, 20, 20)
    shop.close()


def test_processes_share_a_limit(tmp_path: Path) -> None:
    """Of three processes that try at once, exactly a hundred calls pass."""
    running = [start("run", tmp_path / "t.duckdb", 60) for _ in range(3)]
    assert sum(map(passed, running)) == 100


@pytest.mark.slow
def test_sixteen_processes_that_try_ten_thousand_times(tmp_path: Path) -> None:
    """A limit of 100 lets exactly 100 of 10,000 calls pass, and 100 outcomes are recorded."""
    path = tmp_path / "t.duckdb"
    running = [start("buffered", path, 625) for _ in range(16)]
    assert sum(map(passed, running)) == 100
    shop = Shop(path, limited.LIMITED)
    with shop.store.view() as view:
        ((decisions, allowed),) = view.query(
            "SELECT count(*), count(*) FILTER (outcome = 'allow') FROM decisions"
        )[1]
        ((executed,),) = view.query("SELECT count(*) FROM outcomes WHERE status = 'executed'")[1]
    assert (decisions, allowed, executed) == (10_000, 100, 100)
    shop.close()


@pytest.mark.parametrize("way", ["die-before", "die-inside"])
def test_a_worker_that_is_killed_gives_its_place_back_by_time(tmp_path: Path, way: str) -> None:
    """Its reservation holds for its time and no longer, and the record shows a decision without an outcome."""
    policy = limited.LIMITED.replace("to 100", "to 1")
    path = tmp_path / "t.duckdb"
    killed = start(way, path, 1)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    shop = Shop(path, policy)
    shop.now = dt.datetime.now(dt.UTC)
    assert not order(shop, "order", by="all")
    shop.later(minutes=5)
    assert order(shop, "order", by="all")
    assert len(shop.audit("allowed_without_outcome")) == 1
    shop.close()
