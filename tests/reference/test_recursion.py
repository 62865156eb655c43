"""Where values made in recursion could grow without end, the checker refuses; all else agrees with the reference."""

from __future__ import annotations

import pytest

from policylang.bundle.loading import loads
from policylang.errors import PolicyInvalid
from policylang.facts.factset import FactSet, Row
from tests.reference.compare import differences
from tests.reference.generator import NOW, Case

FACTS = "module m\nfacts e { a: Int }\nfacts g { a: Int, b: Int }\naction act {}\ndefine c(X) if X == 0\n"
RULE = "\nrule r: allow act if c(X)"
REQUEST = FactSet(
    "m.act",
    NOW,
    {
        "now": (Row(0, (NOW,)),),
        "m.act": (Row(0, ()),),
        "m.e": tuple(Row(i, (i,)) for i in range(4)),
        "m.g": tuple(Row(i, (i, i + 1)) for i in range(5)),
    },
)


@pytest.mark.parametrize(
    "clause",
    [
        "define c(X) if c(Y) and X == count(e(a: Z) and Z <= Y)",
        "define c(X) if c(Y) and X == sum(Y for e(a: _))",
        "define c(X) if c(Y) and X == max(Z for e(a: Z) and Z <= Y)",
        "define c(X) if c(Y) and (X == count(e(a: Z) and Z <= Y) or X == Y)",
        "define c(X) if c(Y) and X == Z and Z == count(e(a: Y))",
    ],
)
def test_an_aggregate_over_what_recursion_carries_is_refused(clause: str) -> None:
    """A recursive clause whose head takes what an aggregate gives for its own recursion is refused."""
    with pytest.raises(PolicyInvalid, match="PL0404"):
        loads(FACTS + clause + RULE)


@pytest.mark.parametrize(
    "clause",
    [
        "define c(Y) if c(X) and g(a: X, b: Y) and count(e(a: Z) and Z <= X) > 1",
        "define c(Y) if c(X) and g(a: X, b: Y) and not (e(a: Z) and Z > X + 3)",
        "define c(Y) if c(X) and Y == count(e(a: _))",
        "define c(Y) if Y == count(e(a: _))\ndefine c(Y) if c(Y) and not (g(a: _, b: _) and Y > 3)",
        "define c(Y) if g(a: X, b: _) and Y == count(e(a: Z) and Z > X)\n"
        "define c(Y) if c(X) and g(a: X, b: Y) and not (e(a: Y) and Y > 1)",
        "define c(Y) if c(Y) and Y == count(e(a: Z) and Z < Y)",
    ],
)
def test_recursion_beside_aggregates_agrees(clause: str) -> None:
    """An aggregate or a negation over what recursion carries tests it, and every evaluator agrees."""
    program = loads(FACTS + clause + RULE).program
    assert not list(differences(Case(program, {}, (REQUEST,))))
