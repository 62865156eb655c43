"""Reports of rollouts for a reader in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from policylang.cli.output import counted
from policylang.diagnostics import visible

if TYPE_CHECKING:
    from policylang.rollout.criteria import Verdict
    from policylang.rollout.metrics import Outcomes
    from policylang.rollout.report import Report


def report_text(report: Report) -> str:
    """The report, section by section; what there is nothing to say of is left out."""
    return "\n".join(map(visible, _lines(report)))


def _lines(report: Report) -> Iterator[str]:
    from policylang.rollout.report import by_size

    figures = report.figures
    time = f", {report.since[:19]}Z to {report.until[:19]}Z" if report.since else ""
    yield f"{report.name} in {report.stage}{time}"
    if report.problem:
        yield f"it is no program with the active modules, and its criteria are not asked: {report.problem}"
    yield from _agreement(report)
    yield from _section("outcomes that change", figures.transitions)
    for title, found in (
        ("actions", by_size(figures.actions)),
        ("rules that decide on one side alone", by_size(figures.rules)),
        ("agents", by_size(figures.agents)),
    ):
        if found:
            yield title
            for name, counter in found:
                yield from (f"  {count:>8,}  {name}: {told}" for told, count in _ranked(counter))
    yield from _section("errors of the candidate", figures.errors)
    yield from _section("could not be made again", Counter(report.skipped))
    yield from _latency(report)
    yield from _outcomes(report.outcomes)
    for verdict in (report.promote, report.rollback):
        if verdict is not None:
            yield from verdict_lines(verdict)
    yield from _examples(report)


def _agreement(report: Report) -> Iterator[str]:
    from policylang.rollout.figures import Kind

    figures, (agreed, interval) = report.figures, report.agreement
    if not figures.total:
        yield "nothing was compared"
        return
    share = f"{agreed / figures.total:.2%}"
    yield (
        f"{counted(figures.total, 'decision')}, {agreed:,} answered alike: {share} "
        f"(95% interval for one look: {interval.low:.2%} to {interval.high:.2%})"
    )
    if report.dropped:
        yield f"{report.dropped:,} more were dropped: the shadow was too busy"
    if figures.kinds[Kind.REASONS]:
        yield f"{figures.kinds[Kind.REASONS]:,} with the same outcome for other reasons"


def _section(title: str, counter: Mapping[str, int]) -> Iterator[str]:
    if counter:
        yield title
        yield from (f"  {count:>8,}  {word}" for word, count in _ranked(Counter(counter)))


def _ranked(counter: Counter[str]) -> list[tuple[str, int]]:
    from policylang.rollout.report import ranked

    return ranked(counter)


def _latency(report: Report) -> Iterator[str]:
    from policylang.rollout.report import latencies

    for name, found in (
        ("live", report.figures.live_latencies),
        ("candidate", report.figures.latencies),
    ):
        quantiles = ", ".join(f"{n} {us:,} µs" for n, us in latencies(found).items())
        if quantiles:
            yield f"latency of {name}: {quantiles}"


def _outcomes(found: Outcomes) -> Iterator[str]:
    if not found.since:
        return
    yield (
        f"units since {found.since[:19]}Z: {found.inside:,} in the canary's slice of "
        f"{found.share:.1%}, {found.outside:,} in live's"
    )
    if found.is_split_wrong:
        yield "the split is not what was asked for: nothing can be concluded from outcomes"
    for outcome in found.metrics.values():
        yield f"{outcome.name}: {outcome.finding}"
        for name, events, rate, total in (
            ("canary", outcome.events, outcome.rate, outcome.total),
            ("live", outcome.live_events, outcome.live_rate, outcome.live_total),
        ):
            yield (
                f"  {events:>8,}  {name}, {rate.low:.2%} to {rate.high:.2%} of units; total {total:,f}"
            )
        low, high = outcome.difference.low, outcome.difference.high
        yield f"  difference {low:.2%} to {high:.2%}; evidence of harm {outcome.harm:.3g}, an alarm at 20"


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """What criteria ask, and what was found of each clause."""
    yield f"{verdict.holds.value}: {verdict.criteria.text}"
    yield from (f"  {clause}" for clause in verdict.clauses)


def _examples(report: Report) -> Iterator[str]:
    from policylang.rollout.figures import Kind

    found = report.figures.examples
    for told in sorted(found, key=lambda told: told == Kind.REASONS.value):
        yield f"examples of {told}"
        for id_ in found[told]:
            live, candidate = report.why.of(id_)
            yield f"  live       {live}"
            yield f"  candidate  {candidate}"
