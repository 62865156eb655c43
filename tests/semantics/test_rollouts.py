"""What modules say about their rollout: kept in the program, part of no decision."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from policylang.bundle.evaluators import EvaluatorName, choose
from policylang.evaluate.firings import Firings, Limits
from policylang.facts.factset import FactSet, Row
from policylang.facts.schema import PathRead
from policylang.facts.values import MISSING, Missing
from policylang.semantics.criteria import AllOf, Clause, clauses
from policylang.semantics.digests import meaning_digest
from policylang.semantics.slicing import slice_for
from policylang.semantics.targeting import targeting
from tests.semantics.checking import module, program_of

PLAIN = """module refunds version "1.0.0"
fact agent { id: String, team: String?, age: Int }
action refund { customer_id: String, amount: Decimal(2) }
param oldest: Int = 30
define young if agent.age < oldest
rule small: allow refund if refund.amount < 50.00
rule named: deny refund if agent.id == "x" and young
"""
SAID = """rollout by refund.customer_id
canary if agent.team == "beta" and young and 10 / agent.age > 0
promote when shadow: decisions >= 1000 and disagreement <= 2% and loosened == 0 for 24 hours
rollback when canary: errors >= 5 or metric("complaints") > 0.5%
"""


def test_a_program_holds_what_its_modules_say() -> None:
    """Key, condition and criteria are in `Program.rollouts`, with exact bounds."""
    rollout = program_of(PLAIN + SAID).rollouts["refunds"]
    assert rollout.key == PathRead("refunds.refund", "customer_id")
    assert rollout.canary is not None
    shadow = rollout.promote["shadow"]
    assert isinstance(shadow.condition, AllOf)
    assert shadow.lasting == dt.timedelta(hours=24)
    assert clauses(shadow.condition)[1] == Clause(
        "disagreement", "", "<=", Decimal("0.02"), "disagreement <= 2%"
    )
    assert clauses(rollout.rollback["canary"].condition)[1].metric == "complaints"


def test_it_takes_no_part_in_decisions() -> None:
    """The rules, definitions and relations that decide an action are the same with it and without."""
    with_it, without = program_of(PLAIN + SAID), program_of(PLAIN)
    action = "refunds.refund"
    assert [r.name for r in with_it.rules] == [r.name for r in without.rules]
    assert [r.name for r in slice_for(with_it, action).rules] == [
        r.name for r in slice_for(without, action).rules
    ]
    assert slice_for(with_it, action).relations == slice_for(without, action).relations
    assert without.rollouts == {}


def test_it_belongs_to_the_meaning_of_its_version() -> None:
    """A criterion that is weakened changes the digest of meaning; one that is written otherwise does not."""
    written = meaning_digest(module(PLAIN + SAID))
    assert meaning_digest(module(PLAIN + SAID.replace("2%", "3%"))) != written
    assert meaning_digest(module(PLAIN + SAID.replace("1000", "1_000").replace("2%", "2.0%"))) == (
        meaning_digest(module(PLAIN + SAID.replace("2%", "2.0%")))
    )


@pytest.mark.parametrize("evaluator", ["plan", "asp"])
@pytest.mark.parametrize(
    ("team", "age", "inside"),
    [("beta", 20, True), ("alpha", 20, False), ("beta", 31, False), (MISSING, 20, False)],
)
def test_the_condition_of_a_canary_is_asked_by_any_evaluator(
    evaluator: EvaluatorName, team: str | Missing, age: int, inside: bool
) -> None:
    """A program that asks the condition alone fires for the requests for which it holds."""
    fired = {firing.rule for firing in _asked(evaluator, team, age).firings}
    assert ("refunds.canary/if" in fired) is inside


@pytest.mark.parametrize("evaluator", ["plan", "asp"])
def test_a_condition_that_fails_gives_no_firings(evaluator: EvaluatorName) -> None:
    """A failure is an answer of its own, and no canary."""
    assert not isinstance(_asked(evaluator, "beta", 0), Firings)


def _asked(evaluator: EvaluatorName, team: str | Missing, age: int) -> Firings:
    program = targeting(program_of(PLAIN + SAID), "refunds")
    assert program is not None
    now = dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)
    rows = {
        "refunds.refund": (Row(0, ("c1", Decimal("5.00"))),),
        "refunds.agent": (Row(0, ("bot", team, age)),),
        "now": (Row(0, (now,)),),
    }
    made = choose(program, {}, evaluator)
    found = made.evaluate(FactSet("refunds.refund", now, rows), Limits())
    made.close()
    return found  # type: ignore[return-value]


def test_a_module_without_a_condition_has_nothing_to_ask() -> None:
    """Where there is no `canary if`, there is no program for it."""
    assert targeting(program_of(PLAIN), "refunds") is None
    assert targeting(program_of(PLAIN + "rollout by agent.id"), "refunds") is None
