"""What a checked bundle becomes, as text: the program, and what evaluates it."""

from __future__ import annotations

from collections.abc import Iterator

from policylang.errors import PolicyInvalid
from policylang.semantics.program import Program


def emitted(program: Program, form: str) -> str:
    """The text of a program in the form `program`, `asp` or `plan`; the latter two are made for each action.

    Raises `PolicyInvalid` where the form is `plan` and the program cannot be compiled to one.
    """
    if form == "program":
        from policylang.semantics.printer import print_program

        return print_program(program).rstrip("\n") + "\n"
    return "\n".join(_asp(program) if form == "asp" else _plan(program))


def _asp(program: Program) -> Iterator[str]:
    from policylang.evaluate.asp.emit import emit
    from policylang.evaluate.asp.evaluator import asp_program

    for action in program.actions:
        yield f"%%% {action}\n\n{emit(asp_program(program, action))}"


def _plan(program: Program) -> Iterator[str]:
    from policylang.bundle import codes
    from policylang.evaluate.plan import PlanEvaluator, refusal

    against = refusal(program)
    if against is not None:
        raise PolicyInvalid([codes.UNKNOWN_PLAN.at(None, reason=str(against))])
    plans = PlanEvaluator(program)
    for action in program.actions:
        yield f"### {action}\n\n{plans.code(action)}\n"
        usual = plans.usual_code(action)
        if usual is not None:
            yield f"### {action}, requests of the usual form\n\n{usual}\n"
