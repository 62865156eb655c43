"""The documented schema of records: everything that is recorded fits it, and what is not so does not."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from policylang.bundle.loading import loads
from policylang.rollout.backtest import backtest, note
from policylang.rollout.publishing import publish
from policylang.rollout.rollouts import Rollouts
from policylang.rollout.stages import Stage
from policylang.trace.incidents import INCIDENT, incident_body
from policylang.trace.metrics import record_metric
from policylang.trace.reading import Filter
from policylang.trace.runs import ReplayRun
from policylang.trace.segments import segment_paths
from policylang.trace.store import TraceStore, segments_of
from tests.trace.deciding import POLICY, bundle, request

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """The schema of records, with that of decisions."""
    trace, decision = (
        json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
        for name in ("trace", "decision")
    )
    Draft202012Validator.check_schema(trace)
    held = Resource.from_contents(decision)
    return Draft202012Validator(
        trace, registry=Registry().with_resource("decision.schema.json", held)
    )


@pytest.fixture
def records(tmp_path: Path) -> list[dict[str, Any]]:
    """Records of every kind that a store makes by itself, as they stand in its segments."""
    path = tmp_path / "traces.duckdb"
    failing = "module m action a { n: Int } rule r: allow a if 1 / a.n > 0"
    with bundle() as policy, loads(failing) as fails, TraceStore.open(path) as store:
        case = policy.case(request("12.50", name="eve", card="4111"))
        id_ = store.record(case, agent="bot-7", stage="canary", bucket=7)
        store.outcome(
            id_,
            "executed",
            action="refund",
            arguments={"amount": "12.50", "x": [1, {"y": None}]},
            detail="ok",
        )
        for given in ("", {"action": "nope"}, {**request(), "facts": {}}, request("1e400")):
            store.record(policy.case(given))
        store.record(fails.case({"action": "a", "args": {"n": 0}}))
        store.checkpoint(tmp_path / "kept.json")
        store.write("gap", {"count": 1, "lost": [id_]})
        with store.state.transaction() as tx:
            tx.event("stop", {"event": "stopped", "scope": "refund", "by": "ann", "why": "odd"})
        store.publish_events()
    return [
        json.loads(line.partition(b"\t")[2])
        for segment in segment_paths(segments_of(path))
        for line in segment.read_bytes().splitlines()
    ]


def test_every_record_fits_the_schema(
    records: list[dict[str, Any]], validator: Draft202012Validator
) -> None:
    """What stands in segments is what the schema says, and every kind there is documented."""
    kinds = {record["kind"] for record in records}
    assert kinds == {"program", "reference", "decision", "outcome", "checkpoint", "gap", "stop"}
    assert kinds <= validator.schema["$defs"].keys()
    for record in records:
        assert [error.message for error in validator.iter_errors(record)] == []


def test_what_is_published_tested_measured_and_erased_fits_the_schema(
    tmp_path: Path, validator: Draft202012Validator
) -> None:
    """Records of versions, rollouts, backtests, metrics, erasures and retentions are what the schema says, and every kind is in it."""
    now = [1.7e9]
    forms = []
    with bundle() as policy, TraceStore.open(tmp_path / "t.duckdb", clock=lambda: now[0]) as store:
        id_ = store.record(policy.case(request("12.50", name="eve", card="4111")))
        record_metric(store, id_, "complaint", True)
        publish(store, policy, by="ann")
        Rollouts(store).start("refunds@1.2.0", by="ann", stage=Stage.ACTIVE)
        with store.view() as view:
            found = backtest(ReplayRun(view, Filter(kind="decision"), policy))
        note(store, policy, found, "ann")
        store.erase(record=id_)
        store.fold()
        forms += [json.loads(record.text) for record in store.records()]
        now[0] += 86_400 * 500
        later = dt.datetime.fromtimestamp(now[0], dt.UTC)
        assert store.retain(dt.timedelta(days=100), now=later).records
        forms += [json.loads(record.text) for record in store.records(Filter(kind="retention"))]
    for form in forms:
        assert [error.message for error in validator.iter_errors(form)] == [], form["kind"]
    kinds = {form["kind"] for form in forms}
    assert kinds - {"program", "reference", "decision"} == {
        "metric", "module", "rollout", "backtest", "erasure", "retention",
    }  # fmt: skip
    assert kinds <= validator.schema["$defs"].keys()


def breakages(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Records that are none."""
    body = record["body"]
    return [
        {**record, "form": 2},
        {**record, "id": "1"},
        {**record, "sequence": 0},
        {**record, "previous": "0"},
        {**record, "more": 1},
        {**record, "body": {**body, "versions": {}}},
        {**record, "body": {**body, "decision": {**body["decision"], "outcome": "maybe"}}},
        {**record, "body": {**body, "facts": {**body["facts"], "form": 2}}},
        {**record, "body": {**body, "firings": [{}]}},
        {name: value for name, value in record.items() if name != "at"},
    ]


def test_what_is_no_record_does_not_fit(
    records: list[dict[str, Any]], validator: Draft202012Validator
) -> None:
    """A record with a part changed, missing or added is refused by the schema."""
    (record,) = [r for r in records if r["body"].get("bucket") == 7]
    for broken in breakages(record):
        assert not validator.is_valid(broken), broken


def test_every_kind_is_on_the_page() -> None:
    """Each kind of the schema has its line in the reference."""
    page = (SCHEMAS.parent / "traces.md").read_text("utf-8")
    schema = json.loads((SCHEMAS / "trace.schema.json").read_text("utf-8"))
    for kind in schema["$defs"].keys() - {"side"}:
        assert f"| `{kind}` |" in page, kind


def test_incidents_fit_the_schema(validator: Draft202012Validator) -> None:
    """The record of a difference between evaluators is what the schema says."""
    from policylang.bundle.verifying import Incident
    from policylang.evaluate.firings import Failure, Firing, Firings

    with bundle(POLICY) as policy:
        case = policy.case(request())
        assert case.facts is not None
        live = Firings((Firing("refunds.small", ()),))
        found = Incident(
            dt.datetime.now(dt.UTC),
            policy.program,
            case.facts,
            live,
            "a",
            Failure("", "PL0701", "no"),
            "b",
        )
    body = incident_body(found)
    record = {
        "form": 1,
        "kind": INCIDENT,
        "id": "01a204aa-2da5-7000-a5d4-8217a47ce044",
        "at": "2026-11-20T09:00:00.000000Z",
        "writer": "w",
        "sequence": 1,
        "previous": "0" * 64,
        "body": body,
    }
    assert [error.message for error in validator.iter_errors(record)] == []
