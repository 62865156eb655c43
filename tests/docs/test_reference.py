"""The reference leaves nothing out: what the code has a closed list of stands on its page."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable

import pytest

from policylang.bundle.settings import Settings
from policylang.cli.app import COMMANDS
from policylang.decide.decision import Outcome, ReasonKind
from policylang.diagnostics import Severity, declared
from policylang.facts.history import COUNTED, ENTRY_KEYS, NOT_COUNTED
from policylang.facts.normalizers import NORMALIZERS
from policylang.facts.passage import REQUEST_KEYS
from policylang.facts.rejection import RejectionKind
from policylang.facts.schema import Source
from policylang.facts.types import ScalarType
from policylang.gate.answer import AnswerKind, AnswerOutcome, When
from policylang.gate.approvals import ApprovalStatus
from policylang.gate.approving import ApprovalSettings
from policylang.gate.point import GateSettings
from policylang.semantics import codes as semantic_codes
from policylang.syntax.grammar import grammar_text
from tests.docs.shell import ROOT

REFERENCE = ROOT / "docs" / "reference"
SCHEMAS = REFERENCE / "schemas"


def _fields(of: type) -> list[str]:
    return [field.name for field in dataclasses.fields(of)]


def _members(schema: str) -> list[str]:
    """The members of the JSON form that a schema documents."""
    return list(json.loads((SCHEMAS / schema).read_text(encoding="utf-8"))["properties"])


def _warnings() -> list[str]:
    found = [code for code in declared() if code.severity is Severity.WARNING]
    return [code.id for code in found if code.id.startswith("PL05")]


def _keywords() -> list[str]:
    """The keywords that begin a statement, as the grammar has them."""
    named = re.findall(
        r"(\w+)_statement", grammar_text().partition("?statement:")[2].partition("\n\n")[0]
    )
    return ["action group" if name == "group" else name for name in named if name != "fact"]


LISTS: dict[str, tuple[str, Iterable[str]]] = {
    "statements": ("statements.md", [*_keywords(), "module", "fact", "optional fact", "facts"]),
    "types": ("types.md", [*(type_.value for type_ in ScalarType), "Decimal(N)"]),
    "sources": ("requests.md", [source.word for source in Source]),
    "keys of requests": ("requests.md", REQUEST_KEYS),
    "keys of earlier calls": ("requests.md", ENTRY_KEYS),
    "outcomes of earlier calls": ("requests.md", COUNTED | NOT_COUNTED),
    "rejections": ("requests.md", [kind.value for kind in RejectionKind]),
    "normalizers": ("normalizers.md", NORMALIZERS),
    "outcomes": ("decision.md", [outcome.value for outcome in Outcome]),
    "reasons": ("decision.md", [kind.value for kind in ReasonKind]),
    "members of decisions": ("decision.md", _members("decision.schema.json")),
    "members of answers": ("answers.md", _members("answer.schema.json")),
    "grounds of a gate": ("answers.md", [kind.value for kind in AnswerKind]),
    "outcomes of answers": ("answers.md", [outcome.value for outcome in AnswerOutcome]),
    "when to ask again": ("answers.md", [when.value for when in When]),
    "settings of a gate": ("gate.md", _fields(GateSettings)),
    "what became of calls": ("gate.md", ["executed", "failed", "skipped"]),
    "settings of approvals": ("approvals.md", _fields(ApprovalSettings)),
    "states of approvals": ("approvals.md", [status.value for status in ApprovalStatus]),
    "settings of a project": (
        "configuration.md",
        [n for n in Settings.model_fields if n != "file"],
    ),
    "warnings": ("checks.md", _warnings()),
    "commands": ("command-line.md", COMMANDS),
}


@pytest.mark.parametrize("what", LISTS)
def test_a_page_names_all_that_there_is(what: str) -> None:
    """Each of a closed list stands on the page that is about it, as a word of code or in a table."""
    page, names = LISTS[what]
    text = (REFERENCE / page).read_text(encoding="utf-8")
    names = list(names)
    missing = [name for name in names if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)]
    assert names
    assert missing == []


def test_warnings_are_declared_before_they_are_counted() -> None:
    """The list of warnings is that of the checker."""
    assert semantic_codes.COVERED_RULE.id in _warnings()
