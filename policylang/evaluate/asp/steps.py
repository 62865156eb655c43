"""A flat body as steps: each literal in an order in which its variables have values, holding or failing.

A literal that cannot fail is one step. One that can makes two bodies: one in which it holds, and one in which it
fails and what it binds has no value. In the second, literals that read such a variable fail too and are left out, as
`policylang.semantics.program` says; a test that fails or holds is told apart only where a rule is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from policylang.errors import InternalError
from policylang.evaluate.asp.build import Scope
from policylang.evaluate.asp.failing import literal_can_fail
from policylang.evaluate.asp.flat import FlatLiteral, binds, reads
from policylang.evaluate.asp.terms import AspLiteral, AspTerm, Name
from policylang.semantics.program import Aggregate, Bind, Each, Match, Not, Test

Literals: TypeAlias = tuple[AspLiteral, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One literal of a pattern.

    `holds` says that it holds and binds its variables. Where it can fail, `fails` says with which failure, and
    `may_hold` that it holds or fails without binding. `failed`: in this pattern it fails. `around` is what stands
    for it in the context of a nested body. `row` tells apart what a match is matched with; `position` is that of the
    literal in its body. `total` is the predicate of an aggregate's value.
    """

    holds: Literals
    fails: Callable[[Name], Literals] | None = None
    may_hold: Literals | None = None
    failed: bool = False
    around: Callable[[], Literals] | None = None
    row: AspTerm | None = None
    position: int = 0
    total: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it may hold or fail in its pattern."""
        return self.may_hold is not None and not self.failed


@dataclass(frozen=True, slots=True)
class Pattern:
    """A flat body with a step for each literal that has values to read; `failed`: some step fails."""

    steps: tuple[Step, ...]
    bound: frozenset[str]
    failed: bool

    @property
    def given(self) -> Literals:
        """What binds variables from around the body."""
        return self.steps[0].holds

    @property
    def totals(self) -> frozenset[str]:
        """The aggregates whose values are taken already."""
        return frozenset(s.total for s in self.steps if s.total is not None and not s.failed)


Writer: TypeAlias = Callable[[Scope, FlatLiteral, Pattern], Step]
"""Writes the step of a literal after those of a pattern."""


def patterns(
    scope: Scope,
    flat: tuple[FlatLiteral, ...],
    write: Writer,
    bound: frozenset[str] = frozenset(),
    given: Literals = (),
) -> Iterator[Pattern]:
    """Every pattern of a flat body in which `given` literals bind the variables of `bound` from around it."""
    bindable = bound.union(*map(binds, flat))
    places = {id(literal): i for i, literal in enumerate(flat)}
    waiting: list[tuple[tuple[FlatLiteral, ...], Pattern]] = [
        (flat, Pattern((Step(given, position=-1),), bound, False))
    ]
    while waiting:
        rest, pattern = waiting.pop()
        literal = _next(scope, rest, pattern, bindable)
        if literal is not None:
            others = tuple(other for other in rest if other is not literal)
            step = replace(write(scope, literal, pattern), position=places[id(literal)])
            waiting.extend((others, p) for p in _extended(pattern, step, literal, others))
        elif rest and not pattern.failed:
            raise InternalError(f"nothing binds a variable of `{rest[0].origin.text}`")
        else:
            yield pattern


def _extended(
    pattern: Pattern, step: Step, literal: FlatLiteral, others: tuple[FlatLiteral, ...]
) -> Iterator[Pattern]:
    """The patterns after a step: one, or two where what follows depends on whether it fails."""
    new = frozenset(binds(literal)) - pattern.bound
    if step.fails is not None and (step.may_hold is None or _matter(new, others)):
        failed = replace(step, failed=True)
        yield Pattern((*pattern.steps, failed), pattern.bound, True)
        step = replace(step, fails=None, may_hold=None)
    yield Pattern((*pattern.steps, step), pattern.bound | new, pattern.failed)


def _matter(new: frozenset[str], others: tuple[FlatLiteral, ...]) -> bool:
    """Whether a literal to come reads or binds one of these variables."""
    return any(not new.isdisjoint(binds(other) + tuple(reads(other))) for other in others)


def _next(
    scope: Scope, rest: tuple[FlatLiteral, ...], pattern: Pattern, bindable: frozenset[str]
) -> FlatLiteral | None:
    """The literal to take next: of those whose variables have values, one that narrows most."""
    ready = [x for x in rest if reads(x) & bindable <= pattern.bound]
    return min(ready, key=lambda x: _rank(scope, x, rest, pattern.bound), default=None)


def _rank(
    scope: Scope, literal: FlatLiteral, rest: tuple[FlatLiteral, ...], bound: frozenset[str]
) -> int:
    """Relations range first; what can fail comes after all that cannot.

    A match of an index may wait for what cannot fail, since it can be looked up by the value then. A literal
    that can fail waits for other literals that may bind what it reads.
    """
    match literal:
        case Match() if scope.is_over and scope.is_recursive(literal):
            # SOLVER: what asks for an aggregate must not wait for more of the recursion that reads its value.
            return 9
        case Match():
            if literal.name not in scope.build.access.indexed:
                return 0
            return 2 if is_bound(literal, bound) else 4
        case _ if not literal_can_fail(literal):
            return 3 if isinstance(literal, Not | Aggregate) else 1
        case Bind() | Each() | Aggregate():
            return 6 if _may_be_bound(literal, rest) else 5
        case Test() | Not():
            return 8 if _may_be_bound(literal, rest) else 7
        case _:
            assert_never(literal)


def is_bound(literal: Match, bound: frozenset[str]) -> bool:
    """Whether an argument of a match has a value before it, so that an index helps."""
    from policylang.semantics.program import Constant, Variable

    return any(
        isinstance(a, Constant) or (isinstance(a, Variable) and a.name in bound)
        for a in literal.arguments
    )


def _may_be_bound(literal: FlatLiteral, rest: tuple[FlatLiteral, ...]) -> bool:
    needed = reads(literal)
    return any(other is not literal and not needed.isdisjoint(binds(other)) for other in rest)


# --- from patterns to bodies -------------------------------------------------------------------------


def holding(pattern: Pattern) -> Literals:
    """The body in which every step holds."""
    return tuple(literal for step in pattern.steps for literal in step.holds)


def failing(scope: Scope, pattern: Pattern) -> Iterator[tuple[Name, Literals]]:
    """The bodies in which a step fails, each with the variable of its failure, and no step does not hold."""
    for target in pattern.steps:
        if target.fails is None or not (target.failed or target.is_open):
            continue
        failure = scope.fresh("Failure")
        body: list[AspLiteral] = []
        for step in pattern.steps:
            if step is target:
                body.extend(target.fails(failure))
            elif step.failed and step.fails is not None:
                body.extend(step.fails(scope.fresh("Other")))
            elif step.may_hold is not None:
                body.extend(step.may_hold)
            else:
                body.extend(step.holds)
        yield failure, tuple(body)


def around(pattern: Pattern, tests: bool = False) -> Literals:
    """What holds in every instance of a pattern so far, to make the context of a nested body from.

    With `tests`, what may fail instead is asked to hold as well.
    """
    return tuple(
        literal
        for step in pattern.steps
        if not step.failed and (tests or not step.is_open)
        for literal in (step.holds if step.around is None else step.around())
    )


def rows(pattern: Pattern) -> tuple[AspTerm, ...]:
    """What the matches of a pattern are matched with, in the order of writing."""
    steps = sorted(pattern.steps, key=lambda step: step.position)
    return tuple(step.row for step in steps if step.row is not None)
