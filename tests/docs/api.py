"""Writes the page of the Python interface from the docstrings: `python -m tests.docs.api`."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import policylang

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "python.md"

INTRODUCTION = """# The Python interface

Every public name of `policylang`, with its signature and what its docstring says; each name has an example there, which is run (`help(policylang.Gate)`). Names that are not
listed here may change without notice.

Everything that users can get wrong raises a `PolicyError` with diagnostics, or is an answer: deciding never raises for what a request holds.

"""


def page() -> str:
    """The whole page."""
    names = [name for name in policylang.__all__ if name != "__version__"]
    return INTRODUCTION + "\n".join(
        "\n".join(_section(name)) for name in sorted(names, key=str.lower)
    )


def _section(name: str) -> Iterator[str]:
    found = getattr(policylang, name)
    yield f"## `{name}`\n"
    yield f"`{found.__module__}`\n"
    yield f"```text\n{_signature(name, found)}\n```\n"
    yield _prose(found) + "\n"
    if isinstance(found, type):
        members = list(_members(found))
        if members:
            yield "| | |\n|---|---|"
            yield from (f"| `{form}` | {says} |" for form, says in members)
            yield ""


def _signature(name: str, found: Any) -> str:
    if isinstance(found, type) and issubclass(found, enum.Enum):
        return f"{name}: " + ", ".join(member.value for member in found)
    try:
        text = f"{name}{inspect.signature(found)}"
    except ValueError:
        return name
    return _wrapped(text)


def _wrapped(text: str) -> str:
    """A signature with a parameter on each line where it is long."""
    text = re.sub(r"<[^<>]*object at 0x[0-9a-f]+>|<function [^<>]*>|<factory>", "...", text)
    text = (
        text.replace("''", '""')
        .replace("'", "")
        .replace("collections.abc.", "")
        .replace("policylang.", "")
    )
    if len(text) <= 100:
        return text
    head, _, rest = text.partition("(")
    inside, close, after = rest.rpartition(")")
    parts, depth, part = [], 0, ""
    for character in inside:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            parts.append(part.strip())
            part = ""
        else:
            part += character
    parts.append(part.strip())
    return head + "(\n" + "".join(f"    {each},\n" for each in parts if each) + close + after


def _prose(found: Any) -> str:
    """What a docstring says before its example."""
    text = inspect.getdoc(found) or ""
    return text.partition("\n>>>")[0].strip()


def _members(found: type) -> Iterator[tuple[str, str]]:
    fields = (
        {f.name for f in dataclasses.fields(found)} if dataclasses.is_dataclass(found) else set()
    )
    for name, member in inspect.getmembers(found):
        if name.startswith("_") or name in fields:
            continue
        if isinstance(member, property) or inspect.isroutine(member) or hasattr(member, "func"):
            prose = _prose(getattr(member, "func", member)).replace("\n", " ").replace("|", "\\|")
            own = any(
                name in vars(base) for base in found.__mro__ if "policylang" in base.__module__
            )
            if own and prose:
                called = inspect.isfunction(member) or inspect.ismethod(member)
                yield f"{name}(...)" if called else name, prose.partition(". ")[0].rstrip(".") + "."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
