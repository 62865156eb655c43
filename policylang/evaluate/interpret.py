"""The plain interpreter of a body over a finished model: every instance under which it holds, and with what.

Proofs, why-not and messages are made from it; decisions are not. It follows `policylang.semantics.program` to the
letter, failures included, and is quick where a variable that is known picks its rows from an index.

An instance is found depth first: the next literal is one whose variables are known and that only tests, else a
match with as many known arguments as possible. Where a `Bind` fails its variable stays open for a generator, and
what is left at the end reads a variable that has only a failed value, so that it fails too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from policylang.errors import InternalError
from policylang.evaluate.calculate import aggregate, value_of
from policylang.evaluate.exact import CalculationFailure
from policylang.evaluate.model import Atom, Model, extended
from policylang.facts.factset import Row
from policylang.facts.order import value_key
from policylang.facts.types import INT
from policylang.facts.values import MISSING, Missing, Value
from policylang.semantics.program import (
    ABSENT,
    Aggregate,
    Argument,
    Bind,
    Body,
    Constant,
    Each,
    Literal,
    Match,
    Not,
    Or,
    Test,
    Variable,
)

Bindings: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The branch of an `Or` that held, how its literals did, and all values that are known in it."""

    branch: int
    witnesses: tuple[Witness, ...]
    bindings: Bindings


@dataclass(frozen=True, slots=True)
class Ranged:
    """What an `Aggregate` ranged over: its distinct matches."""

    matches: tuple[Solution, ...]


Witness: TypeAlias = Row | Chosen | Ranged | None
"""How one literal held: the row of a `Match`; `None` where the bindings say it all."""


@dataclass(frozen=True, slots=True)
class Solution:
    """One instance of a body that holds: the values of its variables, and one witness a literal."""

    bindings: Bindings
    witnesses: tuple[Witness, ...]


Instance: TypeAlias = Solution | CalculationFailure
"""An instance that holds, or one of which all that does not fail holds."""


def solutions(
    body: Body, bindings: Bindings, model: Model, *, any_row: bool = False
) -> Iterator[Solution]:
    """Every instance of a body that holds under the bindings, in an order that only rows decide.

    Instances that differ in the rows they match, or in the branch of an `Or`, are told apart; with
    `any_row`, one input row is enough where a match binds nothing. Ones that fail are left out: those of a
    decision that was made are absorbed by a literal beside them.
    """
    for end in _ends(body, bindings, model, any_row=any_row):
        if end.failure is None:
            yield Solution(end.known, end.witnesses)


def instances(body: Body, bindings: Bindings, model: Model) -> Iterator[Instance]:
    """Every instance of a body that holds or fails under the bindings."""
    for end in _ends(body, bindings, model):
        yield end.failure or Solution(end.known, end.witnesses)


def _ends(
    body: Body, bindings: Bindings, model: Model, *, any_row: bool = False
) -> Iterator[_State]:
    """The instances of a body with every literal looked at that could be, failing ones with what they bind."""
    reader = BodyReader(body, model, any_row=any_row)
    stack: list[Iterator[_State]] = [
        iter((_State(dict(bindings), (None,) * len(body), tuple(range(len(body))), None),))
    ]
    while stack:
        state = next(stack[-1], None)
        if state is None:
            stack.pop()
            continue
        chosen = reader.next_literal(state.known, state.waiting)
        if chosen is not None:
            stack.append(_advance(reader, state, chosen))
        elif state.waiting:
            yield from _stuck(body, state, model)
        else:
            yield state


def _stuck(body: Body, state: _State, model: Model) -> Iterator[_State]:
    """What becomes of an instance whose waiting literals read variables that only failed to get a value.

    Those literals fail; an `Or` only by the literals of its branches, so each takes its place in turn.
    """
    if state.failure is None:
        raise InternalError(f"nothing binds a variable of `{body[state.waiting[0]].origin.text}`")
    for i in state.waiting:
        literal = body[i]
        if isinstance(literal, Or):
            for branch in literal.branches:
                yield from _ends((*body[:i], *branch, *body[i + 1 :]), state.known, model)
            return
    yield state


