"""Type expressions: `Decimal(2) in 0.00 .. 10.00 normalize currency` as a `Domain`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, assert_never

from policylang.diagnostics import Diagnostic, Label, Span
from policylang.facts.normalizers import NORMALIZERS, misuses
from policylang.facts.types import (
    DATE,
    DATETIME,
    DURATION,
    MAX_DIGITS,
    STRING,
    TIME,
    DecimalType,
    Domain,
    EnumType,
    Field,
    ListType,
    Member,
    RecordType,
    RefType,
    ScalarType,
    SetType,
    Type,
    base,
    is_number,
)
from policylang.facts.values import MISSING, Value
from policylang.semantics import codes
from policylang.semantics.constants import Constants
from policylang.semantics.names import BUILTIN_TYPES, Kind, ModuleNames, Symbol
from policylang.semantics.suggest import did_you_mean
from policylang.semantics.words import a_type
from policylang.semantics.world import World
from policylang.syntax import tree

_EXACT: Final = "numbers are exact: `Int`, or `Decimal(2)` with two places"
_OTHERS: Final = {
    **dict.fromkeys(("float", "double", "number", "real", "numeric", "money", "currency"), _EXACT),
    **dict.fromkeys(("timestamp", "instant"), "a time with its zone is a `DateTime`"),
    **dict.fromkeys(("array", "tuple", "sequence"), "write `List[...]`, or `Set[...]`"),
    **dict.fromkeys(
        ("dict", "map", "object", "struct", "record"),
        "a record is written `List[{ ... }]`, or as a fact",
    ),
    **dict.fromkeys(
        ("any", "json", "unknown", "unspecified"),
        "every value has a type: there is none for any value",
    ),
    "optional": "what may be missing has a `?` after its type: `String?`",
}
"""Types of other languages, in lower case, and what is written here."""

_SCALARS: Final = {scalar.value: scalar for scalar in ScalarType}
_BOUNDED: Final = (DATE, DATETIME, TIME, DURATION)


class Domains:
    """Resolves the type expressions of one bundle; aliases and enums are resolved once.

    Methods give None for what has been reported.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._open: list[str] = []

    # --- enums and aliases ---------------------------------------------------------------------------

    def enum(self, symbol: Symbol) -> EnumType:
        """The enum that a symbol declares."""
        known = self._world.enums.get(symbol.name)
        if known is None:
            assert isinstance(symbol.node, tree.EnumStatement)
            known = self._enum_type(symbol.name, symbol.node)
            self._world.enums[symbol.name] = known
        return known

    def _enum_type(self, name: str, node: tree.EnumStatement) -> EnumType:
        members: dict[str, Member] = {}
        spelled: dict[str, Span] = {}
        for written in node.members:
            for text, span in [(written.name.text, written.name.span)] + [
                (spelling.value, spelling.span) for spelling in written.spellings
            ]:
                if text in spelled:
                    first = [Label(spelled[text], "first here")]
                    self._report(codes.DUPLICATE_NAME.at(span, name=text, labels=first))
                spelled.setdefault(text, span)
            spellings = tuple(spelling.value for spelling in written.spellings)
            members.setdefault(written.name.text, Member(written.name.text, spellings))
        enum = EnumType(name, tuple(members.values()), _texts(node.normalizers))
        return replace(enum, normalizers=self._normalizers(node.normalizers, enum))

    def alias(self, symbol: Symbol, mention: Span) -> tuple[Domain, bool] | None:
        """The domain of a `type` declaration, and whether it says that values may be missing."""
        known = self._world.aliases.get(symbol.name)
        if known is not None:
            return known
        if symbol.name in self._world.spoiled:
            return None
        if symbol.name in self._open:
            self._report_cycle(symbol, mention)
            return None
        assert isinstance(symbol.node, tree.TypeStatement)
        self._open.append(symbol.name)
        module = self._world.names.modules[symbol.module]
        found = self.of(module, symbol.node.type)
        self._open.pop()
        if found is None:
            self._world.spoiled.add(symbol.name)
            return None
        domain, optional = found
        self._world.aliases[symbol.name] = replace(domain, alias=symbol.bare), optional
        return self._world.aliases[symbol.name]

    def _report_cycle(self, symbol: Symbol, mention: Span, what: str = "the type") -> None:
        circle = [*self._open[self._open.index(symbol.name) :], symbol.name]
        cycle = " -> ".join(f"`{name.rpartition('.')[2]}`" for name in circle)
        self._report(codes.TYPE_CYCLE.at(mention, what=what, name=symbol.bare, cycle=cycle))

    # --- type expressions ------------------------------------------------------------------------------

    def of(self, module: ModuleNames, spec: tree.TypeSpec) -> tuple[Domain, bool] | None:
        """The domain of a type expression, and whether values may be missing."""
        found = self._base(module, spec.base)
        if found is None:
            return None
        domain, optional = found
        if spec.optional and isinstance(domain.type, RefType):
            domain = replace(domain, type=replace(domain.type, dangling=True))
        domain = self._bounded(module, domain, spec)
        domain = self._lengthy(domain, spec)
        if spec.normalizers:
            names = self._normalizers(spec.normalizers, domain.type)
            domain = replace(domain, normalizers=(*domain.normalizers, *names))
        return domain, optional or spec.optional

    def _base(self, module: ModuleNames, written: tree.BaseType) -> tuple[Domain, bool] | None:
        match written:
            case tree.NamedType():
                return self._named(module, written)
            case tree.SetType() | tree.ListType():
                return self._collection(module, written)
            case tree.RecordType():
                self._bad(written.span, "records stand only in lists", "write `List[{ ... }]`")
                return None
            case tree.RefType():
                return self._reference(module, written)
            case _:
                assert_never(written)

    def _named(self, module: ModuleNames, written: tree.NamedType) -> tuple[Domain, bool] | None:
        name = written.name.text
        if name == "Decimal":
            return self._decimal(written)
        if name in ("Set", "List"):
            self._bad(written.span, f"`{name}` needs a type of element", f"write `{name}[String]`")
            return None
        symbol = None if name in _SCALARS else self._symbol(module, written.name)
        if name not in _SCALARS and symbol is None:
            return None
        if written.arguments:
            self._bad(written.span, f"`{name}` takes no number", "only `Decimal(2)` does")
            return None
        if symbol is None:
            return Domain(_SCALARS[name]), False
        if symbol.kind is Kind.ENUM:
            return Domain(self.enum(symbol)), False
        return self.alias(symbol, written.span)

    def _decimal(self, written: tree.NamedType) -> tuple[Domain, bool] | None:
        if len(written.arguments) != 1:
            self._bad(
                written.span, "`Decimal` needs its number of places", "write `Decimal(2)` for two"
            )
            return None
        places = written.arguments[0].value
        if not 0 <= places <= MAX_DIGITS:
            self._bad(
                written.arguments[0].span, f"a Decimal has 0 to {MAX_DIGITS} places", "out of range"
            )
            return None
        return Domain(DecimalType(places)), False

    def _symbol(self, module: ModuleNames, path: tree.Path) -> Symbol | None:
        """The enum or type that a path names."""
        found, owner = self._type_symbol(module, path)
        if found is not None or owner is None or self._world.is_lost(path.last.text):
            return found
        known = [*owner.types, *(BUILTIN_TYPES if owner is module else ())]
        hint = _OTHERS.get(path.last.text.lower()) or did_you_mean(path.last.text, known)
        hint = hint or _small(path.last.text, owner)
        where = "in this module" if owner is module else f"in module `{owner.name}`"
        self._report(
            codes.UNKNOWN_NAME.at(path.span, what="type", name=path.text, where=where, hint=hint)
        )
        return None

    def _type_symbol(
        self, module: ModuleNames, path: tree.Path
    ) -> tuple[Symbol | None, ModuleNames | None]:
        """The symbol, and the module in which it was looked for (None: it cannot be looked for)."""
        *qualifier, last = path.names
        if not qualifier:
            return module.types.get(last.text), module
        prefix = ".".join(name.text for name in qualifier)
        if prefix == module.name:
            return module.types.get(last.text), module
        imported = module.values.get(qualifier[0].text)
        if imported is None or imported.kind is not Kind.MODULE or len(qualifier) > 1:
            self._world.report_unknown(module, path, "module")
            return None, None
        module.used.add(qualifier[0].text)
        owner = self._world.names.modules.get(imported.name)
        return (owner.types.get(last.text), owner) if owner is not None else (None, None)

    def _collection(
        self, module: ModuleNames, written: tree.SetType | tree.ListType
    ) -> tuple[Domain, bool] | None:
        inside = written.element
        if isinstance(inside.base, tree.RecordType):
            if isinstance(written, tree.SetType):
                self._bad(written.span, "records stand only in lists", "write `List[{ ... }]`")
                return None
            fields = self.fields(module, inside.base.fields, "the record")
            return (Domain(ListType(Domain(RecordType(fields)))), False) if fields else None
        found = self.of(module, inside)
        if found is None:
            return None
        domain, optional = found
        if optional:
            self._bad(inside.span, "an element of a set or list is never missing", "drop the `?`")
        kind = SetType(domain) if isinstance(written, tree.SetType) else ListType(domain)
        return Domain(kind), False

    def _reference(self, module: ModuleNames, written: tree.RefType) -> tuple[Domain, bool] | None:
        found = self._world.find(module, written.target, "fact")
        if found is None:
            return None
        symbol = found.symbol
        if not isinstance(symbol.node, tree.FactStatement) or found.rest:
            self._report(
                codes.WRONG_KIND.at(
                    written.target.span,
                    name=written.target.text,
                    found=symbol.kind.value,
                    wanted="a fact with a key",
                )
            )
            return None
        key = self._key_type(symbol, written.span)
        return None if key is None else (Domain(RefType(symbol.name, key)), False)

    def _key_type(self, symbol: Symbol, mention: Span) -> Type | None:
        assert isinstance(symbol.node, tree.FactStatement)
        key = next((field for field in symbol.node.fields if field.key), None)
        if key is None:
            self._bad(
                mention, f"`{symbol.bare}` has no key to refer to", "mark one field with `key`"
            )
            return None
        if symbol.name in self._open:
            # A circle of keys is walked from each of them, and reported from one.
            if symbol.name == min(self._open[self._open.index(symbol.name) :]):
                self._report_cycle(symbol, mention, "the key of")
            return None
        self._open.append(symbol.name)
        mark = len(self._world.problems)
        found = self.of(self._world.names.modules[symbol.module], key.type)
        circles = [p for p in self._world.problems[mark:] if p.code == codes.TYPE_CYCLE.id]
        self._world.problems[mark:] = circles  # all else is reported where the field itself is read
        self._open.pop()
        return base(found[0].type) if found is not None else None

    # --- what narrows a type -----------------------------------------------------------------------------

    def _bounded(self, module: ModuleNames, domain: Domain, spec: tree.TypeSpec) -> Domain:
        if spec.bounds is None:
            return domain
        kind = domain.type
        if not is_number(kind) and kind not in _BOUNDED:
            self._bad(
                spec.bounds.span,
                f"`{kind}` has no bounds",
                "only numbers, dates, times and durations do",
            )
            return domain
        low = self._bound(module, spec.bounds.low, domain)
        high = self._bound(module, spec.bounds.high, domain)
        low = domain.low if low is None else low
        high = domain.high if high is None else high
        if low is not None and high is not None and high < low:  # type: ignore[operator]
            self._bad(
                spec.bounds.span, "no value is in this range", "the low end is above the high end"
            )
            return domain
        return replace(domain, low=low, high=high)

    def _bound(
        self, module: ModuleNames, written: tree.Expr | None, domain: Domain
    ) -> Value | None:
        return None if written is None else self.constants(module).in_domain(written, domain)

    def _lengthy(self, domain: Domain, spec: tree.TypeSpec) -> Domain:
        if spec.max_length is None:
            return domain
        if domain.type is not STRING and not isinstance(domain.type, SetType | ListType):
            self._bad(
                spec.max_length.span,
                f"`{domain.type}` has no length",
                "only strings, sets and lists do",
            )
            return domain
        return replace(domain, max_length=spec.max_length.value)

    def _normalizers(self, written: tuple[tree.Name, ...], kind: Type) -> tuple[str, ...]:
        problems = dict(misuses(_texts(written), kind))
        for name in written:
            if name.text not in NORMALIZERS:
                hint = did_you_mean(name.text, NORMALIZERS)
                self._report(codes.UNKNOWN_NORMALIZER.at(name.span, name=name.text, hint=hint))
            elif name.text in problems:
                self._bad(
                    name.span, f"`normalize {name.text}` cannot stand here", problems[name.text]
                )
        return tuple(name.text for name in written if name.text not in problems)

    # --- fields --------------------------------------------------------------------------------------------

    def fields(
        self, module: ModuleNames, written: tuple[tree.Field, ...], owner: str
    ) -> tuple[Field, ...]:
        """The fields of a declaration; those with a type that cannot be are marked as spoiled."""
        fields: dict[str, Field] = {}
        for field in written:
            if field.name.text in fields:
                name = field.name.text
                earlier = next(f.name.span for f in written if f.name.text == name)
                labels = [Label(earlier, "first declared here")]
                self._report(codes.DUPLICATE_NAME.at(field.name.span, name=name, labels=labels))
                continue
            found = self.field(module, field)
            if found is None:
                self._world.spoiled.add(f"{owner}.{field.name.text}")
            else:
                fields[field.name.text] = found
        keys = [field for field in written if field.key]
        for extra in keys[1:]:
            self._bad(
                extra.name.span, f"`{owner.rpartition('.')[2]}` has two keys", "a fact has one key"
            )
        return tuple(fields.values())

    def field(self, module: ModuleNames, written: tree.Field) -> Field | None:
        """One field."""
        found = self.of(module, written.type)
        if found is None:
            return None
        domain, optional = found
        default = None
        if written.default is not None:
            default = self.constants(module).in_domain(written.default, domain)
        if written.key and (optional or written.default is not None):
            self._bad(written.name.span, "a key is never missing", "drop the `?` or the default")
        return Field(
            name=written.name.text,
            domain=domain,
            optional=optional and default is None and not written.key,
            default=MISSING if default is None else default,
            key=written.key,
            secret=written.secret,
            personal=written.personal,
            doc=written.doc.text if written.doc else "",
        )

    # --- constants -------------------------------------------------------------------------------------------

    def constants(self, module: ModuleNames, problems: list[Diagnostic] | None = None) -> Constants:
        """The reader of constants in a module; problems go to those of the bundle, or to a list."""
        into = self._world.problems if problems is None else problems
        return Constants(lambda value: self.enum_value(module, value, into), into)

    def enum_value(
        self, module: ModuleNames, written: tree.EnumValue, problems: list[Diagnostic]
    ) -> tuple[EnumType, str] | None:
        """The enum and member of `Tier.pro`."""
        kept, self._world.problems = self._world.problems, problems
        try:
            return self._enum_value(module, written)
        finally:
            self._world.problems = kept

    def _enum_value(
        self, module: ModuleNames, written: tree.EnumValue
    ) -> tuple[EnumType, str] | None:
        symbol = self._symbol(module, written.enum)
        if symbol is None:
            return None
        enum = self._enum_behind(symbol, written.enum.span)
        if enum is None:
            return None
        member = self.constants(module).member(enum, written.member)
        return None if member is None else (enum, member)

    def _enum_behind(self, symbol: Symbol, mention: Span) -> EnumType | None:
        if symbol.kind is Kind.ENUM:
            return self.enum(symbol)
        found = self.alias(symbol, mention)
        if found is None:
            return None
        if isinstance(found[0].type, EnumType):
            return found[0].type
        self._report(
            codes.WRONG_KIND.at(
                mention, name=symbol.bare, found=a_type(found[0].type), wanted="an enum"
            )
        )
        return None

    # --- reporting -------------------------------------------------------------------------------------------

    def report(self, problem: Diagnostic) -> None:
        """Add a problem to those of the bundle."""
        self._world.problems.append(problem)

    def report_type(self, span: Span, problem: str, label: str) -> None:
        """Report a type that cannot be."""
        self._bad(span, problem, label)

    def _report(self, problem: Diagnostic) -> None:
        self._world.problems.append(problem)

    def _bad(self, span: Span, problem: str, label: str) -> None:
        self._report(codes.BAD_TYPE.at(span, problem=problem, label=label))


def _small(name: str, owner: ModuleNames) -> str | None:
    """That a name with a capital is the name of a fact or the like with a small letter, as a hint."""
    small = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    symbol = owner.values.get(small)
    return f"`{small}` is {symbol.kind.value}, with a small letter" if symbol is not None else None


def _texts(names: tuple[tree.Name, ...]) -> tuple[str, ...]:
    return tuple(name.text for name in names)
