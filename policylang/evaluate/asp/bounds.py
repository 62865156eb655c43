"""How much a grounding can cost at most, from the numbers of rows alone.

SOLVER: grounding cannot be interrupted, neither by `interrupt()` nor by a signal. So what may take long is known
before it starts, and evaluated where it can be killed (`contained.py`).

The bound of a rule is the greatest number of partial instances that any order of its join can meet: over all sets of
its literals in which each has a variable of its own, the greatest product of their sizes. A derived predicate has
at most as many atoms as its rules have instances, and as its columns have combinations; in a recursion
only the second is known. A column holds what the relations hold that its values come from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, TypeAlias

from policylang.evaluate.asp.held import Held
from policylang.evaluate.asp.layout import Layout
from policylang.evaluate.asp.terms import (
    Absent,
    AspAtom,
    AspLiteral,
    AspProgram,
    AspRule,
    AspTerm,
    Call,
    Compared,
    Elements,
    Function,
    Lookup,
    Name,
    Text,
)
from policylang.facts.factset import Row
from policylang.facts.types import STRING, ListType, SetType, base
from policylang.facts.values import Value
from policylang.semantics.program import Apply, Constant, Expression, Program

_MOST_LITERALS: Final = 8
_CALL_COST: Final = 4
"""A call costs some four times what an instance costs."""

_TEXT_PER_UNIT: Final = 4096
"""Characters that an operation on text looks through in the time of one instance."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a bound depends on: rows by input predicate, the longest collection, and the longest text."""

    rows: tuple[tuple[str, int], ...]
    elements: int
    text: int


@dataclass(frozen=True, slots=True)
class _Generator:
    """A literal that gives its variables values: how many instances it can have, and for which variables."""

    variables: frozenset[str]
    predicate: str | None = None
    call: str | None = None


@dataclass(frozen=True, slots=True)
class _Join:
    """One rule as a join: its literals, the sets of them whose product counts, and how many calls it makes."""

    head: str
    columns: tuple[AspTerm, ...]
    generators: tuple[_Generator, ...]
    products: tuple[tuple[int, ...], ...]
    calls: int
    comes_from: Mapping[str, tuple[tuple[str, int], ...]] = field(hash=False)


_Column: TypeAlias = tuple[str, int]
_CONSTANT: Final[_Column] = ("", 0)


class Bounds:
    """The bound of one lowered program, as a function of sizes."""

    def __init__(self, program: AspProgram, held: Mapping[str, Held]) -> None:
        self._program = program
        self._held = held
        self._joins: dict[str, list[_Join]] = {}
        for rule in program.rules:
            self._joins.setdefault(rule.head.predicate, []).append(_join(rule, program))
        self._order = _components(self._joins)
        self._constants = _longest_constant(program)
        self._known: dict[Sizes, float] = {}

    def units(self, sizes: Sizes) -> float:
        """The most that a grounding over these sizes can cost, in instances of a rule."""
        known = self._known.get(sizes)
        if known is None:
            if len(self._known) > 1000:
                self._known.clear()
            known = self._known[sizes] = self._bounded(sizes)
        return known

    def _bounded(self, sizes: Sizes) -> float:
        run = _Run(self._program, self._held, sizes, max(sizes.elements, self._constants))
        call_cost = _CALL_COST + sizes.text / _TEXT_PER_UNIT
        total = float(sum(run.size.values()))
        for component, recursive in self._order:
            joins = [join for head in component for join in self._joins[head]]
            run.widen(joins)
            for head in component:
                run.size[head] = run.combinations(head, self._joins[head][0].columns)
                if not recursive:
                    run.size[head] = min(run.size[head], sum(map(run.instances, joins)))
            total += sum(run.instances(join) * (1 + join.calls * call_cost) for join in joins)
        return total


