"""The results of tests in the XML form of JUnit, which CI systems read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from xml.etree import ElementTree

from policylang.bundle.case import Case
from policylang.bundle.testing import ScenarioResult
from policylang.decide.text import render as decision_text
from policylang.explain.text import render as proof_text
from policylang.explain.tree import explanation_tree
from policylang.explain.words import Words

_not_xml = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(results: Iterable[ScenarioResult]) -> str:
    """The results as one document: a suite a module, a case a test, as its failure what was
    expected and came, the decision and its proof."""
    root = ElementTree.Element("testsuites")
    by_module = groupby(
        sorted(results, key=lambda result: result.scenario.module),
        key=lambda result: result.scenario.module,
    )
    for module, group in by_module:
        root.append(_suite(module, list(group)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(module: str, results: Sequence[ScenarioResult]) -> ElementTree.Element:
    failed = sum(not result.passed for result in results)
    suite = ElementTree.Element(
        "testsuite",
        name=_clean(module),
        tests=str(len(results)),
        failures=str(failed),
        errors="0",
        time=_seconds(sum(result.seconds for result in results)),
    )
    suite.extend(_case(module, result) for result in results)
    return suite


def _case(module: str, result: ScenarioResult) -> ElementTree.Element:
    span = result.scenario.span
    case = ElementTree.Element(
        "testcase",
        classname=_clean(module),
        name=_clean(result.scenario.title),
        file=_clean(span.source.name),
        line=str(span.line),
        time=_seconds(result.seconds),
    )
    if not result.passed:
        lines = [f"expected {m.expected}\ngot {m.got}" for m in result.mismatches]
        failure = ElementTree.SubElement(case, "failure", message=_clean(lines[0]))
        failure.text = _clean("\n".join([*lines, "", *_shown(result.case)]))
    return case


def _shown(case: Case) -> Iterator[str]:
    """What was decided, and the proof of it where rules were evaluated."""
    yield decision_text(case.decision)
    if case.facts is not None and case.decision.failure is None:
        yield proof_text(explanation_tree(case.explanation(), Words(case.model)))


def _seconds(seconds: float) -> str:
    return f"{seconds:.6f}"


def _clean(text: str) -> str:
    """The text without characters that XML has no way to write."""
    return _not_xml.sub("\N{REPLACEMENT CHARACTER}", text)
