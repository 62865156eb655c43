"""Atoms as people write them: `suspicious("c1")`, `linked(a: "c1")`, read for a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policylang.bundle import codes
from policylang.diagnostics import Diagnostic, Source, has_errors
from policylang.errors import PolicyInvalid
from policylang.facts import forms
from policylang.facts.forms import Unfit
from policylang.facts.reading import strict_reader
from policylang.facts.types import Domain, Type, base
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics.program import Program
from policylang.semantics.suggest import did_you_mean
from policylang.syntax import parse, tree

_BEFORE = "define question if "


@dataclass(frozen=True, slots=True)
class Question:
    """An atom that is asked about: its qualified name, and its arguments, None where any will do."""

    name: str
    arguments: tuple[Value | Missing | None, ...]


@dataclass(frozen=True, slots=True)
class _Signature:
    """What an atom of a name looks like; `columns` is empty for definitions, whose arguments have no names."""

    name: str
    types: tuple[Type, ...]
    columns: tuple[str, ...] = ()


def read_atom(text: str, program: Program) -> Question:
    """The atom of a text: the name of a definition or a relation, and in parentheses constants, `_`
    or variables (any value), and `NAME: missing`. Fields of a relation may be named, and left out.

    Raises `PolicyInvalid` where it is no atom, or none of this program.
    """
    source = Source("<atom>", _BEFORE + text)
    parsed = parse(source)
    if has_errors(parsed.diagnostics) or parsed.module is None:
        raise PolicyInvalid([_malformed(text)])
    match parsed.module.statements:
        case (tree.DefineStatement(condition=tree.Call() as call),):
            return _question(call.callee.text, call.arguments, program)
        case (tree.DefineStatement(condition=tree.Path() as path),):
            return _question(path.text, (), program)
        case _:
            raise PolicyInvalid([_malformed(text)])


def _malformed(text: str) -> Diagnostic:
    return codes.NOT_AN_ATOM.at(None, text=text)


def _question(name: str, arguments: Sequence[tree.Argument], program: Program) -> Question:
    signature = _signature(name, program)
    found: list[Value | Missing | None] = [None] * len(signature.types)
    if len(arguments) > len(found):
        raise PolicyInvalid(
            [codes.TOO_MANY_ARGUMENTS.at(None, name=name, most=len(found), given=len(arguments))]
        )
    for number, argument in enumerate(arguments):
        position = number if argument.name is None else _position(signature, argument.name.text)
        found[position] = _value(argument.value, signature.types[position])
    return Question(signature.name, tuple(found))


def _signature(name: str, program: Program) -> _Signature:
    candidates = {p.name: _Signature(p.name, p.types) for p in program.predicates.values()}
    for relation in program.schema.relations.values():
        types = tuple(column.domain.type for column in relation.columns)
        columns = tuple(column.name for column in relation.columns)
        candidates[relation.name] = _Signature(relation.name, types, columns)
    if name in candidates:
        return candidates[name]
    found = [full for full in candidates if full.endswith(f".{name}")]
    # `approvals.granted` ends in the name of an imported module, which has more parts than it is called by.
    match found:
        case [only]:
            return candidates[only]
        case []:
            hint = did_you_mean(name, [full.partition(".")[2] or full for full in candidates])
            raise PolicyInvalid([codes.UNKNOWN_ATOM.at(None, name=name, hint=hint)])
        case _:
            several = " or ".join(f"`{full}`" for full in sorted(found))
            raise PolicyInvalid([codes.AMBIGUOUS_ATOM.at(None, name=name, several=several)])


def _position(signature: _Signature, column: str) -> int:
    if column in signature.columns:
        return signature.columns.index(column)
    hint = did_you_mean(column, signature.columns)
    raise PolicyInvalid(
        [codes.UNKNOWN_ATOM_FIELD.at(None, name=signature.name, field=column, hint=hint)]
    )


def _value(written: tree.Expr, type_: Type) -> Value | Missing | None:
    match written:
        case tree.Wildcard() | tree.Variable():
            return None
        case tree.PresenceMark():
            return None if written.present else MISSING
        case _:
            try:
                value: Value | None = strict_reader(Domain(base(type_)))(_given(written))
            except Unfit:
                text = written.span.text
                raise PolicyInvalid(
                    [codes.UNFIT_ARGUMENT.at(None, text=text, type=str(type_))]
                ) from None
            return value


def _given(written: tree.Expr) -> object:
    """A constant in the form of requests."""
    match written:
        case (
            tree.BoolLiteral()
            | tree.IntLiteral()
            | tree.DecimalLiteral()
            | tree.StringLiteral()
            | tree.DurationLiteral()
            | tree.DateLiteral()
            | tree.TimeLiteral()
        ):
            return written.value
        case tree.DateTimeLiteral():
            return forms.write_datetime(written.value)
        case tree.ListLiteral():
            return [_given(item) for item in written.items]
        case tree.EnumValue():
            return written.member.text
        case tree.Path() if len(written.names) == 1:
            return written.text
        case tree.Call() if written.callee.text in ("ip", "cidr") and len(written.arguments) == 1:
            return _given(written.arguments[0].value)
        case _:
            return None
