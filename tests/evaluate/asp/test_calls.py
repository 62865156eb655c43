"""What clingo asks Python: a calculation that fails where the lowering expects none is never passed over."""

from __future__ import annotations

import pytest

from policylang.bundle.loading import loads
from policylang.errors import InternalError
from policylang.evaluate.asp import calls, literals, nested, steps
from policylang.evaluate.asp.evaluator import AspEvaluator
from policylang.evaluate.firings import Limits
from policylang.facts.factset import FactSet, Row
from tests.reference.generator import NOW


@pytest.mark.parametrize(
    "condition",
    ["X == 1 / N and X > 0", "V in [1 / N, 2] and V > 0", "X == sum(1 / M for e(a: M)) and X > 0"],
)
def test_a_failure_that_the_lowering_rules_out_is_a_bug(
    condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the lowering says that nothing can fail and an operation fails, the evaluation raises."""

    def never(*_: object) -> bool:
        return False

    for module in (calls, literals, nested, steps):
        for name in ("can_fail", "literal_can_fail", "body_can_fail", "total_can_fail"):
            monkeypatch.setattr(module, name, never, raising=False)
    source = f"module m\nfacts e {{ a: Int }}\naction act {{}}\nrule r: deny act if e(a: N) and {condition}"
    evaluator = AspEvaluator(loads(source).program, {})
    rows = {"m.act": (Row(0, ()),), "m.e": (Row(0, (0,)),), "now": (Row(0, (NOW,)),)}
    with pytest.raises(InternalError, match="a calculation failed that cannot"):
        evaluator.evaluate(FactSet("m.act", NOW, rows), Limits())
