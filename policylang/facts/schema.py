"""The shape of the input: every relation that a request, a table or reference data may fill.

INVARIANT: a relation's `columns` are the positions of `Row.values` and of `Match.args` alike.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from policylang.facts.types import Domain, Field
from policylang.facts.values import Missing, Value


class RelationKind(enum.Enum):
    """Where the rows of a relation come from."""

    FACT = "fact"
    """Rows of a declared fact, given with the request (or held by the bundle as reference data)."""
    ACTION = "action"
    """The one row of the asked action's arguments."""
    GROUP = "action group"
    """The one row of a group that the asked action is in: the fields all members declare."""
    TABLE = "table"
    """Rows written in the module."""
    ITEMS = "items"
    """Rows unfolded from a list or set field of another relation's rows."""
    HISTORY = "history"
    """Earlier calls that a limit counts: its keys, its amount, and when they were made."""
    BUILTIN = "builtin"
    """`now` and `approval`, which every request has."""


class Cardinality(enum.Enum):
    """How many rows a request may give."""

    ONE = "one"
    OPTIONAL = "optional"
    MANY = "many"


class Source(enum.IntEnum):
    """Where a value came from; a greater source is more trusted."""

    MODEL = 0
    USER = 1
    TOOL = 2
    SYSTEM = 3

    @property
    def word(self) -> str:
        """The word of the language and of requests."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Relation:
    """One input relation.

    `name` is qualified (`refunds.customer`; items: `refunds.book.payments`; a limit's history:
    `refunds.weekly_refunds.history`; builtins have the module "": `now`, `approval`).
    `columns` are the columns rules can read. For FACT, ACTION, GROUP and TABLE: the declared fields.
    For ITEMS: first, where the root fact has a key, a column named as that fact, holding the key of the
    row the list belongs to; where the list is inside a list of records, a column named as the
    outer list holding the outer position; then `index` (Int from 1; lists only, not sets); then the record's
    fields, or `value`.
    `minimum_source` is the least source accepted. `file` is the data file of reference facts.
    `parent` and `parent_field` name the relation and field that ITEMS unfold.
    """

    name: str
    module: str
    kind: RelationKind
    cardinality: Cardinality
    columns: tuple[Field, ...]
    minimum_source: Source = Source.MODEL
    file: str | None = None
    parent: str | None = None
    parent_field: str | None = None
    members: tuple[str, ...] = ()
    """GROUP: the qualified names of its actions."""
    reads: str | None = field(default=None, compare=False)
    doc: str = field(default="", compare=False)

    @property
    def bare_name(self) -> str:
        """The name without its module (`customer`, `book.payments`)."""
        return self.name.removeprefix(self.module + ".")

    @property
    def key(self) -> int | None:
        """The position of the key column, if one is declared."""
        return next((i for i, column in enumerate(self.columns) if column.key), None)

    def position(self, column: str) -> int:
        """The position of the column of that name; `KeyError` where there is none."""
        for i, candidate in enumerate(self.columns):
            if candidate.name == column:
                return i
        raise KeyError(column)


@dataclass(frozen=True, slots=True)
class PathRead:
    """A field of a single-row relation, named by its qualified relation and column."""

    relation: str
    column: str


@dataclass(frozen=True, slots=True)
class LimitHistory:
    """How the rows of a limit's history relation are filled from earlier calls.

    `relation` has one column for each of `reads`, in order, and last `time` (DateTime). An entry
    counts when its action is in `actions` and its outcome says that it was allowed and did not fail (in
    flight included). `reads` are fields of the action (or of the limited group) and of single-row facts; an
    entry that lacks one makes the request invalid, since leaving it out would count too few.
    `keys` are the positions of the columns by which calls are counted apart, and `window` is how far back they
    count, where that is the same for every request: what a store needs to find them by. Rules do not read either.
    """

    relation: str
    actions: tuple[str, ...]
    reads: tuple[PathRead, ...]
    keys: tuple[int, ...] = ()
    window: dt.timedelta | None = None


@dataclass(frozen=True, slots=True)
class Param:
    """A named constant that a deployment may override."""

    name: str
    domain: Domain
    value: Value
    overridden: bool = False
    doc: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class DecisionDeclaration:
    """`decision NAME: TYPE default V`: a value that callers ask for."""

    name: str
    domain: Domain
    default: Value | Missing
    doc: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Schema:
    """Everything the border has to know to validate a request. Names are qualified."""

    relations: Mapping[str, Relation]
    params: Mapping[str, Param]
    decisions: Mapping[str, DecisionDeclaration]
    histories: tuple[LimitHistory, ...] = ()

    def named(self, name: str, *kinds: RelationKind) -> tuple[Relation, ...]:
        """The relations a request may mean by a name, qualified or bare, among the given kinds."""
        exact = self.relations.get(name)
        if exact is not None and exact.kind in kinds:
            return (exact,)
        return tuple(r for r in self.relations.values() if r.kind in kinds and r.bare_name == name)
