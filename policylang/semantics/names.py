"""The names of a bundle: what each module declares, and what a path in it can mean."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from policylang.diagnostics import Diagnostic, Label, Span
from policylang.packaged import STDLIB_PREFIX, stdlib_names
from policylang.semantics import codes
from policylang.semantics.operations import FUNCTIONS
from policylang.semantics.suggest import did_you_mean
from policylang.syntax import UNNAMED, tree


class Kind(enum.Enum):
    """What a name stands for; the value is how messages call it."""

    FACT = "a fact"
    ACTION = "an action"
    GROUP = "an action group"
    TABLE = "a table"
    PARAM = "a param"
    DECISION = "a decision"
    DEFINITION = "a definition"
    MODULE = "a module"
    BUILTIN = "built in"
    ENUM = "an enum"
    TYPE = "a type"
    RULE = "a rule"
    LIMIT = "a limit"
    NEVER = "an invariant"
    FIXTURE = "a fixture"

    @property
    def word(self) -> str:
        """The word without its article."""
        return self.value.partition(" ")[2] or self.value


@dataclass(frozen=True, slots=True)
class Symbol:
    """One declared name. `name` is qualified; `node` declares it (the first clause of a definition).

    A `MODULE` symbol is an import: its `name` is that of the module it stands for.
    """

    kind: Kind
    name: str
    module: str
    node: tree.Node | None
    span: Span | None

    @property
    def bare(self) -> str:
        """The name without its module."""
        return self.name.removeprefix(self.module + ".") if self.module else self.name


ANY_GROUP: Final = "any"
NOW: Final = "now"
APPROVAL: Final = "approval"
BUILTINS: Final = {
    NOW: Symbol(Kind.BUILTIN, NOW, "", None, None),
    APPROVAL: Symbol(Kind.BUILTIN, APPROVAL, "", None, None),
    ANY_GROUP: Symbol(Kind.GROUP, ANY_GROUP, "", None, None),
}
BUILTIN_TYPES: Final = (
    "Bool", "Int", "Decimal", "String", "Date", "DateTime", "Time", "Duration", "Ip", "Cidr", "Set", "List",
)  # fmt: skip

Declaring: TypeAlias = (
    tree.FactStatement
    | tree.ActionStatement
    | tree.GroupStatement
    | tree.TableStatement
    | tree.ParamStatement
    | tree.DecisionStatement
    | tree.DefineStatement
)


@dataclass(slots=True)
class ModuleNames:
    """The names that one module declares: values, types, rules and fixtures apart.

    `definitions` holds the clauses of each definition in the order of writing. `used` collects the
    imports that something mentions, `refused` the names that cannot be declared, which has been reported.
    """

    name: str
    module: tree.Module
    values: dict[str, Symbol] = field(default_factory=dict)
    types: dict[str, Symbol] = field(default_factory=dict)
    rules: dict[str, Symbol] = field(default_factory=dict)
    fixtures: dict[str, Symbol] = field(default_factory=dict)
    definitions: dict[str, list[tree.DefineStatement]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Names:
    """The names of all modules, by module name, in the order they were given."""

    modules: dict[str, ModuleNames] = field(default_factory=dict)

    def every(self, kind: Kind) -> Iterator[Symbol]:
        """The values of one kind, by module and in the order of writing."""
        for module in self.modules.values():
            yield from (s for s in module.values.values() if s.kind is kind)


def collect_names(
    modules: Sequence[tree.Module], problems: list[Diagnostic], lost: frozenset[str] = frozenset()
) -> Names:
    """The names that the modules declare; duplicates, reserved names and bad imports are reported.

    A missing module is not reported where its name is among those that are lost to broken syntax.
    """
    names = Names()
    for module in modules:
        if module.header is not None:
            names.modules[module.header.name.text] = _names_of(module, problems)
    for module_names in names.modules.values():
        _import_all(module_names, names, problems, lost)
    return names


def _names_of(module: tree.Module, problems: list[Diagnostic]) -> ModuleNames:
    assert module.header is not None
    names = ModuleNames(module.header.name.text, module)
    for statement in module.statements:
        _declare(names, statement, problems)
    return names


def _declare(names: ModuleNames, statement: tree.Statement, problems: list[Diagnostic]) -> None:
    match statement:
        case tree.UseStatement() | tree.TestStatement():
            pass
        case tree.RolloutStatement() | tree.CanaryStatement() | tree.CriteriaStatement():
            pass
        case tree.DefineStatement():
            _declare_clause(names, statement, problems)
        case tree.EnumStatement():
            _add(names, names.types, Kind.ENUM, statement, statement.name, problems)
        case tree.TypeStatement():
            _add(names, names.types, Kind.TYPE, statement, statement.name, problems)
        case tree.RuleStatement():
            _add(names, names.rules, Kind.RULE, statement, statement.name, problems)
        case tree.LimitStatement():
            _add(names, names.rules, Kind.LIMIT, statement, statement.name, problems)
        case tree.NeverStatement():
            _add(names, names.rules, Kind.NEVER, statement, statement.name, problems)
        case tree.FixtureStatement():
            _add(names, names.fixtures, Kind.FIXTURE, statement, statement.name, problems)
        case _:
            kind = _VALUE_KINDS[type(statement)]
            _add(names, names.values, kind, statement, statement.name, problems)


_VALUE_KINDS: Final = {
    tree.FactStatement: Kind.FACT,
    tree.ActionStatement: Kind.ACTION,
    tree.GroupStatement: Kind.GROUP,
    tree.TableStatement: Kind.TABLE,
    tree.ParamStatement: Kind.PARAM,
    tree.DecisionStatement: Kind.DECISION,
}


def _declare_clause(
    names: ModuleNames, statement: tree.DefineStatement, problems: list[Diagnostic]
) -> None:
    """Add a clause: a name that is a definition already has one more way to hold."""
    name = statement.name.text
    known = names.values.get(name)
    if known is not None and known.kind is Kind.DEFINITION:
        names.definitions[name].append(statement)
    elif _add(names, names.values, Kind.DEFINITION, statement, statement.name, problems):
        names.definitions[name] = [statement]


def _add(
    names: ModuleNames,
    space: dict[str, Symbol],
    kind: Kind,
    statement: tree.Node,
    name: tree.Name,
    problems: list[Diagnostic],
) -> bool:
    reserved = _reserved(name.text, kind)
    if reserved:
        problems.append(codes.RESERVED_NAME.at(name.span, name=name.text, reason=reserved))
        names.refused.add(name.text)
        return False
    known = space.get(name.text)
    if known is not None:
        problems.append(_duplicate(name, known))
        return False
    space[name.text] = Symbol(kind, f"{names.name}.{name.text}", names.name, statement, name.span)
    return True


def _duplicate(name: tree.Name, known: Symbol) -> Diagnostic:
    labels = (
        [Label(known.span, f"first declared here, as {known.kind.value}")] if known.span else []
    )
    return codes.DUPLICATE_NAME.at(name.span, name=name.text, labels=labels)


def _reserved(name: str, kind: Kind) -> str:
    if kind in (Kind.ENUM, Kind.TYPE):
        return "a type of the language" if name in BUILTIN_TYPES else ""
    if kind in (Kind.RULE, Kind.LIMIT, Kind.NEVER, Kind.FIXTURE):
        return ""
    if name == NOW:
        return "the time of the request"
    if name == APPROVAL:
        return "the fact that holds granted approvals"
    if name == ANY_GROUP:
        return "the group of all actions"
    if name in FUNCTIONS or name in ("ip", "cidr", "count", "sum"):
        return "a function of the language"
    return ""


# --- imports -------------------------------------------------------------------------------------------


def _import_all(
    importing: ModuleNames, names: Names, problems: list[Diagnostic], lost: frozenset[str]
) -> None:
    for statement in importing.module.statements:
        if isinstance(statement, tree.UseStatement):
            _import_one(importing, statement, names, problems, lost)


def _import_one(
    importing: ModuleNames,
    statement: tree.UseStatement,
    names: Names,
    problems: list[Diagnostic],
    lost: frozenset[str],
) -> None:
    target = statement.module.text
    alias = statement.alias or statement.module.last
    if target == importing.name:
        problems.append(codes.SELF_IMPORT.at(statement.module.span, name=target))
        return
    if target not in names.modules and lost.isdisjoint((UNNAMED, statement.module.last.text)):
        hint = _module_hint(target, importing, names)
        if hint.startswith("did you mean"):
            importing.refused.add(hint.rpartition(".")[2].partition("`")[0])
        problems.append(codes.MISSING_MODULE.at(statement.module.span, name=target, hint=hint))
    known = importing.values.get(alias.text) or BUILTINS.get(alias.text)
    if known is not None:
        hint = f"write `use {target} as ANOTHER_NAME`"
        labels = [Label(known.span, f"{known.kind.value} of this name")] if known.span else []
        problems.append(
            codes.DUPLICATE_NAME.at(alias.span, name=alias.text, labels=labels, hint=hint)
        )
        return
    importing.values[alias.text] = Symbol(Kind.MODULE, target, target, statement, alias.span)


def _module_hint(target: str, importing: ModuleNames, names: Names) -> str:
    """The module that was probably meant, given or of the standard library; else how one is given."""
    standard = (f"{STDLIB_PREFIX}.{name}" for name in stdlib_names())
    others = [name for name in names.modules if name != importing.name]
    if close := did_you_mean(target, [*others, *standard]):
        return close
    if target.startswith(f"{STDLIB_PREFIX}."):
        return "`policylang stdlib list` shows the modules of the standard library"
    return f"name the file that starts with `module {target}` too, or the folder that it lies in"


# --- looking names up --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """What the first names of a path mean, and the names that are left."""

    symbol: Symbol
    rest: tuple[tree.Name, ...]
    head: Span


def look_up(names: Names, module: ModuleNames, path: tree.Path) -> Found | None:
    """What a path means in a module: its own names, built-in ones, or those of a module it uses.

    An import is followed into its module. None where the first name is not known, or where the
    imported module has no such name; the caller knows what to say.
    """
    first, *rest = path.names
    symbol = module.values.get(first.text) or BUILTINS.get(first.text)
    if symbol is None:
        return _own_module(module, path)
    if symbol.kind is not Kind.MODULE:
        return Found(symbol, tuple(rest), first.span)
    module.used.add(first.text)
    return _in_module(names, symbol, rest, first.span)


def _in_module(names: Names, symbol: Symbol, rest: Sequence[tree.Name], head: Span) -> Found | None:
    if not rest:
        return Found(symbol, (), head)
    imported = names.modules.get(symbol.name)
    inner = imported.values.get(rest[0].text) if imported is not None else None
    if inner is None or inner.kind is Kind.MODULE:
        return None
    return Found(inner, tuple(rest[1:]), head.to(rest[0].span))


def _own_module(module: ModuleNames, path: tree.Path) -> Found | None:
    """A path that starts with the name of the module it stands in: `refunds.auto_limit`."""
    own = module.name.split(".")
    texts = [name.text for name in path.names]
    if texts[: len(own)] != own or len(texts) == len(own):
        return None
    symbol = module.values.get(texts[len(own)])
    if symbol is None or symbol.kind is Kind.MODULE:
        return None
    return Found(
        symbol, path.names[len(own) + 1 :], path.names[0].span.to(path.names[len(own)].span)
    )


def unknown_name(
    names: Names, module: ModuleNames, path: tree.Path, what: str, also: Sequence[str] = ()
) -> Diagnostic | None:
    """The diagnostic for a path that `look_up` does not find; None where its import is at fault.

    `also` are further names that would have been right here.
    """
    first, *rest = path.names
    symbol = module.values.get(first.text)
    if symbol is not None and symbol.kind is Kind.MODULE and rest:
        imported = names.modules.get(symbol.name)
        if imported is None:
            return None
        hint = did_you_mean(rest[0].text, imported.values)
        where = f"in module `{symbol.name}`"
        return codes.UNKNOWN_NAME.at(
            rest[0].span, what="name", name=path.text, where=where, hint=hint
        )
    if first.text in module.refused:
        return None
    hint = _import_of(first.text, rest) or _hint(names, module, first.text, also)
    return codes.UNKNOWN_NAME.at(
        first.span, what=what, name=first.text, where="in this module", hint=hint
    )


def _import_of(first: str, rest: Sequence[tree.Name]) -> str | None:
    """What to write where a path starts with the last name of a standard module that is not imported."""
    if not rest or first not in stdlib_names():
        return None
    return f"`{first}` is a standard module: add `use {STDLIB_PREFIX}.{first}`"


_NOTHING: Final = ("null", "none", "nil", "undefined")


def _hint(names: Names, module: ModuleNames, name: str, also: Sequence[str]) -> str | None:
    """Where an imported or another module declares the very name, say that; else the closest one."""
    if name in _NOTHING:
        return "what may be missing is asked for: `X is missing`, `X is present`"
    for alias, symbol in module.values.items():
        imported = names.modules.get(symbol.name) if symbol.kind is Kind.MODULE else None
        if imported is not None and name in imported.values:
            return f"write `{alias}.{name}`"
    close = did_you_mean(name, [*module.values, *BUILTINS, *also])
    if close:
        return close
    for other in names.modules.values():
        if name in other.values and other.values[name].kind is not Kind.MODULE:
            return f"module `{other.name}` declares it: add `use {other.name}`"
    return None
