"""The laws that every adapter keeps, for whoever writes one.

Write a `Driver` that runs one call through your framework and your adapter, and check each of `LAWS` with it:

    @pytest.mark.parametrize("law", LAWS, ids=str)
    def test_the_adapter_keeps_the_law(law: Law, tmp_path: Path) -> None:
        law.check(MyDriver(), tmp_path)

Each law is checked with functions and with coroutines. A law that is not kept raises `AssertionError` with what was
expected; nothing here needs pytest. The policy that decides is `POLICY`, the tool is called `refund`.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from policylang.bundle.bundle import Request
from policylang.bundle.loading import loads
from policylang.facts.sources import FactSource, Lookup
from policylang.gate.approvals import ApprovalStatus
from policylang.gate.gate import Gate
from policylang.gate.point import GateSettings
from policylang.rollout.deciding import Decided, SingleBundle
from policylang.trace.reading import Filter

POLICY: Final = """
module conformance version "1.0.0"

fact agent { id: String key, scopes: Set[String] }
fact approver { id: String key, roles: Set[String] }
fact account from system { id: String key, open: Bool }

## Pay money back.
action refund {
  account: String max 40
  amount:  Decimal(2) in 0.01 .. 100_000.00 normalize currency
}
## Answer for somebody else's refund.
action approve_refund { by: String }

rule small: allow refund
  if agent.scopes has "refunds:write" and account.open and refund.amount <= 200.00
rule large: require approval(by: "manager") for refund
  if agent.scopes has "refunds:write" and account.open and refund.amount > 200.00 and refund.amount <= 1_000.00
  because "{refund.amount} is above 200.00"
rule too_much: deny refund
  if refund.amount > 1_000.00
  because "no more than 1000.00 is paid out"
rule watched: deny refund
  if refund.account == "watched"
  because internal "the account is watched"
limit few: refund to 3 per refund.account in 1 day
  because "three refunds a day are enough"

