"""The authorizer: from the rules that fired to an outcome. All of it is here, and nothing else is.

The shape is Cedar's: a short function over sets of rule names, held by tests to a specification written another way.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from policylang.decide.decision import Outcome, Suppression
from policylang.errors import InternalError


class Says(enum.Enum):
    """What a rule that fired says about the outcome."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"
    """An approval is required that is not granted."""
    NOTHING = "nothing"
    """It speaks of obligations or values alone, but may override."""


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that fired: what it says, and the names of the rules it suppresses where it counts."""

    says: Says
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, the rules that gave it, and those that did not count.

    `ruled` is what the rules alone would have given, `deciding` the rules behind that (none where nothing
    allows); `violated` are the invariants against it, which make `outcome` a denial.
    """

    outcome: Outcome
    ruled: Outcome
    deciding: frozenset[str]
    violated: frozenset[str]
    suppressed: frozenset[Suppression] = field(default=frozenset())

    def counts(self, rule: str) -> bool:
        """Whether a rule that fired was not suppressed."""
        return all(suppression.rule != rule for suppression in self.suppressed)


def authorize(fired: Mapping[str, Fired], invariants: Mapping[str, Outcome]) -> Verdict:
    """The verdict over the rules that fired, and over the invariants whose condition holds.

    `invariants` gives, for each, the outcome that must never be. Denials go before open approvals, those
    before allows; where none is left nothing allows it. The order of either mapping does not matter.
    """
    suppressed = suppressions(fired)
    out = {suppression.rule for suppression in suppressed}
    levels: dict[Says, list[str]] = {}
    for name, rule in fired.items():
        if name not in out:
            levels.setdefault(rule.says, []).append(name)
    ruled, deciding = Outcome.DENY, frozenset[str]()
    for says, outcome in _LEVELS:
        if says in levels:
            ruled, deciding = outcome, frozenset(levels[says])
            break
    violated = frozenset(name for name, never in invariants.items() if never is ruled)
    return Verdict(Outcome.DENY if violated else ruled, ruled, deciding, violated, suppressed)


_LEVELS: Final = (
    (Says.DENY, Outcome.DENY),
    (Says.ASK, Outcome.NEEDS_APPROVAL),
    (Says.ALLOW, Outcome.ALLOW),
)


def suppressions(fired: Mapping[str, Fired]) -> frozenset[Suppression]:
    """Which rules that fired do not count, and by which rules that do.

    Read from the top down: a rule is settled once every fired rule that overrides it is.
    """
    if not any(rule.overrides for rule in fired.values()):
        return frozenset()
    unsettled = Counter(
        below for rule in fired.values() for below in set(rule.overrides) & fired.keys()
    )
    settled = [name for name in fired if not unsettled[name]]
    by: dict[str, list[str]] = {}
    for name in settled:  # grows while it is read
        for below in set(fired[name].overrides) & fired.keys():
            if name not in by:
                by.setdefault(below, []).append(name)
            unsettled[below] -= 1
            if not unsettled[below]:
                settled.append(below)
    if len(settled) < len(fired):
        raise InternalError(f"overrides go round: {_names(fired.keys() - set(settled))}")
    return frozenset(Suppression(rule, top) for rule, tops in by.items() for top in tops)


def _names(rules: Collection[str]) -> str:
    return ", ".join(sorted(rules))
