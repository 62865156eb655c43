"""The gate: what is decided is recorded before it runs, runs once and as decided; all else does not run."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from policylang import PolicyInvalid, loads
from policylang.facts.sources import Lookup
from policylang.gate.answer import AnswerKind, AnswerOutcome, When
from policylang.gate.approving import ApprovalSettings
from policylang.gate.gate import Gate
from policylang.gate.verdict import ExecutedOtherwise, NotLeft, Refused
from policylang.rollout.deciding import Decided, SingleBundle
from policylang.trace.telemetry import Became, Observed
from policylang.trace.writer import TraceUnavailableError
from tests.gate.shop import Shop

FREE = {"customer": {"id": "c1", "tier": "free"}}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop with a store of its own."""
    made = Shop(tmp_path / "traces.duckdb")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="policylang")


# --- deciding ------------------------------------------------------------------------------------------


def test_a_call_that_is_allowed_is_recorded_and_runs_with_what_was_decided(shop: Shop) -> None:
    """The arguments are the validated ones, and the outcome names the decision."""
    verdict = shop.refund("$10.00", " c1 ")
    assert verdict.allowed
    assert shop.ran == [{"customer_id": "c1", "amount": Decimal("10.00")}]
    (outcome,) = shop.records("outcome")
    assert outcome["decision"] == verdict.decision_id
    assert outcome["status"] == "executed"
    assert outcome["arguments"] == {"customer_id": "c1", "amount": "10.00"}
    record = shop.store.get(verdict.decision_id)
    assert record is not None
    assert record.body["agent"] == "bot-7"
    assert record.body["microseconds"] > 0


def test_a_call_that_is_denied_is_recorded_and_does_not_run(shop: Shop) -> None:
    """A denied verdict raises `Refused` with its answer, whoever tries to run it."""
    verdict = shop.gate.decide("ship", {"order": "o1", "pieces": 9}, agent="bot-7")
    with pytest.raises(Refused) as refused:
        shop.gate.run(verdict, shop.ran.append)
    assert refused.value.answer.outcome is AnswerOutcome.DENY
    assert refused.value.answer.decision_id == verdict.decision_id
    assert shop.ran == []
    assert [body["decision"]["outcome"] for body in shop.records("decision")] == ["deny"]
    assert shop.outcomes() == []


def test_an_action_that_no_module_declares_is_denied_and_recorded(shop: Shop) -> None:
    """What nobody has thought of does not run, and leaves a trace."""
    verdict = shop.gate.decide("transfer", {"amount": 5}, agent="bot-7")
    assert not verdict.allowed
    assert verdict.answer.grounds[0].kind == "unknown_action"
    assert shop.records("decision")[0]["decision"]["rejection"]["kind"] == "unknown_action"


@pytest.mark.parametrize("amount", [None, float("nan"), "1e400", True, "ten", -1, "10.001"])
def test_values_that_are_not_valid_do_not_run(shop: Shop, amount: Any) -> None:
    """What is no amount is refused before any rule, told with its path."""
    verdict = shop.refund(amount)
    assert verdict.answer.problems[0].path == "refund.amount"
    assert shop.ran == []


def test_a_missing_fact_is_asked_for(shop: Shop) -> None:
    """Without a fact that rules read, the answer names it."""
    verdict = shop.gate.decide("refund", {"customer_id": "c1", "amount": 5}, agent="bot-7")
    assert verdict.answer.outcome is AnswerOutcome.NEEDS_FACTS
    assert [need.name for need in verdict.answer.needs] == ["shop.customer"]


def test_one_verdict_runs_one_call(shop: Shop) -> None:
    """Running a verdict again raises, however the first run ended."""
    verdict = shop.refund()
    with pytest.raises(NotLeft):
        shop.gate.run(verdict, shop.ran.append)
    with pytest.raises(NotLeft):
        shop.gate.settle(verdict, "failed")
    assert len(shop.ran) == 1


