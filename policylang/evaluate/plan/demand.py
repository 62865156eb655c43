"""Recursive definitions over much reference data, derived as far as requests ask.

A hierarchy of a million roles has many millions of pairs, one below the other, and a request asks about one. So such a definition
is not derived as a whole: where the value of one argument is known, the atoms with that value are, and kept. The rules for this are
those of the definition with a condition more, after magic sets (Bancilhon, Maier, Sagiv, Ullman, 1986): an atom is derived where its
value was asked for, and a value is asked for where a clause reads an atom with it for another one that was asked for. Where code
goes through all atoms, everything is derived, once.

No answer depends on it: what is derived are atoms of the definition, and all of those that have the value.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock, local
from time import perf_counter
from typing import Any, Final, TypeAlias

from policylang.evaluate.firings import Limits
from policylang.evaluate.plan.bodies import bound_by, can_fail, flattened
from policylang.evaluate.plan.compile import Decide, Initial, Numbered, compiled
from policylang.evaluate.plan.components import components
from policylang.evaluate.plan.world import (
    DEADLINE,
    RESERVED,
    STEPS,
    Layout,
    SlotKind,
    TimeLimitError,
    World,
    indexed,
    started,
)
from policylang.facts.types import INT, STRING, EnumType, Type, base
from policylang.semantics.program import (
    Body,
    Constant,
    Derive,
    Literal,
    Match,
    Predicate,
    Rule,
    Term,
    Variable,
)
from policylang.semantics.slicing import matches

MANY: Final = 20_000
"""Rows behind a definition from which on it is derived as far as requests ask."""

MOST_STEPS: Final = 100_000
"""Steps for one value where an atom can be looked for by another one of its values."""

MOST_KEPT: Final = 5_000_000
"""Atoms that are kept of a definition; of more, all are forgotten and derived anew."""

Atom: TypeAlias = tuple[Any, ...]
Atoms: TypeAlias = Mapping[Atom, None]


@dataclass(frozen=True, slots=True)
class Derivation:
    """The code that derives the atoms of a definition with one value at one position."""

    decide: Decide
    template: World
    asked: int
    """The slot of the values asked for."""
    atoms: int

    def atoms_with(self, value: object, world: World) -> Iterable[Atom]:
        """Atoms of the definition, and among them all with the value. Raises where that is past the limits of the world."""
        world[self.asked] = [(value,)]
        self.decide(world, {})
        found: Iterable[Atom] = world[self.atoms]
        return found


class Allowance(local):
    """What the evaluation of a thread may use: of its time what is left."""

    def __init__(self) -> None:
        self._until = float("inf")
        self._memory = 1 << 62

    def start(self, limits: Limits) -> None:
        """Begin an evaluation."""
        self._until = perf_counter() + limits.seconds
        self._memory = limits.memory

    @property
    def limits(self) -> Limits:
        """What may be used from now on."""
        return Limits(self._until - perf_counter(), self._memory)


class Asked:
    """The atoms of a definition, of which those are derived that somebody asks for. Thread-safe.

    `derivations` are by position; `everything` derives all atoms. Both raise where that is past what is allowed.
    """

    def __init__(
        self,
        derivations: Mapping[int, Derivation],
        everything: Callable[[Limits], Atoms],
        allowance: Allowance,
    ) -> None:
        self._derivations = derivations
        self._everything = everything
        self._allowance = allowance
        self._found: dict[int, dict[Any, Atoms]] = {position: {} for position in derivations}
        self._kept = 0
        self._costly: set[tuple[int, Any]] = set()
        self._whole: Atoms | None = None
        self._indexes: dict[tuple[int, ...], Mapping[Any, Sequence[Atom]]] = {}
        self._lock = Lock()

    @property
    def derived(self) -> Iterator[Atom]:
        """What was derived so far and is kept; an atom may come more than once."""
        if self._whole is not None:
            yield from self._whole
            return
        for parts in list(self._found.values()):
            for part in list(parts.values()):
                yield from part

    def whole(self) -> Atoms:
        """All atoms."""
        with self._lock:
            if self._whole is None:
                self._whole = self._everything(self._allowance.limits)
                self._found = {position: {} for position in self._derivations}
            return self._whole

    def index(self, positions: tuple[int, ...]) -> Mapping[Any, Sequence[Atom]]:
        """All atoms by their values at some positions."""
        index = self._indexes.get(positions)
        if index is None:
            index = self._indexes[positions] = indexed(self.whole(), positions, derived=True)
        return index

    def holds(self, atom: Atom) -> bool:
        """Whether the definition has an atom."""
        for position, parts in self._found.items():
            kept = parts.get(atom[position])
            if kept is not None:
                return atom in kept
        if self._whole is None:
            for position in self._derivations:
                part = self._part(position, atom[position], MOST_STEPS)
                if part is not None:
                    return atom in part
            for position in self._derivations:
                part = self._part(position, atom[position])
                if part is not None:
                    return atom in part
        return atom in self.whole()

    def having(self, position: int, value: object) -> Atoms | None:
        """The atoms with a value at a position; None where everything is derived or has to be."""
        return None if self._whole is not None else self._part(position, value)

    def _part(self, position: int, value: object, steps: int | None = None) -> Atoms | None:
        """The atoms with a value; None where there is no code for it, or where it takes more than so many steps."""
        derivation = self._derivations.get(position)
        # A Decimal that equals an Int is shown otherwise.
        if derivation is None or not isinstance(value, int | str):
            return None
        part = self._found[position].get(value)
        if part is None:
            if steps is not None and (position, value) in self._costly:
                return None
            world = started(derivation.template, self._allowance.limits, {})
            if steps is not None:
                world[STEPS], world[DEADLINE] = steps, 0.0
            try:
                found = derivation.atoms_with(value, world)
            except TimeLimitError:
                if steps is None:
                    raise
                self._costly.add((position, value))
                return None
            part = dict.fromkeys([atom for atom in found if atom[position] == value])
            self._keep(position, value, part)
        return part

    def _keep(self, position: int, value: object, part: Atoms) -> None:
        """Keep atoms. Values without an atom are not kept: they come from requests, and there is no end of them."""
        if not part:
            return
        with self._lock:
            self._kept += len(part)
            if self._kept > MOST_KEPT:
                self._found = {each: {} for each in self._derivations}
                self._kept = len(part)
            self._found[position][value] = part


class AskedSet:
    """The atoms of a definition as the set in which code looks for one."""

    __slots__ = ("_asked",)

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def __contains__(self, atom: Any) -> bool:
        return self._asked.holds(atom)


class AskedAtoms:
    """The atoms of a definition as the collection that code goes through."""

    __slots__ = ("_asked",)

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def __contains__(self, atom: Any) -> bool:
        return self._asked.holds(atom)

    def __iter__(self) -> Iterator[Atom]:
        return iter(self._asked.whole())

    def __len__(self) -> int:
        return len(self._asked.whole())


class AskedIndex:
    """The atoms of a definition by their values at some positions."""

    __slots__ = ("_asked", "_positions", "_whole")

    def __init__(self, asked: Asked, positions: tuple[int, ...]) -> None:
        self._asked = asked
        self._positions = positions
        self._whole: Mapping[Any, Sequence[Atom]] | None = None

    def __contains__(self, key: object) -> bool:
        return bool(self.get(key))

    def get(self, key: Any, default: Collection[Atom] = ()) -> Collection[Atom]:
        """The atoms with the values of a key."""
        if self._whole is None:
            values = (key,) if len(self._positions) == 1 else key
            part = self._asked.having(self._positions[0], values[0])
            if part is not None:
                return part if len(values) == 1 else self._filtered(part, values)
            self._whole = self._asked.index(self._positions)
        return self._whole.get(key, default)

    def _filtered(self, part: Atoms, values: Sequence[object]) -> Collection[Atom]:
        pairs = tuple(zip(self._positions, values, strict=True))[1:]
        return [atom for atom in part if all(atom[p] == value for p, value in pairs)]


# --- which definitions, and their rules ------------------------------------------------------------------


def definitions_to_ask(
    rules: Sequence[Numbered], layout: Layout, many: int
) -> dict[str, list[Numbered]]:
    """The clauses of the definitions that are derived as far as requests ask, by the name of the definition.

    These are recursive ones over many rows, which no other settled definition reads and whose clauses cannot fail.
    """
    found: dict[str, list[Numbered]] = {}
    for component in components(rule for _, rule in rules):
        (name, *others) = component.names
        mine = [(p, r) for p, r in rules if _derives(r, name)]
        if not component.recursive or others or any(can_fail(x) for _, r in mine for x in r.body):
            continue
        read = {match.name for _, rule in mine for match in matches(rule.body)}
        if sum(len(layout.given(x)) for x in read if not layout.is_derived(x)) < many:
            continue
        if not any(_reads(rule, name) for _, rule in rules if not _derives(rule, name)):
            found[name] = mine
    return found


def _derives(rule: Rule, name: str) -> bool:
    return isinstance(rule.head, Derive) and rule.head.predicate == name


def _reads(rule: Rule, name: str) -> bool:
    return any(match.name == name for match in matches(rule.body))


def derivation(
    name: str,
    position: int,
    clauses: Sequence[Numbered],
    layout: Layout,
    initial: Callable[[Layout], Initial],
) -> Derivation | None:
    """The code that derives the atoms of a definition with a value at a position; None where there is none.

    `layout` says what is settled beside it. `initial` fills the slots of the layout that the code makes.
    """
    predicate = layout.program.predicates[name]
    if not _is_plain(predicate.types[position]):
        return None
    made = _Asking(name, position, predicate)
    rules = made.rules([rule for _, rule in clauses])
    if rules is None:
        return None
    predicates = {**layout.program.predicates, **made.predicates}
    own = Layout(replace(layout.program, predicates=predicates), layout.reference, layout.dynamic)
    own.settled = layout.settled | {made.given}
    asked = own.number(SlotKind.ATOMS, made.given)
    atoms = own.number(SlotKind.ATOMS, name)
    decide = compiled(list(enumerate(rules)), own, initial(own))
    template: World = [None] * RESERVED
    template += [() if slot.name == made.given else initial(own)(slot) for slot in own.slots]
    return Derivation(decide, template, asked, atoms)


def _is_plain(type_: Type) -> bool:
    """Whether two equal values of a type are shown alike, wherever they come from."""
    return base(type_) in (INT, STRING) or isinstance(base(type_), EnumType)


class _Asking:
    """The rules that derive the atoms of a definition for values that are asked for at a position."""

    def __init__(self, name: str, position: int, predicate: Predicate) -> None:
        self.name = name
        self.position = position
        self.given = f"{name}?{position}"
        """Holds the value that somebody asked for."""
        self.wanted = f"{name}??{position}"
        """Holds that value, and those that are asked for because of it."""
        one = replace(predicate, types=(predicate.types[position],), parameters=("asked",))
        self.predicates = {x: replace(one, name=x) for x in (self.given, self.wanted)}

    def rules(self, clauses: Sequence[Rule]) -> list[Rule] | None:
        """The rules; None where a clause asks for what is known only once it is answered."""
        made: list[Rule] = []
        for rule in clauses:
            for number, flat in enumerate(flattened(rule.body, (), (self.name,))):
                if len([x for x in matches(flat) if x.name == self.name]) > len(self._read(flat)):
                    return None
                clause = replace(rule, name=f"{rule.name}?{number}", body=flat)
                more = self._asking(clause)
                if more is None:
                    return None
                made += [*more, self._answering(clause)]
        first = made[0]
        value = Variable("asked", self.predicates[self.given].types[0])
        start = Match(self.given, (value,), first.origin)
        return [self._wanting(first, value, (start,), "start"), *made]

    def _read(self, body: Body) -> list[Match]:
        return [x for x in body if isinstance(x, Match) and x.name == self.name]

    def _value(self, rule: Rule) -> Term:
        assert isinstance(rule.head, Derive)
        return rule.head.arguments[self.position]

    def _condition(self, rule: Rule) -> Match:
        return Match(self.wanted, (self._value(rule),), rule.origin)

    def _answering(self, rule: Rule) -> Rule:
        """The clause itself, for values that are asked for."""
        return replace(rule, body=(self._condition(rule), *rule.body))

    def _asking(self, rule: Rule) -> list[Rule] | None:
        """The rules by which a clause asks for further values: what it matches, without what it tests.

        What is read of the definition itself is asked for one after the other: the second match with what the first found.
        """
        made: list[Rule] = []
        beside: tuple[Literal, ...] = tuple(
            x for x in rule.body if isinstance(x, Match) and x.name != self.name
        )
        for number, match in enumerate(self._read(rule.body)):
            value = match.arguments[self.position]
            body = (self._condition(rule), *beside)
            beside = (*beside, match)
            if value == self._value(rule):
                continue
            if not isinstance(value, Variable | Constant):
                return None
            if isinstance(value, Variable) and value.name not in bound_by(body):
                return None
            made.append(self._wanting(rule, value, body, f"{number}"))
        return made

    def _wanting(self, rule: Rule, value: Term, body: Body, number: str) -> Rule:
        variables = (value,) if isinstance(value, Variable) else ()
        return replace(
            rule,
            name=f"{rule.name}?{number}",
            head=Derive(self.wanted, (value,)),
            body=body,
            variables=variables,
        )
