"""Optional values where their absence is easily forgotten: under negations, and in deny rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policylang.diagnostics import Diagnostic
from policylang.facts.schema import Cardinality, Relation, RelationKind
from policylang.semantics import codes
from policylang.semantics.lints.bundle import LintedBundle, literals
from policylang.semantics.program import (
    ABSENT,
    ANY,
    PRESENT,
    Aggregate,
    Apply,
    Body,
    Deny,
    Hole,
    Match,
    Not,
    Operation,
    Or,
    Rule,
    Test,
    Variable,
)
from policylang.semantics.safety import names_in


@dataclass(frozen=True, slots=True)
class _Read:
    """The reading of a path that may be missing; `fact` says that the whole fact is optional."""

    key: tuple[str, int]
    path: str
    fact: bool
    match: Match


def optional_values(bundle: LintedBundle) -> Iterator[Diagnostic]:
    """Warn where a missing value would make a negation hold, or a deny rule not hold, unsaid."""
    asked_by_denies = _asked_by_denies(bundle)
    for rule in bundle.rules():
        warned: set[str] = set()
        for problem, path in _negations(bundle, rule.body, frozenset(), {}):
            if path not in warned:
                warned.add(path)
                yield problem
        if isinstance(rule.head, Deny) and rule.head.limit is None:
            yield from _in_deny(bundle, rule, warned, asked_by_denies)


# --- what is asked and read ------------------------------------------------------------------------------


def _asked(body: Body) -> frozenset[tuple[str, int]]:
    """What the literals of a body, and the negations in it, ask to be present or missing.

    -1 stands for the fact itself.
    """
    found: set[tuple[str, int]] = set()
    for literal in body:
        inner = literal.body if isinstance(literal, Not) else (literal,)
        for candidate in inner:
            if isinstance(candidate, Match):
                found.update(_asks(candidate))
    return frozenset(found)


def _asks(match: Match) -> Iterator[tuple[str, int]]:
    if all(argument is ANY for argument in match.arguments):
        yield match.name, -1
    for i, argument in enumerate(match.arguments):
        if isinstance(argument, Hole) and argument in (PRESENT, ABSENT):
            yield match.name, i
            yield match.name, -1


def _reads(bundle: LintedBundle, body: Body) -> Iterator[_Read]:
    """The readings of optional paths that stand in a body itself."""
    for literal in body:
        if isinstance(literal, Match) and literal.path is not None:
            relation = bundle.single(literal)
            if relation is not None:
                yield from _optional(literal, relation)


def _optional(match: Match, relation: Relation) -> Iterator[_Read]:
    fact = relation.cardinality is Cardinality.OPTIONAL
    for i, argument in enumerate(match.arguments):
        column = relation.columns[i]
        if isinstance(argument, Variable) and (fact or column.optional) and match.path is not None:
            yield _Read((relation.name, i), match.path, fact and not column.optional, match)


def _is_asked(read: _Read, asked: frozenset[tuple[str, int]]) -> bool:
    return read.key in asked or (read.fact and (read.key[0], -1) in asked)


# --- negations ---------------------------------------------------------------------------------------------


def _negations(
    bundle: LintedBundle,
    body: Body,
    asked: frozenset[tuple[str, int]],
    around: dict[str, _Read],
) -> Iterator[tuple[Diagnostic, str]]:
    """Warnings for the negations and `!=` of a body; `around` are the readings of bodies around it."""
    asked = asked | _asked(body)
    here = {_variable(read): read for read in _reads(bundle, body)}
    known = {**around, **here}
    for literal in body:
        match literal:
            case Test(condition=Apply(operation=Operation.NE) as condition):
                for name in names_in(condition):
                    read = known.get(name)
                    if read is not None and not _is_asked(read, asked):
                        yield _warn(read, literal.origin.text, "does not hold"), read.path
            case Not():
                yield from _inside_not(bundle, literal, asked)
            case Or():
                either = asked.union(*map(_asked, literal.branches))
                for branch in literal.branches:
                    yield from _negations(bundle, branch, either, known)
            case Aggregate():
                yield from _negations(bundle, literal.body, asked, known)
            case _:
                pass


def _inside_not(
    bundle: LintedBundle, literal: Not, asked: frozenset[tuple[str, int]]
) -> Iterator[tuple[Diagnostic, str]]:
    """What a `not` reads and nothing asks for, inside it or around it; a path read around it is there."""
    inside = asked | _asked(literal.body)
    for read in _deep_reads(bundle, literal.body):
        if not _is_asked(read, inside):
            yield _warn(read, literal.origin.text, "holds"), read.path


def _deep_reads(bundle: LintedBundle, body: Body) -> Iterator[_Read]:
    yield from _reads(bundle, body)
    for literal in body:
        if isinstance(literal, Or):
            for branch in literal.branches:
                yield from _deep_reads(bundle, branch)


def _variable(read: _Read) -> str:
    argument = read.match.arguments[read.key[1]]
    assert isinstance(argument, Variable)
    return argument.name


def _warn(read: _Read, text: str, verb: str) -> Diagnostic:
    span = read.match.origin.span
    return codes.OPTIONAL_IN_NEGATION.at(span, path=read.path, text=text, verb=verb)


# --- deny rules ----------------------------------------------------------------------------------------------


def _asked_by_denies(bundle: LintedBundle) -> dict[str, frozenset[tuple[str, int]]]:
    """By action, what any deny rule asks to be present or missing."""
    found: dict[str, frozenset[tuple[str, int]]] = {}
    for rule in bundle.program.rules:
        if isinstance(rule.head, Deny):
            asked = frozenset(
                key
                for literal in literals(rule.body)
                if isinstance(literal, Match)
                for key in _asks(literal)
            )
            for action in rule.actions:
                found[action] = found.get(action, frozenset()) | asked
    return found


_ORDERED = (Operation.LT, Operation.LE, Operation.GT, Operation.GE, Operation.BETWEEN)


def _in_deny(
    bundle: LintedBundle,
    rule: Rule,
    warned: set[str],
    asked_by_denies: dict[str, frozenset[tuple[str, int]]],
) -> Iterator[Diagnostic]:
    """An optional fact that a deny rule reads, and an optional field that it compares by size.

    Silent where this or another deny rule of the same actions asks for its presence, and about the
    arguments of actions, which callers leave out on purpose.
    """
    asked = [asked_by_denies.get(action, frozenset()) for action in rule.actions]
    everywhere = frozenset.intersection(*asked) if asked else frozenset()
    compared = _compared_by_size(rule.body)
    for read in _deep_reads(bundle, rule.body):
        relation = bundle.relation(read.match)
        if relation is None or relation.kind is not RelationKind.FACT or read.path in warned:
            continue
        optional_fact = relation.cardinality is Cardinality.OPTIONAL
        if not _is_asked(read, everywhere) and (optional_fact or _variable(read) in compared):
            warned.add(read.path)
            span = read.match.origin.span
            name = rule.name.rpartition(".")[2]
            yield codes.OPTIONAL_IN_DENY.at(span, path=read.path, name=name)


def _compared_by_size(body: Body) -> frozenset[str]:
    return frozenset(
        name
        for literal in literals(body)
        if isinstance(literal, Test) and isinstance(literal.condition, Apply)
        if literal.condition.operation in _ORDERED
        for name in names_in(literal.condition)
    )