rule has_role: allow approve_refund if approver.roles has approve_refund.by
"""
"""The policy of the laws. The agent needs the scope `refunds:write`."""

TOOL: Final = "refund"
"""The name of the tool; its arguments are `account` and `amount`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that a law makes: what a model would write as `arguments`, and who asks.

    `approval` is the ticket of an approval, for frameworks that can carry one; others may leave it, and make the same
    call once more. `tool` is the name of the tool.
    """

    arguments: dict[str, Any]
    agent: Mapping[str, Any] = field(
        default_factory=lambda: {"id": "bot-7", "scopes": ["refunds:write"]}
    )
    facts: Mapping[str, Any] = field(default_factory=dict)
    approval: str | None = None
    tool: str = TOOL


@dataclass(frozen=True, slots=True)
class Seen:
    """What a framework was given: whether that is a refusal, and the text that the model reads."""

    refused: bool
    text: str


Tool: TypeAlias = Callable[..., Any]


class Driver(Protocol):
    """Runs one call through a framework and the adapter under test.

    `tool` takes `account` and `amount` by name, the latter as anything that `Decimal(str(amount))` reads, and
    gives a text. What it raises may be raised, or be handled as the framework does.
    """

    def call(self, gate: Gate, tool: Tool, asked: Asked, /) -> Seen:
        """Run a call of a function."""
        ...

    async def acall(self, gate: Gate, tool: Callable[..., Awaitable[Any]], asked: Asked, /) -> Seen:
        """Run a call of a coroutine."""
        ...


class Scene:
    """A gate over a new store, a tool that notes how it ran, and a driver, in one of two modes."""

    def __init__(
        self,
        driver: Driver,
        folder: Path,
        *,
        is_async: bool,
        sources: Mapping[str, FactSource] | None = None,
        error: Exception | None = None,
    ) -> None:
        self.driver = driver
        self.is_async = is_async
        self.ran: list[dict[str, Any]] = []
        self.bundle = loads(POLICY)
        self.error = error
        self.gate = Gate.open(
            self.bundle,
            store=folder / "traces.duckdb",
            sources={"account": OPEN_ACCOUNT} if sources is None else sources,
            settings=GateSettings(source_seconds=5.0),
        )

    def call(self, asked: Asked) -> Seen:
        """Run a call in this scene's mode."""
        if self.is_async:
            return asyncio.run(self.driver.acall(self.gate, self._atool, asked))
        return self.driver.call(self.gate, self._tool, asked)

    def calls(self, *asked: Asked) -> list[Seen]:
        """Run calls at once."""
        if self.is_async:
            return asyncio.run(self._gathered(asked))
        with ThreadPoolExecutor(len(asked)) as pool:
            return list(pool.map(self.call, asked))

    async def _gathered(self, asked: tuple[Asked, ...]) -> list[Seen]:
        calls = (self.driver.acall(self.gate, self._atool, each) for each in asked)
        return list(await asyncio.gather(*calls))

    def _tool(self, account: str, amount: Any) -> str:
        """Pay money back."""
        self.ran.append({"account": account, "amount": Decimal(str(amount))})
        if self.error is not None:
            raise self.error
        return f"paid {amount}"

    async def _atool(self, account: str, amount: Any) -> str:
        """Pay money back."""
        await asyncio.sleep(0)
        return self._tool(account, amount)

    def outcomes(self) -> list[tuple[str, str]]:
        """The recorded outcomes: the status and the amount."""
        with self.gate.store.view() as view:
            found = view.records(Filter(kind="outcome"))
            return [(r.body["status"], r.body.get("arguments", {}).get("amount")) for r in found]

    def pending(self) -> str:
        """The ticket of the one approval that waits."""
        (waiting,) = self.gate.approvals.all(ApprovalStatus.PENDING)
        return waiting.id

    def answer(self, ticket: str, *, granted: bool) -> None:
        """A manager's answer."""
        vote = self.gate.approvals.grant if granted else self.gate.approvals.refuse
        assert vote(ticket, by="maria", facts={"approver": {"roles": ["manager"]}}).accepted


OPEN_ACCOUNT: Final = Lookup(lambda id_: {"id": id_, "open": True}, ("args", "account"))


def asked(amount: object, account: str = "a1", **more: Any) -> Asked:
    """A refund."""
    return Asked({"account": account, "amount": amount}, **more)


# --- the laws ----------------------------------------------------------------------------------------------


Check: TypeAlias = Callable[[Driver, Path, bool], None]


@dataclass(frozen=True, slots=True)
class Law:
    """One thing that an adapter has to get right, with functions or with coroutines."""

    name: str
    says: str
    is_async: bool
    checking: Check = field(repr=False)

    def check(self, driver: Driver, folder: Path) -> None:
        """Check it in an empty folder. Raises `AssertionError` where it is not kept."""
        self.checking(driver, folder, self.is_async)

    def __str__(self) -> str:
        return f"{self.name}-{'async' if self.is_async else 'sync'}"


_CHECKS: list[Check] = []


def _law(check: Check) -> Check:
    _CHECKS.append(check)
    return check


@_law
def an_allowed_call_runs(driver: Driver, folder: Path, is_async: bool) -> None:
    """A call that is allowed runs once, with the arguments as validated, and its outcome is recorded."""
    with _scene(driver, folder, is_async) as scene:
        seen = scene.call(asked("$48.00"))
        assert not seen.refused, f"an allowed call is no refusal: {seen.text}"
        assert "paid" in seen.text, "the result of the tool is handed on"
        assert scene.ran == [{"account": "a1", "amount": Decimal("48.00")}], (
            f"the tool runs with what was decided: {scene.ran}"
        )
        assert scene.outcomes() == [("executed", "48.00")]


