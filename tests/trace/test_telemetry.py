"""Telemetry: what observers are told, and what OpenTelemetry makes of it."""

from __future__ import annotations

import datetime as dt
import logging
import subprocess
import sys
from typing import Any

import pytest

from policylang.bundle.loading import loads
from policylang.decide.decision import Decision
from policylang.trace.telemetry import Became, Observed, tell_became, tell_decided
from tests.trace.deciding import bundle, request

STARTED = dt.datetime(2026, 11, 20, 9, 0, tzinfo=dt.UTC)
TOOK = dt.timedelta(microseconds=321)


def seen(decision: Decision, **more: Any) -> Observed:
    """A decision as an observer is told of it."""
    return Observed(decision, STARTED, TOOK, **more)


class Failing:
    """An observer that cannot."""

    def decided(self, seen: Observed) -> None:
        """Fails."""
        raise RuntimeError("no")

    def became(self, seen: Became) -> None:
        """Fails."""
        raise RuntimeError("no")


class Keeping:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def decided(self, seen: Observed) -> None:
        """Remembers."""
        self.told.append(seen)

    def became(self, seen: Became) -> None:
        """Remembers."""
        self.told.append(seen)


def test_an_observer_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What an observer raises is logged; the others are told all the same."""
    keeping = Keeping()
    with bundle() as policy:
        one = seen(policy.decide(request()))
    other = Became("id", "refunds.refund", "executed")
    with caplog.at_level(logging.ERROR, "policylang.trace"):
        tell_decided((Failing(), keeping), one)
        tell_became((Failing(), keeping), other)
    assert keeping.told == [one, other]
    assert len(caplog.records) == 2


def test_the_core_does_without_opentelemetry() -> None:
    """Recording and observing import nothing of OpenTelemetry."""
    code = (
        "import sys, policylang.trace.store, policylang.trace.telemetry;"
        " sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class Telemetry:
    """The real SDK with exporters that keep in memory."""

    def __init__(self) -> None:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        from policylang.trace.otel import OpenTelemetryObserver

        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.observer = OpenTelemetryObserver(self.tracers, self.meters)

    def spans(self) -> Any:
        """What spans were exported."""
        return self.exporter.get_finished_spans()

    def metric(self, name: str) -> list[Any]:
        """The points of a metric."""
        data = self.reader.get_metrics_data()
        found = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]  # type: ignore[union-attr]
        (metric,) = [m for m in found if m.name == name]
        return list(metric.data.data_points)


@pytest.fixture
def telemetry() -> Telemetry:
    """OpenTelemetry, where it is installed."""
    pytest.importorskip("opentelemetry.sdk")
    return Telemetry()


def test_a_decision_is_a_span(telemetry: Telemetry) -> None:
    """The span has the times of deciding, the conventions' names, and its place under the caller's span."""
    with bundle() as policy:
        decision = policy.decide(request("12.50", card="4111-1111"))
    tracer = telemetry.tracers.get_tracer("caller")
    with tracer.start_as_current_span("execute_tool refund") as around:
        told = seen(decision, id="d1", agent="bot-7", stage="canary", bucket=17, evaluator="plan 1")
        telemetry.observer.decided(told)
    span, outer = telemetry.spans()
    assert outer.name == "execute_tool refund"
    assert span.name == "decide refunds.refund"
    assert span.parent.span_id == around.get_span_context().span_id
    assert span.start_time == int(STARTED.timestamp()) * 10**9
    assert span.end_time - span.start_time == 321_000
    assert dict(span.attributes) == {
        "policylang.action": "refunds.refund",
        "policylang.outcome": "allow",
        "policylang.stage": "canary",
        "gen_ai.tool.name": "refund",
        "gen_ai.agent.id": "bot-7",
        "policylang.decision.id": "d1",
        "policylang.rules": ("refunds.small",),
        "policylang.program.digest": decision.program,
        "policylang.evaluator": "plan 1",
        "policylang.modules": ("refunds@1.2.0",),
    }
    (event,) = span.events
    assert event.name == "feature_flag.evaluation"
    assert event.attributes["feature_flag.result.variant"] == "canary"
    assert span.status.is_ok
    assert "4111" not in span.to_json()


def test_the_names_are_those_of_the_conventions(telemetry: Telemetry) -> None:
    """Every name outside of `policylang.` is one that the conventions have."""
    attributes = "opentelemetry.semconv._incubating.attributes"
    gen_ai = pytest.importorskip(f"{attributes}.gen_ai_attributes")
    flags = pytest.importorskip(f"{attributes}.feature_flag_attributes")
    errors = pytest.importorskip("opentelemetry.semconv.attributes.error_attributes")
    known = {getattr(m, n) for m in (gen_ai, flags, errors) for n in dir(m) if n.isupper()}
    with loads("module m action a { n: Int } rule r: allow a if 1 / a.n > 0") as policy:
        decision = policy.decide({"action": "a", "args": {"n": 0}})
    telemetry.observer.decided(seen(decision, agent="b", bucket=1))
    (span,) = telemetry.spans()
    used = {*span.attributes, *span.events[0].attributes}
    assert {name for name in used if not name.startswith("policylang.")} <= known
    assert {"gen_ai.agent.id", "gen_ai.tool.name", "error.type", "feature_flag.key"} <= used


def test_a_failure_is_an_error_and_a_denial_is_none(telemetry: Telemetry) -> None:
    """A span's status is an error where evaluating failed; a refused request tells what kind of problem it had."""
    with loads("module m action a { n: Int } rule r: allow a if 1 / a.n > 0") as policy:
        for args in ({"n": 0}, {"n": -1}, {"n": "x"}):
            telemetry.observer.decided(seen(policy.decide({"action": "a", "args": args})))
    failed, denied, refused = telemetry.spans()
    assert (failed.status.is_ok, failed.attributes["error.type"]) == (False, "PL0701")
    assert (denied.status.is_ok, "error.type" in denied.attributes) == (True, False)
    assert refused.attributes["error.type"] == "invalid_facts"


def test_decisions_and_outcomes_are_counted_and_timed(telemetry: Telemetry) -> None:
    """Counters and histograms tell decisions by action, outcome and stage, and never by what a caller can invent."""
    with bundle() as policy:
        for amount in ("12.50", "20.00", "80.00"):
            decision = policy.decide(request(amount))
            telemetry.observer.decided(seen(decision, recorded=dt.timedelta(milliseconds=2)))
        for name in ("x1", "x2"):
            telemetry.observer.decided(seen(policy.decide({"action": name})))
    telemetry.observer.became(Became("d1", "refunds.refund", "executed"))
    counted = {
        (p.attributes["policylang.action"], p.attributes["policylang.outcome"]): p.value
        for p in telemetry.metric("policylang.decisions")
    }
    assert counted == {
        ("refunds.refund", "allow"): 2,
        ("refunds.refund", "deny"): 1,
        ("(unknown)", "deny"): 2,
    }
    timed = telemetry.metric("policylang.decision.duration")
    assert sum(point.count for point in timed) == 5
    assert sum(point.sum for point in timed) == pytest.approx(5 * 321e-6)
    assert sum(p.count for p in telemetry.metric("policylang.recording.duration")) == 3
    (outcome,) = telemetry.metric("policylang.action.outcomes")
    assert (outcome.value, outcome.attributes["policylang.status"]) == (1, "executed")
