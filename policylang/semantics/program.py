"""`Program`: the typed, stratified intermediate representation that every evaluator reads.

It knows nothing of how policies are parsed or who evaluates them. What a program means:

* A **body** is a tuple of literals, all of which have to hold. Its order is the order of writing and has
  no meaning: an evaluator may reorder.
* **Generators** (`Match`, `Each`) range over rows, atoms and elements and bind variables.
  `Bind` computes a variable from bound ones. `Test`, `Not` only test. `Or` holds where a branch
  does and binds what every branch binds. `Aggregate` computes one value from all matches of its body.
* A variable has one value per instance of its body: a generator or `Bind` on a variable that is bound
  elsewhere in the same scope compares with it. Nested bodies see the variables of the bodies around them.
* **Missing**: a generator whose argument is a variable or constant matches only rows that have that
  column; a `Bind`, `Test` or `Aggregate` whose expression is missing does not hold.
* **Failure**: an operation may fail (division by zero, more than 38 digits, more places than a
  Decimal's scale, dates out of range). A literal with a failing operation is neither true nor false. A
  body in which another literal does not hold does not hold either; a body in which all others hold fails, and a
  failing body of any rule of the slice fails the whole decision. For this, generators
  over relations range first: a failed `Bind` on a variable that a generator also binds is a comparison that
  fails, and any literal that reads a variable with no value other than a failed one fails (a `Not` and an
  `Aggregate` read what their bodies read from around them; an `Or` only by the literals of its branches). Within
  an expression a failure counts before a missing argument. A failing instance derives nothing. A `Not` is false
  where an instance of its body holds, fails where none holds and one fails, and else is true. An
  `Aggregate` fails where an instance of its body fails, or its own arithmetic does. Each branch of an
  `Or` is a body of its own: the body around it fails in a branch's instance that fails.
* **Firings** of a rule are the distinct values of `Rule.variables` under which its body holds.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, TypeAlias

from policylang.diagnostics import Source as SourceText
from policylang.diagnostics import Span
from policylang.facts.schema import PathRead, RelationKind, Schema, Source
from policylang.facts.types import Type
from policylang.facts.values import Missing, Value
from policylang.semantics.criteria import Criteria


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a node was written: its span, and the text of it as a reader of the policy would quote it."""

    span: Span
    text: str


# --- terms and expressions ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a rule, unique by name within the rule (nested bodies included).

    A written variable has its own name (`C`); where the same name is local to two nested bodies the
    second is renamed (`C'2`). The value read by a path is a hidden variable named as the path
    (`customer.tier`); others the checker makes up are hidden too and start with `_`.
    """

    name: str
    type: Type
    hidden: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal value, or the value of a param (`param` is its qualified name, for proofs)."""

    value: Value
    type: Type
    param: str | None = field(default=None, compare=False)


