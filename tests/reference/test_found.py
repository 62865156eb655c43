"""What generated programs found once, each as the small policy that it came down to."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from policylang.bundle.loading import loads
from policylang.facts.factset import FactSet, Row
from policylang.facts.values import Value
from policylang.semantics.program import Apply, Bind, Literal, Operation, Test, Variable
from tests.reference.compare import differences
from tests.reference.generator import NOW, Case

HUGE = 10**40
LONG = 10**36


def asked(**facts: list[Value]) -> FactSet:
    """A request for `act` with facts of one column."""
    rows = {f"m.{name}": tuple(Row(i, (v,)) for i, v in enumerate(facts[name])) for name in facts}
    return FactSet("m.act", NOW, {"m.act": (Row(0, ()),), "now": (Row(0, (NOW,)),), **rows})


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("allow act if sum(N for e(a: N)) > 7", id="an Int sum past 38 digits"),
        pytest.param(
            "allow act if e(a: X) and X == 0.01 and X + X > 3",
            id="an equality that no Int has, before an operation on it",
        ),
        pytest.param(
            "allow act if e(a: X) and X == count(e(a: _)) and X == 0.01 and Y == X + X",
            id="an equality that no count has",
        ),
        pytest.param(
            "allow act if -86_399_999_999_999_999.999 milliseconds < 1 day",
            id="a duration that has no negative",
        ),
        pytest.param(
            "allow act if e(a: X) and f(a: X) and X > 0", id="an Int that joins with a Decimal"
        ),
        pytest.param(
            'allow act if (X == 0.50 or V in ["a", "b"] at X) and X > 0',
            id="a position that is a Decimal elsewhere",
        ),
        pytest.param(
            "deny act if max(V for (V == 1.00 or e(a: V))) > 3",
            id="a greatest Int that is too long for a Decimal",
        ),
        pytest.param(
            f"allow act if h(a: H) and H <= {LONG} and H == {LONG}.0 and X == sum(N for e(a: N))",
            id="an Int sum where a Decimal is equal to a term of it",
        ),
        pytest.param(
            "allow act if d(a: D) and e(a: D) and X == sum(N for e(a: N))",
            id="an Int sum where a term of it was met as a Decimal before",
        ),
        pytest.param(
            "allow act if Y == count(e(a: Z) and Z > X) and X == count(h(a: H) and H >= Q)"
            " and (e(a: X) or g(z: _)) and f(a: Q)",
            id="two aggregates that two branches take in either order",
        ),
        pytest.param(
            "deny act if e(a: X) and 1 / X > 0 and date(now, Z) == date(now, Z) and g(z: Z)",
            id="two operations of one body that fail",
        ),
        pytest.param(
            "allow act if e(a: X) and 1 / X > 0 and Y == 2 / (X + 1) and not one(a: Y)",
            id="a single row that is looked at beside what failed",
        ),
        pytest.param(
            "allow act if one(a: _) or one(a: A) and 1 / (A - 1) > 0",
            id="a branch that fails behind one that holds",
        ),
    ],
)
def test_every_evaluator_answers_as_the_reference(rule: str) -> None:
    """A policy on which an evaluator once differed is answered by all of them as by the reference."""
    declared = "facts d { a: Decimal(0) }\nfacts e { a: Int }\nfacts f { a: Decimal(2) }\nfacts g { z: String }\nfacts h { a: Decimal(0) }\nfact one { a: Decimal(2) }\naction act {}"
    program = loads(f"module m\n{declared}\nrule r: {rule}").program
    one, long = Decimal("1.00"), Decimal(LONG)
    given = asked(e=[0, HUGE, 1, LONG], f=[one], h=[long], d=[long], g=["Nowhere"], one=[one])
    assert not list(differences(Case(program, {}, (given,))))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            "X == count(e(a: _)) and Y == X + X and V == 0.01 and V == X",
            id="a Decimal that is to equal an Int, and what no Int is",
        ),
        pytest.param(
            "g(z: Z) and X == weekday(now, Z) and X == (X + X) * X and X == count(e(a: A) and 7 / A > 0)",
            id="a variable that fails to get a value, reads itself, and gets one",
        ),
        pytest.param(
            "g(z: Z) and e(a: N) and V == weekday(now, Z) and W == 7 / N and W == V + V and V == W - W + 99",
            id="two variables in a circle, of which one fails",
        ),
    ],
)
def test_equalities_may_all_bind(body: str) -> None:
    """A body in which every equality of a variable binds it is answered by every evaluator as by the reference."""
    declared = "facts e { a: Int }\nfacts g { z: String }\naction act {}"
    program = loads(f"module m\n{declared}\nrule r: allow act if {body}").program
    rule = program.rules[0]
    tied = replace(rule, body=tuple(map(_as_binding, rule.body)))
    assert tied != rule
    given = asked(e=[7], g=["Nowhere"])
    assert not list(differences(Case(replace(program, rules=(tied,)), {}, (given,))))


def _as_binding(literal: Literal) -> Literal:
    """An equality of a variable as what binds it."""
    if isinstance(literal, Test) and isinstance(literal.condition, Apply):
        left, right = literal.condition.arguments
        if literal.condition.operation is Operation.EQ and isinstance(left, Variable):
            return Bind(left, right, literal.origin)
    return literal
