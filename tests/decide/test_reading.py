"""What was written of a decision can be read back, and decided again to the same bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from policylang.decide.json import canonical, facts_to_json, firings_to_json
from policylang.decide.reading import (
    UnreadableFormError,
    facts_from_json,
    firings_from_json,
)
from policylang.evaluate.firings import Firings
from tests.decide.building import evaluated
from tests.decide.refunds import REFUNDS, request
from tests.reference.evaluator import evaluate
from tests.reference.generator import Case, cases


@settings(max_examples=50)
@given(cases())
def test_facts_and_firings_survive_their_json(found: Case) -> None:
    """Fact sets and firings are equal after writing and reading, and decide alike."""
    for asked in found.requests:
        written = canonical(facts_to_json(asked, found.program.schema))
        again = facts_from_json(json.loads(written), found.program.schema)
        assert again == asked
        assert canonical(facts_to_json(again, found.program.schema)) == written
        evaluation = evaluate(found.program, found.reference, again)
        if isinstance(evaluation, Firings):
            form = {"firings": firings_to_json(evaluation.firings, found.program)}
            read = firings_from_json(json.loads(canonical(form))["firings"], found.program)
            assert read == evaluation.firings


def _facts() -> dict[str, Any]:
    return facts_to_json(request(), REFUNDS.schema)


@pytest.mark.parametrize(
    "change",
    [
        {"form": 99},
        {"now": "yesterday"},
        {"rows": {"refunds.nobody": [{"values": {}}]}},
        {"rows": {"refunds.linked": [{"values": {"a": 1, "b": "c2"}}]}},
        {"rows": {"refunds.linked": [{"values": {"c": "c1"}}]}},
        {"rows": {"refunds.linked": [{}]}},
        {"rows": {"refunds.linked": [{"values": {"a": "c1", "b": "c2"}, "source": "rumour"}]}},
        {"rows": []},
    ],
)
def test_a_form_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    """A fact set of another version or of other declarations is an error that says so."""
    with pytest.raises(UnreadableFormError):
        facts_from_json({**_facts(), **change}, REFUNDS.schema)


@pytest.mark.parametrize(
    "form",
    [
        [{"rule": "refunds.nobody"}],
        [{"rule": "refunds.small_refund"}],
        [{"rule": "refunds.small_refund", "bindings": {"Cap": "much"}}],
        [{}],
    ],
)
def test_a_firing_that_does_not_fit_is_refused(form: list[dict[str, Any]]) -> None:
    """A firing of an unknown rule, or without its values, is an error that says so."""
    with pytest.raises(UnreadableFormError):
        firings_from_json(form, REFUNDS)


def test_the_firings_of_the_refund_policy_survive() -> None:
    """The firings of a decision read back are those that were written."""
    evaluation = evaluated(REFUNDS, request())
    assert isinstance(evaluation, Firings)
    form = firings_to_json(evaluation.firings, REFUNDS)
    assert firings_from_json(form, REFUNDS) == evaluation.firings
