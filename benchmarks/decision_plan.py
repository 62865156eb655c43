"""Measures the evaluation of one decision: by the compiled plan, by clingo, and as programs and data grow.

usage: python benchmarks/decision_plan.py [--rounds N] [--largest ROWS] [--json]

A round measures every line once, one after the other, so that all lines see the same machine; a figure is the
median of the rounds. Requests are validated before: this is the evaluation alone, from fact set to firings.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from statistics import median

from policylang.bundle.loading import loads
from policylang.evaluate.asp.evaluator import AspEvaluator
from policylang.evaluate.firings import Evaluation, Evaluator, Failure, Limits
from policylang.evaluate.plan import PlanEvaluator
from policylang.facts.factset import FactSet, Row
from policylang.facts.values import Value

NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
LIMITS = Limits(seconds=60.0)

REFUNDS = """
module m
enum Tier { free, pro, enterprise }
fact agent { id: String key, scopes: Set[String] }
fact customer { id: String, tier: Tier, flagged: Bool = false }
facts linked { a: String, b: String }
facts reported { customer: String, by: String }
action act { customer_id: String, amount: Decimal(2) }
param auto_limit: Decimal(2) = 200.00
table refund_cap (tier: Tier, cap: Decimal(2)) {
  | free       |    50.00 |
  | pro        |   500.00 |
  | enterprise | 5_000.00 |
}
define suspicious(C) if reported(customer: C)
define suspicious(C) if linked(C, D) and suspicious(D)
rule small_refund: allow act
  if agent.scopes has "refunds:write" and act.amount <= auto_limit
  and refund_cap(tier: customer.tier, cap: Cap) and act.amount <= Cap
rule large_refund: require approval(by: "manager", within: 4 hours) for act
  if agent.scopes has "refunds:write" and act.amount > auto_limit
rule fraud: deny act if suspicious(act.customer_id) or customer.flagged
rule board_exception: allow act if agent.scopes has "board" overrides fraud
"""

ROLES = """
module m
fact agent { role: String }
action act { amount: Decimal(2) }
"""

MEMBERS = """
module m
facts member from "members.csv" { user: String, team: String }
facts document from "documents.csv" { id: String, owner: String }
fact agent { user: String }
action act { document: String }
rule own: allow act if document(id: act.document, owner: agent.user)
rule shared: allow act
  if document(id: act.document, owner: O) and member(user: O, team: T) and member(user: agent.user, team: T)
"""

CHAIN = """
module m
facts edge { a: Int, b: Int }
action act {}
define reach(X) if X == 0
define reach(Y) if reach(X) and edge(X, Y)
rule end: allow act if reach(LENGTH)
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing measured: its name, the evaluation, and how often a round repeats it."""

    name: str
    run: Callable[[], Evaluation]
    times: int


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of a line, in microseconds, and what that is to the first line of its group."""

    name: str
    microseconds: float
    ratio: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--largest", type=int, default=1_000_000, help="rows of reference data")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    groups = {
        "the refund policy": _refunds(),
        "rules for one action, told apart by a role": _rules(),
        "rows of reference data": _reference(given.largest),
        "depth of a recursion": _recursion(),
    }
    figures = {title: _measured(lines, given.rounds) for title, lines in groups.items()}
    if given.json:
        print(json.dumps({t: [asdict(f) for f in found] for t, found in figures.items()}, indent=1))
        return 0
    for title, found in figures.items():
        print(f"{title}\n")
        for figure in found:
            print(f"  {figure.name:<34}{figure.microseconds:>12.1f} us{figure.ratio:>9.2f} x")
        print()
    return 0


def _measured(lines: Sequence[Line], rounds: int) -> list[Figure]:
    for line in lines:
        if isinstance(answer := line.run(), Failure):
            sys.exit(f"error: {line.name}: {answer.message}")
    seen: list[list[float]] = [[] for _ in lines]
    for _ in range(rounds):
        for line, times in zip(lines, seen, strict=True):
            times.append(_timed(line))
    middle = [median(times) for times in seen]
    return [
        Figure(line.name, each, each / middle[0]) for line, each in zip(lines, middle, strict=True)
    ]


def _timed(line: Line) -> float:
    start = time.perf_counter()
    for _ in range(line.times):
        line.run()
    return (time.perf_counter() - start) / line.times * 1e6


def _line(name: str, evaluator: Evaluator, facts: FactSet, times: int) -> Line:
    return Line(name, lambda: evaluator.evaluate(facts, LIMITS), times)


def _facts(**rows: Sequence[tuple[Value, ...]]) -> FactSet:
    given = {
        f"m.{name}": tuple(Row(i, values) for i, values in enumerate(lines))
        for name, lines in rows.items()
    }
    return FactSet("m.act", NOW, given)


def _refunds() -> list[Line]:
    program = loads(REFUNDS).program
    facts = _facts(
        agent=[("bot-7", frozenset({"refunds:write"}))],
        customer=[("c1", "pro", False)],
        linked=[("c1", "c9")],
        act=[("c1", Decimal("48.00"))],
    )
    return [
        _line("plan", PlanEvaluator(program), facts, 5_000),
        _line("clingo", AspEvaluator(program, {}), facts, 50),
    ]


def _rules() -> list[Line]:
    facts = _facts(agent=[("role7",)], act=[(Decimal("5.00"),)])
    lines = []
    for count in (10, 100, 1_000):
        rules = "\n".join(
            f'rule r{i}: allow act if agent.role == "role{i}" and act.amount <= {i}.00'
            for i in range(count)
        )
        evaluator = PlanEvaluator(loads(ROLES + rules).program)
        lines.append(_line(f"{count:,} rules", evaluator, facts, 5_000))
    return lines


def _reference(largest: int) -> list[Line]:
    program = loads(MEMBERS, reference={"member": [], "document": []}).program
    facts = _facts(agent=[("u2",)], act=[("d17",)])
    lines, count = [], 1_000
    while count <= largest:
        reference = {
            "m.member": tuple(Row(i, (f"u{i // 5}", f"t{i % 5}-{i // 50}")) for i in range(count)),
            "m.document": tuple(Row(i, (f"d{i}", f"u{i // 5}")) for i in range(count)),
        }
        lines.append(_line(f"{count:,} rows", PlanEvaluator(program, reference), facts, 2_000))
        count *= 10
    return lines


def _recursion() -> list[Line]:
    lines = []
    for length in (10, 100, 1_000, 10_000):
        program = loads(CHAIN.replace("LENGTH", str(length))).program
        facts = _facts(act=[()], edge=[(i, i + 1) for i in range(length)])
        evaluator = PlanEvaluator(program)
        lines.append(_line(f"{length:,} steps", evaluator, facts, 20_000 // length))
    return lines


if __name__ == "__main__":
    sys.exit(main())