class _Run:
    """One calculation of a bound."""

    def __init__(
        self, program: AspProgram, held: Mapping[str, Held], sizes: Sizes, elements: int
    ) -> None:
        self._program = program
        self._held = held
        self._elements = max(elements, 1)
        self.size: dict[str, float] = dict(sizes.rows)
        self._inputs = frozenset(self.size)
        self._sources: dict[_Column, frozenset[str]] = {}

    def widen(self, joins: Sequence[_Join]) -> None:
        """Find out from which inputs the columns of some predicates take their values."""
        changed = True
        while changed:
            changed = False
            for join in joins:
                for position, term in enumerate(join.columns):
                    column = (join.head, position)
                    found = self._sources.get(column, frozenset()) | self._sources_of(join, term)
                    changed |= found != self._sources.get(column)
                    self._sources[column] = found

    def _sources_of(self, join: _Join, term: AspTerm) -> frozenset[str]:
        if not isinstance(term, Name):
            return frozenset({""})
        origins = join.comes_from.get(term.name, ())
        if not origins:
            return frozenset({f"*{join.head}"})
        return min((self._column(origin) for origin in origins), key=self._count)

    def _column(self, column: _Column) -> frozenset[str]:
        name, _ = column
        if column == _CONSTANT:
            return frozenset({""})
        if name in self._inputs or name.startswith("@"):
            return frozenset({name})
        return self._sources.get(column, frozenset())

    def _count(self, sources: frozenset[str]) -> float:
        return sum(map(self._values, sources))

    def _values(self, source: str) -> float:
        """How many values a source can give."""
        if source.startswith("@"):
            return self._answers(source[1:], everything=True)
        if source.startswith("*"):
            # Calculated in the rules of a predicate: at most once for each of its atoms, where their number is known.
            return self.size.get(source[1:], math.inf)
        return self.size[source] if source else 1.0

    def combinations(self, head: str, columns: Sequence[AspTerm]) -> float:
        """How many atoms the values of its columns can make."""
        return _product(
            self._count(self._sources.get((head, i), frozenset())) for i in range(len(columns))
        )

    def instances(self, join: _Join) -> float:
        """How many partial instances a join can meet."""
        return max(
            (
                _product(self._generated(join.generators[i]) for i in chosen)
                for chosen in join.products
            ),
            default=1.0,
        )

    def _generated(self, generator: _Generator) -> float:
        if generator.call is not None:
            return max(self._answers(generator.call, everything=False), 1.0)
        return self.size.get(generator.predicate or "", 0.0)

    def _answers(self, call: str, everything: bool) -> float:
        """How many answers a call can give: to one question, or to all of them together."""
        match self._program.calls.get(call):
            case Elements():
                return float(self._elements)
            case Lookup() as lookup:
                held = self._held[lookup.name]
                return float(len(held.rows) if everything else held.largest(lookup.bound))
            case _:
                # What is calculated from a context or a row is one value for each.
                return math.inf if everything else 1.0


def _product(factors: Iterable[float]) -> float:
    known = tuple(factors)
    return 0.0 if 0.0 in known else math.prod(known)


def _join(rule: AspRule, program: AspProgram) -> _Join:
    generators: list[_Generator] = []
    calls = 0
    comes_from: dict[str, list[_Column]] = {}
    for literal in rule.body:
        generator = _generator(literal)
        if generator is not None:
            generators.append(generator)
        for name, column in _columns(literal, program):
            comes_from.setdefault(name, []).append(column)
        calls += isinstance(literal, Compared) and isinstance(literal.right, Call)
    return _Join(
        head=rule.head.predicate,
        columns=rule.head.arguments,
        generators=tuple(generators),
        products=tuple(_products(generators)),
        calls=calls,
        comes_from={name: tuple(columns) for name, columns in comes_from.items()},
    )


def _generator(literal: AspLiteral) -> _Generator | None:
    match literal:
        case AspAtom():
            return _Generator(frozenset(_names(literal.arguments)), predicate=literal.predicate)
        case Compared(right=Call() as call, operator="="):
            return _Generator(frozenset(_names((literal.left,))), call=call.name)
        case Compared() | Absent():
            return None


def _columns(literal: AspLiteral, program: AspProgram) -> Iterator[tuple[str, _Column]]:
    """The variables of a literal with the columns that they take their values from."""
    match literal:
        case AspAtom():
            for position, term in enumerate(literal.arguments):
                if isinstance(term, Name):
                    yield term.name, (literal.predicate, position)
        case Compared(right=Call() as call, operator="="):
            if isinstance(program.calls.get(call.name), Elements | Lookup):
                for name in _names((literal.left,)):
                    yield name, (f"@{call.name}", 0)
        case Compared(left=Name() as variable, right=Function() | Text(), operator="="):
            yield variable.name, _CONSTANT
        case Compared() | Absent():
            pass


