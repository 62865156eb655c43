"""Drafts of declarations, in the policy language, from a JSON Schema, a pydantic model, or a sample of data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from policylang.facts.guesses import Guess, Seen, guess, member_name

KEYWORDS: Final = frozenset(
    [
        "module",
        "version",
        "use",
        "as",
        "enum",
        "type",
        "normalize",
        "fact",
        "facts",
        "optional",
        "from",
        "key",
        "ref",
        "action",
        "group",
        "table",
        "param",
        "define",
        "reads",
        "rule",
        "allow",
        "deny",
        "require",
        "for",
        "oblige",
        "on",
        "set",
        "if",
        "and",
        "or",
        "not",
        "in",
        "at",
        "has",
        "like",
        "is",
        "missing",
        "present",
        "because",
        "overrides",
        "priority",
        "decision",
        "default",
        "limit",
        "to",
        "per",
        "never",
        "fixture",
        "given",
        "test",
        "when",
        "expect",
        "by",
        "true",
        "false",
        "now",
    ]
)
"""The words that a name has to be put in backticks for."""

_BUILT_IN: Final = {"now", "approval", "any"}
"""Names that no module can declare."""

_REQUEST_KEYS: Final = {"args", "facts", "agent"}


def name_of(text: str) -> str:
    """A text as a name of the language: snake case, in backticks where it is a keyword."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    plain = re.sub(r"\W+", "_", words).strip("_").lower() or "unnamed"
    plain = plain if plain[0].isascii() and plain[0].isalpha() else f"x_{plain}"
    plain = f"{plain}_" if plain in _BUILT_IN else plain
    return f"`{plain}`" if plain in KEYWORDS else plain


def _can_be_written(name: str) -> bool:
    return 0 < len(name) <= 200 and name.isprintable() and "`" not in name


def _field_name(text: str) -> str:
    """A field's name as the data has it: in backticks where it is no plain word."""
    return text if re.fullmatch(r"[a-z][a-z0-9_]*", text) else f"`{text}`"


def type_name(text: str) -> str:
    """A text as the name of an enum."""
    return "".join(w[:1].upper() + w[1:] for w in re.split(r"[\W_]+", text) if w) or "Value"


class Draft:
    """The text of a module under way: enums first, then facts and actions."""

    def __init__(self, module: str, origin: str) -> None:
        self._head = f"# A draft made from {origin}. Read every guess before it decides anything.\n"
        self._head += f'module {name_of(module)} version "0.1.0"\n'
        self._enums: dict[str, str] = {}
        self._blocks: list[str] = []

    def text(self) -> str:
        """The whole module."""
        return "\n".join([self._head, *self._enums.values(), *self._blocks])

    def declare(
        self, keyword: str, name: str, fields: Iterable[tuple[str, Guess]], doc: str = ""
    ) -> None:
        """Add a fact or an action with these fields."""
        lines = [f"## {line}" for line in doc.splitlines() if line.strip()]
        lines.append(f"{keyword} {name_of(name)} {{")
        lines += self._fields(fields, name, "  ")
        self._blocks.append("\n".join([*lines, "}\n"]))

    def _fields(
        self, fields: Iterable[tuple[str, Guess]], owner: str, indent: str
    ) -> Iterator[str]:
        for name, found in fields:
            if not _can_be_written(name):
                yield f"{indent}# left out: a field called {_one_line(repr(name))}"
                continue
            if found.grounds:
                yield f"{indent}# {_one_line(found.grounds)}"
            mark = "?" if found.optional else ""
            if found.type == "List" and not any(_can_be_written(n) for n, _ in found.fields):
                yield f"{indent}{_field_name(name)}: List[String]{mark},"
                continue
            if found.type == "List":
                yield f"{indent}{_field_name(name)}: List[{{"
                yield from self._fields(found.fields, f"{owner} {name}", indent + "  ")
                yield f"{indent}}}]{mark},"
                continue
            kind = self._enum(name, owner, found) if found.members else found.type
            normalize = ""
            if found.normalizers and not found.members:
                normalize = f" normalize {', '.join(found.normalizers)}"
            limits = f" {found.range}" if found.range else ""
            yield f"{indent}{_field_name(name)}: {kind}{mark}{limits}{normalize},"

    def _enum(self, name: str, owner: str, found: Guess) -> str:
        members = ", ".join(_member(member, others) for member, others in found.members)
        normalize = f" normalize {', '.join(found.normalizers)}" if found.normalizers else ""
        for known in (type_name(name), type_name(f"{owner} {name}")):
            text = f"enum {known}{normalize} {{ {members} }}\n"
            if self._enums.setdefault(known, text) == text:
                return known
        return "String"