def test_a_verdict_that_is_run_elsewhere_is_settled_by_hand(shop: Shop) -> None:
    """Who runs calls without the gate says what became of them; a refused call has no outcome."""
    verdict = shop.gate.decide("ship", {"order": "o1"}, agent="bot-7")
    shop.gate.settle(verdict, "executed", arguments={"order": "o1", "pieces": 1})
    assert shop.outcomes() == [("executed", "")]
    refused = shop.gate.decide("ship", {"order": "o1", "pieces": 9}, agent="bot-7")
    with pytest.raises(NotLeft, match="refused"):
        shop.gate.settle(refused, "executed")


# --- the failures of others ----------------------------------------------------------------------------


@pytest.mark.parametrize("amount", ["$4,800.00", "4,800", None, float("nan")])
def test_failure_1_of_others_malformed_amounts_execute(tmp_path: Path, amount: Any) -> None:
    """A gate with `amount > 500 -> deny` and a default of allow: no malformed amount executes."""
    policy = """
    module pay
    action pay { amount: Decimal(2) }
    rule rest: allow pay
    rule large: deny pay if pay.amount > 500.00
    """
    shop = Shop(tmp_path / "t.duckdb", policy)
    with pytest.raises(Refused):
        shop.gate.call("pay", {"amount": amount}, shop.ran.append)
    assert shop.ran == []
    shop.close()


def test_failure_1_of_others_a_rule_over_no_field_never_matches() -> None:
    """A rule over a field that does not exist is an error when the policy is loaded, not silence."""
    with pytest.raises(PolicyInvalid, match="amout"):
        loads("module pay action pay { amount: Int } rule r: deny pay if pay.amout > 5")


def test_failure_4_of_others_an_error_inside_a_deny_rule_skips_it(tmp_path: Path) -> None:
    """A deny rule that fails denies, although an allow rule fired."""
    policy = """
    module pay
    action pay { amount: Int, parts: Int }
    rule all: allow pay
    rule each: deny pay if pay.amount / pay.parts > 100
    """
    shop = Shop(tmp_path / "t.duckdb", policy)
    with pytest.raises(Refused) as refused:
        shop.gate.call("pay", {"amount": 9, "parts": 0}, shop.ran.append)
    assert refused.value.answer.grounds[0].kind == "evaluation_failed"
    assert shop.ran == []
    shop.close()


# --- functions -----------------------------------------------------------------------------------------


def test_a_protected_function_binds_as_python_does(shop: Shop) -> None:
    """Positions, keywords and defaults are all decided, and given as they were decided."""

    @shop.gate.protect("ship")
    def ship(order: str, pieces: int = 2, *, note: str | None = None) -> tuple[Any, ...]:
        """Ship an order."""
        return order, pieces, note

    assert ship("o1") == ("o1", 2, None)
    assert ship("o1", 3, note="gently") == ("o1", 3, "gently")
    assert ship(pieces=4, order="o1") == ("o1", 4, None)
    assert ship.__doc__ == "Ship an order."
    with pytest.raises(TypeError, match="missing"):
        ship()
    with pytest.raises(Refused):
        ship("o1", 5)
    assert [body["arguments"]["pieces"] for body in shop.records("outcome")] == [2, 3, 4]


class Kind(enum.Enum):
    """An order's kind."""

    SMALL = "small"


@dataclass
class Line:
    """A line of an order."""

    sku: str
    count: int


def test_a_function_gets_what_its_annotations_expect(shop: Shop) -> None:
    """Dataclasses, sets and texts are made of what was decided; without annotations it is plain Python."""

    @shop.gate.protect("pay")
    def typed(to: str, lines: list[Line], tags: frozenset[str]) -> tuple[Any, ...]:
        return to, lines, tags

    @shop.gate.protect("pay")
    def plain(to, lines, tags):  # type: ignore[no-untyped-def]
        return to, lines, tags

    given = ("ann", [{"sku": "a", "count": 1}], ["x", "x"])
    assert typed(*given) == ("ann", [Line("a", 1)], frozenset({"x"}))
    assert plain(*given) == ("ann", [{"sku": "a", "count": 1}], {"x"})


