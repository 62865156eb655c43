"""Code that reads one column of a row, as syntax trees: what is usually given is looked at where it stands.

`x` is the variable that holds what was given, and then the value. Whatever is not of the usual form goes to the reader of
the domain, which takes or refuses it: so the code accepts what the reader accepts, as the same values.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from pydantic_core import SchemaValidator

from policylang.facts import forms, tree
from policylang.facts.reading import normalizers_of, reader
from policylang.facts.tree import Statements
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
from policylang.facts.validators import quick_schema
from policylang.facts.values import MISSING

MOST_LOOKED_AT: Final = 32
"""Elements of a set that are looked at one by one in Python; pydantic goes through more of them faster."""

REFUSED: Final = tree.give(tree.NONE)
"""The end of the code where a request has to go the whole way."""


class Names:
    """The values that code reads by name, beside its literals."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {"ABSENT": object(), "MISSING": MISSING, "Decimal": Decimal}

    def of(self, value: object) -> ast.expr:
        """The name of a value."""
        identifier = f"k{len(self.values)}"
        self.values[identifier] = value
        return tree.name(identifier)


def column_code(field: Field, x: str, names: Names) -> Statements:
    """The statements that make what was given for a column, not absent, its value."""
    domain = field.domain
    given, missing = tree.name(x), [tree.assign(x, tree.name("MISSING"))]
    is_none = tree.is_none(given)
    read = domain_code(domain, x, names)
    nothing = "nulls" in normalizers_of(domain)
    if field.optional:
        return [tree.when(is_none, missing, [*read, *([tree.when(is_none, missing)] * nothing)])]
    return [*read, *([tree.when(is_none, [REFUSED])] * nothing)]


def domain_code(domain: Domain, x: str, names: Names) -> Statements:
    """The statements that make what was given for a domain its value."""
    given = tree.name(x)
    if isinstance(domain.type, RefType) and not normalizers_of(domain):
        key = Domain(domain.type.key, domain.low, domain.high, domain.max_length)
        return domain_code(key, x, names)
    read = [tree.assign(x, tree.call(names.of(_reader(domain)), given))]
    usual = _usual(domain, x, names)
    if usual is None:
        return read
    conditions, value = usual
    if value is None:
        return [tree.when(tree.negated(tree.all_of(conditions)), read)]
    return [tree.when(tree.all_of(conditions), [tree.assign(x, value)], read)]


def _usual(
    domain: Domain, x: str, names: Names
) -> tuple[Sequence[ast.expr], ast.expr | None] | None:
    """What holds of the usual form, and the value that it stands for, if that is another one."""
    unbounded = domain.low is None and domain.high is None
    match domain.type:
        case EnumType(member_names=members) if unbounded and members:
            own = tree.compare(tree.name(x), ast.In(), names.of(frozenset(members)))
            return [_is_exactly(x, str), own], None
        case _ if normalizers_of(domain):
            return None
        case ScalarType.BOOL:
            return [_is_exactly(x, bool)], None
        case ScalarType.INT:
            return _usual_int(domain, x, names), None
        case ScalarType.STRING if unbounded:
            return _usual_text(domain, x), None
        case DecimalType(scale) if scale is not None:
            return _usual_decimal(domain, scale, x, names)
        case _:
            return None


def _is_exactly(x: str, kind: type) -> ast.expr:
    return tree.compare(tree.call("type", tree.name(x)), ast.Is(), tree.name(kind.__name__))


def _usual_int(domain: Domain, x: str, names: Names) -> list[ast.expr]:
    limit = 10**forms.MOST_INT_DIGITS - 1
    ends = [
        names.of(default if end is None else end)
        for end, default in ((domain.low, -limit), (domain.high, limit))
    ]
    return [_is_exactly(x, int), _within(tree.name(x), ends)]


def _within(value: ast.expr, ends: Sequence[ast.expr]) -> ast.expr:
    return ast.Compare(ends[0], [ast.LtE(), ast.LtE()], [value, ends[1]])


def _usual_text(domain: Domain, x: str) -> list[ast.expr]:
    longest = forms.LONGEST_TEXT
    if domain.max_length is not None:
        longest = min(longest, domain.max_length)
    given = tree.name(x)
    return [
        _is_exactly(x, str),
        tree.method(given, "isascii"),
        tree.compare(tree.constant("\0"), ast.NotIn(), given),
        tree.compare(tree.call("len", given), ast.LtE(), tree.constant(longest)),
    ]


def _usual_decimal(
    domain: Domain, scale: int, x: str, names: Names
) -> tuple[list[ast.expr], ast.expr]:
    """A text with all its places. One that its Decimal prints as is a plain number: `007.00` and `1_0.00` are not.

    INVARIANT: with the point at its place there is no exponent, which would need three characters after it.
    """
    quantum = Decimal(1).scaleb(-scale)
    largest = Decimal(10) ** (MAX_DIGITS - scale) - quantum
    low: Any = -largest if domain.low is None else domain.low
    high: Any = largest if domain.high is None else domain.high
    ends = [names.of(max(Decimal(low), -largest)), names.of(min(Decimal(high), largest))]
    given, number = tree.name(x), tree.name(f"{x}_d")
    made = ast.NamedExpr(ast.Name(f"{x}_d", ast.Store()), tree.call("Decimal", given))
    printed = tree.compare(tree.call("str", made), ast.Eq(), given)
    conditions = [_is_exactly(x, str), *_has_places(given, scale), printed]
    zero = names.of(Decimal(0).quantize(quantum))
    return [*conditions, _within(number, ends)], ast.BoolOp(ast.Or(), [number, zero])


def _has_places(given: ast.expr, scale: int) -> list[ast.expr]:
    if scale == 0:
        return [tree.method(given, "isdecimal")]
    start = ast.UnaryOp(ast.USub(), tree.constant(scale + 1))
    end = ast.UnaryOp(ast.USub(), tree.constant(scale))
    point = ast.Subscript(given, ast.Slice(start, end), ast.Load())
    return [tree.compare(point, ast.Eq(), tree.constant("."))]


# --- readers ------------------------------------------------------------------------------------------------


def _reader(domain: Domain) -> Callable[[Any], Any]:
    """The reader of a domain; that of a collection or a record in Rust."""
    match domain.type:
        case _ if normalizers_of(domain):
            return reader(domain)
        case SetType(element) if _is_free_text(element):
            return _texts(domain, element)
        case SetType() | ListType() | RecordType():
            return SchemaValidator(quick_schema(domain)).validate_python
        case _:
            return reader(domain)


def _is_free_text(domain: Domain) -> bool:
    bounded = domain.low is not None or domain.high is not None
    return domain.type is ScalarType.STRING and not (domain.normalizers or bounded)


def _texts(domain: Domain, element: Domain) -> Callable[[Any], Any]:
    """Reads a set of strings that is given as a short list."""
    validate = SchemaValidator(quick_schema(domain)).validate_python
    most, longest = MOST_LOOKED_AT, forms.LONGEST_TEXT
    if domain.max_length is not None:
        most = min(most, domain.max_length)
    if element.max_length is not None:
        longest = min(longest, element.max_length)

    def texts(given: Any) -> Any:
        if type(given) is not list or len(given) > most:
            return validate(given)
        for text in given:
            if type(text) is not str or not text.isascii() or "\0" in text or len(text) > longest:
                return validate(given)
        return frozenset(given)

    return texts
