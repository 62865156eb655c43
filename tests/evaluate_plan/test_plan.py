"""What the compiled plan promises beside its answers, which the differential tests hold to the reference."""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TypeAlias

import pytest

from policylang.bundle.loading import loads
from policylang.evaluate.firings import Evaluation, Failure, FailureKind, Firing, Firings, Limits
from policylang.evaluate.plan import PlanEvaluator, refusal
from policylang.facts.factset import FactSet, Row
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics.program import Program

NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
Lines: TypeAlias = "Sequence[tuple[Value | Missing, ...]]"


def _program(text: str, **reference: Lines) -> Program:
    return loads(f"module m\n{text}", reference={name: [] for name in reference}).program


def _rows(given: Mapping[str, Lines]) -> dict[str, tuple[Row, ...]]:
    return {
        f"m.{name}": tuple(Row(i, values) for i, values in enumerate(lines))
        for name, lines in given.items()
    }


def _request(**rows: Lines) -> FactSet:
    return FactSet("m.act", NOW, _rows({"act": [()], **rows}))


def _fired(evaluation: Evaluation) -> list[str]:
    assert isinstance(evaluation, Firings)
    return [firing.rule for firing in evaluation.firings]


CHAIN = """
facts edge { a: Int, b: Int }
action act {}
define reach(X) if X == 0
define reach(Y) if reach(X) and edge(X, Y)
rule far: allow act if reach(10000)
"""


def test_recursion_of_any_depth() -> None:
    """A chain of 10,000 rows is followed to its end."""
    edges = [(i, i + 1) for i in range(10_000)]
    evaluation = PlanEvaluator(_program(CHAIN)).evaluate(_request(edge=edges), Limits())
    assert isinstance(evaluation, Firings)
    assert len(evaluation.firings) == 10_002
    assert evaluation.firings[-1] == Firing("m.far", ())


EXPLODING = """
facts e { a: Int }
action act {}
define all(A, B, C, D) if e(A) and e(B) and e(C) and e(D)
rule any: allow act if all(A, B, C, D) and A > B
"""


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        (Limits(seconds=0.2), FailureKind.TIME_LIMIT),
        (Limits(seconds=30.0, memory=20 << 20), FailureKind.MEMORY_LIMIT),
    ],
)
def test_an_evaluation_ends_at_its_limits(limits: Limits, kind: FailureKind) -> None:
    """A program that explodes ends as a failure, and the evaluator goes on with the next request."""
    evaluator = PlanEvaluator(_program(EXPLODING))
    evaluation = evaluator.evaluate(_request(e=[(i,) for i in range(1_000)]), limits)
    assert isinstance(evaluation, Failure)
    assert evaluation.code == kind.value
    assert len(_fired(evaluator.evaluate(_request(e=[(1,)]), Limits()))) == 1


ROLES = """
fact agent { role: String?, scopes: Set[String] }
action act {}
""" + "\n".join(
    [f'rule role_{i}: allow act if agent.role == "r{i}"' for i in range(40)]
    + [f'rule either_{i}: allow act if agent.role in ["r{i}", "s{i}"]' for i in range(10)]
    + [f'rule scope_{i}: deny act if agent.scopes has "x{i}"' for i in range(20)]
    + ["rule always: allow act"]
)


@pytest.mark.parametrize(
    ("role", "scopes", "fired"),
    [
        ("r3", set(), ["role_3", "either_3", "always"]),
        ("s4", {"x1", "x19", "z"}, ["either_4", "scope_1", "scope_19", "always"]),
        (MISSING, {"x2"}, ["scope_2", "always"]),
        ("nobody", set(), ["always"]),
    ],
)
def test_rules_chosen_by_a_constant(
    role: str | Missing, scopes: set[str], fired: list[str]
) -> None:
    """Rules that ask for a constant fire exactly where the value is that constant, in the order of the rules."""
    evaluator = PlanEvaluator(_program(ROLES))
    evaluation = evaluator.evaluate(_request(agent=[(role, frozenset(scopes))]), Limits())
    assert _fired(evaluation) == [f"m.{name}" for name in fired]
    assert "GUARDS" in evaluator.code("m.act")


INHERITED = """
facts inherits from "roles.csv" { role: String, base: String }
fact agent { role: String }
action act {}
define acts_as(A, B) if inherits(role: A, base: B)
define acts_as(A, C) if acts_as(A, B) and inherits(role: B, base: C)
rule admin: allow act if acts_as(agent.role, "admin")
"""


