"""The tests in the retail example notice when a part of a rule is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.retail_replay.command import POLICY
from policylang import PolicyInvalid, load
from policylang.bundle.testing import run_tests
from policylang.syntax import parse, read_source
from policylang.syntax.tree import And, DefineStatement, Expr, Module, RuleStatement

#: Whose records they are is asked by the two rules that permit and by the one that denies: each is
#: enough, and the policy does not lean on one.
ASKED_TWICE = frozenset({"own_records", "confirmed_change"})

TESTS = (POLICY / "retail_tests.policy").read_text(encoding="utf-8")


def _module() -> Module:
    module = parse(read_source(POLICY / "retail.policy")).module
    assert module is not None
    return module


def _without(literal: Expr) -> str:
    """The text of the policy with a literal that always holds in place of one of its own."""
    text = literal.span.source.text
    return f"{text[: literal.span.start]}1 == 1{text[literal.span.end :]}"


def _weaker() -> Iterator[tuple[str, str]]:
    """Each rule and definition with one literal of its condition less: its name, and the policy."""
    for statement in _module().statements:
        if not isinstance(statement, DefineStatement | RuleStatement):
            continue
        if statement.name.text in ASKED_TWICE:
            continue
        condition = statement.condition
        literals = condition.operands if isinstance(condition, And) else (condition,)
        for number, literal in enumerate(literals, start=1):
            if literal is not None:
                yield f"{statement.name.text}, literal {number}", _without(literal)


def _noticed(policy: str, folder: Path) -> bool:
    """Whether the policy has errors, or a test that fails."""
    (folder / "retail.policy").write_text(policy, encoding="utf-8")
    (folder / "retail_tests.policy").write_text(TESTS, encoding="utf-8")
    try:
        bundle = load(folder)
    except PolicyInvalid:
        return True
    with bundle:
        return not all(result.passed for result in run_tests(bundle, bundle.scenarios))


def test_the_tests_pass() -> None:
    """Every test of the example passes, and the policy is free of warnings."""
    with load(POLICY) as bundle:
        failed = [one.name for one in run_tests(bundle, bundle.scenarios) if not one.passed]
        assert (failed, bundle.warnings) == ([], ())


@pytest.mark.slow
def test_no_literal_can_go_unnoticed(tmp_path: Path) -> None:
    """Without any one literal of a rule or definition, the policy has errors or a test that fails."""
    unnoticed = [name for name, policy in _weaker() if not _noticed(policy, tmp_path)]
    assert unnoticed == []
