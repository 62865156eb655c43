"""Which evaluator decides: clingo, or the plan that is compiled to Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

from policylang.bundle import codes
from policylang.diagnostics import Diagnostic
from policylang.errors import PolicyInvalid
from policylang.evaluate.firings import Evaluator
from policylang.evaluate.plan import PlanEvaluator, refusal
from policylang.facts.factset import Row
from policylang.semantics.program import Program, Rule

EvaluatorName: TypeAlias = Literal["auto", "plan", "asp"]
"""`asp` is clingo, `plan` the compiled plan, `auto` the plan wherever it can take the program."""


def notes(program: Program) -> Iterator[Diagnostic]:
    """What a user should know of how a program is evaluated: why clingo decides, where no plan can be made."""
    against = refusal(program)
    if against is not None:
        yield codes.LEFT_TO_CLINGO.at(against.rule.origin.span, why=against.why)


def choose(
    program: Program,
    reference: Mapping[str, tuple[Row, ...]],
    name: EvaluatorName,
    taken: Iterable[Rule] = (),
) -> Evaluator:
    """The evaluator of that name for a program and its reference rows. `taken` are rules that a plan is known to take.

    Raises `PolicyInvalid` where `plan` is asked for and the program cannot be compiled to one.
    """
    if name != "asp":
        against = refusal(program, taken)
        if against is None:
            return PlanEvaluator(program, reference)
        if name == "plan":
            raise PolicyInvalid([codes.UNKNOWN_PLAN.at(None, reason=str(against))])
    # clingo is imported where it is needed: it takes longer to load than most programs to compile.
    from policylang.evaluate.asp.evaluator import AspEvaluator

    return AspEvaluator(program, reference)
