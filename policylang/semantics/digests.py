"""Digests: what names a module and a program, so that a trace can say what decided."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import Enum
from typing import Final

from policylang.facts import forms
from policylang.facts.schema import Param
from policylang.semantics.program import ModuleInfo
from policylang.syntax import tree

_UNSPOKEN: Final = frozenset({"span", "doc", "comments"})
_SPELLED: Final = (
    tree.IntLiteral,
    tree.DecimalLiteral,
    tree.StringLiteral,
    tree.TimeLiteral,
    tree.DateTimeLiteral,
    tree.DurationLiteral,
    tree.PercentLiteral,
    tree.Pattern,
    tree.Template,
)
"""Nodes that keep their spelling in `text` beside what it means."""


def module_info(module: tree.Module) -> ModuleInfo:
    """The name, version and digests of a module with a header."""
    assert module.header is not None
    version = module.header.version
    return ModuleInfo(
        name=module.header.name.text,
        version=version.value if version is not None else None,
        digest=hashlib.sha256(_bytes(module.span.source.text)).hexdigest(),
        meaning=meaning_digest(module),
        source=module.span.source,
    )


def meaning_digest(node: object) -> str:
    """The SHA-256 of a tree (or of a part of one) without spans, comments, layout and the spelling of literals.

    The form that is hashed: each node as its kind and its fields in order, each with its length, so
    that no two trees have one form.
    """
    parts: list[str] = []
    _write(node, parts)
    return hashlib.sha256(_bytes("".join(parts))).hexdigest()


def _write(value: object, parts: list[str]) -> None:
    match value:
        case tree.Node():
            spelled = isinstance(value, _SPELLED)
            parts.append(f"({type(value).__name__}")
            for name in _names_of(type(value)):
                if not (spelled and name == "text"):
                    _write(getattr(value, name), parts)
            parts.append(")")
        case tuple():
            parts.append(f"[{len(value)}")
            for item in value:
                _write(item, parts)
            parts.append("]")
        case Enum():
            parts.append(f"<{value.value}>")
        case _:
            text = str(value)
            parts.append(f"{type(value).__name__}:{len(text)}:{text}")


_known_names: dict[type, tuple[str, ...]] = {}


def _names_of(kind: type[tree.Node]) -> tuple[str, ...]:
    names = _known_names.get(kind)
    if names is None:
        names = tuple(f.name for f in fields(kind) if f.name not in _UNSPOKEN)
        _known_names[kind] = names
    return names


def program_digest(modules: Sequence[ModuleInfo], params: Mapping[str, Param]) -> str:
    """The SHA-256 that names a program: its modules by name, and the params that were overridden.

    Tables and all else that the modules write are in their digests.
    """
    lines = [
        f"{m.name}\t{m.version or ''}\t{m.digest}" for m in sorted(modules, key=lambda m: m.name)
    ]
    for name in sorted(params):
        param = params[name]
        if param.overridden:
            written = forms.to_json(param.value, param.domain.type)
            lines.append(f"{name}={written!r}")
    return hashlib.sha256(_bytes("\n".join(lines))).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
