"""The examples on the page of operators and functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from policylang import Decision, PolicyInvalid, loads
from policylang.bundle.evaluators import EvaluatorName
from policylang.semantics.operations import FUNCTIONS
from tests.docs.blocks import blocks_of
from tests.docs.shell import ROOT

PAGE = ROOT / "docs" / "reference" / "functions.md"
_SPANS = re.compile(r"`(?P<text>(?:[^`])+)`(?: \(\[(?P<code>PL\d{4})\])?")


def _examples(kind: str) -> Iterator[tuple[str, str]]:
    """The examples of a kind, each with the code that the page gives for it."""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"- {kind}: "):
            for span in _SPANS.finditer(line):
                yield span["text"], span["code"] or ""


@cache
def _page() -> tuple[str, dict[str, Any]]:
    named = {block.file_name: block.text for block in blocks_of(PAGE)}
    return named["page.policy"], json.loads(named["request.json"])


def _decided(condition: str, evaluator: EvaluatorName) -> Decision:
    policy, request = _page()
    rule = f"rule example: oblige hold on ask if {condition}\n"
    with loads(policy + rule, evaluator=evaluator) as bundle:
        return bundle.decide(request)


@cache
def _held(evaluator: EvaluatorName) -> frozenset[str]:
    """The examples of what holds that do: all of them are rules of one module."""
    policy, request = _page()
    examples = [text for text, _ in _examples("Holds")]
    rules = [f"rule r{i}: oblige o{i} on ask if {text}\n" for i, text in enumerate(examples)]
    with loads(policy + "".join(rules), evaluator=evaluator) as bundle:
        fired = {duty.name for duty in bundle.decide(request).obligations}
    return frozenset(text for i, text in enumerate(examples) if f"o{i}" in fired)


@pytest.mark.parametrize("evaluator", ["plan", "asp"])
@pytest.mark.parametrize("condition", [text for text, _ in _examples("Holds")])
def test_what_holds_on_the_page_holds(condition: str, evaluator: EvaluatorName) -> None:
    """A condition that the page says holds does, whoever evaluates it."""
    assert condition in _held(evaluator)


@pytest.mark.parametrize("evaluator", ["plan", "asp"])
@pytest.mark.parametrize(("condition", "code"), list(_examples("Fails")))
def test_what_fails_on_the_page_fails(condition: str, code: str, evaluator: EvaluatorName) -> None:
    """A condition that the page says fails makes the decision fail, with the code that it names."""
    failure = _decided(condition, evaluator).failure
    assert failure is not None
    assert failure.code == code


@pytest.mark.parametrize(("condition", "code"), list(_examples("Refused")))
def test_what_is_refused_on_the_page_is_refused(condition: str, code: str) -> None:
    """A condition that the page says is refused is an error, with the code that it names."""
    with pytest.raises(PolicyInvalid) as refused:
        _decided(condition, "plan")
    assert code in {problem.code for problem in refused.value.diagnostics}


@pytest.mark.parametrize("function", [*FUNCTIONS, "ip", "cidr", "count", "sum"])
def test_every_function_has_an_example(function: str) -> None:
    """No function of the language is without an example on the page."""
    assert any(f"{function}(" in text for text, _ in _examples("Holds"))