def _member(name: str, others: tuple[str, ...]) -> str:
    spelled = ", ".join(_quoted(other) for other in others)
    plain = f"`{name}`" if name in KEYWORDS else name
    return f"{plain} ({spelled})" if spelled else plain


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("{", "\\{") + '"'


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]


# --- from a sample --------------------------------------------------------------------------------------


class Sample:
    """Rows seen so far: whole requests, told by their `action` and `args`, or rows of one fact."""

    def __init__(self, fact: str, keyword: str = "facts") -> None:
        """Rows that are no requests are declared by `keyword` as `fact`."""
        self._fact = fact
        self._keyword = keyword
        self._rows: dict[tuple[str, str], Seen] = {}
        self.rows = 0
        self.skipped = 0

    def add(self, row: Any) -> None:
        """Take up one row or request; what is no object is only counted."""
        if not isinstance(row, Mapping):
            self.skipped += 1
            return
        self.rows += 1
        if isinstance(row.get("action"), str) and _REQUEST_KEYS & row.keys():
            self._add_request(row)
        else:
            self._seen(self._keyword, self._fact).add_row(row)

    def _add_request(self, row: Mapping[str, Any]) -> None:
        self._seen("action", row["action"]).add_row(row.get("args"))
        if isinstance(row.get("agent"), Mapping):
            self._seen("fact", "agent").add_row(_unwrapped(row["agent"]))
        facts = row.get("facts")
        for name, given in facts.items() if isinstance(facts, Mapping) else ():
            if isinstance(given, list):
                seen = self._seen("facts", str(name))
                for item in given:
                    seen.add_row(_unwrapped(item))
            elif given is not None:
                self._seen("fact", str(name)).add_row(_unwrapped(given))

    def _seen(self, keyword: str, name: str) -> Seen:
        return self._rows.setdefault((keyword, name), Seen())

    def draft(self, module: str, origin: str) -> str:
        """The draft of everything seen."""
        draft = Draft(module, f"{self.rows} rows of {origin}")
        order = {"fact": 0, "facts": 1, "action": 2}
        for (keyword, name), seen in sorted(self._rows.items(), key=lambda i: order[i[0][0]]):
            fields = [(field, guess(inner, seen.rows)) for field, inner in seen.inner.items()]
            draft.declare(keyword, name, fields)
        return draft.text()


def _unwrapped(row: Any) -> Any:
    wrapped = isinstance(row, Mapping) and set(row) == {"value", "source"}
    return row["value"] if wrapped and isinstance(row["value"], Mapping) else row


# --- from a JSON Schema ---------------------------------------------------------------------------------


def draft_from_schema(
    schema: Mapping[str, Any], name: str, origin: str, keyword: str = "action"
) -> str:
    """A draft with one declaration for a JSON Schema of an object (or for each tool in a list of tools)."""
    draft = Draft(name, origin)
    for title, doc, found in _objects(schema, name):
        fields = list(_schema_fields(found, schema))
        draft.declare(keyword, title, fields, doc)
    return draft.text()


