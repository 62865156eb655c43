"""Each surprising fact about clingo has an answer, and a test that fails where the answer is taken away.

The facts are told in `docs/explanation/clingo.md`.
"""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import clingo
import psutil
import pytest
from clingo import ast

from policylang.errors import InternalError
from policylang.evaluate.asp import evaluator as evaluator_module
from policylang.evaluate.asp.evaluator import asp_program
from policylang.evaluate.asp.solve import Compiled
from policylang.evaluate.firings import FailureKind, Firings
from policylang.facts.factset import FactSet, Row
from tests.evaluate.asp.policies import LIMITS, Policy

AMOUNTS = """
module m version "1.0.0"
facts payment { amount: Decimal(2) }
facts share { of: Int }
action pay { amount: Decimal(2), count: Int }
rule above: allow pay if pay.amount > 3000000000.00
rule below: allow pay if pay.amount <= 3000000000.00
rule more: allow pay if pay.count > 2147483648
rule total: allow pay if T == sum(A for payment(amount: A)) and T > 0
rule shares: allow pay if T == sum(A for share(of: A))
rule product: allow pay if P == pay.count * pay.count
rule added: allow pay if S == pay.amount + 0.01
"""


def test_numbers_past_32_bits_compare_add_and_sum_exactly() -> None:
    """clingo's integers wrap at 2^31 in silence; amounts past it and 38-digit decimals are exact here."""
    policy = Policy(AMOUNTS)
    high = "123456789012345678901234567890123456.78"
    fired = policy.fired(
        "pay",
        {"amount": high, "count": 3_000_000_000},
        payment=[{"amount": high}, {"amount": "0.01"}],
        share=[{"of": 2**31}, {"of": 2**31}],
    )
    assert "above" in fired
    assert "below" not in fired
    assert "more" in fired
    assert fired["total"] == [(Decimal("123456789012345678901234567890123456.79"),)]
    assert fired["shares"] == [(2**32,)]
    assert fired["product"] == [(9_000_000_000_000_000_000,)]
    assert fired["added"] == [(Decimal("123456789012345678901234567890123456.79"),)]


def test_a_small_amount_is_below_three_billion() -> None:
    """In clingo `1 <= 3000000000` is false; here it is true."""
    fired = Policy(AMOUNTS).fired("pay", {"amount": "1.00", "count": 1})
    assert "below" in fired
    assert "above" not in fired
    assert "more" not in fired


