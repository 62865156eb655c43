"""Measures the border: a nested three-fact request, validated, beside the same hand-written pydantic model.

usage: python benchmarks/facts_validation.py [--rounds N] [--json]

Both get the same request, as Python objects and as JSON text. The hand-written model is made to accept and
refuse the same: the same types and bounds, no NUL in strings, whole numbers that are no strings, times in UTC, and the
two normalizers. It leaves out what the border does besides: what was changed, which values are defaults,
where rows come from, keys, exact JSON numbers. A model of the types and bounds alone is timed as well.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import timeit
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from statistics import median
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from policylang.bundle.loading import check_sources
from policylang.diagnostics import Source
from policylang.facts.border import Border
from policylang.facts.compile import compile_border
from policylang.facts.factset import FactSet
from policylang.facts.rejection import Rejection
from policylang.semantics.slicing import slice_for

GOAL = 1.5

POLICY = """\
module refunds version "1.0.0"

enum Tier normalize trim, lower { free, pro ("professional"), enterprise }
type Usd = Decimal(2) in 0.00 .. 1_000_000.00 normalize currency

fact agent { id: String key, scopes: Set[String], role: String? }
fact customer { id: String key, tier: Tier, age_days: Int in 0 .., flagged: Bool = false }
facts linked { a: String, b: String }
action refund { customer_id: String, amount: Usd, reason: String? }

define suspicious(C) if linked(C, D) and suspicious(D)
define suspicious(C) if customer.flagged and C == customer.id

rule small_refund: allow refund
  if agent.scopes has "refunds:write" and refund.amount <= 200.00 and customer.tier != free
rule large_refund: require approval(by: "manager", within: 4 hours) for refund
  if agent.scopes has "refunds:write" and refund.amount > 200.00
