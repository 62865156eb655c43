"""What one decision through clingo costs, beside clingo's own fresh ground-and-solve of the same program.

    python benchmarks/decision_asp.py [--rounds N] [--memory DECISIONS] [--json]

Everything is measured in turn, round by round, so that what else the machine does falls on all alike; medians are
printed, and ratios are what counts.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import string
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import clingo

from policylang import loads
from policylang.evaluate.asp import evaluator as asp
from policylang.evaluate.asp.calls import Asked
from policylang.evaluate.asp.emit import emit
from policylang.evaluate.asp.evaluator import AspEvaluator
from policylang.evaluate.firings import Firings, Limits
from policylang.facts.compile import compile_border
from policylang.facts.factset import FactSet

LIMITS = Limits(seconds=60.0)

REFUNDS = """
module refunds version "1.4.0"
enum Tier { free, pro, enterprise }
fact agent { id: String key, scopes: Set[String] }
fact customer { id: String, tier: Tier, flagged: Bool = false }
facts linked { a: String, b: String }
facts reported { customer: String, by: String }
action refund { customer_id: String, amount: Decimal(2) }
param auto_limit: Decimal(2) = 200.00
table refund_cap (tier: Tier, cap: Decimal(2)) {
  | free       |    50.00 |
  | pro        |   500.00 |
  | enterprise | 5_000.00 |
}
define suspicious(C) if reported(customer: C)
define suspicious(C) if linked(C, D) and suspicious(D)
rule small_refund: allow refund
  if agent.scopes has "refunds:write" and refund.amount <= auto_limit
  and refund_cap(tier: customer.tier, cap: Cap) and refund.amount <= Cap
rule large_refund: require approval(by: "manager") for refund
  if agent.scopes has "refunds:write" and refund.amount > auto_limit
