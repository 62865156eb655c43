"""Five ways in which an agent's refunds go wrong, each without policylang and with it.

The model is a script that does what models do: it answers by mood, and hands on what it read. Everything else is real.
"""

from __future__ import annotations

import random
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from policylang import Gate, Refused, load, loads
from policylang.gate.answer import Answer
from policylang.gate.answer_text import for_model
from policylang.rollout.publishing import publish
from policylang.rollout.report import Why
from policylang.rollout.reporting import report_on
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import Stage
from policylang.trace.store import TraceStore

HERE = Path(__file__).parent
POLICY = HERE / "policies" / "refunds.policy"
AGENT = {"id": "bot-7", "scopes": ["refunds:write"]}


def customer(number: int = 1, tier: str = "pro") -> dict[str, Any]:
    """The records of one customer and of one order of 5,000."""
    id_ = f"c{number}"
    return {
        "customer": {"id": id_, "tier": tier},
        "order": {"id": f"o{number}", "customer": id_, "paid": "5000.00"},
    }


def rules_in_a_prompt(store: Path) -> None:
    """One: the rules are evaluated by the model."""
    mood = random.Random(7)

    def model(amount: Decimal) -> str:
        """`Refunds above 200 need a manager`, as a model reads it when the customer is nice about it."""
        return "paid" if amount <= 200 or mood.random() < 0.2 else "asks a manager"

    answers = {model(Decimal(4800)) for _ in range(20)}
    print(f"  without: the same refund of 4,800, twenty times: {' / '.join(sorted(answers))}")
    with Gate.open(POLICY, store=store) as gate:
        with_rules = {_say(gate, "4800.00") for _ in range(20)}
    print(f"  with:    {' / '.join(with_rules)}, twenty times")


def nothing_between(store: Path) -> None:
    """Two: nothing stands between the output of the model and its effect."""
    paid: list[tuple[str, str]] = []

    def refund(order: str, amount: str) -> None:
        paid.append((order, amount))

    refund("o2", "4800.00")  # The customer had asked about order o1.
    print(f"  without: {paid.pop()} is paid, for an order of somebody else")
    with Gate.open(POLICY, store=store) as gate, gate.session(agent=AGENT, facts=customer()):
        guarded = gate.protect("refund")(refund)
        try:
            guarded(order="o2", amount="4800.00")
        except Refused as refused:
            print(f"  with:    {len(paid)} payments; the agent is told:")
            print("    " + for_model(refused.answer).replace("\n", "\n    "))


def no_record(store: Path) -> None:
    """Three: nobody can say afterwards why it was allowed."""
    print('  without: {"event": "tool_call", "tool": "refund", "args": {"amount": "150.00"}}')
    with Gate.open(POLICY, store=store) as gate, gate.session(agent=AGENT, facts=customer()):
        verdict = gate.decide("refund", {"order": "o1", "amount": "150.00"})
        gate.run(verdict, lambda arguments: arguments["amount"])
        case = gate.store.why(verdict.decision_id)
        assert case is not None
        (reason,) = case.decision.reasons
        module = case.program.modules[-1]
        print(f"  with:    {reason.rule} of {module.name} {module.version}: {reason.message}")
        print(f"           decided again from the store alone: {case.decision.outcome.value}")


def a_save_button(store: Path) -> None:
    """Four: a changed rule is live at once, for everybody."""
    text = POLICY.read_text()
    typo = text.replace("auto_limit: Usd = 200.00", "auto_limit: Usd = 20000.00")
    next_ = typo.replace('version "1.0.0"', 'version "1.1.0"')
    harmed = sum(_pays(next_, number) for number in range(40))
    print(
        f"  without: a limit of 20,000 in place of 2,000: {harmed} of 40 refunds of 900 are paid at once"
    )

    with TraceStore.open(store) as traces, load(POLICY) as now, loads(next_) as later:
        publish(traces, now, by="ann")
        publish(traces, later, by="ann")
        steps = Rollouts(traces)
        steps.start("refunds@1.0.0", by="ann", stage=Stage.ACTIVE)
        steps.start("refunds@1.1.0", by="ann", why="a higher limit")
        with Gate.open(store=traces) as gate:
            answers = [_say(gate, "900.00", number) for number in range(40)]
            gate.decider.close()
            found = report_on(traces, "refunds@1.1.0", Stage.SHADOW, _commands)
            print(
                f"  with:    in shadow, {answers.count('paid')} of 40 are paid, and the report says:"
            )
            for change, times in found.figures.transitions.items():
                print(f"           {change}: {times}")
            taken = steps.rollback("refunds@1.1.0", by="ann", why="a zero too many")
            print(f"           {taken.step.value} by {taken.by}: {taken.why}")


def untyped_inputs(store: Path) -> None:
    """Five: what comes in is not what the rule was written for."""
    inputs = (
        ("$4,800.00", "PRO"),
        ("4,800", "Pro"),
        (None, "pro"),
        (float("nan"), "pro"),
        ("150", "gold"),
    )
    for amount, tier in inputs:
        with Gate.open(POLICY, store=store) as gate:
            verdict = gate.decide(
                "refund", {"order": "o1", "amount": amount}, agent=AGENT, facts=customer(tier=tier)
            )
        print(f"  {amount!s:>9} {tier:5} without: {_naive(amount)}")
        print(f"  {'':15} with:    {_brief(verdict.answer)}")


def _naive(amount: Any) -> str:
    """A rule `amount > 200 asks a manager` in an engine that passes over a rule that fails, and allows by default."""
    try:
        return "asks a manager" if amount > 200 else "paid"
    except TypeError:
        return "paid"


def _say(gate: Gate, amount: str, number: int = 1) -> str:
    arguments = {"order": f"o{number}", "amount": amount}
    try:
        return str(
            gate.call("refund", arguments, lambda _: "paid", agent=AGENT, facts=customer(number))
        )
    except Refused as refused:
        return "asks a manager" if refused.answer.ticket else refused.answer.outcome.value


def _pays(policy: str, number: int) -> bool:
    with loads(policy) as bundle:
        request = {"action": "refund", "args": {"order": f"o{number}", "amount": "900.00"}}
        facts = {"agent": AGENT, **customer(number)}
        return bundle.decide({**request, "facts": facts}).outcome.value == "allow"


def _commands(_live: str | None, candidate: str) -> Why:
    return Why("policylang why {}", f"policylang why {{}} --with {candidate}")


def _brief(answer: Answer) -> str:
    said = [f"{problem.path}: {problem.message}" for problem in answer.problems]
    return "; ".join([answer.outcome.value, *said])


ACTS = (rules_in_a_prompt, nothing_between, no_record, a_save_button, untyped_inputs)


def main(folder: Path) -> None:
    """Play all five, each on a store of its own."""
    for act in ACTS:
        print(act.__doc__)
        act(folder / f"{act.__name__}.duckdb")
        print()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