def test_members_of_an_enumeration_are_what_they_stand_for(tmp_path: Path) -> None:
    """A function that gets members of an `Enum` has them as defaults and is called with them."""
    policy = (
        "module post enum Size { small, large }"
        " action send { size: Size, also: Set[Size] } rule all: allow send"
    )
    shop = Shop(tmp_path / "t.duckdb", policy)

    @shop.gate.protect("send")
    def send(size: Kind = Kind.SMALL, also: frozenset[Kind] = frozenset()) -> tuple[Any, ...]:
        return size, also

    assert send() == (Kind.SMALL, frozenset())
    assert send(Kind.SMALL, frozenset({Kind.SMALL})) == (Kind.SMALL, frozenset({Kind.SMALL}))
    assert send("small") == (Kind.SMALL, frozenset())  # type: ignore[arg-type]
    shop.close()


def test_a_float_is_given_where_it_is_the_same_number(tmp_path: Path) -> None:
    """A float that would be another amount than the decided one stops the call."""
    policy = "module pay action pay { amount: Decimal(2) } rule all: allow pay"
    shop = Shop(tmp_path / "t.duckdb", policy)

    @shop.gate.protect("pay")
    def pay(amount: float) -> float:
        return amount

    assert pay("4800.10") == 4800.10
    with pytest.raises(ExecutedOtherwise):
        pay("12345678901234567890.12")
    assert [status for status, _ in shop.outcomes()] == ["executed", "skipped"]
    shop.close()


def test_arguments_are_copies(shop: Shop) -> None:
    """A list that its owner changes while the call is decided or runs is not the one that the function gets."""
    given = [{"sku": "a", "count": 1}]

    @shop.gate.protect("pay")
    def pay(to: str, lines: list[dict[str, Any]], tags: set[str]) -> Any:
        given[0]["count"] = 99
        lines[0]["seen"] = True
        return lines

    assert pay("ann", given, set()) == [{"sku": "a", "count": 1, "seen": True}]
    assert "seen" not in given[0]


def test_methods_and_undecided_parameters_are_passed_on(shop: Shop) -> None:
    """The object of a method, and what is named as undecided, reach the function as they are."""
    gate = shop.gate

    class Desk:
        @gate.protect("ship", names={"number": "order"}, undecided=["log"])
        def send(self, number: str, pieces: int, note: str | None, log: list[str]) -> object:
            log.append(number)
            return self

    desk, log = Desk(), list[str]()
    assert desk.send("o1", 1, None, log) is desk
    assert log == ["o1"]


def test_facts_come_from_functions_of_the_validated_arguments(shop: Shop) -> None:
    """A function that gives a fact sees what rules see: texts trimmed, amounts as numbers."""
    seen: list[Any] = []

    def customer(args: Any) -> dict[str, Any]:
        seen.append(dict(args))
        return {"id": args["customer_id"], "tier": "free"}

    @shop.gate.protect("refund", facts={"customer": customer})
    def refund(customer_id: str, amount: Decimal) -> Decimal:
        return amount

    with shop.gate.session(agent="bot-7"):
        assert refund(" c1 ", "$5") == Decimal("5.00")
    assert seen == [{"customer_id": "c1", "amount": Decimal("5.00")}]


def _lookups() -> list[Any]:
    def raises(_key: str) -> None:
        raise RuntimeError("the service is down")

    def hangs(_key: str) -> None:
        threading.Event().wait(30)

    return [raises, hangs]


