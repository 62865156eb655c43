"""Checks policies given as text, for the tests of the checker."""

from __future__ import annotations

from policylang.diagnostics import Diagnostic, Source
from policylang.packaged import stdlib_source
from policylang.semantics.checker import CheckResult, check
from policylang.semantics.program import Program
from policylang.syntax import parse, tree


def standard_module(name: str) -> tree.Module | None:
    """A module of the standard library."""
    source = stdlib_source(name.removeprefix("std.")) if name.startswith("std.") else None
    return module(source.decode(), name) if source is not None else None


def module(text: str, name: str = "policy") -> tree.Module:
    """A module of which the syntax is right."""
    parsed = parse(Source(f"{name}.policy", text))
    assert parsed.diagnostics == ()
    assert parsed.module is not None
    return parsed.module


def checked(*texts: str, **options: object) -> CheckResult:
    """The result for modules; a text without a `module` line is one called `m`."""
    modules = [
        module(text if text.lstrip().startswith("module") else f"module m\n{text}", f"m{i}")
        for i, text in enumerate(texts)
    ]
    return check(modules, load=standard_module, **options)  # type: ignore[arg-type]


def errors(*texts: str) -> list[Diagnostic]:
    """What is wrong with modules, warnings left out."""
    return [d for d in checked(*texts).diagnostics if d.severity == "error"]


def codes_of(*texts: str) -> list[str]:
    """The codes of what is wrong."""
    return [d.code for d in errors(*texts)]


def program_of(*texts: str) -> Program:
    """The program of modules that have no errors."""
    result = checked(*texts)
    assert result.program is not None, [str(d) for d in result.diagnostics]
    return result.program
