"""From what pydantic says of a row to problems in the policy's terms: path, received, expected, hint.

Only refused requests come here, so that nothing of this costs a valid one anything.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from pydantic_core import ErrorDetails, ValidationError

from policylang.errors import InternalError
from policylang.facts import codes
from policylang.facts.describe import describe, literal, shown
from policylang.facts.forms import LONGEST_FORM, Reader, Unfit, spellings
from policylang.facts.normalizers import NORMALIZERS, misuses
from policylang.facts.reading import normalizers_of, reader
from policylang.facts.rejection import Problem, problem
from policylang.facts.types import (
    Domain,
    EnumType,
    Field,
    ListType,
    RecordType,
    ScalarType,
    SetType,
    base,
)


def escaped(step: object) -> str:
    """One step of a JSON pointer."""
    return str(step).replace("~", "~0").replace("/", "~1")


def safe(name: object) -> str:
    """A name that a caller made up, short and printable."""
    text = str(name) if isinstance(name, str | int) else type(name).__name__
    text = text if len(text) <= 60 else f"{text[:57]}..."
    if not text:
        return '""'
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def problems_of(
    error: ValidationError, columns: Sequence[Field], path: str, pointer: str
) -> Iterator[Problem]:
    """The problems of one row that pydantic refused; the row stands at `path` and `pointer`."""
    for detail in error.errors(include_url=False):
        yield _problem_of(detail, columns, path, pointer)


def rows_problems(
    error: ValidationError, columns: Sequence[Field], path: str, pointer: str
) -> Iterator[Problem]:
    """The problems of a list of rows that pydantic refused."""
    for detail in error.errors(include_url=False):
        index, rest = detail["loc"][0], detail["loc"][1:]
        row = ErrorDetails({**detail, "loc": rest})
        yield _problem_of(row, columns, f"{path}[{index}]", f"{pointer}/{index}")


def _problem_of(detail: ErrorDetails, columns: Sequence[Field], path: str, pointer: str) -> Problem:
    kind, given = detail["type"], detail["input"]
    secret, domain, fields = False, None, tuple(columns)
    for step in detail["loc"]:
        element = _element(domain)
        path += f".{safe(step)}" if element is None else f"[{step}]"
        pointer += f"/{escaped(safe(step))}"
        field = next((f for f in fields if f.name == step), None)
        if element is not None:
            domain = element
        elif field is None:
            return problem(codes.UNKNOWN_FIELD, path, pointer, hint=nearest(step, fields))
        else:
            domain, secret = field.domain, secret or field.secret
        fields = domain.type.fields if isinstance(domain.type, RecordType) else ()
    if domain is None:
        return not_an_object(given, path, pointer)
    if kind == "missing":
        return problem(codes.MISSING_FIELD, path, pointer, expected=describe(domain))
    return problem_of_value(given, domain, path, pointer, secret=secret)


def _element(domain: Domain | None) -> Domain | None:
    """The domain of the elements, for a collection."""
    match domain:
        case Domain(type=SetType(element) | ListType(element)):
            return element
        case _:
            return None


def not_an_object(given: object, path: str, pointer: str) -> Problem:
    """The problem of a row that is no object."""
    return problem(codes.BAD_SHAPE, path, pointer, received=shown(given), expected="an object")


def problem_of_value(
    given: object, domain: Domain, path: str, pointer: str, *, secret: bool = False
) -> Problem:
    """Why a value is none of its domain: the reader of the domain is asked."""
    expected = describe(domain)
    if given is None:
        hint = "give a value; what may be missing is declared with `?`"
        return problem(codes.NULL, path, pointer, received="null", expected=expected, hint=hint)
    try:
        value = reader(domain)(given)
    except Unfit as unfit:
        return unfit_problem(unfit, given, domain, path, pointer, secret=secret)
    if value is not None:
        raise InternalError(f"two readings of one value for {expected}")
    received = shown(given, secret=secret)
    hint = f"{received} means null here, by `normalize nulls`"
    return problem(codes.NULL, path, pointer, received=received, expected=expected, hint=hint)


def unfit_problem(
    unfit: Unfit, given: object, domain: Domain, path: str, pointer: str, *, secret: bool = False
) -> Problem:
    """The problem of a value that a reader refused."""
    return problem(
        unfit.code,
        path,
        pointer,
        received=shown(given, secret=secret),
        expected=describe(domain),
        detail="" if secret else unfit.detail,
        hint=unfit.hint or (None if secret else _hint(unfit, given, domain)),
    )


def nearest(name: object, fields: Iterable[Field]) -> str | None:
    """A hint with the declared field that a made-up name is nearest to."""
    return did_you_mean(name, [field.name for field in fields])


def did_you_mean(name: object, names: Sequence[str]) -> str | None:
    """A hint with the nearest of some names, if one is near."""
    if not isinstance(name, str) or len(name) > 100:
        return None
    return _nearest(name, tuple(names))


@lru_cache(maxsize=1024)
def _nearest(name: str, names: tuple[str, ...]) -> str | None:
    found = difflib.get_close_matches(name.lower(), [n.lower() for n in names[:1_000]], n=1)
    if not found:
        return None
    return f"did you mean `{next(n for n in names if n.lower() == found[0])}`?"


def _hint(unfit: Unfit, given: object, domain: Domain) -> str | None:
    if not isinstance(given, str) or len(given) > LONGEST_FORM:
        return None
    if unfit.code in (codes.WRONG_TYPE, codes.MALFORMED, codes.UNKNOWN_MEMBER):
        names = _helpful_normalizers(given, domain)
        if names:
            return f"declare `normalize {', '.join(names)}` to accept this form"
    type_ = base(domain.type)
    if isinstance(type_, EnumType):
        return _nearest_member(given, type_)
    return None


@lru_cache(maxsize=1024)
def _helpful_normalizers(given: str, domain: Domain) -> tuple[str, ...]:
    """The fewest normalizers under which the text is one of the domain; empty where none help."""
    for names, read in _candidates(domain):
        try:
            if read(given) is not None:
                return names
        except Unfit:
            continue
    return ()


@lru_cache(maxsize=1024)
def _candidates(domain: Domain) -> tuple[tuple[tuple[str, ...], Reader], ...]:
    """What could be declared for a domain besides: one normalizer, or `trim` and one, with its reader."""
    type_ = base(domain.type)
    own = normalizers_of(domain)
    single = [(n,) for n in NORMALIZERS if n != "nulls" and n not in own]
    pairs = [("trim", *names) for names in single if names != ("trim",) and "trim" not in own]
    return tuple(
        (names, reader(_with_normalizers(domain, own + names)))
        for names in [*single, *pairs]
        if not any(misuses(own + names, type_))
    )


def _with_normalizers(domain: Domain, names: tuple[str, ...]) -> Domain:
    type_ = base(domain.type)
    if isinstance(type_, EnumType):
        type_, names = EnumType(type_.name, type_.members, names), ()
    return Domain(type_, domain.low, domain.high, domain.max_length, names)


@lru_cache(maxsize=1024)
def _nearest_member(given: str, type_: EnumType) -> str | None:
    texts = spellings(type_)
    lowered = {text.lower(): member for text, member in texts.items()}
    found = difflib.get_close_matches(given.strip().lower(), list(lowered)[:1_000], n=1)
    return f"did you mean `{lowered[found[0]]}`?" if found else None


def dangling(value: Any, field: Field, target: str, path: str, pointer: str) -> Problem:
    """The problem of a reference to a row that is not there."""
    type_ = base(field.domain.type)
    text = "a key (secret)" if field.secret else literal_or_shown(value, type_)
    return problem(
        codes.DANGLING_REFERENCE,
        path,
        pointer,
        received=text,
        expected=f"a key of {target}",
        detail=target,
        hint=f"give the row with the request, or declare `ref {target}?`",
    )


def literal_or_shown(value: Any, type_: Any) -> str:
    """A value as a policy would write it, shortened where it is long."""
    if isinstance(value, str) and (type_ is ScalarType.STRING or isinstance(type_, EnumType)):
        return shown(value)
    return literal(value, type_)
