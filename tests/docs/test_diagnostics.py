"""Every diagnostic has a page, and every page shows its diagnostic."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import policylang
from policylang import packaged
from policylang.diagnostics import Code, declared
from policylang.evaluate.firings import FailureKind
from tests.docs.blocks import Block, blocks_in


def _codes() -> list[Code]:
    for module in pkgutil.walk_packages(policylang.__path__, "policylang."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return [code for code in declared() if code.id.startswith("PL")]


CODES = _codes()


def _page(code: str) -> str:
    return packaged.diagnostic_page(code) or ""


def _shows(block: Block, code: str) -> bool:
    return code in block.text or (block.language == "policy" and "fails" in block.words)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.id)
def test_every_code_has_a_page_under_its_title(code: Code) -> None:
    """A code that policylang can report has a page, headed by the code and its title."""
    assert _page(code.id).partition("\n")[0] == f"# {code.id}: {code.title}"


@pytest.mark.parametrize("failure", FailureKind)
def test_every_way_to_fail_has_a_page(failure: FailureKind) -> None:
    """The code of each way in which an evaluation can fail has a page."""
    assert _page(failure.value).startswith(f"# {failure.value}: ")


@pytest.mark.parametrize("code", packaged.diagnostic_codes())
def test_every_page_has_an_example_that_fails_and_one_that_passes(code: str) -> None:
    """A page is about a code that exists, gives it in a block, and does not in another."""
    assert code in {known.id for known in CODES} | {kind.value for kind in FailureKind}
    blocks = [block for block in blocks_in(_page(code)) if not block.illustrative]
    assert any(_shows(block, code) for block in blocks)
    runnable = [block for block in blocks if block.language in {"policy", "sh", "python"}]
    assert any(not _shows(block, code) for block in runnable)