rule fraud: deny refund if suspicious(refund.customer_id) or customer.flagged
rule too_much: deny refund if refund.amount > 10_000.00
"""

REQUEST: Mapping[str, Any] = {
    "action": "refund",
    "args": {"customer_id": "c1", "amount": "48.00"},
    "agent": {"id": "bot-7", "scopes": ["refunds:write"]},
    "facts": {
        "customer": {"id": "c1", "tier": "pro"},
        "linked": [{"a": "c1", "b": "c9"}],
        "reported": [{"customer": "c5", "by": "c6"}],
    },
    "now": "2026-11-22T10:00:00Z",
}

BY_HAND = """
fires_small(Cap) :- scope("refunds:write"), refund(_,A), A <= 20000, customer(_,T,_), cap(T,Cap), A <= Cap.
fires_large :- scope("refunds:write"), refund(_,A), A > 20000.
suspicious(C) :- reported(C,_).
suspicious(C) :- linked(C,D), suspicious(D).
fires_fraud :- refund(C,_), suspicious(C).
fires_fraud :- customer(_,_,true).
fires_too_much :- refund(_,A), A > 1000000.
cap(free,5000). cap(pro,50000). cap(enterprise,500000).
refund("c1",4800). scope("refunds:write"). customer("c1",pro,false). linked("c1","c9"). reported("c5","c6").
"""

ROLES = """
module roles version "1.0.0"
facts inherits from "inherits.csv" { role: String, of: String }
facts grants from "grants.csv" { role: String, tool: String }
action call { role: String, tool: String }
define holds(R, T) if grants(role: R, tool: T)
rule direct: allow call if holds(call.role, call.tool)
rule inherited: allow call if inherits(role: call.role, of: R) and grants(role: R, tool: call.tool)
"""


def medians(rounds: int, measured: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The median time of each, in microseconds, measured in turn."""
    times: dict[str, list[float]] = {name: [] for name in measured}
    for turn in range(rounds + rounds // 10):
        for name, run in measured.items():
            started = time.perf_counter()
            run()
            if turn >= rounds // 10:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(some) * 1e6 for name, some in times.items()}


def solved(text: str, asked: Callable[[], Asked | None]) -> None:
    """A fresh ground and solve of a program text, read to its end."""
    control = clingo.Control(["--warn=none"])
    control.add("base", [], text)
    control.ground([("base", [])], context=asked())
    with control.solve(yield_=True) as models:
        for model in models:
            model.symbols(atoms=True)


def refunds(rounds: int) -> dict[str, float]:
    """The four-rule refund policy."""
    bundle = loads(REFUNDS)
    border = compile_border(bundle.program.schema, bundle.reference)
    evaluator = AspEvaluator(bundle.program, bundle.reference.rows)
    facts = accepted(border.validate(dict(REQUEST)))
    answer = evaluator.evaluate(facts, LIMITS)
    assert isinstance(answer, Firings)
    assert [firing.rule for firing in answer.firings] == [
        "refunds.suspicious/1",
        "refunds.small_refund",
    ]
    ready = evaluator._ready["refunds.refund", False]
    compiled = ready.compiled
    asked = compiled.asked(ready.held)
    known = list(compiled.facts(asked.encoding, facts.rows))
    text = emit(compiled.program) + "".join(f"{fact}.\n" for fact in known)
    given = compiled.given(facts.rows)
    control = compiled.ground(asked, known, given)
    batch = [facts] * 100

    def encoded() -> None:
        own = compiled.asked(ready.held)
        list(compiled.facts(own.encoding, facts.rows, None))

    found = medians(
        rounds,
        {
            "clingo, the same rules by hand": lambda: solved(BY_HAND, lambda: None),
            "clingo, the lowered program": lambda: solved(text, lambda: asked),
            "validate": lambda: border.validate(dict(REQUEST)),
            "evaluate": lambda: evaluator.evaluate(facts, LIMITS),
            "validate and evaluate": lambda: evaluator.evaluate(
                accepted(border.validate(dict(REQUEST))), LIMITS
            ),
            "of it: facts as atoms": encoded,
            "of it: control, trees, grounding": lambda: compiled.ground(asked, known, given),
            "of it: firings read": lambda: compiled.found(control, asked, given),
            "an empty control": clingo.Control,
        },
    )
    many = medians(max(rounds // 20, 3), {"": lambda: evaluator.evaluate_many(batch, LIMITS)})
    found["each of 100 in one grounding"] = many[""] / len(batch)
    return found


def accepted(found: object) -> FactSet:
    """The facts of a request that is valid."""
    assert isinstance(found, FactSet), found
    return found


def beside_reference(rounds: int, counts: tuple[int, ...]) -> dict[str, float]:
    """A decision beside reference rows: what it costs, and what is paid once."""
    measured: dict[str, Callable[[], object]] = {}
    once: dict[str, float] = {}
    for count in counts:
        reference = {
            "inherits": [{"role": f"r{i}", "of": f"r{i // 2}"} for i in range(1, count // 2)],
            "grants": [{"role": f"r{i}", "tool": f"t{i % 97}"} for i in range(count // 2)],
        }
        bundle = loads(ROLES, reference=reference)
        border = compile_border(bundle.program.schema, bundle.reference)
        evaluator = AspEvaluator(bundle.program, bundle.reference.rows)
        number = count // 2 - 1
        request = {"role": f"r{number}", "tool": f"t{number // 2 % 97}"}
        facts = accepted(
            border.validate(
                {"action": "call", "args": request, "facts": {}, "now": "2026-11-22T10:00:00Z"}
            )
        )
        started = time.perf_counter()
        answer = evaluator.evaluate(facts, LIMITS)
        once[f"first decision beside {count:,} rows"] = (time.perf_counter() - started) * 1e6
        assert isinstance(answer, Firings)
        assert any(firing.rule == "roles.inherited" for firing in answer.firings)
        measured[f"a decision beside {count:,} rows"] = lambda evaluator=evaluator, facts=facts: (
            evaluator.evaluate(facts, LIMITS)
        )
    return {**once, **medians(rounds, measured)}


def contained(rounds: int) -> dict[str, float]:
    """A decision in this process, and the same through the process that can be killed."""
    bundle = loads(REFUNDS)
    border = compile_border(bundle.program.schema, bundle.reference)
    evaluator = AspEvaluator(bundle.program, bundle.reference.rows)
    facts = accepted(border.validate(dict(REQUEST)))
    here = asp._UNITS_HERE

    def through() -> None:
        asp._UNITS_HERE = 0  # type: ignore[misc]
        try:
            evaluator.evaluate(facts, LIMITS)
        finally:
            asp._UNITS_HERE = here  # type: ignore[misc]

    started = time.perf_counter()
    through()
    first = (time.perf_counter() - started) * 1e6
    found = medians(
        rounds,
        {"in this process": lambda: evaluator.evaluate(facts, LIMITS), "in the worker": through},
    )
    evaluator.close()
    return {**found, "the first in the worker, which starts it": first}


def memory(decisions: int) -> dict[str, float]:
    """The growth of this process over many decisions with fresh strings, in megabytes."""
    import psutil

    bundle = loads(REFUNDS)
    border = compile_border(bundle.program.schema, bundle.reference)
    evaluator = AspEvaluator(bundle.program, bundle.reference.rows)
    letters = random.Random(1)
    process = psutil.Process()
    found: dict[str, float] = {}
    for number in range(decisions + 1):
        if number in (1_000, decisions // 4, decisions // 2, decisions):
            gc.collect()
            found[f"after {number:,} decisions"] = process.memory_info().rss / (1 << 20)
        names = ["".join(letters.choices(string.ascii_letters, k=40)) for _ in range(4)]
        request = {
            **REQUEST,
            "args": {"customer_id": names[0], "amount": f"{number % 9000}.{number % 100:02}"},
            "facts": {
                "customer": {"id": names[0], "tier": "pro"},
                "linked": [{"a": names[0], "b": names[1]}],
                "reported": [{"customer": names[2], "by": names[3]}],
            },
        }
        evaluator.evaluate(accepted(border.validate(request)), LIMITS)
    return found


def printed(title: str, found: Mapping[str, float], unit: str) -> None:
    """One table."""
    print(title)
    for name, value in found.items():
        print(f"  {name:<48} {value:>12,.1f} {unit}")
    print()


def main() -> int:
    """Measure, print, and say whether the figure is reached."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--memory", type=int, default=0, metavar="DECISIONS")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {
        "one decision": refunds(options.rounds),
        "reference": beside_reference(max(options.rounds // 3, 5), (10, 1_000, 100_000)),
        "contained": contained(max(options.rounds // 3, 5)),
    }
    if options.memory:
        found["memory"] = memory(options.memory)
    one = found["one decision"]
    ratios = {
        name: one["validate and evaluate"] / one[name]
        for name in ("clingo, the same rules by hand", "clingo, the lowered program")
    }
    if options.json:
        print(json.dumps({**found, "ratios": ratios}, indent=2))
        return 0
    printed("One decision of the four-rule refund policy", one, "us")
    for name, ratio in ratios.items():
        print(f"  validate and evaluate / {name:<37} {ratio:.2f}")
    print()
    printed("Beside reference rows", found["reference"], "us")
    printed("In a process that can be killed", found["contained"], "us")
    if options.memory:
        printed("Resident memory", found["memory"], "MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
