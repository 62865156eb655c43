"""Constants of a policy: what is written, as a value of the type that is expected."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from policylang.diagnostics import Diagnostic, Label, Span
from policylang.facts import forms
from policylang.facts.order import value_key
from policylang.facts.types import (
    BOOL,
    CIDR,
    DATE,
    DATETIME,
    DURATION,
    INT,
    IP,
    MAX_DIGITS,
    STRING,
    TIME,
    DecimalType,
    Domain,
    EnumType,
    ListType,
    RecordType,
    SetType,
    Type,
    base,
    is_number,
)
from policylang.facts.values import MISSING, Missing, Record, Value
from policylang.semantics import codes
from policylang.semantics.suggest import did_you_mean
from policylang.semantics.words import article, described, plural
from policylang.syntax import tree

ResolveEnum = Callable[[tree.EnumValue], "tuple[EnumType, str] | None"]
"""The enum and member that a written `Tier.pro` means; None where that has been reported."""


@dataclass(frozen=True, slots=True)
class Constants:
    """Reads the constants of one module; problems go to `problems`.

    Every method gives None where the constant is not one of the type, which then has been reported.
    """

    enum_value: ResolveEnum
    problems: list[Diagnostic]

    def in_domain(self, written: tree.Expr, domain: Domain) -> Value | None:
        """A value of the domain: of its type, within its bounds and length."""
        value = self.of_type(written, domain.type)
        if value is None:
            return None
        if not self.fits(value, domain, written.span):
            return None
        return value

    def fits(self, value: Value, domain: Domain, span: Span) -> bool:
        """Whether a value lies within the bounds and length of a domain; reports where not."""
        if within(value, domain):
            return True
        self.problems.append(
            codes.OUT_OF_RANGE.at(span, value=f"`{_quoted(span)}`", wanted=described(domain))
        )
        return False

    def of_type(self, written: tree.Expr, type_: Type) -> Value | None:
        """A value of the type, whatever the bounds."""
        type_ = base(type_)
        match written:
            case tree.ListLiteral():
                return self._collection(written, type_)
            case tree.RecordLiteral():
                return self._record(written, type_)
            case tree.EnumValue():
                return self._enum_value(written, type_)
            case tree.Path():
                return self._bare(written, type_)
            case tree.Call():
                return self._network(written, type_)
            case _ if isinstance(written, SIMPLE):
                return self.literal(written, type_)
            case _:
                what = f"`{_quoted(written.span)}`"
                self.problems.append(codes.NOT_CONSTANT.at(written.span, what=what))
                return None

    def literal(self, written: tree.Literal, type_: Type) -> Value | None:
        """A simple literal where a value of the type is expected."""
        value = _read(written, type_)
        if value is None:
            self._report(written, type_)
        return value

    def _report(self, written: tree.Literal, type_: Type) -> None:
        quoted = _quoted(written.span)
        if isinstance(written, tree.StringLiteral) and type_ in _READERS:
            wanted = article(str(type_))
            hint: str | None = f"write it as `{_EXAMPLES[type_]}`"
            self.problems.append(
                codes.BAD_LITERAL.at(written.span, value=quoted, wanted=wanted, hint=hint)
            )
            return
        hint = _hint(written, type_)
        if isinstance(written, tree.DecimalLiteral) and isinstance(type_, DecimalType):
            wanted = article(str(type_))
            self.problems.append(
                codes.OUT_OF_RANGE.at(written.span, value=f"`{quoted}`", wanted=wanted, hint=hint)
            )
            return
        found = article(str(literal_type(written)))
        self.problems.append(
            codes.TYPE_MISMATCH.at(
                written.span,
                what=f"`{quoted}`",
                found=found,
                wanted=article(str(type_)),
                hint=hint,
            )
        )

    def _bare(self, written: tree.Path, type_: Type) -> Value | None:
        if isinstance(type_, EnumType) and len(written.names) == 1:
            return self.member(type_, written.names[0])
        hint = f'write "{written.text}" for the text' if type_ is STRING else None
        self.problems.append(
            codes.NOT_CONSTANT.at(written.span, what=f"`{written.text}`", hint=hint)
        )
        return None

    def member(self, enum: EnumType, name: tree.Name) -> str | None:
        """The member of that name."""
        if name.text in enum.member_names:
            return name.text
        hint = did_you_mean(name.text, enum.member_names) or members_hint(enum)
        self.problems.append(
            codes.UNKNOWN_MEMBER.at(name.span, enum=str(enum), name=name.text, hint=hint)
        )
        return None

    def _enum_value(self, written: tree.EnumValue, type_: Type) -> Value | None:
        found = self.enum_value(written)
        if found is None:
            return None
        enum, member = found
        if isinstance(type_, EnumType) and type_.name == enum.name:
            return member
        self.problems.append(
            codes.TYPE_MISMATCH.at(
                written.span,
                what=f"`{_quoted(written.span)}`",
                found=article(str(enum)),
                wanted=article(str(type_)),
            )
        )
        return None

    def _network(self, written: tree.Call, type_: Type) -> Value | None:
        found = network_constant(written, self.problems)
        if found is None:
            return None
        kind, value = found
        if kind is type_:
            return value
        self.problems.append(
            codes.TYPE_MISMATCH.at(
                written.span,
                what=f"`{_quoted(written.span)}`",
                found=article(str(kind)),
                wanted=article(str(type_)),
            )
        )
        return None

    def _collection(self, written: tree.ListLiteral, type_: Type) -> Value | None:
        if not isinstance(type_, ListType | SetType):
            self.problems.append(
                codes.TYPE_MISMATCH.at(
                    written.span,
                    what=f"`{_quoted(written.span)}`",
                    found="a list",
                    wanted=article(str(type_)),
                )
            )
            return None
        values = [self.in_domain(item, type_.element) for item in written.items]
        if any(value is None for value in values):
            return None
        known = tuple(value for value in values if value is not None)
        return frozenset(known) if isinstance(type_, SetType) else known

    def _record(self, written: tree.RecordLiteral, type_: Type) -> Value | None:
        if not isinstance(type_, RecordType):
            self.problems.append(
                codes.TYPE_MISMATCH.at(
                    written.span,
                    what=f"`{_quoted(written.span)}`",
                    found="a record",
                    wanted=article(str(type_)),
                )
            )
            return None
        self.problems.extend(given_twice(written.fields))
        given = {item.name.text: item.value for item in written.fields}
        values: list[Value | Missing] = []
        for item in written.fields:
            if all(item.name.text != column.name for column in type_.fields):
                hint = did_you_mean(item.name.text, [column.name for column in type_.fields])
                self.problems.append(
                    codes.UNKNOWN_FIELD.at(
                        item.name.span, owner="the record", name=item.name.text, hint=hint
                    )
                )
                return None
        for column in type_.fields:
            expression = given.get(column.name)
            if expression is None:
                if not column.optional and column.default is MISSING:
                    self.problems.append(
                        codes.TYPE_MISMATCH.at(
                            written.span,
                            what=f"`{_quoted(written.span)}`",
                            found=f"a record without `{column.name}`",
                            wanted=article(str(type_)),
                        )
                    )
                    return None
                values.append(column.default)
            else:
                value = self.in_domain(expression, column.domain)
                if value is None:
                    return None
                values.append(value)
        return Record(tuple(values))


_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
SIMPLE: Final = (
    tree.BoolLiteral,
    tree.IntLiteral,
    tree.DecimalLiteral,
    tree.StringLiteral,
    tree.DateLiteral,
    tree.TimeLiteral,
    tree.DateTimeLiteral,
    tree.DurationLiteral,
)
_READERS: Final[dict[Type, Callable[[str], Value]]] = {
    DATE: forms.read_date,
    DATETIME: forms.read_datetime,
    TIME: forms.read_time,
    DURATION: forms.read_duration,
    IP: forms.read_ip,
    CIDR: forms.read_cidr,
}
_EXAMPLES: Final[dict[Type, str]] = {
    DATE: "2026-11-20",
    DATETIME: "2026-11-20T09:00:00Z",
    TIME: "09:30",
    DURATION: "4 hours",
    IP: 'ip("10.0.0.1")',
    CIDR: 'cidr("10.0.0.0/8")',
}


def literal_type(written: tree.Literal) -> Type:
    """The type of a literal where nothing else is expected."""
    match written:
        case tree.BoolLiteral():
            return BOOL
        case tree.IntLiteral():
            return INT
        case tree.DecimalLiteral():
            return DecimalType(max(0, -_exponent(written.value)))
        case tree.StringLiteral():
            return STRING
        case tree.DateLiteral():
            return DATE
        case tree.TimeLiteral():
            return TIME
        case tree.DateTimeLiteral():
            return DATETIME
        case tree.DurationLiteral():
            return DURATION


def _read(written: tree.Literal, type_: Type) -> Value | None:
    """The literal as a value of the type, or None where it is none."""
    match written:
        case tree.IntLiteral() | tree.DecimalLiteral() if isinstance(type_, DecimalType):
            return to_scale(written.value, type_.scale)
        case tree.StringLiteral() if type_ in _READERS:
            try:
                return _READERS[type_](written.value)
            except forms.Unfit:
                return None
        case _:
            return written.value if literal_type(written) == type_ else None


def to_scale(value: int | Decimal, scale: int | None) -> Decimal | None:
    """A number as a Decimal of that scale; None where it has more places, or too many digits."""
    number = Decimal(value)
    if scale is None:
        return number
    sign, digits, _ = number.as_tuple()
    exponent = _exponent(number)
    if exponent < -scale:
        surplus = -scale - exponent
        if any(digits[-surplus:]):
            return None
        digits, exponent = digits[:-surplus] or (0,), -scale
    digits = digits + (0,) * (exponent + scale)
    while len(digits) > 1 and digits[0] == 0:
        digits = digits[1:]
    if len(digits) > MAX_DIGITS:
        return None
    return Decimal((0 if digits == (0,) else sign, digits, -scale))


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def within(value: Value, domain: Domain) -> bool:
    """Whether a value of the domain's type lies within its bounds and length."""
    if domain.max_length is not None and _length(value) > domain.max_length:
        return False
    if domain.low is not None and _key(value, domain.type) < _key(domain.low, domain.type):
        return False
    return domain.high is None or not _key(domain.high, domain.type) < _key(value, domain.type)


