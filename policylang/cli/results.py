"""The results of tests as a reader and as a program want them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from policylang.bundle.coverage import Coverage
from policylang.bundle.testing import ScenarioResult
from policylang.cli.output import colour, counted
from policylang.cli.proofs import proof_text
from policylang.cli.rendering import decision_text
from policylang.decide.json import decision_to_json


def result_text(result: ScenarioResult) -> str:
    """One test: a line where it passed, and else also what was expected, what came, and why."""
    if result.passed:
        return f"{_tinted('ok  ', 'green')} {result.name}"
    return "\n".join([f"{_tinted('FAIL', 'red')} {result.name}", *filter(None, _failure(result))])


def _failure(result: ScenarioResult) -> Iterator[str]:
    for mismatch in result.mismatches:
        yield f"     {mismatch.span}"
        yield _tinted(f"     - expected {mismatch.expected}", "red")
        yield _tinted(f"     + got      {mismatch.got}", "green")
    yield _indented(decision_text(result.case.decision, sys.stdout))
    yield _indented(proof_text(result.case, sys.stdout))


def _indented(text: str) -> str:
    return "\n".join(f"       {line}".rstrip() for line in text.splitlines())


def summary_text(results: Sequence[ScenarioResult]) -> str:
    """The last line: how many tests passed, and how many did not."""
    failed = sum(not result.passed for result in results)
    if not results:
        return "no tests were found"
    passed = f"{counted(len(results) - failed, 'test')} passed"
    return f"{passed}, {failed} failed" if failed else passed


def coverage_text(coverage: Coverage) -> str:
    """How much of the rules and branches fired, and where those stand that did not."""
    fired, all_parts = len(coverage.fired), len(coverage.parts)
    head = f"coverage {coverage.percent}%: {fired} of {all_parts} rules and branches fired"
    return "\n".join(
        [head, *(f"  never fired: {part.text} at {part.span}" for part in coverage.missed)]
    )


def results_json(results: Sequence[ScenarioResult], coverage: Coverage | None) -> dict[str, Any]:
    """The results as plain objects."""
    report: dict[str, Any] = {
        "passed": sum(result.passed for result in results),
        "failed": sum(not result.passed for result in results),
        "tests": [_result_json(result) for result in results],
    }
    if coverage is not None:
        missed = [
            {"what": part.text, "file": part.span.source.name, "line": part.span.line}
            for part in coverage.missed
        ]
        report["coverage"] = {
            "percent": coverage.percent,
            "parts": len(coverage.parts),
            "fired": len(coverage.fired),
            "missed": missed,
        }
    return report


def _result_json(result: ScenarioResult) -> dict[str, Any]:
    span = result.scenario.span
    return {
        "module": result.scenario.module,
        "title": result.scenario.title,
        "file": span.source.name,
        "line": span.line,
        "passed": result.passed,
        "mismatches": [
            {"expected": m.expected, "got": m.got, "line": m.span.line} for m in result.mismatches
        ],
        "decision": decision_to_json(result.case.decision),
    }


def _tinted(text: str, tint: str) -> str:
    return click.style(text, fg=tint) if colour(sys.stdout) else text
