"""`Decision`: the answer to one request."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from policylang.evaluate.firings import NOTHING_SETTLED, Failure, Firing, Settled, merged
from policylang.facts.deferred import Deferred
from policylang.facts.rejection import Rejection
from policylang.facts.values import Value
from policylang.semantics.program import ModuleInfo

FORM: int = 1
"""The version of the JSON form of a decision."""


class Outcome(enum.Enum):
    """What may happen.

    >>> Outcome("needs_approval")
    <Outcome.NEEDS_APPROVAL: 'needs_approval'>
    """

    ALLOW = "allow"
    DENY = "deny"
    NEEDS_APPROVAL = "needs_approval"


class ReasonKind(enum.Enum):
    """Why an outcome came about, told apart.

    >>> from policylang import loads
    >>> bundle = loads("module shop action ship rule closed: deny ship")
    >>> bundle.decide({"action": "ship"}).reasons[0].kind, bundle.decide({"action": "sip"}).reasons[0].kind
    (<ReasonKind.FORBIDDEN: 'forbidden'>, <ReasonKind.UNKNOWN_ACTION: 'unknown_action'>)
    """

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    NEEDS_APPROVAL = "needs_approval"
    NOTHING_ALLOWS = "nothing_allows"
    INVARIANT_VIOLATED = "invariant_violated"
    LIMIT_REACHED = "limit_reached"
    EVALUATION_FAILED = "evaluation_failed"
    INVALID_FACTS = "invalid_facts"
    NEEDS_FACTS = "needs_facts"
    BAD_REQUEST = "bad_request"
    UNKNOWN_ACTION = "unknown_action"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: its kind, the rule behind it (qualified; empty where none is), and its message.

    `message` is the rule's `because` with its blanks filled in, or a sentence made from the rule's name.
    `internal` reasons are not for customers.

    >>> from policylang import loads
    >>> bundle = loads('module shop action ship rule closed: deny ship because "the shop is closed"')
    >>> reason = bundle.decide({"action": "ship"}).reasons[0]
    >>> reason.rule, reason.message
    ('shop.closed', 'the shop is closed')
    """

    kind: ReasonKind
    rule: str
    message: str
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Suppression:
    """A rule that fired and did not count, and the rule that overrode it."""

    rule: str
    by: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """An approval that is required: by whom, within how long, and whether it is granted."""

    rule: str
    by: Value
    within: Value | None
    others: tuple[tuple[str, Value], ...]
    granted: bool


@dataclass(frozen=True, slots=True)
class Obligation:
    """A duty attached to the decision, on every outcome."""

    name: str
    arguments: tuple[tuple[str, Value], ...]
    rule: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """The value of a `decision`: the winning `value`, or none where rules conflict.

    `rules` are the rules that gave it (empty: the default); in a conflict, those of equal highest priority.
    """

    decision: str
    value: Value | None
    rules: tuple[str, ...]
    conflict: bool = False


@dataclass(frozen=True, slots=True)
class Decision(Deferred):
    """The answer to one request. Equal for equal program, facts and `now`, on every machine.

    `determining` are the rules that fired at the deciding level, always a set (sorted). `violated` names the
    invariants that were violated. `firings` are all rules that fired; they and `failure` are what a proof is built from. `rejection` says why a request
    reached no rule. Firings hold what rules read, secrets too: they are not shown where a decision is printed.

    >>> from policylang import loads
    >>> bundle = loads("module shop action ship rule all: allow ship rule closed: deny ship")
    >>> decision = bundle.decide({"action": "ship"})
    >>> decision.outcome.value, decision.determining
    ('deny', ('shop.closed',))
    """

    action: str
    outcome: Outcome
    reasons: tuple[Reason, ...]
    determining: tuple[str, ...] = ()
    suppressed: tuple[Suppression, ...] = ()
    violated: tuple[str, ...] = ()
    requires: tuple[Requirement, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    values: Mapping[str, Assignment] = field(default_factory=dict, hash=False)
    program: str = ""
    modules: tuple[ModuleInfo, ...] = ()
    firings: tuple[Firing, ...] = field(default=(), repr=False)
    settled: Settled = field(default=NOTHING_SETTLED, compare=False, repr=False)
    """The firings of clauses that depend on tables and reference data alone, shared by all decisions."""
    failure: Failure | None = None
    rejection: Rejection | None = None

    def _make(self, origin: Any) -> None:
        make, *given = origin
        for put, value in zip(_LATER, make(*given), strict=True):
            put(self, value)
        # What they are made from is not needed any more, and may be large. It goes last.
        _ORIGIN(self, None)

    @property
    def all_firings(self) -> tuple[Firing, ...]:
        """All that fired, settled clauses included, in the order of the program."""
        return merged(self.firings, self.settled)


class Later(NamedTuple):
    """The fields of a decision that can wait until they are asked for."""

    action: str
    reasons: tuple[Reason, ...]
    suppressed: tuple[Suppression, ...]
    violated: tuple[str, ...]
    requires: tuple[Requirement, ...]
    obligations: tuple[Obligation, ...]
    values: Mapping[str, Assignment]
    program: str
    modules: tuple[ModuleInfo, ...]
    settled: Settled
    failure: Failure | None = None
    rejection: Rejection | None = None


_NEW: Final = object.__new__
_SLOTS: Final[Any] = vars(Decision)
_ORIGIN: Final[Any] = vars(Deferred)["origin"].__set__
_OUTCOME: Final = _SLOTS["outcome"].__set__
_DETERMINING: Final = _SLOTS["determining"].__set__
_FIRINGS: Final = _SLOTS["firings"].__set__
_LATER: Final = tuple([_SLOTS[name].__set__ for name in Later._fields])


def deferred_decision(
    origin: tuple[Callable[..., Later], *tuple[Any, ...]],
    outcome: Outcome,
    determining: tuple[str, ...],
    firings: tuple[Firing, ...],
) -> Decision:
    """A decision whose other fields are made when they are asked for.

    `origin` is the function that makes them and what it is called with, which must not change.
    """
    decision = _NEW(Decision)
    _ORIGIN(decision, origin)
    _OUTCOME(decision, outcome)
    _DETERMINING(decision, determining)
    _FIRINGS(decision, firings)
    return decision