@dataclass(frozen=True, slots=True)
class _State:
    """A partial instance. `waiting` are the literals not looked at; `failure` the least that failed."""

    known: dict[str, Value]
    witnesses: tuple[Witness, ...]
    waiting: tuple[int, ...]
    failure: CalculationFailure | None


def _advance(reader: BodyReader, state: _State, position: int) -> Iterator[_State]:
    """The states that follow from a literal: none where it does not hold."""
    rest = tuple(i for i in state.waiting if i != position)
    before, after = state.witnesses[:position], state.witnesses[position + 1 :]
    for held in reader.ways(position, state.known):
        failure = _lesser(state.failure, held.failure)
        yield _State(held.known, (*before, held.witness, *after), rest, failure)


@dataclass(frozen=True, slots=True)
class Way:
    """A way in which a literal holds, or fails: what is known with it, and how it did."""

    known: dict[str, Value]
    witness: Witness = None
    failure: CalculationFailure | None = None


class BodyReader:
    """One body over one model: which literal comes next, and in what ways it holds.

    With `any_row`, one input row is enough for a match that binds nothing.
    """

    def __init__(self, body: Body, model: Model, *, any_row: bool = False) -> None:
        self.body = body
        self.needs = model.needs(body)
        self.model = model
        self.any_row = any_row

    def next_literal(self, known: Bindings, waiting: Iterable[int]) -> int | None:
        """The literal to look at next among those that wait; `None` where none is ready."""
        best, most = None, (-1, -1)
        for i in waiting:
            rank = self._rank(i, known)
            if rank > most:
                best, most = i, rank
        return best

    def _rank(self, position: int, known: Bindings) -> tuple[int, int]:
        literal, needs = self.body[position], self.needs[position]
        if isinstance(literal, Match):
            return 2, sum(_is_known(argument, known) for argument in literal.arguments)
        if not needs <= known.keys():
            return -1, -1
        match literal:
            case Test() | Bind():
                return 3, 0
            case Each():
                return 1, 2
            case Not() | Aggregate():
                return 1, 1
            case Or():
                return 1, 0
            case _:
                assert_never(literal)

    def ways(self, position: int, known: dict[str, Value]) -> Iterator[Way]:
        """Every way in which a literal holds or fails where `known` holds values; none where it is false."""
        return self._held(self.body[position], known)

    def _held(self, literal: Literal, known: dict[str, Value]) -> Iterator[Way]:
        match literal:
            case Match():
                return self._matched(literal, known)
            case Each():
                return _elements(literal, known)
            case Bind():
                return _compared(literal.variable, value_of(literal.value, known), known)
            case Test():
                return _tested(literal, known)
            case Not():
                return self._negated(literal, known)
            case Or():
                return self._branches(literal, known)
            case Aggregate():
                return self._aggregated(literal, known)
            case _:
                assert_never(literal)

    def _matched(self, literal: Match, known: dict[str, Value]) -> Iterator[Way]:
        one_is_enough = self.any_row and literal.name not in self.model.program.predicates
        for row in self.model.matching(literal, known):
            values = extended(literal, row, known)
            if values is not None:
                yield Way(values, row)
                if one_is_enough and len(values) == len(known):
                    return

    def _negated(self, literal: Not, known: dict[str, Value]) -> Iterator[Way]:
        failure = None
        for instance in instances(literal.body, known, self.model):
            if isinstance(instance, Solution):
                return
            failure = _lesser(failure, instance)
        yield Way(known, None, failure)

    def _branches(self, literal: Or, known: dict[str, Value]) -> Iterator[Way]:
        for number, branch in enumerate(literal.branches):
            for end in _ends(branch, known, self.model, any_row=self.any_row):
                bound = {v.name: end.known[v.name] for v in literal.binds if v.name in end.known}
                yield Way({**known, **bound}, Chosen(number, end.witnesses, end.known), end.failure)

    def _aggregated(self, literal: Aggregate, known: dict[str, Value]) -> Iterator[Way]:
        ranged = matches_of(literal, known, self.model)
        if isinstance(ranged, CalculationFailure):
            yield Way(known, failure=ranged)
            return
        result = value_over(literal, ranged)
        for held in _compared(literal.result, result, known):
            yield replace(held, witness=Ranged(ranged))