@_law
def a_denied_call_does_not_run(driver: Driver, folder: Path, is_async: bool) -> None:
    """A call that is denied does not run, and the model reads why, and what would be possible."""
    with _scene(driver, folder, is_async) as scene:
        seen = scene.call(asked("4800.00"))
        _refused(scene, seen)
        assert "no more than 1000.00 is paid out" in seen.text, seen.text
        assert "at most 200.00" in seen.text, seen.text


@_law
def an_internal_reason_stays_internal(driver: Driver, folder: Path, is_async: bool) -> None:
    """A reason that is marked internal does not reach the model."""
    with _scene(driver, folder, is_async) as scene:
        seen = scene.call(asked("48.00", "watched"))
        _refused(scene, seen)
        assert "watched" not in seen.text, seen.text


@_law
def an_undeclared_tool_does_not_run(driver: Driver, folder: Path, is_async: bool) -> None:
    """A tool that no module declares as an action is denied."""
    with _scene(driver, folder, is_async) as scene:
        _refused(scene, scene.call(replace(asked("48.00"), tool="wire_money")))


@_law
def an_agent_without_rights_is_denied(driver: Driver, folder: Path, is_async: bool) -> None:
    """Who asks is who the program says it is: the rules see its agent, and nothing that the model wrote."""
    with _scene(driver, folder, is_async) as scene:
        _refused(scene, scene.call(asked("48.00", agent={"id": "bot-8", "scopes": []})))


@_law
def invalid_values_are_refused(driver: Driver, folder: Path, is_async: bool) -> None:
    """Amounts that are none, null, unknown arguments and missing ones are refused, with the argument named."""
    for i, amount in enumerate(("a lot", None, "1e400", -5, True)):
        with _scene(driver, folder / str(i), is_async) as scene:
            seen = scene.call(asked(amount))
            _refused(scene, seen)
            assert "amount" in seen.text, seen.text
    with _scene(driver, folder / "extra", is_async) as scene:
        extra = Asked({"account": "a1", "amount": "48.00", "approved": True})
        _refused(scene, scene.call(extra))


@_law
def missing_facts_are_asked_for(driver: Driver, folder: Path, is_async: bool) -> None:
    """Where a fact that the rules read is missing, nothing runs, and the fact is named."""
    with _scene(driver, folder, is_async, sources={}) as scene:
        seen = scene.call(asked("48.00"))
        _refused(scene, seen)
        assert "account" in seen.text, seen.text


@_law
def an_approved_call_runs_once(driver: Driver, folder: Path, is_async: bool) -> None:
    """A call waits for its approval, runs once with it, and is asked about again the next time."""
    with _scene(driver, folder, is_async) as scene:
        waiting = scene.call(asked("480.00"))
        _refused(scene, waiting)
        ticket = scene.pending()
        scene.answer(ticket, granted=True)
        assert not scene.call(asked("480.00", approval=ticket)).refused
        assert len(scene.ran) == 1
        assert scene.call(asked("480.00", approval=ticket)).refused, "an approval serves once"
        assert len(scene.ran) == 1


@_law
def an_approval_is_of_one_call(driver: Driver, folder: Path, is_async: bool) -> None:
    """An approval of one amount does not serve for another."""
    with _scene(driver, folder, is_async) as scene:
        scene.call(asked("480.00"))
        ticket = scene.pending()
        scene.answer(ticket, granted=True)
        assert scene.call(asked("990.00", approval=ticket)).refused
        assert scene.ran == []


@_law
def a_refused_call_never_runs(driver: Driver, folder: Path, is_async: bool) -> None:
    """After a person's no the call does not run, and the model is told not to try again."""
    with _scene(driver, folder, is_async) as scene:
        scene.call(asked("480.00"))
        ticket = scene.pending()
        scene.answer(ticket, granted=False)
        seen = scene.call(asked("480.00", approval=ticket))
        _refused(scene, seen)
        assert "Do not try it again" in seen.text, seen.text