@pytest.mark.parametrize("lookup", _lookups())
@pytest.mark.parametrize("fact", ["customer", "fraud"])
def test_a_source_that_fails_or_hangs_lets_nothing_through(
    tmp_path: Path, lookup: Any, fact: str
) -> None:
    """Also where the fact is optional, and rules would allow without it."""
    sources = {fact: Lookup(lookup, ("args", "customer_id"))}
    shop = Shop(tmp_path / "t.duckdb", sources=sources, source_seconds=0.2)
    given = {} if fact == "customer" else FREE
    verdict = shop.gate.decide(
        "refund", {"customer_id": "c1", "amount": 5}, agent="bot-7", facts=given
    )
    assert verdict.answer.outcome is AnswerOutcome.NEEDS_FACTS
    assert [need.name for need in verdict.answer.needs] == [f"shop.{fact}"]
    assert len(shop.records("decision")) == 1
    shop.close()


def test_sources_are_asked_for_what_the_action_reads_and_lacks(tmp_path: Path) -> None:
    """A fact that the caller gives, or that no rule of the action reads, is not looked up."""
    asked: list[str] = []

    def customer(key: str) -> dict[str, str]:
        asked.append(key)
        return {"id": key, "tier": "blocked"}

    sources = {"customer": Lookup(customer, ("args", "customer_id"))}
    shop = Shop(tmp_path / "t.duckdb", sources=sources)
    args = {"customer_id": " c9 ", "amount": 5}
    assert shop.gate.decide("refund", args, agent="a").answer.grounds[0].rule == "shop.risky"
    assert shop.gate.decide("refund", args, agent="a", facts=FREE).allowed
    assert shop.gate.decide("ship", {"order": "o"}, agent="a").allowed
    assert asked == ["c9"]
    shop.close()


def test_arguments_that_are_not_valid_are_told_without_facts_that_have_a_source(
    tmp_path: Path,
) -> None:
    """Who corrects an amount is not asked for a customer that the gate looks up itself."""
    sources = {"customer": Lookup({}.get, ("args", "customer_id"))}
    shop = Shop(tmp_path / "t.duckdb", sources=sources)
    verdict = shop.gate.decide("refund", {"customer_id": "c1", "amount": "ten"}, agent="a")
    assert [problem.path for problem in verdict.answer.problems] == ["refund.amount"]
    assert verdict.answer.needs == ()
    assert shop.gate.decide("refund", {"customer_id": "c1", "amount": 1}, agent="a").answer.needs
    shop.close()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda order, pieces: None, "PL0802"),
        (lambda order, pieces, note, extra: None, "PL0801"),
        (lambda *order, pieces, note: None, "PL0804"),
        (lambda order, pieces, note, **more: None, "PL0804"),
        (lambda order, pieces=2.5, note=None: None, "PL0805"),
    ],
)
def test_a_signature_that_does_not_fit_is_refused_when_decorated(
    shop: Shop, make: Any, code: str
) -> None:
    """What could not be decided, or would be decided in vain, is told with a code before anything runs."""
    with pytest.raises(PolicyInvalid) as invalid:
        shop.gate.protect("ship")(make)
    assert code in [found.code for found in invalid.value.diagnostics]


def test_annotations_that_do_not_fit_are_refused(shop: Shop) -> None:
    """A parameter that cannot hold what is decided is told, a generator is refused, names have to be there."""

    def other(order: int, pieces: str, note: str) -> None: ...

    def generator(order: str, pieces: int, note: str | None) -> Iterator[int]:
        yield 1

    def codes(function: Any, action: str = "ship", **options: Any) -> list[str]:
        with pytest.raises(PolicyInvalid) as invalid:
            shop.gate.protect(action, **options)(function)
        return [found.code for found in invalid.value.diagnostics]

    assert codes(other) == ["PL0803", "PL0803"]  # an Int is given as text where that is asked for
    with pytest.raises(PolicyInvalid, match=r"hint: annotate it as `str \| None`"):
        shop.gate.protect("ship")(other)
    assert codes(generator) == ["PL0806"]
    assert codes(other, "nothing") == ["PL0800"]
    assert "PL0807" in codes(other, undecided=["database"])
    assert "PL0808" in codes(other, facts={"nobody": {}})


