"""Declarations as JSON Schema (draft 2020-12), and as tools that language models are given.

A schema says what to send: the strict form of each value. A declaration with normalizers lets in more; everything
its schema lets in, the border reads, but for what no schema can say (whether a reference has its row, 30 February).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, assert_never

from policylang.facts.describe import describe, literal
from policylang.facts.forms import to_json
from policylang.facts.history import COUNTED, NOT_COUNTED
from policylang.facts.schema import Cardinality, Relation, RelationKind, Schema, Source
from policylang.facts.types import (
    MAX_DIGITS,
    DecimalType,
    Domain,
    EnumType,
    Field,
    ListType,
    RecordType,
    RefType,
    ScalarType,
    SetType,
)
from policylang.facts.values import MISSING

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
Json = dict[str, Any]

_ZONED: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
_SCALARS: Final[dict[ScalarType, Json]] = {
    ScalarType.BOOL: {"type": "boolean"},
    ScalarType.INT: {"type": "integer"},
    ScalarType.STRING: {"type": "string"},
    ScalarType.DATE: {"type": "string", "format": "date"},
    ScalarType.DATETIME: {"type": "string", "format": "date-time", "pattern": _ZONED},
    ScalarType.TIME: {
        "type": "string",
        "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$",
    },
    ScalarType.DURATION: {
        "type": "string",
        "pattern": r"^(-?P(?=.)([0-9]+W)?([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]{1,6})?S)?)?"
        r"|[0-9]+ (week|day|hour|minute|second|millisecond|microsecond)s?( [0-9]+ [a-z]+)*)$",
    },
    ScalarType.IP: {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    ScalarType.CIDR: {"type": "string", "pattern": r"^[0-9a-fA-F:.]+/[0-9]{1,3}$"},
}


def domain_schema(domain: Domain) -> Json:
    """The JSON Schema of a domain's strict forms."""
    match domain.type:
        case ScalarType() as scalar:
            return _scalar(scalar, domain)
        case DecimalType(scale):
            return _decimal(domain, MAX_DIGITS if scale is None else scale)
        case EnumType() as enum_type:
            return {"type": "string", "enum": list(_members(enum_type, domain))}
        case SetType(element):
            return {**_array(element, domain), "uniqueItems": True}
        case ListType(element):
            return _array(element, domain)
        case RecordType(fields):
            return object_schema(fields)
        case RefType(key=key):
            return domain_schema(Domain(key, domain.low, domain.high, domain.max_length))
        case _:
            assert_never(domain.type)


def _scalar(type_: ScalarType, domain: Domain) -> Json:
    found = dict(_SCALARS[type_])
    if type_ is ScalarType.INT:
        found |= _given(minimum=domain.low, maximum=domain.high)
    elif type_ is ScalarType.STRING:
        found |= _given(maxLength=domain.max_length)
    return found


def _given(**keywords: Any) -> Json:
    return {key: value for key, value in keywords.items() if value is not None}


def _decimal(domain: Domain, scale: int) -> Json:
    """A string, or a number: JSON's numbers are exact as they are written, not as a program reads them."""
    places = rf"(\.[0-9]{{1,{scale}}})?" if scale else ""
    pattern = rf"^-?(0|[1-9][0-9]{{0,{MAX_DIGITS - scale - 1}}}){places}$"
    bounds = _given(minimum=domain.low, maximum=domain.high)
    # A bound that a float holds is written as a number; a larger one is left to the border.
    exact = {k: float(v) for k, v in bounds.items() if float(v) == v}
    return {"type": ["string", "number"], "pattern": pattern, **exact}


def _members(type_: EnumType, domain: Domain) -> Sequence[str]:
    names = type_.member_names
    low = 0 if domain.low is None else names.index(str(domain.low))
    high = len(names) if domain.high is None else names.index(str(domain.high)) + 1
    return names[low:high]


def _array(element: Domain, domain: Domain) -> Json:
    most = _given(maxItems=domain.max_length)
    return {"type": "array", "items": domain_schema(element), **most}


def object_schema(fields: Sequence[Field]) -> Json:
    """The JSON Schema of an object with these fields and no others."""
    required = [f.name for f in fields if not f.optional and f.default is MISSING]
    return {
        "type": "object",
        "properties": {field.name: field_schema(field) for field in fields},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def field_schema(field: Field) -> Json:
    """The JSON Schema of a field: its domain, null where it may be missing, its default and its doc."""
    found = domain_schema(field.domain)
    if field.optional:
        found = nullable(found)
    if field.default is not MISSING:
        found["default"] = to_json(field.default, field.domain.type)
    if field.doc:
        found["description"] = field.doc
    return found


def nullable(schema: Json) -> Json:
    """The schema with null besides."""
    types = schema.get("type")
    if "enum" in schema:
        return {**schema, "type": [types, "null"], "enum": [*schema["enum"], None]}
    if "anyOf" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [*([types] if isinstance(types, str) else types or []), "null"]}


# --- relations and requests -----------------------------------------------------------------------------


def fact_schema(relation: Relation) -> Json:
    """The JSON Schema of one row of a fact, or of an action's arguments."""
    found = {"title": relation.bare_name, **object_schema(relation.columns)}
    return {**found, "description": relation.doc} if relation.doc else found