def _length(value: Value) -> int:
    return len(value) if isinstance(value, str | tuple | frozenset) else 0


def _key(value: Value, type_: Type) -> tuple[object, ...]:
    kind = base(type_)
    if isinstance(kind, EnumType) and isinstance(value, str):
        return (kind.member_names.index(value),)
    return value_key(value)


def network_constant(written: tree.Call, problems: list[Diagnostic]) -> tuple[Type, Value] | None:
    """The value of `ip("...")` or `cidr("...")`; None, reported, where it is neither or malformed."""
    name = written.callee.text
    argument = written.arguments[0].value if len(written.arguments) == 1 else None
    if name not in ("ip", "cidr") or not isinstance(argument, tree.StringLiteral):
        hint = f"write one text: `{_EXAMPLES[IP if name == 'ip' else CIDR]}`"
        what = f"`{_quoted(written.span)}`"
        networks = name in ("ip", "cidr")
        problems.append(
            codes.NOT_CONSTANT.at(written.span, what=what, hint=hint if networks else None)
        )
        return None
    kind = IP if name == "ip" else CIDR
    try:
        return kind, _READERS[kind](argument.value)
    except forms.Unfit:
        what = "an IP address" if kind is IP else "an IP network"
        problems.append(
            codes.BAD_LITERAL.at(
                argument.span,
                value=argument.value,
                wanted=what,
                hint=f"such as `{_EXAMPLES[kind]}`",
            )
        )
        return None


