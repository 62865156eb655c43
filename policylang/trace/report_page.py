"""The report of a replay as one page of HTML that loads nothing and runs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from policylang.bundle.case import Case
from policylang.explain.graph import svg
from policylang.explain.tree import explanation_tree
from policylang.explain.words import Words
from policylang.trace.examples import Example
from policylang.trace.report import Report, ranked

_STYLE: Final = (
    "body{font-family:system-ui,sans-serif;margin:2rem;max-width:75rem;color:#222}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.2rem .8rem;text-align:left;"
    "border-bottom:1px solid #ddd}td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "details{margin:.5rem 0;border:1px solid #ddd;border-radius:4px;padding:.5rem}"
    "summary{cursor:pointer}.sides{display:flex;flex-wrap:wrap;gap:1rem;overflow-x:auto}"
    ".tighter{color:#a4161a}.looser{color:#1b6b2f}code{font-size:.9em}svg{max-width:none}"
)


def report_page(report: Report, examples: Iterable[Example], title: str) -> str:
    """The page: what was counted, and the examples with their proofs on both sides."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f"<title>{_text(title)}</title><style>{_STYLE}</style></head>",
            f"<body><h1>{_text(title)}</h1>",
            *_counted("Decisions", report.verdicts),
            *_transitions(report),
            *_rules(report),
            *_counted("What changes", report.parts),
            *_counted("Actions", report.actions),
            *_counted("Agents", report.agents),
            *_counted("Not replayable", report.problems),
            *_examples(examples),
            "</body></html>",
            "",
        ]
    )


def _counted(title: str, counter: Counter[str]) -> Iterator[str]:
    if not counter:
        return
    yield f"<h2>{title}</h2><table>"
    for word, count in ranked(counter):
        yield f'<tr><td class="n">{count:,}</td><td>{_text(word)}</td></tr>'
    yield "</table>"


def _transitions(report: Report) -> Iterator[str]:
    if not report.transitions:
        return
    yield "<h2>Decisions that change</h2><table>"
    for word, count in ranked(report.transitions):
        shown = " ".join(
            f'<a href="#{_text(id_)}">{number}</a>'
            for number, id_ in enumerate(report.examples.get(word, ()), 1)
        )
        yield f'<tr><td class="n">{count:,}</td><td>{_text(word)}</td><td>examples {shown}</td></tr>'
    yield "</table>"


def _rules(report: Report) -> Iterator[str]:
    if not report.rules:
        return
    yield "<h2>Rules</h2><table><tr><th>decides no more</th><th>decides now</th><th>rule</th></tr>"
    for rule, _ in ranked(report.rules):
        lost, gained = report.lost[rule], report.gained[rule]
        cells = f'<td class="n">{lost:,}</td><td class="n">{gained:,}</td>'
        yield f"<tr>{cells}<td>{_text(rule)}</td></tr>"
    yield "</table>"


def _examples(examples: Iterable[Example]) -> Iterator[str]:
    heading = "<h2>Examples</h2>"
    for example in examples:
        yield heading
        heading = ""
        action = example.now.decision.action or str(example.recorded["decision"].get("action", ""))
        by = f" for {_text(example.agent)}" if example.agent else ""
        yield f'<details id="{_text(example.id)}" open><summary>{_text(example.transition)}: '
        yield f"{_text(action)}{by} <code>{_text(example.id)}</code></summary>"
        yield from _changes(example)
        yield '<div class="sides">'
        yield f"<div><h3>Then</h3>{side(example.then)}</div>"
        yield f"<div><h3>Now</h3>{side(example.now)}</div></div></details>"


def _changes(example: Example) -> Iterator[str]:
    yield "<table><tr><th></th><th>then</th><th>now</th></tr>"
    for change in example.changes:
        cells = "".join(f"<td>{_text(each)}</td>" for each in change.sides)
        yield f"<tr><td>{_text(change.at)}</td>{cells}</tr>"
    yield "</table>"


def side(case: Case | None) -> str:
    """The proof of a decision as SVG, or what there is to say of one without; None cannot be made again."""
    if case is None:
        return "<p>It cannot be made again as it was.</p>"
    if case.facts is None or case.decision.failure is not None:
        reasons = "".join(f"<li>{_text(r.message)}</li>" for r in case.decision.reasons)
        return f"<p>{_text(case.decision.outcome.value)}</p><ul>{reasons}</ul>"
    return svg(explanation_tree(case.explanation(), Words(case.model)))


def _text(text: str) -> str:
    """The text for HTML, without the control characters that it cannot hold."""
    return escape("".join(c if c in "\t\n" or c >= " " else "\ufffd" for c in text))