class Operation(enum.Enum):
    """Every function and operator, by the name that proofs and printed programs use.

    Signatures are in `policylang.semantics.operations`, the calculation in `policylang.evaluate.calculate`.
    """

    # comparisons: (T, T) -> Bool. Numbers by value, enums as declared, strings by code point.
    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    # membership -> Bool
    BETWEEN = "between"  # (T, low T, high T); an open end is a BETWEEN-less LE or GE
    IN = "in"  # (T, List[T] or Set[T])
    IN_NETWORK = "in network"  # (Ip, Cidr)
    HAS = "has"  # (Set[T] or List[T], T)
    HAS_ALL = "has all"  # (Set[T], Set[T])
    HAS_ANY = "has any"  # (Set[T], Set[T])
    LIKE = "like"  # (String, String): `*` any text, `\*` a star, `\\` a backslash; anchored at both ends
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    # arithmetic on numbers, dates and durations
    ADD = "+"  # also String + String, DateTime + Duration, Date + Duration, Duration + Duration
    SUB = "-"  # also DateTime - DateTime -> Duration, Date - Date -> Duration, ...
    MUL = "*"  # also Duration * number
    DIV = "/"  # number / number, Duration / Duration -> Decimal, Duration / number
    NEG = "neg"
    MIN = "min"  # of two values
    MAX = "max"
    ABS = "abs"
    ROUND = "round"  # (number, places Int) half to even; (number) -> Int
    FLOOR = "floor"
    CEIL = "ceil"
    FIT = "fit"  # (number, scale): the value itself, a failure where it has more places than the scale
    # strings, sets, lists
    LEN = "len"
    LOWER = "lower"
    UPPER = "upper"
    BEFORE = "before"  # missing without the separator
    AFTER = "after"
    # date and time; zones are IANA names
    DATE = "date"  # (DateTime, zone)
    TIME = "time"
    WEEKDAY = "weekday"  # 1 Monday .. 7


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation applied to expressions. `type` is the type of its value."""

    operation: Operation
    arguments: tuple[Expression, ...]
    type: Type


Term: TypeAlias = Variable | Constant
Expression: TypeAlias = Variable | Constant | Apply


class Hole(enum.Enum):
    """What an argument of a match asks of its column besides a term."""

    ANY = "_"
    """Matches anything, missing too."""
    ABSENT = "missing"
    """Matches rows where the column is missing."""
    PRESENT = "present"
    """Matches rows where the column is not missing."""


ANY: Final = Hole.ANY
ABSENT: Final = Hole.ABSENT
PRESENT: Final = Hole.PRESENT

Argument: TypeAlias = Variable | Constant | Hole


# --- literals ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Match:
    """A positive literal: ranges over the rows of a relation or the atoms of a definition.

    `name` is the qualified name of a relation of the schema or of a `Predicate`. `arguments` has one
    entry a column. `source` asks that the row comes from that source or a more trusted one.
    `path` is the path as written (`refund.amount`) where this is the reading of a path.
    """

    name: str
    arguments: tuple[Argument, ...]
    origin: Origin
    source: Source | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Each:
    """A generator over the elements of a set or list value: `S has X`, `X in L at I`, `X in [a, b]`.

    `index` (from 1) only for lists. An element or index that is bound elsewhere is compared with.
    """

    collection: Expression
    element: Argument
    index: Argument
    origin: Origin


@dataclass(frozen=True, slots=True)
class Bind:
    """`X == E`, where this is what binds X."""

    variable: Variable
    value: Expression
    origin: Origin


@dataclass(frozen=True, slots=True)
class Test:
    """A condition on bound variables: an expression of type Bool that has to be true."""

    __test__: ClassVar[bool] = False  # pytest would take it for a test by its name

    condition: Expression
    origin: Origin


@dataclass(frozen=True, slots=True)
class Not:
    """Negation. `locals` are the variables bound only in `body`; they are existential in it."""

    body: Body
    locals: tuple[Variable, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Or:
    """Disjunction. `binds` are the variables that every branch binds and that the body around may read.

    Other variables of a branch are local to it.
    """

    branches: tuple[Body, ...]
    binds: tuple[Variable, ...]
    origin: Origin


class AggregateKind(enum.Enum):
    """What an aggregate computes."""

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`result` is the count of, or the sum, min, max of `value` over, the distinct matches of `body`.

    A match is told apart by the values of `locals`, and by the row or atom that each `Match` in `body` (in
    the order of writing; for an `Or` those of the branch that held) is matched with. A missing `value` is
    skipped. Over no match `count` and `sum` are 0 and the literal does not hold for `min` and `max`.
    `locals` are the variables bound only in `body`; those local to a branch of an `Or` in it are not among them.
    """

    kind: AggregateKind
    result: Variable
    value: Expression | None
    body: Body
    locals: tuple[Variable, ...]
    origin: Origin


Literal: TypeAlias = Match | Each | Bind | Test | Not | Or | Aggregate
Body: TypeAlias = tuple[Literal, ...]


# --- heads -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Derive:
    """The head of a clause of a definition: the atom it derives."""

    predicate: str
    arguments: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Allow:
    """`allow A`."""


@dataclass(frozen=True, slots=True)
class Deny:
    """`deny A`, and the deny of a `limit`, whose qualified name `limit` then is."""

    limit: str | None = None


@dataclass(frozen=True, slots=True)
class RequireApproval:
    """`require approval(by: R, within: D, ...) for A`. Every argument is bound by the body.

    Granted where an `approval` row has this `by` and a `time` at most `within` before `now`, not after it.
    """

    by: Term
    within: Term | None
    others: tuple[tuple[str, Term], ...] = ()


@dataclass(frozen=True, slots=True)
class Oblige:
    """`oblige NAME(args) on A`."""

    name: str
    arguments: tuple[tuple[str, Term], ...]


