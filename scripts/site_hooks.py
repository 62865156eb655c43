"""How the pages of `docs/` become a site: links to files beside `docs/` lead to copies of them.

Called by mkdocs. A page links to a module of the standard library, to an example or to the README as they lie in the
repository; in the site they lie under `source/`, Markdown as pages and everything else as it is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SOURCE = "source"

_LINK = re.compile(r"\]\((?!\w+:|#)(?P<path>[^)#\s]+)(?P<rest>#[^)\s]*)?\)")
_FENCE = re.compile(r"^(?P<mark>\s*```\w+)(?: [^\n]*)$", re.MULTILINE)


SECTIONS = {
    "Tutorial": "tutorial",
    "How-to guides": "how-to",
    "Reference": "reference",
    "Explanation": "explanation",
    "Decisions": "adr",
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make the menu of the folders, each with its index first."""
    config.nav = ["index.md", *({title: _menu(DOCS / name)} for title, name in SECTIONS.items())]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to outside of `docs/`, and what that links to in turn."""
    waiting = [DOCS / file.src_uri for file in files.documentation_pages()]
    seen: set[Path] = set()
    while waiting:
        for target in _outside(waiting.pop()):
            if target not in seen:
                seen.add(target)
                files.append(_file(target, config))
                if target.suffix == ".md":
                    waiting.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files of the repository into links of the site, and fences into what Pygments reads."""
    if page.file.abs_src_path is None:
        return markdown
    home = Path(page.file.abs_src_path)

    def placed(link: re.Match[str]) -> str:
        target = (home.parent / link["path"]).resolve()
        if target.is_dir():
            target = _index(target)
        here = Path(page.file.src_uri).parent
        there = target.relative_to(DOCS) if target.is_relative_to(DOCS) else Path(_place(target))
        up = "../" * len(here.parts)
        return f"]({up}{there.as_posix()}{link['rest'] or ''})"

    return _FENCE.sub(r"\g<mark>", _LINK.sub(placed, markdown))


def _menu(folder: Path) -> list[Any]:
    pages = sorted(folder.glob("*.md"), key=lambda page: (page.name != "index.md", page.name))
    inner = sorted(path for path in folder.iterdir() if (path / "index.md").is_file())
    shown: list[Any] = [page.relative_to(DOCS).as_posix() for page in pages]
    return shown + [{path.name.replace("-", " ").capitalize(): _menu(path)} for path in inner]


def _outside(page: Path) -> set[Path]:
    found = {(page.parent / link["path"]).resolve() for link in _LINK.finditer(page.read_text())}
    targets = {_index(path) if path.is_dir() else path for path in found}
    # A folder that is shown as a list brings the files of its list.
    targets |= {file for path in targets if path.is_dir() for file in _listed(path)}
    return {path for path in targets if path.exists() and not path.is_relative_to(DOCS)}


def _file(target: Path, config: MkDocsConfig) -> File:
    if not target.is_dir():
        return File.generated(config, _place(target), abs_src_path=str(target))
    names = [file.relative_to(target).as_posix() for file in _listed(target)]
    listed = "\n".join(f"- [{name}]({name}.txt)" for name in names)
    return File.generated(config, _place(target), content=f"# {target.name}\n\n{listed}\n")


def _listed(folder: Path) -> list[Path]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".md")
    return [path for path in files if "__pycache__" not in path.parts]


def _index(folder: Path) -> Path:
    """The page that stands for a folder."""
    pages = (folder / name for name in ("README.md", "index.md"))
    return next((page for page in pages if page.is_file()), folder)


def _place(target: Path) -> str:
    # A README beside an index would be taken for the index of its folder.
    name: Any = target.relative_to(ROOT)
    if target.is_dir():
        name = name / "index.md"
    elif name.name == "README.md":
        name = name.with_name("index.md")
    elif target.suffix != ".md":
        name = name.with_name(f"{name.name}.txt")
    return f"{SOURCE}/{name.as_posix()}"
