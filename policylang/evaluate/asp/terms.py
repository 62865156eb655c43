"""An ASP program as terms: what `lower` builds, `emit` prints and `solve` grounds.

Nothing here is ever made from a request: a program is lowered once, and requests enter as facts.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from policylang.evaluate.asp.layout import Layout
from policylang.facts.types import Type
from policylang.facts.values import Value
from policylang.semantics.program import AggregateKind, Expression


@dataclass(frozen=True, slots=True)
class Name:
    """A variable of an ASP rule."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """A small integer that is no value of a policy: a row's number, a source, a request's number."""

    value: int


@dataclass(frozen=True, slots=True)
class Text:
    """A string constant."""

    text: str


@dataclass(frozen=True, slots=True)
class Function:
    """A constant, or a function of terms; without a name a tuple."""

    name: str
    arguments: tuple[AspTerm, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A value that Python calculates while clingo grounds: `@name(arguments)`."""

    name: str
    arguments: tuple[AspTerm, ...]


@dataclass(frozen=True, slots=True)
class Anything:
    """`_`."""


AspTerm: TypeAlias = Name | Number | Text | Function | Call | Anything


@dataclass(frozen=True, slots=True)
class AspAtom:
    """A predicate with terms."""

    predicate: str
    arguments: tuple[AspTerm, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """`not atom`."""

    atom: AspAtom


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison of terms. INVARIANT: `<` and its like stand between numbers of ours only, never values."""

    operator: str
    left: AspTerm
    right: AspTerm


AspLiteral: TypeAlias = AspAtom | Absent | Compared


@dataclass(frozen=True, slots=True)
class AspRule:
    """`head :- body.`, and what it came from, in the words of the policy."""

    head: AspAtom
    body: tuple[AspLiteral, ...]
    comment: str = ""


# --- what calls calculate --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Values:
    """A call that gives the value of an expression, or nothing where it is missing or fails."""

    expression: Expression
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Elements:
    """A call that gives the elements of a collection, each with its index where `indexed`."""

    expression: Expression
    parameters: tuple[str, ...]
    indexed: bool


@dataclass(frozen=True, slots=True)
class Fails:
    """A call that gives the failure of an expression, or nothing where it does not fail."""

    expression: Expression
    parameters: tuple[str, ...]


class Expected(enum.Enum):
    """What a literal asks of the value of its expression."""

    TRUE = "true"
    PRESENT = "any value"
    EQUAL = "the value of the last argument"


@dataclass(frozen=True, slots=True)
class MayHold:
    """A call that gives 1 where an expression fails or is as expected, else nothing."""

    expression: Expression
    parameters: tuple[str, ...]
    expected: Expected


@dataclass(frozen=True, slots=True)
class Note:
    """A call that adds a match to an aggregate: its arguments are the context, the locals, and the rows.

    `context` counts the arguments that tell contexts apart; `names` are the variables of the arguments after the
    request's number (empty for none), so that the value's expression can be calculated.
    """

    aggregate: int
    context: int
    names: tuple[str, ...]
    expression: Expression | None


@dataclass(frozen=True, slots=True)
class Total:
    """A call that gives the aggregate of the matches noted for a context; with `fails` its failure.

    `can_fail`: there is such a call beside this one.
    """

    aggregate: int
    kind: AggregateKind
    value_type: Type
    result_type: Type
    fails: bool
    can_fail: bool


@dataclass(frozen=True, slots=True)
class Lookup:
    """A call that gives rows of a relation held in an index: those that agree with its arguments.

    `bound` are the positions of the arguments in the atom, `free` of what each row answers with; without any the
    answer is 1. `negated`: 1 where no row agrees.
    """

    name: str
    bound: tuple[int, ...]
    free: tuple[int, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """A call that gives what was put together for it before grounding."""

    name: str


CallSpec: TypeAlias = Values | Elements | Fails | MayHold | Note | Total | Lookup | Given


@dataclass(frozen=True, slots=True)
class Reported:
    """The predicate of a rule's firings. `width` counts the arguments, without the request's number."""

    predicate: str
    rule: int
    width: int


@dataclass(frozen=True, slots=True)
class AspProgram:
    """A lowered slice.

    `constants` are the values that stand in rules, with their terms. `inputs` say how rows of a relation
    become atoms. `reports` name the predicates of firings, `failures` that of failures; `derived` are the
    predicates of definitions by name. `keyed`: the first argument of whatever depends on the request is its number.
    """

    action: str
    rules: tuple[AspRule, ...]
    calls: Mapping[str, CallSpec]
    constants: tuple[tuple[Value, AspTerm], ...]
    inputs: Mapping[str, Layout]
    reports: tuple[Reported, ...]
    derived: Mapping[str, str]
    failures: str
    requests: str
    keyed: bool
