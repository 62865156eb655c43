"""Writes the page of the Python interface from the docstrings: `python -m tests.docs.api`."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import enum
import inspect
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import policylang

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "python.md"

INTRODUCTION = """# The Python interface

Every public name, with its signature and what its docstring says: those of `policylang` itself with an example each, which is run, and then those of its modules that other pages use.
What is not listed here may change without notice.

Everything that users can get wrong raises a `PolicyError` with diagnostics, or is an answer: deciding never raises for what a request holds.

| to | |
|---|---|
| load policies | [`load`](#load), [`loads`](#loads): a [`Bundle`](#bundle) |
| decide | `Bundle.decide`, `Bundle.decide_many`: a [`Decision`](#decision), with a [`Rejection`](#rejection) where the request reached no rule |
| find out why | `Bundle.case`: a [`Case`](#case), its [`Explanation`](#explanation) and [`Proof`](#proof); [proofs and forms](#proofs-and-forms) |
| guard tools | [`Gate`](#gate): `open`, `protect`, `guard_tools`, `call`, `session`; [`Refused`](#refused), [`Verdict`](#verdict); [settings](#gates), [adapters](#adapters) |
| fetch facts | [`Lookup`](#lookup), [`FactSource`](#factsource), [`Fetcher`](#fetcher) |
| tell an agent | [answers](#answers) |
| ask people | [approvals](#approvals) |
| record, look back | [`TraceStore`](#tracestore); [traces](#traces) |
| roll out | [rollouts](#rollouts) |
"""

MODULES: Final = {
    "Gates": (
        "policylang.gate.point:GateSettings",
        "policylang.gate.stops:Stops",
        "policylang.facts.schema:Source",
        "policylang.bundle.settings:find_settings",
    ),
    "Answers": (
        "policylang.gate.answer:Answer",
        "policylang.gate.answer_making:answer_of",
        "policylang.gate.answer_text:for_model",
        "policylang.gate.answer_text:for_customer",
        "policylang.gate.answer_json:answer_to_json",
    ),
    "Approvals": (
        "policylang.gate.approving:ApprovalSettings",
        "policylang.gate.approving:Approvals",
        "policylang.gate.approvals:Approval",
        "policylang.gate.approvals:ApprovalStatus",
        "policylang.gate.approvals:Voted",
        "policylang.gate.approvals_notice:Webhook",
        "policylang.gate.approvals_notice:signature",
    ),
    "Adapters": (
        "policylang.gate.adapters:Adapter",
        "policylang.gate.adapters:Guarded",
        "policylang.gate.adapters:Identity",
        "policylang.gate.adapters:as_given",
        "policylang.gate.langchain:PolicyMiddleware",
    ),
    "Proofs and forms": (
        "policylang.explain.tree:explanation_tree",
        "policylang.explain.tree:why_not_outcome_tree",
        "policylang.explain.words:Words",
        "policylang.explain.words:Voice",
        "policylang.explain.text:render",
        "policylang.explain.verify:verify",
        "policylang.decide.json:decision_to_json",
        "policylang.decide.json:canonical",
        "policylang.syntax:format_source",
    ),
    "Traces": (
        "policylang.trace.reading:Filter",
        "policylang.trace.reading:TraceView",
        "policylang.trace.otel:OpenTelemetryObserver",
    ),
    "Rollouts": (
        "policylang.rollout.publishing:publish",
        "policylang.rollout.rollouts:Rollouts",
        "policylang.rollout.stages:Stage",
        "policylang.rollout.stages:Settings",
        "policylang.rollout.deployment:Deployment",
        "policylang.rollout.deciding:SingleBundle",
        "policylang.rollout.reporting:report_on",
        "policylang.rollout.backtest:backtest",
    ),
}
"""Names that pages use from a module, under the heading that they stand below."""


def page() -> str:
    """The whole page."""
    names = [name for name in policylang.__all__ if name != "__version__"]
    parts = [INTRODUCTION]
    parts += [
        "\n".join(_section(f"## `{name}`", name, getattr(policylang, name)))
        for name in sorted(names, key=str.lower)
    ]
    for title, homes in MODULES.items():
        parts.append(f"## {title}\n")
        for home in homes:
            module, _, name = home.partition(":")
            found = getattr(import_module(module), name)
            parts.append("\n".join(_section(f"### `{name}`", name, found, module)))
    return "\n".join(parts)


def _section(heading: str, name: str, found: Any, home: str = "policylang") -> Iterator[str]:
    yield f"{heading}\n"
    yield f"`from {home} import {name}`\n"
    yield f"```text\n{_signature(name, found)}\n```\n"
    yield _prose(found) + "\n"
    example = _example(found)
    if example:
        yield f"```pycon\n{example}\n```\n"
    if isinstance(found, type):
        for form, prose in _members(found):
            yield f"**`{form}`**: {prose}\n"


def _signature(name: str, found: Any) -> str:
    if isinstance(found, type) and issubclass(found, enum.Enum):
        return f"{name}: " + ", ".join(str(_word(member)) for member in found)
    if getattr(found, "_is_protocol", False):
        return f"class {name}(Protocol)"
    try:
        text = f"{name}{_written(inspect.signature(found))}"
    except ValueError:
        return name
    return _wrapped(text)


def _word(member: enum.Enum) -> object:
    return member.value if isinstance(member.value, str) else member.name


class _Annotation(str):
    """An annotation as it is written, without quotes around it."""

    def __repr__(self) -> str:
        return str(self)


def _written(signature: inspect.Signature) -> str:
    """A signature as a caller reads it."""
    parameters = [
        each.replace(annotation=_unquoted(each.annotation))
        for each in signature.parameters.values()
        if each.name != "self"
    ]
    returned = _unquoted(signature.return_annotation)
    text = str(signature.replace(parameters=parameters, return_annotation=returned))
    text = re.sub(
        r"<function .*? at 0x[0-9a-f]+>|<[^<>]*object at 0x[0-9a-f]+>|<factory>|<built-in [^<>]*>",
        "...",
        text,
    )
    text = re.sub(r"<(\w+\.\w+): [^<>]*>", r"\1", text)
    return text.replace("collections.abc.", "").replace("policylang.", "").replace("'", '"')


def _unquoted(annotation: Any) -> Any:
    return _Annotation(annotation) if isinstance(annotation, str) else annotation


def _wrapped(text: str) -> str:
    """A signature with a parameter on each line where it is long."""
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


def _example(found: Any) -> str:
    """The example of a docstring, with the imports that a reader needs and its module has."""
    _, start, rest = (inspect.getdoc(found) or "").partition("\n>>>")
    if not start:
        return ""
    text = f">>>{rest}".rstrip()
    return "\n".join([*_imports(text, vars(import_module(found.__module__))), text])


def _imports(example: str, known: Mapping[str, Any]) -> Iterator[str]:
    """Import statements for the names that an example takes from the module around it."""
    source = "\n".join(each.source for each in doctest.DocTestParser().get_examples(example))
    nodes = list(ast.walk(ast.parse(source)))
    read = {node.id for node in nodes if isinstance(node, ast.Name)}
    imported = {
        name.asname or name.name
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    homes: dict[str, list[str]] = {}
    for name in sorted((read - imported) & known.keys()):
        home = "policylang" if name in policylang.__all__ else known[name].__module__
        homes.setdefault(home, []).append(name)
    return (f">>> from {home} import {', '.join(names)}" for home, names in homes.items())


def _members(found: type) -> Iterator[tuple[str, str]]:
    fields = (
        {f.name for f in dataclasses.fields(found)} if dataclasses.is_dataclass(found) else set()
    )
    for name, member in inspect.getmembers(found):
        if (name.startswith("_") and name != "__call__") or name in fields:
            continue
        if isinstance(member, property) or inspect.isroutine(member) or hasattr(member, "func"):
            prose = _prose(getattr(member, "func", member))
            own = any(
                name in vars(base) for base in found.__mro__ if "policylang" in base.__module__
            )
            if own and prose:
                called = inspect.isfunction(member) or inspect.ismethod(member)
                yield _called(name, member) if called else name, prose


def _called(name: str, member: Any) -> str:
    """A method as it is called."""
    return f"{name.replace('__call__', '')}{_written(inspect.signature(member))}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
