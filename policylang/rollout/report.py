"""The report of a candidate beside live: of a shadow, a canary, or a backtest over recorded decisions."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policylang.rollout.criteria import Verdict
from policylang.rollout.figures import DISAGREEING, Figures, Kind, quantile
from policylang.rollout.judging import Judgement
from policylang.rollout.metrics import NO_OUTCOMES, Outcome, Outcomes
from policylang.rollout.statistics import Interval, wilson

REPORT_FORM: Final = 1
"""The version of the JSON form."""

QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Why:
    """The commands that explain a decision: as live made it, and as the candidate would. `{}` stands for its identity."""

    live: str
    candidate: str

    def of(self, decision: str) -> tuple[str, str]:
        """Both commands about a decision."""
        return self.live.format(decision), self.candidate.format(decision)


@dataclass(frozen=True, slots=True)
class Report:
    """What there is to say about a candidate in one stage (`shadow`, `canary`, `backtest`).

    `skipped` counts recorded decisions that a backtest could not make again, by the reason. `problem` is what keeps the
    candidate from being a program with what is active; nobody knows its criteria then.
    """

    name: str
    stage: str
    since: str
    until: str
    figures: Figures
    why: Why
    outcomes: Outcomes = NO_OUTCOMES
    dropped: int = 0
    promote: Verdict | None = None
    rollback: Verdict | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""

    @property
    def example_ids(self) -> tuple[str, ...]:
        """The decisions that are examples of something, each once; those that disagree first."""
        found = sorted(self.figures.examples.items(), key=lambda e: e[0] == Kind.REASONS.value)
        return tuple(dict.fromkeys(id_ for _, ids in found for id_ in ids))

    @property
    def agreement(self) -> tuple[int, Interval]:
        """How many requests were answered alike, and the interval of their share, for one look."""
        agreed = self.figures.total - self.figures.disagreeing
        return agreed, wilson(agreed, self.figures.total)

    def to_json(self) -> dict[str, Any]:
        """The report as plain objects; what is not there is left out."""
        figures = self.figures
        form = {
            "form": REPORT_FORM,
            "version": self.name,
            "stage": self.stage,
            "since": self.since,
            "until": self.until,
            "problem": self.problem or None,
            "decisions": figures.total,
            "agreement": self._agreement(),
            "differences": {k.value: figures.kinds[k] for k in Kind if figures.kinds[k]},
            "transitions": _ranked(figures.transitions),
            "actions": _actions(figures),
            "rules": {name: _ranked(c) for name, c in by_size(figures.rules)},
            "agents": {name: _ranked(c) for name, c in by_size(figures.agents)},
            "errors": _ranked(figures.errors),
            "latency": {
                "live": latencies(figures.live_latencies),
                "candidate": latencies(figures.latencies),
            },
            "dropped": self.dropped,
            "skipped": _ranked(Counter(self.skipped)),
            "outcomes": _outcomes(self.outcomes),
            "criteria": [v.to_json() for v in (self.promote, self.rollback) if v is not None],
            "hours": [
                [hour, span.total, span.disagreeing, span.looser]
                for hour, span in sorted(figures.hours.items())
            ],
            "examples": self._examples(),
        }
        return {name: value for name, value in form.items() if value not in ({}, [], None)}

    def _agreement(self) -> dict[str, Any]:
        agreed, interval = self.agreement
        return {"count": agreed, **_interval(interval)}

    def _examples(self) -> dict[str, list[dict[str, str]]]:
        return {
            told: [
                {"decision": id_, "why": self.why.of(id_)[0], "why_candidate": self.why.of(id_)[1]}
                for id_ in ids
            ]
            for told, ids in self.figures.examples.items()
        }


def report_of(judgement: Judgement, why: Why, until: str) -> Report:
    """The report of a judgement, made at a time."""
    period, observed = judgement.period, judgement.observed
    return Report(
        name=period.name,
        stage=period.stage.value,
        since=period.since,
        until=period.until or until,
        figures=observed.figures,
        why=why,
        outcomes=observed.outcomes,
        dropped=observed.dropped,
        promote=judgement.promote,
        rollback=judgement.rollback,
    )


def by_size(counters: Mapping[str, Counter[str]]) -> list[tuple[str, Counter[str]]]:
    """Counters by name, the greatest first."""
    return sorted(counters.items(), key=lambda item: (-item[1].total(), item[0]))


def ranked(counter: Counter[str]) -> list[tuple[str, int]]:
    """What was counted, the most frequent first, and by name where they are equal."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))


def latencies(found: array[int]) -> dict[str, int]:
    """The quantiles of latencies, in microseconds; nothing of none."""
    values = {name: quantile(found, share) for name, share in QUANTILES.items()}
    return {name: value for name, value in values.items() if value is not None}


def disagreeing(figures: Figures) -> list[tuple[Kind, int]]:
    """The kinds in which callers are told something else, with their counts."""
    return [(kind, figures.kinds[kind]) for kind in Kind if kind in DISAGREEING]


def _ranked(counter: Counter[str]) -> dict[str, int]:
    return dict(ranked(counter))


def _actions(figures: Figures) -> dict[str, Any]:
    return {
        action: {"decisions": count, **_changed(figures.actions.get(action))}
        for action, count in ranked(figures.seen)
    }


def _changed(counter: Counter[str] | None) -> dict[str, Any]:
    return {"transitions": _ranked(counter)} if counter else {}


def _interval(interval: Interval) -> dict[str, float]:
    return {"low": round(interval.low, 6), "high": round(interval.high, 6)}


def _outcomes(found: Outcomes) -> dict[str, Any]:
    if not found.since:
        return {}
    return {
        "since": found.since,
        "share": found.share,
        "units": found.inside,
        "live_units": found.outside,
        "split_e_value": round(found.split, 6),
        "split_is_wrong": found.is_split_wrong,
        "metrics": {name: _outcome(outcome) for name, outcome in found.metrics.items()},
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "finding": outcome.finding,
        "units_with": outcome.events,
        "live_units_with": outcome.live_events,
        "reported": outcome.reported,
        "live_reported": outcome.live_reported,
        "total": format(outcome.total, "f"),
        "live_total": format(outcome.live_total, "f"),
        "rate": _interval(outcome.rate),
        "live_rate": _interval(outcome.live_rate),
        "difference": _interval(outcome.difference),
        "harm_e_value": round(outcome.harm, 6),
    }
