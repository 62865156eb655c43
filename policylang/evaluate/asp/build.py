"""What the lowering of one program shares: names, constants, calls, and the rules written so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from policylang.evaluate.asp.constants import Constants
from policylang.evaluate.asp.layout import Layout, layouts
from policylang.evaluate.asp.names import Names
from policylang.evaluate.asp.terms import (
    Absent,
    Anything,
    AspAtom,
    AspLiteral,
    AspRule,
    AspTerm,
    Call,
    CallSpec,
    Compared,
    Function,
    Name,
    Number,
)
from policylang.semantics.program import Constant, Derive, Match, Program, Rule, Term, Variable
from policylang.semantics.slicing import Slice, matches

REQUEST: Final = Name("Request")
"""The number of the request that an atom is about, where several are decided together."""

ONE: Final = Number(1)


@dataclass(frozen=True, slots=True)
class Access:
    """How the rules of a lowering reach rows that are known before any request.

    `held` relations have rows in reference data or tables; definitions that depend on them alone are solved
    once and then held too (`solved`). `indexed` ones are not given as facts: calls look their rows up.
    """

    held: frozenset[str] = frozenset()
    solved: frozenset[str] = frozenset()
    indexed: frozenset[str] = frozenset()


class Build:
    """The lowering of one slice in the making."""

    def __init__(self, program: Program, part: Slice, access: Access, keyed: bool) -> None:
        self.program = program
        self.part = part
        self.access = access
        self.keyed = keyed
        self.names = Names()
        self.constants = Constants()
        self.calls: dict[str, CallSpec] = {}
        self.rules: dict[AspRule, None] = {}
        self.aggregates = 0
        self.request_predicate = self.names.predicate("request")
        self.failure_predicate = self.names.predicate("fails")
        self.predicates = {
            name: self.names.predicate(name)
            for name in (*sorted(part.relations), *sorted(part.predicates))
        }
        self.layouts: Mapping[str, Layout] = layouts(part, self.predicates)
        self.components = components(part)
        self.fixed = fixed_predicates(part, access.held) | access.solved
        self.same_for_all = self.fixed | access.held | program.tables.keys()
        self.numbers = {name: number for number, name in enumerate(self.predicates)}
        self.over: dict[str, str] = {}

    def is_fixed(self, name: str) -> bool:
        """Whether a relation or definition is the same for every request."""
        return name in self.same_for_all

    def call(self, wish: str, spec: CallSpec) -> str:
        """The name of a new call."""
        name = self.names.predicate(wish)
        self.calls[name] = spec
        return name

    def over_predicate(self, name: str) -> str:
        """The predicate that holds wherever the definition does, and may where a negation of its rules does not."""
        if name not in self.over:
            self.over[name] = self.names.predicate(f"{name}_or_more")
        return self.over[name]

    def add(
        self, head: AspAtom, body: Iterable[AspLiteral], comment: str, about_request: bool
    ) -> None:
        """Write a rule; one that is about a request and matches nothing of it ranges over requests."""
        literals = tuple(dict.fromkeys(body))
        if about_request and self.keyed and not any(map(_has_request, literals)):
            literals = (AspAtom(self.request_predicate, (REQUEST,)), *literals)
        self.rules[_without_lonely_names(AspRule(head, literals, comment))] = None

    def atom(self, predicate: str, arguments: Iterable[AspTerm], about_request: bool) -> AspAtom:
        """An atom, about the request at hand or the same for all."""
        first = (REQUEST,) if about_request and self.keyed else ()
        return AspAtom(predicate, (*first, *arguments))


def _has_request(literal: AspLiteral) -> bool:
    match literal:
        case AspAtom():
            return literal.arguments[:1] == (REQUEST,)
        case Absent() | Compared():
            return False


def _without_lonely_names(rule: AspRule) -> AspRule:
    """The rule with `_` for a variable that stands alone in an atom, as a person would write it."""
    counts = Counter(name for term in _terms_of(rule) for name in _names_in(term))
    lonely = {name for name, count in counts.items() if count == 1}
    if not lonely:
        return rule
    body = tuple(_without(literal, lonely) for literal in rule.body)
    return replace(rule, body=body)


def _without(literal: AspLiteral, lonely: set[str]) -> AspLiteral:
    if not isinstance(literal, AspAtom):
        return literal
    terms = (
        Anything() if isinstance(t, Name) and t.name in lonely else t for t in literal.arguments
    )
    return AspAtom(literal.predicate, tuple(terms))


def _terms_of(rule: AspRule) -> Iterator[AspTerm]:
    yield from rule.head.arguments
    for literal in rule.body:
        match literal:
            case AspAtom():
                yield from literal.arguments
            case Absent():
                yield from literal.atom.arguments
            case Compared():
                yield from (literal.left, literal.right)


def _names_in(term: AspTerm) -> Iterator[str]:
    if isinstance(term, Name):
        yield term.name
    elif isinstance(term, Function | Call):
        for argument in term.arguments:
            yield from _names_in(argument)


@dataclass(slots=True)
class Scope:
    """One rule of the policy in the making: its variables' names, and where its pieces belong.

    `is_over`: it becomes a rule for more than a recursive definition.
    """

    build: Build
    rule: Rule
    comment: str
    about_request: bool
    names: Names = field(default_factory=Names)
    variables: dict[str, Name] = field(default_factory=dict)
    nested: dict[Hashable, object] = field(default_factory=dict)
    is_over: bool = False

    def __post_init__(self) -> None:
        self.names.variable(REQUEST.name)

    def variable(self, name: str) -> Name:
        """The ASP variable of a variable of the policy."""
        known = self.variables.get(name)
        if known is None:
            known = self.variables[name] = self.fresh(name)
        return known

    def fresh(self, wish: str) -> Name:
        """A variable of no other use."""
        return Name(self.names.variable(wish))

    def term(self, term: Term) -> AspTerm:
        """A term of the policy."""
        match term:
            case Variable():
                return self.variable(term.name)
            case Constant():
                return self.build.constants.term(term.value)

    def atom(self, predicate: str, arguments: Iterable[AspTerm]) -> AspAtom:
        """An atom of this rule's own pieces."""
        return self.build.atom(predicate, arguments, self.about_request)

    def add(self, head: AspAtom, body: Iterable[AspLiteral]) -> None:
        """Write a rule for a piece of this one."""
        self.build.add(head, body, self.comment, self.about_request)

    def is_recursive(self, match: Match) -> bool:
        """Whether the match depends on the head of this rule."""
        head = self.rule.head
        if not isinstance(head, Derive):
            return False
        components = self.build.components
        return match.name in components and components[match.name] == components[head.predicate]


