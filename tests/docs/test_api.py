"""The page of the Python interface."""

from __future__ import annotations

import policylang
from tests.docs.api import PAGE, page


def test_the_page_of_the_interface_is_what_the_docstrings_say() -> None:
    """`docs/reference/python.md` is what `python -m tests.docs.api` writes, so that it never lags behind the code."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_public_name_is_on_the_page() -> None:
    """Each public name has its section."""
    text = page()
    missing = [n for n in policylang.__all__ if n != "__version__" and f"## `{n}`" not in text]
    assert missing == []