def test_a_table_of_tools_is_guarded_whole_or_not_at_all(shop: Shop) -> None:
    """Every problem of every tool is told at once; what is given back runs through the gate."""

    def ship(order: str, pieces: int, note: Literal["a"] | None = None) -> str:
        return order

    with pytest.raises(PolicyInvalid) as invalid:
        shop.gate.guard_tools({"ship": lambda order: None, "nope": ship})
    assert {found.code for found in invalid.value.diagnostics} == {"PL0802", "PL0800"}
    tools = shop.gate.guard_tools({"ship": ship})
    assert tools["ship"]("o1", 1) == "o1"
    with pytest.raises(Refused):
        tools["ship"]("o1", 7)


def test_sessions_nest_and_belong_to_their_task(shop: Shop) -> None:
    """An inner session adds to the outer one; tasks beside it do not see it."""
    gate = shop.gate

    async def one(agent: str, tier: str) -> str:
        with gate.session(agent=agent), gate.session(facts={"customer": {"id": "c", "tier": tier}}):
            await asyncio.sleep(0)
            verdict = await gate.adecide("refund", {"customer_id": agent, "amount": 1})
            return f"{verdict.agent} {verdict.allowed}"

    async def both() -> list[str]:
        return await asyncio.gather(one("a", "free"), one("b", "blocked"))

    assert asyncio.run(both()) == ["a True", "b False"]
    assert shop.gate.decide("ship", {"order": "o"}).agent == ""


# --- outcomes --------------------------------------------------------------------------------------------


def test_a_tool_that_raises_is_recorded_as_failed(shop: Shop) -> None:
    """The caller gets what it raised, the record its type and text, and its places are given back."""
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            shop.gate.call(
                "refund",
                {"customer_id": "c1", "amount": 9},
                lambda _: 1 // 0,
                agent="a",
                facts=FREE,
            )
    assert (
        shop.outcomes() == [("failed", "ZeroDivisionError: integer division or modulo by zero")] * 5
    )
    assert shop.refund().allowed


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_call_that_is_interrupted_counts(shop: Shop, kind: type[BaseException]) -> None:
    """What ends a tool from outside may have come after its effect: it goes on to the caller, and the place is kept."""

    def interrupted(_: Any) -> None:
        raise kind

    args = {"customer_id": "c1", "amount": 9}
    for _ in range(3):
        with pytest.raises(kind):
            shop.gate.call("refund", args, interrupted, agent="a", facts=FREE)
    assert shop.outcomes() == [("failed", f"interrupted: {kind.__name__}")] * 3
    assert shop.refund().answer.grounds[0].kind == "limit_reached"


def test_arguments_that_are_changed_are_noticed(shop: Shop) -> None:
    """A call that ran with other arguments than were decided raises, is recorded so, and found by the audit."""

    def tamper(arguments: Any) -> None:
        arguments["amount"] = Decimal("99.00")

    with pytest.raises(ExecutedOtherwise, match="`amount`") as otherwise:
        shop.gate.call("refund", {"customer_id": "c1", "amount": 9}, tamper, agent="a", facts=FREE)
    assert otherwise.value.authorized["amount"] == "9.00"
    assert otherwise.value.executed["amount"] == "99.00"
    (finding,) = shop.audit("executed_otherwise")
    assert "amount: 9.00 decided, 99.00 called" in finding


def test_an_adapter_that_reports_other_arguments_is_noticed(shop: Shop) -> None:
    """What ran is compared with what was decided by value: another spelling is the same, another value is not."""
    same = shop.gate.decide("refund", {"customer_id": "c1", "amount": 9}, agent="a", facts=FREE)
    shop.gate.settle(same, "executed", arguments={"customer_id": "c1", "amount": "$9"})
    other = shop.gate.decide("refund", {"customer_id": "c2", "amount": 9}, agent="a", facts=FREE)
    with pytest.raises(ExecutedOtherwise, match="`customer_id`, `more`"):
        shop.gate.settle(
            other, "executed", arguments={"customer_id": "c3", "amount": 9, "more": object()}
        )