def _names(terms: Sequence[AspTerm]) -> Iterator[str]:
    for term in terms:
        if isinstance(term, Name):
            yield term.name
        elif isinstance(term, Function):
            yield from _names(term.arguments)


def _products(generators: Sequence[_Generator]) -> Iterator[tuple[int, ...]]:
    """The sets of literals in which each has a variable that no other of the set has."""
    numbers = [i for i, generator in enumerate(generators) if generator.variables]
    if len(numbers) > _MOST_LITERALS:
        yield tuple(numbers)
        return
    for count in range(1, len(numbers) + 1):
        for chosen in combinations(numbers, count):
            if all(_has_own(i, chosen, generators) for i in chosen):
                yield chosen


def _has_own(number: int, chosen: Sequence[int], generators: Sequence[_Generator]) -> bool:
    others = (generators[i].variables for i in chosen if i != number)
    return bool(generators[number].variables.difference(*others))


def _components(joins: Mapping[str, Sequence[_Join]]) -> list[tuple[frozenset[str], bool]]:
    """The derived predicates in the order in which they depend on each other, recursive ones together."""
    uses = {
        head: {g.predicate for join in some for g in join.generators if g.predicate is not None}
        for head, some in joins.items()
    }
    reach = {name: _reachable(name, uses) for name in uses}
    order: list[tuple[frozenset[str], bool]] = []
    done: set[str] = set()
    for name in sorted(uses, key=lambda n: (len(reach[n]), n)):
        if name not in done:
            component = frozenset({name} | {o for o in reach[name] if name in reach.get(o, ())})
            done |= component
            order.append((component, name in reach[name]))
    return order


def _reachable(name: str, uses: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(uses[name])
    while waiting:
        other = waiting.pop()
        if other not in seen and other in uses:
            seen.add(other)
            waiting.extend(uses[other])
    return seen


# --- sizes of a request ------------------------------------------------------------------------------


class Measure:
    """Reads the sizes of requests to one lowered program, rounded up so that few differ."""

    def __init__(self, program: Program, lowered: AspProgram) -> None:
        self._inputs = [
            (name, layout.predicate, *_sized(program, layout))
            for name, layout in lowered.inputs.items()
        ]

    def of_rows(self, relations: Mapping[str, Sequence[Row]]) -> Sizes:
        """The sizes of the rows of some relations."""
        rows: list[tuple[str, int]] = []
        elements, text = 0, 0
        for name, predicate, collections, texts in self._inputs:
            given = relations.get(name, ())
            count = len(given)
            rows.append((predicate, count if count <= 4 else _rounded(count)))
            for row in given:
                values = row.values
                for i in collections:
                    elements = max(elements, _length(values[i]))
                for i in texts:
                    value = values[i]
                    if isinstance(value, str) and len(value) > text:
                        text = len(value)
        return Sizes(tuple(rows), _rounded(elements), _rounded(text) if text > 1000 else 0)


def _sized(program: Program, layout: Layout) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The columns of a relation that hold collections, and those that hold texts of any length."""
    columns = program.schema.relations[layout.relation].columns
    kinds = [(i, base(columns[i].domain.type)) for i in layout.columns]
    collections = tuple(i for i, kind in kinds if isinstance(kind, SetType | ListType))
    return collections, tuple(i for i, kind in kinds if kind is STRING)


def _length(value: object) -> int:
    return len(value) if isinstance(value, tuple | frozenset) else 0


def _rounded(count: int) -> int:
    """The count, or the next power of two above 4."""
    return count if count <= 4 else 1 << (count - 1).bit_length()


def _longest_constant(program: AspProgram) -> int:
    lengths = [0]
    for spec in program.calls.values():
        if isinstance(spec, Elements):
            lengths.extend(_lengths(spec.expression))
    return max(lengths)


def _lengths(expression: Expression) -> Iterator[int]:
    match expression:
        case Constant():
            value: Value = expression.value
            yield _length(value)
        case Apply():
            for argument in expression.arguments:
                yield from _lengths(argument)
        case _:
            pass
