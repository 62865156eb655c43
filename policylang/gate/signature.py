"""How a Python function meets an action: which parameter is which field, checked when it is decorated.

Parameters are fields by their names, unless told otherwise. Every parameter has to be decided, or be named as one that is not
(a connection, a logger): an argument that no rule sees would run unseen. Arguments are bound as Python binds them, defaults included.
"""

from __future__ import annotations

import enum
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policylang.diagnostics import Diagnostic
from policylang.facts.forms import Unfit
from policylang.facts.reading import reader
from policylang.facts.schema import Relation
from policylang.facts.types import Field
from policylang.facts.values import Missing
from policylang.gate import codes
from policylang.gate.converting import UNTYPED, Converter, accepts, advice
from policylang.gate.verdict import ExecutedOtherwise, Verdict
from policylang.semantics.suggest import did_you_mean

_OWN: Final = ("self", "cls")
_VARIABLE: Final = {
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.VAR_KEYWORD: "**",
}


@dataclass(frozen=True, slots=True)
class Mapped:
    """How the parameters of a function are named: fields by parameter, and those that are not decided."""

    fields: Mapping[str, str]
    undecided: Sequence[str] = ()


class Signature:
    """A function's parameters, each with the field that it is. Made by `read_signature`, which checks them."""

    def __init__(
        self,
        function: Callable[..., Any],
        relation: Relation,
        parameters: inspect.Signature,
        fields: Mapping[str, Field],
    ) -> None:
        self._name = _name(function)
        self._parameters = parameters
        self._fields = fields
        hints = _hints(function)
        self._converters = {
            name: Converter(column, hints.get(name, UNTYPED)) for name, column in fields.items()
        }
        self._columns = relation.columns

    def is_for(self, relation: Relation) -> bool:
        """Whether it was checked against this declaration of the action."""
        return self._columns == relation.columns

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        """Arguments as Python binds them, defaults included. Raises `TypeError` as calling the function would."""
        bound = self._parameters.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound

    def asked(self, bound: inspect.BoundArguments) -> dict[str, Any]:
        """The arguments of the action, as they were given."""
        return {
            column.name: _meant(bound.arguments[parameter])
            for parameter, column in self._fields.items()
        }

    def decided(self, bound: inspect.BoundArguments, verdict: Verdict) -> inspect.BoundArguments:
        """The arguments that were decided, as the function expects them; those that are not decided as given.

        Every one that is decided is made anew. Raises `ExecutedOtherwise` where what the function would get does
        not mean what was decided, or where something was decided that it does not take.
        """
        values = dict(verdict.arguments)
        forms: dict[str, Any] = {}
        for parameter, column in self._fields.items():
            converter = self._converters[parameter]
            if column.name in values:
                made = converter.make(values.pop(column.name))
                if (form := converter.form(made)) is not None:
                    forms[column.name] = form
            else:
                made = self._without(parameter)
            bound.arguments[parameter] = made
        if values or forms != verdict.json_arguments:
            raise ExecutedOtherwise(verdict.decision_id, verdict.json_arguments, forms)
        return bound

    def _without(self, parameter: str) -> Any:
        """What a function gets where an optional field is missing: its own default, or None."""
        default = self._parameters.parameters[parameter].default
        return None if default is inspect.Parameter.empty else default


def read_signature(
    function: Callable[..., Any], relation: Relation, mapped: Mapped
) -> tuple[Signature | None, list[Diagnostic]]:
    """The signature of a function before which the gate is put for an action, or what is wrong with it."""
    parameters = inspect.signature(function)
    columns = {column.name: column for column in relation.columns}
    undecided = {*mapped.undecided, *_own(parameters, columns)}
    fields = {
        name: columns[mapped.fields.get(name, name)]
        for name, parameter in parameters.parameters.items()
        if parameter.kind not in _VARIABLE
        and name not in undecided
        and mapped.fields.get(name, name) in columns
    }
    found = [
        *_generator(function),
        *_unknown(function, parameters, mapped),
        *_parameters(function, relation, parameters, fields, undecided),
        *_fields(function, relation, fields),
        *_types(function, fields, parameters),
    ]
    return (None if found else Signature(function, relation, parameters, fields)), found


