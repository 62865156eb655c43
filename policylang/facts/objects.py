"""Python objects as rows: dataclasses, pydantic models, named tuples and mappings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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
    """A field's value, with lists of such objects read as lists of their fields."""
    if isinstance(given, list | tuple) and not hasattr(given, "_fields"):
        return [_as_element(item) for item in given]
    return given


def _as_element(given: Any) -> Any:
    is_object = isinstance(given, BaseModel) or (
        dataclasses.is_dataclass(given) and not isinstance(given, type)
    )
    return as_fields(given) if is_object or hasattr(given, "_fields") else given
