"""Runs the `test` statements of a bundle.

A scenario becomes a request, the request is decided as any other is, and each expectation is compared with the
decision. What is not as expected is kept as text, expected beside got, with the case that a proof is made from.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

from policylang.bundle.bundle import Bundle
from policylang.bundle.case import Case
from policylang.decide.decision import Decision
from policylang.decide.json import plain
from policylang.diagnostics import Span
from policylang.errors import InternalError
from policylang.facts.forms import write_datetime
from policylang.facts.rejection import RejectionKind
from policylang.facts.schema import Cardinality
from policylang.facts.values import Missing, Value
from policylang.semantics.scenario import (
    Expectation,
    ExpectObligation,
    ExpectOutcome,
    ExpectValue,
    ExpectViolated,
    GivenRow,
    Scenario,
)
from policylang.syntax.tree import ExpectedOutcome

DEFAULT_NOW: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
"""The time of a test that sets none: a test may not depend on the day it is run."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An expectation that is not met, as it would be written, and what there was instead."""

    expected: str
    got: str
    span: Span


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """One test that was run: its decision, what was not as expected, and how long it took."""

    scenario: Scenario
    case: Case
    mismatches: tuple[Mismatch, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every expectation was met."""
        return not self.mismatches

    @property
    def name(self) -> str:
        """The module and the title: how the test is called in reports and by `select`."""
        return name_of(self.scenario)


def name_of(scenario: Scenario) -> str:
    """The module and the title of a test."""
    return f"{scenario.module}: {scenario.title}"


def select(scenarios: Iterable[Scenario], wanted: Sequence[str]) -> list[Scenario]:
    """The tests whose names hold one of the texts, in any case of letters; all where none is given."""
    texts = [text.casefold() for text in wanted]
    return [
        scenario
        for scenario in scenarios
        if not texts or any(text in name_of(scenario).casefold() for text in texts)
    ]


def run_tests(bundle: Bundle, scenarios: Iterable[Scenario]) -> Iterator[ScenarioResult]:
    """Run the tests one after the other, in their order, and yield what came of each."""
    for scenario in scenarios:
        started = time.perf_counter()
        case = _case(bundle, scenario)
        seconds = time.perf_counter() - started
        yield ScenarioResult(scenario, case, tuple(mismatches(scenario, case.decision)), seconds)


def _case(bundle: Bundle, scenario: Scenario) -> Case:
    """The decided request of a scenario; rows that it gives of reference facts replace those of the bundle."""
    request, reference = request_of(scenario, bundle)
    if not reference:
        return bundle.case(request)
    with bundle.refreshed(reference) as other:
        return other.case(request)


# --- scenario -> request ---------------------------------------------------------------------------------


def request_of(scenario: Scenario, bundle: Bundle) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The request that a scenario stands for, and the rows that it gives of reference facts."""
    facts: dict[str, Any] = {}
    reference: dict[str, list[Any]] = {}
    for row in scenario.rows:
        relation = bundle.program.schema.relations[row.relation]
        if row.relation in bundle.reference.relations:
            reference.setdefault(row.relation, []).append(dict(row.fields))
        elif relation.cardinality is Cardinality.MANY:
            facts.setdefault(row.relation, []).append(_given(row, row.fields))
        else:
            before = facts.get(row.relation, {})
            facts[row.relation] = _given(row, {**before.get("value", before), **row.fields})
    now = scenario.now or DEFAULT_NOW
    request = {
        "action": scenario.action,
        "args": dict(scenario.args),
        "facts": facts,
        "now": write_datetime(now),
        "approvals": _approvals(scenario, now),
        "history": _history(scenario, bundle, facts),
    }
    return request, reference


def _given(row: GivenRow, fields: Mapping[str, Any]) -> dict[str, Any]:
    if row.source is None:
        return dict(fields)
    return {"value": dict(fields), "source": row.source.word}


def _approvals(scenario: Scenario, now: dt.datetime) -> list[dict[str, Any]]:
    return [
        {"by": given.by, "id": f"approval-{number}", "time": write_datetime(given.at or now)}
        for number, given in enumerate(scenario.approvals, start=1)
    ]


def _history(scenario: Scenario, bundle: Bundle, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    relations = bundle.program.schema.relations
    single = {
        name: given
        for name, given in facts.items()
        if relations[name].cardinality is not Cardinality.MANY
    }
    return [
        {
            "action": call.action,
            "args": dict(call.args),
            "facts": single,
            "time": write_datetime(call.at),
            "outcome": call.outcome.value,
        }
        for call in scenario.earlier
    ]


# --- decision against expectations -----------------------------------------------------------------------


def mismatches(scenario: Scenario, decision: Decision) -> Iterator[Mismatch]:
    """Compare a decision with everything that a scenario expects of it."""
    for expectation in scenario.expectations:
        got = _otherwise(expectation, decision)
        if got is not None:
            written = " ".join(expectation.span.text.split())
            yield Mismatch(written.removeprefix("expect "), got, expectation.span)


def _otherwise(expectation: Expectation, decision: Decision) -> str | None:
    """What there was instead of what is expected; None where that is there."""
    match expectation:
        case ExpectOutcome():
            return _got(expectation, decision)
        case ExpectValue(name, value):
            return _assigned(name, value, decision)
        case ExpectObligation(name, arguments):
            return _obliged(name, arguments, decision)
        case ExpectViolated(never):
            return None if never in decision.violated else _violated(decision)
        case _:
            assert_never(expectation)


def _got(expectation: ExpectOutcome, decision: Decision) -> str | None:
    """What the outcome was; None where it is the one that is expected."""
    rejection = decision.rejection
    match expectation.outcome:
        case ExpectedOutcome.NEEDS_FACTS:
            met = rejection is not None and rejection.kind is RejectionKind.NEEDS_FACTS
        case ExpectedOutcome.REFUSED:
            met = rejection is not None and rejection.kind is not RejectionKind.NEEDS_FACTS
            met = met and (expectation.at is None or _is_at(expectation.at, decision))
        case outcome:
            decided = rejection is None and decision.failure is None
            met = decided and decision.outcome.value == outcome.value
            met = met and (
                not expectation.rules or set(expectation.rules) == set(decision.determining)
            )
    return None if met else _outcome_of(decision)


def _is_at(path: str, decision: Decision) -> bool:
    """Whether a problem stands there: named as a policy names it (`refund.amount`) or as the request does."""
    rejection = decision.rejection
    if rejection is None:
        raise InternalError("a path is asked for in a decision that was not refused")
    pointer = "/" + path.replace("[", ".").replace("]", "").replace(".", "/")
    pointers = [problem.pointer for problem in rejection.problems]
    return rejection.at(path) or any(
        found == pointer or found.startswith(f"{pointer}/") for found in pointers
    )


def _outcome_of(decision: Decision) -> str:
    if decision.rejection is not None:
        if decision.rejection.kind is RejectionKind.NEEDS_FACTS:
            return f"needs_facts: {_names(need.name for need in decision.rejection.needs)}"
        paths = ", ".join(problem.path for problem in decision.rejection.problems if problem.path)
        return f"refused at {paths}" if paths else "refused"
    if decision.failure is not None:
        return f"deny, because the evaluation failed: {decision.failure.message}"
    by = f" by {_names(decision.determining)}" if decision.determining else ", which no rule says"
    return f"{decision.outcome.value}{by}"


def _assigned(name: str, value: Value | Missing, decision: Decision) -> str | None:
    assignment = decision.values.get(name)
    if assignment is not None and assignment.conflict:
        return f"{_bare(name)} has no value: {_names(assignment.rules)} conflict"
    got = assignment.value if assignment is not None else None
    if got is None:
        return None if isinstance(value, Missing) else f"{_bare(name)} has no value"
    return None if got == value else f"{_bare(name)} = {_value(got)}"


def _obliged(
    name: str, arguments: tuple[tuple[str, Value], ...] | None, decision: Decision
) -> str | None:
    for obligation in decision.obligations:
        same = arguments is None or dict(arguments) == dict(obligation.arguments)
        if obligation.name == name and same:
            return None
    there = [_call(obligation.name, obligation.arguments) for obligation in decision.obligations]
    return f"oblige {', '.join(there)}" if there else "no obligation"


def _violated(decision: Decision) -> str:
    return f"violated {_names(decision.violated)}" if decision.violated else "no invariant violated"


def _call(name: str, arguments: tuple[tuple[str, Value], ...]) -> str:
    return f"{name}({', '.join(f'{key}: {_value(value)}' for key, value in arguments)})"


def _value(value: Value) -> str:
    return str(plain(value))


def _names(names: Iterable[str]) -> str:
    return ", ".join(_bare(name) for name in names)


def _bare(name: str) -> str:
    return name.rpartition(".")[2]
