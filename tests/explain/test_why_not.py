"""Why-not: the nearest rules, what fails in them and with which values, in bounded time."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given, settings

from policylang.decide.decision import Outcome
from policylang.evaluate.firings import Firings
from policylang.evaluate.interpret import solutions
from policylang.evaluate.model import Model
from policylang.explain.explain import why
from policylang.explain.nearest import Budget, Mark, nearest
from policylang.explain.proof import Proof
from policylang.explain.why_not import WhyNot, why_absent, why_not, why_not_outcome
from policylang.facts.factset import FactSet, Row
from policylang.facts.schema import Cardinality
from policylang.facts.types import INT, STRING
from policylang.semantics.program import ANY, Allow, Not, Operation
from policylang.semantics.slicing import slice_for
from tests.decide.building import (
    clause,
    const,
    decided,
    facts,
    holds,
    match,
    model,
    negated,
    predicate,
    program,
    relation,
    rule,
    var,
)
from tests.decide.refunds import REFUND, REFUNDS, request
from tests.reference.evaluator import evaluate
from tests.reference.generator import Case, cases


def marks(answer: WhyNot, rule_name: str) -> dict[str, Mark]:
    """The marks of the literals of one rule that comes near."""
    miss = next(miss for miss in answer.misses if miss.rule == rule_name)
    return {look.literal.origin.text: look.mark for look in miss.nearest.looks}


@settings(max_examples=50)
@given(cases())
def test_a_rule_that_did_not_fire_misses_something(found: Case) -> None:
    """The nearest instance of a body that does not hold misses at least one literal; of one that does, none."""
    for asked in found.requests:
        evaluation = evaluate(found.program, found.reference, asked)
        if isinstance(evaluation, Firings):
            made = Model(found.program, asked, evaluation.firings, found.reference)
            fired = {firing.rule for firing in evaluation.firings}
            for each in slice_for(found.program, asked.action).rules:
                (best,) = nearest(each.body, {}, made, Budget(2_000))
                assert len(best.looks) == len(each.body)
                failing = sum(look.mark in (Mark.FAILS, Mark.ERROR) for look in best.looks)
                assert failing == best.missed
                assert (best.missed + best.unbound == 0) == (each.name in fired)


@settings(max_examples=60)
@given(cases())
def test_what_holds_in_the_nearest_instance_holds(found: Case) -> None:
    """The literals marked as holding hold together under the values that the answer names."""
    for asked in found.requests:
        evaluation = evaluate(found.program, found.reference, asked)
        if isinstance(evaluation, Firings):
            made = Model(found.program, asked, evaluation.firings, found.reference)
            for each in slice_for(found.program, asked.action).rules:
                (best,) = nearest(each.body, {}, made, Budget(2_000))
                for look in best.looks:
                    if look.mark is Mark.HOLDS:
                        assert any(solutions((look.literal,), best.values, made))


def test_the_failing_bound_is_named() -> None:
    """A refund that is too large fails at its two bounds and holds elsewhere."""
    asked = request("900.00")
    answer = why_not_outcome(model(REFUNDS, asked), decided(REFUNDS, asked), Outcome.ALLOW)
    small = next(miss for miss in answer.misses if miss.rule == "refunds.small_refund")
    failing = [x.literal.origin.text for x in small.nearest.looks if x.mark is Mark.FAILS]
    assert failing == ["refund.amount <= auto_limit", "refund.amount <= Cap"]
    assert small.nearest.values["Cap"] == Decimal("500.00")


def test_what_stands_against_an_outcome_is_named() -> None:
    """Told are the rules that decided otherwise, those that fired in vain, and what would override the former."""
    asked = request(refunds__reported=[("c1", "shop")])
    answer = why_not_outcome(model(REFUNDS, asked), decided(REFUNDS, asked), Outcome.ALLOW)
    assert answer.against == ("refunds.fraud",)
    assert answer.fired == ("refunds.small_refund",)
    assert [miss.rule for miss in answer.misses] == ["refunds.board_exception"]


def test_an_outcome_that_is_reached_has_no_why_not() -> None:
    """Asked why an outcome was not reached that was, the answer names nothing."""
    asked = request()
    answer = why_not_outcome(model(REFUNDS, asked), decided(REFUNDS, asked), Outcome.ALLOW)
    assert (answer.outcome, answer.misses) == (Outcome.ALLOW, ())


def test_the_request_itself_is_not_wished_away() -> None:
    """A failing literal about the one customer is blamed before the customer's fields are."""
    made = model(REFUNDS, request("900.00", tier="free"))
    answer = why_not_outcome(made, decided(REFUNDS, made.facts), Outcome.ALLOW)
    small = next(miss for miss in answer.misses if miss.rule == "refunds.small_refund")
    assert all(
        look.mark is Mark.HOLDS
        for look in small.nearest.looks
        if look.literal.origin.text in ("customer.tier", "refund.amount", "refunds.refund_cap")
    )
    assert small.nearest.values["Cap"] == Decimal("50.00")


