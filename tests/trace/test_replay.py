"""Replay: decisions made again from the store alone, and by candidates."""

from __future__ import annotations

from pathlib import Path

import pytest

from policylang.bundle.evaluators import EvaluatorName
from policylang.decide.decision import Outcome
from policylang.trace.archive import Archive
from policylang.trace.candidate import Candidate
from policylang.trace.programs import NotReplayableError
from policylang.trace.reading import Filter, TraceView
from policylang.trace.replay import AsRecorded, Replayed, Verdict, replay
from policylang.trace.report import summarize
from policylang.trace.store import TraceStore, segments_of
from tests.trace.deciding import POLICY, bundle, request

REQUESTS = (
    request("12.50", name="ann", card="4111"),
    request("80.00"),
    request("12.50", name="eve"),
    {"action": "nope"},
)


@pytest.fixture(params=["folded", "not folded"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A store of four decisions by a program with a param overridden, folded or not."""
    path = tmp_path / "traces.duckdb"
    with bundle(params={"auto_limit": "60.00"}) as policy, TraceStore.open(path) as store:
        for number, given in enumerate(REQUESTS):
            store.record(policy.case(given), agent=f"a{number}")
        if request.param == "folded":
            store.fold()
    return path


def replayed(path: Path, evaluator: EvaluatorName = "auto") -> list[Replayed]:
    """Every decision of the store made again."""
    with TraceView(path, segments_of(path)) as view:
        archive = Archive(view, evaluator)
        found = list(replay(view.records(Filter(kind="decision")), AsRecorded(archive)))
        archive.close()
    return found


@pytest.mark.parametrize("evaluator", ["auto", "asp"])
def test_decisions_made_again_are_the_same(path: Path, evaluator: EvaluatorName) -> None:
    """From the store alone, whoever evaluates, every decision and firing comes out byte by byte."""
    verdicts = [made.verdict for made in replayed(path, evaluator)]
    assert verdicts == [Verdict.SAME, Verdict.SAME, Verdict.SAME, Verdict.REFUSED]


def test_a_decision_that_was_not_made_so_is_found(tmp_path: Path) -> None:
    """A recorded outcome, rule or firing that the program does not give is a finding with both sides."""
    path = tmp_path / "traces.duckdb"
    with bundle() as policy, TraceStore.open(path) as store:
        id_ = store.record(policy.case(request()))
        record = store.get(id_)
        assert record is not None
        body = record.body
        body["decision"]["outcome"] = "deny"
        store.write("decision", body)
        firings = record.body
        firings["firings"] = []
        store.write("decision", firings)
    same, outcome, fired = replayed(path)
    assert (same.verdict, outcome.verdict) == (Verdict.SAME, Verdict.DIFFERENT)
    assert outcome.transition == "deny -> allow"
    assert outcome.now is not None
    assert outcome.now["decision"] == body["decision"] | {"outcome": "allow"}
    assert fired.verdict is Verdict.DIFFERENT


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    """A decision whose program is not in the store is named with the digest that is missing."""
    path = tmp_path / "traces.duckdb"
    with bundle() as policy, TraceStore.open(path) as store:
        id_ = store.record(policy.case(request()))
        record = store.get(id_)
        assert record is not None
        body = record.body
    other = tmp_path / "other.duckdb"
    with TraceStore.open(other) as store:
        id_ = store.write("decision", body)
        with pytest.raises(NotReplayableError, match="is not in the store"):
            store.why(id_)
    (made,) = replayed(other)
    assert made.verdict is Verdict.NOT_REPLAYABLE
    assert body["decision"]["program"]["digest"] in made.problem


def test_why_is_as_it_was_decided_then(path: Path) -> None:
    """The proof of a recorded decision is that of the time, with the text of that version."""
    with bundle(params={"auto_limit": "60.00"}) as policy:
        then = [policy.case(given) for given in REQUESTS]
    with TraceStore.open(path) as store:
        ids = [record.id for record in store.records(Filter(kind="decision"))]
        cases = [store.why(id_) for id_ in ids]
        assert store.why("no such decision") is None
        assert store.why(next(store.records()).id) is None
    for case, was in zip(cases, then, strict=True):
        assert case is not None
        assert case.decision == was.decision
        assert case.explanation() == was.explanation()
    assert cases[2] is not None
    rule = next(r for r in cases[2].program.rules if r.name == "refunds.blocked")
    assert rule.origin.span.text in POLICY


def test_a_candidate_shows_what_would_change(path: Path) -> None:
    """The report counts what a candidate decides otherwise, by transition, rule, action and agent."""
    stricter = POLICY.replace("50.00", "5.00")
    with TraceView(path, segments_of(path)) as view, bundle(stricter) as candidate:
        archive = Archive(view)
        records = view.records(Filter(kind="decision"))
        report = summarize(replay(records, Candidate(candidate, archive)))
        archive.close()
    assert report.verdicts == {"different": 1, "same": 2, "refused": 1}
    assert report.transitions == {f"{Outcome.ALLOW.value} -> {Outcome.DENY.value}": 1}
    assert report.rules == {"refunds.small": 1}
    assert report.actions == {"refunds.refund": 1}
    assert report.agents == {"a0": 1}
    assert len(report.examples["allow -> deny"]) == 1


LACKING = {
    "the fact refunds.order was not recorded": POLICY.replace(
        "rule small: allow refund if",
        'fact order { id: String }\nrule small: allow refund if order.id == "1" and',
    ),
    "refunds.few.history was not recorded": POLICY.replace(
        "rule blocked", "limit few: refund to 3 per customer.tier in 7 days\nrule blocked"
    ),
    "the candidate has no action refunds.refund": """module refunds
        action pay { amount: Decimal(2) }
        rule small: allow pay if pay.amount <= 5.00""",
}


@pytest.mark.parametrize(("problem", "policy"), LACKING.items(), ids=["fact", "limit", "action"])
def test_a_candidate_that_needs_more_than_was_recorded_is_told(
    path: Path, problem: str, policy: str
) -> None:
    """What the trace cannot answer is not guessed: the report says what is lacking."""
    given = {"reference": {"banned": []}} if "banned" in policy else {"reference": {}}
    with TraceView(path, segments_of(path)) as view, bundle(policy, **given) as candidate:
        archive = Archive(view)
        records = view.records(Filter(kind="decision"))
        report = summarize(replay(records, Candidate(candidate, archive)))
        archive.close()
    assert report.verdicts == {"not replayable": 3, "refused": 1}
    assert report.problems == {problem: 3}
