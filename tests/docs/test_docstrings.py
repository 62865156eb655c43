"""The examples in docstrings of public names are run, and none is without one."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages

import pytest

import policylang

PUBLIC = [name for name in policylang.__all__ if not name.startswith("_")]
MODULES = sorted(
    module.name
    for module in walk_packages(policylang.__path__, "policylang.")
    if not module.name.endswith("__main__")
)


def _examples() -> Iterator[doctest.DocTest]:
    finder = doctest.DocTestFinder()
    for name in MODULES:
        yield from (found for found in finder.find(import_module(name), name) if found.examples)


@pytest.mark.parametrize("example", list(_examples()), ids=lambda example: example.name)
def test_every_example_of_a_docstring_does_what_it_says(example: doctest.DocTest) -> None:
    """What an example in a docstring shows is what it gives."""
    told: list[str] = []
    doctest.DocTestRunner().run(example, out=told.append)
    assert not told, "".join(told)


def _wanting(name: str) -> Iterator[str]:
    thing = getattr(policylang, name)
    if ">>>" not in (inspect.getdoc(thing) or ""):
        yield name
    if name in {"Bundle", "Case"}:
        for method, function in vars(thing).items():
            if method.startswith("_") or method == "close" or not inspect.isfunction(function):
                continue
            if ">>>" not in (inspect.getdoc(function) or ""):
                yield f"{name}.{method}"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_an_example(name: str) -> None:
    """A public class, function or method shows how it is used, in an example that is run."""
    assert list(_wanting(name)) == []