def request_schema(schema: Schema, action: str, reads: Collection[str] | None = None) -> Json:
    """The JSON Schema of a whole request for an action (a qualified name).

    `reads` are the relations that its decision reads: the facts among them that are exactly one are required. Without
    it all are. A row may be given with its source, as `{"value": ..., "source": ...}`.
    """
    asked = schema.relations[action]
    facts = {r.name: r for r in schema.relations.values() if r.kind is RelationKind.FACT}
    names = _plain_names(schema, facts)
    needed = [r.name for r in facts.values() if _is_needed(r, reads)]
    agent = next((n for n, name in names.items() if name == "agent"), None)
    required = [names[n] for n in needed if n != agent]
    given: Json = {
        "action": {"enum": sorted({asked.name, asked.bare_name})},
        "args": _with_source(fact_schema(asked)),
        "facts": {
            "type": "object",
            "properties": {
                names[n]: _fact_rows(r, names[n]) for n, r in facts.items() if n != agent
            },
            **({"required": required} if required else {}),
            "additionalProperties": False,
        },
        "now": _SCALARS[ScalarType.DATETIME],
        "decisions": {"type": "array", "items": {"enum": _decision_names(schema)}},
        "history": {"type": "array", "items": _HISTORY},
        "approvals": {"type": "array", "items": _APPROVAL},
    }
    if agent is not None:
        given["agent"] = {"$ref": "#/$defs/agent"}
    return {
        "$schema": DRAFT,
        "title": f"a request for {asked.bare_name}",
        "type": "object",
        "properties": given,
        "required": [
            "action",
            *(["args"] if "required" in object_schema(asked.columns) else []),
            *(["agent"] if agent in needed else []),
            *(["facts"] if required else []),
        ],
        "additionalProperties": False,
        "$defs": {names[n]: _with_source(fact_schema(r)) for n, r in facts.items()},
    }


def _plain_names(schema: Schema, facts: Collection[str]) -> dict[str, str]:
    """The name that a request uses for each fact: the bare one where it is the only one of that name."""
    bare = [schema.relations[name].bare_name for name in facts]
    return {
        name: short if bare.count(short) == 1 else name
        for name in facts
        for short in [schema.relations[name].bare_name]
    }


def _is_needed(relation: Relation, reads: Collection[str] | None) -> bool:
    if relation.cardinality is not Cardinality.ONE:
        return False
    below = f"{relation.name}."
    return reads is None or any(n == relation.name or n.startswith(below) for n in reads)


def _fact_rows(relation: Relation, name: str) -> Json:
    row = {"$ref": f"#/$defs/{name}"}
    return {"type": "array", "items": row} if relation.cardinality is Cardinality.MANY else row


def _with_source(row: Json) -> Json:
    sourced = {
        "type": "object",
        "properties": {"value": row, "source": {"enum": [source.word for source in Source]}},
        "required": ["value", "source"],
        "additionalProperties": False,
    }
    return {"anyOf": [row, sourced]}


def _decision_names(schema: Schema) -> list[str]:
    return sorted({n for full in schema.decisions for n in (full, full.rpartition(".")[2])})


_HISTORY: Final[Json] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "action": {"type": "string"},
        "args": {"type": "object"},
        "agent": {"type": "object"},
        "facts": {"type": "object"},
        "time": _SCALARS[ScalarType.DATETIME],
        "outcome": {"enum": sorted(COUNTED | NOT_COUNTED)},
    },
    "required": ["action", "time"],
    "additionalProperties": False,
}
_APPROVAL: Final[Json] = {
    "type": "object",
    "properties": {
        "by": {"type": "string"},
        "id": {"type": "string"},
        "time": _SCALARS[ScalarType.DATETIME],
    },
    "required": ["by", "id", "time"],
    "additionalProperties": False,
}


# --- tools for language models --------------------------------------------------------------------------


def tool_schema(relation: Relation) -> Json:
    """The arguments of an action in the part of JSON Schema that tool-calling models are held to.

    Every field is required, and null where it may be missing; what the dialect cannot say stands in the descriptions.
    """
    return _tool_object(relation.columns)


def _tool_object(fields: Sequence[Field]) -> Json:
    return {
        "type": "object",
        "properties": {field.name: _tool_field(field) for field in fields},
        "required": [field.name for field in fields],
        "additionalProperties": False,
    }


def _tool_field(field: Field) -> Json:
    found = _tool_domain(field.domain)
    said = [field.doc.rstrip(".")] if field.doc else []
    said.append(describe(field.domain))
    if field.default is not MISSING:
        said.append(f"usually {literal(field.default, field.domain.type)}")
    if field.optional:
        found = nullable(found)
        said.append("null where there is none")
    return {**found, "description": "; ".join(said)}


def _tool_domain(domain: Domain) -> Json:
    match domain.type:
        case DecimalType():
            return {"type": "string", "pattern": domain_schema(domain)["pattern"]}
        case ScalarType.STRING | ScalarType.IP | ScalarType.DURATION | ScalarType.CIDR:
            return {"type": "string"}
        case SetType(element) | ListType(element):
            return {"type": "array", "items": _tool_domain(element)}
        case RecordType(fields):
            return _tool_object(fields)
        case RefType(key=key):
            return _tool_domain(Domain(key, domain.low, domain.high, domain.max_length))
        case _:
            return domain_schema(domain)


def tool_name(schema: Schema, action: Relation) -> str:
    """The name of an action as a tool: its bare one, with its module where several are called so."""
    alike = schema.named(action.bare_name, RelationKind.ACTION)
    return action.bare_name if len(alike) == 1 else action.name.replace(".", "_")


def openai_tool(schema: Schema, action: Relation) -> Json:
    """An action as a tool in the form of OpenAI's function calling, with `strict`."""
    return {
        "type": "function",
        "function": {
            "name": tool_name(schema, action),
            "description": action.doc or f"The action {action.bare_name}.",
            "strict": True,
            "parameters": tool_schema(action),
        },
    }


def anthropic_tool(schema: Schema, action: Relation) -> Json:
    """An action as a tool in the form of Anthropic's tool use."""
    return {
        "name": tool_name(schema, action),
        "description": action.doc or f"The action {action.bare_name}.",
        "input_schema": tool_schema(action),
    }
