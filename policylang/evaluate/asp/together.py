"""The program of many requests in one grounding: what goes to clingo and back for each of them is made little.

SOLVER: an atom that is given alone costs some 3 us on the way in, a symbol 2, a call into Python 8; a rule instance costs
half of one. So the rows of relations that hold no more than one for each request of a batch enter as one tuple for
each request, all rows of a kind are the answers of one call, and operations on the columns of one request are calculated
before grounding, once for values that many requests share, and joined as atoms. The joins remain clingo's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from policylang.evaluate.asp.build import REQUEST
from policylang.evaluate.asp.constants import ABSENT_TERM
from policylang.evaluate.asp.layout import Layout
from policylang.evaluate.asp.names import Names
from policylang.evaluate.asp.terms import (
    Absent,
    Anything,
    AspAtom,
    AspLiteral,
    AspProgram,
    AspRule,
    AspTerm,
    Call,
    CallSpec,
    Compared,
    Elements,
    Fails,
    Function,
    Given,
    Lookup,
    MayHold,
    Name,
    Number,
    Values,
)

Column: TypeAlias = tuple[str, int]
"""A relation, and the position of an argument in its atoms (the request's number left out)."""

_PURE: Final = (Values, Elements, Fails, MayHold, Lookup)
"""Calls that answer the same whenever they are made: what they read is their arguments."""


@dataclass(frozen=True, slots=True)
class Tabulated:
    """A call that is made before grounding, for the arguments that rows of a batch have in some columns.

    Where `only` is set, the atoms are of the arguments that it is answered to, else of arguments with an answer.
    """

    call: str
    predicate: str
    given: str
    columns: tuple[Column, ...]
    only: AspTerm | None


@dataclass(frozen=True, slots=True)
class Together:
    """A program over the rows of a batch, which `entering` rules bring in.

    `singles` enter as the tuples that the call `requests` gives: the number of a request, and the arguments of each
    relation's atom in turn (one for a relation without any). `rows` names the call for each other relation.
    """

    program: AspProgram
    entering: tuple[AspRule, ...]
    singles: tuple[str, ...]
    requests: str
    rows: Mapping[str, str]
    tables: tuple[Tabulated, ...]


def together(program: AspProgram, singles: frozenset[str]) -> Together:
    """The keyed program for batches in which no request has more than one row of each relation of `singles`."""
    return _Together(program, singles).made()


def width(layout: Layout) -> int:
    """How many places of a request's tuple belong to a relation: one that has no columns is there or not."""
    return max(layout.width, 1)


class _Together:
    """A program in the making."""

    def __init__(self, program: AspProgram, singles: frozenset[str]) -> None:
        self._program = program
        read = frozenset(_read(program))
        self._inputs = {
            name: layout for name, layout in program.inputs.items() if layout.predicate in read
        }
        self._singles = tuple(name for name in self._inputs if name in singles)
        self._names = Names(_taken(program))
        self._relations = {layout.predicate: name for name, layout in program.inputs.items()}
        self._rules: list[AspRule] = []
        self._calls: dict[str, CallSpec] = {}
        self._tables: dict[tuple[str, tuple[Column, ...], AspTerm | None], tuple[str, str]] = {}

    def made(self) -> Together:
        requests = self._given("requests")
        rows = {
            name: self._given(f"rows_{layout.predicate}")
            for name, layout in self._inputs.items()
            if name not in self._singles
        }
        self._enter(requests, rows)
        rules = [replace(rule, body=self._body(rule)) for rule in self._program.rules]
        tables = tuple(
            Tabulated(call, predicate, given, columns, only)
            for (call, columns, only), (predicate, given) in self._tables.items()
        )
        return Together(
            program=replace(
                self._program,
                rules=tuple(rules),
                calls={**self._program.calls, **self._calls},
            ),
            entering=tuple(self._rules),
            singles=self._singles,
            requests=requests,
            rows=rows,
            tables=tables,
        )

    def _given(self, wish: str) -> str:
        name = self._names.predicate(wish)
        self._calls[name] = Given(name)
        return name

    # --- rows ----------------------------------------------------------------------------------------

    def _enter(self, requests: str, rows: Mapping[str, str]) -> None:
        layouts = [self._inputs[name] for name in self._singles]
        count = sum(map(width, layouts))
        whole = AspAtom(self._names.predicate("whole"), (REQUEST, *_columns(count)))
        self._enter_from(requests, whole)
        self._add(AspAtom(self._program.requests, (REQUEST,)), [_seen(whole, range(0))])
        first = 0
        for layout in layouts:
            places = range(first, first + width(layout))
            first = places.stop
            head = AspAtom(layout.predicate, (REQUEST, *_columns(first)[places.start :]))
            if not layout.width:
                head = AspAtom(layout.predicate, (REQUEST,))
            there = Compared("!=", _columns(first)[places.start], ABSENT_TERM)
            self._add(head, [_seen(whole, places), there])
        for name, call in rows.items():
            layout = self._inputs[name]
            self._enter_from(call, AspAtom(layout.predicate, (REQUEST, *_columns(layout.width))))

    def _enter_from(self, call: str, atom: AspAtom) -> None:
        self._add(atom, [Compared("=", Function("", atom.arguments), Call(call, ()))])

    def _add(self, head: AspAtom, body: Iterable[AspLiteral]) -> None:
        self._rules.append(AspRule(head, tuple(body), "rows of the requests"))

    # --- calls ---------------------------------------------------------------------------------------

    def _body(self, rule: AspRule) -> tuple[AspLiteral, ...]:
        return tuple(self._literal(literal, rule) for literal in rule.body)

    def _literal(self, literal: AspLiteral, rule: AspRule) -> AspLiteral:
        match literal:
            case Compared(operator="=", right=Call() as call) if isinstance(
                self._program.calls[call.name], _PURE
            ):
                columns = self._columns_of(call, rule)
                return literal if columns is None else self._tabulated(literal.left, call, columns)
            case _:
                return literal

    def _tabulated(self, left: AspTerm, call: Call, columns: tuple[Column, ...]) -> AspAtom:
        """The atom that stands for an answer of a call."""
        only = left if _is_constant(left) else None
        key = (call.name, columns, only)
        if key not in self._tables:
            predicate = self._names.predicate(f"{call.name}_known")
            self._tables[key] = predicate, self._given(f"{call.name}_of")
            terms = _columns(len(columns) + (only is None))
            answer = terms[0] if len(terms) == 1 else Function("", terms)
            body = Compared("=", answer, Call(self._tables[key][1], ()))
            self._rules.append(AspRule(AspAtom(predicate, terms), (body,), "what was calculated"))
        predicate, _ = self._tables[key]
        return AspAtom(predicate, (*call.arguments, *(() if only is not None else (left,))))

    def _columns_of(self, call: Call, rule: AspRule) -> tuple[Column, ...] | None:
        """Columns that hold every value of a call's arguments: of single rows, or of one other row."""
        if not call.arguments:
            return None
        single: dict[AspTerm, Column] = {}
        for atom in rule.body:
            if not isinstance(atom, AspAtom) or atom.arguments[:1] != (REQUEST,):
                continue
            relation = self._relations.get(atom.predicate)
            if relation is None:
                continue
            found: dict[AspTerm, Column] = {
                term: (relation, i)
                for i, term in enumerate(atom.arguments[1:])
                if isinstance(term, Name)
            }
            if relation in self._singles:
                single.update(found)
            elif all(argument in found for argument in call.arguments):
                return tuple(found[argument] for argument in call.arguments)
        if all(argument in single for argument in call.arguments):
            return tuple(single[argument] for argument in call.arguments)
        return None


def _is_constant(term: AspTerm) -> bool:
    return isinstance(term, Number) or (isinstance(term, Function) and not term.arguments)


def _columns(count: int) -> tuple[Name, ...]:
    return tuple(Name(f"C{i}") for i in range(count))


def _seen(atom: AspAtom, places: range) -> AspAtom:
    """The atom with nothing but its request and some places named."""
    first, *others = atom.arguments
    kept = (term if i in places else Anything() for i, term in enumerate(others))
    return AspAtom(atom.predicate, (first, *kept))


def _read(program: AspProgram) -> Iterator[str]:
    """The predicates whose atoms some rule reads for its request."""
    for rule in program.rules:
        for atom in _atoms(rule.body):
            if atom.arguments[:1] == (REQUEST,):
                yield atom.predicate


def _taken(program: AspProgram) -> Iterator[str]:
    yield from program.calls
    yield from (layout.predicate for layout in program.inputs.values())
    yield from (program.requests, program.failures)
    for rule in program.rules:
        for atom in _atoms((rule.head, *rule.body)):
            yield atom.predicate


def _atoms(literals: Sequence[AspLiteral]) -> Iterator[AspAtom]:
    for literal in literals:
        if isinstance(literal, AspAtom):
            yield literal
        elif isinstance(literal, Absent):
            yield literal.atom
