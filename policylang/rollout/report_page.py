"""The report of a candidate as one page of HTML that loads nothing and runs nothing; its plots are drawn as SVG."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Final

from policylang.rollout.criteria import Verdict
from policylang.rollout.figures import Figures, Kind, Span
from policylang.rollout.metrics import Outcome, Outcomes
from policylang.rollout.proving import Proven
from policylang.rollout.report import Report, by_size, disagreeing, latencies, ranked
from policylang.rollout.statistics import Interval
from policylang.trace.report_page import side

_STYLE: Final = (
    "body{font-family:system-ui,sans-serif;margin:2rem;max-width:75rem;color:#222}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.2rem .8rem;text-align:left;"
    "border-bottom:1px solid #ddd}td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "code{font-size:.85em;background:#f4f4f4;padding:.1rem .3rem}"
    "details{margin:.5rem 0;border:1px solid #ddd;border-radius:4px;padding:.5rem}"
    ".sides{display:flex;flex-wrap:wrap;gap:1rem;overflow-x:auto}"
    "svg text{font:11px system-ui,sans-serif;fill:#444}.met{color:#1b6b2f}.no{color:#a4161a}.open{color:#8a6100}"
)
_WIDTH: Final = 720
_COLOURS: Final = {
    Kind.SAME: "#c9d6df",
    Kind.REASONS: "#7fa8c9",
    Kind.DUTIES: "#e0b050",
    Kind.TIGHTER: "#c8553d",
    Kind.LOOSER: "#7a3b9a",
    Kind.ERROR: "#222222",
}
_WORDS: Final = {
    Kind.SAME: "the same",
    Kind.REASONS: "same outcome, other reasons",
    Kind.DUTIES: "same outcome, other duties",
    Kind.TIGHTER: "tighter than live",
    Kind.LOOSER: "looser than live",
    Kind.ERROR: "error of the candidate",
}
_BINS: Final = 40
_MOST_HOURS: Final = 24 * 30


def report_page(report: Report, proofs: Mapping[str, Proven]) -> str:
    """The page of a report, with the proofs of its examples on both sides."""
    title = f"{report.name} in {report.stage}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f"<title>{_text(title)}</title><style>{_STYLE}</style></head>",
            f"<body><h1>{_text(title)}</h1>",
            f"<p>{_text(_period(report))}</p>",
            *_problem(report),
            *_agreement(report),
            *_criteria([v for v in (report.promote, report.rollback) if v is not None]),
            *_hours(report.figures.hours),
            *_transitions(report, proofs),
            *_by("Actions", by_size(report.figures.actions)),
            *_by("Rules that decide on one side alone", by_size(report.figures.rules)),
            *_by("Agents", by_size(report.figures.agents)),
            *_counted("Errors of the candidate", report.figures.errors),
            *_counted("Recorded decisions that could not be made again", Counter(report.skipped)),
            *_latency(report.figures),
            *_outcomes(report.outcomes),
            *_proofs(report, proofs),
            "</body></html>",
            "",
        ]
    )


def _period(report: Report) -> str:
    dropped = f"; {report.dropped:,} were dropped by a busy shadow" if report.dropped else ""
    time = f"{_moment(report.since)} to {_moment(report.until)}: " if report.since else ""
    return f"{time}{report.figures.total:,} decisions{dropped}"


def _problem(report: Report) -> Iterator[str]:
    if report.problem:
        yield '<p class="no">It is no program with the active modules, and its criteria are not asked: '
        yield f"{_text(report.problem)}</p>"


def _moment(text: str) -> str:
    """A time to the second, for readers."""
    return f"{text[:19].replace('T', ' ')} UTC"


def _agreement(report: Report) -> Iterator[str]:
    figures, (agreed, interval) = report.figures, report.agreement
    if not figures.total:
        yield "<p>Nothing was compared.</p>"
        return
    share = agreed / figures.total
    yield "<h2>Agreement</h2>"
    yield f"<p>{agreed:,} of {figures.total:,} answered alike: {share:.2%}"
    yield f" (95% interval for one look: {interval.low:.2%} to {interval.high:.2%}).</p>"
    yield _stacked([(kind, figures.kinds[kind]) for kind in Kind if figures.kinds[kind]])
    yield "<table>"
    for kind, count in disagreeing(figures):
        yield f'<tr><td class="n">{count:,}</td><td>{_WORDS[kind]}</td></tr>'
    reasons = figures.kinds[Kind.REASONS]
    yield f'<tr><td class="n">{reasons:,}</td><td>{_WORDS[Kind.REASONS]}</td></tr></table>'


def _stacked(parts: Sequence[tuple[Kind, int]]) -> str:
    """One bar of all decisions, with what is in it beside it."""
    total, x = sum(count for _, count in parts), 0.0
    shapes, legend = [], []
    place = 0
    for kind, count in parts:
        width = _WIDTH * count / total
        colour = _COLOURS[kind]
        shapes.append(
            f'<rect x="{x:.1f}" y="0" width="{max(width, 1):.1f}" height="28" fill="{colour}">'
            f"<title>{_WORDS[kind]}: {count}</title></rect>"
        )
        legend.append(
            f'<rect x="{place}" y="40" width="10" height="10" fill="{colour}"/>'
            f'<text x="{place + 15}" y="49">{_WORDS[kind]}</text>'
        )
        place += 35 + 7 * len(_WORDS[kind])
        x += width
    return _svg(60, [*shapes, *legend])


def _criteria(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for verdict in verdicts:
        yield f"<h2>{verdict.criteria.purpose.value.capitalize()}: {verdict.holds.value}</h2>"
        yield f"<p><code>{_text(verdict.criteria.text)}</code></p><table>"
        for clause in verdict.clauses:
            css = {"met": "met", "not met": "no", "open": "open"}[clause.holds.value]
            cells = (clause.clause, clause.value, clause.note)
            shown = "".join(f"<td>{_text(cell)}</td>" for cell in cells)
            yield f'<tr><td class="{css}">{clause.holds.value}</td>{shown}</tr>'
        yield "</table>"


def _hours(hours: dict[str, Span]) -> Iterator[str]:
    if len(hours) < 2:
        return
    known = sorted(hours)[-_MOST_HOURS:]
    most = max(hours[hour].total for hour in known)
    width = _WIDTH / len(known)
    shapes = []
    for i, hour in enumerate(known):
        span, x = hours[hour], i * width
        for count, colour in ((span.total, "#c9d6df"), (span.disagreeing, "#c8553d")):
            height = 120 * count / most
            told = f"{hour}: {span.total}, {span.disagreeing} differ, {span.looser} looser"
            shapes.append(
                f'<rect x="{x:.1f}" y="{120 - height:.1f}" width="{max(width - 1, 0.5):.1f}" '
                f'height="{height:.1f}" fill="{colour}"><title>{told}</title></rect>'
            )
    shapes.append(f'<text x="0" y="135">{known[0]}h</text>')
    shapes.append(f'<text x="{_WIDTH}" y="135" text-anchor="end">{known[-1]}h</text>')
    yield "<h2>By hour: decisions, and those that differ</h2>"
    yield _svg(140, shapes)


def _transitions(report: Report, proofs: Mapping[str, Proven]) -> Iterator[str]:
    examples = report.figures.examples
    if not examples:
        return
    yield "<h2>What changes, with examples</h2><table>"
    counts = report.figures.transitions
    for told, ids in sorted(examples.items(), key=lambda item: (-counts[item[0]], item[0])):
        count = counts[told] or report.figures.kinds[Kind.REASONS]
        yield f'<tr><td class="n">{count:,}</td><td>{_text(told)}</td><td>'
        for number, id_ in enumerate(ids, 1):
            shown = _text(id_)
            yield f'<a href="#{shown}">{number}</a>' if id_ in proofs else f"<code>{shown}</code>"
        yield "</td></tr>"
    yield "</table>"


def _by(title: str, found: Sequence[tuple[str, Counter[str]]]) -> Iterator[str]:
    if not found:
        return
    yield f"<h2>{title}</h2><table>"
    for name, counter in found:
        for told, count in ranked(counter):
            yield f'<tr><td class="n">{count:,}</td><td>{_text(name)}</td><td>{_text(told)}</td></tr>'
    yield "</table>"


def _counted(title: str, counter: Counter[str]) -> Iterator[str]:
    if not counter:
        return
    yield f"<h2>{title}</h2><table>"
    for word, count in ranked(counter):
        yield f'<tr><td class="n">{count:,}</td><td>{_text(word)}</td></tr>'
    yield "</table>"


def _proofs(report: Report, proofs: Mapping[str, Proven]) -> Iterator[str]:
    if proofs:
        yield "<h2>Examples: why, on both sides</h2>"
    for id_, both in proofs.items():
        live, candidate = report.why.of(id_)
        by = f" for {_text(both.agent)}" if both.agent else ""
        yield f'<details id="{_text(id_)}" open><summary>{_text(both.action)}{by} '
        yield f'<code>{_text(id_)}</code></summary><div class="sides">'
        yield f"<div><h3>Live</h3><p><code>{_text(live)}</code></p>{side(both.live)}</div>"
        yield f"<div><h3>Candidate</h3><p><code>{_text(candidate)}</code></p>"
        yield f"{side(both.candidate)}</div></div></details>"


# --- latency -----------------------------------------------------------------------------------------------


def _latency(figures: Figures) -> Iterator[str]:
    arms = (("live", figures.live_latencies), ("candidate", figures.latencies))
    if not figures.latencies or not figures.live_latencies:
        return
    yield "<h2>Latency</h2><table><tr><th></th><th>p50</th><th>p95</th><th>p99</th></tr>"
    for name, found in arms:
        cells = "".join(f'<td class="n">{us:,} µs</td>' for us in latencies(found).values())
        yield f"<tr><td>{name}</td>{cells}</tr>"
    yield "</table>"
    yield _histogram(arms)


def _histogram(arms: Sequence[tuple[str, array[int]]]) -> str:
    """Both distributions over one logarithmic axis."""
    least = math.log10(max(1, min(min(found) for _, found in arms)))
    most = max(least + 0.1, math.log10(max(1, *(max(found) for _, found in arms))))
    shapes, width = [], _WIDTH / _BINS
    for (name, found), colour in zip(arms, ("#5b8db8", "#c8553d"), strict=True):
        counts = [0] * _BINS
        for us in found:
            place = (math.log10(max(1, us)) - least) / (most - least)
            counts[min(_BINS - 1, int(place * _BINS))] += 1
        top = max(counts)
        points = " ".join(
            f"{i * width + width / 2:.1f},{110 - 100 * count / top:.1f}"
            for i, count in enumerate(counts)
        )
        shapes.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2">'
            f"<title>{name}</title></polyline>"
        )
    shapes.append('<text x="0" y="145">blue: live, red: candidate</text>')
    return _svg(150, [*_decades(least, most), *shapes])


def _decades(least: float, most: float) -> Iterator[str]:
    """Lines at the powers of ten between two ends of a logarithmic axis, and both ends."""
    ends = (f"{10**least:,.0f} µs", f"{10**most:,.0f} µs")
    for x, anchor, told in ((0, "start", ends[0]), (_WIDTH, "end", ends[1])):
        yield f'<text x="{x}" y="128" text-anchor="{anchor}">{told}</text>'
    for power in range(math.ceil(least), math.floor(most) + 1):
        at = _WIDTH * (power - least) / (most - least)
        yield f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="112" stroke="#ddd"/>'
        if 60 < at < _WIDTH - 80:
            yield f'<text x="{at:.1f}" y="128" text-anchor="middle">{10**power:,} µs</text>'


# --- outcomes ----------------------------------------------------------------------------------------------


def _outcomes(found: Outcomes) -> Iterator[str]:
    if not found.since:
        return
    yield "<h2>Outcomes</h2>"
    yield f"<p>{found.inside:,} units in the canary's arm and {found.outside:,} in live's since "
    yield f"{_moment(found.since)}; the slice is {found.share:.1%}.</p>"
    if found.is_split_wrong:
        yield '<p class="no">The split is not what was asked for: units are lost or counted double. '
        yield "Nothing can be concluded from it.</p>"
    for outcome in found.metrics.values():
        yield f"<h3>{_text(outcome.name)}: {outcome.finding}</h3>"
        yield from _outcome(outcome)


def _outcome(outcome: Outcome) -> Iterator[str]:
    yield "<table><tr><th></th><th>units with it</th><th>of</th><th>share, over all looks</th><th>total</th></tr>"
    rows = (
        ("canary", outcome.events, outcome.units, outcome.rate, outcome.total),
        ("live", outcome.live_events, outcome.live_units, outcome.live_rate, outcome.live_total),
    )
    for name, events, units, rate, total in rows:
        yield f'<tr><td>{name}</td><td class="n">{events:,}</td><td class="n">{units:,}</td>'
        yield f'<td class="n">{rate.low:.2%} to {rate.high:.2%}</td><td class="n">{total:,f}</td></tr>'
    yield f"</table>{_whiskers([(name, rate) for name, _, _, rate, _ in rows])}"
    yield f"<p>Difference: {outcome.difference.low:.2%} to {outcome.difference.high:.2%}. "
    yield f"Evidence of harm (an alarm at 20): {outcome.harm:.3g}.</p>"


def _whiskers(rates: Sequence[tuple[str, Interval]]) -> str:
    most = max(rate.high for _, rate in rates) or 1.0
    shapes = []
    for i, (name, rate) in enumerate(rates):
        y, x = 15 + 25 * i, 80
        one, other = (x + (_WIDTH - x - 110) * end / most for end in (rate.low, rate.high))
        shapes.append(f'<text x="0" y="{y + 4}">{name}</text>')
        shapes.append(
            f'<line x1="{one:.1f}" x2="{max(other, one + 1):.1f}" y1="{y}" y2="{y}" '
            f'stroke="{("#c8553d", "#5b8db8")[i]}" stroke-width="6"/>'
        )
        told = f"{rate.low:.2%} to {rate.high:.2%}"
        shapes.append(f'<text x="{other + 6:.1f}" y="{y + 4}">{told}</text>')
    return _svg(60, shapes)


def _svg(height: int, shapes: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" role="img">{"".join(shapes)}</svg>'
    )


def _text(text: str) -> str:
    """The text for HTML, without the control characters that it cannot hold."""
    return escape("".join(c if c in "\t\n" or c >= " " else "\ufffd" for c in text))
