"""What differs between two versions of a module, statement by statement, and by text.

Statements are compared by their meaning: comments, layout and the spelling of literals make no difference.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Protocol, TypeAlias

from policylang.diagnostics import Source
from policylang.semantics.digests import meaning_digest
from policylang.syntax import parse, tree


class Change(enum.Enum):
    """What became of a statement."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Sided(Protocol):
    """One side of a comparison: a published version, or a module of a bundle on disk."""

    @property
    def module(self) -> str:
        """The name of the module."""
        ...

    @property
    def file(self) -> str:
        """What diagnostics call its text."""
        ...

    @property
    def text(self) -> str:
        """Its text."""
        ...

    @property
    def params(self) -> Mapping[str, Any]:
        """Values of params that were overridden."""
        ...

    @property
    def reference(self) -> Mapping[str, str]:
        """The digests of its reference data, by relation."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a statement that changed: its condition, its effect, ...; empty text where it is absent."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One statement that differs: its kind (`rule`, `param`, ...), its name, and what of it changed."""

    module: str
    kind: str
    name: str
    change: Change
    parts: tuple[Part, ...] = ()

    def __str__(self) -> str:
        said = f"{self.kind} {self.name}".strip()
        if self.change is not Change.CHANGED:
            return f"{self.change.value}: {said}"
        changed = [f"{p.name}: {p.before or '(none)'} -> {p.after or '(none)'}" for p in self.parts]
        return f"changed: {said}: " + "; ".join(changed)

    def to_json(self) -> dict[str, Any]:
        """The form of `--json`."""
        parts = [{"part": p.name, "before": p.before, "after": p.after} for p in self.parts]
        form = {
            "module": self.module,
            "kind": self.kind,
            "name": self.name,
            "change": self.change.value,
        }
        return {**form, "parts": parts} if parts else form


_KINDS: Final[Mapping[type[tree.Node], str]] = {
    tree.UseStatement: "use",
    tree.EnumStatement: "enum",
    tree.TypeStatement: "type",
    tree.FactStatement: "fact",
    tree.ActionStatement: "action",
    tree.GroupStatement: "action group",
    tree.ParamStatement: "param",
    tree.TableStatement: "table",
    tree.DefineStatement: "define",
    tree.DecisionStatement: "decision",
    tree.RuleStatement: "rule",
    tree.LimitStatement: "limit",
    tree.NeverStatement: "never",
    tree.FixtureStatement: "fixture",
    tree.TestStatement: "test",
}
_SPOKEN: Final = {"reason": "because", "measure": "what it counts", "per": "key"}
_UNCOMPARED: Final = frozenset({"span", "doc", "comments", "name", "title"})

_Key: TypeAlias = tuple[str, str]


def compare(one: Sided, other: Sided) -> tuple[Difference, ...]:
    """What of `one` is different in `other`: statements in the order of writing, then params and reference data."""
    return (
        *_statements(one, other),
        *_named(one.module, "override of param", one.params, other.params),
        *_named(one.module, "reference data", one.reference, other.reference),
    )


def text_difference(one: Sided, other: Sided) -> list[str]:
    """The difference of the texts, as lines of a unified diff; empty where there is none."""
    before, after = (side.text.splitlines() for side in (one, other))
    return list(difflib.unified_diff(before, after, one.file, other.file, lineterm=""))


def _statements(one: Sided, other: Sided) -> Iterator[Difference]:
    before, after = _by_key(one), _by_key(other)
    module = other.module
    for key, node in before.items():
        new = after.get(key)
        if new is None:
            yield Difference(module, *key, Change.REMOVED)
        elif meaning_digest(node) != meaning_digest(new):
            yield Difference(module, *key, Change.CHANGED, tuple(_parts(node, new)))
    for key in after:
        if key not in before:
            yield Difference(module, *key, Change.ADDED)


def _by_key(side: Sided) -> dict[_Key, tree.Node]:
    """The statements by kind and name. Clauses of one definition are numbered in the order of writing."""
    parsed = parse(Source(side.file, side.text)).module
    found: dict[_Key, tree.Node] = {}
    for statement in parsed.statements if parsed is not None else ():
        kind, name = _KINDS.get(type(statement), type(statement).__name__), _name(statement)
        number = 1
        while (kind, _numbered(name, number)) in found:
            number += 1
        found[kind, _numbered(name, number)] = statement
    return found


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name} ({number})"


def _name(statement: tree.Node) -> str:
    match statement:
        case tree.UseStatement():
            return statement.module.text
        case tree.TestStatement():
            return f'"{statement.title.value}"'
        case _:
            name = getattr(statement, "name", None)
            return name.text if isinstance(name, tree.Name) else ""


def _parts(before: tree.Node, after: tree.Node) -> Iterator[Part]:
    for name in (field.name for field in fields(before) if field.name not in _UNCOMPARED):
        old, new = getattr(before, name), getattr(after, name)
        if meaning_digest(old) != meaning_digest(new):
            yield Part(_SPOKEN.get(name, name), _text(old), _text(new))


def _text(value: object) -> str:
    """What was written, in one line."""
    match value:
        case tree.Node():
            return " ".join(value.span.text.split())
        case tuple():
            return ", ".join(map(_text, value))
        case enum.Enum():
            return str(value.value)
        case None:
            return ""
        case _:
            return str(value)


def _named(
    module: str, kind: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Difference]:
    for name in sorted({*before, *after}):
        if name not in after:
            yield Difference(module, kind, name, Change.REMOVED)
        elif name not in before:
            yield Difference(module, kind, name, Change.ADDED)
        elif before[name] != after[name]:
            part = Part("value", str(before[name]), str(after[name]))
            yield Difference(module, kind, name, Change.CHANGED, (part,))
