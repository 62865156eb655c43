"""What decisions by one pattern of fired rules have in common, and what is left to say of each.

A decision of a pattern is its `Common` part with the bindings of its firings and the messages that speak of its
request. So it is made in little time, and crosses between processes in few bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from policylang.decide.decision import Decision, Later, Outcome, Reason, deferred_decision
from policylang.decide.sentences import Sentence
from policylang.evaluate.firings import About, Firing, Settled
from policylang.evaluate.model import Model
from policylang.facts.factset import FactSet
from policylang.facts.values import Value

Spoken: TypeAlias = "tuple[int, Sentence, int]"
"""The place of a reason whose message depends on the request, what says it, and the place of its firing."""

Bindings: TypeAlias = "tuple[tuple[Value, ...], ...]"


class Common(NamedTuple):
    """What decisions by one pattern have in common. `rules[i]` is the rule of the i-th firing.

    `said` are the places of the reasons whose messages differ.
    """

    outcome: Outcome
    determining: tuple[str, ...]
    rules: tuple[str, ...]
    later: Later
    said: tuple[int, ...]


class Apart(NamedTuple):
    """What a decision has of its own beside its `Common` part."""

    common: Common
    bindings: Bindings
    messages: tuple[str, ...]


class Template:
    """The common part of a pattern, ready to be filled in."""

    __slots__ = ("_spoken", "common")

    def __init__(self, common: Common, spoken: Sequence[Spoken]) -> None:
        self.common = common
        self._spoken = tuple(spoken)

    def messages(
        self, facts: FactSet, own: Sequence[Firing], finished: Callable[[], Model]
    ) -> tuple[str, ...]:
        """The messages that speak of a request."""
        return tuple([say(facts, own[i], finished) for _, say, i in self._spoken])


_NEW: Final = tuple.__new__
_VALUES: Final = Later._fields.index("values")


def later_of(common: Common, messages: Sequence[str]) -> Later:
    """The fields of one decision that can wait."""
    later, said = common.later, common.said
    reasons = later.reasons
    if said:
        every = list(reasons)
        for place, message in zip(said, messages, strict=True):
            kind, rule, internal = every[place].kind, every[place].rule, every[place].internal
            every[place] = Reason(kind, rule, message, internal)
        reasons = tuple(every)
    # The values are a mapping that a caller may change: each decision has its own.
    values = dict(later.values)
    return _NEW(Later, (later.action, reasons, *later[2:_VALUES], values, *later[_VALUES + 1 :]))


def put_together(common: Common, bindings: Bindings, messages: tuple[str, ...]) -> Decision:
    """The decision of which these are the parts, in a process that has no more of it."""
    named = zip(common.rules, bindings, strict=True)
    firings = tuple([_NEW(Firing, pair) for pair in named])
    origin = (later_of, common, messages)
    return deferred_decision(origin, common.outcome, common.determining, firings)


def travelling(common: Common) -> Common:
    """The common part for another process: of firings of reference data alone goes what they are about."""
    return _with_settled(common, Settled(about=common.later.settled.about))


def arrived(common: Common, find: Callable[[About], Settled]) -> Common:
    """The common part from another process, with settled firings as `find` gives them."""
    about = common.later.settled.about
    return common if about is None else _with_settled(common, find(about))


def _with_settled(common: Common, settled: Settled) -> Common:
    return common._replace(later=common.later._replace(settled=settled))
