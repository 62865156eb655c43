"""Atoms as people write them: `suspicious("c1")`, `linked(a: "c1")`, read for a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policylang.bundle import codes
from policylang.diagnostics import Diagnostic, Severity, Source, has_errors
from policylang.errors import PolicyInvalid
from policylang.facts import forms
from policylang.facts.forms import Unfit
from policylang.facts.reading import strict_reader
from policylang.facts.types import STRING, Domain, EnumType, Type, base, is_number
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics import codes as checked
from policylang.semantics.constants import members_hint
from policylang.semantics.program import Program
from policylang.semantics.suggest import did_you_mean
from policylang.semantics.words import a_type, plural
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
        raise PolicyInvalid([_malformed(text, parsed.diagnostics)])
    match parsed.module.statements:
        case (tree.DefineStatement(condition=tree.Call() as call),):
            return _question(call.callee.text, call.arguments, program)
        case (tree.DefineStatement(condition=tree.Path() as path),):
            return _question(path.text, (), program)
        case _:
            raise PolicyInvalid([_malformed(text)])


def _malformed(text: str, problems: Sequence[Diagnostic] = ()) -> Diagnostic:
    """What is said of a text that is not an atom; of one that cannot be read, why not."""
    first = next((p for p in problems if text.strip() and p.severity is Severity.ERROR), None)
    if first is None:
        return codes.NOT_AN_ATOM.at(None, text=text, reason="")
    return codes.NOT_AN_ATOM.at(None, text=text, reason=f": {first.message}", hint=first.hint)


def _question(name: str, arguments: Sequence[tree.Argument], program: Program) -> Question:
    signature = _signature(name, program)
    found: list[Value | Missing | None] = [None] * len(signature.types)
    if len(arguments) > len(found):
        raise PolicyInvalid([_too_many(name, signature, len(arguments))])
    placed: set[int] = set()
    for number, argument in enumerate(arguments):
        position = (
            number if argument.name is None else _position(name, signature, argument.name.text)
        )
        if position in placed:
            called = signature.columns[position]
            raise PolicyInvalid([checked.DUPLICATE_ARGUMENT.at(None, name=called)])
        placed.add(position)
        place = f"argument {position + 1} of `{name}`"
        if signature.columns:
            place = f"`{signature.columns[position]}` of `{name}`"
        found[position] = _value(argument.value, signature.types[position], place)
    return Question(signature.name, tuple(found))


def _too_many(name: str, signature: _Signature, given: int) -> Diagnostic:
    most = plural(len(signature.types), "field" if signature.columns else "argument")
    hint = None
    if signature.columns:
        hint = f"its fields are {_listed(signature.columns)}; those that do not matter are left out"
    words = f"{given} {'is' if given == 1 else 'are'}"
    return codes.TOO_MANY_ARGUMENTS.at(None, name=name, most=most, given=words, hint=hint)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


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


def _position(name: str, signature: _Signature, column: str) -> int:
    if column in signature.columns:
        return signature.columns.index(column)
    hint = "the arguments of a definition have no names: give them in their order"
    if signature.columns:
        close = did_you_mean(column, signature.columns)
        hint = close or f"its fields are {_listed(signature.columns)}"
    raise PolicyInvalid([codes.UNKNOWN_ATOM_FIELD.at(None, name=name, field=column, hint=hint)])


def _value(written: tree.Expr, type_: Type, place: str) -> Value | Missing | None:
    match written:
        case tree.Wildcard() | tree.Variable():
            return None
        case tree.PresenceMark():
            return None if written.present else MISSING
        case _:
            try:
                value: Value | None = strict_reader(Domain(base(type_)))(_given(written))
            except Unfit:
                found = codes.UNFIT_ARGUMENT.at(
                    None,
                    text=written.span.text,
                    type=a_type(base(type_)),
                    place=place,
                    hint=_fitting(written, base(type_)),
                )
                raise PolicyInvalid([found]) from None
            return value


def _fitting(written: tree.Expr, type_: Type) -> str | None:
    """How a value of the type is written, where what stands there shows what was meant."""
    match type_:
        case EnumType():
            return members_hint(type_)
        case _ if type_ is STRING and not isinstance(written, tree.StringLiteral):
            return f'write "{written.span.text}" for the text'
        case _ if is_number(type_) and isinstance(written, tree.StringLiteral):
            return "numbers stand without quotes"
        case _:
            return None


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