def test_a_coroutine_called_as_a_function_does_not_run(shop: Shop) -> None:
    """A call that only made a coroutine or a generator has done nothing, and is not recorded as executed."""

    async def run(_: Any) -> None:
        shop.ran.append(1)

    with pytest.raises(TypeError, match="nothing of it ran"):
        shop.gate.call("ship", {"order": "o"}, run, agent="a")
    assert shop.ran == []
    assert [status for status, _ in shop.outcomes()] == ["failed"]


# --- asynchronously ----------------------------------------------------------------------------------------


async def test_a_protected_coroutine_runs_as_decided(shop: Shop) -> None:
    """The asynchronous twin decides, runs and records as the other does."""

    @shop.gate.protect("ship")
    async def ship(order: str, pieces: int = 1, note: str | None = None) -> str:
        await asyncio.sleep(0)
        return order

    assert await ship("o1") == "o1"
    with pytest.raises(Refused):
        await ship("o1", 9)
    assert shop.outcomes() == [("executed", "")]


async def test_a_coroutine_that_is_cancelled_is_recorded_and_counts(shop: Shop) -> None:
    """Cancelled in the middle it may have had its effect: it is failed in the record, and stays counted."""
    started = asyncio.Event()

    async def run(_: Any) -> None:
        started.set()
        await asyncio.sleep(30)

    async def call() -> None:
        await shop.gate.acall(
            "refund", {"customer_id": "c1", "amount": 9}, run, agent="a", facts=FREE
        )

    for _ in range(3):
        started.clear()
        task = asyncio.create_task(call())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert shop.outcomes() == [("failed", "interrupted: CancelledError")] * 3
    assert shop.refund().answer.grounds[0].kind == "limit_reached"