def test_what_depends_on_reference_data_alone_is_evaluated_once() -> None:
    """The code for a request holds no rule whose definitions read reference data only; its firings are there."""
    program = _program(INHERITED, inherits=[])
    rows = _rows({"inherits": [("root", "owner"), ("owner", "admin"), ("guest", "reader")]})
    evaluator = PlanEvaluator(program, rows)
    assert "m_acts_as_" not in evaluator.code("m.act")
    fired = _fired(evaluator.evaluate(_request(agent=[("root",)]), Limits()))
    assert fired == ["m.acts_as/1"] * 3 + ["m.acts_as/2", "m.admin"]
    assert "m.admin" not in _fired(evaluator.evaluate(_request(agent=[("guest",)]), Limits()))


def test_a_request_may_add_to_reference_data() -> None:
    """Rows of a request in a reference relation count for that request, and for no other."""
    evaluator = PlanEvaluator(
        _program(INHERITED, inherits=[]), _rows({"inherits": [("owner", "admin")]})
    )
    alone = _request(agent=[("root",)])
    with_more = _request(agent=[("root",)], inherits=[("root", "owner")])
    assert "m.admin" not in _fired(evaluator.evaluate(alone, Limits()))
    assert "m.admin" in _fired(evaluator.evaluate(with_more, Limits()))
    assert "m.admin" not in _fired(evaluator.evaluate(alone, Limits()))


def test_the_code_can_be_read() -> None:
    """The code of an action is Python that names the rules and says them in their own words."""
    code = PlanEvaluator(_program(CHAIN)).code("m.act")
    names = [node.name for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)]
    assert "decide" in names
    assert any(name.startswith("rule_2_m_far") for name in names)
    assert "allow act if reach(10000)" in code
    assert "the atoms of m.reach" in code
    assert "m.edge by a" in code


def test_code_is_made_anew_alike() -> None:
    """The same program gives the same code."""
    assert PlanEvaluator(_program(ROLES)).code("m.act") == PlanEvaluator(_program(ROLES)).code(
        "m.act"
    )


def test_threads_share_an_evaluator() -> None:
    """Requests decided at the same time in eight threads are answered as one after the other."""
    evaluator = PlanEvaluator(_program(CHAIN))
    requests = [_request(edge=[(i, i + 1) for i in range(n)]) for n in range(60)]
    expected = [PlanEvaluator(_program(CHAIN)).evaluate(facts, Limits()) for facts in requests]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda facts: evaluator.evaluate(facts, Limits()), requests))
    assert found == expected


def test_a_failure_is_absorbed_by_what_does_not_hold() -> None:
    """A division by zero beside a comparison that does not hold is no failure; beside one that does it is."""
    program = _program(
        """
        fact order { total: Decimal(2), items: Int }
        action act {}
        rule dear: deny act if order.total / order.items > 100.00 and order.total > 10.00
        """
    )
    evaluator = PlanEvaluator(program)
    absorbed = evaluator.evaluate(_request(order=[(Decimal("5.00"), 0)]), Limits())
    failing = evaluator.evaluate(_request(order=[(Decimal("50.00"), 0)]), Limits())
    assert absorbed == Firings(())
    assert failing == Failure("m.dear", FailureKind.DIVISION_BY_ZERO.value, "division by zero")


WIDE = " and ".join(f"(e(A{i}) or A{i} == 1)" for i in range(9))
MANY = " and ".join(f"e(A{i})" for i in range(17))


@pytest.mark.parametrize(("condition", "words"), [(WIDE, "cases"), (MANY, "ranges over")])
def test_a_refusal_names_the_rule_and_the_reason(condition: str, words: str) -> None:
    """A program that is none for a plan is refused with a sentence, and evaluated it fails closed."""
    text = f"facts e {{ a: Int }}\naction act {{}}\nrule wide: allow act if {condition}"
    program = _program(text)
    reason = refusal(program)
    assert reason is not None
    assert str(reason).startswith("in `m.wide`")
    assert words in str(reason)
    evaluation = PlanEvaluator(program).evaluate(_request(e=[(1,)]), Limits())
    assert isinstance(evaluation, Failure)
    assert evaluation.code == FailureKind.EVALUATOR.value
