"""Pages that list others list all of them, under their titles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
_LISTED = re.compile(r"^- \[(?P<name>[^\]]+)\]\((?P<file>[^)]+)\): (?P<title>.+)$", re.MULTILINE)


def _title(page: Path) -> str:
    """What stands behind the number of a decision, or the code of a diagnostic, in the first line of its page."""
    found = re.fullmatch(
        r"# (?:PL)?[0-9]+[.:] (.+)", page.read_text(encoding="utf-8").partition("\n")[0]
    )
    assert found is not None, page
    return found[1]


@pytest.mark.parametrize("folder", ["adr", "reference/diagnostics"])
def test_an_index_lists_every_page_of_its_folder(folder: str) -> None:
    """The index of decisions and that of diagnostics name each page beside them once, in order, with its title."""
    pages = sorted(p for p in (DOCS / folder).glob("*.md") if p.name != "index.md")
    listed = _LISTED.findall((DOCS / folder / "index.md").read_text(encoding="utf-8"))
    assert [(file, title) for _, file, title in listed] == [(p.name, _title(p)) for p in pages]


@pytest.mark.parametrize("page", sorted((DOCS / "adr").glob("0*.md")), ids=lambda page: page.stem)
def test_a_decision_says_its_number_and_its_status(page: Path) -> None:
    """A decision is headed by the number of its file, and says its status; one that is changed names the later one."""
    head, _, status, *_ = page.read_text(encoding="utf-8").split("\n")
    assert head.startswith(f"# {int(page.name[:4])}. ")
    assert status.startswith("Status: accepted")
    for other in re.findall(r"\]\((0[^)]+\.md)\)", status):
        text = (page.parent / other).read_text(encoding="utf-8").split("\n")[2]
        assert page.name in text, f"{other} does not speak of {page.name}"
