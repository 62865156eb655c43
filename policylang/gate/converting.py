"""From a value that was decided to what a function expects, and back again to see that it means the same.

| field              | without annotation    | annotated otherwise                                            |
|--------------------|-----------------------|----------------------------------------------------------------|
| Decimal            | `Decimal`             | `str`; `float` where that is the same number                   |
| enums              | `str`                 | `enum.Enum`, `Literal`                                         |
| Date, DateTime ... | `datetime` objects    | `str` (ISO 8601)                                               |
| Set[T], List[T]    | `set`, `list`         | `tuple`, `frozenset`, ...                                      |
| records            | `dict`                | dataclasses, pydantic models, typed dicts                      |

What pydantic makes of a value by an annotation is read back through the type of the field.
"""

from __future__ import annotations

import datetime as dt
import types
import typing
from decimal import Decimal
from typing import Any, Final, assert_never

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from policylang.decide.json import typed
from policylang.facts.reading import reader
from policylang.facts.types import (
    BOOL,
    DATE,
    DATETIME,
    DURATION,
    INT,
    STRING,
    TIME,
    DecimalType,
    EnumType,
    Field,
    ListType,
    RecordType,
    RefType,
    ScalarType,
    SetType,
    Type,
    base,
)
from policylang.facts.values import Missing, Record, Value

UNTYPED: Final = Any
"""The annotation of a parameter that has none."""

_JUDGED: Final = frozenset(
    {
        bool, int, float, complex, str, bytes, Decimal, dt.date, dt.datetime, dt.time, dt.timedelta,
        list, dict, set, tuple, frozenset,
    }
)  # fmt: skip
"""Annotations of which it can be said without a value whether a field fits."""

_PLAIN: Final[dict[ScalarType, set[Any]]] = {
    BOOL: {bool},
    INT: {int, Decimal, str},
    STRING: {str},
    DATE: {dt.date, str},
    DATETIME: {dt.datetime, str},
    TIME: {dt.time, str},
    DURATION: {dt.timedelta, str},
}


def natural(value: Value, type_: Type) -> Any:
    """A value as Python code expects it: records as dicts, lists and sets as new ones; the rest as it is."""
    match base(type_):
        case RecordType(fields=fields):
            assert isinstance(value, Record)
            return {
                field.name: natural(item, field.domain.type)
                for field, item in zip(fields, value.values, strict=True)
                if not isinstance(item, Missing)
            }
        case ListType(element=element):
            assert isinstance(value, tuple)
            return [natural(item, element.type) for item in value]
        case SetType():
            assert isinstance(value, frozenset)
            return set(value)
        case _:
            return value


def accepts(hint: Any, column: Field, *, may_be_none: bool) -> bool:
    """Whether a parameter of this annotation can hold every value of a field, as far as that can be told."""
    options = _options(hint)
    if may_be_none and hint is not UNTYPED and type(None) not in options and object not in options:
        return False
    judged = [option for option in options if option in _JUDGED]
    if len(judged) < len([option for option in options if option is not type(None)]):
        return True
    return any(option in _fitting(column.domain.type) for option in judged)


def advice(column: Field, *, may_be_none: bool) -> str:
    """Which annotations take every value of a field, as a hint."""
    names = [kind.__name__ for kind in _BY_HABIT if kind in _fitting(column.domain.type)]
    if isinstance(base(column.domain.type), RefType):
        return "annotate it with the type of the key that it refers to"
    return "annotate it as " + " or ".join(f"`{n}{' | None' * may_be_none}`" for n in names)


_BY_HABIT: Final = (
    bool, int, Decimal, dt.date, dt.datetime, dt.time, dt.timedelta,
    set, list, dict, frozenset, tuple, str, float,
)  # fmt: skip
"""Annotations in the order in which they are recommended."""


def _options(hint: Any) -> tuple[Any, ...]:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _options(typing.get_args(hint)[0])
    if origin in (typing.Union, types.UnionType):
        return tuple(option for each in typing.get_args(hint) for option in _options(each))
    return (origin if origin is not None and origin in _JUDGED else hint,)


def _fitting(type_: Type) -> set[Any]:
    kind = base(type_)
    match kind:
        case DecimalType():
            return {Decimal, str, float}
        case EnumType():
            return {str}
        case ListType():
            return {list, tuple}
        case SetType():
            return {set, frozenset, list, tuple}
        case RecordType():
            return {dict}
        case ScalarType():
            return set(_PLAIN.get(kind, (str,)))
        case RefType():
            return set(_JUDGED)  # a key of another fact, of whatever type that is
        case _:
            assert_never(kind)


class Converter:
    """Makes the argument of one parameter from the value of its field, and reads it back."""

    def __init__(self, column: Field, hint: Any) -> None:
        self._domain = column.domain
        self._read = reader(column.domain)
        self._adapter: TypeAdapter[Any] | None = None
        self._is_text = hint is str
        if hint is not UNTYPED and not self._is_text:
            try:
                self._adapter = TypeAdapter(hint)
            except (PydanticSchemaGenerationError, PydanticUserError):
                # An annotation that pydantic knows nothing of: the value goes as it is.
                self._adapter = None

    def make(self, value: Value) -> Any:
        """A new argument from a value. What the annotation does not take goes as it is, and is told by `form`."""
        made = natural(value, self._domain.type)
        if self._is_text:
            form = typed(value, self._domain.type)
            return form if isinstance(form, str) else str(form)
        if self._adapter is None:
            return made
        for given in (made, typed(value, self._domain.type)):
            try:
                return self._adapter.validate_python(given)
            except ValidationError:
                continue
        return _Unfitting()

    def form(self, made: Any) -> Any:
        """The JSON form of what an argument means for the field; None where it means nothing."""
        try:
            if self._adapter is not None:
                made = self._adapter.dump_python(made, mode="json", warnings=False)
            elif self._is_text and self._domain.type is INT:
                made = int(made)
            value = self._read(list(made) if isinstance(made, set) else made)
        except ValueError:  # `Unfit`, or what pydantic cannot write
            return None
        return None if value is None else typed(value, self._domain.type)


class _Unfitting:
    """In the place of an argument that cannot be made; no function gets it."""
