"""Every code block of the README and of the documentation is run; so is every link followed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.docs.blocks import blocks_of
from tests.docs.pages import Page, code_of, prepare, problems_of
from tests.docs.shell import ROOT

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "stdlib").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
        *(ROOT / "benchmarks").rglob("*.md"),
    ]
)


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_of_a_page_does_what_the_page_says(page: Path, tmp_path: Path) -> None:
    """The blocks of a page run in order, and give the output that the page shows."""
    prepare(page, tmp_path)
    problems = problems_of(Page(blocks_of(page), code_of(page)), tmp_path)
    assert not problems, "\n\n".join(f"{_name(page)}, {problem}" for problem in problems)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    """A link to a file of this repository names one that is there, and a heading that it has."""
    broken = [target for target in _local_links(page) if not _leads_somewhere(page, target)]
    assert not broken, f"{_name(page)} links to {', '.join(broken)}"


def _local_links(page: Path) -> list[str]:
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    targets = [
        str(child.attrs.get("href") or child.attrs.get("src"))
        for token in tokens
        for child in token.children or []
        if child.type in {"link_open", "image"}
    ]
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def _leads_somewhere(page: Path, target: str) -> bool:
    name, _, heading = target.partition("#")
    path = page.parent / name if name else page
    if not path.exists():
        return False
    return not heading or heading in _headings(path)


def _headings(page: Path) -> set[str]:
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    texts = [
        tokens[index + 1].content
        for index, token in enumerate(tokens)
        if token.type == "heading_open"
    ]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


def test_every_page_can_be_reached_from_the_index() -> None:
    """Following links from the README and the index leads to every page of the documentation."""
    waiting = [ROOT / "README.md", ROOT / "docs" / "index.md"]
    reached = set(waiting)
    while waiting:
        page = waiting.pop()
        for target in _local_links(page):
            path = (page.parent / target.partition("#")[0]).resolve()
            if path.suffix == ".md" and path.exists() and path not in reached:
                reached.add(path)
                waiting.append(path)
    pages = {page for page in (ROOT / "docs").rglob("*.md") if not _is_diagnostic(page)}
    assert pages - reached == set()


def _is_diagnostic(page: Path) -> bool:
    # `policylang explain` lists them; the index of the folder says so.
    return page.parent.name == "diagnostics"
