"""Counting what candidates do, across all processes, and what follows from it by itself.

One transaction on the state for many comparisons. A canary that has used up its budget of errors is rolled back by the
same transaction, and the history says why.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from policylang.rollout.compared import Comparison, Direction, Role
from policylang.rollout.stages import (
    Stage,
    Standing,
    Step,
    Transition,
    add,
    count,
    counts,
    standings,
)
from policylang.trace.state import Transaction
from policylang.trace.store import TraceStore

COMPARED: Final = "compared"
ERROR: Final = "error"
ACTED: Final = "acted"
HELD_BACK: Final = "held back"
"""The candidate was less strict than live, and live's answer was given."""
DROPPED: Final = "dropped"

BUDGET: Final = "error budget"
"""Who rolls back where errors do."""


def tally(
    store: TraceStore, comparisons: Sequence[Comparison], dropped: Mapping[str, int]
) -> tuple[Transition, ...]:
    """Count comparisons, and return the transitions that followed. Raises `StateUnavailableError`."""
    more: Counter[tuple[str, str]] = Counter()
    for comparison in comparisons:
        more.update((comparison.rollout, what) for what in _counted(comparison))
    more.update({(rollout, DROPPED): number for rollout, number in dropped.items()})
    with store.state.transaction() as tx:
        before = counts(tx)
        for (rollout, what), number in sorted(more.items()):
            count(tx, rollout, what, number)
        return (*_noted(tx, comparisons, before), *_rolled_back(tx, comparisons))


def _counted(comparison: Comparison) -> tuple[str, ...]:
    """What one comparison adds one to."""
    looser = comparison.direction is Direction.LOOSER
    role = comparison.role is Role.CANARY
    found = (
        (COMPARED, True),
        (comparison.direction.value, True),
        (ERROR, comparison.has_failed),
        (f"{ERROR} in canary", role and comparison.has_failed),
        (ACTED, comparison.acted_on_candidate),
        (HELD_BACK, role and looser and not comparison.acted_on_candidate),
    )
    return tuple(what for what, is_so in found if is_so)


def _noted(
    tx: Transaction, comparisons: Sequence[Comparison], before: Mapping[str, Mapping[str, int]]
) -> tuple[Transition, ...]:
    """The first decision of each rollout that is less strict than live gets a line in the history."""
    first: dict[str, Comparison] = {}
    for comparison in comparisons:
        if comparison.direction is Direction.LOOSER:
            first.setdefault(comparison.rollout, comparison)
    new = [c for c in first.values() if not before.get(c.rollout, {}).get(Direction.LOOSER.value)]
    if not new:
        return ()
    known = standings(tx)
    return tuple(_note(tx, known[c.module].standing(c.version), c) for c in new)


def _note(tx: Transaction, standing: Standing, comparison: Comparison) -> Transition:
    acted = "and acted" if comparison.acted_on_candidate else "and did not act"
    why = (
        f"less strict than live for the first time, in {comparison.role.value} {acted}: "
        f"{comparison.transition}, decision {comparison.decision}"
    )
    return add(tx, _automatic(standing, Step.NOTE, standing.stage, comparison.role.value, why))


def _rolled_back(tx: Transaction, comparisons: Sequence[Comparison]) -> tuple[Transition, ...]:
    failed = {c.rollout: c for c in comparisons if c.has_failed and c.role is Role.CANARY}
    if not failed:
        return ()
    found, known = counts(tx), standings(tx)
    taken = []
    for rollout, last in failed.items():
        standing = known[last.module].standing(last.version)
        errors = found[rollout].get(f"{ERROR} in canary", 0)
        is_on = standing.stage is Stage.CANARY and standing.rollout == rollout
        if is_on and errors >= standing.settings.error_budget:
            why = (
                f"{errors} errors of the canary, and its budget is {standing.settings.error_budget}; "
                f"the last in decision {last.decision}: {last.candidate.error}"
            )
            taken.append(add(tx, _automatic(standing, Step.ROLLBACK, Stage.DRAFT, BUDGET, why)))
    return tuple(taken)


def _automatic(standing: Standing, step: Step, after: Stage, by: str, why: str) -> Transition:
    now = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return Transition(
        module=standing.module,
        version=standing.version,
        rollout=standing.rollout,
        step=step,
        before=standing.stage,
        after=after,
        at=now,
        by=by,
        why=why,
        settings=standing.settings,
        is_automatic=True,
    )