@_law
def a_gate_that_breaks_lets_nothing_run(driver: Driver, folder: Path, is_async: bool) -> None:
    """Where deciding raises, or the store cannot be written, nothing runs, and the refusal is one like any other."""
    with _scene(driver, folder / "store", is_async) as scene:
        scene.gate.store.close()
        _refused(scene, scene.call(asked("48.00")))
    with _scene(driver, folder / "decider", is_async) as scene:
        scene.gate = Gate.open(
            _Broken(scene.bundle),
            store=folder / "broken.duckdb",
            sources={"account": OPEN_ACCOUNT},
        )
        _refused(scene, scene.call(asked("48.00")))


@_law
def a_hung_source_lets_nothing_run(driver: Driver, folder: Path, is_async: bool) -> None:
    """Where a fact is not there in time, nothing runs."""
    ends = threading.Event()
    hung = Lookup(lambda _id: ends.wait(60), ("args", "account"))
    with _scene(driver, folder, is_async) as scene:
        settings = GateSettings(source_seconds=0.05)
        store = folder / "hung.duckdb"
        scene.gate = Gate.open(
            scene.bundle, store=store, sources={"account": hung}, settings=settings
        )
        try:
            _refused(scene, scene.call(asked("48.00")))
        finally:
            ends.set()


@_law
def a_tool_that_raises_has_failed(driver: Driver, folder: Path, is_async: bool) -> None:
    """What a tool raises is recorded with its outcome, which is that it failed."""
    with _scene(driver, folder, is_async, error=RuntimeError("the bank is closed")) as scene:
        with contextlib.suppress(RuntimeError):
            scene.call(asked("48.00"))
        assert len(scene.ran) == 1
        assert scene.outcomes() == [("failed", "48.00")]


@_law
def parallel_calls_keep_the_limit(driver: Driver, folder: Path, is_async: bool) -> None:
    """Of eight calls at once under a limit of three, three run, each with its own arguments."""
    with _scene(driver, folder, is_async) as scene:
        seen = scene.calls(*(asked(f"{amount}.00") for amount in range(1, 9)))
        assert sum(not each.refused for each in seen) == 3, "three of eight run"
        assert len({row["amount"] for row in scene.ran}) == len(scene.ran) == 3


@_law
def arguments_edited_after_the_decision_do_not_run(
    driver: Driver, folder: Path, is_async: bool
) -> None:
    """What the caller changes in its arguments while a call is decided changes nothing of what runs."""
    call = asked("48.00")

    def edit(id_: str) -> dict[str, Any]:
        call.arguments["amount"] = "99999.00"
        return {"id": id_, "open": True}

    sources = {"account": Lookup(edit, ("args", "account"))}
    with _scene(driver, folder, is_async, sources=sources) as scene:
        scene.call(call)
        assert [row["amount"] for row in scene.ran] in ([Decimal("48.00")], []), (
            f"the tool ran with what was not decided: {scene.ran}"
        )
        assert scene.outcomes() in ([("executed", "48.00")], [])


class _Broken(SingleBundle):
    """A decider with a bug."""

    def decide(self, request: Request) -> Decided:
        raise RuntimeError(f"a bug in the decider, of {len(request)} parts")


@contextlib.contextmanager
def _scene(driver: Driver, folder: Path, is_async: bool, **more: Any) -> Iterator[Scene]:
    folder.mkdir(parents=True, exist_ok=True)
    scene = Scene(driver, folder, is_async=is_async, **more)
    first = scene.gate
    try:
        yield scene
    finally:
        scene.gate.close()
        first.close()


def _refused(scene: Scene, seen: Seen) -> None:
    assert scene.ran == [], f"a refused call does not run: {scene.ran}"
    assert seen.refused, f"the framework is told of the refusal: {seen}"
    assert "was not run" in seen.text, f"the model reads that it was not run: {seen.text}"


LAWS: Final = tuple(
    Law(check.__name__, check.__doc__ or "", is_async, check)
    for check in _CHECKS
    for is_async in (False, True)
)
"""Every law, with functions and with coroutines."""