def given_twice(fields: Iterable[tree.FieldValue]) -> Iterator[Diagnostic]:
    """Report the fields that one record gives more than once."""
    first: dict[str, tree.FieldValue] = {}
    for item in fields:
        known = first.setdefault(item.name.text, item)
        if known is not item:
            labels = [Label(known.name.span, "first given here")]
            yield codes.DUPLICATE_ARGUMENT.at(item.name.span, name=item.name.text, labels=labels)


def places_hint(places: int) -> str:
    """How many digits a Decimal has after its point, as a hint."""
    return f"at most {plural(places, 'digit')} may stand after the point"


def members_hint(enum: EnumType) -> str:
    """The members of an enum, as a hint; of a long one the first few."""
    names = enum.member_names
    listed = ", ".join(f"`{name}`" for name in names[:8])
    return f"its members are {listed}" + (" ..." if len(names) > 8 else "")


def _hint(written: tree.Literal, type_: Type) -> str | None:
    match written, type_:
        case tree.StringLiteral(), EnumType() if written.value in type_.member_names:
            return f"write `{written.value}`, without quotes"
        case tree.StringLiteral(), EnumType():
            return did_you_mean(written.value, type_.member_names) or members_hint(type_)
        case tree.DecimalLiteral(), DecimalType() if type_.scale is not None:
            return places_hint(type_.scale)
        case tree.StringLiteral(), _ if is_number(type_) and _NUMBER.fullmatch(written.value):
            return f"write `{written.value}`, without quotes"
        case ((tree.IntLiteral() | tree.DecimalLiteral()), _) if type_ is STRING:
            return f'write "{written.text}" for the text'
        case _:
            return None


def _quoted(span: Span) -> str:
    text = span.text
    return text if len(text) <= 60 else text[:57] + "..."
