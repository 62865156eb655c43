"""The documentation as a static site."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r'<a [^>]*?href="([^"]*)"')
_ID = re.compile(r'\bid="([^"]+)"')


@pytest.mark.slow
def test_the_site_is_built_and_every_link_of_it_leads_somewhere(tmp_path: Path) -> None:
    """mkdocs builds all pages in its strict mode, and no page of the site links to a page or a heading that is not there."""
    pytest.importorskip("material", reason="mkdocs-material is not installed: pip install .[docs]")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path / "site")],
        check=False,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "true"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    pages = {path: path.read_text() for path in (tmp_path / "site").rglob("*.html")}
    ids = {path: set(_ID.findall(text)) for path, text in pages.items()}
    assert len(pages) > 100
    broken = [
        f"{page.relative_to(tmp_path)} -> {link}"
        for page, text in pages.items()
        if page.name != "404.html"
        for link in map(unescape, _LINK.findall(text))
        if not re.match(r"\w+:|//", link) and not _leads(page, link, ids)
    ]
    assert broken == []


def _leads(page: Path, link: str, ids: dict[Path, set[str]]) -> bool:
    path, _, heading = unquote(link).partition("#")
    target = (page.parent / path).resolve() if path else page
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return False
    return not heading or target not in ids or heading in ids[target]