def matches_of(
    literal: Aggregate, known: Bindings, model: Model
) -> tuple[Solution, ...] | CalculationFailure:
    """The distinct matches an aggregate ranges over, told apart by its locals and by identity of rows."""
    distinct: dict[tuple[object, ...], Solution] = {}
    failure: CalculationFailure | None = None
    for instance in instances(literal.body, known, model):
        if isinstance(instance, CalculationFailure):
            failure = _lesser(failure, instance)
            continue
        values = tuple(instance.bindings.get(v.name, MISSING) for v in literal.locals)
        identity = tuple(atoms(literal.body, instance.witnesses))
        distinct.setdefault((values, identity), instance)
    return failure or tuple(distinct.values())


def _lesser(
    failure: CalculationFailure | None, other: CalculationFailure | None
) -> CalculationFailure | None:
    """The failure of a body of which two fail, so that no order of evaluation can be seen: the least code."""
    if failure is None or other is None:
        return failure or other
    return min(failure, other, key=lambda each: (each.kind.value, each.message))


def value_over(
    literal: Aggregate, ranged: Sequence[Solution]
) -> Value | Missing | CalculationFailure:
    """What an aggregate is over the matches it ranges over."""
    if literal.value is None:
        return aggregate(literal.kind, [True] * len(ranged), INT, literal.result.type)
    values = [value_of(literal.value, solution.bindings) for solution in ranged]
    return aggregate(literal.kind, values, literal.value.type, literal.result.type)


def atoms(body: Body, witnesses: Iterable[Witness]) -> Iterator[Atom]:
    """The rows and atoms that the matches of a body were matched with, in the order of writing.

    Of an `Or` those of the branch that held. Those that an aggregate ranged over are not among them.
    """
    for literal, witness in zip(body, witnesses, strict=True):
        if isinstance(literal, Match) and isinstance(witness, Row):
            yield Atom(literal.name, witness.id)
        elif isinstance(literal, Or) and isinstance(witness, Chosen):
            yield from atoms(literal.branches[witness.branch], witness.witnesses)


def _is_known(argument: Argument, known: Bindings) -> bool:
    if isinstance(argument, Variable):
        return argument.name in known
    return isinstance(argument, Constant)


def _tested(literal: Test, known: dict[str, Value]) -> Iterator[Way]:
    value = value_of(literal.condition, known)
    if isinstance(value, CalculationFailure):
        yield Way(known, failure=value)
    elif value is True:
        yield Way(known)


def _compared(
    variable: Variable, value: Value | Missing | CalculationFailure, known: dict[str, Value]
) -> Iterator[Way]:
    """The states where a variable has the value of an expression."""
    if isinstance(value, CalculationFailure):
        yield Way(known, failure=value)
    elif isinstance(value, Missing):
        return
    elif variable.name not in known:
        yield Way({**known, variable.name: value})
    elif known[variable.name] == value:
        yield Way(known)


def _elements(literal: Each, known: dict[str, Value]) -> Iterator[Way]:
    collection = value_of(literal.collection, known)
    if isinstance(collection, CalculationFailure):
        yield Way(known, failure=collection)
        return
    for index, element in _indexed(collection):
        values = _agreeing(literal.element, element, known)
        if values is not None:
            values = _agreeing(literal.index, index, values)
        if values is not None:
            yield Way(values)


def _indexed(collection: object) -> Iterable[tuple[int, Value]]:
    if isinstance(collection, frozenset):
        return enumerate(sorted(collection, key=value_key), start=1)
    return enumerate(collection, start=1) if isinstance(collection, tuple) else ()


def _agreeing(argument: Argument, value: Value, known: dict[str, Value]) -> dict[str, Value] | None:
    if isinstance(argument, Variable) and argument.name not in known:
        return {**known, argument.name: value}
    expected: object = value
    if isinstance(argument, Variable):
        expected = known[argument.name]
    elif isinstance(argument, Constant):
        expected = argument.value
    return known if expected == value and argument is not ABSENT else None