def test_a_why_not_asks_on() -> None:
    """A failing literal about a definition is answered with the clauses of that one, no atom twice."""
    made = model(REFUNDS, request(refunds__linked=[("c1", "c2"), ("c2", "c3"), ("c3", "c1")]))
    answer = why_not(made, "refunds.suspicious", ("c1",))
    assert [miss.rule for miss in answer.misses] == [
        "refunds.suspicious/1",
        "refunds.suspicious/2",
    ]
    assert marks(answer, "refunds.suspicious/2") == {
        "refunds.linked": Mark.HOLDS,
        "refunds.suspicious": Mark.FAILS,
    }
    names = []
    while answer.misses:
        names.append(answer.arguments)
        ((_, answer),) = answer.misses[-1].asked_on or ((0, WhyNot("", (), ())),)
    assert names == [("c1",), ("c2",), ("c3",)]


def test_a_literal_that_reads_what_is_missed_is_unbound() -> None:
    """A comparison of a variable that only a failing match would bind is neither true nor false."""
    n = var("N", INT)
    policy = program(
        [clause("m.big", (n,), match("m.number", n), holds(Operation.GT, n, const(5), "N > 5"))],
        [relation("m.number", cardinality=Cardinality.MANY, n=INT), REFUND],
        [predicate("m.big", INT)],
    )
    made = model(policy, request())
    assert marks(why_not(made, "m.big", (None,)), "m.big/1") == {
        "m.number": Mark.FAILS,
        "N > 5": Mark.UNBOUND,
    }
    # No slice reads the number, so that it is given here and nothing is derived from it.
    with_three = Model(policy, FactSet("a", made.facts.now, {"m.number": (Row(0, (3,)),)}))
    assert marks(why_not(with_three, "m.big", (None,)), "m.big/1") == {
        "m.number": Mark.HOLDS,
        "N > 5": Mark.FAILS,
    }


def test_a_relation_without_the_row_has_no_rules() -> None:
    """Asked about a row that was not given, there is no rule to name."""
    answer = why(model(REFUNDS, request()), "refunds.linked", ("c1", None))
    assert isinstance(answer, WhyNot)
    assert answer.misses == ()


def test_why_proves_what_holds() -> None:
    """Asked about an atom that holds, the answer is its proof."""
    made = model(REFUNDS, request(refunds__reported=[("c1", "shop")]))
    assert isinstance(why(made, "refunds.suspicious", ("c1",)), Proof)
    assert isinstance(why(made, "refunds.suspicious", (None,)), Proof)
    assert isinstance(why(made, "refunds.suspicious", ("c2",)), WhyNot)


def test_a_negation_that_holds_says_why_its_body_does_not() -> None:
    """The why of an absence is the near miss of the negated body."""
    literal = negated(
        match("refunds.suspicious", const("c1"), text="suspicious"), text="not suspicious"
    )
    miss = why_absent(model(REFUNDS, request()), literal, {}, "refunds.fraud")
    assert [look.mark for look in miss.nearest.looks] == [Mark.FAILS]
    assert [asked.name for _, asked in miss.asked_on] == ["refunds.suspicious"]


def test_a_failing_negation_shows_what_it_holds_for() -> None:
    """A negation that fails names the values under which its body holds."""
    c = var("C")
    inside = Not((match("refunds.reported", c, ANY),), (c,), negated().origin)
    made = model(REFUNDS, request(refunds__reported=[("c7", "shop")]))
    (best,) = nearest((inside,), {}, made, Budget())
    (look,) = best.looks
    assert look.against is not None
    assert look.against.bindings["C"] == "c7"


@pytest.mark.parametrize("rows", [300])
def test_a_search_that_is_too_large_is_given_up(rows: int) -> None:
    """Joins of large relations end within their budget, say so, and still name a rule."""
    pair = relation("m.pair", cardinality=Cardinality.MANY, a=STRING, b=STRING)
    variables = [var(f"V{i}") for i in range(12)]
    body = [match("m.pair", variables[i], variables[i + 1]) for i in range(0, 12, 2)]
    body.append(holds(Operation.EQ, variables[0], variables[11], "V0 == V11"))
    policy = program([rule("m.r", Allow(), *body, variables=tuple(variables))], [pair, REFUND])
    given_rows = tuple(Row(i, (f"a{i}", f"b{i}")) for i in range(rows))
    asked = FactSet("refunds.refund", facts().now, {"m.pair": given_rows})
    made = Model(policy, asked)
    begun = time.monotonic()
    from policylang.decide.decide import decide

    answer = why_not_outcome(made, decide(policy, asked, Firings(())), Outcome.ALLOW)
    assert time.monotonic() - begun < 10
    assert not answer.complete
    assert [miss.rule for miss in answer.misses] == ["m.r"]
