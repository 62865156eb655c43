"""Definitions: the types of their arguments, found from their clauses, and the clauses lowered."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from policylang.diagnostics import Label
from policylang.facts.types import Type
from policylang.semantics import codes
from policylang.semantics.domains import Domains
from policylang.semantics.graph import Graph, components
from policylang.semantics.lowering.clauses import LoweredClause, lower_clause
from policylang.semantics.lowering.statements import Lowering
from policylang.semantics.names import Kind, ModuleNames, Symbol, look_up
from policylang.semantics.operations import unify
from policylang.semantics.origins import origin_of
from policylang.semantics.program import Predicate, Rule
from policylang.semantics.words import a_type, plural
from policylang.semantics.world import Signature, World
from policylang.syntax import tree
from policylang.syntax.walk import walk


@dataclass(frozen=True, slots=True)
class Definitions:
    """The definitions of a bundle: the predicates (their strata still 0), and the clauses by name."""

    predicates: dict[str, Predicate]
    clauses: dict[str, tuple[Rule, ...]]


def lower_definitions(world: World, domains: Domains) -> Definitions:
    """Infer the types of all definitions and lower their clauses.

    Types are the least fixpoint of what the clauses say, from the definitions that others use to
    those that use them; numbers of several clauses take the wider type.
    """
    symbols = {symbol.name: symbol for symbol in world.names.every(Kind.DEFINITION)}
    for symbol in symbols.values():
        world.signatures[symbol.name] = _declared(world, symbol)
    graph = {name: tuple(_used(world, symbol)) for name, symbol in symbols.items()}
    lowered: dict[str, list[LoweredClause]] = {}
    recursive: set[str] = set()
    at_fault: set[str] = set()
    for group in components(graph):
        if len(group) > 1 or group[0] in graph[group[0]]:
            recursive.update(group)
        lowered.update(_settle(world, domains, [symbols[name] for name in group], graph))
        if not any(
            _is_unknown(world, read) for name in group for read in graph[name] if read not in group
        ):
            at_fault.update(group)
    predicates: dict[str, Predicate] = {}
    clauses: dict[str, tuple[Rule, ...]] = {}
    for name, symbol in symbols.items():
        predicate = _finished(world, symbol, lowered[name], name in recursive, name in at_fault)
        if predicate is not None:
            predicates[name] = predicate
        clauses[name] = tuple(c.rule for c in lowered[name] if c.rule is not None)
    return Definitions(predicates, clauses)


def _clauses(world: World, symbol: Symbol) -> list[tree.DefineStatement]:
    return world.names.modules[symbol.module].definitions[symbol.bare]


def _declared(world: World, symbol: Symbol) -> Signature:
    """What the first clause says; clauses with another number of arguments are reported."""
    first, *others = _clauses(world, symbol)
    count = len(first.parameters)
    for other in others:
        if len(other.parameters) != count:
            found = len(other.parameters)
            world.problems.append(
                codes.WRONG_ARGUMENT_COUNT.at(
                    other.name.span,
                    name=symbol.bare,
                    wanted=plural(count, "argument"),
                    found=f"{found} {'is' if found == 1 else 'are'}",
                    labels=[Label(first.name.span, f"{plural(count, 'argument')} here")],
                    hint="all clauses of a definition have the same number",
                )
            )
    spoken = next((c for c in _clauses(world, symbol) if c.reads is not None), first)
    return Signature(symbol.name, [None] * count, _parameters(spoken))


def _parameters(clause: tree.DefineStatement) -> tuple[str, ...]:
    """The names of the arguments in the sentence; what is no variable, or repeated, is numbered."""
    names: list[str] = []
    for i, parameter in enumerate(clause.parameters):
        name = parameter.name if isinstance(parameter, tree.Variable) else ""
        names.append(name if name and name not in names else f"_{i + 1}")
    return tuple(names)


def _used(world: World, symbol: Symbol) -> Iterator[str]:
    """The definitions that the clauses of one mention."""
    module = world.names.modules[symbol.module]
    for clause in _clauses(world, symbol):
        if clause.condition is not None:
            yield from _mentioned(world, module, clause.condition)


def _mentioned(world: World, module: ModuleNames, condition: tree.Expr) -> Iterator[str]:
    for node in walk(condition):
        path = node.callee if isinstance(node, tree.Call) else node
        if isinstance(path, tree.Path):
            found = look_up(world.names, module, path)
            if found is not None and found.symbol.kind is Kind.DEFINITION:
                yield found.symbol.name


def _settle(
    world: World, domains: Domains, group: Sequence[Symbol], graph: Graph
) -> dict[str, list[LoweredClause]]:
    """Lower the clauses of definitions that use each other until no type changes."""
    by_name = {symbol.name: symbol for symbol in group}
    readers: dict[str, list[str]] = {name: [name] for name in by_name}
    for name in by_name:
        for read in graph[name]:
            if read in by_name and name not in readers[read]:
                readers[read].append(name)
    lowered: dict[str, list[LoweredClause]] = {}
    waiting = deque(by_name)
    while waiting:
        name = waiting.popleft()
        lowered[name] = _lower(world, domains, by_name[name])
        signature = world.signatures[name]
        widened = [_widen(signature, clause.types) for clause in lowered[name]]
        if any(widened):
            waiting.extend(reader for reader in readers[name] if reader not in waiting)
    return lowered


def _is_unknown(world: World, name: str) -> bool:
    return any(type_ is None for type_ in world.signatures[name].types)


def _lower(world: World, domains: Domains, symbol: Symbol) -> list[LoweredClause]:
    lowering = Lowering(world, domains, world.names.modules[symbol.module])
    signature = world.signatures[symbol.name]
    clauses = enumerate(_clauses(world, symbol), 1)
    return [lower_clause(lowering, clause, i, signature) for i, clause in clauses]


def _widen(signature: Signature, found: Sequence[Type | None]) -> bool:
    changed = False
    for i, (known, type_) in enumerate(zip(signature.types, found, strict=False)):
        together = type_ if known is None else known if type_ is None else unify(known, type_)
        if together is not None and together != known:
            signature.types[i] = together
            changed = True
    return changed


def _finished(
    world: World, symbol: Symbol, lowered: Sequence[LoweredClause], recursive: bool, at_fault: bool
) -> Predicate | None:
    """The predicate, its problems reported; None where a type is not known.

    That is reported where it is `at_fault`: where all definitions that it uses have their types.
    """
    signature = world.signatures[symbol.name]
    problems = [problem for clause in lowered for problem in clause.problems]
    world.problems.extend(problems)
    world.local_names.extend(found for clause in lowered for found in clause.local_names)
    _check_agreement(world, symbol, lowered)
    known = [type_ for type_ in signature.types if type_ is not None]
    first = _clauses(world, symbol)[0]
    if len(known) < len(signature.types):
        if at_fault and not problems and not any(clause.incomplete for clause in lowered):
            position = signature.types.index(None)
            what = f"argument {position + 1} of `{symbol.bare}`"
            world.problems.append(
                codes.UNKNOWN_TYPE_OF.at(first.parameters[position].span, what=what)
            )
        return None
    reads = next((clause.reads for clause in lowered if clause.reads is not None), None)
    return Predicate(
        name=symbol.name,
        types=tuple(known),
        parameters=signature.parameters,
        stratum=0,
        recursive=recursive,
        reads=reads,
        origin=origin_of(first.span),
    )


def _check_agreement(world: World, symbol: Symbol, lowered: Sequence[LoweredClause]) -> None:
    """Report clauses whose arguments are of other types than those of the clauses before."""
    written = _clauses(world, symbol)
    types = list(world.signatures[symbol.name].types)
    for clause, found in zip(written, lowered, strict=True):
        for i, (known, type_) in enumerate(zip(types, found.types, strict=False)):
            if known is not None and type_ is not None and unify(known, type_) is None:
                first = written[0].parameters[i].span
                world.problems.append(
                    codes.CONFLICTING_TYPES.at(
                        clause.parameters[i].span,
                        name=f"argument {i + 1} of `{symbol.bare}`",
                        first=a_type(known),
                        second=a_type(type_),
                        labels=[Label(first, f"{a_type(known)} here")],
                    )
                )