rule young: deny refund if customer.age_days < 7
rule fraud: deny refund if suspicious(refund.customer_id)
"""

REQUEST: dict[str, Any] = {
    "action": "refund",
    "args": {"customer_id": "c1", "amount": "48.00"},
    "agent": {"id": "bot-7", "scopes": ["refunds:write"]},
    "facts": {
        "customer": {"id": "c1", "tier": "pro", "age_days": 400},
        "linked": [{"a": "c1", "b": "c9"}],
    },
    "now": "2026-11-22T10:00:00Z",
    "decisions": [],
}


class Exact(BaseModel):
    """What all of the hand-written models share."""

    model_config = ConfigDict(extra="forbid")


def amount_of(given: object) -> object:
    """`$4,800.00` as `4800.00`: less than `normalize currency` does, and so faster."""
    return given.strip().lstrip("$").replace(",", "") if isinstance(given, str) else given


def tier_of(given: object) -> object:
    """`normalize trim, lower`."""
    return given.strip().lower() if isinstance(given, str) else given


def utc_of(given: dt.datetime) -> dt.datetime:
    """The same time in UTC."""
    return given.astimezone(dt.UTC)


Amount = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=2)]
Tier = Literal["free", "pro", "enterprise"]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=1_000_000)]


class PlainArgs(Exact):
    """The arguments of a refund."""

    customer_id: str
    amount: Amount
    reason: str | None = None


class PlainAgent(Exact):
    """The agent."""

    id: str
    scopes: frozenset[str]
    role: str | None = None


class PlainCustomer(Exact):
    """The customer."""

    id: str
    tier: Tier
    age_days: Annotated[int, Field(ge=0)]
    flagged: bool = False


class PlainLinked(Exact):
    """A link between two customers."""

    a: str
    b: str


class PlainFacts(Exact):
    """The facts of a request."""

    customer: PlainCustomer
    linked: list[PlainLinked] = []


class PlainRequest(Exact):
    """A request: its types and bounds."""

    action: Literal["refund"]
    args: PlainArgs
    agent: PlainAgent
    facts: PlainFacts
    now: AwareDatetime
    decisions: list[str] = []


class Args(Exact):
    """The arguments of a refund."""

    customer_id: Text
    amount: Annotated[Amount, BeforeValidator(amount_of)]
    reason: Text | None = None


class Agent(Exact):
    """The agent."""

    id: Text
    scopes: frozenset[Text]
    role: Text | None = None


class Customer(Exact):
    """The customer."""

    id: Text
    tier: Annotated[Tier, BeforeValidator(tier_of)]
    age_days: Annotated[int, Field(ge=0, strict=True)]
    flagged: Annotated[bool, Field(strict=True)] = False


class Linked(Exact):
    """A link between two customers."""

    a: Text
    b: Text


class Facts(Exact):
    """The facts of a request."""

    customer: Customer
    linked: list[Linked] = []


class Request(Exact):
    """A request that accepts and refuses what the border does."""

    action: Literal["refund"]
    args: Args
    agent: Agent
    facts: Facts
    now: Annotated[AwareDatetime, AfterValidator(utc_of)]
    decisions: list[Text] = []


@dataclass(frozen=True, slots=True)
class Figure:
    """One comparison: microseconds of each, and how many times the hand-written model's the border's are."""

    given: str
    border: float
    pydantic: float
    ratio: float


def border() -> Border:
    """The border of the policy, as a bundle compiles it."""
    program = check_sources([Source("refunds.policy", POLICY)]).result.program
    assert program is not None
    reads = {action: slice_for(program, action).relations for action in program.actions}
    return compile_border(program.schema, reads=reads)


def compared(
    given: str, ours: Callable[[], object], theirs: Callable[[], object], rounds: int
) -> Figure:
    """Both timed in turn, `rounds` times, so that what else the machine does falls on both."""
    times: list[tuple[float, float]] = [(_micros(ours), _micros(theirs)) for _ in range(rounds)]
    return Figure(
        given,
        round(median(t[0] for t in times), 2),
        round(median(t[1] for t in times), 2),
        round(median(t[0] / t[1] for t in times), 2),
    )


def _micros(call: Callable[[], object], number: int = 1_000) -> float:
    return timeit.timeit(call, number=number) / number * 1e6


def figures(rounds: int) -> list[Figure]:
    """All comparisons."""
    validate = border().validate
    text = json.dumps(REQUEST)
    messy = json.loads(text)
    messy["args"]["amount"], messy["facts"]["customer"]["tier"] = "$48.00", " PRO"
    wrong = json.loads(text)
    wrong["args"]["amount"], wrong["facts"]["customer"]["age_days"] = "4,8", -1
    assert all(isinstance(validate(given), FactSet) for given in (REQUEST, text, messy))
    assert isinstance(validate(wrong), Rejection)
    model, model_json = Request.model_validate, Request.model_validate_json
    return [
        compared("objects", lambda: validate(REQUEST), lambda: model(REQUEST), rounds),
        compared("JSON text", lambda: validate(text), lambda: model_json(text), rounds),
        compared(
            "objects, two values normalized",
            lambda: validate(messy),
            lambda: model(messy),
            rounds,
        ),
        compared(
            "objects, types and bounds alone",
            lambda: validate(REQUEST),
            lambda: PlainRequest.model_validate(REQUEST),
            rounds,
        ),
        compared("objects, two problems", lambda: validate(wrong), lambda: _refused(wrong), rounds),
    ]


def _refused(given: dict[str, Any]) -> object:
    try:
        return Request.model_validate(given)
    except ValueError as error:
        return error


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = figures(options.rounds)
    if options.json:
        print(json.dumps([asdict(figure) for figure in found]))
        return
    print(f"{'request given as':32} {'border':>9} {'pydantic':>9} {'ratio':>6}")
    for figure in found:
        print(
            f"{figure.given:32} {figure.border:6.2f} us {figure.pydantic:6.2f} us {figure.ratio:6.2f}"
        )
    print(f"goal: at most {GOAL} times pydantic, for a valid request given as objects")


if __name__ == "__main__":
    main()
