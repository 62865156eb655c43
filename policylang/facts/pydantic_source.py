"""Declarations as a module of pydantic models, for callers with static types.

An object of one of its requests can be given to the border as it is, or as `model_dump(mode="json")`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final, assert_never

from policylang.facts.forms import to_json
from policylang.facts.schema import Cardinality, Relation, RelationKind, Schema
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
    Type,
)
from policylang.facts.values import MISSING, Value

_HEAD: Final = '''\
"""Requests to a policy. Written by `policylang schema --format pydantic`: change the policy, not this."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Declared(BaseModel):
    """What a policy declares: exactly these fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
'''
_SCALARS: Final[dict[ScalarType, str]] = {
    ScalarType.BOOL: "bool",
    ScalarType.INT: "int",
    ScalarType.STRING: "str",
    ScalarType.DATE: "dt.date",
    ScalarType.DATETIME: "AwareDatetime",
    ScalarType.TIME: "dt.time",
    ScalarType.DURATION: "dt.timedelta",
    ScalarType.IP: "IPv4Address | IPv6Address",
    ScalarType.CIDR: "IPv4Network | IPv6Network",
}


def pydantic_source(schema: Schema) -> str:
    """The text of a Python module with a model for each enum, fact, action and request of a schema."""
    writer = _Writer(schema)
    return "\n\n".join([_HEAD, *writer.parts()]) + "\n"


class _Writer:
    def __init__(self, schema: Schema) -> None:
        kinds = (RelationKind.FACT, RelationKind.ACTION)
        self._relations = [r for r in schema.relations.values() if r.kind in kinds]
        self._names = _class_names(self._relations)
        self._enums: dict[str, EnumType] = {}
        self._records: dict[RecordType, str] = {}

    def parts(self) -> Iterator[str]:
        models = [self._model(self._names[r.name], r.columns, r.doc) for r in self._relations]
        # The fields above have named every enum and record there is.
        yield from (_enum(name, found) for name, found in self._enums.items())
        written = 0
        records: list[str] = []
        while written < len(self._records):
            fields, name = list(self._records.items())[written]
            records.append(self._model(name, fields.fields, ""))
            written += 1
        yield from reversed(records)
        yield from models
        for relation in self._relations:
            if relation.kind is RelationKind.ACTION:
                yield self._request(relation)

    def _model(self, name: str, fields: Sequence[Field], doc: str) -> str:
        lines = [f"class {name}(Declared):", f"    {_doc(doc or f'The declaration of {name}.')}"]
        lines += [""] if fields else []
        lines += [f"    {self._field(field, name)}" for field in fields]
        return "\n".join(lines) + "\n"

    def _field(self, field: Field, owner: str) -> str:
        name = _identifier(field.name)
        annotation = self._annotation(field.domain, f"{owner}{_camel(field.name)}")
        if field.optional:
            annotation = f"{annotation} | None"
        arguments = []
        if field.optional:
            arguments.append("default=None")
        elif field.default is not MISSING:
            arguments.append(f"default={self._value(field.default, field.domain.type)}")
        if name != field.name:
            arguments.append(f"alias={field.name!r}")
        if field.doc:
            arguments.append(f"description={field.doc!r}")
        assigned = f" = Field({', '.join(arguments)})" if arguments else ""
        return f"{name}: {annotation}{assigned}"

    def _annotation(self, domain: Domain, name: str) -> str:
        limits = _limits(domain, self)
        plain = self._plain(domain.type, name)
        return f"Annotated[{plain}, Field({limits})]" if limits else plain

    def _plain(self, type_: Type, name: str) -> str:
        match type_:
            case ScalarType():
                return _SCALARS[type_]
            case DecimalType():
                return "Decimal"
            case EnumType():
                known = _camel(type_.name.rpartition(".")[2])
                if self._enums.setdefault(known, type_) is not type_:
                    known = _camel(type_.name)
                    self._enums[known] = type_
                return known
            case SetType(element):
                return f"frozenset[{self._annotation(element, f'{name}Item')}]"
            case ListType(element):
                return f"list[{self._annotation(element, f'{name}Item')}]"
            case RecordType():
                return self._records.setdefault(type_, name)
            case RefType(key=key):
                return self._plain(key, name)
            case _:
                assert_never(type_)

    def _value(self, value: Value, type_: Type) -> str:
        """A constant, as Python reads it."""
        if isinstance(type_, EnumType):
            return f"{self._plain(type_, '')}.{_identifier(str(value))}"
        if isinstance(type_, SetType):
            return f"frozenset({repr_of(value)})"
        if isinstance(type_, DecimalType):
            return f"Decimal({to_json(value, type_)!r})"
        return repr_of(value)

    def _request(self, action: Relation) -> str:
        name = self._names[action.name]
        facts = [r for r in self._relations if r.kind is RelationKind.FACT]
        agent = next((r for r in facts if r.bare_name == "agent"), None)
        lines = [f"class {name}Facts(Declared):", '    """The facts of a request."""', ""]
        lines += [f"    {self._fact(r)}" for r in facts if r is not agent]
        if len(lines) == 3:
            lines.pop()
        lines += ["", "", f"class {name}Request(Declared):"]
        lines += [f"    {_doc(f'A request for {action.bare_name}.')}", ""]
        lines.append(f'    action: Literal["{action.name}"] = "{action.name}"')
        lines.append(f"    args: {name}")
        if agent is not None:
            lines.append(f"    agent: {self._names[agent.name]} | None = None")
        lines.append(f"    facts: {name}Facts = {name}Facts()")
        lines.append("    now: AwareDatetime | None = None")
        lines.append("    decisions: list[str] = []")
        return "\n".join(lines) + "\n"

    def _fact(self, relation: Relation) -> str:
        name = _identifier(relation.bare_name)
        alias = f'Field(default={{}}, alias="{relation.name}")'
        known = self._names[relation.name]
        if relation.cardinality is Cardinality.MANY:
            return f"{name}: list[{known}] = {alias.format('[]')}"
        return f"{name}: {known} | None = {alias.format('None')}"


def repr_of(value: Value) -> str:
    """A plain constant in Python, sets in the order of their values."""
    if isinstance(value, frozenset):
        return "[" + ", ".join(sorted(map(repr, value))) + "]"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(repr_of, value)) + "]"
    return repr(value).replace("datetime.", "dt.").replace("dt.timezone.utc", "dt.UTC")


def _limits(domain: Domain, writer: _Writer) -> str:
    found = []
    type_ = domain.type
    if isinstance(type_, DecimalType) and type_.scale is not None:
        found.append(f"max_digits={MAX_DIGITS}, decimal_places={type_.scale}")
    if domain.low is not None and not isinstance(type_, EnumType):
        found.append(f"ge={writer._value(domain.low, type_)}")
    if domain.high is not None and not isinstance(type_, EnumType):
        found.append(f"le={writer._value(domain.high, type_)}")
    if domain.max_length is not None:
        found.append(f"max_length={domain.max_length}")
    return ", ".join(found)


def _enum(name: str, found: EnumType) -> str:
    lines = [f"class {name}(StrEnum):", f"    {_doc(f'One of the members of {found}.')}", ""]
    lines += [f"    {_identifier(member)} = {member!r}" for member in found.member_names]
    return "\n".join(lines) + "\n"


def _doc(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace('"', "'").strip()
    return f'"""{plain}"""'


def _class_names(relations: Collection[Relation]) -> dict[str, str]:
    """A class name for each relation, with its module where several are called alike."""
    short = [_camel(r.bare_name) for r in relations]
    return {
        r.name: name if short.count(name) == 1 else _camel(r.name)
        for r, name in zip(relations, short, strict=True)
    }


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"\W+|_", name) if part) or "X"


def _identifier(name: str) -> str:
    found = re.sub(r"\W", "_", name)
    if keyword.iskeyword(found) or found.startswith(("_", "model_")) or not found.isidentifier():
        found = f"{found.lstrip('_')}_"
    if not found.isidentifier():
        found = f"field_{found}"
    return f"{found}_" if found in _TAKEN else found


_TAKEN: Final = frozenset({"construct", "copy", "dict", "dt", "json", "schema", "validate"})
"""Attributes of every pydantic model, which a field must not hide."""