def components(part: Slice) -> dict[str, int]:
    """A number for each definition of a slice, shared by those that depend on each other."""
    reach: dict[str, set[str]] = {name: set() for name in part.predicates}
    for rule in part.rules:
        if isinstance(rule.head, Derive):
            used = {m.name for m in matches(rule.body) if m.name in part.predicates}
            reach[rule.head.predicate] |= used
    order = _postorder(reach)
    back: dict[str, set[str]] = {name: set() for name in reach}
    for name, used in reach.items():
        for other in used:
            back[other].add(name)
    numbers: dict[str, int] = {}
    for root in reversed(order):
        waiting = [root]
        while waiting:
            name = waiting.pop()
            if name not in numbers:
                numbers[name] = numbers.get(root, len(numbers))
                waiting.extend(back[name] - numbers.keys())
    return numbers


def _postorder(graph: Mapping[str, set[str]]) -> list[str]:
    """The nodes, each after those it reaches first (Kosaraju's first pass, without recursion)."""
    seen: set[str] = set()
    order: list[str] = []
    for root in sorted(graph):
        stack: list[tuple[str, list[str]]] = []
        if root not in seen:
            seen.add(root)
            stack.append((root, sorted(graph[root])))
        while stack:
            name, rest = stack[-1]
            following = next((other for other in rest if other not in seen), None)
            if following is None:
                order.append(name)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, sorted(graph[following])))
    return order


def fixed_predicates(part: Slice, held: frozenset[str]) -> frozenset[str]:
    """The definitions of a slice that depend on nothing but relations whose rows are held."""
    clauses: dict[str, list[Rule]] = {name: [] for name in part.predicates}
    for rule in part.rules:
        if isinstance(rule.head, Derive):
            clauses[rule.head.predicate].append(rule)
    fixed = set(clauses)
    while True:
        moving = {
            name
            for name in fixed
            if any(
                match.name not in held and match.name not in fixed
                for rule in clauses[name]
                for match in matches(rule.body)
            )
        }
        if not moving:
            return frozenset(fixed)
        fixed -= moving
