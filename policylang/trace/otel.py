"""Decisions as spans and metrics of OpenTelemetry. Needs the extra: `pip install policylang[otel]`.

Names follow the semantic conventions where they have one: `gen_ai.agent.id` and `gen_ai.tool.name` for who asks and for what,
`error.type` for what failed, the event `feature_flag.evaluation` for what a rollout chose; all else is under `policylang.`.
Neither facts nor arguments nor messages are sent: they may be secret, and the store has them.
"""

from __future__ import annotations

from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from policylang import __version__
from policylang.decide.decision import Decision
from policylang.trace.telemetry import Became, Observed

SCOPE: Final = "policylang"
"""The name of the instrumentation scope."""

_BUCKETS: Final = (2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0, 5.0)
"""Seconds; a decision takes from tens of microseconds to its time limit."""

_Attributes = dict[str, AttributeValue]


class OpenTelemetryObserver:
    """Makes a span for each decision, under the span that is current, and counts and times decisions.

    The providers are the global ones unless they are given.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(SCOPE, __version__, tracer_provider)
        meter = metrics.get_meter(SCOPE, __version__, meter_provider)
        self._duration = meter.create_histogram(
            "policylang.decision.duration",
            unit="s",
            description="How long deciding took.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._recording = meter.create_histogram(
            "policylang.recording.duration",
            unit="s",
            description="How long recording a decision took.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._decisions = meter.create_counter(
            "policylang.decisions", unit="{decision}", description="Decisions made."
        )
        self._outcomes = meter.create_counter(
            "policylang.action.outcomes",
            unit="{action}",
            description="What became of actions that were decided about.",
        )

    def decided(self, seen: Observed) -> None:
        """A span from the beginning of deciding to its end, and one more decision."""
        counted = _counted(seen)
        self._span(seen, counted)
        self._decisions.add(1, counted)
        self._duration.record(seen.took.total_seconds(), counted)
        if seen.recorded is not None:
            self._recording.record(seen.recorded.total_seconds(), counted)

    def became(self, seen: Became) -> None:
        """One more action that ended so."""
        told = {"policylang.action": seen.action, "policylang.status": seen.status}
        self._outcomes.add(1, told)

    def _span(self, seen: Observed, counted: _Attributes) -> None:
        decision = seen.decision
        start = round(seen.started.timestamp() * 1_000_000) * 1_000
        span = self._tracer.start_span(
            f"decide {decision.action}" if _is_known(decision) else "decide",
            kind=SpanKind.INTERNAL,
            attributes={**counted, **_told(seen)},
            start_time=start,
        )
        if seen.bucket is not None:
            span.add_event("feature_flag.evaluation", _chosen(seen), timestamp=start)
        if decision.failure is not None:
            # A denial is an answer; a failure is an error.
            span.set_status(Status(StatusCode.ERROR, decision.failure.code))
        span.end(end_time=start + round(seen.took.total_seconds() * 1e9))


def _counted(seen: Observed) -> _Attributes:
    """What decisions are counted by: few values each."""
    decision = seen.decision
    error = _error(decision)
    return {
        "policylang.action": decision.action if _is_known(decision) else "(unknown)",
        "policylang.outcome": decision.outcome.value,
        "policylang.stage": seen.stage,
        **({"error.type": error} if error else {}),
    }


def _is_known(decision: Decision) -> bool:
    """Whether the action is one of the program: what else a request may ask for is not bounded."""
    kinds = ("unknown_action", "bad_request")
    return decision.rejection is None or decision.rejection.kind.value not in kinds


def _error(decision: Decision) -> str:
    if decision.failure is not None:
        return decision.failure.code
    return "" if decision.rejection is None else decision.rejection.kind.value


def _told(seen: Observed) -> _Attributes:
    decision = seen.decision
    told: dict[str, AttributeValue | None] = {
        "gen_ai.tool.name": decision.action.rpartition(".")[2],
        "gen_ai.agent.id": seen.agent,
        "policylang.decision.id": seen.id,
        "policylang.rules": decision.determining,
        "policylang.violated": decision.violated,
        "policylang.program.digest": decision.program,
        "policylang.evaluator": seen.evaluator,
        "policylang.modules": tuple(
            f"{module.name}@{module.version}" for module in decision.modules if module.version
        ),
    }
    return {name: value for name, value in told.items() if value}


def _chosen(seen: Observed) -> _Attributes:
    """What a rollout chose for this request: the stage, by the request's bucket."""
    return {
        "feature_flag.key": seen.decision.action,
        "feature_flag.provider.name": SCOPE,
        "feature_flag.result.variant": seen.stage,
        "feature_flag.result.reason": "split",
        "feature_flag.context.id": str(seen.bucket),
        "feature_flag.set.id": seen.decision.program,
    }