async def test_a_call_that_is_cancelled_while_it_is_decided_is_skipped(shop: Shop) -> None:
    """What is allowed after nobody waits for it any more does not run, and gives its places back."""
    decider, entered, go = shop.gate.decider, threading.Event(), threading.Event()

    class Slow(SingleBundle):
        def decide(self, request: Any) -> Decided:
            entered.set()
            go.wait(10)
            return super().decide(request)

    assert isinstance(decider, SingleBundle)
    gate = Gate(Slow(decider.bundle), shop.store)
    task = asyncio.create_task(
        gate.acall("refund", {"customer_id": "c1", "amount": 9}, _never, agent="a", facts=FREE)
    )
    await asyncio.to_thread(entered.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    while not shop.outcomes():
        await asyncio.sleep(0.01)
    assert shop.outcomes() == [("skipped", "cancelled before it ran")]
    with shop.store.state.read() as reading:
        assert reading.execute("SELECT * FROM counted") == []


async def _never(_: Any) -> None:
    raise AssertionError("it ran")


# --- when things break -------------------------------------------------------------------------------------


def test_a_decider_that_breaks_lets_nothing_through(shop: Shop) -> None:
    """An exception inside the gate is a refusal that says so, and no exception for the caller to swallow."""

    class Broken(SingleBundle):
        def decide(self, request: Any) -> Decided:
            raise RuntimeError("boom")

    gate = Gate(Broken(shop.bundle), shop.store)
    with pytest.raises(Refused) as refused:
        gate.call("ship", {"order": "o"}, shop.ran.append)
    assert refused.value.answer.grounds[0].kind == AnswerKind.UNAVAILABLE.value
    assert isinstance(refused.value.__cause__, RuntimeError)
    assert shop.ran == []


@pytest.mark.parametrize("what", ["the traces", "the state"])
def test_a_store_that_cannot_be_written_lets_nothing_through(
    shop: Shop, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a record, and without a state, nothing runs; and no place in a limit is left taken."""
    if what == "the traces":
        monkeypatch.setattr(shop.store, "record", _full)
    else:
        shop.refund()
        os.unlink(shop.store.state.path)  # noqa: PTH108 - it vanishes
    before = len(shop.ran)
    verdict = shop.refund()
    assert isinstance(verdict.error, TraceUnavailableError)
    assert verdict.answer.grounds[0].kind == "unavailable"
    assert len(shop.ran) == before
    if what == "the traces":
        with shop.store.state.read() as reading:
            assert reading.execute("SELECT * FROM counted") == []


def _full(*_: Any, **__: Any) -> str:
    raise TraceUnavailableError("the disk is full")


def test_a_store_that_vanishes_while_a_call_runs_keeps_its_result(shop: Shop) -> None:
    """The effect is there, so the caller gets the result; that the outcome is unknown is seen in the record."""

    def vanish(_: Any) -> str:
        os.unlink(shop.store.state.path)  # noqa: PTH108 - it vanishes
        return "paid"

    facts = FREE
    args = {"customer_id": "c1", "amount": 9}
    assert shop.gate.call("refund", args, vanish, agent="a", facts=facts) == "paid"
    assert len(shop.audit("allowed_without_outcome")) == 1


def test_a_gate_goes_on_after_a_fork(shop: Shop) -> None:
    """Parent and child decide, record and count in one store."""
    shop.refund()
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if shop.refund().allowed else 3)
        finally:
            os._exit(4)
    assert os.waitpid(child, 0)[1] == 0
    assert shop.refund().allowed
    assert not shop.refund().allowed
    assert [status for status, _ in shop.outcomes()] == ["executed"] * 3


def test_observers_are_told(tmp_path: Path) -> None:
    """Telemetry hears of each decision and of what became of it, and what it raises changes nothing."""
    seen: list[Any] = []

    class Watching:
        def decided(self, told: Observed) -> None:
            seen.append((told.id, told.agent))
            raise RuntimeError("nobody cares")

        def became(self, told: Became) -> None:
            seen.append((told.decision, told.status))

    shop = Shop(tmp_path / "t.duckdb", observers=[Watching()])
    verdict = shop.refund()
    assert seen == [(verdict.decision_id, "bot-7"), (verdict.decision_id, "executed")]
    shop.close()


# --- approvals ---------------------------------------------------------------------------------------------


def test_a_large_refund_waits_for_a_person(tmp_path: Path) -> None:
    """It does not run before it is granted, runs once when it is asked for again, and is then asked for anew."""
    shop = Shop(tmp_path / "t.duckdb", approvals=ApprovalSettings(trust_callers=True))
    first = shop.refund("$300.00")
    assert first.answer.outcome is AnswerOutcome.NEEDS_APPROVAL
    assert first.ticket is not None
    assert shop.gate.approvals.grant(first.ticket, by="maria").accepted
    assert shop.refund("$200.01", agent="bot-8").answer.outcome is AnswerOutcome.NEEDS_APPROVAL
    assert shop.refund("$300.00").allowed
    assert not shop.refund("$300.00").allowed
    assert len(shop.ran) == 1
    shop.close()


def test_policies_are_opened_from_a_folder(tmp_path: Path) -> None:
    """`Gate.open` loads what lies in a folder, makes the store, and is closed by its block."""
    (tmp_path / "policies").mkdir()
    text = "module shop action ship { pieces: Int } param most: Int = 5 rule few: allow ship if ship.pieces < most"
    (tmp_path / "policies" / "shop.policy").write_text(text)
    with Gate.open(tmp_path / "policies", store=tmp_path / "t.duckdb", params={"most": 2}) as gate:
        assert gate.decide("ship", {"pieces": 1}).allowed
        assert not gate.decide("ship", {"pieces": 2}).allowed
    with pytest.raises(PolicyInvalid, match="PL0808"):
        Gate.open(
            tmp_path / "policies",
            store=tmp_path / "t.duckdb",
            sources={"nobody": Lookup(lambda _: None, ("args",))},
        )


SELLERS = """
module mine
fact customer { id: String }
action ship { to: String }
rule all: allow ship if customer.id == ship.to
"""


def test_names_of_several_modules_are_told_apart(tmp_path: Path) -> None:
    """An action that two modules declare has to be named with one; a source is asked for the fact that the action reads."""
    for name in ("mine", "yours"):
        (tmp_path / f"{name}.policy").write_text(SELLERS.replace("mine", name))
    by_id = Lookup(lambda key: {"id": key}, ("args", "to"))
    with Gate.open(tmp_path, store=tmp_path / "t.duckdb", sources={"customer": by_id}) as gate:
        with pytest.raises(PolicyInvalid, match="several modules declare the action `ship`"):
            gate.protect("ship")(lambda to: to)
        assert gate.protect("mine.ship")(lambda to: to)("c1") == "c1"
        assert (
            gate.protect("yours.ship", facts={"customer": lambda _: {"id": "c1"}})(lambda to: to)(
                "c1"
            )
            == "c1"
        )


def test_time_goes_on_for_the_gate_alone(shop: Shop) -> None:
    """`now` is the gate's clock, in the record too."""
    shop.later(hours=1)
    shop.refund()
    now = shop.records("decision")[0]["facts"]["now"]
    assert dt.datetime.fromisoformat(now) == shop.now


WATCHED = """
module pay
fact agent { id: String }
fact payee { id: String, is_new: Bool }
action pay { to: String, amount: Decimal(2) }
rule all: allow pay
rule first: require approval(by: "manager") for pay if payee.is_new
"""


def _pay(shop: Shop, amount: str, *, is_new: bool, approval: str | None = None) -> Any:
    """Decide a payment, and make it where it is allowed: the verdict."""
    verdict = shop.gate.decide(
        "pay",
        {"to": "ann", "amount": amount},
        agent="bot-7",
        facts={"payee": {"id": "ann", "is_new": is_new}},
        approval=approval,
    )
    if verdict.allowed:
        shop.gate.run(verdict, shop.ran.append)
    return verdict


def test_failure_2_of_others_a_rejected_call_executes(tmp_path: Path) -> None:
    """A person's no holds although the condition that asked for approval has become false meanwhile."""
    settings = ApprovalSettings(trust_callers=True)
    shop = Shop(tmp_path / "t.duckdb", WATCHED, approvals=settings)
    ticket = _pay(shop, "9", is_new=True).ticket
    assert shop.gate.approvals.refuse(ticket, by="maria").accepted
    for approval in (ticket, None):
        verdict = _pay(shop, "9", is_new=False, approval=approval)
        assert verdict.answer.grounds[0].kind == AnswerKind.APPROVAL_REFUSED.value
        assert verdict.answer.retry is not None
        assert verdict.answer.retry.when is When.NEVER
    assert shop.ran == []
    assert {status for status, _ in shop.outcomes()} == {"skipped"}
    shop.close()


def test_failure_3_of_others_other_arguments_than_were_approved_execute(tmp_path: Path) -> None:
    """A call approved at 9.00 and resumed with 99,999.00 does not run, and the approval stays for its own call."""
    settings = ApprovalSettings(trust_callers=True)
    shop = Shop(tmp_path / "t.duckdb", WATCHED, approvals=settings)
    ticket = _pay(shop, "9", is_new=True).ticket
    assert shop.gate.approvals.grant(ticket, by="maria").accepted
    assert not _pay(shop, "99999", is_new=True, approval=ticket).allowed
    assert shop.ran == []
    assert _pay(shop, "9", is_new=True, approval=ticket).allowed
    assert [arguments["amount"] for arguments in shop.ran] == [Decimal("9.00")]
    shop.close()