def _objects(schema: Mapping[str, Any], name: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The objects that a document describes: itself, or the tool calls that it lists."""
    tools = schema.get("tools", [schema])
    for tool in tools if isinstance(tools, list) else [schema]:
        called = tool.get("function", tool)
        for key in ("parameters", "input_schema", "inputSchema"):
            if isinstance(called.get(key), Mapping):
                yield str(called.get("name", name)), str(called.get("description", "")), called[key]
                break
        else:
            title = str(called.get("title", name))
            yield title, str(called.get("description", "")), called


def _schema_fields(
    found: Mapping[str, Any], root: Mapping[str, Any]
) -> Iterator[tuple[str, Guess]]:
    required = set(found.get("required", ()))
    for name, given in found.get("properties", {}).items():
        schema, is_null = _resolved(given, found, root)
        kind = _schema_type(schema, root)
        optional = is_null or name not in required
        outer = given if isinstance(given, Mapping) else {}
        said = str(schema.get("description", outer.get("description", "")))
        grounds = "; ".join(part for part in (said, kind.grounds) if part)
        yield (
            name,
            Guess(
                kind.type,
                grounds,
                kind.normalizers,
                kind.range,
                kind.members,
                kind.fields,
                optional,
            ),
        )


def _resolved(
    given: Any, found: Mapping[str, Any], root: Mapping[str, Any], depth: int = 0
) -> tuple[Mapping[str, Any], bool]:
    """A schema with its reference followed and null taken out; whether null was there."""
    if not isinstance(given, Mapping) or depth > 20:
        return {}, False
    reference = given.get("$ref")
    if isinstance(reference, str):
        target: Any = root
        for step in reference.removeprefix("#").strip("/").split("/"):
            target = target.get(step, {}) if isinstance(target, Mapping) else {}
        return _resolved(target, found, root, depth + 1)
    for key in ("anyOf", "oneOf"):
        options = [o for o in given.get(key, ()) if o != {"type": "null"}]
        if options:
            inner, is_null = _resolved(_widest(options), found, root, depth + 1)
            return {**inner, **_said(given)}, is_null or len(options) < len(given[key])
    types = given.get("type")
    if isinstance(types, list) and "null" in types:
        rest = [t for t in types if t != "null"]
        members = [m for m in given.get("enum", ()) if m is not None]
        without = {**given, "type": rest[0] if len(rest) == 1 else rest}
        return ({**without, "enum": members} if members else without), True
    return given, False


def _widest(options: list[Any]) -> Any:
    """Of several types for one field the most exact: a number that may be text is a number."""
    order = {"number": 0, "integer": 1}
    return min(
        options, key=lambda o: order.get(str(o.get("type")) if isinstance(o, Mapping) else "", 2)
    )


def _said(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: given[key] for key in ("description", "title") if key in given}


_FORMATS: Final = {
    "date": "Date",
    "date-time": "DateTime",
    "time": "Time",
    "duration": "Duration",
    "ipv4": "Ip",
    "ipv6": "Ip",
    "ipv4network": "Cidr",
    "ipv6network": "Cidr",
}


def _schema_type(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Guess:
    members = schema.get("enum", [schema["const"]] if "const" in schema else [])
    texts = [m for m in members if isinstance(m, str)]
    if texts and len(texts) == len(members):
        named = tuple((member_name(m), () if member_name(m) == m else (m,)) for m in texts)
        return Guess("enum", "", members=named)
    types = schema.get("type")
    kind = "number" if isinstance(types, list) and "number" in types else types
    match kind:
        case "boolean":
            return Guess("Bool", "")
        case "integer":
            return Guess("Int", "", range=_schema_range(schema, 0))
        case "number":
            places = _schema_places(schema)
            said = (
                "" if "multipleOf" in schema else f"the schema gives no places: {places} is a guess"
            )
            return Guess(f"Decimal({places})", said, range=_schema_range(schema, places))
        case "array":
            return _schema_list(schema, root)
        case "string":
            return _schema_text(schema)
        case "object":
            return Guess("String", "an object: flatten it, or declare it as a fact of its own")
        case _:
            return Guess("String", "the schema gives no one type: this is a placeholder")


def _schema_text(schema: Mapping[str, Any]) -> Guess:
    pattern = str(schema.get("pattern", ""))
    if re.search(r"\\\.(\[0-9\]|\\d)", pattern) and "-?" in pattern:
        return Guess("Decimal(2)", "a number as text: its places are a guess")
    known = _FORMATS.get(str(schema.get("format", "")))
    if known is not None:
        return Guess(known, "")
    longest = schema.get("maxLength")
    return Guess("String", "", range=f"max {longest}" if isinstance(longest, int) else "")


def _schema_places(schema: Mapping[str, Any]) -> int:
    step = str(schema.get("multipleOf", ""))
    _, point, fraction = step.partition(".")
    return min(len(fraction), 18) if point else 2


def _schema_range(schema: Mapping[str, Any], places: int) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    said = [
        "" if bound is None else f"{bound:.{places}f}" if places else str(int(bound))
        for bound in (low, high)
    ]
    return f"in {said[0]} .. {said[1]}".replace("  ", " ").rstrip() if any(said) else ""


def _schema_list(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Guess:
    element, _ = _resolved(schema.get("items", {}), schema, root)
    if element.get("type") == "object" and element.get("properties"):
        return Guess("List", "", fields=tuple(_schema_fields(element, root)))
    inner = _schema_type(element, root)
    kind = "Set" if schema.get("uniqueItems") else "List"
    return Guess(f"{kind}[{'String' if inner.members else inner.type}]", "")
