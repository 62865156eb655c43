"""Python objects as rows: dataclasses, pydantic models, named tuples and mappings."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel


def as_fields(given: Any) -> Any:
    """The object's own fields as a dict, one level deep; what is no such object, as it is.

    A mapping is copied, a dataclass, pydantic model or named tuple read by its declared fields.
    """
    if type(given) is dict:
        return given
    if isinstance(given, BaseModel):
        return {
            info.serialization_alias or info.alias or name: as_value(getattr(given, name))
            for name, info in type(given).model_fields.items()
        }
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        return {f.name: as_value(getattr(given, f.name)) for f in dataclasses.fields(given)}
    if isinstance(given, tuple) and hasattr(given, "_fields"):
        return {name: as_value(value) for name, value in zip(given._fields, given, strict=True)}
    if isinstance(given, Mapping):
        return dict(given)
    return given


def as_value(given: Any) -> Any:
    """A field's value, with lists of such objects read as lists of their fields, and members of an `Enum` as their values."""
    if isinstance(given, list | tuple) and not hasattr(given, "_fields"):
        return [_as_element(item) for item in given]
    if isinstance(given, set | frozenset):
        return [_as_element(item) for item in given] if _has_members(given) else given
    return given.value if isinstance(given, enum.Enum) else given


def _has_members(given: Iterable[Any]) -> bool:
    return any(isinstance(item, enum.Enum) for item in given)


def _as_element(given: Any) -> Any:
    if isinstance(given, enum.Enum):
        return given.value
    is_object = isinstance(given, BaseModel) or (
        dataclasses.is_dataclass(given) and not isinstance(given, type)
    )
    return as_fields(given) if is_object or hasattr(given, "_fields") else given
