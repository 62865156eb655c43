"""The printed program: what a reader sees, and that it is what clingo is given."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import clingo
import pytest
from clingo import ast
from hypothesis import given
from hypothesis import strategies as st

from policylang.evaluate.asp.constants import Constants, identity
from policylang.evaluate.asp.emit import emit, emit_term
from policylang.evaluate.asp.evaluator import asp_program
from policylang.evaluate.asp.names import Names
from policylang.evaluate.asp.values import symbol_of
from tests.evaluate.asp.policies import Policy
from tests.golden import Case, Golden, cases, name


def printed(policy: Policy) -> str:
    """The programs of all actions."""
    return "".join(emit(asp_program(policy.program, action)) for action in policy.program.actions)


@pytest.mark.parametrize("path", cases("asp"), ids=name)
def test_lowered_programs_read_well(path: Path, golden: Golden) -> None:
    """A lowered program names the rules that it came from, and reads like them."""

    def asp(case: Case) -> str:
        return printed(Policy(case.policy))

    golden.check(path, {"asp": asp})


@pytest.mark.parametrize("path", cases("asp"), ids=name)
def test_what_is_printed_is_what_clingo_reads(path: Path) -> None:
    """clingo reads the printed rules one by one, each as it is printed."""
    text = printed(Policy(path.read_text(encoding="utf-8").partition("=== ")[0]))
    rules = [line for line in text.splitlines() if line and not line.startswith("%")]
    read: list[ast.AST] = []
    ast.parse_string(text, lambda x: read.append(x) if x.ast_type is ast.ASTType.Rule else None)
    assert [plain(str(rule)) for rule in read] == [plain(rule) for rule in rules]


def plain(rule: str) -> str:
    """A rule without what printers differ in."""
    return rule.replace(" ", "").replace(";", ",").replace("()", "")


def test_a_text_of_the_policy_cannot_leave_its_place() -> None:
    """Program text inside of a string or a name of a policy stays a string, a comment or a part of a name."""
    policy = Policy("""
    module m version "1.0.0"
    facts `not` { `allow :- true` : String }
    action act { s: String }
    rule odd: allow act if act.s == "\\"). fires_m_other :- (\\n%*" and `not`("x\\ny *% #script (python)")
    """)
    text = printed(policy)
    assert text.count(":-") == 1 + text.count('"). fires_m_other :- (')
    assert policy.fired("act", {"s": '"). fires_m_other :- (\n%*'}) == {}
    rows = [{"allow :- true": "x\ny *% #script (python)"}]
    assert policy.fired("act", {"s": '"). fires_m_other :- (\n%*'}, **{"not": rows}) == {
        "odd": [()]
    }


@given(st.text())
def test_every_text_is_a_term_of_its_own(text: str) -> None:
    """The term of a constant is read back by clingo as the symbol that it stands for."""
    term = Constants().term(text)
    assert clingo.parse_term(emit_term(term)) == symbol_of(term)


@given(st.integers(-(10**40), 10**40))
def test_equal_numbers_are_one_constant(number: int) -> None:
    """Numbers that are equal have one term, whatever their type and places; others have another."""
    constants = Constants()
    term = constants.term(number)
    assert constants.term(Decimal(f"{number}.00")) == term
    assert constants.term(Decimal(f"{number}.10")) != term
    assert Constants().term(Decimal(f"{number}.10")) == Constants().term(Decimal(f"{number}.1"))


def test_true_is_not_one() -> None:
    """Python takes True for 1; constants, alone and in containers, do not."""
    values = [True, 1, (True,), (1,), frozenset({True}), frozenset({1})]
    assert len({identity(value) for value in values}) == len(values)
    constants = Constants()
    assert len({emit_term(constants.term(value)) for value in values}) == len(values)


@given(st.lists(st.text(max_size=6), max_size=8))
def test_names_are_distinct_and_legal(wishes: list[str]) -> None:
    """Whatever a thing is called in a policy, its ASP name is one that clingo accepts, and its own."""
    names = Names()
    made = [names.predicate(wish) for wish in wishes]
    assert len(set(made)) == len(made)
    for predicate in made:
        assert clingo.parse_term(predicate) == clingo.Function(predicate)
        assert predicate != "not"