@dataclass(frozen=True, slots=True)
class Assign:
    """`set DECISION = value priority N`."""

    decision: str
    value: Term
    priority: int


class NeverEffect(enum.Enum):
    """The outcome that an invariant speaks of."""

    ALLOW = "allow"
    DENY = "deny"
    NEEDS_APPROVAL = "needs_approval"


@dataclass(frozen=True, slots=True)
class Never:
    """`never NAME: EFFECT A if C`: violated where C holds and the outcome is `effect`."""

    effect: NeverEffect


Head: TypeAlias = Derive | Allow | Deny | RequireApproval | Oblige | Assign | Never


# --- messages ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Blank:
    """A `{...}` of a message: `value` under the firing's bindings, after matching `reads`.

    `reads` are the path reads (single-row `Match`es) that bind the hidden variables of `value`.
    Where a read does not match or the value is missing, the message shows `(missing)`.
    """

    reads: tuple[Match, ...]
    value: Expression
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """A `because` or `reads` sentence: text and blanks in turn."""

    parts: tuple[str | Blank, ...]
    internal: bool = False


# --- rules and the program -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, limit, never, or one clause of a definition.

    `name` is qualified and unique (`refunds.small_refund`); the clauses of a definition are
    `refunds.suspicious/1`, `refunds.suspicious/2`, in the order of writing. `actions` are the qualified
    names of the actions it is about, groups expanded; empty for clauses and `set` rules, which
    fire for every action. `variables` are the written (not hidden) variables bound at the top of the
    body, in order of first occurrence, and after them the hidden ones that the head reads:
    `Firing.bindings` are their values, so that a head's terms can be read off a firing alone. `stratum` is that of its head.
    """

    name: str
    head: Head
    body: Body
    variables: tuple[Variable, ...]
    actions: tuple[str, ...]
    stratum: int
    message: Message | None
    origin: Origin
    overrides: tuple[str, ...] = ()
    doc: str = field(default="", compare=False)

    @property
    def is_clause(self) -> bool:
        """Whether it derives atoms of a definition (and decides nothing by itself)."""
        return isinstance(self.head, Derive)


@dataclass(frozen=True, slots=True)
class Predicate:
    """A definition: its qualified name, the types of its arguments, and its sentence.

    `parameters` are the argument names of the `reads` sentence (those of the first clause that has one).
    `stratum` is above every predicate it negates or aggregates over, and not below those it reads;
    `recursive` says that it depends on itself.
    """

    name: str
    types: tuple[Type, ...]
    parameters: tuple[str, ...]
    stratum: int
    recursive: bool
    reads: Message | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class ModuleInfo:
    """One module of the program: what traces name.

    `digest` is the SHA-256 of its text; `meaning` of its syntax tree without comments and layout.
    `source` is what was parsed, so that a trace can keep the text beside its digest.
    """

    name: str
    version: str | None
    digest: str
    meaning: str
    source: SourceText | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rollout:
    """What a module says about its own rollout. None of it takes part in a decision.

    `key` is the field by which requests fall into a slice (`rollout by`); a request without it is in none.
    `canary` is the condition of `canary if` as a rule that fires where it holds: `policylang.semantics.targeting`
    makes a program of it. `promote` and `rollback` are the criteria by stage, `shadow` and `canary`.
    """

    key: PathRead | None = None
    canary: Rule | None = None
    promote: Mapping[str, Criteria] = field(default_factory=dict)
    rollback: Mapping[str, Criteria] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Program:
    """A checked policy: everything an evaluator, a decision and a proof need.

    `rules` stand in the order of their modules and of writing. `tables` holds the rows of each TABLE relation.
    `groups` maps a group's qualified name to its member actions (`any` included).
    `digest` names the program: modules, versions, params and tables (not reference data). `rollouts` holds, by
    module, what modules say about their own rollout.
    """

    modules: tuple[ModuleInfo, ...]
    schema: Schema
    predicates: Mapping[str, Predicate]
    rules: tuple[Rule, ...]
    tables: Mapping[str, tuple[tuple[Value | Missing, ...], ...]]
    groups: Mapping[str, tuple[str, ...]]
    digest: str
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)

    @property
    def actions(self) -> tuple[str, ...]:
        """The qualified names of all declared actions."""
        return tuple(
            r.name for r in self.schema.relations.values() if r.kind is RelationKind.ACTION
        )