def _own(parameters: inspect.Signature, columns: Mapping[str, Field]) -> tuple[str, ...]:
    """The object that a method is called on is not decided."""
    first = next(iter(parameters.parameters), "")
    return (first,) if first in _OWN and first not in columns else ()


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__name__).rpartition("<locals>.")[2]


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations, as far as they can be resolved."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - whatever an annotation refers to: it then says nothing
        return {}


def _generator(function: Callable[..., Any]) -> Iterator[Diagnostic]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        yield codes.GENERATOR.at(None, function=_name(function))


def _unknown(
    function: Callable[..., Any], parameters: inspect.Signature, mapped: Mapped
) -> Iterator[Diagnostic]:
    for name in (*mapped.fields, *mapped.undecided):
        if name not in parameters.parameters:
            hint = did_you_mean(name, parameters.parameters)
            yield codes.UNKNOWN_PARAMETER.at(
                None, function=_name(function), parameter=name, hint=hint
            )


def _parameters(
    function: Callable[..., Any],
    relation: Relation,
    parameters: inspect.Signature,
    fields: Mapping[str, Field],
    undecided: set[str],
) -> Iterator[Diagnostic]:
    """Parameters that are no field, or that have no name."""
    for name, parameter in parameters.parameters.items():
        if name in undecided or name in fields:
            continue
        if parameter.kind in _VARIABLE:
            shown = _VARIABLE[parameter.kind] + name
            yield codes.VARIABLE_PARAMETERS.at(None, function=_name(function), parameter=shown)
            continue
        yield codes.UNDECIDED_PARAMETER.at(
            None,
            parameter=name,
            function=_name(function),
            action=relation.bare_name,
            hint=f'declare it as a field, or say `undecided=["{name}"]` where no model chooses it',
        )


def _fields(
    function: Callable[..., Any], relation: Relation, fields: Mapping[str, Field]
) -> Iterator[Diagnostic]:
    """Fields that the function does not take: what is decided of them would not be done."""
    taken = {column.name for column in fields.values()}
    for column in relation.columns:
        if column.name not in taken:
            yield codes.NO_PARAMETER.at(
                None, function=_name(function), field=column.name, action=relation.bare_name
            )


def _types(
    function: Callable[..., Any], fields: Mapping[str, Field], parameters: inspect.Signature
) -> Iterator[Diagnostic]:
    hints = _hints(function)
    for name, column in fields.items():
        default = parameters.parameters[name].default
        has_default = default is not inspect.Parameter.empty
        hint = hints.get(name, UNTYPED)
        may_be_none = column.optional and not has_default
        if not accepts(hint, column, may_be_none=may_be_none):
            yield codes.OTHER_TYPE.at(
                None,
                parameter=name,
                function=_name(function),
                annotation=getattr(hint, "__name__", str(hint)),
                field=column.name,
                type=_described(column),
                hint=advice(column, may_be_none=may_be_none),
            )
        if has_default and not _is_value(default, column):
            yield codes.BAD_DEFAULT.at(
                None, parameter=name, function=_name(function), type=_described(column)
            )


def _meant(given: Any) -> Any:
    """What an argument is to the policy: a function that gets members of an enumeration is called with them, too."""
    match given:
        case enum.Enum():
            return given.value
        case list() | tuple() | set() | frozenset() if any(isinstance(e, enum.Enum) for e in given):
            return [_meant(element) for element in given]
        case _:
            return given


def _described(column: Field) -> str:
    return f"{column.domain.type}{'?' if column.optional else ''}"


def _is_value(default: Any, column: Field) -> bool:
    if default is None:
        return column.optional or not isinstance(column.default, Missing)
    try:
        return reader(column.domain)(_meant(default)) is not None or column.optional
    except Unfit:
        return False