def best(evaluate: Any, times: int = 15) -> float:
    """The least time of several runs, in seconds."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        evaluate()
        found.append(time.perf_counter() - started)
    return min(found)


def test_a_comparison_with_two_sides_costs_what_one_side_costs() -> None:
    """clingo enumerates the numbers between two bounds of a variable; here the width of a range is not seen."""
    shape = """
    module m version "1.0.0"
    action pay {{ amount: Int }}
    rule big: allow pay if {condition}
    """
    one = Policy(shape.format(condition="pay.amount > 200"))
    two = Policy(shape.format(condition="pay.amount > 200 and pay.amount <= 1_000_000_000"))
    facts = one.facts("pay", {"amount": 500})
    assert two.fired("pay", {"amount": 500}) == {"big": [()]}
    assert two.fired("pay", {"amount": 2_000_000_000}) == {}
    single = best(lambda: one.evaluator.evaluate(facts, LIMITS))
    double = best(lambda: two.evaluator.evaluate(facts, LIMITS))
    assert double < 3 * single


STRINGS = """
module m version "1.0.0"
facts role { name: String, note: String }
action act { name: String }
rule known: allow act if role(name: act.name, note: N)
rule quoted: allow act if act.name == "say \\"hi\\" \\\\ there"
rule admin: allow act if act.name == "admin"
"""

TEXTS = [
    'say "hi" \\ there',
    "line\nbreak\r\ttab",
    "",
    " ",
    "ünïcödé 漢字 🦀",
    "a). allow :- b(c",
    "% comment",
    "#const x=1.",
    "\\n",
    "e\u0301",
    "\u00e9",
    "\u2028\u200b\ufeff",
    "x" * 100_000,
]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_any_text_is_itself(text: str) -> None:
    """Quotes, backslashes, newlines, program text and any Unicode join with themselves, and come back unchanged."""
    policy = Policy(STRINGS)
    rows = [{"name": other, "note": other} for other in TEXTS]
    fired = policy.fired("act", {"name": text}, role=rows)
    assert fired["known"] == [(text,)]
    assert ("quoted" in fired) is (text == TEXTS[0])


def test_text_after_nul_is_not_cut_off() -> None:
    """A clingo string ends at NUL; a value that holds one is still no other value."""
    policy = Policy(STRINGS)
    plain = policy.facts("act", {"name": "admin"})
    (action,) = plain.rows["m.act"]
    for name in ("admin\0x", "admin\0", "\ud800"):
        rows = {**plain.rows, "m.act": (type(action)(0, (name,), action.source),)}
        changed = type(plain)(action=plain.action, now=plain.now, rows=rows)
        answer = policy.evaluator.evaluate(changed, LIMITS)
        assert isinstance(answer, Firings)
        assert answer.firings == ()


def test_symbols_do_not_pile_up() -> None:
    """clingo never frees a symbol; thousands of decisions with fresh strings leave no strings behind."""
    policy = Policy(STRINGS)

    def decide(number: int) -> None:
        text = f"{number:06}" + "x" * 20_000
        policy.evaluator.evaluate(
            policy.facts("act", {"name": text}, role=[{"name": text, "note": text[::-1]}]), LIMITS
        )

    for number in range(200):
        decide(number)
    process = psutil.Process()
    before = process.memory_info().rss
    for number in range(200, 1700):
        decide(number)
    # 1,500 decisions with two fresh strings of 20 kB are 60 MB of text.
    assert process.memory_info().rss - before < 15 << 20


def test_an_undefined_operation_fails_the_evaluation() -> None:
    """clingo drops the instance of a rule whose operation is undefined; here the decision fails, and says which rule."""
    policy = Policy("""
    module m version "1.0.0"
    action act { n: Int }
    rule open: allow act
    rule stop: deny act if 10 / act.n > 1
    """)
    failure = policy.failed("act", {"n": 0})
    assert (failure.rule, failure.code) == ("m.stop", FailureKind.DIVISION_BY_ZERO.value)
    assert policy.fired("act", {"n": 5}) == {"open": [()], "stop": [()]}


def test_a_message_of_clingo_is_never_ignored() -> None:
    """Whatever clingo warns of while it grounds is a bug of ours that is told, not a rule that is gone."""
    policy = Policy(STRINGS)
    program = asp_program(policy.program, "m.act")
    compiled = Compiled(program, policy.program.rules)
    asked = compiled.asked({})
    everything = compiled.given({name: (Row(0, ()),) for name in program.inputs})
    compiled.ground(asked, [], everything)
    ast.parse_string("p(X) :- X = 10/0.", compiled._before.append)
    with pytest.raises(InternalError, match="clingo"):
        compiled.ground(asked, [], everything)


def test_lowering_happens_once_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many requests there are, a program is lowered once for an action."""
    policy = Policy(STRINGS)
    count = []
    lower = evaluator_module.lower
    monkeypatch.setattr(
        evaluator_module, "lower", lambda *given, **named: count.append(1) or lower(*given, **named)
    )
    for name in ("a", "b", "c"):
        policy.evaluate("act", {"name": name})
    assert len(count) == 1


HIERARCHY = """
module m version "1.0.0"
facts inherits from "inherits.csv" { role: String, of: String }
facts grant from "grant.csv" { role: String, tool: String }
action act { role: String, tool: String }
action other { role: String }
define above(R, S) if inherits(role: R, of: S)
define above(R, T) if inherits(role: R, of: S) and above(S, T)
rule granted: allow act if grant(role: act.role, tool: act.tool)
rule inherited: allow act if above(act.role, R) and grant(role: R, tool: act.tool)
rule top: allow other if above(other.role, "root")
"""


def hierarchy(depth: int) -> Policy:
    """A chain of roles that inherit from each other, the last of which may use a tool."""
    chain = [{"role": f"r{i}", "of": f"r{i + 1}"} for i in range(depth)]
    return Policy(
        HIERARCHY,
        {"inherits": chain, "grant": [{"role": f"r{depth}", "tool": "pay"}]},
    )


