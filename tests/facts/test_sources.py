"""Facts fetched on demand: what a request lacks is looked up, or stays missing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from policylang.facts.factset import FactSet
from policylang.facts.rejection import RejectionKind
from policylang.facts.schema import Source
from policylang.facts.sources import Completed, FactSource, Fetcher, Lookup
from tests.facts.shop import BORDER, REQUEST, rejected, request, values

LACKING = request(facts__customer=...)
NAME = "refunds.customer"
ROW = REQUEST["facts"]["customer"]


def customer(key: str) -> dict[str, Any] | None:
    """The customer of a key, as a database would give it."""
    return ROW if key == "c1" else None


async def acustomer(key: str) -> dict[str, Any] | None:
    """The same, asynchronously."""
    await asyncio.sleep(0)
    return customer(key)


def hung(key: str) -> None:
    """A look-up that gives no answer in time."""
    time.sleep(0.5)


async def ahung(key: str) -> None:
    """The same, asynchronously."""
    await asyncio.sleep(60)


def failing(key: str) -> None:
    """A look-up whose database is away."""
    raise ConnectionError("no route to host")


def lookup(function: Any, source: Source = Source.SYSTEM) -> Lookup:
    """A look-up of the customer by the refund's argument."""
    return Lookup(function, ("args", "customer_id"), source)


def both(
    function: Any, given: Mapping[str, Any] = LACKING, seconds: float = 2.0
) -> list[Completed]:
    """What comes of fetching the customer, synchronously and asynchronously."""
    fetcher = Fetcher({NAME: lookup(function)}, seconds=seconds)
    needs = [need.name for need in rejected(LACKING, RejectionKind.NEEDS_FACTS).needs]
    return [fetcher.fetch(given, needs), asyncio.run(fetcher.afetch(given, needs))]


@pytest.mark.parametrize("function", [customer, acustomer])
def test_what_is_needed_is_fetched(function: Any) -> None:
    """A request that lacks a fact is valid with what its source gives, and the look-up is recorded."""
    for completed in both(function):
        facts = BORDER.validate(completed.request)
        assert isinstance(facts, FactSet)
        assert values(facts, NAME) == [("c1", "pro", 400, False, facts.of(NAME)[0].values[4])]
        (found,) = completed.fetched
        assert (found.fact, found.source, found.rows) == (NAME, Source.SYSTEM, ROW)
        assert found.problem is None
        assert completed.request["args"] is LACKING["args"]


@pytest.mark.parametrize(
    ("function", "code"),
    [(hung, "PL0645"), (ahung, "PL0645"), (failing, "PL0644")],
)
def test_a_source_that_fails_leaves_the_fact_missing(function: Any, code: str) -> None:
    """A source that hangs or raises fails closed: the fact stays missing, and the reason is told."""
    for completed in both(function, seconds=0.05):
        rejected(completed.request, RejectionKind.NEEDS_FACTS)
        (problem,) = completed.problems
        assert problem.code == code
        assert NAME in problem.message


@pytest.mark.parametrize("given", [{"args": {"customer_id": "c2"}}, {"args": None}, {"args": {}}])
def test_no_row_is_no_fact(given: dict[str, Any]) -> None:
    """A key that nothing is found for, or that the request lacks, gives no fact and no problem."""
    for completed in both(customer, LACKING | given):
        assert NAME not in completed.request["facts"]
        assert completed.problems == ()


def test_what_a_source_gives_is_validated() -> None:
    """Rows of a source go through the border like any others."""
    for completed in both(lambda key: ROW | {"tier": "gold"}):
        assert rejected(completed.request).at("customer.tier")


def test_a_source_is_no_more_trusted_than_it_says() -> None:
    """Rows of a source that the model can steer do not stand for a fact declared `from tool`."""
    fetcher = Fetcher({NAME: lookup(customer, Source.USER)})
    completed = fetcher.fetch(LACKING, [NAME])
    assert rejected(completed.request).problems[0].code == "PL0621"


def test_many_rows_each_say_where_they_come_from() -> None:
    """A source for `facts` gives a list, and each row is marked."""

    @dataclass(frozen=True)
    class Links:
        source: Source = Source.TOOL

        def fetch(self, fact: str, given: Mapping[str, Any]) -> Any:
            return [{"a": fact, "b": given["action"]}]

    links = Links()
    assert isinstance(links, FactSource)
    completed = Fetcher({"refunds.linked": links}).fetch(
        REQUEST, ["refunds.linked", "refunds.order"]
    )
    facts = BORDER.validate({**completed.request, "facts": _only(completed, "refunds.linked")})
    assert isinstance(facts, FactSet)
    assert values(facts, "refunds.linked") == [("refunds.linked", "refund")]
    assert facts.of("refunds.linked")[0].source is Source.TOOL


def _only(completed: Completed, name: str) -> dict[str, Any]:
    facts = completed.request["facts"]
    return {"customer": facts["customer"], name: facts[name]}


def test_sources_are_asked_at_once() -> None:
    """Several facts are looked up side by side, not one after the other."""
    together = threading.Barrier(2)

    def wait(key: str) -> dict[str, Any]:
        together.wait(5)
        return ROW

    fetcher = Fetcher({"m.a": lookup(wait), "m.b": lookup(wait)})
    assert fetcher.fetch(LACKING, ["m.a", "m.b"]).problems == ()


@dataclass
class Gate:
    """A look-up that hangs until it is let go."""

    go: threading.Event = field(default_factory=threading.Event)

    def __call__(self, key: str) -> dict[str, Any]:
        self.go.wait(5)
        return ROW


def test_hung_threads_are_bounded() -> None:
    """Where every thread hangs, further look-ups fail at once instead of piling up."""
    gate = Gate()
    fetcher = Fetcher({NAME: lookup(gate)}, seconds=0.02, threads=2)
    codes = [fetcher.fetch(LACKING, [NAME]).problems[0].code for _ in range(4)]
    gate.go.set()
    assert codes == ["PL0645", "PL0645", "PL0644", "PL0644"]