def test_what_reference_data_decides_is_solved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Definitions over reference data alone are solved once for a version of it, not for each decision or action."""
    solved = []
    solve = evaluator_module.AspEvaluator._solve_fixed
    monkeypatch.setattr(
        evaluator_module.AspEvaluator,
        "_solve_fixed",
        lambda self, *given: solved.append(1) or solve(self, *given),
    )
    policy = hierarchy(20)
    for i in (0, 3, 7):
        fired = policy.fired("act", {"role": f"r{i}", "tool": "pay"})
        assert fired["inherited"] == [("r20",)]
    policy.fired("other", {"role": "r1"})
    assert len(solved) == 1


def test_reference_data_enters_no_grounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision grounds the facts of its request, whatever the number of reference rows beside it."""
    counts = []
    ground = Compiled.ground

    def counted(self: Compiled, asked: Any, facts: Any, given: Any) -> clingo.Control:
        control = ground(self, asked, facts, given)
        counts.append(sum(1 for _ in control.symbolic_atoms))
        return control

    monkeypatch.setattr(Compiled, "ground", counted)
    policies = [hierarchy(2), hierarchy(60)]
    for policy in policies:
        policy.evaluate("act", {"role": "r1", "tool": "pay"})
        counts.clear()
        assert "inherited" in policy.fired("act", {"role": "r1", "tool": "pay"})
    assert len(counts) == 1
    assert counts[0] < 10


def test_many_requests_are_decided_in_one_grounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests for one action share a grounding, and each gets the firings that it gets alone."""
    policy = Policy(AMOUNTS)
    batch = [
        policy.facts(
            "pay", {"amount": f"{n}.00", "count": n}, payment=[{"amount": f"{n}.50"}] * (n % 3)
        )
        for n in (1, 2, 3, 4_000_000_000, 5)
    ]
    alone = [policy.evaluator.evaluate(facts, LIMITS) for facts in batch]
    count = []
    ground = Compiled.ground
    monkeypatch.setattr(
        Compiled, "ground", lambda *given, **named: count.append(1) or ground(*given, **named)
    )
    assert list(policy.evaluator.evaluate_many(batch, LIMITS)) == alone
    assert len(count) == 1


def test_one_failed_request_of_many_fails_alone() -> None:
    """In a grounding of many requests a failure belongs to the request that it happened in."""
    policy = Policy("""
    module m version "1.0.0"
    action act { n: Int }
    rule stop: deny act if 10 / act.n > 1
    """)
    batch = [policy.facts("act", {"n": n}) for n in (1, 0, 20)]
    first, second, third = policy.evaluator.evaluate_many(batch, LIMITS)
    assert first == policy.evaluate("act", {"n": 1})
    assert second == policy.evaluate("act", {"n": 0})
    assert third == Firings(())
    assert second != first


def test_grounding_alone_decides_every_atom() -> None:
    """A stratified program needs no search: an atom that grounding leaves open is told as a bug."""
    policy = Policy(STRINGS)
    compiled = Compiled(asp_program(policy.program, "m.act"), policy.program.rules)
    asked = compiled.asked({})
    ast.parse_string("{ fires_m_admin }.", compiled._before.append)
    given = compiled.given({name: (Row(0, ()),) for name in compiled.program.inputs})
    with pytest.raises(InternalError, match="open"):
        compiled.found(compiled.ground(asked, [], given), asked, given)


@pytest.mark.slow
def test_memory_is_bounded_over_200_000_decisions() -> None:
    """Two hundred thousand decisions with strings never seen before leave nothing of those behind.

    What grows is clingo's: 64 bytes for each control that it makes and frees, 12 MB here.
    """
    policy = Policy(STRINGS)
    process = psutil.Process()
    given = policy.facts("act", {"name": "x"}, role=[{"name": "x", "note": "y"}])
    (action,) = given.rows["m.act"]
    before = 0
    for number in range(200_000):
        if number == 5_000:
            before = process.memory_info().rss
        text = f"{number:0100}"
        rows = {
            **given.rows,
            "m.act": (Row(0, (text,), action.source),),
            "m.role": (Row(0, (text, text[::-1])),),
        }
        facts = FactSet(action=given.action, now=given.now, rows=rows)
        answer = policy.evaluator.evaluate(facts, LIMITS)
        assert isinstance(answer, Firings)
        assert len(answer.firings) == 1
    # The strings alone, kept as clingo's symbols, would be 60 MB more. Other tests of the process leave some, too.
    assert process.memory_info().rss - before < 40 << 20
